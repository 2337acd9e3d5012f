/* Changes by others: asked for when the store said "dirty", told in the next place
 * where the protocol lets us. */
#include "imapd/sync.h"

#include "common/util/mem.h"

#define TELL_ROWS 2000u		/* rows asked for at once; between them the client may fall behind */
#define TELL_BYTES (512u << 10)	/* what their flags may come to */

bool
imap_sync_due(const struct imap_view *v)
{
	return v->dirty || v->gone || !uidset_empty(&v->expunged) || !uidset_empty(&v->changed);
}

void
imap_put_flags_row(struct imap_session *s, const struct store_row *row, bool uid, bool flags,
    struct buf *out)
{
	uint32_t seq = imap_view_seq(s->view, row->uid);
	char sep = '(';

	if (seq == 0)
		return;
	buf_add_str(out, "* ");
	buf_add_u64(out, seq);
	buf_add_str(out, " FETCH ");
	if (uid || s->condstore) {
		buf_add_str(out, "(UID ");
		buf_add_u64(out, row->uid);
		sep = ' ';
	}
	if (flags) {
		buf_add_c(out, sep);
		buf_add_str(out, "FLAGS ");
		imap_view_put_flags(s->view, row->uid, row->flags, out);
	}
	if (s->condstore) {
		buf_add_str(out, " MODSEQ (");
		buf_add_u64(out, row->modseq);
		buf_add_c(out, ')');
	}
	buf_add_str(out, ")\r\n");
}

static void tell_changed(struct imap_cmd *cmd);

static void
on_rows(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_session *s = cmd->session;
	const struct store_rows_are *rows = msg;
	struct store_row row;
	struct reader r;

	if (st == ST_OK && rows != NULL) {
		imap_view_learn(s->view, rows->keywords, imap_out(s));
		reader_init(&r, rows->rows.p, rows->rows.len);
		while (get_store_row(&r, &row, ROW_FLAGS))
			imap_put_flags_row(s, &row, cmd->uid, true, imap_out(s));
	}
	if (!more)
		tell_changed(cmd);
}

/* The first of the changed messages, as many as are asked for at once. */
static void
take_some(struct uidset *from, struct uidset *some, size_t keywords)
{
	uint32_t left = TELL_ROWS;

	if (keywords > TELL_BYTES / TELL_ROWS)
		left = (uint32_t)(TELL_BYTES / keywords) + 1;
	while (left > 0 && from->n > 0) {
		struct uidrange r = from->r[0];

		if (r.hi - r.lo + 1 > left)
			r.hi = r.lo + left - 1;
		left -= r.hi - r.lo + 1;
		uidset_add_range(some, r.lo, r.hi);
		uidset_remove_range(from, r.lo, r.hi);
	}
}

static void
tell_changed(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	struct store_rows rq = { .mailbox = s->view->mailbox, .fields = ROW_FLAGS };
	struct uidset some = { 0 };
	struct buf uids = { 0 };

	if (uidset_empty(&s->view->changed)) {
		cmd->synced(cmd);
		return;
	}
	if (conn_full(s->conn)) {
		cmd->drained = tell_changed;
		return;
	}
	take_some(&s->view->changed, &some, s->view->keywords.len);
	uidset_encode(&some, &uids);
	rq.uids = buf_span(&uids);
	store_do_rows(s->store, &rq, on_rows, cmd);
	buf_fini(&uids);
	uidset_fini(&some);
}

static void
tell(struct imap_cmd *cmd)
{
	struct imap_session *s = cmd->session;
	bool expunges = cmd->def == NULL || !(cmd->def->flags & IMAP_CMD_NO_EXPUNGE) || cmd->uid;

	if (s->view->gone) {
		LOG(&s->log, INFO, "imap.mailbox-gone", KV_SPAN("mailbox", buf_span(&s->view->path)));
		imap_session_bye(s, "The selected mailbox was deleted");
		return;
	}
	imap_view_tell(s->view, expunges, imap_out(s));
	tell_changed(cmd);
}

static void
on_changes(void *arg, enum status st, bool more, const void *msg)
{
	struct imap_cmd *cmd = arg;
	struct imap_view *v = cmd->session->view;

	if (st == ST_OK && msg != NULL)
		imap_view_merge(v, msg, cmd->session->condstore);
	else if (st == ST_NOT_FOUND)
		v->gone = true;
	if (st != ST_OK) {
		v->dirty = true;
		v->settling = 0;
	}
	if (!more)
		tell(cmd);
}

void
imap_sync(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd))
{
	struct imap_session *s = cmd->session;
	struct store_changes rq = {
		.mailbox = s->view->mailbox, .since = s->view->modseq,
		.claim_recent = !s->view->readonly
	};

	cmd->synced = done;
	s->view->dirty = false;
	s->view->settling = s->dirty_modseq;
	store_do_changes(s->store, &rq, on_changes, cmd);
}
