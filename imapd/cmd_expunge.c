/* EXPUNGE and UID EXPUNGE (RFC 4315 §2.1). */
#include "imapd/sync.h"

/* All up to this modseq was told, others' changes too (RFC 7162 §3.2.7). */
static void
end_with_modseq(struct imap_cmd *cmd)
{
	buf_clear(&cmd->result);
	buf_addf(&cmd->result, "OK [HIGHESTMODSEQ %llu] %sEXPUNGE completed",
	    (unsigned long long)cmd->session->view->safe, cmd->uid ? "UID " : "");
	cmd->no_sync = true;
	imap_cmd_end_result(cmd);
}

struct expunging {
	bool	any;
};

static void
on_expunged(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	struct expunging *q = cmd->data;
	const struct store_expunged *e = msg;
	struct uidset uids = { 0 };
	struct reader r;

	if (st == ST_OK && e != NULL && e->uids.len > 0) {
		reader_init(&r, e->uids.p, e->uids.len);
		if (uidset_decode(&uids, &r, SIZE_MAX))
			imap_tell_expunged(s, &uids);
		q->any |= !uidset_empty(&uids);
		uidset_fini(&uids);
	}
	if (more)
		return;
	if (st == ST_OK && s->qresync && q->any)
		imap_sync(cmd, end_with_modseq);
	else
		imap_cmd_done(cmd, st);
}

static void
expunge(struct imap_cmd *cmd, const struct store_expunge *rq)
{
	cmd->data = arena_zalloc(&cmd->arena, sizeof(struct expunging));
	store_do_expunge(cmd->session->store, rq, on_expunged, cmd);
}

static void
cmd_expunge(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct store_expunge rq = { .mailbox = s->view->mailbox };

	if (!imap_args_end(&cmd->args))
		imap_cmd_syntax(cmd);
	else
		expunge(cmd, &rq);
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
		expunge(cmd, &rq);
	}
	buf_fini(&set);
	uidset_fini(&uids);
}

const struct imap_command imap_cmds_expunge[] = {
	/* name		allowed in		flags						cap	run */
	{ "EXPUNGE",	IMAP_IN_SELECTED,	IMAP_CMD_WRITES,				CAP_NONE,		cmd_expunge },
	{ "EXPUNGE",	IMAP_IN_SELECTED,	IMAP_CMD_WRITES | IMAP_CMD_UID_ONLY,		CAP_UIDPLUS,		cmd_uid_expunge },
	{ 0 }
};
