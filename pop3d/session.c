/* The life of a session: bytes become lines, lines become commands. */
#include "pop3d/session.h"

#include <stdarg.h>
#include <string.h>

#include "common/util/mem.h"

#define IN_MAX		(64u << 10)	/* of a connection, without asking */
#define AUTH_LINE_MAX	(AUTH_DATA_MAX / 3 * 4 + 256)

static void
on_ended(struct front_session *base)
{
	struct pop3_session *s = list_entry(base, struct pop3_session, base);

	s->answering = false;
	s->drained = NULL;
	pop3_retr_end(s);
	uidls_fini(&s->uidls);
	store_close(&s->store);
	drop_load_fini(&s->load);
	if (s->user != NULL)
		LOG(&s->log, INFO, "pop3.logout", KV_UINT("retrieved", s->n_retrieved),
		    KV_UINT("topped", s->n_topped),
		    KV_UINT("deleted", s->state == POP3_IN_UPDATE ? s->drop.n_deleted : 0),
		    KV_UINT("in", conn_bytes_in(s->conn)), KV_UINT("out", conn_bytes_out(s->conn)));
	maildrop_fini(&s->drop);
	buf_fini(&s->name);
	buf_fini(&s->folder);
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
		front_session_kick(&s->base);
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
take_line(struct front_session *base)
{
	struct pop3_session *s = list_entry(base, struct pop3_session, base);
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
on_drained(struct conn *c, void *arg)
{
	struct pop3_session *s = arg;
	void (*fn)(struct pop3_session *) = s->drained;

	s->drained = NULL;
	if (!s->ending && fn != NULL)
		fn(s);
	if (!s->ending)
		front_session_kick(&s->base);
}

static const struct conn_ops conn_ops = {
	.data = front_on_data, .eof = front_on_eof, .drained = on_drained,
	.secured = front_on_secured, .closed = front_on_closed
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
	struct pop3_session *s = mem_zalloc(sizeof(*s));

	s->srv = srv;
	s->state = POP3_IN_AUTH;
	s->ahead.total = &srv->ahead_bytes;
	front_session_open(&s->base, &srv->front, fd, id, peer, listener, &conn_ops, &pop3_sasl,
	    on_login_time);
	conn_set_water(s->conn, srv->conf->max_output_bytes / 4, srv->conf->max_output_bytes);
	conn_set_in_max(s->conn, IN_MAX + (srv->conf->max_line_bytes > 4096 ?
	    srv->conf->max_line_bytes : 4096));
	conn_set_idle(s->conn, (uint64_t)srv->conf->idle_timeout_s * 1000);
	loop_timer_set(s->timer, (uint64_t)srv->conf->login_timeout_s * 1000);
	/* No timestamp in it: there is no shared secret for APOP (RFC 1939 §7). */
	buf_add_str(pop3_out(s), "+OK Mansio ready\r\n");
	return s;
}

struct span
pop3_mechanisms(const struct pop3_session *s)
{
	return login_mechanisms_for(&s->srv->mechanisms, s->conn, s->clear_ok);
}

static void
on_bye(struct front_session *base, enum front_why why)
{
	struct pop3_session *s = list_entry(base, struct pop3_session, base);

	if (why != FRONT_DRAIN || (s->state == POP3_IN_AUTH && !s->busy))
		pop3_session_end(s);
}

static void
on_renewed(struct front_session *base, struct span ticket)
{
	store_renew(list_entry(base, struct pop3_session, base)->store, ticket);
}

static void
on_configured(struct front *f, const struct mansio_conf *conf)
{
	list_entry(f, struct pop3_server, front)->conf = &conf->pop3;
}

static void
on_accept(struct front *f, int fd, const char *id, const char *peer,
    const struct conf_listener *listener)
{
	pop3_session_new(list_entry(f, struct pop3_server, front), fd, id, peer, listener);
}

const struct front_ops pop3_front = {
	.program = "pop3d",
	.too_many = "-ERR [SYS/TEMP] Too many connections from your address\r\n",
	.ev_connect = "pop3.connect", .ev_tls = "pop3.tls", .ev_tls_failed = "pop3.tls-failed",
	.ev_idle = "pop3.idle", .ev_too_many_connections = "pop3.too-many-connections",
	.configured = on_configured, .accept = on_accept, .take = take_line,
	.renewed = on_renewed, .bye = on_bye, .ended = on_ended
};
