/* CAPABILITY, NOOP, CHECK, LOGOUT, ID, ENABLE. */
#include "config.h"
#include "imapd/session.h"

#include "imapd/notify.h"
#include "imapd/sync.h"

static void
cmd_capability(struct imap_cmd *cmd)
{
	struct buf *out = imap_out(cmd->session);

	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	buf_add_str(out, "* CAPABILITY ");
	imap_capabilities(cmd->session, out);
	buf_add_str(out, "\r\n");
	imap_cmd_done(cmd, ST_OK);
}

static void
cmd_noop(struct imap_cmd *cmd)
{
	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else
		imap_cmd_done(cmd, ST_OK);
}

static void
cmd_logout(struct imap_cmd *cmd)
{
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	buf_add_str(imap_out(cmd->session), "* BYE Until next time\r\n");
	cmd->no_sync = true;
	imap_cmd_done(cmd, ST_OK);
}

/* Versions are for those who have an account (RFC 2971 §4). */
static void
put_id(struct imap_session *s)
{
	struct buf *out = imap_out(s);

	if (s->srv->conf->id == CONF_ID_NOTHING)
		buf_add_str(out, "* ID NIL\r\n");
	else if (s->srv->conf->id == CONF_ID_NAME || s->state == IMAP_IN_START)
		buf_add_str(out, "* ID (\"name\" \"Mansio\")\r\n");
	else
		buf_add_str(out, "* ID (\"name\" \"Mansio\" \"version\" \"" PACKAGE_VERSION "\")\r\n");
}

#define ID_PAIRS_MAX 30		/* RFC 2971 §3.3 */

/* id = "ID" SP ("(" [string SP nstring *(SP ...)] ")" / NIL).  What clients tell is
 * logged, never used. */
static void
cmd_id(struct imap_cmd *cmd)
{
	struct imap_args *a = &cmd->args;
	struct buf seen = { 0 };
	unsigned n = 0;
	bool nil;

	imap_args_sp(a);
	if (!imap_args_word(a, "NIL")) {
		imap_args_expect(a, '(');
		while (imap_args_good(a) && !imap_args_peek(a, ')')) {
			struct span field, value;

			if (n > 0)
				imap_args_sp(a);
			field = imap_args_string(a);
			imap_args_sp(a);
			value = imap_args_nstring(a, &nil);
			if (++n > ID_PAIRS_MAX || field.len > 30 || value.len > 1024)
				imap_args_fail(a, "Too much to identify");
			if (!nil && imap_args_good(a)) {
				buf_add_span(&seen, field);
				buf_add_c(&seen, '=');
				buf_add_span(&seen, value);
				buf_add_c(&seen, ' ');
			}
		}
		imap_args_expect(a, ')');
	}
	if (!imap_args_end(a)) {
		buf_fini(&seen);
		imap_cmd_syntax(cmd);
		return;
	}
	LOG(&cmd->session->log, DEBUG, "imap.id", KV_SPAN("client", buf_span(&seen)));
	buf_fini(&seen);
	put_id(cmd->session);
	imap_cmd_done(cmd, ST_OK);
}

/* enable = "ENABLE" 1*(SP capability)  (RFC 5161 §3.1) */
static void
cmd_enable(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct buf enabled = { 0 };
	struct span name;
	struct imap_args check = cmd->args;

	do {
		imap_args_sp(&check);
		imap_args_atom(&check);
	} while (imap_args_peek(&check, ' '));
	if (!imap_args_end(&check)) {
		cmd->args = check;
		imap_cmd_syntax(cmd);
		return;
	}
	do {
		imap_args_sp(&cmd->args);
		name = imap_args_atom(&cmd->args);
		if (!imap_sync_enable(s, name, &enabled))
			imap_notify_enable(s, name, &enabled);
	} while (imap_args_peek(&cmd->args, ' '));
	buf_addf(imap_out(s), "* ENABLED%s\r\n", buf_cstr(&enabled));
	buf_fini(&enabled);
	imap_notify_enabled(cmd);
}

/* RFC 9698 §4.  Whoever logged in here may log in there: the same authd judges. */
static void
cmd_getjmapaccess(struct imap_cmd *cmd)
{
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	buf_addf(imap_out(cmd->session), "* JMAPACCESS \"%s/jmap/session\"\r\n",
	    cmd->session->srv->jmap_url);
	imap_cmd_done(cmd, ST_OK);
}

const struct imap_command imap_cmds_any[] = {
	/* name		allowed in		flags		cap		run */
	{ "CAPABILITY",	IMAP_IN_ANY,		0,		CAP_NONE,		cmd_capability },
	{ "NOOP",	IMAP_IN_ANY,		IMAP_CMD_FRESH,	CAP_NONE,		cmd_noop },
	{ "CHECK",	IMAP_IN_SELECTED,	IMAP_CMD_FRESH,	CAP_NONE,		cmd_noop },
	{ "LOGOUT",	IMAP_IN_ANY,		0,		CAP_NONE,		cmd_logout },
	{ "ID",		IMAP_IN_ANY,		0,		CAP_ID,			cmd_id },
	{ "ENABLE",	IMAP_IN_LOGIN,		0,		CAP_ENABLE,	cmd_enable },
	{ "GETJMAPACCESS", IMAP_IN_LOGIN,	0,		CAP_JMAPACCESS,	cmd_getjmapaccess },
	{ 0 }
};
