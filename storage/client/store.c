/* Channels over one socket a shard.  A call is a list entry of its channel from the
 * moment it is made until its callback ran, in the order of making; that order is
 * the order of sending, also after stored came back.  A call keeps its encoded
 * request as long as it may have to be sent (again). */
#include "storage/client/store_priv.h"

#include <assert.h>
#include <stdalign.h>

#include "common/util/clock.h"
#include "common/util/mem.h"

#define AWAY_MS 100		/* how often deadlines and attaching are looked at while away */

/* Every change begins like this; its numbers are filled in when it is sent. */
struct change_head { uint64_t seq, acked; };
static_assert(offsetof(struct store_append, seq) == 0 && offsetof(struct store_append, acked) == 8, "");
static_assert(offsetof(struct store_flags, seq) == 0 && offsetof(struct store_copy, seq) == 0, "");

void
store_call_free(struct store_call *c)
{
	list_remove(&c->node);
	list_remove(&c->failed);
	buf_fini(&c->body);
	mem_free(&c->quota);
	mem_free(&c);
}

/* It is over without an answer of its own.  The callback runs from the loop. */
void
store_call_fail(struct store_call *c, enum status st)
{
	struct store_pool *p = c->store->shard->pool;

	if (c->failed.next != NULL)
		return;
	if (c->req != 0 && c->store->shard->ipc != NULL)
		ipc_cancel(c->store->shard->ipc, c->req);
	c->req = 0;
	c->status = st;
	list_push_back(&p->failed, &c->failed);
	loop_task_post(p->task);
}

static void
run_failed(void *arg)
{
	struct store_pool *p = arg;
	struct store_ask *a;
	struct list now;

	while ((a = store_failed_ask(p)) != NULL)
		store_ask_done(a, ST_UNAVAILABLE, NULL);
	if (list_empty(&p->failed))
		return;
	now = p->failed;
	now.next->prev = now.prev->next = &now;
	list_init(&p->failed);
	while (!list_empty(&now)) {
		struct store_call *c = list_entry(now.next, struct store_call, failed);
		store_done_fn fn = c->fn;
		void *fn_arg = c->arg;
		enum status st = c->status;
		struct store_quota_is *quota = c->quota;

		c->quota = NULL;
		store_call_free(c);
		if (fn != NULL)
			fn(fn_arg, st, false, quota);
		mem_free(&quota);
	}
}

static bool
is_waiting(const struct store_call *c)
{
	return c->failed.next == NULL;
}

static void
fail_all(struct store *s, enum status st)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->calls)
		store_call_fail(list_entry(n, struct store_call, node), st);
}

void
store_ignore(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
}

/* Sending ---------------------------------------------------------------------- */

static void
on_reply(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct store_call *c = arg;
	store_done_fn fn = c->fn;
	void *fn_arg = c->arg;
	enum status st = h->status;

	if (!ipc_is_open(c->store->shard->ipc))
		return;			/* on_closed() decides about the call */
	/* The channel was not there yet: the account was being made, or the service could not
	 * say.  It goes again when it is attached. */
	if (c->early && st == ST_DENIED && !h->more && c->store->attach != ATTACH_OK) {
		c->req = 0;
		return;
	}
	if ((st == ST_OK || h->more) && (m != NULL ? m->no : 0) != c->reply_no) {
		store_call_fail(c, ST_BUG);
		return;
	}
	if (!h->more)
		store_call_free(c);
	if (fn != NULL)
		fn(fn_arg, st, h->more, st == ST_OK || h->more ? msg : NULL);
}

/* All changes up to it were answered. */
static uint64_t
acked(const struct store *s)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->calls) {
		const struct store_call *c = list_entry(n, struct store_call, node);

		if (c->seq != 0 && is_waiting(c))
			return c->seq - 1;
	}
	return s->last_seq;
}

void
store_send_call(struct store_call *c)
{
	alignas(max_align_t) char msg[IPC_STRUCT_MAX];
	struct store *s = c->store;
	struct change_head *head = (void *)msg;

	if (c->stage_epoch != 0 && c->stage_epoch != s->shard->epoch) {
		store_call_fail(c, ST_UNAVAILABLE);
		return;
	}
	if (c->gen == 0)
		c->gen = s->gen;
	if (ipc_decode(c->m, buf_span(&c->body), msg) != ST_OK)
		assert(!"a request of our own making decodes");
	if (c->seq != 0) {
		head->seq = c->seq;
		head->acked = acked(s);
	} else {
		c->deadline_ms = 0;
	}
	c->req = ipc_request(s->shard->ipc, s->chan, c->m->no, c->m->size > 0 ? msg : NULL,
	    on_reply, c);
	if (c->seq == 0)
		buf_fini(&c->body);
}

static uint64_t
first_gen(const struct store *s)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->calls) {
		const struct store_call *c = list_entry(n, struct store_call, node);

		if (is_waiting(c) && c->seq != 0 && c->gen != 0)
			return c->gen;
	}
	return s->gen;
}

static void
on_renewed(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct store *s = arg;

	s->attach_req = 0;
	if (!ipc_is_open(s->shard->ipc) || h->status == ST_OK || h->status == ST_UNAVAILABLE)
		return;
	s->attach = ATTACH_REFUSED;
	s->refused = h->status;
	fail_all(s, h->status);
}

static void
send_renew(struct store *s)
{
	struct store_attach rq = { buf_span(&s->ticket), s->owner };

	if (s->attach_req != 0)		/* an earlier one has not been answered */
		ipc_cancel(s->shard->ipc, s->attach_req);
	s->attach_req = ipc_request(s->shard->ipc, s->chan, STORE_RENEW, &rq, on_renewed, s);
}

/* Changes that were sent under the ticket before this one are remembered under its id:
 * they go first, then the channel is renewed. */
static void
send_calls(struct store *s)
{
	struct list *n, *tmp;

	list_each(n, tmp, &s->calls) {
		struct store_call *c = list_entry(n, struct store_call, node);

		if (!is_waiting(c) || c->req != 0)
			continue;
		if (s->with_old && c->gen != s->gen - 1) {
			s->with_old = false;
			send_renew(s);
		}
		store_send_call(c);
	}
	if (s->with_old) {
		s->with_old = false;
		send_renew(s);
	}
}

static void
send_watch(struct store *s)
{
	const struct store_watch rq = { true };

	ipc_request(s->shard->ipc, s->chan, STORE_WATCH, &rq, store_ignore, NULL);
}

/* Answers those that waited for the channel to ask what its answer says. */
static void
answer_quota(struct store *s, const struct store_attached *is)
{
	struct list *n, *tmp;

	s->use_told = true;
	s->use = (struct store_quota_is){ is->bytes, is->bytes_limit, is->messages,
		is->messages_limit, is->mailboxes, is->mailboxes_limit };
	list_each(n, tmp, &s->calls) {
		struct store_call *c = list_entry(n, struct store_call, node);

		if (c->m->no != STORE_QUOTA || !is_waiting(c) || c->req != 0)
			continue;
		c->quota = mem_dup(&s->use, sizeof(s->use));
		store_call_fail(c, ST_OK);
	}
}

static void
on_attached(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct store *s = arg;
	const struct store_attached *is = msg;
	bool again = s->attached_once;

	s->attach_req = 0;
	if (!ipc_is_open(s->shard->ipc))
		return;
	s->attach = ATTACH_NO;
	if (h->status == ST_UNAVAILABLE)
		return;			/* the timer asks again */
	/* The shard lost what it said before: what the caller knows of it is of another life. */
	if (h->status == ST_OK && m != NULL && m->no == STORE_ATTACHED && again &&
	    is->incarnation != s->incarnation) {
		s->attach = ATTACH_REFUSED;
		s->refused = ST_DENIED;
		fail_all(s, s->refused);
		s->event(s->arg, STORE_EV_REVOKED, 0);
		return;
	}
	if (h->status == ST_OK && m != NULL && m->no == STORE_ATTACHED) {
		s->incarnation = is->incarnation;
		s->events |= is->events;
		s->attach = ATTACH_OK;
		s->attached_once = true;
		if (s->watching)
			send_watch(s);
		if (is->quota_told)
			answer_quota(s, is);
		send_calls(s);
		if (again)
			s->event(s->arg, STORE_EV_LOST, is->modseq);
		return;
	}
	if (s->with_old) {		/* too late to ask about those */
		struct list *n, *tmp;

		list_each(n, tmp, &s->calls) {
			struct store_call *c = list_entry(n, struct store_call, node);

			if (c->gen != 0 && c->gen < s->gen)
				store_call_fail(c, ST_UNAVAILABLE);
		}
		return;
	}
	s->attach = ATTACH_REFUSED;
	s->refused = h->status == ST_OK ? ST_BUG : h->status;
	fail_all(s, s->refused);
	if (again)		/* the service that came back does not know the ticket */
		s->event(s->arg, STORE_EV_REVOKED, 0);
}

void
store_send_attach(struct store *s, bool idly)
{
	struct list *n, *tmp;
	uint64_t gen;
	struct store_attach rq;

	list_each(n, tmp, &s->calls) {
		struct store_call *c = list_entry(n, struct store_call, node);

		if (c->gen != 0 && c->seq != 0 && c->gen + 1 < s->gen)
			store_call_fail(c, ST_UNAVAILABLE);
	}
	gen = first_gen(s);
	s->with_old = gen != s->gen;
	rq.owner = s->owner;
	rq.idly = idly;
	rq.ticket = buf_span(s->with_old ? &s->old_ticket : &s->ticket);
	s->attach = ATTACH_SENT;
	s->attach_req = ipc_request(s->shard->ipc, s->chan, STORE_ATTACH, &rq, on_attached, s);
}

/* The socket of a shard ----------------------------------------------------------- */

/* Attaches what is not attached; false: all of it is. */
static bool
attach_missing(struct shard *sh)
{
	struct list *n, *tmp;
	bool missing = false;

	list_each(n, tmp, &sh->stores) {
		struct store *s = list_entry(n, struct store, node);

		if (s->idle)
			continue;
		if (s->attach == ATTACH_NO && sh->ipc != NULL)
			store_send_attach(s, false);
		missing = missing || s->attach == ATTACH_NO || s->attach == ATTACH_SENT;
	}
	return missing;
}

static void
fail_late(struct shard *sh, uint64_t now)
{
	struct list *n, *tmp, *n2, *tmp2;

	list_each(n, tmp, &sh->stores) {
		struct store *s = list_entry(n, struct store, node);

		if (s->attach == ATTACH_OK)
			continue;
		list_each(n2, tmp2, &s->calls) {
			struct store_call *c = list_entry(n2, struct store_call, node);

			if (c->deadline_ms != 0 && c->deadline_ms <= now)
				store_call_fail(c, ST_UNAVAILABLE);
		}
	}
}

static void
on_away(void *arg)
{
	struct shard *sh = arg;

	fail_late(sh, loop_now_ms(sh->pool->loop));
	store_shard_go(sh);
}

void
store_shard_go(struct shard *sh)
{
	if (attach_missing(sh))
		loop_timer_set(sh->away, AWAY_MS);
}

static void
on_note(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct shard *sh = arg;
	struct store *s = table_get_u64(&sh->by_chan, h->chan);
	const struct store_dirty *dirty = msg;

	if (s == NULL)
		return;			/* closed meanwhile */
	if (m->no == STORE_DIRTY) {
		s->noted = *dirty;
		s->event(s->arg, STORE_EV_DIRTY, dirty->modseq);
	} else if (m->no == STORE_EVENTS) {
		s->events = true;
	} else if (m->no == STORE_QUOTA_NEAR) {
		s->event(s->arg, STORE_EV_QUOTA, ((const struct store_quota_near *)msg)->percent);
	} else if (m->no == STORE_REVOKED) {
		s->attach = ATTACH_REFUSED;
		s->refused = ST_DENIED;
		fail_all(s, ST_DENIED);
		s->event(s->arg, STORE_EV_REVOKED, 0);
	}
}

/* Reads fail, changes wait for the service; no callback runs in here. */
static void
shard_lost(struct shard *sh)
{
	struct list *n, *tmp, *n2, *tmp2;
	uint64_t deadline = loop_now_ms(sh->pool->loop) + STORE_RETRY_MS;

	list_each(n, tmp, &sh->stores) {
		struct store *s = list_entry(n, struct store, node);

		if (s->attach != ATTACH_REFUSED)
			s->attach = ATTACH_NO;
		s->attach_req = 0;
		list_each(n2, tmp2, &s->calls) {
			struct store_call *c = list_entry(n2, struct store_call, node);
			bool sent = c->req != 0;

			c->req = 0;
			/* The first loss counts: a store that never comes up answers nobody. */
			if (c->deadline_ms == 0)
				c->deadline_ms = deadline;
			if (sent && c->seq == 0)
				store_call_fail(c, ST_UNAVAILABLE);
		}
	}
	store_shard_go(sh);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct shard *sh = arg;

	ipc_free(&sh->ipc);
	shard_lost(sh);
}

struct shard *
store_shard_get(struct store_pool *p, uint32_t no)
{
	struct shard *sh = table_get_u64(&p->shards, no);

	if (sh != NULL)
		return sh;
	sh = mem_zalloc(sizeof(*sh));
	sh->pool = p;
	sh->no = no;
	list_init(&sh->stores);
	sh->away = loop_timer_new(p->loop, on_away, sh);
	table_put_u64(&p->shards, no, sh);
	return sh;
}

struct store_pool *
store_pool_new(struct loop *l)
{
	struct store_pool *p = mem_zalloc(sizeof(*p));

	p->loop = l;
	list_init(&p->failed);
	list_init(&p->asks);
	p->task = loop_task_new(l, run_failed, p);
	return p;
}

static void
shard_free(void *value, void *arg)
{
	struct shard *sh = value;

	while (!list_empty(&sh->stores)) {
		struct store *s = list_entry(sh->stores.next, struct store, node);

		store_close(&s);
	}
	ipc_free(&sh->ipc);
	loop_timer_free(&sh->away);
	table_fini(&sh->by_chan, NULL, NULL);
	mem_free(&sh);
}

void
store_pool_free(struct store_pool **pp)
{
	struct store_pool *p = *pp;

	if (p == NULL)
		return;
	while (!list_empty(&p->asks)) {
		struct store_ask *a = list_entry(p->asks.next, struct store_ask, node);

		store_ask_cancel(&a);
	}
	table_fini(&p->shards, shard_free, NULL);
	loop_task_free(&p->task);
	mem_free(pp);
}

void
store_pool_set(struct store_pool *p, uint32_t no, int fd)
{
	struct shard *sh = store_shard_get(p, no);
	const struct ipc_config cf = { .loop = p->loop, .protocol = &store_protocol,
		.peer = "stored", .request = on_note, .closed = on_closed, .arg = sh };

	if (sh->ipc != NULL) {
		ipc_free(&sh->ipc);
		store_asks_lost(sh);
		shard_lost(sh);
	}
	sh->epoch++;
	sh->ipc = ipc_new(&cf, fd);
	store_shard_go(sh);
}

size_t
store_pool_shards(const struct store_pool *p, uint32_t *numbers, size_t max)
{
	size_t pos = 0, n = 0;
	void *v;

	while (n < max && table_next(&p->shards, &pos, NULL, &v))
		numbers[n++] = ((const struct shard *)v)->no;
	return n;
}

/* Channels ---------------------------------------------------------------------- */

static struct store *
open_channel(struct store_pool *p, uint32_t shard, struct span ticket, uint64_t owner,
    store_event_fn event, void *arg)
{
	struct shard *sh = store_shard_get(p, shard);
	struct store *s = mem_zalloc(sizeof(*s));

	s->shard = sh;
	s->event = event;
	s->arg = arg;
	s->gen = 1;
	s->owner = owner;
	list_init(&s->calls);
	buf_add_span(&s->ticket, ticket);
	do {
		s->chan = ++sh->last_chan;
	} while (s->chan == 0 || table_get_u64(&sh->by_chan, s->chan) != NULL);
	table_put_u64(&sh->by_chan, s->chan, s);
	list_push_back(&sh->stores, &s->node);
	return s;
}

struct store *
store_open_channel(struct store_pool *p, uint32_t shard, struct span ticket,
    store_event_fn event, void *arg)
{
	return store_open_shared(p, shard, ticket, 0, event, arg);
}

struct store *
store_open_idle(struct store_pool *p, uint32_t shard, struct span ticket,
    store_event_fn event, void *arg)
{
	struct store *s = open_channel(p, shard, ticket, 0, event, arg);

	s->idle = true;
	return s;
}

const struct store_quota_is *
store_told_use(const struct store *s)
{
	return s->use_told ? &s->use : NULL;
}

struct store *
store_open_shared(struct store_pool *p, uint32_t shard, struct span ticket, uint64_t owner,
    store_event_fn event, void *arg)
{
	struct store *s = open_channel(p, shard, ticket, owner, event, arg);

	store_shard_go(s->shard);
	return s;
}

static void
stage_free(void *value, void *arg)
{
	mem_free(&value);
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;
	struct shard *sh;

	*sp = NULL;
	if (s == NULL)
		return;
	sh = s->shard;
	while (!list_empty(&s->calls)) {
		struct store_call *c = list_entry(s->calls.next, struct store_call, node);

		store_cancel(&c);
	}
	if (sh->ipc != NULL && s->attach_req != 0)
		ipc_cancel(sh->ipc, s->attach_req);
	if (sh->ipc != NULL && s->attach != ATTACH_NO) {
		/* Where nothing hangs on it, it goes with what is asked next. */
		bool later = !s->watching && s->stages.count == 0;

		(later ? ipc_request_later : ipc_request)(sh->ipc, s->chan, STORE_DETACH, NULL,
		    store_ignore, NULL);
	}
	table_del_u64(&sh->by_chan, s->chan);
	table_fini(&s->stages, stage_free, NULL);
	list_remove(&s->node);
	buf_fini_secret(&s->ticket);
	buf_fini_secret(&s->old_ticket);
	mem_free(&s);
}

void
store_renew(struct store *s, struct span ticket)
{
	buf_fini_secret(&s->old_ticket);
	s->old_ticket = s->ticket;
	buf_init(&s->ticket);
	buf_add_span(&s->ticket, ticket);
	s->gen++;
	if (s->attach == ATTACH_OK) {
		send_renew(s);
		return;
	}
	if (s->attach == ATTACH_REFUSED)
		s->attach = ATTACH_NO;
	store_shard_go(s->shard);
}

const struct store_dirty *
store_noted(const struct store *s)
{
	return &s->noted;
}

bool
store_has_events(const struct store *s)
{
	return s->events;
}
