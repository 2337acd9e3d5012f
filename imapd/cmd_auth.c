/* STARTTLS, AUTHENTICATE, LOGIN: how a session comes to its account. */
#include "imapd/names.h"
#include "imapd/notify.h"

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
	front_start_tls(&s->base);
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
on_granted(void *arg, const struct auth_granted *g)
{
	struct imap_session *s = arg;
	struct imap_cmd *cmd = s->cmd;

	if (!front_enter(&s->base, g, s->srv->conf->max_user_connections)) {
		imap_cmd_end(cmd, "NO [LIMIT] Too many connections of this user");
		return;
	}
	s->watching = false;
	s->shard = g->shard;
	s->home = s->store = store_open_channel(s->srv->stores, g->shard, g->ticket,
	    on_store_event, s);
	imap_session_set_state(s, IMAP_IN_AUTH);
	LOG(&s->log, INFO, "imap.login", KV_STR("tls", front_tls_name(&s->base)));
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

/* Before the text of a refusal. */
static const char *const refusals[SASL_REFUSALS] = {
	[SASL_FAILED] = "NO [AUTHENTICATIONFAILED] ",
	[SASL_AWAY] = "NO [UNAVAILABLE] ",
	[SASL_MALFORMED] = "BAD ",
	[SASL_NOT_OFFERED] = "NO [CANNOT] ",
	[SASL_TOO_MANY] = "NO [UNAVAILABLE] ",
	[SASL_EXPIRED] = "NO [EXPIRED] ",
	[SASL_DISABLED] = "NO [CONTACTADMIN] ",
	[SASL_CLEARTEXT] = "NO [PRIVACYREQUIRED] ",
	[SASL_REFERRED] = "NO [CONTACTADMIN] ",
	[SASL_NOT_ALLOWED] = "NO [AUTHORIZATIONFAILED] ",
};

static void
refuse(struct imap_cmd *cmd, enum sasl_refusal why)
{
	buf_clear(&cmd->result);
	buf_add_str(&cmd->result, refusals[why]);
	buf_add_str(&cmd->result, sasl_refusal_text(why));
	imap_cmd_end_result(cmd);
}

/* The password was right, and there is no mailbox here (RFC 2221 §4.1). */
static void
referred(struct imap_cmd *cmd, struct span url)
{
	buf_clear(&cmd->result);
	buf_add_str(&cmd->result, "NO [REFERRAL ");
	buf_add_span(&cmd->result, url);
	buf_add_str(&cmd->result, "] ");
	buf_add_str(&cmd->result, sasl_refusal_text(SASL_REFERRED));
	imap_cmd_end_result(cmd);
}

static void
on_refused(void *arg, enum sasl_refusal why, struct span data)
{
	struct imap_session *s = arg;

	if (why == SASL_REFERRED && imap_cap_on(s, CAP_LOGIN_REFERRALS)) {
		referred(s->cmd, data);
		return;
	}
	refuse(s->cmd, why);
	if (why == SASL_REFERRED || s->ending || ++s->failed_logins < s->srv->conf->max_logins)
		return;
	LOG(&s->log, INFO, "imap.login-limit", KV_UINT("failed", s->failed_logins));
	imap_session_bye(s, "Too many failed logins");
}

static bool read_answer(struct imap_cmd *cmd);

/* Nothing is read before: what was pipelined behind the command answers no challenge
 * unless there is one. */
static void
on_challenge(void *arg, struct span base64)
{
	struct imap_session *s = arg;
	struct buf *out = imap_out(s);

	imap_reader_next(&s->reader);
	s->cmd->input = read_answer;
	imap_session_kick(s);

	buf_add_str(out, "+ ");
	buf_add_span(out, base64);
	buf_add_str(out, "\r\n");
}

static void
on_abandoned(void *arg, const char *text)
{
	struct imap_cmd *cmd = ((struct imap_session *)arg)->cmd;

	buf_clear(&cmd->result);
	buf_addf(&cmd->result, "BAD %s", text);
	imap_cmd_end_result(cmd);
}

/* RFC 3501 has no place for data in the tagged line; the client answers it with an empty
 * line. */
const struct sasl_ops imap_sasl = {
	.service = AUTH_IMAP, .challenge = on_challenge, .granted = on_granted,
	.refused = on_refused, .abandoned = on_abandoned
};

/* login = "LOGIN" SP userid SP password */
static void
cmd_login(struct imap_cmd *cmd)
{
	struct span user, password;

	imap_args_sp(&cmd->args);
	user = imap_args_astring(&cmd->args);
	imap_args_sp(&cmd->args);
	password = imap_args_astring(&cmd->args);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (!imap_session_may_login(cmd->session))
		refuse(cmd, SASL_CLEARTEXT);
	else
		(void)sasl_password(&cmd->session->sasl, user, password);
}

static bool
read_answer(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;

	switch (imap_reader_read(&s->reader, conn_in(s->conn))) {
	case IMAP_READ_COMMAND:
		if (sasl_answer(&s->sasl, buf_span(&s->reader.text)))
			cmd->input = NULL;
		return true;
	case IMAP_READ_MORE:
		return false;
	case IMAP_READ_LITERAL:
		sasl_abandon(&s->sasl, "Malformed base64");
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
	if (with && !sasl_initial(text, &initial))
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
	if (imap_cap_disabled(s->srv->conf, buf_span(&mechanism)))
		refuse(cmd, SASL_NOT_OFFERED);
	else if (sasl_is_exposed(&s->sasl, name))
		refuse(cmd, SASL_CLEARTEXT);
	else
		sasl_start(&s->sasl, name, with ? &initial : NULL);
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
