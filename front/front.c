#include "front/front.h"

#include <stdio.h>

#include "common/util/mem.h"

/* ---- the login ---- */

static void
on_renewed(void *arg, struct span ticket)
{
	struct front_session *s = arg;

	if (ticket.len == 0)
		s->front->ops->bye(s, FRONT_EXPIRED);
	else
		s->front->ops->renewed(s, ticket);
}

bool
front_enter(struct front_session *s, const struct auth_granted *g, uint32_t most)
{
	struct front *f = s->front;

	if (!counts_enter_account(&f->counts, g->account, most)) {
		auth_logout(f->auth, g->ticket);
		LOG(&s->log, WARN, f->ops->ev_too_many_connections, KV_SPAN("user", g->user));
		return false;
	}
	s->account = g->account;
	s->user = span_dup(g->user);
	s->log.user = s->user;
	login_begin(&s->login, f->loop, f->auth, g, on_renewed, s);
	return true;
}

void
front_leave(struct front_session *s)
{
	login_end(&s->login);
	if (s->user != NULL)
		counts_leave_account(&s->front->counts, s->account);
	s->log.user = NULL;
	mem_free(&s->user);
}

/* ---- the end ---- */

static void
end_session(struct front_session *s)
{
	if (s->ending)
		return;
	s->ending = true;
	s->busy = false;
	s->front->ops->ended(s);
	sasl_session_end(&s->sasl);
	loop_timer_free(&s->timer);
	front_leave(s);
}

/* At once, without a word. */
static void
free_session(struct front_session *s)
{
	struct front *f = s->front;
	struct net_ip peer = *conn_peer(s->conn);

	end_session(s);
	list_remove(&s->node);
	conn_free(&s->conn);
	mem_free(&s);
	if (f->closed != NULL)
		f->closed(f->arg, &peer);
}

void
front_session_end(struct front_session *s)
{
	conn_finish(s->conn);
	end_session(s);
}

/* ---- the connection ---- */

void
front_session_open(struct front_session *s, struct front *f, int fd, const char *id,
    const char *peer, const struct conf_listener *listener, const struct conn_ops *conn_ops,
    const struct sasl_ops *sasl_ops, void (*on_timer)(void *arg))
{
	s->front = f;
	snprintf(s->id, sizeof(s->id), "%s", id);
	snprintf(s->peer, sizeof(s->peer), "%s", peer);
	s->log = (struct log_ctx){ .conn = s->id, .peer = s->peer };
	s->clear_ok = listener->cleartext_login;
	s->starttls = listener->tls == CONF_TLS_STARTTLS && f->tls != NULL;
	list_push_back(&f->sessions, &s->node);
	s->conn = conn_new(f->loop, fd, listener->tls == CONF_TLS_IMPLICIT ? f->tls : NULL,
	    conn_ops, s);
	sasl_session_init(&s->sasl, sasl_ops, s, &(struct sasl_client){ .auth = f->auth,
	    .conn = s->conn, .id = s->id, .peer = s->peer, .clear_ok = s->clear_ok });
	s->timer = loop_timer_new(f->loop, on_timer, s);
	LOG(&s->log, DEBUG, f->ops->ev_connect, KV_STR("listener", listener->head.name));
	login_mechanisms_ask(&f->mechanisms, f->auth);
}

void
front_session_kick(struct front_session *s)
{
	if (conn_in(s->conn)->len > 0 || conn_paused(s->conn)) {
		conn_pause(s->conn);
		conn_resume(s->conn);
	}
}

void
front_on_data(struct conn *c, void *arg)
{
	struct front_session *s = arg;

	while (!s->ending && !s->busy && conn_in(c)->len > 0 && !conn_full(c))
		if (!s->front->ops->take(s))
			break;
	if (s->ending)
		return;
	/* What is left of a client that went is no command. */
	if (s->eof && !s->busy && !conn_full(c))
		front_session_end(s);
	else if (conn_in(c)->len > 0 && (s->busy || conn_full(c)))
		conn_pause(c);
}

void
front_on_eof(struct conn *c, void *arg)
{
	struct front_session *s = arg;

	s->eof = true;
	if (!s->busy)
		front_session_end(s);
}

void
front_on_secured(struct conn *c, void *arg)
{
	struct front_session *s = arg;

	LOG(&s->log, DEBUG, s->front->ops->ev_tls, KV_STR("version", tls_version_name(conn_tls(c))),
	    KV_STR("cipher", tls_cipher_name(conn_tls(c))));
	if (s->front->ops->secured != NULL)
		s->front->ops->secured(s);
}

void
front_on_closed(struct conn *c, enum conn_end why, void *arg)
{
	struct front_session *s = arg;
	const struct front_ops *ops = s->front->ops;

	if (why == CONN_TLS_FAILED)
		LOG(&s->log, INFO, ops->ev_tls_failed, KV_STR("error", conn_tls_error(c)));
	else if (why == CONN_IDLE && ops->ev_idle != NULL)
		LOG(&s->log, INFO, ops->ev_idle);
	else if (why == CONN_GARBLED && ops->ev_garbled != NULL)
		LOG(&s->log, INFO, ops->ev_garbled);
	free_session(s);
}

/* What came in clear behind the command is nobody's (RFC 2595 §4, RFC 9051 §6.2.1). */
void
front_start_tls(struct front_session *s)
{
	buf_clear(conn_in(s->conn));
	if (!conn_start_tls(s->conn, s->front->tls))
		front_session_end(s);
}

const char *
front_tls_name(const struct front_session *s)
{
	return conn_tls(s->conn) != NULL ? tls_version_name(conn_tls(s->conn)) : "no";
}

/* ---- all of them ---- */

static void
on_mechanisms(void *arg)
{
	struct front *f = arg;
	struct list *node, *tmp;

	list_each(node, tmp, &f->sessions)
		f->ops->mechanisms(list_entry(node, struct front_session, node));
}

void
front_init(struct front *f, const struct front_ops *ops, struct loop *loop,
    struct auth_client *auth)
{
	f->ops = ops;
	f->loop = loop;
	f->auth = auth;
	f->stores = store_pool_new(loop);
	list_init(&f->sessions);
	f->mechanisms.came = ops->mechanisms != NULL ? on_mechanisms : NULL;
	f->mechanisms.arg = f;
	if (ops->init != NULL)
		ops->init(f);
}

void
front_configured(struct front *f, const struct mansio_conf *conf, struct tls_ctx *tls)
{
	f->tls = tls;
	f->ops->configured(f, conf);
	login_mechanisms_renew(&f->mechanisms, f->auth);
}

void
front_drain(struct front *f)
{
	struct list *node, *tmp;

	f->draining = true;
	if (f->ops->drain != NULL) {
		f->ops->drain(f);
		return;
	}
	list_each(node, tmp, &f->sessions)
		f->ops->bye(list_entry(node, struct front_session, node), FRONT_DRAIN);
}

/* The id of a ticket is opaque here: the store tells the one channel.  Without an id all
 * of the account's are meant. */
void
front_revoked(struct front *f, const struct auth_revoked *r)
{
	struct list *node, *tmp;

	if (f->ops->revoked != NULL) {
		f->ops->revoked(f, r);
		return;
	}
	list_each(node, tmp, &f->sessions) {
		struct front_session *s = list_entry(node, struct front_session, node);

		if (r->id.len == 0 && s->user != NULL && s->account == r->account)
			f->ops->bye(s, FRONT_REVOKED);
	}
}

void
front_renew(struct front *f)
{
	struct list *node, *tmp;
	uint64_t n = 0;

	if (f->ops->renew != NULL) {
		f->ops->renew(f);
		return;
	}
	list_each(node, tmp, &f->sessions)
		login_renew(&list_entry(node, struct front_session, node)->login, n++);
}

void
front_fini(struct front *f)
{
	if (f->loop == NULL)
		return;
	while (!list_empty(&f->sessions))
		free_session(list_entry(f->sessions.next, struct front_session, node));
	if (f->ops->fini != NULL)
		f->ops->fini(f);
	login_mechanisms_fini(&f->mechanisms);
	counts_fini(&f->counts);
	store_pool_free(&f->stores);
}
