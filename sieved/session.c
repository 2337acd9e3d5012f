/* The life of a session: bytes become commands, commands become answers. */
#include "sieved/session.h"

#include <stdio.h>
#include <string.h>

#include "common/util/mem.h"
#include "storage/api/store_sieve.h"

#define IN_MAX		(64u << 10)	/* of a connection, without asking */
#define OUT_HIGH	(256u << 10)
#define START_MAX	(AUTH_DATA_MAX / 3 * 4 + 1024)	/* of literals, before the login */
#define OTHER_MAX	4096u		/* of a command that takes no script */
#define SWALLOW_MAX	(16u << 20)	/* a literal that is too large, and passed over */
#define IDLE_MORE_S	60		/* what closes a connection on which we can say nothing */

static void
end_session(struct sieved_session *s)
{
	if (s->ending)
		return;
	s->ending = true;
	s->busy = s->answering = false;
	loop_timer_free(&s->timer);
	sieved_log_out(s);
	imap_reader_fini(&s->reader);
	buf_fini(&s->warnings);
}

void
sieved_session_free(struct sieved_session **sp)
{
	struct sieved_session *s = *sp;
	struct sieved_server *srv;
	struct net_ip peer;

	if (s == NULL)
		return;
	srv = s->srv;
	peer = *conn_peer(s->conn);
	end_session(s);
	list_remove(&s->node);
	conn_free(&s->conn);
	mem_free(sp);
	if (srv->closed != NULL)
		srv->closed(srv->arg, &peer);
}

void
sieved_session_end(struct sieved_session *s)
{
	conn_finish(s->conn);
	end_session(s);
}

/* Something may have been left in the connection: look again in the next round. */
static void
kick(struct sieved_session *s)
{
	if (conn_in(s->conn)->len > 0 || conn_paused(s->conn)) {
		conn_pause(s->conn);
		conn_resume(s->conn);
	}
}

void
sieved_session_restart_timer(struct sieved_session *s)
{
	const struct conf_managesieve *conf = &s->srv->conf->managesieve;

	loop_timer_set(s->timer, (uint64_t)(s->state == SIEVED_IN_START ? conf->login_timeout_s :
	    conf->idle_timeout_s) * 1000);
}

/* ---- answers ---- */

void
sieved_done(struct sieved_session *s)
{
	bool waited = s->busy;

	s->busy = false;
	if (s->ending)
		return;
	imap_reader_next(&s->reader);
	s->kept = 0;
	if (s->state == SIEVED_IN_AUTH)
		sieved_session_restart_timer(s);
	if (s->eof && conn_in(s->conn)->len == 0)
		sieved_session_end(s);
	else if (s->srv->draining)
		sieved_bye(s, "TRYLATER", "The server is going down, connect again");
	else if (waited)
		kick(s);
}

static void
put_answer(struct sieved_session *s, const char *word, struct span code, struct span text)
{
	struct buf *out = sieved_out(s);

	buf_add_str(out, word);
	if (code.len > 0) {
		buf_add_str(out, " (");
		buf_add_span(out, code);
		buf_add_c(out, ')');
	}
	if (text.len > 0) {
		buf_add_c(out, ' ');
		managesieve_put_string(out, text);
	}
	buf_add_str(out, "\r\n");
}

void
sieved_answer(struct sieved_session *s, bool ok, struct span code, struct span text)
{
	put_answer(s, ok ? "OK" : "NO", code, text);
	s->bad_commands = 0;
	sieved_done(s);
}

void
sieved_ok(struct sieved_session *s, const char *code, const char *text)
{
	sieved_answer(s, true, span_str(code), span_str(text));
}

void
sieved_no(struct sieved_session *s, const char *code, const char *text)
{
	put_answer(s, "NO", span_str(code), span_str(text));
	sieved_done(s);
}

void
sieved_bye(struct sieved_session *s, const char *code, const char *text)
{
	if (s->ending)
		return;
	put_answer(s, "BYE", span_str(code), span_str(text));
	sieved_session_end(s);
}

void
sieved_bad(struct sieved_session *s, const char *text)
{
	if (++s->bad_commands <= s->srv->conf->managesieve.max_bad_commands) {
		sieved_no(s, NULL, text);
		return;
	}
	LOG(&s->log, WARN, "sieve.bad-commands", KV_UINT("count", s->bad_commands));
	sieved_bye(s, NULL, "Too many bad commands");
}

static const struct {
	const char	*code, *text;
} status_answers[ST_MAX + 1] = {
	[ST_SYNTAX] = { NULL, "The store does not take this" },
	[ST_NOT_FOUND] = { "NONEXISTENT", "There is no script by that name" },
	[ST_EXISTS] = { "ALREADYEXISTS", "There is a script by that name already" },
	[ST_DENIED] = { NULL, "Not permitted" },
	[ST_OVER_QUOTA] = { "QUOTA", "The quota is used up" },
	[ST_CONFLICT] = { "TRYLATER", "Another change came between" },
	[ST_LIMIT] = { "QUOTA/MAXSCRIPTS", "There are too many scripts" },
	[ST_UNAVAILABLE] = { "TRYLATER", "The store is away for a moment, try again" },
	[ST_CORRUPT] = { NULL, "Stored data is damaged" },
	[ST_BUG] = { NULL, "An error of the server" },
	[ST_CANCELLED] = { "TRYLATER", "Cancelled" },
	[ST_EXPIRED] = { "TRYLATER", "The login has expired" },
	[ST_NO_SPACE] = { "TRYLATER", "The server has no room" },
	[ST_UNSUPPORTED] = { NULL, "This cannot be done" },
};

void
sieved_fail(struct sieved_session *s, enum status st)
{
	enum status as = (unsigned)st <= ST_MAX && status_answers[st].text != NULL ? st : ST_BUG;

	if (st == ST_BUG || st == ST_CORRUPT)
		LOG(&s->log, ERROR, "sieve.command", KV_STATUS(st));
	sieved_no(s, status_answers[as].code, status_answers[as].text);
}

/* ---- commands ---- */

static bool
args_match(const char *args, const struct managesieve_command *c)
{
	bool optional = false;
	size_t n = 0;

	for (; *args != '\0'; args++) {
		if (*args == '?') {
			optional = true;
			continue;
		}
		if (n == c->n)
			return optional;
		if (c->args[n++].is_number != (*args == 'n'))
			return false;
	}
	return n == c->n;
}

static void
run_command(struct sieved_session *s)
{
	struct managesieve_command c;
	const char *why = managesieve_parse(s->reader.text.data, s->reader.text.len, &c);
	const struct sieved_command *command = sieved_command_find(c.word);

	if (why != NULL || command == NULL) {
		sieved_bad(s, c.word.len > 0 && command == NULL ? "Unknown command" : why);
		return;
	}
	if ((command->states & s->state) == 0)
		sieved_bad(s, s->state == SIEVED_IN_START ? "Log in first" : "Already logged in");
	else if (!args_match(command->args, &c))
		sieved_bad(s, "Wrong arguments");
	else
		command->run(s, c.args, c.n);
}

/* A command whose literal was passed over. */
static void
refuse_long(struct sieved_session *s)
{
	struct span word = managesieve_word(buf_span(&s->reader.text));

	if (s->answering)
		sieved_auth_answer(s, NULL, 0);
	else if (s->state == SIEVED_IN_AUTH && span_caseeq_str(word, "PUTSCRIPT"))
		sieved_no(s, "QUOTA/MAXSIZE", "The script is too large");
	else if (s->state == SIEVED_IN_AUTH && span_caseeq_str(word, "CHECKSCRIPT"))
		sieved_no(s, NULL, "The script is too large");
	else
		sieved_bad(s, "A literal is too long");
}

/* How many bytes of literals the command may have. */
static uint64_t
literals_max(const struct sieved_session *s)
{
	struct span word = managesieve_word(buf_span(&s->reader.text));

	if (s->state == SIEVED_IN_START)
		return START_MAX;
	if (span_caseeq_str(word, "PUTSCRIPT"))
		return s->srv->conf->sieve.max_script_bytes + OTHER_MAX;
	/* RFC 5804 §2.12: whatever the user's quota is */
	if (span_caseeq_str(word, "CHECKSCRIPT"))
		return STORE_SCRIPT_MAX;
	return OTHER_MAX;
}

static void
take_literal(struct sieved_session *s)
{
	struct imap_reader *r = &s->reader;

	if (r->literal.size > SWALLOW_MAX) {
		sieved_bye(s, NULL, "A literal is too long");
		return;
	}
	s->kept += r->literal.size;
	if (r->skipped || s->kept > literals_max(s))
		imap_reader_skip(r);
	else
		imap_reader_keep(r);
}

/* Between two commands an empty line is nothing: it may be the rest of a literal that the
 * client counted wrongly. */
static bool
is_nothing(const struct sieved_session *s)
{
	return !s->answering && s->reader.text.len == 0;
}

/* false: more bytes are needed. */
static bool
take(struct sieved_session *s)
{
	switch (imap_reader_read(&s->reader, conn_in(s->conn))) {
	case IMAP_READ_MORE:
		return false;
	case IMAP_READ_LITERAL:
		take_literal(s);
		break;
	case IMAP_READ_COMMAND:
		if (s->reader.skipped)
			refuse_long(s);
		else if (is_nothing(s))
			sieved_done(s);
		else if (s->answering)
			sieved_auth_answer(s, s->reader.text.data, s->reader.text.len);
		else
			run_command(s);
		break;
	default:
		sieved_bye(s, NULL, "The line is too long");
	}
	return true;
}

static void
on_data(struct conn *c, void *arg)
{
	struct sieved_session *s = arg;

	while (!s->ending && !s->busy && conn_in(c)->len > 0 && !conn_full(c))
		if (!take(s))
			break;
	if (s->ending)
		return;
	/* What is left of a client that went is no command. */
	if (s->eof && !s->busy && !conn_full(c))
		sieved_session_end(s);
	else if (conn_in(c)->len > 0 && (s->busy || conn_full(c)))
		conn_pause(c);
}

static void
on_drained(struct conn *c, void *arg)
{
	kick(arg);
}

static void
on_eof(struct conn *c, void *arg)
{
	struct sieved_session *s = arg;

	s->eof = true;
	if (!s->busy)
		sieved_session_end(s);
}

/* ---- beginning ---- */

/* Not before it is known what can be offered: capabilities must not change by themselves
 * (RFC 5804 §1.7). */
static void
greet(struct sieved_session *s)
{
	if (s->greeted || s->ending ||
	    login_mechanisms_pending(&s->srv->mechanisms, s->conn, s->clear_ok) ||
	    (conn_tls(s->conn) != NULL && !conn_is_secure(s->conn)))
		return;
	s->greeted = true;
	sieved_put_capabilities(s);
}

static void
on_mechanisms(void *arg)
{
	struct sieved_server *srv = arg;
	struct list *node, *tmp;

	list_each(node, tmp, &srv->sessions)
		greet(list_entry(node, struct sieved_session, node));
}

/* Behind STARTTLS the capabilities come again, behind TLS from the start for the first
 * time. */
static void
on_secured(struct conn *c, void *arg)
{
	struct sieved_session *s = arg;

	LOG(&s->log, DEBUG, "sieve.tls", KV_STR("version", tls_version_name(conn_tls(c))),
	    KV_STR("cipher", tls_cipher_name(conn_tls(c))));
	greet(s);
}

static void
on_closed(struct conn *c, enum conn_end why, void *arg)
{
	struct sieved_session *s = arg;

	if (why == CONN_TLS_FAILED)
		LOG(&s->log, INFO, "sieve.tls-failed", KV_STR("error", conn_tls_error(c)));
	else if (why == CONN_IDLE)
		LOG(&s->log, INFO, "sieve.idle");
	sieved_session_free(&s);
}

static const struct conn_ops conn_ops = {
	.data = on_data, .eof = on_eof, .drained = on_drained, .secured = on_secured,
	.closed = on_closed
};

static void
on_timer(void *arg)
{
	struct sieved_session *s = arg;

	if (s->state == SIEVED_IN_START)
		sieved_bye(s, NULL, "Login took too long");
	else if (s->busy && !conn_full(s->conn))
		sieved_session_restart_timer(s);	/* we are the slow ones */
	else
		sieved_bye(s, NULL, "Idle for too long");
}

struct sieved_session *
sieved_session_new(struct sieved_server *srv, int fd, const char *id, const char *peer,
    const struct conf_listener *listener)
{
	const struct conf_managesieve *conf = &srv->conf->managesieve;
	struct sieved_session *s = mem_zalloc(sizeof(*s));
	bool implicit = listener->tls == CONF_TLS_IMPLICIT;

	s->srv = srv;
	snprintf(s->id, sizeof(s->id), "%s", id);
	snprintf(s->peer, sizeof(s->peer), "%s", peer);
	s->log = (struct log_ctx){ .conn = s->id, .peer = s->peer };
	s->state = SIEVED_IN_START;
	s->clear_ok = listener->cleartext_login;
	s->starttls = listener->tls == CONF_TLS_STARTTLS && srv->tls != NULL;
	s->busy = true;		/* until it is greeted */
	list_push_back(&srv->sessions, &s->node);
	imap_reader_init(&s->reader, conf->max_line_bytes);
	s->conn = conn_new(srv->loop, fd, implicit ? srv->tls : NULL, &conn_ops, s);
	conn_set_water(s->conn, OUT_HIGH / 4, OUT_HIGH);
	conn_set_in_max(s->conn, IN_MAX);
	conn_set_idle(s->conn, ((uint64_t)conf->idle_timeout_s + IDLE_MORE_S) * 1000);
	sasl_session_init(&s->sasl, &sieved_sasl, s, &(struct sasl_client){ .auth = srv->auth,
	    .conn = s->conn, .id = s->id, .peer = s->peer, .clear_ok = s->clear_ok });
	s->timer = loop_timer_new(srv->loop, on_timer, s);
	sieved_session_restart_timer(s);
	LOG(&s->log, DEBUG, "sieve.connect", KV_STR("listener", listener->head.name));
	login_mechanisms_ask(&srv->mechanisms, srv->auth);
	greet(s);
	return s;
}

bool
sieved_session_may_login(const struct sieved_session *s)
{
	return conn_tls(s->conn) != NULL || s->clear_ok;
}

bool
sieved_session_may_starttls(const struct sieved_session *s)
{
	return s->starttls && conn_tls(s->conn) == NULL;
}

/* ---- all of them ---- */

void
sieved_server_configured(struct sieved_server *srv, const struct mansio_conf *conf,
    struct tls_ctx *tls)
{
	srv->conf = conf;
	srv->tls = tls;
	sieved_language_set(&srv->language, conf);
	login_mechanisms_renew(&srv->mechanisms, srv->auth);
}

void
sieved_server_init(struct sieved_server *srv)
{
	list_init(&srv->sessions);
	srv->stores = store_pool_new(srv->loop);
	srv->mechanisms.came = on_mechanisms;
	srv->mechanisms.arg = srv;
}

void
sieved_server_drain(struct sieved_server *srv)
{
	struct list *node, *tmp;

	srv->draining = true;
	list_each(node, tmp, &srv->sessions) {
		struct sieved_session *s = list_entry(node, struct sieved_session, node);

		if (!s->busy || !s->greeted)
			sieved_bye(s, "TRYLATER", "The server is going down, connect again");
	}
}

/* The id of a ticket is opaque here: the store tells the one channel.  Without an id all
 * of the account's are meant. */
void
sieved_server_revoked(struct sieved_server *srv, const struct auth_revoked *r)
{
	struct list *node, *tmp;

	list_each(node, tmp, &srv->sessions) {
		struct sieved_session *s = list_entry(node, struct sieved_session, node);

		if (r->id.len == 0 && s->user != NULL && s->account == r->account)
			sieved_bye(s, NULL, "The login was ended by the server");
	}
}

void
sieved_server_fini(struct sieved_server *srv)
{
	while (srv->sessions.next != NULL && !list_empty(&srv->sessions)) {
		struct sieved_session *s = list_entry(srv->sessions.next, struct sieved_session, node);

		sieved_session_free(&s);
	}
	login_mechanisms_fini(&srv->mechanisms);
	counts_fini(&srv->counts);
	sieved_language_fini(&srv->language);
	store_pool_free(&srv->stores);
}
