/* Every request is a `call`, kept in its encoded form so that it can wait for authd, or be
 * asked again of the next one.  What fails without an answer is told from a task, never
 * from inside the caller's own call. */
#include "common/auth/auth_client.h"

#include <stdalign.h>

#include "common/util/buf.h"
#include "common/util/fd.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/util/mem.h"

enum call_state { CALL_WAITING, CALL_SENT, CALL_IDLE, CALL_LOST };

struct call;
typedef void (*call_done_fn)(struct call *call, enum status st, const struct ipc_message *m,
    const void *msg);

struct call {
	struct list		in;
	struct auth_client	*c;
	enum call_state		state;
	bool			again;		/* may be asked of the next authd */
	bool			finished;
	uint16_t		no;
	uint32_t		chan, req;
	uint64_t		give_up_ms;
	struct buf		body;
	call_done_fn		done;
};

struct auth_exchange {
	struct call	call;
	auth_done_fn	fn;
	void		*arg;
};

struct auth_lookup {
	struct call	call;
	union {
		auth_mechanisms_fn	mechanisms;
		auth_rcpt_fn		rcpt;
		auth_renew_fn		renew;
		auth_who_fn		who;
		auth_admin_fn		admin;
	} fn;
	void		*arg;
};

struct auth_client {
	struct loop		*loop;
	struct ipc		*ipc;
	struct loop_task	*task;
	struct loop_timer	*timer;
	struct list		calls;
	uint32_t		chan;
	auth_revoked_fn		revoked;
	void			(*changed)(void *arg);
	void			*arg;
};

static void
on_reply(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct call *call = arg;

	if (h->more)
		return;
	call->req = 0;
	if (m == NULL && !ipc_is_open(call->c->ipc)) {
		call->state = CALL_LOST;
		loop_task_post(call->c->task);
		return;
	}
	call->done(call, h->status, m, msg);
}

static void
send_call(struct call *call)
{
	alignas(max_align_t) char msg[IPC_STRUCT_MAX];
	const struct ipc_message *m = ipc_find(&auth_protocol, call->no);
	struct auth_client *c = call->c;

	if (c->ipc == NULL || !ipc_is_open(c->ipc))
		return;
	if (m->size > 0 && ipc_decode(m, buf_span(&call->body), msg) != ST_OK)
		return;		/* it was encoded here */
	call->state = CALL_SENT;
	call->req = ipc_request(c->ipc, call->chan, call->no, m->size > 0 ? msg : NULL, on_reply, call);
	if (!call->again)
		buf_fini_secret(&call->body);
}

static void
arm(struct auth_client *c)
{
	uint64_t now = loop_now_ms(c->loop), first = UINT64_MAX;
	struct list *n, *tmp;

	list_each(n, tmp, &c->calls) {
		struct call *call = list_entry(n, struct call, in);

		if (call->state == CALL_WAITING && call->give_up_ms < first)
			first = call->give_up_ms;
	}
	if (first != UINT64_MAX)
		loop_timer_set(c->timer, first > now ? first - now : 0);
}

static void
wait_for_authd(struct call *call)
{
	call->state = CALL_WAITING;
	call->give_up_ms = loop_now_ms(call->c->loop) + AUTH_RETRY_MS;
	arm(call->c);
}

static void
call_start(struct auth_client *c, struct call *call, uint16_t no, const void *msg, bool again,
    call_done_fn done)
{
	const struct ipc_message *m = ipc_find(&auth_protocol, no);

	call->c = c;
	call->no = no;
	call->again = again;
	call->done = done;
	if (m->size > 0)
		ipc_encode(m, msg, &call->body);
	list_push_back(&c->calls, &call->in);
	call->state = CALL_WAITING;
	send_call(call);
	if (call->state == CALL_WAITING)
		wait_for_authd(call);
}

static void
call_end(struct call *call)
{
	if (call->req != 0 && call->c->ipc != NULL)
		ipc_cancel(call->c->ipc, call->req);
	list_remove(&call->in);
	buf_fini_secret(&call->body);
}

/* Tells one call that cannot go on; false when there is none left. */
static bool
fail_one(struct auth_client *c, uint64_t now)
{
	struct list *n, *tmp;

	list_each(n, tmp, &c->calls) {
		struct call *call = list_entry(n, struct call, in);

		if (call->state == CALL_LOST && call->again) {
			wait_for_authd(call);
			send_call(call);
		} else if (call->state == CALL_LOST ||
		    (call->state == CALL_WAITING && call->give_up_ms <= now)) {
			call->done(call, ST_UNAVAILABLE, NULL, NULL);
			return true;
		}
	}
	return false;
}

static void
on_task(void *arg)
{
	struct auth_client *c = arg;

	while (fail_one(c, loop_now_ms(c->loop)))
		;
	arm(c);
}

/* Everything that was asked of the authd that went away. */
static void
all_lost(struct auth_client *c)
{
	struct list *n, *tmp;

	list_each(n, tmp, &c->calls) {
		struct call *call = list_entry(n, struct call, in);

		if (call->state == CALL_WAITING)
			continue;
		call->state = CALL_LOST;
		call->req = 0;
	}
	loop_task_post(c->task);
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct auth_client *c = arg;

	if (m->no == AUTH_REVOKED && c->revoked != NULL)
		c->revoked(c->arg, msg);
	if (m->no == AUTH_CHANGED && c->changed != NULL)
		c->changed(c->arg);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct auth_client *c = arg;

	ipc_free(&c->ipc);
	all_lost(c);
}

struct auth_client *
auth_client_new(struct loop *l, auth_revoked_fn revoked, void *arg)
{
	struct auth_client *c = mem_zalloc(sizeof(*c));

	c->loop = l;
	c->revoked = revoked;
	c->arg = arg;
	c->task = loop_task_new(l, on_task, c);
	c->timer = loop_timer_new(l, on_task, c);
	list_init(&c->calls);
	return c;
}

void
auth_client_on_changed(struct auth_client *c, void (*changed)(void *arg))
{
	c->changed = changed;
}

void
auth_client_free(struct auth_client **cp)
{
	struct auth_client *c = *cp;
	struct list *n, *tmp;

	*cp = NULL;
	if (c == NULL)
		return;
	ipc_free(&c->ipc);
	list_each(n, tmp, &c->calls) {
		struct call *call = list_entry(n, struct call, in);

		call_end(call);
		mem_free(&call);	/* the first member of both kinds */
	}
	loop_task_free(&c->task);
	loop_timer_free(&c->timer);
	mem_free(&c);
}

void
auth_client_set(struct auth_client *c, int fd)
{
	struct ipc_config cf = { .loop = c->loop, .protocol = &auth_protocol, .peer = "authd",
	    .request = on_request, .closed = on_closed, .arg = c };
	struct list *n, *tmp;

	ipc_free(&c->ipc);
	all_lost(c);
	c->ipc = ipc_new(&cf, fd);
	list_each(n, tmp, &c->calls) {
		struct call *call = list_entry(n, struct call, in);

		if (call->state == CALL_WAITING)
			send_call(call);
	}
}

/* Exchanges ----------------------------------------------------------------- */

static void
exchange_done(struct call *call, enum status st, const struct ipc_message *m, const void *msg)
{
	struct auth_exchange *x = (struct auth_exchange *)(void *)call;
	struct auth_result r = { .st = st };

	if (st == ST_OK && m != NULL && m->no == AUTH_CHALLENGE) {
		r.challenge = msg;
		call->state = CALL_IDLE;
		x->fn(x->arg, &r);
		return;
	}
	if (st == ST_OK && m != NULL && m->no == AUTH_GRANTED)
		r.granted = msg;
	else if (st == ST_OK)
		r.st = ST_BUG;
	else if (m != NULL && m->no == AUTH_FAILURE)
		r.failure = msg;
	call->finished = true;
	x->fn(x->arg, &r);
	call_end(call);
	mem_free(&x);
}

struct auth_exchange *
auth_exchange_start(struct auth_client *c, const struct auth_start *start, auth_done_fn fn,
    void *arg)
{
	struct auth_exchange *x = mem_zalloc(sizeof(*x));

	x->fn = fn;
	x->arg = arg;
	if (++c->chan == 0)
		c->chan = 1;
	x->call.chan = c->chan;
	call_start(c, &x->call, AUTH_START, start, false, exchange_done);
	return x;
}

void
auth_exchange_step(struct auth_exchange *x, struct span data)
{
	struct call *call = &x->call;
	struct auth_step step = { data };

	if (call->state != CALL_IDLE)
		return;		/* lost: its callback is about to run */
	call->no = AUTH_STEP;
	if (call->c->ipc == NULL || !ipc_is_open(call->c->ipc)) {
		call->state = CALL_LOST;
		loop_task_post(call->c->task);
		return;
	}
	call->state = CALL_SENT;
	call->req = ipc_request(call->c->ipc, call->chan, AUTH_STEP, &step, on_reply, call);
}

void
auth_exchange_cancel(struct auth_exchange **xp)
{
	struct auth_exchange *x = *xp;
	struct ipc *ipc;

	*xp = NULL;
	if (x == NULL || x->call.finished)
		return;
	ipc = x->call.c->ipc;
	if (ipc != NULL && (x->call.state == CALL_SENT || x->call.state == CALL_IDLE))
		ipc_note(ipc, x->call.chan, AUTH_CANCEL, NULL);
	call_end(&x->call);
	mem_free(&x);
}

/* Lookups ------------------------------------------------------------------- */

static struct auth_lookup *
lookup_new(void *arg)
{
	struct auth_lookup *l = mem_zalloc(sizeof(*l));

	l->arg = arg;
	return l;
}

static void
lookup_end(struct auth_lookup *l)
{
	call_end(&l->call);
	mem_free(&l);
}

/* An answer of another kind than asked for is as good as none. */
static const void *
want(enum status *st, const struct ipc_message *m, const void *msg, uint16_t no)
{
	if (*st != ST_OK)
		return NULL;
	if (m != NULL && m->no == no)
		return msg;
	*st = ST_BUG;
	return NULL;
}

static void
mechanisms_done(struct call *call, enum status st, const struct ipc_message *m, const void *msg)
{
	struct auth_lookup *l = (struct auth_lookup *)(void *)call;
	const struct auth_mechanisms_are *a = want(&st, m, msg, AUTH_MECHANISMS_ARE);

	call->finished = true;
	l->fn.mechanisms(l->arg, st, a != NULL ? a->names : SPAN_NONE);
	lookup_end(l);
}

struct auth_lookup *
auth_mechanisms(struct auth_client *c, uint8_t flags, auth_mechanisms_fn fn, void *arg)
{
	struct auth_lookup *l = lookup_new(arg);

	l->fn.mechanisms = fn;
	call_start(c, &l->call, AUTH_MECHANISMS, &(struct auth_mechanisms){ flags }, true,
	    mechanisms_done);
	return l;
}

static void
rcpt_done(struct call *call, enum status st, const struct ipc_message *m, const void *msg)
{
	struct auth_lookup *l = (struct auth_lookup *)(void *)call;
	const struct auth_rcpt_is *is = want(&st, m, msg, AUTH_RCPT_IS);

	call->finished = true;
	l->fn.rcpt(l->arg, st, is);
	lookup_end(l);
}

struct auth_lookup *
auth_rcpt(struct auth_client *c, const struct auth_rcpt *rq, auth_rcpt_fn fn, void *arg)
{
	struct auth_lookup *l = lookup_new(arg);

	l->fn.rcpt = fn;
	call_start(c, &l->call, AUTH_RCPT, rq, true, rcpt_done);
	return l;
}

static void
who_done(struct call *call, enum status st, const struct ipc_message *m, const void *msg)
{
	struct auth_lookup *l = (struct auth_lookup *)(void *)call;
	const struct auth_who_is *is = want(&st, m, msg, AUTH_WHO_IS);

	call->finished = true;
	l->fn.who(l->arg, st, is != NULL ? is->found : SPAN_NONE);
	lookup_end(l);
}

struct auth_lookup *
auth_who(struct auth_client *c, const struct auth_who *rq, auth_who_fn fn, void *arg)
{
	struct auth_lookup *l = lookup_new(arg);

	l->fn.who = fn;
	call_start(c, &l->call, AUTH_WHO, rq, true, who_done);
	return l;
}

static void
renew_done(struct call *call, enum status st, const struct ipc_message *m, const void *msg)
{
	struct auth_lookup *l = (struct auth_lookup *)(void *)call;
	const struct auth_renewed *r = want(&st, m, msg, AUTH_RENEWED);

	call->finished = true;
	l->fn.renew(l->arg, st, r);
	lookup_end(l);
}

struct auth_lookup *
auth_renew(struct auth_client *c, struct span ticket, auth_renew_fn fn, void *arg)
{
	struct auth_lookup *l = lookup_new(arg);

	l->fn.renew = fn;
	call_start(c, &l->call, AUTH_RENEW, &(struct auth_renew){ ticket }, true, renew_done);
	return l;
}

static void
admin_done(struct call *call, enum status st, const struct ipc_message *m, const void *msg)
{
	struct auth_lookup *l = (struct auth_lookup *)(void *)call;
	struct span result = SPAN_NONE;

	if (m != NULL && m->no == AUTH_ADMIN_IS)
		result = ((const struct auth_admin_is *)msg)->result;
	else if (st == ST_OK)
		st = ST_BUG;
	call->finished = true;
	l->fn.admin(l->arg, st, result);
	lookup_end(l);
}

struct auth_lookup *
auth_admin(struct auth_client *c, const struct auth_admin *rq, auth_admin_fn fn, void *arg)
{
	struct auth_lookup *l = lookup_new(arg);

	l->fn.admin = fn;
	call_start(c, &l->call, AUTH_ADMIN, rq, false, admin_done);
	return l;
}

void
auth_lookup_cancel(struct auth_lookup **lp)
{
	struct auth_lookup *l = *lp;

	*lp = NULL;
	if (l == NULL || l->call.finished)
		return;
	lookup_end(l);
}

void
auth_logout(struct auth_client *c, struct span ticket)
{
	/* while authd is away there is nobody to tell: the ticket expires */
	if (c->ipc != NULL && ipc_is_open(c->ipc))
		ipc_note(c->ipc, 0, AUTH_LOGOUT, &(struct auth_logout){ ticket });
}
