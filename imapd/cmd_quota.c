/* GETQUOTA, GETQUOTAROOT (RFC 9208).  An account is one quota root, called "". */
#include "imapd/session.h"

#include "common/proto/imap_print.h"

static void
put_resource(struct buf *out, const char *name, uint64_t used, uint64_t limit, bool *any)
{
	if (limit == 0)
		return;
	buf_addf(out, "%s%s ", *any ? " " : "", name);
	buf_add_u64(out, used);
	buf_add_c(out, ' ');
	buf_add_u64(out, limit);
	*any = true;
}

/* STORAGE counts units of 1,024 octets: what is used rounds up, what is allowed down. */
static void
on_quota(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	const struct store_quota_is *q = msg;
	struct buf *out = imap_out(cmd->session);
	bool any = false;

	if (st == ST_OK && q != NULL) {
		uint64_t kib = q->bytes_limit / 1024;

		buf_add_str(out, "* QUOTA \"\" (");
		put_resource(out, "STORAGE", (q->bytes + 1023) / 1024,
		    q->bytes_limit > 0 && kib == 0 ? 1 : kib, &any);
		put_resource(out, "MESSAGE", q->messages, q->messages_limit, &any);
		if (imap_cap_on(cmd->session, CAP_QUOTA_MAILBOX))
			put_resource(out, "MAILBOX", q->mailboxes, q->mailboxes_limit, &any);
		buf_add_str(out, ")\r\n");
	}
	imap_cmd_done(cmd, st);
}

static void
cmd_getquota(struct imap_cmd *cmd)
{
	struct span root;

	imap_args_sp(&cmd->args);
	root = imap_args_astring(&cmd->args);
	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else if (root.len > 0)
		imap_cmd_end(cmd, "NO [NONEXISTENT] No such quota root");
	else
		store_do_quota(cmd->session->home, on_quota, cmd);
}

/* The mailbox need not exist. */
static void
cmd_getquotaroot(struct imap_cmd *cmd)
{
	struct buf *out = imap_out(cmd->session);
	struct span path;

	imap_args_sp(&cmd->args);
	path = imap_args_mailbox(&cmd->args);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	buf_add_str(out, "* QUOTAROOT ");
	imap_put_mailbox(cmd->session, out, path);
	buf_add_str(out, " \"\"\r\n");
	store_do_quota(cmd->session->home, on_quota, cmd);
}

const struct imap_command imap_cmds_quota[] = {
	/* name			allowed in	flags	cap		run */
	{ "GETQUOTA",		IMAP_IN_LOGIN,	0,	CAP_QUOTA,	cmd_getquota },
	{ "GETQUOTAROOT",	IMAP_IN_LOGIN,	0,	CAP_QUOTA,	cmd_getquotaroot },
	{ 0 }
};
