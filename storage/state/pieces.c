/* Walks over all that is there: the rows themselves, and the places of bodies. */
#include "storage/state/state_priv.h"

#define STOP_ROWS 256u		/* asked for after so many */

static enum status
read_table(struct state *s, enum tab t, state_stop_fn stop, void *arg, uint64_t *rows)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	enum status st;

	TRY(engine_cursor_open(s->e, NULL, t, SPAN_NONE, &c));
	while ((st = st_next(s, t, c, &key, &payload)) == ST_OK) {
		if (++*rows % STOP_ROWS == 0 && stop != NULL && stop(arg)) {
			st = ST_CANCELLED;
			break;
		}
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_read_all(struct state *s, state_stop_fn stop, void *arg, uint64_t *rows)
{
	uint64_t n = 0;
	enum status st = ST_OK;

	for (enum tab t = 0; t < TAB_COUNT && st == ST_OK; t++)
		st = read_table(s, t, stop, arg, &n);
	if (rows != NULL)
		*rows = n;
	return st;
}

static enum status
tell_pieces(uint64_t extent, struct span locs, state_piece_fn fn, void *arg)
{
	for (uint32_t i = 0; i < locs.len / LOC_BYTES; i++) {
		const char *p = locs.p + (size_t)i * LOC_BYTES;
		const struct journal_loc loc = { get_be32(p), get_be32(p + 4), get_be32(p + 8) };

		TRY(fn(arg, extent, i, &loc));
	}
	return ST_OK;
}

enum status
state_pieces(struct state *s, state_piece_fn fn, void *arg)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_extent e;
	enum status st;

	TRY(engine_cursor_open(s->e, NULL, TAB_EXTENT, SPAN_NONE, &c));
	while ((st = st_next(s, TAB_EXTENT, c, &key, &payload)) == ST_OK) {
		if (!rec_extent_get(payload, &e))
			st = st_damaged(s, TAB_EXTENT, key);
		else
			st = tell_pieces(get_be64(key.p), e.locs, fn, arg);
		if (st != ST_OK)
			break;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}
