/* EXPUNGE and UID EXPUNGE (RFC 4315 §2.1). */
#include "imapd/session.h"

static void
on_expunged(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	const struct store_expunged *e = msg;
	struct uidset uids = { 0 };
	struct reader r;

	if (st == ST_OK && e != NULL && e->uids.len > 0) {
		reader_init(&r, e->uids.p, e->uids.len);
		if (uidset_decode(&uids, &r, SIZE_MAX))
			imap_view_tell_expunged(s->view, &uids, imap_out(s));
		uidset_fini(&uids);
	}
	if (!more)
		imap_cmd_done(cmd, st);
}

static void
cmd_expunge(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct store_expunge rq = { .mailbox = s->view->mailbox };

	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else
		store_do_expunge(s->store, &rq, on_expunged, cmd);
}

static void
cmd_uid_expunge(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct store_expunge rq = { .mailbox = s->view->mailbox };
	struct uidset uids = { 0 };
	struct buf set = { 0 };
	struct span text;

	imap_args_sp(&cmd->args);
	text = imap_args_sequence_set(&cmd->args);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (!imap_cmd_uids(cmd, text, &uids))
		return;
	if (uidset_empty(&uids)) {
		imap_cmd_done(cmd, ST_OK);
	} else {
		uidset_encode(&uids, &set);
		rq.uids = buf_span(&set);
		store_do_expunge(s->store, &rq, on_expunged, cmd);
	}
	buf_fini(&set);
	uidset_fini(&uids);
}

const struct imap_command imap_cmds_expunge[] = {
	/* name		allowed in		flags						capability	run */
	{ "EXPUNGE",	IMAP_IN_SELECTED,	IMAP_CMD_WRITES,				NULL,		cmd_expunge },
	{ "EXPUNGE",	IMAP_IN_SELECTED,	IMAP_CMD_WRITES | IMAP_CMD_UID_ONLY,		NULL,		cmd_uid_expunge },
	{ 0 }
};
