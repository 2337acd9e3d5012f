/* The life of a session: bytes become commands, commands become answers. */
#include "sieved/session.h"

#include "common/util/mem.h"
#include "storage/api/store_sieve.h"

#define IN_MAX		(64u << 10)	/* of a connection, without asking */
#define OUT_HIGH	(256u << 10)
#define START_MAX	(AUTH_DATA_MAX / 3 * 4 + 1024)	/* of literals, before the login */
#define OTHER_MAX	4096u		/* of a command that takes no script */
#define SWALLOW_MAX	(16u << 20)	/* a literal that is too large, and passed over */
#define IDLE_MORE_S	60		/* what closes a connection on which we can say nothing */

static void
on_ended(struct front_session *base)
{
	struct sieved_session *s = list_entry(base, struct sieved_session, base);

	s->answering = false;
	sieved_log_out(s);
	imap_reader_fini(&s->reader);
	buf_fini(&s->warnings);
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
		front_session_kick(&s->base);
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
take(struct front_session *base)
{
	struct sieved_session *s = list_entry(base, struct sieved_session, base);

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
on_drained(struct conn *c, void *arg)
{
	front_session_kick(arg);
}

/* ---- beginning ---- */

/* Not before it is known what can be offered: capabilities must not change by themselves
 * (RFC 5804 §1.7). */
static void
greet(struct front_session *base)
{
	struct sieved_session *s = list_entry(base, struct sieved_session, base);

	if (s->greeted || s->ending ||
	    login_mechanisms_pending(&s->srv->mechanisms, s->conn, s->clear_ok) ||
	    (conn_tls(s->conn) != NULL && !conn_is_secure(s->conn)))
		return;
	s->greeted = true;
	sieved_put_capabilities(s);
}

static const struct conn_ops conn_ops = {
	.data = front_on_data, .eof = front_on_eof, .drained = on_drained,
	.secured = front_on_secured, .closed = front_on_closed
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

	s->srv = srv;
	s->state = SIEVED_IN_START;
	s->busy = true;		/* until it is greeted */
	imap_reader_init(&s->reader, conf->max_line_bytes);
	front_session_open(&s->base, &srv->front, fd, id, peer, listener, &conn_ops, &sieved_sasl,
	    on_timer);
	conn_set_water(s->conn, OUT_HIGH / 4, OUT_HIGH);
	conn_set_in_max(s->conn, IN_MAX);
	conn_set_idle(s->conn, ((uint64_t)conf->idle_timeout_s + IDLE_MORE_S) * 1000);
	sieved_session_restart_timer(s);
	greet(&s->base);
	return s;
}

/* ---- what the worker asks for ---- */

static void
on_configured(struct front *f, const struct mansio_conf *conf)
{
	struct sieved_server *srv = list_entry(f, struct sieved_server, front);

	srv->conf = conf;
	sieved_language_set(&srv->language, conf);
}

static void
on_accept(struct front *f, int fd, const char *id, const char *peer,
    const struct conf_listener *listener)
{
	sieved_session_new(list_entry(f, struct sieved_server, front), fd, id, peer, listener);
}

static void
on_fini(struct front *f)
{
	sieved_language_fini(&list_entry(f, struct sieved_server, front)->language);
}

static void
on_bye(struct front_session *base, enum front_why why)
{
	struct sieved_session *s = list_entry(base, struct sieved_session, base);

	if (why == FRONT_EXPIRED)
		sieved_bye(s, NULL, "The login has expired");
	else if (why == FRONT_REVOKED)
		sieved_bye(s, NULL, "The login was ended by the server");
	else if (!s->busy || !s->greeted)
		sieved_bye(s, "TRYLATER", "The server is going down, connect again");
}

static void
on_renewed(struct front_session *base, struct span ticket)
{
	store_renew(list_entry(base, struct sieved_session, base)->store, ticket);
}

/* Behind STARTTLS the capabilities come again, behind TLS from the start for the first
 * time. */
const struct front_ops sieved_front = {
	.program = "sieved",
	.too_many = "BYE (TRYLATER) \"Too many connections from your address\"\r\n",
	.ev_connect = "sieve.connect", .ev_tls = "sieve.tls", .ev_tls_failed = "sieve.tls-failed",
	.ev_idle = "sieve.idle", .ev_too_many_connections = "sieve.too-many-connections",
	.configured = on_configured, .accept = on_accept, .fini = on_fini, .take = take,
	.mechanisms = greet, .secured = greet, .renewed = on_renewed, .bye = on_bye,
	.ended = on_ended
};
