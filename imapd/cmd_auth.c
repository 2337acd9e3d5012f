/* STARTTLS, AUTHENTICATE, LOGIN: how a session comes to its account. */
#include "imapd/names.h"

#include "imapd/notify.h"

#include <string.h>

#include "common/crypto/encode.h"
#include "common/proto/sasl.h"
#include "common/util/mem.h"

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

static void
on_renewed(void *arg, struct span ticket)
{
	struct imap_session *s = arg;

	if (ticket.len == 0) {
		imap_session_bye(s, "[EXPIRED] The login has expired");
		return;
	}
	store_renew(s->home, ticket);
	imap_names_renew(s, ticket);
}

void
imap_server_renew(struct imap_server *srv)
{
	struct list *node, *tmp;
	uint64_t n = 0;

	list_each(node, tmp, &srv->sessions)
		login_renew(&list_entry(node, struct imap_session, node)->login, n++);
}

static void
granted(struct imap_cmd *cmd, const struct auth_granted *g)
{
	struct imap_session *s = cmd->session;

	if (!counts_enter_account(&s->srv->counts, g->account, s->srv->conf->max_user_connections)) {
		auth_logout(s->srv->auth, g->ticket);
		LOG(&s->log, WARN, "imap.too-many-connections", KV_SPAN("user", g->user));
		imap_cmd_end(cmd, "NO [LIMIT] Too many connections of this user");
		return;
	}
	s->user = span_dup(g->user);
	s->log.user = s->user;
	s->account = g->account;
	s->watching = false;
	s->shard = g->shard;
	s->home = s->store = store_open_channel(s->srv->stores, g->shard, g->ticket,
	    on_store_event, s);
	login_begin(&s->login, s->srv->loop, s->srv->auth, g, on_renewed, s);
	imap_session_set_state(s, IMAP_IN_AUTH);
	LOG(&s->log, INFO, "imap.login", KV_STR("tls", conn_tls(s->conn) != NULL ?
	    tls_version_name(conn_tls(s->conn)) : "no"));
	buf_clear(&cmd->result);
	if (g->referral.len > 0 && imap_cap_on(s, CAP_LOGIN_REFERRALS)) {
		buf_add_str(&cmd->result, "OK [REFERRAL ");
		buf_add_span(&cmd->result, g->referral);
		buf_add_str(&cmd->result, "] Logged in to what others share; your own mailboxes are "
		    "on that server");
	} else {
		buf_add_str(&cmd->result, "OK [CAPABILITY ");
		imap_capabilities(s, &cmd->result);
		buf_add_str(&cmd->result, "] Logged in");
	}
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

/* The password was right, and there is no mailbox here (RFC 2221 §4.1). */
static void
referred(struct imap_cmd *cmd, struct span url)
{
	if (!imap_cap_on(cmd->session, CAP_LOGIN_REFERRALS)) {
		imap_cmd_end(cmd, "NO [CONTACTADMIN] The account is kept on another server");
		return;
	}
	buf_clear(&cmd->result);
	buf_add_str(&cmd->result, "NO [REFERRAL ");
	buf_add_span(&cmd->result, url);
	buf_add_str(&cmd->result, "] The account is kept on another server");
	imap_cmd_end_result(cmd);
}

static void
failed(struct imap_cmd *cmd, enum status st, const struct auth_failure *f)
{
	struct imap_session *s = cmd->session;

	if (st == ST_DENIED && f != NULL && f->reason == AUTH_WHY_REFERRED) {
		referred(cmd, f->data);
		return;
	}

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
	copy->referral = arena_span(&cmd->arena, g->referral);
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
	struct auth_start start = {
		.mechanism = mechanism, .initial = initial, .flags = (uint8_t)flags,
		.service = AUTH_IMAP, .conn = span_str(s->id), .peer = span_str(s->peer)
	};

	s->exchange = login_start(s->srv->auth, s->conn, s->clear_ok, &start, on_auth, cmd);
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
	sasl_plain_put(&plain, &(struct sasl_plain){ .authcid = user, .password = password });
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
