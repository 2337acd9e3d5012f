/* \Seen of who reads another's mailbox: a bit a message and the modseq of its last change,
 * beside the shared flags, in blocks of uids as the uid map has them.  What a reader is shown
 * is the later of the shared modseq and his own; his changes are news for him alone.
 *
 *	rseen     account, mailbox, reader, block   bits, then offset u8 and modseq varint of
 *	                                            each uid that was ever changed
 *	reader    account, mailbox, reader          u64: highest modseq in those */
#include "storage/state/state_priv.h"

#include <string.h>

#include "common/util/mem.h"

static void
key_reader(struct key *k, uint64_t account, uint64_t mailbox, uint64_t reader)
{
	key_3(k, account, mailbox, reader);
}

static void
key_block(struct key *k, uint64_t account, uint64_t mailbox, uint64_t reader, uint32_t block)
{
	key_3(k, account, mailbox, reader);
	key_add32(k, block);
}

static bool
block_get(struct span p, struct reader_block *b)
{
	struct span bits;
	struct reader r;

	memset(b, 0, sizeof(*b));
	reader_init(&r, p.p, p.len);
	bits = get_raw(&r, sizeof(b->seen));
	if (bits.p == NULL)
		return false;
	memcpy(b->seen, bits.p, sizeof(b->seen));
	while (r.p < r.end && !r.bad) {
		uint8_t at = get_u8(&r);

		b->modseq[at] = get_varint(&r);
	}
	return reader_done(&r);
}

static void
block_put(struct buf *out, const struct reader_block *b)
{
	buf_add(out, b->seen, sizeof(b->seen));
	for (unsigned i = 0; i < BLOCK_UIDS; i++) {
		if (b->modseq[i] == 0)
			continue;
		put_u8(out, (uint8_t)i);
		put_varint(out, b->modseq[i]);
	}
}

bool
reader_marks_highest(struct span payload, uint64_t *modseq)
{
	struct reader_block b;

	*modseq = 0;
	if (!block_get(payload, &b))
		return false;
	for (unsigned i = 0; i < BLOCK_UIDS; i++)
		if (b.modseq[i] > *modseq)
			*modseq = b.modseq[i];
	return true;
}

static enum status
block_read(struct state *s, struct engine_txn *txn, uint64_t account, uint64_t mailbox,
    uint64_t reader, uint32_t no, struct reader_block *b)
{
	struct buf value = { 0 };
	struct span payload;
	struct key k;
	enum status st;

	key_block(&k, account, mailbox, reader, no);
	st = st_get(s, txn, TAB_RSEEN, &k, &value, &payload);
	if (st == ST_NOT_FOUND) {
		memset(b, 0, sizeof(*b));
		st = ST_OK;
	} else if (st == ST_OK && !block_get(payload, b)) {
		st = st_damaged(s, TAB_RSEEN, key_span(&k));
	}
	buf_fini(&value);
	return st;
}

static bool
is_seen(const struct reader_block *b, uint32_t uid)
{
	return (b->seen[uid % BLOCK_UIDS / 8] >> uid % 8 & 1) != 0;
}

/* ---- for operations ---- */

enum status
reader_flush(struct apply *ap)
{
	uint64_t reader = ap->op->head.who;
	struct key k;

	if (ap->rb == NULL || !ap->rb_dirty)
		return ST_OK;
	ap->rb_dirty = false;
	key_block(&k, ap->a->id, ap->rb_mailbox, reader, ap->rb_no);
	block_put(st_put_start(ap->s), ap->rb);
	TRY(st_put(ap->s, TAB_RSEEN, &k));
	key_reader(&k, ap->a->id, ap->rb_mailbox, reader);
	put_u64(st_put_start(ap->s), ap->modseq);
	return st_put(ap->s, TAB_READER, &k);
}

static enum status
take_block(struct apply *ap, uint64_t mailbox, uint32_t no)
{
	if (ap->rb != NULL && ap->rb_mailbox == mailbox && ap->rb_no == no)
		return ST_OK;
	TRY(reader_flush(ap));
	if (ap->rb == NULL)
		ap->rb = mem_zalloc(sizeof(*ap->rb));
	ap->rb_mailbox = mailbox;
	ap->rb_no = no;
	return block_read(ap->s, ap->s->txn, ap->a->id, mailbox, ap->op->head.who, no, ap->rb);
}

enum status
reader_get(struct apply *ap, uint64_t mailbox, uint32_t uid, bool *seen, uint64_t *modseq)
{
	TRY(take_block(ap, mailbox, uid / BLOCK_UIDS));
	*seen = is_seen(ap->rb, uid);
	*modseq = ap->rb->modseq[uid % BLOCK_UIDS];
	return ST_OK;
}

enum status
reader_set(struct apply *ap, uint64_t mailbox, uint32_t uid, bool seen)
{
	TRY(take_block(ap, mailbox, uid / BLOCK_UIDS));
	if (is_seen(ap->rb, uid) == seen)
		return ST_OK;
	ap->rb->seen[uid % BLOCK_UIDS / 8] ^= (unsigned char)(1u << uid % 8);
	ap->rb->modseq[uid % BLOCK_UIDS] = ap_modseq(ap);
	ap->rb_dirty = true;
	ap->reader_changed = true;
	return ST_OK;
}

enum status
reader_touch(struct apply *ap, uint64_t mailbox, uint32_t uid)
{
	TRY(take_block(ap, mailbox, uid / BLOCK_UIDS));
	ap->rb->modseq[uid % BLOCK_UIDS] = ap_modseq(ap);
	ap->rb_dirty = true;
	ap->reader_changed = true;
	return ST_OK;
}

/* Up to *left rows of one table below a mailbox. */
static enum status
purge_table(struct apply *ap, enum tab t, uint64_t mailbox, uint32_t *left)
{
	struct engine_cursor *c = NULL;
	struct buf keys = { 0 };
	struct key prefix;
	struct reader r;
	struct span key;
	enum status st;

	key_2(&prefix, ap->a->id, mailbox);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, t, key_span(&prefix), &c));
	for (; *left > 0 && engine_cursor_next(c, &key, NULL) == ST_OK; --*left)
		put_span(&keys, key);
	engine_cursor_close(&c);
	st = ST_OK;
	reader_init(&r, keys.data, keys.len);
	while (st == ST_OK && r.p < r.end)
		st = st_del_row(ap->s, t, get_span(&r));
	buf_fini(&keys);
	return st;
}

enum status
reader_purge(struct apply *ap, uint64_t mailbox, bool *empty)
{
	uint32_t left = OP_ROWS;

	TRY(purge_table(ap, TAB_RSEEN, mailbox, &left));
	TRY(purge_table(ap, TAB_READER, mailbox, &left));
	*empty = left > 0;
	return ST_OK;
}

/* ---- reading ---- */

static enum status
highest(struct state *s, uint64_t account, uint64_t mailbox, uint64_t reader, uint64_t *modseq)
{
	struct buf value = { 0 };
	struct span payload;
	struct key k;
	enum status st;

	*modseq = 0;
	key_reader(&k, account, mailbox, reader);
	st = st_get(s, NULL, TAB_READER, &k, &value, &payload);
	if (st == ST_OK && payload.len != 8)
		st = st_damaged(s, TAB_READER, key_span(&k));
	else if (st == ST_OK)
		*modseq = get_be64(payload.p);
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
reader_row(struct state *s, struct reader_view *v, struct store_row *row)
{
	const struct reader_block *b = &v->block;

	if (row->uid / BLOCK_UIDS != v->no) {
		TRY(block_read(s, NULL, v->account, v->mailbox, v->reader, row->uid / BLOCK_UIDS,
		    &v->block));
		v->no = row->uid / BLOCK_UIDS;
	}
	row->flags = flags_without(row->flags, flags_system(FLAG_SEEN));
	if (is_seen(b, row->uid))
		row->flags = flags_or(row->flags, flags_system(FLAG_SEEN));
	if (b->modseq[row->uid % BLOCK_UIDS] > row->modseq)
		row->modseq = b->modseq[row->uid % BLOCK_UIDS];
	return ST_OK;
}

enum status
state_reader_rows(struct state *s, uint64_t account, uint64_t mailbox, uint64_t reader,
    unsigned fields, struct span rows, struct buf *out)
{
	struct reader_view v = { .account = account, .mailbox = mailbox, .reader = reader,
		.no = UINT32_MAX };
	struct store_row row;
	struct reader r;

	reader_init(&r, rows.p, rows.len);
	while (get_store_row(&r, &row, fields)) {
		TRY(reader_row(s, &v, &row));
		put_store_row(out, &row, fields);
	}
	return r.bad ? ST_BUG : ST_OK;
}

/* Uids whose mark changed above since, up to `to`. */
static enum status
changed_above(struct state *s, uint64_t account, uint64_t mailbox, uint64_t reader,
    uint64_t since, uint64_t to, struct uidset *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct reader_block b;
	struct key prefix;
	enum status st;

	key_reader(&prefix, account, mailbox, reader);
	TRY(engine_cursor_open(s->e, NULL, TAB_RSEEN, key_span(&prefix), &c));
	while ((st = st_next(s, TAB_RSEEN, c, &key, &payload)) == ST_OK) {
		uint32_t first = get_be32(key.p + 24) * BLOCK_UIDS;

		if (!block_get(payload, &b)) {
			st = st_damaged(s, TAB_RSEEN, key);
			break;
		}
		for (uint32_t i = 0; i < BLOCK_UIDS; i++)
			if (b.modseq[i] > since && b.modseq[i] <= to)
				uidset_add(out, first + i);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_reader_changes(struct state *s, uint64_t account, uint64_t mailbox, uint64_t reader,
    uint64_t since, struct state_changes *c)
{
	uint64_t own, to = c->more ? c->highestmodseq : UINT64_MAX;
	struct uidset mine = { 0 }, there = { 0 };
	enum status st;

	if (c->gone)
		return ST_OK;
	TRY(highest(s, account, mailbox, reader, &own));
	if (own > c->highestmodseq && !c->more)
		c->highestmodseq = own;
	if (own <= since || c->full)
		return ST_OK;
	st = changed_above(s, account, mailbox, reader, since, to, &mine);
	if (st == ST_OK)
		st = state_uids(s, account, mailbox, STATE_ALL, &there);
	if (st == ST_OK) {
		uidset_intersect(&mine, &there);
		uidset_add_set(&c->changed, &mine);
	}
	uidset_fini(&mine);
	uidset_fini(&there);
	return st;
}

/* Messages that the reader has not seen. */
static enum status
unseen(struct state *s, uint64_t account, uint64_t mailbox, uint64_t reader, struct uidset *out)
{
	struct engine_cursor *c = NULL;
	struct uidset seen = { 0 };
	struct span key, payload;
	struct reader_block b;
	struct key prefix;
	enum status st;

	TRY(state_uids(s, account, mailbox, STATE_ALL, out));
	key_reader(&prefix, account, mailbox, reader);
	TRY(engine_cursor_open(s->e, NULL, TAB_RSEEN, key_span(&prefix), &c));
	while ((st = st_next(s, TAB_RSEEN, c, &key, &payload)) == ST_OK) {
		if (!block_get(payload, &b)) {
			st = st_damaged(s, TAB_RSEEN, key);
			break;
		}
		uidmap_bits(b.seen, get_be32(key.p + 24), 1, UINT32_MAX, &seen);
	}
	engine_cursor_close(&c);
	uidset_remove_set(out, &seen);
	uidset_fini(&seen);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_reader_open(struct state *s, uint64_t account, uint64_t reader, struct store_opened *o)
{
	struct uidset left = { 0 };
	uint64_t own;
	enum status st;

	TRY(highest(s, account, o->mailbox, reader, &own));
	if (own > o->highestmodseq)
		o->highestmodseq = own;
	st = unseen(s, account, o->mailbox, reader, &left);
	o->unseen_first = uidset_next(&left, 0);
	uidset_fini(&left);
	return st;
}

/* ---- the list of mailboxes as another account sees it ---- */

struct shown {
	struct store_mailbox	m;
	bool			visible;
};

static bool
begins_with(struct span path, struct span top)
{
	return path.len > top.len && span_eq(span_sub(path, 0, top.len), top);
}

static bool
is_below(struct span path, struct span top)
{
	return begins_with(path, top) && path.p[top.len] == '/';
}

static enum status
show(struct state *s, uint64_t account, const struct state_asker *by, struct span only,
    struct shown *x)
{
	struct uidset left = { 0 };
	uint64_t own;
	uint32_t rights;
	enum status st;

	x->m.subscribed = false;
	if (x->m.id == 0)
		return ST_OK;
	TRY(state_rights(s, account, x->m.id, by, &rights));
	x->visible = (rights & RIGHT_LOOKUP) != 0;
	if (!x->visible)
		return ST_OK;
	x->m.rights = rights;
	if (only.len > 0 && !span_eq(only, x->m.path))
		return ST_OK;
	TRY(highest(s, account, x->m.id, by->account, &own));
	if (own > x->m.highestmodseq)
		x->m.highestmodseq = own;
	st = unseen(s, account, x->m.id, by->account, &left);
	x->m.unseen = (uint32_t)uidset_count(&left);
	uidset_fini(&left);
	return st;
}

/* Whether anything visible lies below line i; lines are sorted by path, so what lies below
 * comes behind, if not at once. */
static bool
has_visible_below(const struct shown *l, size_t n, size_t i)
{
	for (size_t k = i + 1; k < n; k++) {
		if (!begins_with(l[k].m.path, l[i].m.path))
			return false;
		if (l[k].visible && is_below(l[k].m.path, l[i].m.path))
			return true;
	}
	return false;
}

enum status
state_reader_list(struct state *s, uint64_t account, const struct state_asker *by,
    struct span path, struct buf *out)
{
	struct buf all = { 0 }, only = { 0 };
	struct shown *l = NULL;
	uint32_t resume = 0;
	size_t n = 0, room = 0;
	struct reader r;
	enum status st;

	if (path.len > 0 && !path_clean(path, &only))
		return ST_OK;
	st = state_mailboxes(s, account, SPAN_NONE, SIZE_MAX, &resume, &all);
	reader_init(&r, all.data, all.len);
	while (st == ST_OK && r.p < r.end) {
		if (n == room) {
			room = room == 0 ? 16 : room * 2;
			l = mem_realloc_array(l, room, sizeof(*l));
		}
		l[n] = (struct shown){ 0 };
		if (!get_store_mailbox(&r, &l[n].m))
			break;
		st = show(s, account, by, buf_span(&only), &l[n++]);
	}
	for (size_t i = 0; st == ST_OK && i < n; i++) {
		l[i].m.has_children = has_visible_below(l, n, i);
		if ((!l[i].visible && !l[i].m.has_children) ||
		    (only.len > 0 && !span_eq(buf_span(&only), l[i].m.path)))
			continue;
		/* A superior that is hidden looks like one that is not there. */
		if (!l[i].visible)
			l[i].m = (struct store_mailbox){ .path = l[i].m.path, .has_children = true };
		put_store_mailbox(out, &l[i].m);
	}
	mem_free(&l);
	buf_fini(&all);
	buf_fini(&only);
	return st;
}
