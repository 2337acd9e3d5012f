/* The life of a session: bytes become lines, lines become commands. */
#include "pop3d/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util/mem.h"

#define IN_MAX		(64u << 10)	/* of a connection, without asking */
#define AUTH_LINE_MAX	(AUTH_DATA_MAX / 3 * 4 + 256)

static void
end_session(struct pop3_session *s)
{
	if (s->ending)
		return;
	s->ending = true;
	s->busy = s->answering = false;
	s->drained = NULL;
	sasl_session_end(&s->sasl);
	pop3_retr_end(s);
	uidls_fini(&s->uidls);
	store_close(&s->store);
	drop_load_fini(&s->load);
	loop_timer_free(&s->timer);
	login_end(&s->login);
	if (s->counted)
		counts_leave_account(&s->srv->counts, s->account);
	if (s->user != NULL)
		LOG(&s->log, INFO, "pop3.logout", KV_UINT("retrieved", s->n_retrieved),
		    KV_UINT("topped", s->n_topped),
		    KV_UINT("deleted", s->state == POP3_IN_UPDATE ? s->drop.n_deleted : 0),
		    KV_UINT("in", conn_bytes_in(s->conn)), KV_UINT("out", conn_bytes_out(s->conn)));
	maildrop_fini(&s->drop);
	buf_fini(&s->name);
	buf_fini(&s->folder);
}

void
pop3_session_free(struct pop3_session **sp)
{
	struct pop3_session *s = *sp;
	struct pop3_server *srv;
	struct net_ip peer;

	if (s == NULL)
		return;
	srv = s->srv;
	peer = *conn_peer(s->conn);
	end_session(s);
	list_remove(&s->node);
	conn_free(&s->conn);
	mem_free(&s->user);
	mem_free(sp);
	if (srv->closed != NULL)
		srv->closed(srv->arg, &peer);
}

void
pop3_session_end(struct pop3_session *s)
{
	conn_finish(s->conn);
	end_session(s);
}

void
pop3_session_kick(struct pop3_session *s)
{
	if (conn_in(s->conn)->len > 0 || conn_paused(s->conn)) {
		conn_pause(s->conn);
		conn_resume(s->conn);
	}
}

/* ---- answers ---- */

void
pop3_done(struct pop3_session *s)
{
	bool waited = s->busy;

	s->busy = false;
	if (s->ending)
		return;
	if (s->eof && conn_in(s->conn)->len == 0)
		pop3_session_end(s);
	else if (waited)
		pop3_session_kick(s);
}

void
pop3_ok(struct pop3_session *s, const char *fmt, ...)
{
	struct buf *out = pop3_out(s);
	va_list ap;

	buf_add_str(out, "+OK ");
	va_start(ap, fmt);
	buf_vaddf(out, fmt, ap);
	va_end(ap);
	buf_add_str(out, "\r\n");
	s->bad_commands = 0;
	pop3_done(s);
}

void
pop3_err(struct pop3_session *s, const char *text)
{
	struct buf *out = pop3_out(s);

	buf_add_str(out, "-ERR ");
	buf_add_str(out, text);
	buf_add_str(out, "\r\n");
	pop3_done(s);
}

void
pop3_bad(struct pop3_session *s, const char *text)
{
	if (++s->bad_commands <= s->srv->conf->max_bad_commands) {
		pop3_err(s, text);
		return;
	}
	LOG(&s->log, WARN, "pop3.bad-commands", KV_UINT("count", s->bad_commands));
	buf_add_str(pop3_out(s), "-ERR Too many bad commands\r\n");
	pop3_session_end(s);
}

static const char *const status_texts[ST_MAX + 1] = {
	[ST_SYNTAX] = "[SYS/PERM] An error of the server",
	[ST_NOT_FOUND] = "No such message any more",
	[ST_EXISTS] = "[IN-USE] Another session has the maildrop",
	[ST_DENIED] = "[AUTH] Not permitted",
	[ST_OVER_QUOTA] = "[SYS/TEMP] The quota is used up",
	[ST_CONFLICT] = "[SYS/TEMP] The mail store is away for a moment, try again",
	[ST_LIMIT] = "[SYS/TEMP] A limit was reached",
	[ST_UNAVAILABLE] = "[SYS/TEMP] The mail store is away for a moment, try again",
	[ST_CORRUPT] = "[SYS/PERM] Stored data is damaged",
	[ST_BUG] = "[SYS/PERM] An error of the server",
	[ST_CANCELLED] = "[SYS/TEMP] Cancelled",
	[ST_EXPIRED] = "[SYS/TEMP] The login has expired",
	[ST_NO_SPACE] = "[SYS/TEMP] The server has no room",
	[ST_UNSUPPORTED] = "[SYS/PERM] This cannot be done",
};

void
pop3_fail(struct pop3_session *s, enum status st)
{
	const char *text = (unsigned)st <= ST_MAX ? status_texts[st] : NULL;

	if (st == ST_BUG || st == ST_CORRUPT)
		LOG(&s->log, ERROR, "pop3.command", KV_STATUS(st));
	pop3_err(s, text != NULL ? text : status_texts[ST_BUG]);
}

/* ---- lines ---- */

static void
run_line(struct pop3_session *s, struct span text)
{
	const struct pop3_command *c;
	struct pop3_line line;

	if (!pop3_line_parse(text, &line) || (c = pop3_command_find(line.word)) == NULL) {
		pop3_bad(s, "Unknown command");
		return;
	}
	if (s->lease_lost) {
		pop3_err(s, "[IN-USE] Another session took the maildrop over");
		pop3_session_end(s);
		return;
	}
	if ((c->states & s->state) == 0) {
		pop3_bad(s, s->state == POP3_IN_AUTH ? "Log in first" : "Already logged in");
		return;
	}
	c->run(s, line.rest);
}

static bool
may_be_long(const struct pop3_session *s, struct span line)
{
	return s->answering || (s->state == POP3_IN_AUTH && span_has_caseprefix(line, "AUTH "));
}

/* The limit is on what stands before CRLF. */
static bool
is_too_long(const struct pop3_session *s, struct span line)
{
	size_t max = may_be_long(s, line) ? AUTH_LINE_MAX : s->srv->conf->max_line_bytes;

	return line.len > max;
}

/* false: no line is there. */
static bool
take_line(struct pop3_session *s)
{
	struct buf *in = conn_in(s->conn);
	char *nl = memchr(in->data, '\n', in->len);
	struct span line = span(in->data, nl != NULL ? (size_t)(nl - in->data) : in->len);
	struct buf copy = { 0 };

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (is_too_long(s, line)) {
		buf_add_str(pop3_out(s), "-ERR The line is too long\r\n");
		pop3_session_end(s);
		return false;
	}
	if (nl == NULL)
		return false;
	/* The line may be a password, and its command may empty the buffer it stands in. */
	buf_add_span(&copy, line);
	mem_wipe(in->data, line.len);
	buf_drop(in, (size_t)(nl - in->data) + 1);
	if (s->answering)
		pop3_auth_answer(s, buf_span(&copy));
	else
		run_line(s, buf_span(&copy));
	buf_fini_secret(&copy);
	return true;
}

static void
on_data(struct conn *c, void *arg)
{
	struct pop3_session *s = arg;

	while (!s->ending && !s->busy && conn_in(c)->len > 0 && !conn_full(c))
		if (!take_line(s))
			break;
	if (s->ending)
		return;
	/* What is left of a client that went is no command. */
	if (s->eof && !s->busy && !conn_full(c))
		pop3_session_end(s);
	else if (conn_in(c)->len > 0 && (s->busy || conn_full(c)))
		conn_pause(c);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct pop3_session *s = arg;
	void (*fn)(struct pop3_session *) = s->drained;

	s->drained = NULL;
	if (!s->ending && fn != NULL)
		fn(s);
	if (!s->ending)
		pop3_session_kick(s);
}

static void
on_eof(struct conn *c, void *arg)
{
	struct pop3_session *s = arg;

	s->eof = true;
	if (!s->busy)
		pop3_session_end(s);
}

static void
on_secured(struct conn *c, void *arg)
{
	struct pop3_session *s = arg;

	LOG(&s->log, DEBUG, "pop3.tls", KV_STR("version", tls_version_name(conn_tls(c))),
	    KV_STR("cipher", tls_cipher_name(conn_tls(c))));
}

static void
on_closed(struct conn *c, enum conn_end why, void *arg)
{
	struct pop3_session *s = arg;

	if (why == CONN_TLS_FAILED)
		LOG(&s->log, INFO, "pop3.tls-failed", KV_STR("error", conn_tls_error(c)));
	else if (why == CONN_IDLE)
		LOG(&s->log, INFO, "pop3.idle");
	pop3_session_free(&s);
}

static const struct conn_ops conn_ops = {
	.data = on_data, .eof = on_eof, .drained = on_drained, .secured = on_secured,
	.closed = on_closed
};

/* ---- beginning ---- */

static void
on_login_time(void *arg)
{
	struct pop3_session *s = arg;

	/* RFC 1939 §3: without an answer */
	if (s->state == POP3_IN_AUTH)
		pop3_session_end(s);
}

struct pop3_session *
pop3_session_new(struct pop3_server *srv, int fd, const char *id, const char *peer,
    const struct conf_listener *listener)
{
	bool implicit = listener->tls == CONF_TLS_IMPLICIT;
	struct pop3_session *s = mem_zalloc(sizeof(*s));

	s->srv = srv;
	snprintf(s->id, sizeof(s->id), "%s", id);
	snprintf(s->peer, sizeof(s->peer), "%s", peer);
	s->log = (struct log_ctx){ .conn = s->id, .peer = s->peer };
	s->state = POP3_IN_AUTH;
	s->clear_ok = listener->cleartext_login;
	s->stls = listener->tls == CONF_TLS_STARTTLS && srv->tls != NULL;
	s->ahead.total = &srv->ahead_bytes;
	list_push_back(&srv->sessions, &s->node);
	s->conn = conn_new(srv->loop, fd, implicit ? srv->tls : NULL, &conn_ops, s);
	conn_set_water(s->conn, srv->conf->max_output_bytes / 4, srv->conf->max_output_bytes);
	conn_set_in_max(s->conn, IN_MAX + (srv->conf->max_line_bytes > 4096 ?
	    srv->conf->max_line_bytes : 4096));
	conn_set_idle(s->conn, (uint64_t)srv->conf->idle_timeout_s * 1000);
	sasl_session_init(&s->sasl, &pop3_sasl, s, &(struct sasl_client){ .auth = srv->auth,
	    .conn = s->conn, .id = s->id, .peer = s->peer, .clear_ok = s->clear_ok });
	s->timer = loop_timer_new(srv->loop, on_login_time, s);
	loop_timer_set(s->timer, (uint64_t)srv->conf->login_timeout_s * 1000);
	LOG(&s->log, DEBUG, "pop3.connect", KV_STR("listener", listener->head.name));
	login_mechanisms_ask(&srv->mechanisms, srv->auth);
	/* No timestamp in it: there is no shared secret for APOP (RFC 1939 §7). */
	buf_add_str(pop3_out(s), "+OK Mansio ready\r\n");
	return s;
}

bool
pop3_session_may_login(const struct pop3_session *s)
{
	return conn_tls(s->conn) != NULL || s->clear_ok;
}

struct span
pop3_mechanisms(const struct pop3_session *s)
{
	return login_mechanisms_for(&s->srv->mechanisms, s->conn, s->clear_ok);
}

void
pop3_server_drain(struct pop3_server *srv)
{
	struct list *node, *tmp;

	srv->draining = true;
	list_each(node, tmp, &srv->sessions) {
		struct pop3_session *s = list_entry(node, struct pop3_session, node);

		if (s->state == POP3_IN_AUTH && !s->busy)
			pop3_session_end(s);
	}
}

/* The id of a ticket is opaque here: the store tells the one channel.  Without an id all
 * of the account's are meant. */
void
pop3_server_revoked(struct pop3_server *srv, const struct auth_revoked *r)
{
	struct list *node, *tmp;

	list_each(node, tmp, &srv->sessions) {
		struct pop3_session *s = list_entry(node, struct pop3_session, node);

		if (r->id.len == 0 && s->user != NULL && s->account == r->account)
			pop3_session_end(s);
	}
}

void
pop3_server_fini(struct pop3_server *srv)
{
	while (srv->sessions.next != NULL && !list_empty(&srv->sessions)) {
		struct pop3_session *s = list_entry(srv->sessions.next, struct pop3_session, node);

		pop3_session_free(&s);
	}
	login_mechanisms_fini(&srv->mechanisms);
	counts_fini(&srv->counts);
}
