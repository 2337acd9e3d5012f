/* Judges of the change log, of what belongs to mailboxes and accounts, and of the shard. */
#include "storage/state/fsck_judges.h"

#include <inttypes.h>
#include <string.h>

#include "common/crypto/digest.h"
#include "common/mail/annotation.h"
#include "common/util/mem.h"

void
fsck_malformed(struct state_fsck *f, enum tab t, struct span key, enum fsck_cure cure)
{
	static const char why[] = "its form is wrong";

	fsck_found(f, t, key, cure, "%s", why);
	if (cure == CURE_QUARANTINE)
		fsck_del(f, t, key, true, why);
}

/* ---- the change log ---- */

/* A row of an operation: that has a history row, which names the mailbox (0: any). */
static void
judge_logged(struct state_fsck *f, enum tab t, struct span key, uint64_t modseq, uint64_t mailbox)
{
	enum seen seen;
	bool named = mailbox == 0;

	if (f->acct.stage && modseq > f->acct.modseq)
		return;
	if (modseq > f->acct.modseq) {
		fsck_found(f, t, key, CURE_REBUILD, "modseq %" PRIu64 " above the account's",
		    modseq);
		return;
	}
	seen = fsck_history(f, modseq);
	if (seen == ROW_NONE)
		fsck_found(f, t, key, CURE_REBUILD, "modseq %" PRIu64 " has no history", modseq);
	if (seen != ROW_GOOD)
		return;
	for (size_t i = 0; i < f->hist.mailboxes.len; i += 8)
		named |= get_be64(f->hist.mailboxes.p + i) == mailbox;
	if (!named)
		fsck_found(f, t, key, CURE_REBUILD, "the history of modseq %" PRIu64
		    " does not know mailbox %" PRIx64, modseq, mailbox);
}

void
fsck_change(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct rec_change c;
	struct key k;
	uint64_t mailbox;
	uint32_t uid;

	if (key.len != 28 || !rec_change_get(payload, &c)) {
		fsck_malformed(f, t, key, CURE_REBUILD);
		return;
	}
	mailbox = get_be64(key.p + 8);
	uid = get_be32(key.p + 24);
	judge_logged(f, t, key, get_be64(key.p + 16), mailbox);
	if (f->acct.stage)
		return;
	key_uid(&k, f->account, mailbox, uid);
	if (c.kind == CHANGE_DESTROYED &&
	    engine_get(f->s->e, NULL, TAB_MINDEX, key_span(&k), NULL) == ST_OK)
		fsck_found(f, t, key, CURE_REBUILD, "uid %u of mailbox %" PRIx64
		    " went, and is there", uid, mailbox);
	if (fsck_box(f, mailbox)->seen == ROW_GOOD && uid >= f->box.rec.uidnext)
		fsck_found(f, TAB_MAILBOX, span_sub(key, 0, 16), CURE_REBUILD,
		    "UIDNEXT is %u, and uid %u was there", f->box.rec.uidnext, uid);
}

void
fsck_mchange(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct rec_mchange c;

	if (key.len != 24 || !rec_mchange_get(payload, &c))
		fsck_malformed(f, t, key, CURE_REBUILD);
	else
		judge_logged(f, t, key, get_be64(key.p + 8), 0);
}

static bool
logged_in(struct state_fsck *f, uint64_t mailbox, uint64_t modseq)
{
	struct key k;

	key_3(&k, f->account, mailbox, modseq);
	return fsck_any(f, TAB_CHANGE, &k) || fsck_any(f, TAB_ANNLOG, &k);
}

void
fsck_history_row(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	uint64_t modseq = get_be64(key.p + 8);
	struct rec_history h;
	struct key k;
	bool first = f->prev_modseq == 0;

	if (!rec_history_get(payload, &h)) {
		fsck_malformed(f, t, key, CURE_REBUILD);
		return;
	}
	/* An incarnation jumps by 2^32, mail that keeps its modseq to where that is. */
	if (!first && modseq != f->prev_modseq + 1 && modseq - f->prev_modseq < UINT32_MAX &&
	    h.kind != OP_APPEND_PLACED)
		fsck_found(f, t, key, CURE_REBUILD, "history has nothing between %" PRIu64 " and %"
		    PRIu64, f->prev_modseq, modseq);
	if (modseq > f->acct.modseq)
		fsck_found(f, t, key, CURE_REBUILD, "modseq above the account's");
	f->prev_modseq = modseq;
	if (first)	/* it may be half forgotten */
		return;
	for (size_t i = 0; i < h.mailboxes.len && h.kind != OP_ANNOTATE; i += 8) {
		uint64_t mailbox = get_be64(h.mailboxes.p + i);

		key_change(&k, f->account, mailbox, modseq, 0);
		if (!logged_in(f, mailbox, modseq))
			fsck_found(f, TAB_CHANGE, key_span(&k), CURE_REBUILD,
			    "history says that mailbox %" PRIx64 " changed, no row tells how", mailbox);
	}
	key_2(&k, f->account, modseq);
	if ((h.kind == OP_MAILBOX_CREATE || h.kind == OP_MAILBOX_DELETE ||
	    h.kind == OP_ACCOUNT_CREATE) && !fsck_any(f, TAB_MCHANGE, &k))
		fsck_found(f, TAB_MCHANGE, key_span(&k), CURE_REBUILD,
		    "history says that a mailbox came or went, no row tells which");
}

void
fsck_annlog(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	uint64_t bytes;

	if (key.len <= 36 || !annotation_old_good(payload, &bytes))
		fsck_malformed(f, t, key, CURE_QUARANTINE);
	else
		judge_logged(f, t, key, get_be64(key.p + 16), 0);
}

/* ---- of an account ---- */

void
fsck_keyword(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	if (key.len != 9 || (unsigned char)key.p[8] >= f->acct.keywords || payload.len == 0)
		fsck_malformed(f, t, key, CURE_REBUILD);
}

void
fsck_subscription(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct key k;

	key_subscription(&k, f->account, payload);
	if (!span_eq(key, key_span(&k)))
		fsck_malformed(f, t, key, CURE_QUARANTINE);
}

void
fsck_placed(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	if (key.len != 8 || payload.len != 4)
		fsck_malformed(f, t, key, CURE_REBUILD);
}

void
fsck_stage(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct rec_stage g;
	struct uidset uids = { 0 };
	struct reader r;

	if (!rec_stage_get(payload, &g)) {
		fsck_malformed(f, t, key, CURE_REBUILD);
		return;
	}
	reader_init(&r, g.uids.p, g.uids.len);
	if (!uidset_decode(&uids, &r, SIZE_MAX))
		fsck_malformed(f, t, key, CURE_REBUILD);
	else if (fsck_box(f, g.to)->seen == ROW_NONE)
		fsck_no_mailbox(f, TAB_MAILBOX, key, g.to);
	uidset_fini(&uids);
}

void
fsck_quarantine(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct rec_quarantine q;

	if (!rec_quarantine_get(payload, &q))
		fsck_malformed(f, t, key, CURE_NONE);
}

/* ---- of a mailbox, or of a message in it ---- */

/* false: told that it is of none. */
static bool
has_box(struct state_fsck *f, enum tab t, struct span key)
{
	uint64_t id = get_be64(key.p + 8);

	if (fsck_box(f, id)->seen != ROW_NONE || fsck_lost_box(f, id))
		return true;
	fsck_orphan(f, t, key, "of no mailbox");
	return false;
}

static bool
has_message(struct state_fsck *f, enum tab t, struct span key)
{
	uint64_t id = get_be64(key.p + 8);

	if (fsck_lost_box(f, id) ||
	    engine_get(f->s->e, NULL, TAB_MINDEX, span_sub(key, 0, 20), NULL) != ST_NOT_FOUND)
		return true;
	fsck_orphan(f, t, key, "of no message");
	return false;
}

/* Unique-ids and annotations. */
void
fsck_of_message(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	bool good = t == TAB_UIDL ? key.len == 20 && payload.len > 0 &&
	    payload.len <= STORE_UIDL_MAX : key.len > 28 &&
	    payload.len <= STORE_ANNOTATION_VALUE_MAX &&
	    annotation_entry_valid(span_sub(key, 28, key.len));

	if (!good)
		fsck_malformed(f, t, key, CURE_QUARANTINE);
	else
		has_message(f, t, key);
}

void
fsck_metadata(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	if (key.len <= 24 || payload.len > STORE_METADATA_VALUE_MAX ||
	    !metadata_name_valid(span_sub(key, 24, key.len)))
		fsck_malformed(f, t, key, CURE_QUARANTINE);
	else if (get_be64(key.p + 8) != 0)
		has_box(f, t, key);
}

void
fsck_urlkey(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	if (payload.len != 16 + STORE_URL_KEY)
		fsck_malformed(f, t, key, CURE_QUARANTINE);
	else
		has_box(f, t, key);
}

void
fsck_push(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct store_push p;
	struct reader r;

	reader_init(&r, payload.p, payload.len);
	if (key.len != 16 || !get_store_push(&r, &p) || !reader_done(&r) ||
	    p.id != get_be64(key.p + 8))
		fsck_malformed(f, t, key, CURE_QUARANTINE);
}

static void
key_shared(struct key *k, const struct store_acl *e, uint64_t account, uint64_t mailbox)
{
	k->len = 0;
	k->b[k->len++] = e->kind;
	key_add64(k, e->id);
	key_add64(k, account);
	key_add64(k, mailbox);
}

static void
judge_shared(struct state_fsck *f, const struct store_acl *e, uint64_t mailbox)
{
	struct span p;
	struct key k;
	enum seen seen;

	key_shared(&k, e, f->account, mailbox);
	seen = fsck_look(f, TAB_ACLBY, &k, &f->v2, &p);
	if (seen == ROW_GOOD && p.len == 4 && get_be32(p.p) == e->rights)
		return;
	fsck_found(f, TAB_ACLBY, key_span(&k), CURE_ROWS, "does not find what mailbox %" PRIx64
	    " shares", mailbox);
	put_u32(fsck_put_start(f), e->rights);
	fsck_put(f, TAB_ACLBY, &k);
}

void
fsck_acl(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	uint64_t mailbox = get_be64(key.p + 8);
	struct store_acl e;
	struct reader r;

	if (!has_box(f, t, key) || fsck_box(f, mailbox)->seen != ROW_GOOD)
		return;
	reader_init(&r, payload.p, payload.len);
	while (get_store_acl(&r, &e))
		if (e.rights != 0 && f->box.rec.deleted_ms == 0)
			judge_shared(f, &e, mailbox);
	if (!reader_done(&r))
		fsck_malformed(f, t, key, CURE_QUARANTINE);
}

void
fsck_rseen(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	uint64_t modseq;
	struct span p;
	struct key k;
	enum seen seen;

	if (key.len != 28 || !reader_marks_highest(payload, &modseq) ||
	    (modseq > f->acct.modseq && !f->acct.stage)) {
		fsck_malformed(f, t, key, CURE_QUARANTINE);
		return;
	}
	if (!has_box(f, t, key))
		return;
	key_text(&k, span_sub(key, 0, 24));
	seen = fsck_look(f, TAB_READER, &k, &f->v1, &p);
	if (seen == ROW_BAD || (seen == ROW_GOOD && p.len == 8 && get_be64(p.p) >= modseq))
		return;
	fsck_found(f, TAB_READER, key_span(&k), CURE_ROWS,
	    "a reader's marks have modseq %" PRIu64 ", which he is not told", modseq);
	put_u64(fsck_put_start(f), modseq);
	fsck_put(f, TAB_READER, &k);
}

/* Walked before his marks, which put it back. */
void
fsck_reader(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	if (key.len == 24 && payload.len == 8 && get_be64(payload.p) <= f->acct.modseq) {
		has_box(f, t, key);
		return;
	}
	fsck_found(f, t, key, CURE_ROWS, "its form is wrong, or its modseq above the account's");
	fsck_del(f, t, key, false, "wrong");
}

/* ---- of the shard ---- */

void
fsck_extent(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct rec_extent e;

	if (key.len != 8 || !rec_extent_get(payload, &e) || e.refs == 0)
		fsck_malformed(f, t, key, CURE_REBUILD);
}

void
fsck_aclby(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct store_acl e;
	struct reader r;
	struct span p;
	struct key k;
	bool found = false;

	if (key.len == 25 && payload.len == 4) {
		key_2(&k, get_be64(key.p + 9), get_be64(key.p + 17));
		f->account = get_be64(key.p + 9);
		f->box.id = 0;
		if (fsck_look(f, TAB_ACL, &k, &f->v1, &p) == ROW_BAD)
			found = true;
		reader_init(&r, p.p, p.len);
		while (!found && get_store_acl(&r, &e))
			found = e.kind == (uint8_t)key.p[0] && e.id == get_be64(key.p + 1) &&
			    e.rights == get_be32(payload.p);
		if (fsck_box(f, get_be64(key.p + 17))->seen == ROW_GOOD)
			found &= f->box.rec.deleted_ms == 0;
		f->account = 0;
		f->box.id = 0;
	}
	if (found)
		return;
	fsck_found(f, t, key, CURE_ROWS, "finds a mailbox that is not shared so");
	fsck_del(f, t, key, false, "finds a mailbox that is not shared so");
}

void
fsck_once(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct reader r;

	reader_init(&r, payload.p, payload.len);
	get_u64(&r);
	while (!r.bad && r.p < r.end) {
		get_varint(&r);
		get_varint(&r);
		get_span(&r);
	}
	if (key.len != OP_TICKET_LEN || !reader_done(&r))
		fsck_malformed(f, t, key, CURE_QUARANTINE);
}

void
fsck_dir(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	if (payload.len < 8 || get_be64(payload.p) > st_meta(f->s).dir_modseq)
		fsck_malformed(f, t, key, CURE_REBUILD);
}

/* What stands there beside what is in memory. */
static void
judge_meta(struct state_fsck *f, const char *name, bool needed, struct span due)
{
	struct span p;
	struct key k;
	enum seen seen;

	key_text(&k, span_str(name));
	seen = fsck_look(f, TAB_META, &k, &f->v1, &p);
	if (seen == ROW_GOOD && (due.len == 0 || span_eq(p, due)))
		return;
	if (seen == ROW_NONE && !needed)
		return;
	fsck_found(f, TAB_META, key_span(&k), due.len > 0 ? CURE_ROWS : CURE_REBUILD, "%s",
	    seen == ROW_NONE ? "is missing" : seen == ROW_BAD ? "cannot be read" :
	    "is not what is known");
	if (due.len == 0)
		return;
	buf_add_span(fsck_put_start(f), due);
	fsck_put(f, TAB_META, &k);
}

void
fsck_meta_rows(struct state_fsck *f)
{
	struct rec_meta m = st_meta(f->s);
	struct buf due = { 0 };
	bool used = f->s->pos.lsn > 0;

	rec_meta_put(&due, &m);
	judge_meta(f, "shard", used, buf_span(&due));
	buf_clear(&due);
	journal_pos_put(&due, &f->s->pos);
	put_u64(&due, (uint64_t)f->s->stamp_ms);
	judge_meta(f, "position", used, buf_span(&due));
	judge_meta(f, "schema", false, SPAN_NONE);
	judge_meta(f, "uidhigh", used, SPAN_NONE);
	buf_fini(&due);
}

/* ---- what is kept for undelete ---- */

void
fsck_kept(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct rec_undel row;
	struct rec_message m;
	struct span found;
	enum seen seen;
	struct key k;

	if (key.len != 20 || !rec_undel_get(payload, &row)) {
		fsck_malformed(f, t, key, CURE_QUARANTINE);
		return;
	}
	key_2(&k, f->account, row.x.message);
	seen = fsck_look(f, TAB_MESSAGE, &k, &f->v1, &found);
	if (seen == ROW_NONE)
		fsck_orphan(f, t, key, "of no message");
	else if (seen == ROW_GOOD && rec_message_get(found, &m) &&
	    (m.kept_mailbox != get_be64(key.p + 8) || m.kept_no != get_be32(key.p + 16)))
		fsck_orphan(f, t, key, "of a message that is not kept here");
}

/* ---- uploads ---- */

void
fsck_blob(struct state_fsck *f, enum tab t, struct span key, struct span payload)
{
	struct rec_blob x;
	struct key k;

	if (key.len != 16 || !rec_blob_get(payload, &x)) {
		fsck_malformed(f, t, key, CURE_QUARANTINE);
		return;
	}
	key_1(&k, x.extent);
	if (engine_get(f->s->e, NULL, TAB_EXTENT, key_span(&k), NULL) == ST_NOT_FOUND)
		fsck_orphan(f, t, key, "of no body");
}

/* ---- the order of the walk ---- */

const struct fsck_table fsck_account_tables[] = {
	{ TAB_KEYWORD, fsck_keyword, CURE_REBUILD },
	{ TAB_MBOXNAME, fsck_mboxname, CURE_ROWS },
	{ TAB_UIDHIGH, fsck_uidhigh, CURE_ROWS },
	{ TAB_WORK, fsck_work, CURE_ROWS },
	{ TAB_MAILBOX, fsck_mailbox, CURE_REBUILD },
	{ TAB_THREAD, fsck_thread, CURE_ROWS },
	{ TAB_UNDEL, fsck_kept, CURE_QUARANTINE },
	{ TAB_MESSAGE, fsck_message, CURE_REBUILD },
	{ TAB_UIDMAP, fsck_uidmap, CURE_ROWS },
	{ TAB_MINDEX, fsck_index, CURE_REBUILD },
	{ TAB_MTHREAD, fsck_cold, CURE_QUARANTINE },
	{ TAB_MSORT, fsck_cold, CURE_QUARANTINE },
	{ TAB_MTEXT, fsck_cold, CURE_QUARANTINE },
	{ TAB_MENV, fsck_cold, CURE_QUARANTINE },
	{ TAB_MHEAD, fsck_cold, CURE_QUARANTINE },
	{ TAB_MHEADMORE, fsck_cold, CURE_QUARANTINE },
	{ TAB_MBODY, fsck_cold, CURE_QUARANTINE },
	{ TAB_MLIST, fsck_cold, CURE_QUARANTINE },
	{ TAB_MSTRUCT, fsck_cold, CURE_QUARANTINE },
	{ TAB_FRESH, fsck_cold, CURE_QUARANTINE },
	{ TAB_PACK, fsck_pack, CURE_QUARANTINE },
	{ TAB_THREADKEY, fsck_threadkey, CURE_ROWS },
	{ TAB_CHANGE, fsck_change, CURE_REBUILD },
	{ TAB_MCHANGE, fsck_mchange, CURE_REBUILD },
	{ TAB_HISTORY, fsck_history_row, CURE_REBUILD },
	{ TAB_SUBSCR, fsck_subscription, CURE_QUARANTINE },
	{ TAB_UIDL, fsck_of_message, CURE_QUARANTINE },
	{ TAB_METADATA, fsck_metadata, CURE_QUARANTINE },
	{ TAB_STAGE, fsck_stage, CURE_REBUILD },
	{ TAB_ACL, fsck_acl, CURE_QUARANTINE },
	{ TAB_READER, fsck_reader, CURE_ROWS },
	{ TAB_RSEEN, fsck_rseen, CURE_QUARANTINE },
	{ TAB_URLKEY, fsck_urlkey, CURE_QUARANTINE },
	{ TAB_ANNOTATION, fsck_of_message, CURE_QUARANTINE },
	{ TAB_ANNLOG, fsck_annlog, CURE_QUARANTINE },
	{ TAB_PUSH, fsck_push, CURE_QUARANTINE },
	{ TAB_PLACED, fsck_placed, CURE_REBUILD },
	{ TAB_BLOB, fsck_blob, CURE_QUARANTINE },
	{ TAB_SCRIPT, fsck_script, CURE_QUARANTINE },
	{ TAB_SCRIPTTEXT, fsck_scripttext, CURE_QUARANTINE },
	{ TAB_SIEVEKEY, fsck_sievekey, CURE_QUARANTINE },
	{ TAB_QUEUEMSG, fsck_queuemsg, CURE_ROWS },
	{ TAB_QUEUE, fsck_queue, CURE_REBUILD },
};
const size_t fsck_n_account_tables = ARRAY_LEN(fsck_account_tables);

/* Extents first: fsck.c counts on it. */
const struct fsck_table fsck_shard_tables[] = {
	{ TAB_EXTENT, fsck_extent, CURE_REBUILD },
	{ TAB_ACLBY, fsck_aclby, CURE_ROWS },
	{ TAB_QUEUEDUE, fsck_queuedue, CURE_ROWS },
	{ TAB_ONCE, fsck_once, CURE_QUARANTINE },
	{ TAB_DIR, fsck_dir, CURE_REBUILD },
	{ TAB_QUARANTINE, fsck_quarantine, CURE_NONE },
};
const size_t fsck_n_shard_tables = ARRAY_LEN(fsck_shard_tables);
