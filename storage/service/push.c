#include "storage/service/push.h"

#include <string.h>

#include "common/crypto/random.h"
#include "common/ipc/ipc.h"
#include "common/json/writer.h"
#include "common/mail/object_id.h"
#include "common/mail/state_change.h"
#include "common/out/out_proto.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/api/store_quota.h"
#include "storage/state/emails.h"
#include "storage/state/push.h"

#define IN_FLIGHT_MAX	64u
#define AGAIN_MS	10000u
#define AGAIN_MOST_MS	3600000u
#define AFTER_MOST_S	86400u		/* of what a server asks for */
#define SWEEP_MS	3600000u	/* from one look for expired ones to the next */

struct pushing {
	struct service		*svc;
	struct ipc		*outd;		/* NULL: none */
	struct table		accounts;	/* struct pushed */
	struct list		due;		/* those with something to say */
	struct loop_timer	*timer, *sweep;
	unsigned		in_flight;
	uint64_t		n_sent, n_failed;
};

/* An account with subscriptions. */
struct pushed {
	uint64_t	account;
	uint64_t	now[PUSH_TYPE_N];	/* states; of quotas store_quota_mark() */
	struct store_quota_is	quota;
	struct list	subs;
};

struct sub {
	struct list		node;		/* of pushed->subs */
	struct list		due;
	struct pushing		*x;
	struct pushed		*of;
	struct buf		bytes;
	struct store_push	p;		/* points into bytes */
	uint64_t		told[PUSH_TYPE_N], sending[PUSH_TYPE_N];
	bool			is_due, seen, ending;
	uint32_t		req;		/* under way; 0: none */
	unsigned		failures;
	uint64_t		next_ms;	/* not before */
};

static void run(void *arg);

/* Subscriptions ---------------------------------------------------------------- */

static void
arm(struct pushing *x, uint64_t at_ms)
{
	uint64_t now = clock_mono_ms();

	loop_timer_set(x->timer, at_ms > now ? at_ms - now : 0);
}

static void
undue(struct sub *s)
{
	if (s->is_due)
		list_remove(&s->due);
	s->is_due = false;
}

static void
set_due(struct sub *s)
{
	if (!s->is_due)
		list_push_back(&s->x->due, &s->due);
	s->is_due = true;
}

static void
sub_free(struct sub *s)
{
	if (s->req != 0) {
		ipc_cancel(s->x->outd, s->req);
		s->x->in_flight--;
	}
	undue(s);
	list_remove(&s->node);
	buf_fini_secret(&s->bytes);
	mem_free(&s);
}

static void
pushed_free(struct pushed *a)
{
	while (!list_empty(&a->subs))
		sub_free(list_entry(a->subs.next, struct sub, node));
	mem_free(&a);
}

static struct sub *
find(const struct pushed *a, uint64_t id)
{
	for (struct list *n = a->subs.next; n != &a->subs; n = n->next)
		if (list_entry(n, struct sub, node)->p.id == id)
			return list_entry(n, struct sub, node);
	return NULL;
}

static void
take(struct pushing *x, struct pushed *a, const struct store_push *p)
{
	struct sub *s = find(a, p->id);
	struct reader r;

	if (s == NULL) {
		s = mem_zalloc(sizeof(*s));
		s->x = x;
		s->of = a;
		list_push_back(&a->subs, &s->node);
		memcpy(s->told, a->now, sizeof(s->told));
		if (!p->verified)
			set_due(s);		/* its code is to be pushed */
	}
	buf_fini_secret(&s->bytes);
	put_store_push(&s->bytes, p);
	reader_init(&r, s->bytes.data, s->bytes.len);
	(void)get_store_push(&r, &s->p);
	s->seen = true;
}

static void
states_of(struct service *svc, struct pushed *a)
{
	struct op_head limits = { 0 };
	struct store_states_are is;

	service_limits(svc, &limits);
	if (state_states(svc->state, a->account, &is) != ST_OK ||
	    state_quota(svc->state, a->account, &limits, &a->quota) != ST_OK)
		return;
	a->now[PUSH_TYPE_EMAIL] = is.email;
	a->now[PUSH_TYPE_DELIVERY] = is.delivery;
	a->now[PUSH_TYPE_MAILBOX] = is.mailbox;
	a->now[PUSH_TYPE_THREAD] = is.thread;
	a->now[PUSH_TYPE_QUOTA] = store_quota_mark(&a->quota);
}

/* What is kept of the account now. */
static struct pushed *
load(struct pushing *x, uint64_t account)
{
	struct pushed *a = table_get_u64(&x->accounts, account);
	struct list *n, *tmp;
	struct buf list = { 0 };
	struct store_push p;
	struct reader r;

	(void)service_judge(x->svc, state_pushes(x->svc->state, account, &list), "pushes");
	if (a == NULL && list.len > 0) {
		a = mem_zalloc(sizeof(*a));
		a->account = account;
		list_init(&a->subs);
		states_of(x->svc, a);
		table_put_u64(&x->accounts, account, a);
	}
	reader_init(&r, list.data, list.len);
	while (a != NULL && get_store_push(&r, &p))
		take(x, a, &p);
	buf_fini_secret(&list);
	if (a == NULL)
		return NULL;
	list_each(n, tmp, &a->subs) {
		struct sub *s = list_entry(n, struct sub, node);

		if (!s->seen)
			sub_free(s);
		else
			s->seen = false;
	}
	if (!list_empty(&a->subs))
		return a;
	table_del_u64(&x->accounts, account);
	pushed_free(a);
	return NULL;
}

/* It goes by an operation; load() follows that. */
static void
destroy(struct sub *s, const char *why)
{
	struct op op = { .kind = OP_PUSH, .head = { .account = s->of->account },
	    .u.push = { .how = PUSH_DESTROY, .id = s->p.id } };

	undue(s);
	if (s->ending)
		return;
	s->ending = true;
	LOG(NULL, INFO, "push.ended", KV_UINT("account", s->of->account), KV_STR("why", why));
	tick_own(s->x->svc, &op, NULL);
}

/* Sending ---------------------------------------------------------------------- */

static bool
wants(const struct sub *s, const char *type)
{
	struct span rest = s->p.types;

	if (rest.len == 0)
		return true;
	while (rest.p != NULL)
		if (span_eq_str(span_cut(&rest, ' '), type))
			return true;
	return false;
}

static void
put_code(const struct sub *s, struct json_writer *w)
{
	struct buf id = { 0 };

	object_id_put(&id, OBJECT_PUSH, s->p.id);
	json_kv_str(w, "@type", "PushVerification");
	json_kv_string(w, "pushSubscriptionId", buf_span(&id));
	json_kv_string(w, "verificationCode", s->p.code);
	buf_fini(&id);
}

/* false: there is nothing new. */
static bool
put_changes(struct sub *s, struct json_writer *w)
{
	struct buf account = { 0 }, quota = { 0 };
	unsigned types = 0;

	for (unsigned t = 0; t < PUSH_TYPE_N; t++) {
		s->sending[t] = s->of->now[t];
		if (s->sending[t] != s->told[t] && wants(s, push_type_name(t)))
			types |= 1u << t;
	}
	object_id_put(&account, OBJECT_ACCOUNT, s->of->account);
	store_quota_state(&s->of->quota, &quota);
	state_change_put(w, buf_span(&account), s->of->now, state_incarnation(s->x->svc->state),
	    buf_span(&quota), types);
	buf_fini(&quota);
	buf_fini(&account);
	return types != 0;
}

static void
again(struct sub *s, uint32_t after_s)
{
	unsigned doublings = s->failures < 12 ? s->failures : 12;
	uint64_t wait = (uint64_t)AGAIN_MS << doublings;

	s->failures++;
	if (wait > AGAIN_MOST_MS)
		wait = AGAIN_MOST_MS;
	if (after_s > AFTER_MOST_S)
		after_s = AFTER_MOST_S;
	if (wait < after_s * (uint64_t)1000)
		wait = after_s * (uint64_t)1000;
	s->next_ms = clock_mono_ms() + wait;
	s->x->n_failed++;
	if (!s->p.verified && s->failures >= PUSH_CODE_TRIES)
		destroy(s, "its code cannot be sent");
}

static void
sent(struct sub *s)
{
	s->x->n_sent++;
	s->failures = 0;
	s->next_ms = clock_mono_ms() + s->x->svc->cf.push_interval_s * (uint64_t)1000;
	memcpy(s->told, s->sending, sizeof(s->told));
	if (!s->p.verified || memcmp(s->told, s->of->now, sizeof(s->told)) == 0)
		undue(s);
}

static void
on_pushed(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	const struct out_pushed *is = h->status == ST_OK && m != NULL && m->no == OUT_PUSHED ? msg : NULL;
	struct sub *s = arg;

	s->req = 0;
	s->x->in_flight--;
	if (is != NULL && is->status >= 200 && is->status < 300)
		sent(s);
	else if (is != NULL && (is->status == 404 || is->status == 410))
		destroy(s, "the push service does not know it");
	else
		again(s, is != NULL ? is->retry_after_s : 0);
	arm(s->x, 0);
}

/* false: there is nothing to say. */
static bool
send_one(struct sub *s)
{
	struct buf text = { 0 };
	struct json_writer w;
	bool some = true;

	json_writer_init(&w, &text);
	json_begin_object(&w);
	if (!s->p.verified)
		put_code(s, &w);
	else
		some = put_changes(s, &w);
	json_end_object(&w);
	if (some) {
		const struct out_push rq = { s->p.url, s->p.p256dh, s->p.auth, buf_span(&text),
		    PUSH_TTL_S };

		s->req = ipc_request(s->x->outd, 0, OUT_PUSH, &rq, on_pushed, s);
		s->x->in_flight++;
	}
	buf_fini_secret(&text);
	return some;
}

static void
run(void *arg)
{
	struct pushing *x = arg;
	uint64_t now = clock_mono_ms(), next = UINT64_MAX;
	struct list *n, *tmp;

	list_each(n, tmp, &x->due) {
		struct sub *s = list_entry(n, struct sub, due);

		if (x->outd == NULL || x->in_flight >= IN_FLIGHT_MAX || x->svc->cf.push_max == 0)
			return;
		if (s->req != 0)
			continue;
		if (s->next_ms > now)
			next = s->next_ms < next ? s->next_ms : next;
		else if (s->p.expires_s <= clock_wall_s())
			destroy(s, "it has expired");
		else if (!send_one(s))
			undue(s);
	}
	if (next != UINT64_MAX)
		arm(x, next);
}

static void
sweep(void *arg)
{
	struct pushing *x = arg;
	int64_t now_s = clock_wall_s();
	size_t pos = 0;
	void *v;

	while (table_next(&x->accounts, &pos, NULL, &v)) {
		struct pushed *a = v;
		struct list *n, *tmp;

		list_each(n, tmp, &a->subs)
			if (list_entry(n, struct sub, node)->p.expires_s <= now_s)
				destroy(list_entry(n, struct sub, node), "it has expired");
	}
	loop_timer_set(x->sweep, SWEEP_MS);
}

/* The service ------------------------------------------------------------------ */

/* Where to and with which keys is nobody's business, and a code only who got it by push knows. */
enum read_step
push_read(struct request *rq)
{
	struct buf all = { 0 }, out = { 0 };
	enum status st = state_pushes(rq->svc->state, rq->account->id, &all);
	struct store_pushes_are are;
	struct store_push p;
	struct reader r;
	enum read_step step;

	reader_init(&r, all.data, all.len);
	while (get_store_push(&r, &p)) {
		p.url = p.p256dh = p.auth = SPAN_NONE;
		if (!p.verified)
			p.code = SPAN_NONE;
		if (p.expires_s > clock_wall_s())
			put_store_push(&out, &p);
	}
	are.list = buf_span(&out);
	step = st != ST_OK ? read_fail(rq, st) : read_part(rq, false, STORE_PUSHES_ARE, &are);
	buf_fini_secret(&all);
	buf_fini(&out);
	return step;
}

void
push_note(struct service *svc, const struct op *op, const struct state_result *res)
{
	struct pushing *x = svc->pushing;
	struct pushed *a;
	struct list *n, *tmp;

	if (x == NULL)
		return;
	if (op->kind == OP_PUSH || op->kind == OP_ACCOUNT_DELETE) {
		(void)load(x, op->head.account);
		arm(x, 0);
	}
	if (!res->changed || (a = table_get_u64(&x->accounts, op->head.account)) == NULL)
		return;
	states_of(svc, a);
	list_each(n, tmp, &a->subs) {
		struct sub *s = list_entry(n, struct sub, node);

		if (s->p.verified && !s->ending)
			set_due(s);
	}
	arm(x, 0);
}

/* They end with the socket, unanswered. */
static void
forget_requests(struct pushing *x)
{
	struct list *n, *tmp;
	size_t pos = 0;
	void *v;

	x->in_flight = 0;
	while (table_next(&x->accounts, &pos, NULL, &v))
		list_each(n, tmp, &((struct pushed *)v)->subs)
			list_entry(n, struct sub, node)->req = 0;
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct pushing *x = arg;

	forget_requests(x);
	ipc_free(&x->outd);
}

void
service_outd(struct service *svc, int fd)
{
	struct pushing *x = svc->pushing;
	struct ipc_config cf = { .loop = svc->loop, .protocol = &out_protocol, .peer = "outd",
	    .closed = on_closed, .arg = x };

	forget_requests(x);
	ipc_free(&x->outd);
	x->outd = ipc_new(&cf, fd);
	arm(x, 0);
}

void
push_start(struct service *svc)
{
	struct pushing *x = mem_zalloc(sizeof(*x));
	uint64_t account = 0;

	x->svc = svc;
	x->timer = loop_timer_new(svc->loop, run, x);
	x->sweep = loop_timer_new(svc->loop, sweep, x);
	list_init(&x->due);
	svc->pushing = x;
	while (service_judge(svc, state_push_next(svc->state, &account), "pushes") == ST_OK) {
		struct pushed *a = load(x, account);
		struct list *n, *tmp;

		if (a == NULL)
			continue;
		list_each(n, tmp, &a->subs) {
			struct sub *s = list_entry(n, struct sub, node);

			memset(s->told, 0, sizeof(s->told));
			if (svc->cf.push_spread_ms > 0)
				s->next_ms = clock_mono_ms() + random_u64() % svc->cf.push_spread_ms;
			set_due(s);
		}
	}
	loop_timer_set(x->sweep, SWEEP_MS);
}

void
push_revoke(struct service *svc, uint64_t account)
{
	struct pushed *a = svc->pushing != NULL ? table_get_u64(&svc->pushing->accounts, account) : NULL;
	struct list *n, *tmp;

	if (a == NULL)
		return;
	list_each(n, tmp, &a->subs)
		destroy(list_entry(n, struct sub, node), "its login was taken back");
}

void
push_stop(struct service *svc)
{
	struct pushing *x = svc->pushing;
	size_t pos = 0;
	void *v;

	if (x == NULL)
		return;
	svc->pushing = NULL;
	while (table_next(&x->accounts, &pos, NULL, &v))
		pushed_free(v);
	table_fini(&x->accounts, NULL, NULL);
	ipc_free(&x->outd);
	loop_timer_free(&x->timer);
	loop_timer_free(&x->sweep);
	mem_free(&x);
}

void
push_stats(const struct service *svc, struct buf *out)
{
	const struct pushing *x = svc->pushing;

	if (x != NULL)
		buf_addf(out, "push_accounts=%zu\npush_sent=%llu\npush_failed=%llu\n", x->accounts.count,
		    (unsigned long long)x->n_sent, (unsigned long long)x->n_failed);
}
