#include "common/auth/login.h"

#include "common/util/clock.h"

#define RENEW_EARLY_S	60	/* before a ticket expires */
#define RENEW_AGAIN_S	10	/* after authd could not be asked */

/* ---- mechanisms ---- */

static void
on_mechanisms(void *arg, enum status st, struct span names)
{
	struct login_asked *q = arg;

	q->asking = NULL;
	if (st == ST_OK) {
		buf_clear(&q->names);
		buf_add_span(&q->names, names);
		q->known = true;
	}
	if (q->m->came != NULL)
		q->m->came(q->m->arg);
}

void
login_mechanisms_ask(struct login_mechanisms *m, struct auth_client *c)
{
	for (unsigned flags = 0; flags < 4; flags++) {
		struct login_asked *q = &m->by[flags];

		q->m = m;
		if (!q->known && q->asking == NULL)
			q->asking = auth_mechanisms(c, (uint8_t)flags, on_mechanisms, q);
	}
}

void
login_mechanisms_renew(struct login_mechanisms *m, struct auth_client *c)
{
	for (unsigned flags = 0; flags < 4; flags++) {
		auth_lookup_cancel(&m->by[flags].asking);
		m->by[flags].known = false;
	}
	login_mechanisms_ask(m, c);
}

void
login_mechanisms_fini(struct login_mechanisms *m)
{
	for (unsigned flags = 0; flags < 4; flags++) {
		auth_lookup_cancel(&m->by[flags].asking);
		buf_fini(&m->by[flags].names);
	}
}

static unsigned
flags_of(const struct conn *conn, bool clear_ok)
{
	return (conn_tls(conn) != NULL ? AUTH_TLS : 0) | (clear_ok ? AUTH_CLEAR_OK : 0);
}

struct span
login_mechanisms_for(const struct login_mechanisms *m, const struct conn *conn, bool clear_ok)
{
	struct span names = buf_span(&m->by[flags_of(conn, clear_ok)].names), rest = names;

	/* authd names it first */
	if (span_eq_str(span_cut(&rest, ' '), "EXTERNAL") && !tls_has_peer(conn_tls(conn)))
		return rest;
	return names;
}

bool
login_mechanisms_pending(const struct login_mechanisms *m, const struct conn *conn, bool clear_ok)
{
	return m->by[flags_of(conn, clear_ok)].asking != NULL;
}

bool
login_mechanisms_has(const struct login_mechanisms *m, bool tls, bool clear_ok, struct span name)
{
	struct span rest = buf_span(&m->by[(tls ? AUTH_TLS : 0) | (clear_ok ? AUTH_CLEAR_OK : 0)].names);

	while (rest.len > 0)
		if (span_caseeq(span_cut(&rest, ' '), name))
			return true;
	return false;
}

struct auth_exchange *
login_start(struct auth_client *c, const struct conn *conn, bool clear_ok,
    struct auth_start *start, auth_done_fn fn, void *arg)
{
	unsigned char binding[TLS_CB_EXPORTER_LEN];
	struct auth_exchange *x;
	struct buf names = { 0 };

	start->flags |= (uint8_t)flags_of(conn, clear_ok);
	if (conn_tls(conn) != NULL && tls_exporter(conn_tls(conn), TLS_CB_EXPORTER_LABEL,
	    binding, sizeof(binding)))
		start->binding = span(binding, sizeof(binding));
	if (span_eq_str(start->mechanism, "EXTERNAL"))
		tls_peer_names(conn_tls(conn), &names);
	start->identities = buf_span(&names);
	x = auth_exchange_start(c, start, fn, arg);
	start->binding = start->identities = SPAN_NONE;
	buf_fini(&names);
	return x;
}

/* ---- the ticket ---- */

static void
renew_before(struct login *l, int64_t expires_s)
{
	int64_t in_s = expires_s - clock_wall_s() - RENEW_EARLY_S;

	if (expires_s > 0)
		loop_timer_set(l->due, (uint64_t)(in_s > 1 ? in_s : 1) * 1000);
}

static void
on_renewed(void *arg, enum status st, const struct auth_renewed *r)
{
	struct login *l = arg;

	l->asking = NULL;
	if (st == ST_UNAVAILABLE) {
		loop_timer_set(l->due, RENEW_AGAIN_S * 1000);
	} else if (st != ST_OK) {
		l->renewed(l->arg, SPAN_NONE);
	} else {
		buf_fini_secret(&l->ticket);
		buf_add_span(&l->ticket, r->ticket);
		renew_before(l, r->expires_s);
		l->renewed(l->arg, buf_span(&l->ticket));
	}
}

static void
on_due(void *arg)
{
	struct login *l = arg;

	l->asking = auth_renew(l->auth, buf_span(&l->ticket), on_renewed, l);
}

void
login_begin(struct login *l, struct loop *loop, struct auth_client *c,
    const struct auth_granted *g, void (*renewed)(void *arg, struct span ticket), void *arg)
{
	l->auth = c;
	l->renewed = renewed;
	l->arg = arg;
	buf_add_span(&l->ticket, g->ticket);
	l->due = loop_timer_new(loop, on_due, l);
	renew_before(l, g->expires_s);
}

void
login_end(struct login *l)
{
	auth_lookup_cancel(&l->asking);
	loop_timer_free(&l->due);
	if (l->ticket.len > 0)
		auth_logout(l->auth, buf_span(&l->ticket));
	buf_fini_secret(&l->ticket);
}

void
login_renew(struct login *l, uint64_t nth)
{
	if (l->due != NULL && l->asking == NULL)
		loop_timer_set(l->due, 100 + nth % (LOGIN_RENEW_S * 1000 - 100));
}
