/* COPY, MOVE and APPEND of more rows than one operation may make: parts put them where
 * nobody looks (struct rec_stage), one operation shows them all, or none of them ever.
 *
 * The parts use the functions that make rows in the open.  What those count and tell is
 * taken back from the account and the mailboxes and kept in the stage's record. */
#include "storage/state/state_priv.h"

struct stage {
	struct rec_stage	rec;
	struct buf		value;		/* rec.uids lies in it */
	struct uidset		uids;
	struct mbox		*from, *to;	/* from NULL: an append */
};

static void
stage_fini(struct stage *g)
{
	buf_fini(&g->value);
	uidset_fini(&g->uids);
}

/* ST_NOT_FOUND: nothing is under way. */
static enum status
stage_load(struct apply *ap, struct stage *g)
{
	struct span payload;
	struct reader r;
	struct key k;

	key_1(&k, ap->a->id);
	TRY(st_get(ap->s, ap->s->txn, TAB_STAGE, &k, &g->value, &payload));
	if (!rec_stage_get(payload, &g->rec))
		return st_damaged(ap->s, TAB_STAGE, key_span(&k));
	reader_init(&r, g->rec.uids.p, g->rec.uids.len);
	if (!uidset_decode(&g->uids, &r, SIZE_MAX))
		return st_damaged(ap->s, TAB_STAGE, key_span(&k));
	TRY(st_mbox(ap->s, ap->a, g->rec.to, &g->to));
	return g->rec.from != 0 ? st_mbox(ap->s, ap->a, g->rec.from, &g->from) : ST_OK;
}

static enum status
stage_save(struct apply *ap, struct stage *g)
{
	struct buf uids = { 0 };
	enum status st;
	struct key k;

	uidset_encode(&g->uids, &uids);
	g->rec.uids = buf_span(&uids);
	rec_stage_put(st_put_start(ap->s), &g->rec);
	key_1(&k, ap->a->id);
	st = st_put(ap->s, TAB_STAGE, &k);
	ap->a->rec.stage = true;
	ap->a->dirty = true;
	g->rec.uids = SPAN_NONE;
	buf_fini(&uids);
	return st;
}

static enum status
stage_delete(struct apply *ap)
{
	struct key k;

	key_1(&k, ap->a->id);
	ap->a->rec.stage = false;
	ap->a->dirty = true;
	return st_del(ap->s, TAB_STAGE, &k);
}

/* Part 1 starts, a later one goes on with what its predecessor left.  *good false: refused. */
static enum status
stage_begin(struct apply *ap, struct stage *g, uint64_t from, struct mbox *to, bool move,
    bool *good)
{
	uint32_t part = ap->op->head.part;
	enum status st = stage_load(ap, g);

	*good = false;
	if (st == ST_NOT_FOUND && part == 1) {
		g->rec = (struct rec_stage){ .phase = STAGE_OPEN, .move = move, .from = from,
			.to = to->id, .base = to->rec.uidnext, .modseq = ap->a->rec.modseq + 1 };
		g->to = to;
		TRY(from != 0 ? st_mbox(ap->s, ap->a, from, &g->from) : ST_OK);
	} else if (st != ST_OK && st != ST_NOT_FOUND) {
		return st;
	} else if (st == ST_NOT_FOUND || part != g->rec.part + 1 || g->rec.phase != STAGE_OPEN ||
	    g->rec.from != from || g->rec.to != to->id || g->rec.move != move ||
	    g->rec.modseq != ap->a->rec.modseq + 1) {
		return refuse(ap, ST_UNAVAILABLE);
	}
	g->rec.part = part;
	*good = true;
	return ST_OK;
}

/* What the open way of making rows counts, as it was before. */
struct before {
	struct rec_account	acct;
	struct rec_mailbox	from, to;
};

static void
hide_begin(struct apply *ap, struct stage *g, struct before *b)
{
	b->acct = ap->a->rec;
	b->to = g->to->rec;
	if (g->from != NULL)
		b->from = g->from->rec;
	g->to->rec.uidnext = g->rec.base + g->rec.count;
}

static void
hide_end(struct apply *ap, struct stage *g, const struct before *b)
{
	struct rec_account made;
	uint64_t notes;

	g->rec.count = g->to->rec.uidnext - g->rec.base;
	g->rec.unseen += g->to->rec.unseen - b->to.unseen;
	g->rec.deleted += g->to->rec.deleted - b->to.deleted;
	g->rec.deleted_bytes += g->to->rec.deleted_bytes - b->to.deleted_bytes;
	g->rec.bytes += g->to->rec.bytes - b->to.bytes;
	notes = g->to->rec.annotations;
	g->to->rec = b->to;
	g->to->rec.annotations = notes;
	g->to->dirty |= notes != b->to.annotations;
	if (g->from != NULL && g->from != g->to)
		g->from->rec = b->from;
	/* Annotations are counted when they are made. */
	made = ap->a->rec;
	ap->a->rec = b->acct;
	ap->a->rec.annotation_bytes = made.annotation_bytes;
	ap->a->rec.annotation_others = made.annotation_others;
	ap->modseq = 0;
	ap->r->changed = false;
	ap->r->n_touched = 0;
	buf_clear(&ap->touched);
}

/* ---- copy and move ---- */

/* What a part adds, and whether a message is in too many places already. */
static enum status
judge_copy(struct apply *ap, const struct stage *g, const struct uidset *uids)
{
	struct message *msg = &ap->s->msg;
	uint64_t bytes = g->rec.bytes, n = uidset_count(uids);
	struct rec_index x;
	uint32_t rights;

	if (n > OP_ROWS || n + g->rec.count > UINT32_MAX - 1 - g->rec.base)
		return refuse(ap, ST_LIMIT);
	for (uint32_t u = 0; (u = uidset_next(uids, u)) != 0;) {
		TRY(index_load(ap->s, ap->a, g->from, u, &x));
		TRY(message_load(ap->s, ap->a, x.message, msg));
		if (msg->members.len / MEMBER_BYTES >= MEMBERS_MAX)
			return refuse(ap, ST_LIMIT);
		bytes += x.size;
	}
	if (!g->rec.move && !quota_fits(ap, bytes, n + g->rec.count))
		return refuse(ap, ST_OVER_QUOTA);
	if (g->rec.move)
		return ST_OK;
	TRY(ap_rights(ap, g->to->id, &rights));
	return annotations_judge_copy(ap, g->from, uids, 1, rights);
}

/* That the old places go, with what they were. */
static enum status
log_moved(struct apply *ap, struct mbox *from, const struct uidset *uids)
{
	struct rec_index x;

	for (uint32_t u = 0; (u = uidset_next(uids, u)) != 0;) {
		TRY(index_load(ap->s, ap->a, from, u, &x));
		TRY(change_add(ap, from, u, &(struct rec_change){ .kind = CHANGE_DESTROYED,
		    .message = x.message, .thread = x.thread, .old_modseq = x.modseq,
		    .old_flags = x.flags, .dated = true, .old_received_s = x.received_s,
		    .old_received_zone = x.received_zone }));
	}
	return ST_OK;
}

static enum status
stage_rows(struct apply *ap, struct stage *g, const struct uidset *uids)
{
	struct uidset made = { 0 };
	struct before b;
	enum status st;

	ap->r->mailbox = g->to->id;
	ap->r->uid = g->rec.base + g->rec.count;
	hide_begin(ap, g, &b);
	st = copy_rows(ap, g->from, g->to, uids, false, &made);
	if (st == ST_OK && g->rec.move)
		st = log_moved(ap, g->from, uids);
	hide_end(ap, g, &b);
	uidset_add_set(&g->uids, uids);
	uidset_fini(&made);
	return st == ST_OK ? stage_save(ap, g) : st;
}

static enum status
stage_copy(struct apply *ap, struct mbox *from, struct mbox *to, const struct uidset *asked)
{
	struct stage g = { 0 };
	struct uidset uids = { 0 };
	bool good;
	enum status st;

	st = stage_begin(ap, &g, from->id, to, ap->op->u.copy.move, &good);
	if (st == ST_OK && good)
		st = uidmap_among(ap->s, ap->a, from, STATE_ALL, asked, OP_ROWS, &uids);
	if (st == ST_OK && good)
		st = judge_copy(ap, &g, &uids);
	if (st == ST_OK && good && ap->r->status == ST_OK)
		st = stage_rows(ap, &g, &uids);
	uidset_fini(&uids);
	stage_fini(&g);
	return st;
}

/* The mailbox of a path: *m NULL and refused when there is none. */
static enum status
find(struct apply *ap, struct span path, struct mbox **m)
{
	struct buf clean = { 0 };
	struct path_at at;
	enum status st;

	*m = NULL;
	if (!path_clean(path, &clean)) {
		buf_fini(&clean);
		return refuse(ap, ST_SYNTAX);
	}
	st = path_find(ap->s, ap->s->txn, ap->a->id, buf_span(&clean), &at);
	buf_fini(&clean);
	TRY(st);
	return at.id != 0 ? ap_mbox(ap, at.id, m) : refuse(ap, ST_NOT_FOUND);
}

enum status
apply_stage_copy(struct apply *ap)
{
	const struct op_copy *p = &ap->op->u.copy;
	struct uidset asked = { 0 };
	struct mbox *from = NULL, *to = NULL;
	struct reader r;
	enum status st;

	reader_init(&r, p->uids.p, p->uids.len);
	if (!uidset_decode(&asked, &r, STORE_RANGES_MAX) || !reader_done(&r))
		st = refuse(ap, ST_SYNTAX);
	else
		st = ap_mbox(ap, p->mailbox, &from);
	if (from != NULL)
		st = ap_need(ap, from->id, RIGHT_READ |
		    (p->move ? RIGHT_DELETE_MSG | RIGHT_EXPUNGE : 0));
	if (from != NULL && st == ST_OK && ap->r->status == ST_OK)
		st = find(ap, p->to, &to);
	if (to != NULL)
		st = ap_need(ap, to->id, RIGHT_INSERT);
	if (to != NULL && st == ST_OK && ap->r->status == ST_OK)
		st = stage_copy(ap, from, to, &asked);
	uidset_fini(&asked);
	return st;
}

/* ---- append ---- */

static enum status
stage_items(struct apply *ap, struct stage *g, const unsigned *bits, size_t n_bits)
{
	struct uidset made = { 0 };
	struct before b;
	enum status st;

	hide_begin(ap, g, &b);
	st = append_rows(ap, g->to, bits, n_bits, NULL, &made);
	hide_end(ap, g, &b);
	uidset_fini(&made);
	return st == ST_OK ? stage_save(ap, g) : st;
}

static enum status
judge_append(struct apply *ap, const struct stage *g)
{
	const struct append_totals t = append_totals(ap->op->u.append.items);

	if (!t.good)
		return refuse(ap, ST_SYNTAX);
	if (t.pieces != ap->n_locs)
		return refuse(ap, ST_BUG);
	if (t.items > OP_ROWS || t.items + g->rec.count > UINT32_MAX - 1 - g->rec.base)
		return refuse(ap, ST_LIMIT);
	if (!quota_fits(ap, g->rec.bytes + t.bytes, g->rec.count + t.items))
		return refuse(ap, ST_OVER_QUOTA);
	return annotations_judge(ap, g->to->id, t.items);
}

static enum status
stage_append(struct apply *ap, struct mbox *to)
{
	unsigned bits[KEYWORD_MAX + 1];
	enum status st, verdict = ST_OK;
	struct stage g = { 0 };
	size_t n = 0;
	bool good;

	st = stage_begin(ap, &g, 0, to, false, &good);
	if (st == ST_OK && good)
		st = judge_append(ap, &g);
	good = good && ap->r->status == ST_OK;
	if (st == ST_OK && good)
		st = keywords_bits(ap, ap->op->u.append.keywords, true, bits, &n, &verdict);
	if (st == ST_OK && good && verdict != ST_OK)
		st = refuse(ap, verdict);
	else if (st == ST_OK && good)
		st = stage_items(ap, &g, bits, n);
	stage_fini(&g);
	return st;
}

enum status
apply_stage_append(struct apply *ap)
{
	struct span path = ap->op->u.append.path;
	struct mbox *to;

	TRY(find(ap, path.len > 0 ? path : SPAN_LIT("INBOX"), &to));
	if (to != NULL)
		TRY(ap_need(ap, to->id, RIGHT_INSERT));
	return to != NULL && ap->r->status == ST_OK ? stage_append(ap, to) : ST_OK;
}

/* ---- shown ---- */

/* What the rows of a move leave behind is in no count and no uid map any more. */
static enum status
leave(struct apply *ap, struct stage *g)
{
	struct mbox *m = g->from;

	for (uint32_t u = 0; (u = uidset_next(&g->uids, u)) != 0;)
		TRY(uidmap_set(ap->s, ap->a, m, u, NULL));
	m->rec.bytes -= g->rec.bytes;
	m->rec.highestmodseq = ap_modseq(ap);
	m->dirty = true;
	ap->a->rec.bytes -= g->rec.bytes;
	ap->a->rec.messages -= g->rec.count;
	g->rec.phase = STAGE_MOVED;
	return stage_save(ap, g);
}

static void
touch(struct apply *ap, const struct mbox *m)
{
	put_u64(&ap->touched, m->id);
	ap->r->touched[ap->r->n_touched++] = m->id;
}

static enum status
arrive(struct apply *ap, struct stage *g)
{
	struct rec_account *a = &ap->a->rec;
	struct rec_mailbox *m = &g->to->rec;

	m->uidnext += g->rec.count;
	m->messages += g->rec.count;
	m->unseen += g->rec.unseen;
	m->deleted += g->rec.deleted;
	m->deleted_bytes += g->rec.deleted_bytes;
	m->bytes += g->rec.bytes;
	a->bytes += g->rec.bytes;
	a->messages += g->rec.count;
	m->highestmodseq = a->mail_modseq = a->thread_modseq = a->mailbox_modseq = ap_modseq(ap);
	/* A copy is of what was there; that of one who may not set \Deleted may bring it to light. */
	if ((g->from == NULL || ap_foreign(ap)) && g->rec.deleted < g->rec.count)
		a->delivery_modseq = ap->modseq;
	g->to->dirty = true;
	touch(ap, g->to);
	if (!g->rec.move)
		return stage_delete(ap);
	if (g->from != g->to)
		touch(ap, g->from);
	return leave(ap, g);
}

static void
tell(struct apply *ap, const struct stage *g, const struct uidset *from)
{
	struct store_appended appended = { .mailbox = g->to->id,
		.uidvalidity = g->to->rec.uidvalidity, .modseq = ap->modseq };
	struct store_copied copied = { g->to->id, g->to->rec.uidvalidity, SPAN_NONE, SPAN_NONE,
		ap->modseq };
	struct uidset made = { 0 };
	struct buf a = { 0 }, b = { 0 };

	ap->r->mailbox = g->to->id;
	ap->r->uid = g->rec.base;
	uidset_add_range(&made, g->rec.base, g->rec.base + g->rec.count - 1);
	uidset_encode(&made, &b);
	uidset_encode(from, &a);
	appended.uids = copied.to = buf_span(&b);
	copied.from = buf_span(&a);
	if (g->from == NULL)
		ap_reply(ap, STORE_APPENDED, &appended);
	else
		ap_reply(ap, STORE_COPIED, &copied);
	uidset_fini(&made);
	buf_fini(&a);
	buf_fini(&b);
}

enum status
apply_stage_commit(struct apply *ap)
{
	struct stage g = { 0 };
	enum status st = stage_load(ap, &g);

	if (st == ST_NOT_FOUND || (st == ST_OK && (g.rec.phase != STAGE_OPEN ||
	    g.rec.count == 0 || g.rec.modseq != ap->a->rec.modseq + 1)))
		st = refuse(ap, ST_UNAVAILABLE);
	else if (st == ST_OK && !g.rec.move && !quota_fits(ap, g.rec.bytes, g.rec.count))
		st = refuse(ap, ST_OVER_QUOTA);
	else if (st == ST_OK)
		st = arrive(ap, &g);
	if (st == ST_OK && ap->r->status == ST_OK)
		tell(ap, &g, &g.uids);
	stage_fini(&g);
	return st;
}

/* ---- ended ---- */

static enum status
del_change(struct apply *ap, const struct stage *g, const struct mbox *m, uint32_t uid)
{
	struct key k;

	key_change(&k, ap->a->id, m->id, g->rec.modseq, uid);
	return st_del(ap->s, TAB_CHANGE, &k);
}

/* Takes a row away that nobody saw. */
static enum status
undo_row(struct apply *ap, struct stage *g, uint32_t uid)
{
	struct message *msg = &ap->s->msg;
	struct rec_mailbox counts = g->to->rec;
	struct rec_index x;
	struct key k;
	enum status st;

	TRY(index_load(ap->s, ap->a, g->to, uid, &x));
	TRY(message_load(ap->s, ap->a, x.message, msg));
	key_uid(&k, ap->a->id, g->to->id, uid);
	if (!message_drop_member(msg, g->to->id, uid))
		return st_damaged(ap->s, TAB_MINDEX, key_span(&k));
	st = uidmap_set(ap->s, ap->a, g->to, uid, NULL);
	g->to->rec = counts;
	TRY(st);
	TRY(st_del(ap->s, TAB_MINDEX, &k));
	TRY(annotations_drop(ap, g->to, uid, 0));
	TRY(del_change(ap, g, g->to, uid));
	if (g->from != NULL)
		return message_save(ap->s, ap->a, msg);
	ap->a->rec.kept_bytes += msg->rec.size;
	return message_purge(ap, msg);
}

/* The last row, and in a move that its old place goes. */
static enum status
undo_last(struct apply *ap, struct stage *g)
{
	uint32_t old = g->from != NULL ? uidset_at(&g->uids, g->rec.count - 1) : 0;

	TRY(undo_row(ap, g, g->rec.base + g->rec.count - 1));
	if (g->rec.move)
		TRY(del_change(ap, g, g->from, old));
	if (old != 0)
		uidset_remove_range(&g->uids, old, old);
	g->rec.count--;
	return ST_OK;
}

static enum status
leave_row(struct apply *ap, struct stage *g, uint32_t uid)
{
	struct message *msg = &ap->s->msg;
	struct rec_index x;
	struct key k;

	TRY(index_load(ap->s, ap->a, g->from, uid, &x));
	TRY(message_load(ap->s, ap->a, x.message, msg));
	key_uid(&k, ap->a->id, g->from->id, uid);
	if (!message_drop_member(msg, g->from->id, uid))
		return st_damaged(ap->s, TAB_MINDEX, key_span(&k));
	TRY(st_del(ap->s, TAB_MINDEX, &k));
	/* Both sets rise together. */
	TRY(uidl_move(ap, g->from, uid, g->to,
	    g->rec.base + g->rec.count - (uint32_t)uidset_count(&g->uids)));
	TRY(uidl_drop(ap, g->from, uid));
	TRY(annotations_drop(ap, g->from, uid, g->rec.modseq));
	uidset_remove_range(&g->uids, uid, uid);
	return message_save(ap->s, ap->a, msg);
}

static enum status
stage_end(struct apply *ap, struct stage *g, uint32_t rows)
{
	bool undo = g->rec.phase == STAGE_OPEN;

	for (uint32_t n = 0; n < rows && (undo ? g->rec.count > 0 : !uidset_empty(&g->uids)); n++)
		TRY(undo ? undo_last(ap, g) : leave_row(ap, g, uidset_next(&g->uids, 0)));
	ap->r->more = undo ? g->rec.count > 0 : !uidset_empty(&g->uids);
	return ap->r->more ? stage_save(ap, g) : stage_delete(ap);
}

enum status
apply_stage_end(struct apply *ap)
{
	uint32_t rows = ap->op->u.stage_end.rows;
	struct stage g = { 0 };
	enum status st = stage_load(ap, &g);

	if (st == ST_NOT_FOUND)
		st = ST_OK;
	else if (st == ST_OK)
		st = stage_end(ap, &g, rows == 0 || rows > OP_ROWS ? OP_ROWS : rows);
	stage_fini(&g);
	return st;
}

enum status
state_stage_next(struct state *s, uint64_t after, uint64_t *account)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key k;
	enum status st;

	if (after == UINT64_MAX)
		return ST_NOT_FOUND;
	TRY(engine_cursor_open(s->e, NULL, TAB_STAGE, SPAN_NONE, &c));
	key_1(&k, after + 1);
	engine_cursor_seek(c, key_span(&k));
	st = st_next(s, TAB_STAGE, c, &key, &payload);
	if (st == ST_OK)
		*account = get_be64(key.p);
	engine_cursor_close(&c);
	return st;
}
