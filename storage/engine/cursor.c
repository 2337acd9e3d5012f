/* storage/engine/cursor.c
 * Cursors fetch many rows at once into memory and let go of the table in between:
 * no lock is held while the caller looks at rows, and none can be forgotten. */
#include <string.h>

#include "common/util/mem.h"
#include "storage/engine/engine_priv.h"

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
	st = c->e->ops->ahead(c, from);
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
	if (stale(c, FETCHED_AHEAD) || !c->e->ops->take(c, &k, &v)) {
		st = fetch_ahead(c);
		if (st != ST_OK)
			return st;
		if (!c->e->ops->take(c, &k, &v))
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
	buf_clear(&c->back);
	c->n_back = c->back_at = 0;
	st = c->e->ops->back(c, bounded ? &from : NULL, c->txn != NULL ? 8 : BACK_ROWS,
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
	const struct back_row *r;
	struct span k;
	enum status st;

	if (engine_failed(c->e))
		return ST_CORRUPT;
	if (stale(c, FETCHED_BACK) || c->back_at == c->n_back) {
		st = fetch_back(c);
		if (st != ST_OK)
			return st;
	}
	r = &c->back_rows[c->back_at];
	k = span(c->back.data + r->key, r->key_len);
	if (!has_prefix(c, k)) {
		c->on = false;
		forget_rows(c);
		engine_cursor_seek(c, buf_span(&c->prefix));
		return ST_NOT_FOUND;
	}
	c->back_at++;
	c->cur = k;
	c->on = true;
	if (key != NULL)
		*key = k;
	if (value != NULL)
		*value = span(c->back.data + r->value, r->value_len);
	return ST_OK;
}
