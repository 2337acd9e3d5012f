/* storage/engine/cursor.c
 * Cursors fetch many rows at once into memory and let go of the table in between:
 * no lock is held while the caller looks at rows, and none can be forgotten.  Rows that are not
 * written to the table yet are put among them. */
#include <string.h>

#include "common/util/mem.h"
#include "storage/engine/recent.h"

#define FETCH_MOST	(256u << 10)
#define FETCH_LIMIT	(2 * ENGINE_VALUE_MAX)

enum status
engine_cursor_open(struct engine *e, struct engine_txn *txn, unsigned table,
    struct span prefix, struct engine_cursor **out)
{
	struct engine_cursor *c;

	*out = NULL;
	if (engine_failed(e))
		return ST_CORRUPT;
	if (prefix.len > ENGINE_KEY_MAX)
		return ST_LIMIT;
	c = mem_zalloc(sizeof(*c));
	c->e = e;
	c->txn = txn;
	c->table = table;
	c->fetch = c->first = e->ops->least_fetch(e, table);
	buf_add_span(&c->prefix, prefix);
	buf_add_span(&c->at, prefix);
	*out = c;
	return ST_OK;
}

void
engine_cursor_close(struct engine_cursor **cp)
{
	struct engine_cursor *c = *cp;

	if (c == NULL)
		return;
	buf_fini(&c->prefix);
	buf_fini(&c->at);
	buf_fini(&c->back);
	buf_fini(&c->mix);
	mem_free(&c->out);
	mem_free(&c->rows);
	mem_free(cp);
}

void
engine_cursor_bulk(struct engine_cursor *c, size_t bytes)
{
	bytes = bytes < c->first ? c->first : bytes;
	bytes = bytes > FETCH_LIMIT ? FETCH_LIMIT : bytes;
	c->bulk = bytes - bytes % 1024;		/* as the bulk interface wants it */
}

/* The row stood on goes with the memory it stands in: keep its key. */
static void
forget_rows(struct engine_cursor *c)
{
	if (c->on) {
		buf_clear(&c->at);
		buf_add_span(&c->at, c->cur);
		c->after = true;
		c->end = false;
		c->on = false;
	}
	c->fetched = FETCHED_NONE;
}

void
engine_cursor_seek(struct engine_cursor *c, struct span key)
{
	struct span prefix = buf_span(&c->prefix);

	/* key may be the row stood on. */
	struct buf copy = { 0 };

	buf_add_span(&copy, span_cmp(key, prefix) < 0 ? prefix : key);
	c->on = false;
	forget_rows(c);
	buf_fini(&c->at);
	c->at = copy;
	c->after = c->end = false;
	c->fetch = c->first;
}

void
engine_cursor_seek_end(struct engine_cursor *c)
{
	c->on = false;
	forget_rows(c);
	c->end = true;
	c->fetch = c->first;
}

static bool
has_prefix(const struct engine_cursor *c, struct span key)
{
	return key.len >= c->prefix.len &&
	    memcmp(key.p, c->prefix.data != NULL ? c->prefix.data : "", c->prefix.len) == 0;
}

static bool
stale(const struct engine_cursor *c, enum fetched want)
{
	return c->fetched != want || (c->txn != NULL && c->writes != c->txn->writes);
}

/* ---- forwards ---- */

void
cursor_room(struct engine_cursor *c, size_t n)
{
	if (n <= c->room)
		return;
	mem_free(&c->rows);
	c->rows = mem_alloc(n);
	c->room = n;
}

/* Where the next row may be at the earliest: the key, with a NUL behind it if the
 * cursor stands behind that key. */
static struct span
ahead_from(const struct engine_cursor *c, char mem[ENGINE_KEY_MAX + 1])
{
	if (!c->after || c->at.len > ENGINE_KEY_MAX)
		return buf_span(&c->at);
	if (c->at.len > 0)
		memcpy(mem, c->at.data, c->at.len);
	mem[c->at.len] = '\0';
	return span(mem, c->at.len + 1);
}

/* ---- rows of memory among those of the table ---- */

static void
out_add(struct engine_cursor *c, struct span key, struct span value)
{
	if (c->n_out == c->out_room) {
		c->out_room = c->out_room == 0 ? 64 : c->out_room * 2;
		c->out = mem_realloc_array(c->out, c->out_room, sizeof(*c->out));
	}
	c->out[c->n_out++] = (struct out_row){ key, value };
}

/* Of the table's n rows (the first of out), and those in mix, the next by order is added; where
 * both have the key that of mix counts.  bound: what the table has behind it is left out.  The
 * rows are moved to the front then. */
static void
mix_rows(struct engine_cursor *c, int way, const struct span *bound)
{
	size_t n = c->n_out, i = 0;
	struct recent_row row;
	struct reader in;
	bool any;

	reader_init(&in, c->mix.data, c->mix.len);
	any = recent_row_next(&in, &row);
	while (any || i < n) {
		int d = !any ? -1 : i == n ? 1 : way * span_cmp(c->out[i].key, row.key);

		if (d < 0) {
			struct out_row r = c->out[i++];

			if (bound != NULL && way * span_cmp(r.key, *bound) > 0)
				break;
			out_add(c, r.key, r.value);
			continue;
		}
		if (d == 0)
			i++;
		if (!row.gone)
			out_add(c, row.key, row.value);
		any = recent_row_next(&in, &row);
	}
	if (n > 0)
		memmove(c->out, c->out + n, (c->n_out - n) * sizeof(*c->out));
	c->n_out -= n;
}

static bool
last_mixed(const struct engine_cursor *c, struct span *key)
{
	struct recent_row row;
	struct reader in;
	bool any = false;

	reader_init(&in, c->mix.data, c->mix.len);
	while (recent_row_next(&in, &row)) {
		*key = row.key;
		any = true;
	}
	return any;
}

/* Both ways: out has the table's rows, mix those of memory; more: of these there were more. *end:
 * where both stop, false: nowhere. */
static bool
mix_end(struct engine_cursor *c, int way, bool table_ended, bool more, struct span *end)
{
	bool any = !table_ended && c->n_out > 0;

	if (any)
		*end = c->out[c->n_out - 1].key;
	if (more)
		any = last_mixed(c, end);
	mix_rows(c, way, more ? end : NULL);
	return any;
}

static struct span
key_copy(char mem[ENGINE_KEY_MAX + 1], struct span key, bool behind)
{
	if (key.len > ENGINE_KEY_MAX)
		key.len = ENGINE_KEY_MAX;
	if (key.len > 0)
		memmove(mem, key.p, key.len);
	mem[key.len] = '\0';
	return span(mem, key.len + behind);
}

/* As the engine's own, from the table and memory.  What is gone may leave nothing of a fetch. */
static enum status
ahead_mixed(struct engine_cursor *c, struct span from)
{
	struct recent_want w = { .table = c->table, .mine = c->txn != NULL, .bytes = c->room,
		.rows = SIZE_MAX, .prefix = buf_span(&c->prefix) };
	char mem[ENGINE_KEY_MAX + 1];
	enum status st;

	for (;;) {
		struct span k, v, end;
		bool more = false;

		c->mixed = recent_ahead_any(c->e->recent, c->table, from, w.prefix, &w.moment);
		st = c->e->ops->ahead(c, from);
		if (!c->mixed || (st != ST_OK && st != ST_NOT_FOUND))
			return st;
		c->n_out = c->out_at = 0;
		buf_clear(&c->mix);
		while (st == ST_OK && c->e->ops->take(c, &k, &v))
			out_add(c, k, v);
		if (c->n_out > 0)
			k = c->out[c->n_out - 1].key;
		if (!recent_ahead(c->e->recent, &w, from, c->n_out > 0 ? &k : NULL, &c->mix, &more))
			continue;
		if (!mix_end(c, 1, st == ST_NOT_FOUND, more, &end) || c->n_out > 0)
			return c->n_out > 0 ? ST_OK : ST_NOT_FOUND;
		from = key_copy(mem, end, true);
	}
}

static bool
take(struct engine_cursor *c, struct span *key, struct span *value)
{
	if (!c->mixed)
		return c->e->ops->take(c, key, value);
	if (c->out_at == c->n_out)
		return false;
	*key = c->out[c->out_at].key;
	*value = c->out[c->out_at++].value;
	return true;
}

static enum status
fetch_ahead(struct engine_cursor *c)
{
	char mem[ENGINE_KEY_MAX + 1];
	struct span from;
	enum status st;

	forget_rows(c);
	if (c->end)
		return ST_NOT_FOUND;
	from = ahead_from(c, mem);
	if (from.len > ENGINE_KEY_MAX + 1)
		return ST_NOT_FOUND;
	cursor_room(c, c->bulk != 0 ? c->bulk : c->fetch);
	st = ahead_mixed(c, from);
	STAT_ADD(c->e, fetches, 1);
	if (c->fetch < FETCH_MOST)
		c->fetch *= 4;
	if (st == ST_NOT_FOUND)
		c->end = true;
	if (st != ST_OK)
		return st;
	c->fetched = FETCHED_AHEAD;
	c->writes = c->txn != NULL ? c->txn->writes : 0;
	return ST_OK;
}

enum status
engine_cursor_next(struct engine_cursor *c, struct span *key, struct span *value)
{
	struct span k, v;
	enum status st;

	if (engine_failed(c->e))
		return ST_CORRUPT;
	/* A loop that changes what it reads fetches for each row: a little. */
	if (c->fetched == FETCHED_AHEAD && stale(c, FETCHED_AHEAD))
		c->fetch = c->first;
	if (stale(c, FETCHED_AHEAD) || !take(c, &k, &v)) {
		st = fetch_ahead(c);
		if (st != ST_OK)
			return st;
		if (!take(c, &k, &v))
			return ST_NOT_FOUND;
	}
	if (!has_prefix(c, k)) {
		/* Stands behind the last row of its own, for a prev to come. */
		forget_rows(c);
		c->end = true;
		return ST_NOT_FOUND;
	}
	c->cur = k;
	c->on = true;
	if (key != NULL)
		*key = k;
	if (value != NULL)
		*value = v;
	return ST_OK;
}

/* ---- backwards ---- */

/* Sets from to the first key behind all that have the prefix; false: there is none. */
static bool
behind_prefix(const struct engine_cursor *c, char mem[ENGINE_KEY_MAX + 1], struct span *from)
{
	size_t n = c->prefix.len;

	if (n > 0)
		memcpy(mem, c->prefix.data, n);
	while (n > 0 && (unsigned char)mem[n - 1] == 0xff)
		n--;
	if (n == 0)
		return false;
	mem[n - 1]++;
	*from = span(mem, n);
	return true;
}

void
cursor_back_add(struct engine_cursor *c, struct span key, struct span value)
{
	struct back_row *r = &c->back_rows[c->n_back++];

	r->value = c->back.len;
	r->value_len = value.len;
	buf_add_span(&c->back, value);
	r->key = c->back.len;
	r->key_len = key.len;
	buf_add_span(&c->back, key);
}

static void
take_back_rows(struct engine_cursor *c)
{
	c->n_out = c->out_at = 0;
	for (size_t i = 0; i < c->n_back; i++) {
		const struct back_row *r = &c->back_rows[i];

		out_add(c, span(c->back.data + r->key, r->key_len),
		    span(c->back.data + r->value, r->value_len));
	}
}

static enum status
back_mixed(struct engine_cursor *c, const struct span *before, size_t rows, size_t most)
{
	struct recent_want w = { .table = c->table, .mine = c->txn != NULL, .bytes = most,
		.rows = rows };
	char mem[ENGINE_KEY_MAX + 1];
	struct span from;
	enum status st;

	for (;;) {
		struct span k, end;
		bool more = false, any, ended;

		any = recent_back_any(c->e->recent, c->table, before, &w.moment);
		buf_clear(&c->back);
		c->n_back = 0;
		st = c->e->ops->back(c, before, rows, most);
		if (st != ST_OK && st != ST_NOT_FOUND)
			return st;
		ended = c->n_back < rows && c->back.len < most;
		take_back_rows(c);
		if (!any)
			return st;
		buf_clear(&c->mix);
		if (c->n_out > 0)
			k = c->out[c->n_out - 1].key;
		if (!recent_back(c->e->recent, &w, before, c->n_out > 0 && !ended ? &k : NULL,
		    &c->mix, &more))
			continue;
		if (!mix_end(c, -1, ended, more, &end) || c->n_out > 0)
			return c->n_out > 0 ? ST_OK : ST_NOT_FOUND;
		from = key_copy(mem, end, false);
		before = &from;
	}
}

static enum status
fetch_back(struct engine_cursor *c)
{
	char mem[ENGINE_KEY_MAX + 1];
	struct span from;
	bool bounded = true;
	enum status st;

	forget_rows(c);
	if (c->end)
		bounded = behind_prefix(c, mem, &from);
	else
		from = buf_span(&c->at);
	if (bounded && from.len > ENGINE_KEY_MAX + 1)
		from.len = ENGINE_KEY_MAX + 1;
	st = back_mixed(c, bounded ? &from : NULL, c->txn != NULL ? 8 : BACK_ROWS,
	    c->bulk != 0 ? c->bulk : FETCH_MOST);
	STAT_ADD(c->e, fetches, 1);
	if (st != ST_OK)
		return st;
	c->fetched = FETCHED_BACK;
	c->writes = c->txn != NULL ? c->txn->writes : 0;
	return ST_OK;
}

enum status
engine_cursor_prev(struct engine_cursor *c, struct span *key, struct span *value)
{
	const struct out_row *r;
	enum status st;

	if (engine_failed(c->e))
		return ST_CORRUPT;
	if (stale(c, FETCHED_BACK) || c->out_at == c->n_out) {
		st = fetch_back(c);
		if (st != ST_OK)
			return st;
	}
	r = &c->out[c->out_at];
	if (!has_prefix(c, r->key)) {
		c->on = false;
		forget_rows(c);
		engine_cursor_seek(c, buf_span(&c->prefix));
		return ST_NOT_FOUND;
	}
	c->out_at++;
	c->cur = r->key;
	c->on = true;
	if (key != NULL)
		*key = r->key;
	if (value != NULL)
		*value = r->value;
	return ST_OK;
}
