/* EXPUNGE and UID EXPUNGE (RFC 4315 §2.1). */
#include "imapd/limits.h"
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
expunge_uids(struct imap_cmd *cmd, const struct uidset *uids)
{
	struct store_expunge rq = { .mailbox = cmd->session->view->mailbox };
	struct buf set = { 0 };

	uidset_encode(uids, &set);
	rq.uids = buf_span(&set);
	expunge(cmd, &rq);
	buf_fini(&set);
}

/* ---- more than one command may take: those with \\Deleted count, so they are looked up ---- */

struct choosing {
	struct uidset	deleted;
};

static void
choosing_release(struct imap_cmd *cmd)
{
	uidset_fini(&((struct choosing *)cmd->data)->deleted);
}

static void
on_rows(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct choosing *c = cmd->data;
	const struct store_rows_are *are = msg;
	struct uidset uids = { 0 };
	struct store_row row;
	struct reader r;

	if (st == ST_OK && are != NULL) {
		reader_init(&r, are->rows.p, are->rows.len);
		while (are->rows.len > 0 && get_store_row(&r, &row, ROW_FLAGS)) {
			if (flags_get_system(row.flags) & FLAG_DELETED)
				uidset_add(&c->deleted, row.uid);
		}
	}
	if (more)
		return;
	if (st != ST_OK || uidset_empty(&c->deleted)) {
		imap_cmd_done(cmd, st);
		return;
	}
	uids = c->deleted;
	c->deleted = (struct uidset){ 0 };
	cmd->release = NULL;
	imap_limit_uids(cmd, &uids);
	expunge_uids(cmd, &uids);
	uidset_fini(&uids);
}

static void
ask_deleted(struct imap_cmd *cmd, const struct uidset *uids)
{
	struct store_rows rq = { .mailbox = cmd->session->view->mailbox, .fields = ROW_FLAGS };
	struct buf set = { 0 };

	cmd->data = arena_zalloc(&cmd->arena, sizeof(struct choosing));
	cmd->release = choosing_release;
	uidset_encode(uids, &set);
	rq.uids = buf_span(&set);
	store_do_rows(cmd->session->store, &rq, on_rows, cmd);
	buf_fini(&set);
}

static void
cmd_uid_expunge(struct imap_cmd *cmd)
{
	struct uidset uids = { 0 };
	struct span text;

	imap_args_sp(&cmd->args);
	text = imap_args_sequence_set(&cmd->args);
	if (!imap_args_end(&cmd->args)) {
		imap_cmd_syntax(cmd);
		return;
	}
	if (!imap_cmd_uids(cmd, text, &uids))
		return;
	if (uidset_empty(&uids))
		imap_cmd_done(cmd, ST_OK);
	else if (uidset_count(&uids) > imap_message_limit(cmd->session))
		ask_deleted(cmd, &uids);
	else
		expunge_uids(cmd, &uids);
	uidset_fini(&uids);
}

const struct imap_command imap_cmds_expunge[] = {
	/* name		allowed in		flags						cap	run */
	{ "EXPUNGE",	IMAP_IN_SELECTED,	IMAP_CMD_WRITES | IMAP_CMD_LONG,		CAP_NONE,		cmd_expunge },
	{ "EXPUNGE",	IMAP_IN_SELECTED,	IMAP_CMD_WRITES | IMAP_CMD_UID_ONLY |
	    IMAP_CMD_LONG,	CAP_UIDPLUS,		cmd_uid_expunge },
	{ 0 }
};
