/* Channels over one socket a shard.  A call is a list entry of its channel from the
 * moment it is made until its callback ran, in the order of making; that order is
 * the order of sending, also after stored came back.  A call keeps its encoded
 * request as long as it may have to be sent (again). */
#include "storage/client/store.h"

#include <assert.h>
#include <stdalign.h>

#include "common/util/clock.h"
#include "common/util/list.h"
#include "common/util/mem.h"
#include "common/util/table.h"

#define AWAY_MS 100		/* how often deadlines and attaching are looked at while away */

/* A socket to a shard, or the place for one. */
struct shard {
	struct store_pool	*pool;
	uint32_t		 no;
	struct ipc		*ipc;		/* NULL: away */
	struct list		 stores;
	struct table		 by_chan;
	uint32_t		 last_chan;
	uint64_t		 epoch;		/* counts sockets */
	struct loop_timer	*away;
};

struct store_pool {
	struct loop		*loop;
	struct table		 shards;
	struct list		 failed;	/* calls whose callback is due */
	struct list		 asks;
	struct loop_task	*task;
};

enum attach { ATTACH_NO, ATTACH_SENT, ATTACH_OK, ATTACH_REFUSED };

struct store {
	struct list		 node;		/* of shard->stores */
	struct shard		*shard;
	uint32_t		 chan;
	store_event_fn		 event;
	uint64_t		 incarnation;	/* of the shard, when it was attached */
	void			*arg;
	enum attach		 attach;
	enum status		 refused;
	uint32_t		 attach_req;
	bool			 attached_once, watching;
	bool			 idle;		/* nothing was asked yet: it is not attached */
	bool			 use_told;
	struct store_quota_is	 use;		/* as it was when it was attached */
	struct store_dirty	 noted;		/* the last one */
	bool			 events;
	struct buf		 ticket, old_ticket;
	uint64_t		 owner;		/* 0: the ticket's own account */
	uint64_t		 gen;		/* counts tickets */
	bool			 with_old;	/* attached or attaching with old_ticket */
	uint64_t		 last_seq;
	struct list		 calls;
	struct table		 stages;	/* stage -> struct stage */
};

/* A staged body lives in one process of stored: what was begun with one that is gone
 * cannot be gone on with. */
struct stage { uint64_t epoch; };

struct store_call {
	struct list		 node;		/* of store->calls */
	struct list		 failed;	/* of pool->failed, or in no list */
	struct store		*store;
	const struct ipc_message *m;
	uint16_t		 reply_no;	/* 0: a status alone */
	bool			 early;		/* sent behind the attaching, unanswered then */
	struct buf		 body;		/* encoded; empty once it is not needed */
	store_done_fn		 fn;
	void			*arg;
	enum status		 status;	/* when failed */
	struct store_quota_is	*quota;		/* its answer came with that to attach */
	uint32_t		 req;		/* 0: not on its way */
	uint64_t		 seq;		/* of a change */
	uint64_t		 gen;		/* ticket it was first sent under; 0: never sent */
	uint64_t		 deadline_ms;	/* 0: none while the service is there */
	uint64_t		 stage_epoch;	/* of a chunk */
};

/* Every change begins like this; its numbers are filled in when it is sent. */
struct change_head { uint64_t seq, acked; };
static_assert(offsetof(struct store_append, seq) == 0 && offsetof(struct store_append, acked) == 8, "");
static_assert(offsetof(struct store_flags, seq) == 0 && offsetof(struct store_copy, seq) == 0, "");

/* A request without a channel. */
struct store_ask {
	struct list		 node;		/* of pool->asks */
	struct store_pool	*pool;
	struct shard		*shard;
	uint16_t		 reply_no;
	bool			 parts;		/* fn hears of each */
	uint32_t		 req;		/* 0: failed, its callback is due */
	store_done_fn		 fn;
	void			*arg;
};

static void shard_go(struct shard *sh);

static void
call_free(struct store_call *c)
{
	list_remove(&c->node);
	list_remove(&c->failed);
	buf_fini(&c->body);
	mem_free(&c->quota);
	mem_free(&c);
}

/* It is over without an answer of its own.  The callback runs from the loop. */
static void
call_fail(struct store_call *c, enum status st)
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

static struct store_ask *
failed_ask(struct store_pool *p)
{
	struct list *n, *tmp;

	list_each(n, tmp, &p->asks) {
		struct store_ask *a = list_entry(n, struct store_ask, node);

		if (a->req == 0)
			return a;
	}
	return NULL;
}

static void
ask_done(struct store_ask *a, enum status st, const void *msg)
{
	store_done_fn fn = a->fn;
	void *arg = a->arg;

	list_remove(&a->node);
	mem_free(&a);
	fn(arg, st, false, msg);
}

static void
run_failed(void *arg)
{
	struct store_pool *p = arg;
	struct store_ask *a;
	struct list now;

	while ((a = failed_ask(p)) != NULL)
		ask_done(a, ST_UNAVAILABLE, NULL);
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
		call_free(c);
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
		call_fail(list_entry(n, struct store_call, node), st);
}

static void
ignore(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
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
		call_fail(c, ST_BUG);
		return;
	}
	if (!h->more)
		call_free(c);
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

static void
send_call(struct store_call *c)
{
	alignas(max_align_t) char msg[IPC_STRUCT_MAX];
	struct store *s = c->store;
	struct change_head *head = (void *)msg;

	if (c->stage_epoch != 0 && c->stage_epoch != s->shard->epoch) {
		call_fail(c, ST_UNAVAILABLE);
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
		send_call(c);
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

	ipc_request(s->shard->ipc, s->chan, STORE_WATCH, &rq, ignore, NULL);
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
		call_fail(c, ST_OK);
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
				call_fail(c, ST_UNAVAILABLE);
		}
		return;
	}
	s->attach = ATTACH_REFUSED;
	s->refused = h->status == ST_OK ? ST_BUG : h->status;
	fail_all(s, s->refused);
	if (again)		/* the service that came back does not know the ticket */
		s->event(s->arg, STORE_EV_REVOKED, 0);
}

static void
send_attach(struct store *s, bool idly)
{
	struct list *n, *tmp;
	uint64_t gen;
	struct store_attach rq;

	list_each(n, tmp, &s->calls) {
		struct store_call *c = list_entry(n, struct store_call, node);

		if (c->gen != 0 && c->seq != 0 && c->gen + 1 < s->gen)
			call_fail(c, ST_UNAVAILABLE);
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
			send_attach(s, false);
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
				call_fail(c, ST_UNAVAILABLE);
		}
	}
}

static void
on_away(void *arg)
{
	struct shard *sh = arg;

	fail_late(sh, loop_now_ms(sh->pool->loop));
	shard_go(sh);
}

static void
shard_go(struct shard *sh)
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
				call_fail(c, ST_UNAVAILABLE);
		}
	}
	shard_go(sh);
}

/* The socket was replaced: nobody answers any more. */
static void
asks_lost(struct shard *sh)
{
	struct list *n, *tmp;

	list_each(n, tmp, &sh->pool->asks) {
		struct store_ask *a = list_entry(n, struct store_ask, node);

		if (a->shard == sh)
			a->req = 0;
	}
	loop_task_post(sh->pool->task);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct shard *sh = arg;

	ipc_free(&sh->ipc);
	shard_lost(sh);
}

static struct shard *
shard_get(struct store_pool *p, uint32_t no)
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
	struct shard *sh = shard_get(p, no);
	const struct ipc_config cf = { .loop = p->loop, .protocol = &store_protocol,
		.peer = "stored", .request = on_note, .closed = on_closed, .arg = sh };

	if (sh->ipc != NULL) {
		ipc_free(&sh->ipc);
		asks_lost(sh);
		shard_lost(sh);
	}
	sh->epoch++;
	sh->ipc = ipc_new(&cf, fd);
	shard_go(sh);
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
	struct shard *sh = shard_get(p, shard);
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

	shard_go(s->shard);
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
		    ignore, NULL);
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
	shard_go(s->shard);
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

/* Calls ------------------------------------------------------------------------- */

static struct store_call *
call(struct store *s, uint16_t no, uint16_t reply_no, bool change, const void *rq,
    store_done_fn fn, void *arg)
{
	struct store_call *c = mem_zalloc(sizeof(*c));

	c->store = s;
	c->m = ipc_find(&store_protocol, no);
	c->reply_no = reply_no;
	c->fn = fn;
	c->arg = arg;
	if (c->m->size > 0)
		ipc_encode(c->m, rq, &c->body);
	if (change)
		c->seq = ++s->last_seq;
	list_push_back(&s->calls, &c->node);
	return c;
}

/* The first change of an idle channel: one wake-up of the service instead of two. */
static void
begin_early(struct store_call *c)
{
	struct store *s = c->store;

	send_attach(s, true);
	c->early = true;
	send_call(c);
}

/* Sends it, or lets it wait. */
static struct store_call *
begin(struct store_call *c)
{
	struct store *s = c->store;
	bool first = s->idle;

	s->idle = false;
	if (s->attach == ATTACH_REFUSED) {
		call_fail(c, s->refused);
	} else if (s->attach == ATTACH_OK) {
		send_call(c);
	} else {
		c->deadline_ms = loop_now_ms(s->shard->pool->loop) + STORE_RETRY_MS;
		if (first && c->seq != 0 && s->shard->ipc != NULL)
			begin_early(c);
		shard_go(s->shard);
	}
	return c;
}

void
store_cancel(struct store_call **cp)
{
	struct store_call *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	if (c->req != 0 && c->store->shard->ipc != NULL)
		ipc_cancel(c->store->shard->ipc, c->req);
	call_free(c);
}

#define READ(name, type, no, reply)						\
struct store_call *								\
store_do_##name(struct store *s, const struct type *rq, store_done_fn fn, void *arg) \
{										\
	return begin(call(s, no, reply, false, rq, fn, arg));			\
}
#define CHANGE(name, type, no, reply)						\
struct store_call *								\
store_do_##name(struct store *s, const struct type *rq, store_done_fn fn, void *arg) \
{										\
	return begin(call(s, no, reply, true, rq, fn, arg));			\
}

READ(list, store_list, STORE_LIST, STORE_MAILBOXES)
READ(open, store_open, STORE_OPEN, STORE_OPENED)
READ(rows, store_rows, STORE_ROWS, STORE_ROWS_ARE)
READ(cache, store_cache_get, STORE_CACHE, STORE_CACHE_IS)
READ(columns, store_columns, STORE_COLUMNS, STORE_COLUMNS_ARE)
READ(marks, store_marks, STORE_MARKS, STORE_MARKS_ARE)
READ(body, store_body, STORE_BODY, STORE_BODY_IS)
READ(changes, store_changes, STORE_CHANGES, STORE_CHANGES_ARE)
READ(touched, store_touched, STORE_TOUCHED, STORE_TOUCHED_ARE)
CHANGE(create, store_create, STORE_CREATE, STORE_CREATED)
CHANGE(delete, store_delete, STORE_DELETE, 0)
CHANGE(rename, store_rename, STORE_RENAME, 0)
CHANGE(subscribe, store_subscribe, STORE_SUBSCRIBE, 0)
CHANGE(append, store_append, STORE_APPEND, STORE_APPENDED)
CHANGE(flags, store_flags, STORE_FLAGS, STORE_FLAGS_ARE)
CHANGE(expunge, store_expunge, STORE_EXPUNGE, STORE_EXPUNGED)
READ(annotations, store_annotations, STORE_ANNOTATIONS, STORE_ANNOTATIONS_ARE)
READ(annotated, store_annotated_get, STORE_ANNOTATED, STORE_ANNOTATED_ARE)
READ(text_find, store_text_find, STORE_TEXT_FIND, STORE_TEXT_FOUND)
CHANGE(annotate, store_annotate, STORE_ANNOTATE, STORE_FLAGS_ARE)
READ(lease, store_lease, STORE_LEASE, 0)
CHANGE(place, store_place, STORE_PLACE, STORE_APPENDED)
CHANGE(uidvalidity, store_uidvalidity, STORE_UIDVALIDITY, 0)
READ(sums, store_sums, STORE_SUMS, STORE_SUMS_ARE)
READ(uidls, store_uidls, STORE_UIDLS, STORE_UIDLS_ARE)
CHANGE(remove, store_remove, STORE_REMOVE, STORE_REMOVED)
READ(metadata_get, store_metadata_get, STORE_METADATA_GET, STORE_METADATA_IS)
CHANGE(quota_set, store_quota_set, STORE_QUOTA_SET, 0)
CHANGE(metadata_set, store_metadata_set, STORE_METADATA_SET, 0)
CHANGE(uidl_put, store_uidl_put, STORE_UIDL_PUT, 0)
CHANGE(copy, store_copy, STORE_COPY, STORE_COPIED)

CHANGE(url_key_make, store_url_key_make, STORE_URL_KEY_MAKE, STORE_URL_KEYED)
READ(url_sign, store_url_sign, STORE_URL_SIGN, STORE_URL_SIGNED)
READ(url_find, store_url_find, STORE_URL_FIND, STORE_URL_FOUND)
READ(url_body, store_url_body, STORE_URL_BODY, STORE_BODY_IS)

READ(restore, store_restore, STORE_RESTORE, STORE_RESTORING)
CHANGE(undelete, store_undelete, STORE_UNDELETE, STORE_RESTORED)

READ(acl, store_acl_get, STORE_ACL, STORE_ACL_IS)
CHANGE(acl_set, store_acl_set, STORE_ACL_SET, 0)
READ(shared, store_shared, STORE_SHARED, STORE_SHARED_ARE)

READ(emails, store_emails, STORE_EMAILS, STORE_EMAILS_ARE)
READ(email_changes, store_email_changes, STORE_EMAIL_CHANGES, STORE_EMAIL_CHANGES_ARE)
READ(mailbox_changes, store_mailbox_changes, STORE_MAILBOX_CHANGES, STORE_MAILBOX_CHANGES_ARE)
CHANGE(email_set, store_email_set, STORE_EMAIL_SET, STORE_EMAIL_SET_IS)
CHANGE(mailbox_set, store_mailbox_set, STORE_MAILBOX_SET, STORE_MAILBOX_SET_IS)
CHANGE(blob_put, store_blob_put, STORE_BLOB_PUT, STORE_BLOB_IS)
READ(blob_read, store_blob_read, STORE_BLOB_READ, STORE_BODY_IS)
READ(blobs, store_blobs, STORE_BLOBS, STORE_BLOBS_ARE)
CHANGE(push_set, store_push_set, STORE_PUSH_SET, STORE_PUSH_IS)
READ(script, store_script_get, STORE_SCRIPT, STORE_SCRIPT_IS)
CHANGE(script_set, store_script_set, STORE_SCRIPT_SET, STORE_SCRIPT_SET_IS)
READ(script_room, store_script_room, STORE_SCRIPT_ROOM, 0)
READ(sieve_keys, store_sieve_keys, STORE_SIEVE_KEYS, STORE_SIEVE_KEYS_ARE)
CHANGE(deliver, store_deliver, STORE_DELIVER, STORE_DELIVERED)
READ(event, store_event_get, STORE_EVENT, STORE_EVENT_ARE)

struct store_call *
store_do_scripts(struct store *s, store_done_fn fn, void *arg)
{
	return begin(call(s, STORE_SCRIPTS, STORE_SCRIPTS_ARE, false, NULL, fn, arg));
}

struct store_call *
store_do_states(struct store *s, store_done_fn fn, void *arg)
{
	return begin(call(s, STORE_STATES, STORE_STATES_ARE, false, NULL, fn, arg));
}

struct store_call *
store_do_pushes(struct store *s, store_done_fn fn, void *arg)
{
	return begin(call(s, STORE_PUSHES, STORE_PUSHES_ARE, false, NULL, fn, arg));
}

struct store_call *
store_do_quota(struct store *s, store_done_fn fn, void *arg)
{
	return begin(call(s, STORE_QUOTA, STORE_QUOTA_IS, false, NULL, fn, arg));
}

struct store_call *
store_do_watch(struct store *s, const struct store_watch *rq, store_done_fn fn, void *arg)
{
	s->watching = rq->on;
	return begin(call(s, STORE_WATCH, 0, false, rq, fn, arg));
}

struct store_call *
store_do_stage(struct store *s, const struct store_stage *rq, store_done_fn fn, void *arg)
{
	struct store_call *c = call(s, STORE_STAGE, 0, false, rq, fn, arg);
	struct stage *st = table_get_u64(&s->stages, rq->stage);

	if (st == NULL) {
		st = mem_zalloc(sizeof(*st));
		/* The first chunk may wait for the service; it begins there then. */
		st->epoch = s->shard->epoch + (s->shard->ipc == NULL);
		table_put_u64(&s->stages, rq->stage, st);
	}
	c->stage_epoch = st->epoch;
	return begin(c);
}

void
store_stage_free(struct store *s, uint32_t stage)
{
	const struct store_stage_drop rq = { stage };
	struct stage *st = table_del_u64(&s->stages, stage);

	if (st != NULL && st->epoch == s->shard->epoch && s->attach == ATTACH_OK)
		ipc_request(s->shard->ipc, s->chan, STORE_STAGE_DROP, &rq, ignore, NULL);
	mem_free(&st);
}

/* Requests without a channel ------------------------------------------------------- */

static void
on_answer(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct store_ask *a = arg;
	enum status st = h->status;

	if (h->more) {
		if (a->parts && m != NULL && m->no == a->reply_no)
			a->fn(a->arg, ST_OK, true, msg);
		return;
	}
	if (st == ST_OK && (m != NULL ? m->no : 0) != a->reply_no)
		st = ST_BUG;
	ask_done(a, st, st == ST_OK ? msg : NULL);
}

static struct store_ask *
ask(struct store_pool *p, uint32_t shard, uint16_t no, uint16_t reply_no, const void *rq,
    store_done_fn fn, void *arg)
{
	struct store_ask *a = mem_zalloc(sizeof(*a));

	a->pool = p;
	a->shard = shard_get(p, shard);
	a->reply_no = reply_no;
	a->fn = fn;
	a->arg = arg;
	list_push_back(&p->asks, &a->node);
	if (a->shard->ipc != NULL && ipc_is_open(a->shard->ipc))
		a->req = ipc_request(a->shard->ipc, 0, no, rq, on_answer, a);
	else
		loop_task_post(p->task);
	return a;
}

struct store_ask *
store_ask_stats(struct store_pool *p, uint32_t shard, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_STATS, STORE_STATS_ARE, NULL, fn, arg);
}

struct store_ask *
store_ask_fsck(struct store_pool *p, uint32_t shard, const struct store_fsck *rq,
    store_done_fn fn, void *arg)
{
	struct store_ask *a = ask(p, shard, STORE_FSCK, STORE_FSCK_IS, rq, fn, arg);

	a->parts = true;
	return a;
}

struct store_ask *
store_ask_copy_make(struct store_pool *p, uint32_t shard, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_COPY_MAKE, STORE_COPY_MADE, NULL, fn, arg);
}

struct store_ask *
store_ask_copies(struct store_pool *p, uint32_t shard, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_COPIES, STORE_COPIES_ARE, NULL, fn, arg);
}

struct store_ask *
store_ask_delete(struct store_pool *p, uint32_t shard, uint64_t account, store_done_fn fn,
    void *arg)
{
	const struct store_account_delete rq = { .account = account };

	return ask(p, shard, STORE_ACCOUNT_DELETE, 0, &rq, fn, arg);
}

struct store_ask *
store_ask_undelete(struct store_pool *p, uint32_t shard, uint64_t account, store_done_fn fn,
    void *arg)
{
	const struct store_account_delete rq = { .account = account };

	return ask(p, shard, STORE_ACCOUNT_UNDELETE, 0, &rq, fn, arg);
}

struct store_ask *
store_ask_limits(struct store_pool *p, uint32_t shard, const struct store_account_limits *rq,
    store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_ACCOUNT_LIMITS, 0, rq, fn, arg);
}

struct store_ask *
store_ask_queue(struct store_pool *p, uint32_t shard, const struct store_queue *rq,
    store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_QUEUE, STORE_QUEUE_ARE, rq, fn, arg);
}

struct store_ask *
store_ask_queue_set(struct store_pool *p, uint32_t shard, const struct store_queue_set *rq,
    store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_QUEUE_SET, 0, rq, fn, arg);
}

struct store_ask *
store_ask_backup_begin(struct store_pool *p, uint32_t shard,
    const struct store_backup_begin *rq, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_BACKUP_BEGIN, STORE_BACKUP_IS, rq, fn, arg);
}

struct store_ask *
store_ask_backup_read(struct store_pool *p, uint32_t shard,
    const struct store_backup_read *rq, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_BACKUP_READ, STORE_BACKUP_DATA, rq, fn, arg);
}

struct store_ask *
store_ask_backup_end(struct store_pool *p, uint32_t shard,
    const struct store_backup_end *rq, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_BACKUP_END, 0, rq, fn, arg);
}

void
store_ask_cancel(struct store_ask **ap)
{
	struct store_ask *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	if (a->req != 0 && a->shard->ipc != NULL)
		ipc_cancel(a->shard->ipc, a->req);
	list_remove(&a->node);
	mem_free(&a);
}
