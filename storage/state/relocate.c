/* Bodies that were written again elsewhere in the journal: their extents point there. */
#include "storage/state/state_priv.h"

/* The extent at hand, its places changeable. */
struct extent_edit {
	uint64_t	id;		/* 0: none */
	bool		there, dirty;
	struct rec_extent rec;
	struct buf	locs;
};

static enum status
edit_end(struct apply *ap, struct extent_edit *e)
{
	struct key k;

	if (!e->dirty)
		return ST_OK;
	e->dirty = false;
	e->rec.locs = buf_span(&e->locs);
	key_1(&k, e->id);
	rec_extent_put(st_put_start(ap->s), &e->rec);
	return st_put(ap->s, TAB_EXTENT, &k);
}

static enum status
edit_begin(struct apply *ap, struct extent_edit *e, uint64_t id)
{
	struct span payload;
	struct key k;
	enum status st;

	if (e->id == id)
		return ST_OK;
	TRY(edit_end(ap, e));
	e->id = id;
	e->there = false;
	key_1(&k, id);
	st = st_get(ap->s, ap->s->txn, TAB_EXTENT, &k, &ap->s->value, &payload);
	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_OK : st;
	if (!rec_extent_get(payload, &e->rec))
		return st_damaged(ap->s, TAB_EXTENT, key_span(&k));
	buf_clear(&e->locs);
	buf_add_span(&e->locs, e->rec.locs);
	e->there = true;
	return ST_OK;
}

/* false: it is gone, or was moved before. */
static bool
move_one(struct extent_edit *e, const struct op_move *m, const struct journal_loc *to)
{
	char *p = e->locs.data + (size_t)m->index * LOC_BYTES;

	if (!e->there || m->index >= e->locs.len / LOC_BYTES || get_be32(p) != m->segment ||
	    get_be32(p + 4) != m->offset || get_be32(p + 8) != m->length)
		return false;
	put_be32(p, to->segment);
	put_be32(p + 4, to->offset);
	e->dirty = true;
	return true;
}

static bool
lengths_fit(const struct apply *ap)
{
	struct op_move m;
	struct reader r;
	size_t i = 0;

	reader_init(&r, ap->op->u.relocate.moves.p, ap->op->u.relocate.moves.len);
	for (; get_op_move(&r, &m); i++)
		if (i >= ap->n_locs || ap->locs[i].length != m.length)
			return false;
	return reader_done(&r) && i == ap->n_locs && i <= OP_MOVES_MAX;
}

/* result.uid: how many were moved. */
enum status
apply_relocate(struct apply *ap)
{
	struct extent_edit e = { 0 };
	enum status st = ST_OK;
	struct op_move m;
	struct reader r;
	size_t i = 0;

	if (!lengths_fit(ap))
		return refuse(ap, ST_SYNTAX);
	reader_init(&r, ap->op->u.relocate.moves.p, ap->op->u.relocate.moves.len);
	for (; st == ST_OK && get_op_move(&r, &m); i++) {
		st = edit_begin(ap, &e, m.extent);
		if (st == ST_OK && move_one(&e, &m, &ap->locs[i]))
			ap->r->uid++;
	}
	if (st == ST_OK)
		st = edit_end(ap, &e);
	buf_fini(&e.locs);
	return st;
}
