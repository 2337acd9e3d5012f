/* Which entries are due, and what becomes of them. */
#include "storage/service/queue.h"

#include <string.h>

#include "common/ipc/ipc.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/queue_priv.h"

#define AGAIN_MS	10000u		/* an operation that failed is done again after so long */
#define LOOK_MS		60000u		/* the longest time without a look */
#define LOOK_ROWS	512u		/* due ones that are looked at in one go */
#define DAY_S		86400
#define LIST_BYTES	49152u

static void
arm(struct queueing *x, uint64_t after_ms)
{
	if (!x->stopped)
		loop_timer_set(x->timer, after_ms < LOOK_MS ? after_ms : LOOK_MS);
}

/* Flights -------------------------------------------------------------------------- */

static struct flight *
find(const struct queueing *x, uint64_t account, uint64_t id)
{
	for (struct list *n = x->flights.next; n != &x->flights; n = n->next) {
		struct flight *f = list_entry(n, struct flight, node);

		if (f->account == account && f->id == id)
			return f;
	}
	return NULL;
}

static unsigned
of_account(const struct queueing *x, uint64_t account)
{
	unsigned n = 0;

	for (struct list *l = x->flights.next; l != &x->flights; l = l->next)
		n += list_entry(l, struct flight, node)->account == account;
	return n;
}

struct flight *
flight_new(struct queueing *x, const struct store_queue_entry *e)
{
	struct flight *f = mem_zalloc(sizeof(*f));

	f->x = x;
	f->account = e->account;
	f->id = e->id;
	f->kind = e->kind;
	f->created_ms = e->created_ms;
	list_push_back(&x->flights, &f->node);
	x->n_flights++;
	return f;
}

void
flight_free(struct flight *f)
{
	if (f->req != 0)
		ipc_cancel(f->x->outd, f->req);
	if (f->reading != NULL)
		f->reading->arg = NULL;
	list_remove(&f->node);
	f->x->n_flights--;
	arm(f->x, 0);
	loop_timer_free(&f->again);
	buf_fini(&f->rcpts);
	buf_fini(&f->locs);
	buf_fini(&f->words);
	mem_free(&f);
}

/* Verdicts --------------------------------------------------------------------------- */

static void settle(void *arg);

static void
on_settled(struct request *rq, const struct state_result *res)
{
	struct flight *f = rq->own;

	if (f->x->stopped)
		return;
	/* another word was said meanwhile, the admin's or that of who deleted the account */
	if (res->status == ST_OK || res->status == ST_NOT_FOUND || res->status == ST_CONFLICT) {
		f->x->n_returned += res->status == ST_OK && f->verdict.how == QUEUE_RETURN;
		flight_free(f);
		return;
	}
	LOG(NULL, ERROR, "queue.settle", KV_UINT("account", f->account), KV_UINT("entry", f->id),
	    KV_STATUS(res->status));
	if (f->again == NULL)
		f->again = loop_timer_new(f->x->svc->loop, settle, f);
	loop_timer_set(f->again, AGAIN_MS);
}

static void
settle(void *arg)
{
	struct flight *f = arg;
	const struct op op = { .kind = OP_QUEUE, .head.account = f->account, .u.queue = f->verdict };

	tick_own_for(f->x->svc, &op, on_settled, f);
}

void
flight_settle(struct flight *f, enum queue_how how, int64_t next_ms, struct span rcpts,
    struct span answer)
{
	size_t n = rcpts.len;

	answer = span_sub(answer, 0, STORE_QUEUE_ANSWER_MAX);
	buf_add_span(&f->words, rcpts);
	buf_add_span(&f->words, answer);
	f->verdict = (struct op_queue){ .how = (uint8_t)how, .id = f->id, .attempt = f->attempt,
	    .next_ms = next_ms, .rcpts = span(f->words.data, n),
	    .answer = span(n + answer.len > 0 ? f->words.data + n : NULL, answer.len) };
	settle(f);
}

static int64_t
expires(const struct flight *f)
{
	const struct service_conf *cf = &f->x->svc->cf;

	return f->created_ms +
	    (int64_t)(queue_once(f->kind) ? cf->answer_expiry_s : cf->redirect_expiry_s) * 1000;
}

void
flight_give_up(struct flight *f, const char *event, struct span answer)
{
	bool once = queue_once(f->kind);

	f->x->n_given_up++;
	LOG(NULL, WARN, event, KV_UINT("account", f->account), KV_UINT("entry", f->id),
	    KV_STR("kind", queue_kind_name(f->kind)), KV_STR("now", once ? "dropped" : "in INBOX"),
	    KV_SPAN("why", answer));
	flight_settle(f, once ? QUEUE_DONE : QUEUE_RETURN, 0, SPAN_NONE, answer);
}

static int64_t
wait_s(const struct flight *f)
{
	const struct service_conf *cf = &f->x->svc->cf;
	unsigned doublings = f->attempt > 1 ? f->attempt - 1 : 0;
	uint64_t s = (uint64_t)cf->queue_retry_s << (doublings < 20 ? doublings : 20);

	return (int64_t)(s < cf->queue_retry_max_s ? s : cf->queue_retry_max_s);
}

void
flight_later(struct flight *f, struct span rcpts, struct span answer)
{
	int64_t now = clock_wall_ms(), next = now + wait_s(f) * 1000;

	if (now >= expires(f)) {
		flight_give_up(f, "queue.expired", answer);
		return;
	}
	/* too old is told in time */
	if (next > expires(f))
		next = expires(f);
	flight_settle(f, QUEUE_LATER, next, rcpts, answer);
}

/* Days ------------------------------------------------------------------------------ */

/* What left for an account since midnight; a restart counts anew. */
static uintptr_t
sent_today(struct queueing *x, uint64_t account)
{
	int64_t day = clock_wall_s() / DAY_S;

	if (day != x->day)
		table_fini(&x->sent_today, NULL, NULL);
	x->day = day;
	return (uintptr_t)table_get_u64(&x->sent_today, account);
}

/* Choosing --------------------------------------------------------------------------- */

static void
on_taken(struct request *rq, const struct state_result *res)
{
	struct flight *f = rq->own;
	struct queueing *x = f->x;

	if (x->stopped)
		return;
	if (res->status == ST_OK) {
		f->attempt = res->uid;
		table_put_u64(&x->sent_today, f->account,
		    (void *)(sent_today(x, f->account) + 1));
		flight_send(f);
		return;
	}
	flight_free(f);
	if (res->status != ST_CONFLICT && res->status != ST_NOT_FOUND) {
		LOG(NULL, ERROR, "queue.take", KV_STATUS(res->status));
		arm(x, AGAIN_MS);
	}
}

static void
begin(struct queueing *x, const struct store_queue_entry *e)
{
	const struct service_conf *cf = &x->svc->cf;
	struct op op = { .kind = OP_QUEUE, .head.account = e->account,
	    .u.queue = { .how = QUEUE_TAKE, .id = e->id } };
	struct flight *f = flight_new(x, e);

	if (clock_wall_ms() >= expires(f)) {
		flight_give_up(f, "queue.expired", e->answer);
	} else if (x->outd == NULL) {
		flight_settle(f, QUEUE_LATER, clock_wall_ms() + (int64_t)cf->queue_retry_max_s * 1000,
		    SPAN_NONE, SPAN_LIT("nothing is configured that sends (outgoing relay, program)"));
	} else if (cf->queue_account_day > 0 && sent_today(x, e->account) >= cf->queue_account_day) {
		flight_settle(f, QUEUE_LATER, (x->day + 1) * DAY_S * 1000, SPAN_NONE,
		    SPAN_LIT("the account may send no more today (outgoing account-day)"));
	} else {
		tick_own_for(x->svc, &op, on_taken, f);
	}
}

/* One after the other; false: it is left for later. */
static bool
consider(struct queueing *x, const struct state_queue_at *at)
{
	unsigned most = x->svc->cf.queue_flights > 0 ? x->svc->cf.queue_flights : 1;
	struct store_queue_entry e;
	struct buf row = { 0 };
	bool free = x->n_flights < most;

	/* nobody takes all of it, if he can help it */
	if (free && find(x, at->account, at->id) == NULL &&
	    of_account(x, at->account) < (most + 1) / 2 &&
	    service_judge(x->svc, state_queue_entry(x->svc->state, at->account, at->id, &row, &e),
	    "queue") == ST_OK)
		begin(x, &e);
	buf_fini(&row);
	return free;
}

static void
run(void *arg)
{
	struct queueing *x = arg;
	int64_t now = clock_wall_ms();
	struct state_queue_at at = { 0 };

	arm(x, LOOK_MS);
	if (x->outd == NULL && clock_mono_ms() - x->away_ms < QUEUE_AWAY_MS)
		return;
	for (unsigned rows = 0; rows < LOOK_ROWS; rows++) {
		if (service_judge(x->svc, state_queue_next(x->svc->state, &at), "queue") != ST_OK ||
		    at.due_ms == QUEUE_DUE_TAKEN)
			return;
		if (at.due_ms > now) {
			arm(x, (uint64_t)(at.due_ms - now));
			return;
		}
		if (!consider(x, &at))
			return;
	}
}

/* Those that were on their way when the last process ended: nobody knows what became of them. */
static void
recover(struct queueing *x)
{
	struct state_queue_at at = { .due_ms = QUEUE_DUE_TAKEN };

	while (service_judge(x->svc, state_queue_next(x->svc->state, &at), "queue") == ST_OK) {
		struct store_queue_entry e;
		struct buf row = { 0 };
		struct flight *f;

		if (service_judge(x->svc, state_queue_entry(x->svc->state, at.account, at.id, &row, &e),
		    "queue") == ST_OK) {
			f = flight_new(x, &e);
			f->attempt = e.attempts;
			if (queue_once(f->kind)) {
				f->given = true;
				flight_lost(f);
			} else {
				flight_settle(f, QUEUE_LATER, clock_wall_ms(), SPAN_NONE,
				    SPAN_LIT("the store was started anew meanwhile"));
			}
		}
		buf_fini(&row);
	}
}

static void
first_run(void *arg)
{
	struct queueing *x = arg;

	loop_timer_free(&x->timer);
	x->timer = loop_timer_new(x->svc->loop, run, x);
	recover(x);
	arm(x, 0);
}

/* outd ------------------------------------------------------------------------------- */

/* Its requests are answered before this, with ST_UNAVAILABLE. */
static void
on_closed(struct ipc *ipc, void *arg)
{
	struct queueing *x = arg;

	x->away_ms = clock_mono_ms();
	ipc_free(&x->outd);
}

void
service_outd_submit(struct service *svc, int fd)
{
	struct queueing *x = svc->queueing;
	struct ipc_config cf = { .loop = svc->loop, .protocol = &out_protocol, .peer = "outd-submit",
	    .closed = on_closed, .arg = x };
	struct list *n, *tmp;

	if (x->outd != NULL)
		list_each(n, tmp, &x->flights)
			if (list_entry(n, struct flight, node)->req != 0)
				flight_lost(list_entry(n, struct flight, node));
	ipc_free(&x->outd);
	x->outd = ipc_new(&cf, fd);
	arm(x, 0);
}

void
queue_note(struct service *svc, const struct op *op)
{
	if (svc->queueing != NULL && (op->kind == OP_DELIVER ||
	    op->kind == OP_DELIVER_OF || op->kind == OP_QUEUE))
		arm(svc->queueing, 0);
}

/* The admin ---------------------------------------------------------------------------- */

void
queue_list(struct peer *p, const struct ipc_head *h, const struct store_queue *msg)
{
	struct store_queue_are are = { .account = msg->account, .id = msg->id };
	struct buf list = { 0 };
	enum status st = state_queue_list(p->svc->state, &are.account, &are.id, msg->only, LIST_BYTES,
	    &list);

	are.entries = buf_span(&list);
	if (st == ST_OK)
		ipc_reply(p->ipc, h, ST_OK, STORE_QUEUE_ARE, &are);
	else
		ipc_refuse(p->ipc, h, service_judge(p->svc, st, "queue"));
	buf_fini(&list);
}

/* Who asked, until the operation is done. */
struct asked {
	struct service	*svc;
	char		name[32];
	uint64_t	generation;
	struct ipc_head	head;
	struct buf	answer;
};

static void
on_set(struct request *rq, const struct state_result *res)
{
	struct asked *a = rq->own;
	struct list *n, *tmp;

	list_each(n, tmp, &a->svc->peers) {
		struct peer *p = list_entry(n, struct peer, node);

		if (p->generation == a->generation && strcmp(p->name, a->name) == 0)
			ipc_reply(p->ipc, &a->head, res->status, 0, NULL);
	}
	buf_fini(&a->answer);
	mem_free(&a);
}

void
queue_set(struct peer *p, const struct ipc_head *h, const struct store_queue_set *msg)
{
	struct op op = { .kind = OP_QUEUE, .head.account = msg->account,
	    .u.queue = { .how = msg->how, .id = msg->id, .next_ms = clock_wall_ms() } };
	struct store_queue_entry e;
	struct buf row = { 0 };
	enum status st = state_queue_entry(p->svc->state, msg->account, msg->id, &row, &e);
	struct asked *a;

	if (st == ST_OK && e.taken_ms != 0)
		st = ST_CONFLICT;	/* what is on its way is not sent twice */
	if (st != ST_OK) {
		ipc_refuse(p->ipc, h, service_judge(p->svc, st, "queue"));
		buf_fini(&row);
		return;
	}
	a = mem_zalloc(sizeof(*a));
	a->svc = p->svc;
	a->generation = p->generation;
	memcpy(a->name, p->name, sizeof(a->name));
	a->head = *h;
	buf_add_span(&a->answer, e.answer);
	op.u.queue.answer = buf_span(&a->answer);
	LOG(NULL, INFO, "queue.set", KV_UINT("account", msg->account), KV_UINT("entry", msg->id),
	    KV_UINT("how", msg->how));
	tick_own_for(p->svc, &op, on_set, a);
	buf_fini(&row);
}

/* The service -------------------------------------------------------------------------- */

void
queue_start(struct service *svc)
{
	struct queueing *x = mem_zalloc(sizeof(*x));

	x->svc = svc;
	x->away_ms = clock_mono_ms();
	x->timer = loop_timer_new(svc->loop, first_run, x);
	list_init(&x->flights);
	svc->queueing = x;
	arm(x, 0);
}

void
queue_stop(struct service *svc)
{
	struct queueing *x = svc->queueing;
	struct list *n, *tmp;

	if (x == NULL)
		return;
	x->stopped = true;
	list_each(n, tmp, &x->flights) {
		struct flight *f = list_entry(n, struct flight, node);

		f->req = 0;
		if (f->reading != NULL)
			f->reading->arg = NULL;
		f->reading = NULL;
		loop_timer_free(&f->again);
	}
	ipc_free(&x->outd);
	loop_timer_free(&x->timer);
}

void
queue_free(struct service *svc)
{
	struct queueing *x = svc->queueing;

	svc->queueing = NULL;
	if (x == NULL)
		return;
	while (!list_empty(&x->flights))
		flight_free(list_entry(x->flights.next, struct flight, node));
	table_fini(&x->sent_today, NULL, NULL);
	mem_free(&x);
}

void
queue_stats(const struct service *svc, struct buf *out)
{
	const struct queueing *x = svc->queueing;
	struct state_queue_at at = { 0 };
	int64_t late = 0;

	if (x == NULL)
		return;
	if (state_queue_next(svc->state, &at) == ST_OK && at.due_ms < clock_wall_ms())
		late = (clock_wall_ms() - at.due_ms) / 1000;
	buf_addf(out, "queue_outd=%d\nqueue_late_s=%lld\nqueue_under_way=%u\n", x->outd != NULL,
	    (long long)late, x->n_flights);
#define COUNT(name, v) buf_addf(out, name "=%llu\n", (unsigned long long)(v))
	COUNT("queue_sent", x->n_sent);
	COUNT("queue_later", x->n_later);
	COUNT("queue_given_up", x->n_given_up);
	COUNT("queue_returned", x->n_returned);
	COUNT("queue_unknown", x->n_unknown);
#undef COUNT
}
