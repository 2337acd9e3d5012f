/* Accounts: made, limited, deleted, brought back, and removed for good. */
#include "storage/state/state_priv.h"

/* The defaults must be good as a whole before the first is made. */
static bool
defaults_good(const struct op_account_create *p)
{
	struct op_default_mailbox d;
	struct buf path = { 0 };
	struct reader r;
	bool good = true;

	reader_init(&r, p->mailboxes.p, p->mailboxes.len);
	while (good && get_op_default_mailbox(&r, &d))
		good = path_clean(d.path, &path);
	buf_fini(&path);
	return good && reader_done(&r);
}

static enum status
make_default(struct apply *ap, struct span raw, uint8_t role, bool subscribed)
{
	struct buf path = { 0 };
	struct mbox *m = NULL;
	struct path_at at;
	enum status st;

	path_clean(raw, &path);
	st = path_find(ap->s, ap->s->txn, ap->a->id, buf_span(&path), &at);
	if (st == ST_OK && at.id == 0)
		st = mailbox_make(ap, &at, role, &m);
	if (st == ST_OK && subscribed)
		st = subscription_set(ap, buf_span(&path), true);
	buf_fini(&path);
	return st;
}

enum status
apply_account_create(struct apply *ap)
{
	const struct op_account_create *p = &ap->op->u.account_create;
	int64_t now_ms = ap->op->head.time_ms;
	struct op_default_mailbox d;
	struct reader r;
	enum status st;

	if (ap->op->head.account == 0 || !defaults_good(p))
		return refuse(ap, ST_SYNTAX);
	st = st_acct(ap->s, ap->op->head.account, &ap->a);
	if (st == ST_OK)
		return refuse(ap, ST_EXISTS);
	if (st != ST_NOT_FOUND)
		return st;
	ap->a = st_acct_new(ap->s, ap->op->head.account);
	ap->a->dirty = true;
	ap->a->rec.created_ms = now_ms;
	/* Starts at the time, so that an account that was lost and made again differs. */
	ap->a->rec.uidvalidity = now_ms > 0 && now_ms / 1000 < UINT32_MAX / 2 ?
	    (uint32_t)(now_ms / 1000) : 0;
	TRY(make_default(ap, SPAN_LIT("INBOX"), MAILBOX_ROLE_INBOX, true));
	reader_init(&r, p->mailboxes.p, p->mailboxes.len);
	while (get_op_default_mailbox(&r, &d))
		TRY(make_default(ap, d.path, d.role, d.subscribed));
	return ST_OK;
}

enum status
apply_account_limits(struct apply *ap)
{
	const struct op_account_limits *p = &ap->op->u.account_limits;

	ap->a->rec.bytes_limit = p->bytes;
	ap->a->rec.messages_limit = p->messages;
	ap->a->rec.mailboxes_limit = p->mailboxes;
	ap->a->dirty = true;
	return ST_OK;
}

enum status
apply_account_delete(struct apply *ap)
{
	ap_modseq(ap);
	ap->a->rec.deleted_ms = ap->op->head.time_ms != 0 ? ap->op->head.time_ms : 1;
	return ST_OK;
}

enum status
apply_account_undelete(struct apply *ap)
{
	if (ap->a->rec.deleted_ms == 0)
		return refuse(ap, ST_CONFLICT);
	ap_modseq(ap);
	ap->a->rec.deleted_ms = 0;
	return ST_OK;
}

/* ---- for good ---- */

static enum status
purge_blob(struct apply *ap, struct span key, struct span value)
{
	struct span payload;
	struct rec_blob x;

	if (!rec_open(TAB_BLOB, key, value, &payload) || !rec_blob_get(payload, &x))
		return st_damaged(ap->s, TAB_BLOB, key);
	return blob_drop(ap, key, &x);
}

/* Removes up to *left rows of a table.  Messages give their bodies up. */
static enum status
purge_table(struct apply *ap, enum tab t, uint32_t *left)
{
	struct engine_cursor *c = NULL;
	struct buf keys = { 0 };
	struct span key, payload;
	struct key prefix;
	struct reader r;
	enum status st;

	key_1(&prefix, ap->a->id);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, t, key_span(&prefix), &c));
	while (*left > 0 && (st = engine_cursor_next(c, &key, &payload)) == ST_OK) {
		put_span(&keys, key);
		put_span(&keys, t == TAB_BLOB ? payload : SPAN_NONE);
		--*left;
	}
	engine_cursor_close(&c);
	st = ST_OK;
	reader_init(&r, keys.data, keys.len);
	while (st == ST_OK && r.p < r.end) {
		key = get_span(&r);
		payload = get_span(&r);
		if (t == TAB_MESSAGE) {
			st = message_load(ap->s, ap->a, get_be64(key.p + 8), &ap->s->msg);
			if (st == ST_OK)
				st = message_purge(ap, &ap->s->msg);
		} else if (t == TAB_ACL) {
			st = acl_drop(ap->s, ap->a->id, get_be64(key.p + 8));
		} else if (t == TAB_BLOB) {
			st = purge_blob(ap, key, payload);
		} else if (t == TAB_QUEUE) {
			st = queue_drop(ap, ap->a->id, get_be64(key.p + 8));
		} else {
			st = st_del_row(ap->s, t, key);
		}
	}
	buf_fini(&keys);
	return st;
}

/* Messages first, as they need thread rows. */
enum status
apply_account_purge(struct apply *ap)
{
	static const enum tab tables[] = { TAB_MESSAGE, TAB_MINDEX, TAB_UIDMAP, TAB_MSORT,
		TAB_MTEXT, TAB_MENV, TAB_MHEAD, TAB_MHEADMORE, TAB_MBODY,
		TAB_MLIST, TAB_MSTRUCT, TAB_THREADKEY, TAB_THREAD, TAB_CHANGE, TAB_MCHANGE,
		TAB_HISTORY, TAB_SUBSCR, TAB_KEYWORD, TAB_MBOXNAME, TAB_MAILBOX, TAB_WORK,
		TAB_UIDL, TAB_METADATA, TAB_STAGE, TAB_ACL, TAB_RSEEN, TAB_READER,
		TAB_MTHREAD, TAB_URLKEY, TAB_ANNOTATION, TAB_ANNLOG,
		TAB_PLACED, TAB_UIDHIGH, TAB_QUARANTINE, TAB_FRESH, TAB_PACK, TAB_UNDEL,
		TAB_PUSH, TAB_BLOB, TAB_SCRIPT, TAB_SCRIPTTEXT, TAB_SIEVEKEY, TAB_QUEUE };
	struct rec_account *a = &ap->a->rec;
	uint32_t left = OP_ROWS;

	if (a->deleted_ms == 0)
		return refuse(ap, ST_CONFLICT);
	TRY(st_flush(ap->s));
	st_drop_mailboxes(ap->a);
	ap->a->dirty = true;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		TRY(purge_table(ap, tables[i], &left));
		if (left == 0) {
			ap->r->more = true;
			return ST_OK;
		}
	}
	*a = (struct rec_account){ .modseq = a->modseq, .horizon = a->modseq,
		.uidvalidity = a->uidvalidity, .purged = true, .created_ms = a->created_ms,
		.deleted_ms = a->deleted_ms };
	return ST_OK;
}
