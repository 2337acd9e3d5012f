/* STARTTLS, AUTHENTICATE, LOGIN: how a session comes to its account. */
#include "imapd/names.h"

#include "imapd/notify.h"

#include <string.h>

#include "common/crypto/encode.h"
#include "common/util/clock.h"
#include "common/util/mem.h"

#define RENEW_EARLY_S	60	/* before a ticket expires */
#define RENEW_AGAIN_S	10	/* after authd could not be asked */

unsigned
imap_mechanism_flags(const struct imap_session *s)
{
	return (conn_tls(s->conn) != NULL ? AUTH_TLS : 0) | (s->clear_ok ? AUTH_CLEAR_OK : 0);
}

struct asking {
	struct imap_server	*srv;
	unsigned		flags;
};

static void
on_mechanisms(void *arg, enum status st, struct span names)
{
	struct asking *q = arg;

	q->srv->asking[q->flags] = NULL;
	if (st == ST_OK) {
		buf_clear(&q->srv->mechanisms[q->flags]);
		buf_add_span(&q->srv->mechanisms[q->flags], names);
	}
	mem_free(&q);
}

void
imap_server_ask_mechanisms(struct imap_server *srv)
{
	for (unsigned f = 0; f < 4; f++) {
		struct asking *q;

		if (srv->mechanisms[f].len > 0 || srv->asking[f] != NULL)
			continue;
		q = mem_alloc(sizeof(*q));
		*q = (struct asking){ srv, f };
		srv->asking[f] = auth_mechanisms(srv->auth, (uint8_t)f, on_mechanisms, q);
	}
}

static void
cmd_starttls(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;

	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (!imap_session_may_starttls(s)) {
		imap_cmd_end(cmd, "BAD STARTTLS is not offered here");
		return;
	}
	cmd->no_sync = true;
	imap_cmd_end(cmd, "OK Begin TLS negotiation now");
	if (s->ending)
		return;
	/* What came in clear behind the command is nobody's (RFC 9051 §6.2.1). */
	buf_clear(conn_in(s->conn));
	if (!conn_start_tls(s->conn, s->srv->tls))
		imap_session_cut(s);
}

/* compress = "COMPRESS" SP "DEFLATE"  (RFC 4978) */
static void
cmd_compress(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct span name;

	imap_args_sp(&cmd->args);
	name = imap_args_atom(&cmd->args);
	if (imap_args_good(&cmd->args) && !span_caseeq_str(name, "DEFLATE"))
		imap_args_fail(&cmd->args, "Only DEFLATE is known");
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	cmd->no_sync = true;
	/* Never by TLS, which comes without compression here. */
	if (conn_compressed(s->conn)) {
		imap_cmd_end(cmd, "BAD [COMPRESSIONACTIVE] DEFLATE is active already");
		return;
	}
	imap_cmd_end(cmd, "OK DEFLATE active");
	if (!s->ending)
		conn_start_compress(s->conn);
}

/* unauthenticate = "UNAUTHENTICATE"  (RFC 8437) */
static void
cmd_unauthenticate(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;

	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	imap_session_leave(s);
	imap_cmd_done(cmd, ST_OK);
	if (!s->ending && conn_compressed(s->conn) && !conn_end_compress(s->conn))
		imap_session_cut(s);
}

/* ---- the login ---- */

void
imap_store_event(struct imap_session *s, enum store_event ev, uint64_t modseq)
{
	if (s->ending)
		return;
	if (ev == STORE_EV_QUOTA) {
		s->quota_near = modseq;
		if (s->cmd != NULL && imap_cmd_is_idle(s->cmd))
			imap_tell_quota(s);
		return;
	}
	if (ev == STORE_EV_REVOKED) {
		imap_session_bye(s, "[UNAVAILABLE] The login was ended by the server");
		return;
	}
	if (ev == STORE_EV_DIRTY && modseq > s->dirty_modseq)
		s->dirty_modseq = modseq;
	if (s->view != NULL)
		s->view->dirty = true;
	imap_notify_note(s);
	if ((s->view != NULL || s->notify != NULL) && s->cmd != NULL && imap_cmd_is_idle(s->cmd))
		imap_idle_dirty(s->cmd);
}

static void
on_store_event(void *arg, enum store_event ev, uint64_t modseq)
{
	struct imap_session *s = arg;

	/* While another's mailbox is selected the own ones tell nothing of it. */
	if (ev == STORE_EV_REVOKED || ev == STORE_EV_QUOTA || s->store == s->home)
		imap_store_event(s, ev, modseq);
}

static void on_renew_due(void *arg);

static void
renew_at(struct imap_session *s, int64_t expires_s)
{
	int64_t in_s = expires_s - clock_wall_s() - RENEW_EARLY_S;

	if (expires_s <= 0)
		return;
	loop_timer_set(s->renew, (uint64_t)(in_s > 1 ? in_s : 1) * 1000);
}

static void
on_renewed(void *arg, enum status st, const struct auth_renewed *r)
{
	struct imap_session *s = arg;

	s->renewing = NULL;
	if (st == ST_UNAVAILABLE) {
		loop_timer_set(s->renew, RENEW_AGAIN_S * 1000);
	} else if (st != ST_OK) {
		imap_session_bye(s, "[EXPIRED] The login has expired");
	} else {
		buf_fini_secret(&s->ticket);
		buf_add_span(&s->ticket, r->ticket);
		store_renew(s->home, r->ticket);
		imap_names_renew(s, r->ticket);
		renew_at(s, r->expires_s);
	}
}

static void
on_renew_due(void *arg)
{
	struct imap_session *s = arg;

	s->renewing = auth_renew(s->srv->auth, buf_span(&s->ticket), on_renewed, s);
}

void
imap_server_renew(struct imap_server *srv)
{
	struct list *node, *tmp;
	uint64_t n = 0;

	list_each(node, tmp, &srv->sessions) {
		struct imap_session *s = list_entry(node, struct imap_session, node);

		/* one after the other: there may be thousands */
		if (s->renew != NULL && s->renewing == NULL)
			loop_timer_set(s->renew, 100 + n++ % (RENEW_ANEW_S * 1000 - 100));
	}
}

static unsigned
count_user(const struct imap_session *s, uint64_t account)
{
	struct list *node, *tmp;
	unsigned n = 0;

	list_each(node, tmp, &s->srv->sessions) {
		const struct imap_session *other = list_entry(node, struct imap_session, node);

		n += other->user != NULL && other->account == account && !other->ending;
	}
	return n;
}

static void
granted(struct imap_cmd *cmd, const struct auth_granted *g)
{
	struct imap_session *s = cmd->session;

	if (count_user(s, g->account) >= s->srv->conf->max_user_connections) {
		auth_logout(s->srv->auth, g->ticket);
		LOG(&s->log, WARN, "imap.too-many-connections", KV_SPAN("user", g->user));
		imap_cmd_end(cmd, "NO [LIMIT] Too many connections of this user");
		return;
	}
	s->user = span_dup(g->user);
	s->log.user = s->user;
	s->account = g->account;
	buf_add_span(&s->ticket, g->ticket);
	s->watching = false;
	s->shard = g->shard;
	s->home = s->store = store_open_channel(s->srv->stores, g->shard, g->ticket,
	    on_store_event, s);
	s->renew = loop_timer_new(s->srv->loop, on_renew_due, s);
	renew_at(s, g->expires_s);
	imap_session_set_state(s, IMAP_IN_AUTH);
	LOG(&s->log, INFO, "imap.login", KV_STR("tls", conn_tls(s->conn) != NULL ?
	    tls_version_name(conn_tls(s->conn)) : "no"));
	buf_clear(&cmd->result);
	buf_add_str(&cmd->result, "OK [CAPABILITY ");
	imap_capabilities(s, &cmd->result);
	buf_add_str(&cmd->result, "] Logged in");
	imap_cmd_end_result(cmd);
}

static const char *
failure_text(enum status st, const struct auth_failure *f)
{
	if (st == ST_UNAVAILABLE)
		return "NO [UNAVAILABLE] Logins cannot be checked at the moment";
	if (st == ST_SYNTAX)
		return "BAD Malformed authentication data";
	if (st == ST_UNSUPPORTED)
		return "NO [CANNOT] This mechanism is not offered";
	if (st == ST_LIMIT)
		return "NO [UNAVAILABLE] Too many attempts, try later";
	switch (f != NULL ? f->reason : AUTH_WHY_CREDENTIALS) {
	case AUTH_WHY_EXPIRED:
		return "NO [EXPIRED] The password has expired";
	case AUTH_WHY_DISABLED:
		return "NO [CONTACTADMIN] The account is disabled";
	case AUTH_WHY_CLEARTEXT:
		return "NO [PRIVACYREQUIRED] Not without encryption";
	case AUTH_WHY_THROTTLED:
		return "NO [UNAVAILABLE] Too many attempts, try later";
	case AUTH_WHY_BACKEND:
		return "NO [UNAVAILABLE] Logins cannot be checked at the moment";
	case AUTH_WHY_AUTHZ:
		return "NO [AUTHORIZATIONFAILED] Not allowed to act for this user";
	}
	return "NO [AUTHENTICATIONFAILED] Login failed";
}

static void
failed(struct imap_cmd *cmd, enum status st, const struct auth_failure *f)
{
	struct imap_session *s = cmd->session;

	imap_cmd_end(cmd, failure_text(st, f));
	if (s->ending || ++s->failed_logins < s->srv->conf->max_logins)
		return;
	LOG(&s->log, INFO, "imap.login-limit", KV_UINT("failed", s->failed_logins));
	imap_session_bye(s, "Too many failed logins");
}

static bool read_answer(struct imap_cmd *cmd);

/* Nothing is read before: what was pipelined behind the command answers no challenge
 * unless there is one. */
static void
challenge(struct imap_cmd *cmd, struct span data)
{
	struct buf *out = imap_out(cmd->session);

	imap_reader_next(&cmd->session->reader);
	cmd->input = read_answer;
	imap_session_kick(cmd->session);

	buf_add_str(out, "+ ");
	base64_encode(data, out);
	buf_add_str(out, "\r\n");
}

/* The client never came to the end of it. */
static void
give_back(struct imap_cmd *cmd)
{
	const struct auth_granted *g = cmd->data;

	if (cmd->session->user == NULL)
		auth_logout(cmd->session->srv->auth, g->ticket);
}

/* Remembers the grant until the client has acknowledged the data. */
static void
keep(struct imap_cmd *cmd, const struct auth_granted *g)
{
	struct auth_granted *copy = arena_dup(&cmd->arena, g, sizeof(*g));

	copy->ticket = arena_span(&cmd->arena, g->ticket);
	copy->user = arena_span(&cmd->arena, g->user);
	copy->data = SPAN_NONE;
	cmd->data = copy;
	cmd->release = give_back;
}

static void
on_auth(void *arg, const struct auth_result *r)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;

	if (r->challenge != NULL) {
		challenge(cmd, r->challenge->data);
		return;
	}
	s->exchange = NULL;
	if (r->granted == NULL) {
		failed(cmd, r->st, r->failure);
		return;
	}
	/* Data that goes with success travels as one more challenge (RFC 3501 has no place
	 * for it in the tagged line); the client answers with an empty line. */
	if (r->granted->data.len > 0 && cmd->def->run != imap_cmds_auth[2].run) {
		challenge(cmd, r->granted->data);
		keep(cmd, r->granted);
		return;
	}
	granted(cmd, r->granted);
}

static void
start_exchange(struct imap_cmd *cmd, struct span mechanism, struct span initial, unsigned flags)
{
	struct imap_session *s = cmd->session;
	struct buf names = { 0 };
	unsigned char binding[TLS_CB_EXPORTER_LEN];
	struct auth_start start = {
		.mechanism = mechanism, .initial = initial,
		.flags = (uint8_t)(flags | imap_mechanism_flags(s)), .service = AUTH_IMAP,
		.conn = span_str(s->id), .peer = span_str(s->peer)
	};

	if (conn_tls(s->conn) != NULL && tls_exporter(conn_tls(s->conn), TLS_CB_EXPORTER_LABEL,
	    binding, sizeof(binding)))
		start.binding = span(binding, sizeof(binding));
	if (span_eq_str(mechanism, "EXTERNAL"))
		tls_peer_names(conn_tls(s->conn), &names);
	start.identities = buf_span(&names);
	s->exchange = auth_exchange_start(s->srv->auth, &start, on_auth, cmd);
	buf_fini(&names);
}

/* login = "LOGIN" SP userid SP password */
static void
cmd_login(struct imap_cmd *cmd)
{
	struct span user, password;
	struct buf plain = { 0 };

	imap_args_sp(&cmd->args);
	user = imap_args_astring(&cmd->args);
	imap_args_sp(&cmd->args);
	password = imap_args_astring(&cmd->args);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (!imap_session_may_login(cmd->session)) {
		imap_cmd_end(cmd, "NO [PRIVACYREQUIRED] Not without encryption");
		return;
	}
	if (user.len > AUTH_NAME_MAX || password.len > AUTH_DATA_MAX - AUTH_NAME_MAX - 2) {
		failed(cmd, ST_DENIED, NULL);
		return;
	}
	buf_add_c(&plain, '\0');
	buf_add_span(&plain, user);
	buf_add_c(&plain, '\0');
	buf_add_span(&plain, password);
	start_exchange(cmd, SPAN_LIT("PLAIN"), buf_span(&plain), AUTH_IR | AUTH_LOGIN_CMD);
	buf_fini_secret(&plain);
}

static void
abandon(struct imap_cmd *cmd, const char *text)
{
	auth_exchange_cancel(&cmd->session->exchange);
	imap_cmd_end(cmd, text);
}

/* A line that answers a challenge. */
static void
take_answer(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct span line = buf_span(&s->reader.text);
	struct buf data = { 0 };

	if (span_eq_str(line, "*")) {
		abandon(cmd, "BAD Authentication was cancelled");
	} else if (!base64_decode(line, AUTH_DATA_MAX, &data)) {
		abandon(cmd, "BAD Malformed base64");
	} else if (cmd->data != NULL) {
		granted(cmd, cmd->data);
	} else {
		cmd->input = NULL;
		auth_exchange_step(s->exchange, buf_span(&data));
	}
	buf_fini_secret(&data);
}

static bool
read_answer(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;

	switch (imap_reader_read(&s->reader, conn_in(s->conn))) {
	case IMAP_READ_COMMAND:
		take_answer(cmd);
		return true;
	case IMAP_READ_MORE:
		return false;
	case IMAP_READ_LITERAL:
		abandon(cmd, "BAD Malformed base64");
		return true;
	default:
		imap_session_bye(s, "[TOOBIG] The line is too long");
		return false;
	}
}

/* authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")]  (RFC 4959) */
static void
cmd_authenticate(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct buf mechanism = { 0 }, initial = { 0 };
	struct span name, text;
	bool with;

	imap_args_sp(&cmd->args);
	name = imap_args_atom(&cmd->args);
	with = imap_cap_on(s, CAP_SASL_IR) && imap_args_try(&cmd->args, ' ');
	text = with ? imap_args_atom(&cmd->args) : SPAN_NONE;
	if (with && !span_eq_str(text, "=") && !base64_decode(text, AUTH_DATA_MAX, &initial))
		imap_args_fail(&cmd->args, "Malformed base64");
	if (name.len > 40)
		imap_args_fail(&cmd->args, "No such mechanism");
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		buf_fini_secret(&initial);
		return;
	}
	buf_add_str(&mechanism, "AUTH=");
	buf_add_span(&mechanism, name);
	if (imap_cap_disabled(s->srv->conf, buf_span(&mechanism))) {
		imap_cmd_end(cmd, "NO [CANNOT] This mechanism is not offered");
		goto out;
	}
	buf_clear(&mechanism);
	for (size_t i = 0; i < name.len; i++)
		buf_add_c(&mechanism, ascii_upper(name.p[i]));
	if (!imap_session_may_login(s) && (span_eq_str(buf_span(&mechanism), "PLAIN") ||
	    span_eq_str(buf_span(&mechanism), "LOGIN"))) {
		imap_cmd_end(cmd, "NO [PRIVACYREQUIRED] Not without encryption");
	} else {
		start_exchange(cmd, buf_span(&mechanism), buf_span(&initial), with ? AUTH_IR : 0);
	}
out:
	buf_fini(&mechanism);
	buf_fini_secret(&initial);
}

const struct imap_command imap_cmds_auth[] = {
	/* name			allowed in	flags			cap	run */
	{ "STARTTLS",		IMAP_IN_START,	0,			CAP_STARTTLS,		cmd_starttls },
	{ "AUTHENTICATE",	IMAP_IN_START,	IMAP_CMD_SECRET,	CAP_NONE,		cmd_authenticate },
	{ "LOGIN",		IMAP_IN_START,	IMAP_CMD_SECRET,	CAP_NONE,		cmd_login },
	{ "COMPRESS",		IMAP_IN_LOGIN,	0,			CAP_COMPRESS_DEFLATE,	cmd_compress },
	{ "UNAUTHENTICATE",	IMAP_IN_LOGIN,	0,			CAP_UNAUTHENTICATE,	cmd_unauthenticate },
	{ 0 }
};
