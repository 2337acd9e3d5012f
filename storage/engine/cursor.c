/* storage/engine/cursor.c
 * Cursors fetch many rows at once into memory and let go of the table in between:
 * no lock is held while the caller looks at rows, and none can be forgotten. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/util/mem.h"
#include "storage/engine/engine_bdb.h"

#define FETCH_LEAST	4096u
#define FETCH_MOST	(256u << 10)
#define FETCH_LIMIT	(2 * ENGINE_VALUE_MAX)
#define BACK_ROWS	64u		/* fetched at a time backwards */

enum fetched { FETCHED_NONE, FETCHED_AHEAD, FETCHED_BACK };

struct back_row {
	size_t	key, key_len, value, value_len;		/* places in rows */
};

struct engine_cursor {
	struct engine		*e;
	struct engine_txn	*txn;
	DB			*db;
	struct buf		prefix, at;	/* at: where the cursor stands */
	bool			after;		/* stands behind the row `at`, else before it */
	bool			end;		/* behind the last row; at means nothing */
	size_t			first;		/* a page: the bulk interface asks for so much */
	size_t			bulk, fetch;	/* set by the caller; the next fetch */
	uint64_t		writes;		/* of txn when fetched */
	enum fetched		fetched;
	char			*rows;
	size_t			room;
	/* ahead: Berkeley DB's bulk buffer */
	DBT			bulk_dbt;
	void			*bulk_at;
	/* back: rows in falling order */
	struct buf		back;
	struct back_row		back_rows[BACK_ROWS];
	size_t			n_back, back_at;
	bool			no_more;	/* in the direction fetched */
	struct span		cur;		/* the row stood on, in rows or back */
	bool			on;
};

static size_t
page_of(DB *db)
{
	u_int32_t n = 0;

	(void)db->get_pagesize(db, &n);
	return n < FETCH_LEAST ? FETCH_LEAST : n;
}

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
	c->db = engine_table(e, table);
	c->fetch = c->first = page_of(c->db);
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
	c->no_more = false;
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

/* A key for DB_SET_RANGE comes back as the key found: room for any. */
static DBT
range_key(struct span from, char mem[ENGINE_KEY_MAX + 1])
{
	DBT k;

	assert(from.len <= ENGINE_KEY_MAX + 1);
	memset(&k, 0, sizeof(k));
	if (from.len > 0)
		memcpy(mem, from.p, from.len);
	k.data = mem;
	k.size = (u_int32_t)from.len;
	k.ulen = ENGINE_KEY_MAX + 1;
	k.flags = DB_DBT_USERMEM;
	return k;
}

/* ---- forwards ---- */

static void
rows_room(struct engine_cursor *c, size_t n)
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

static int
fetch_ahead_once(struct engine_cursor *c, struct span from)
{
	char mem[ENGINE_KEY_MAX + 1];
	DBT k = range_key(from, mem);
	DBC *dbc;
	int rc, one;

	memset(&c->bulk_dbt, 0, sizeof(c->bulk_dbt));
	c->bulk_dbt.data = c->rows;
	c->bulk_dbt.ulen = (u_int32_t)c->room;
	c->bulk_dbt.flags = DB_DBT_USERMEM;
	rc = c->db->cursor(c->db, c->txn != NULL ? c->txn->t : NULL, &dbc, 0);
	if (rc != 0)
		return rc;
	rc = dbc->get(dbc, &k, &c->bulk_dbt, DB_MULTIPLE_KEY | DB_SET_RANGE);
	one = dbc->close(dbc);
	return rc != 0 ? rc : one;
}

static enum status
fetch_ahead(struct engine_cursor *c)
{
	char mem[ENGINE_KEY_MAX + 1];
	struct span from;
	unsigned tries = 0;
	int rc;

	forget_rows(c);
	if (c->end)
		return ST_NOT_FOUND;
	from = ahead_from(c, mem);
	if (from.len > ENGINE_KEY_MAX + 1)
		return ST_NOT_FOUND;
	rows_room(c, c->bulk != 0 ? c->bulk : c->fetch);
	do {
		rc = fetch_ahead_once(c, from);
		if (rc == DB_BUFFER_SMALL) {
			size_t need = c->bulk_dbt.size > c->room * 2 ?
			    c->bulk_dbt.size : c->room * 2;

			rows_room(c, (need + 1023) / 1024 * 1024);
		}
	} while (rc == DB_BUFFER_SMALL || engine_retry(c->e, c->txn, rc, &tries));
	STAT_ADD(c->e, fetches, 1);
	if (c->fetch < FETCH_MOST)
		c->fetch *= 4;
	if (rc == DB_NOTFOUND)
		c->end = true;
	if (rc != 0)
		return engine_status(c->e, "scan", rc);
	DB_MULTIPLE_INIT(c->bulk_at, &c->bulk_dbt);
	c->fetched = FETCHED_AHEAD;
	c->writes = c->txn != NULL ? c->txn->writes : 0;
	return ST_OK;
}

static bool
take_ahead(struct engine_cursor *c, struct span *key, struct span *value)
{
	void *k, *v;
	size_t klen, vlen;

	DB_MULTIPLE_KEY_NEXT(c->bulk_at, &c->bulk_dbt, k, klen, v, vlen);
	if (c->bulk_at == NULL)
		return false;
	*key = span(k, klen);
	*value = span(v, vlen);
	return true;
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
	if (stale(c, FETCHED_AHEAD) || !take_ahead(c, &k, &v)) {
		st = fetch_ahead(c);
		if (st != ST_OK)
			return st;
		if (!take_ahead(c, &k, &v))
			return ST_NOT_FOUND;
	}
	if (!has_prefix(c, k)) {
		/* Stands behind the last row of its own, for a prev to come. */
		c->bulk_at = NULL;
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

static DBT
growing(struct buf *b, size_t want)
{
	DBT d;

	memset(&d, 0, sizeof(d));
	d.data = buf_reserve(b, want);
	d.ulen = (u_int32_t)(b->room - b->len > UINT32_MAX ? UINT32_MAX : b->room - b->len);
	d.flags = DB_DBT_USERMEM;
	return d;
}

/* Takes the row dbc's step leads to behind what back holds.  The place of the key is
 * settled first, so a value that is too long costs one more try. */
static int
back_step(struct engine_cursor *c, DBC *dbc, u_int32_t step)
{
	struct back_row *r = &c->back_rows[c->n_back];
	char mem[ENGINE_KEY_MAX + 1];
	size_t want = 512;
	int rc;

	for (;;) {
		DBT k = range_key(SPAN_NONE, mem), v = growing(&c->back, want);

		rc = dbc->get(dbc, &k, &v, step);
		if (rc == DB_BUFFER_SMALL && v.size > want) {
			want = v.size;
			continue;
		}
		if (rc != 0)
			return rc;
		*r = (struct back_row){ .value = c->back.len, .value_len = v.size,
		    .key_len = k.size };
		buf_added(&c->back, v.size);
		r->key = c->back.len;
		buf_add(&c->back, mem, k.size);
		c->n_back++;
		return 0;
	}
}

static int
fetch_back_once(struct engine_cursor *c, const struct span *before, size_t rows, size_t most)
{
	char mem[ENGINE_KEY_MAX + 1], none;
	u_int32_t step = DB_LAST;
	DBC *dbc;
	int rc, one;

	buf_clear(&c->back);
	c->n_back = c->back_at = 0;
	rc = c->db->cursor(c->db, c->txn != NULL ? c->txn->t : NULL, &dbc, 0);
	if (rc != 0)
		return rc;
	if (before != NULL) {
		DBT k = range_key(*before, mem), v = engine_dbt(span(&none, 0));

		v.flags |= DB_DBT_PARTIAL;	/* of no bytes */
		rc = dbc->get(dbc, &k, &v, DB_SET_RANGE);
		if (rc == 0)
			step = DB_PREV;
		else if (rc == DB_NOTFOUND)
			rc = 0;
	}
	while (rc == 0 && c->n_back < rows && c->back.len < most) {
		rc = back_step(c, dbc, step);
		step = DB_PREV;
	}
	if (rc == DB_NOTFOUND && c->n_back > 0)
		rc = 0;
	one = dbc->close(dbc);
	return rc != 0 ? rc : one;
}

static enum status
fetch_back(struct engine_cursor *c)
{
	char mem[ENGINE_KEY_MAX + 1];
	struct span from;
	bool bounded = true;
	unsigned tries = 0;
	int rc;

	forget_rows(c);
	if (c->end)
		bounded = behind_prefix(c, mem, &from);
	else
		from = buf_span(&c->at);
	if (bounded && from.len > ENGINE_KEY_MAX + 1)
		from.len = ENGINE_KEY_MAX + 1;
	do
		rc = fetch_back_once(c, bounded ? &from : NULL,
		    c->txn != NULL ? 8 : BACK_ROWS, c->bulk != 0 ? c->bulk : FETCH_MOST);
	while (engine_retry(c->e, c->txn, rc, &tries));
	STAT_ADD(c->e, fetches, 1);
	if (rc != 0)
		return engine_status(c->e, "scan", rc);
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
