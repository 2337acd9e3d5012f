/* What lies in a shard: a walk over every row. */
#include "storage/state/state_priv.h"

#include <assert.h>

#include "common/util/mem.h"

static void
count_message(struct state *s, struct span payload, struct state_stock *st)
{
	struct rec_message m;
	struct rec_extent e;
	struct buf value = { 0 };
	struct span row;
	struct key k;

	if (!rec_message_get(payload, &m))
		return;
	if (m.gone_modseq == 0) {
		st->messages++;
		st->mail_bytes += m.size;
		return;
	}
	st->retained_messages++;
	st->retained_mail_bytes += m.size;
	key_1(&k, m.extent);
	if (st_get(s, NULL, TAB_EXTENT, &k, &value, &row) == ST_OK && rec_extent_get(row, &e))
		st->retained_body_bytes += e.stored;
	buf_fini(&value);
}

static enum status
count_table(struct state *s, enum tab t, bool (*stop)(void *arg), void *arg,
    struct state_stock *st)
{
	struct engine_cursor *c;
	struct span key, value, payload;
	struct rec_extent e;
	enum status res;

	TRY(engine_cursor_open(s->e, NULL, (unsigned)t, SPAN_NONE, &c));
	while ((res = engine_cursor_next(c, &key, &value)) == ST_OK) {
		st->table[t].bytes += key.len + value.len;
		if ((st->table[t].rows++ & 1023) == 0 && stop(arg)) {
			res = ST_CANCELLED;
			break;
		}
		if ((t != TAB_MESSAGE && t != TAB_EXTENT) || !rec_open(t, key, value, &payload))
			continue;
		if (t == TAB_MESSAGE)
			count_message(s, payload, st);
		else if (rec_extent_get(payload, &e))
			st->body_bytes += e.stored;
	}
	engine_cursor_close(&c);
	return res == ST_NOT_FOUND ? ST_OK : res;
}

enum status
state_stock(struct state *s, bool (*stop)(void *arg), void *arg, struct state_stock *st)
{
	*st = (struct state_stock){ .n_tables = TAB_COUNT };
	static_assert(TAB_COUNT <= ARRAY_LEN(st->table), "");
	for (unsigned t = 0; t < TAB_COUNT; t++)
		TRY(count_table(s, (enum tab)t, stop, arg, st));
	st->body_bytes -= st->retained_body_bytes < st->body_bytes ? st->retained_body_bytes :
	    st->body_bytes;
	return ST_OK;
}
