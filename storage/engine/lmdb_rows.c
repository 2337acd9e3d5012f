/* storage/engine/lmdb_rows.c
 * Rows and cursors over LMDB.
 *
 * Keys of LMDB end at 511 bytes.  A longer one, or one as long, is kept under its first 511
 * bytes: the value there is a list of (rest of key, value), sorted.  As such a row's key is
 * longer than all keys that are kept as they are, it sorts among them as its members do. */
#include <stdlib.h>
#include <string.h>

#include "common/util/bytes.h"
#include "storage/engine/engine_lmdb.h"

#define PUT_COST	2048u	/* at least: what a put dirties beside its bytes */

static MDB_val
val(struct span s)
{
	return (MDB_val){ s.len, (void *)(uintptr_t)s.p };
}

static struct span
span_of(const MDB_val *v)
{
	return span(v->mv_data, v->mv_size);
}

/* ---- reading ---- */

static int
read_begin(struct lmdb *l, MDB_txn **t)
{
	int rc;

	*t = NULL;
	pthread_rwlock_rdlock(&l->map_lock);
	pthread_mutex_lock(&l->pool_lock);
	if (l->n_pool > 0)
		*t = l->pool[--l->n_pool];
	pthread_mutex_unlock(&l->pool_lock);
	if (*t != NULL) {
		rc = mdb_txn_renew(*t);
		if (rc != 0)
			mdb_txn_abort(*t);
	} else {
		rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, t);
	}
	if (rc != 0)
		pthread_rwlock_unlock(&l->map_lock);
	return rc;
}

static void
read_end(struct lmdb *l, MDB_txn *t)
{
	mdb_txn_reset(t);
	pthread_mutex_lock(&l->pool_lock);
	if (l->n_pool < POOL) {
		l->pool[l->n_pool++] = t;
		t = NULL;
	}
	pthread_mutex_unlock(&l->pool_lock);
	if (t != NULL)
		mdb_txn_abort(t);
	pthread_rwlock_unlock(&l->map_lock);
}

/* ---- lists of long keys ---- */

#define ITEM_HEAD 6u			/* length of the rest u16, of the value u32 */

struct item {
	struct span	rest, value;
};

static bool
item_next(struct reader *r, struct item *it)
{
	size_t rest, value;

	if (reader_left(r) == 0)
		return false;
	rest = get_u16(r);
	value = get_u32(r);
	it->rest = get_raw(r, rest);
	it->value = get_raw(r, value);
	return !r->bad;
}

static void
item_put(struct buf *b, struct span rest, struct span value)
{
	put_u16(b, (uint16_t)rest.len);
	put_u32(b, (uint32_t)value.len);
	buf_add_span(b, rest);
	buf_add_span(b, value);
}

/* Where the item with this rest is, or belongs: at..to of the list; true: it is there. */
static bool
list_find(struct span list, struct span rest, size_t *at, size_t *to, struct span *value)
{
	struct reader r;
	struct item it;

	reader_init(&r, list.p, list.len);
	*at = *to = 0;
	while (item_next(&r, &it)) {
		int c = span_cmp(it.rest, rest);

		*to = c > 0 ? *at : list.len - reader_left(&r);
		if (c == 0)
			*value = it.value;
		if (c >= 0)
			return c == 0;
		*at = *to;
	}
	return false;
}

static bool
in_list(const struct lmdb *l, struct span key)
{
	return key.len >= l->key_max;
}

static MDB_val
row_key(const struct lmdb *l, struct span key)
{
	return val(in_list(l, key) ? span(key.p, l->key_max) : key);
}

/* A member's whole key. */
static struct span
whole_key(struct span first, struct span rest, char mem[ENGINE_KEY_MAX])
{
	if (first.len + rest.len > ENGINE_KEY_MAX)
		return SPAN_NONE;
	memcpy(mem, first.p, first.len);
	if (rest.len > 0)
		memcpy(mem + first.len, rest.p, rest.len);
	return span(mem, first.len + rest.len);
}

/* ---- rows ---- */

enum status
lmdb_get(struct engine *e, unsigned table, struct span key, struct buf *value)
{
	struct lmdb *l = lmdb_of(e);
	MDB_val k = row_key(l, key), v;
	struct span found;
	size_t at, to;
	MDB_txn *t;
	int rc = read_begin(l, &t);

	if (rc != 0)
		return lmdb_status(e, "read", rc);
	rc = mdb_get(t, l->tables[table], &k, &v);
	if (rc == 0) {
		found = span_of(&v);
		if (in_list(l, key) && !list_find(found, span(key.p + l->key_max,
		    key.len - l->key_max), &at, &to, &found))
			rc = MDB_NOTFOUND;
		else if (value != NULL)
			buf_add_span(value, found);
	}
	read_end(l, t);
	return lmdb_status(e, "get", rc);
}

/* The list with its item replaced, put in, or (value NULL) taken out. */
static int
list_change(struct engine_txn *txn, MDB_dbi dbi, struct span key, const struct span *value)
{
	struct lmdb *l = lmdb_of(txn->e);
	struct span rest = span(key.p + l->key_max, key.len - l->key_max), list = SPAN_NONE, was;
	MDB_val k = row_key(l, key), v;
	struct buf b = { 0 };
	size_t at, to;
	int rc = mdb_get(txn->t, dbi, &k, &v);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (rc == 0)
		list = span_of(&v);
	if (!list_find(list, rest, &at, &to, &was) && value == NULL)
		return MDB_NOTFOUND;
	buf_add_span(&b, span(list.p, at));
	if (value != NULL)
		item_put(&b, rest, *value);
	buf_add_span(&b, span_sub(list, to, list.len));
	v = val(buf_span(&b));
	rc = b.len > 0 ? mdb_put(txn->t, dbi, &k, &v, 0) : mdb_del(txn->t, dbi, &k, NULL);
	buf_fini(&b);
	return rc;
}

static void
count_put(struct lmdb *l, struct span key, struct span value)
{
	l->put += key.len + value.len + PUT_COST;
}

enum status
lmdb_put(struct engine_txn *txn, unsigned table, struct span key, struct span value)
{
	struct lmdb *l = lmdb_of(txn->e);
	MDB_val k = row_key(l, key), v = val(value);

	count_put(l, key, value);
	if (in_list(l, key))
		return lmdb_status(txn->e, "put", list_change(txn, l->tables[table], key, &value));
	return lmdb_status(txn->e, "put", mdb_put(txn->t, l->tables[table], &k, &v, 0));
}

enum status
lmdb_del(struct engine_txn *txn, unsigned table, struct span key)
{
	struct lmdb *l = lmdb_of(txn->e);
	MDB_val k = row_key(l, key);

	count_put(l, key, SPAN_NONE);
	if (in_list(l, key))
		return lmdb_status(txn->e, "del", list_change(txn, l->tables[table], key, NULL));
	return lmdb_status(txn->e, "del", mdb_del(txn->t, l->tables[table], &k, NULL));
}

/* ---- cursors ---- */

size_t
lmdb_least_fetch(struct engine *e, unsigned table)
{
	return lmdb_of(e)->page;
}

/* false: no room left. */
static bool
add_ahead(struct engine_cursor *c, struct span key, struct span value)
{
	size_t want = c->bulk != 0 ? c->bulk : c->fetch, n = 8 + key.len + value.len;
	char *p;

	if (c->used == 0)
		cursor_room(c, n);
	else if (c->used + n > (want < c->room ? want : c->room))
		return false;
	p = c->rows + c->used;
	put_be32(p, (uint32_t)key.len);
	put_be32(p + 4, (uint32_t)value.len);
	memcpy(p + 8, key.p, key.len);
	if (value.len > 0)
		memcpy(p + 8 + key.len, value.p, value.len);
	c->used += n;
	return true;
}

/* A row, or the members of a list from `from` on; false: no room left. */
static bool
row_ahead(struct engine_cursor *c, struct span from, struct span key, struct span value)
{
	struct lmdb *l = lmdb_of(c->e);
	char mem[ENGINE_KEY_MAX];
	struct reader r;
	struct item it;

	if (!in_list(l, key))
		return add_ahead(c, key, value);
	reader_init(&r, value.p, value.len);
	while (item_next(&r, &it)) {
		struct span whole = whole_key(key, it.rest, mem);

		if (span_cmp(whole, from) >= 0 && !add_ahead(c, whole, it.value))
			return false;
	}
	return true;
}

static int
ahead_in(struct engine_cursor *c, MDB_cursor *mc, struct span from)
{
	struct lmdb *l = lmdb_of(c->e);
	MDB_val k = row_key(l, from), v;
	int rc = mdb_cursor_get(mc, &k, &v, from.len > 0 ? MDB_SET_RANGE : MDB_FIRST);

	while (rc == 0 && row_ahead(c, from, span_of(&k), span_of(&v)))
		rc = mdb_cursor_get(mc, &k, &v, MDB_NEXT);
	return rc == MDB_NOTFOUND && c->used > 0 ? 0 : rc;
}

enum status
lmdb_ahead(struct engine_cursor *c, struct span from)
{
	struct lmdb *l = lmdb_of(c->e);
	MDB_cursor *mc;
	MDB_txn *t;
	int rc = read_begin(l, &t);

	c->used = c->taken = 0;
	if (rc != 0)
		return lmdb_status(c->e, "read", rc);
	rc = mdb_cursor_open(t, l->tables[c->table], &mc);
	if (rc == 0) {
		rc = ahead_in(c, mc, from);
		mdb_cursor_close(mc);
	}
	read_end(l, t);
	return lmdb_status(c->e, "scan", rc);
}

bool
lmdb_take(struct engine_cursor *c, struct span *key, struct span *value)
{
	const char *p = c->rows + c->taken;

	if (c->taken >= c->used)
		return false;
	*key = span(p + 8, get_be32(p));
	*value = span(p + 8 + key->len, get_be32(p + 4));
	c->taken += 8 + key->len + value->len;
	return true;
}

/* A list's members below `before` (NULL: all), the last one first. */
static void
list_back(struct engine_cursor *c, const struct span *before, size_t rows, struct span key,
    struct span value)
{
	char mem[ENGINE_KEY_MAX];
	struct reader r;
	struct item it;
	size_t n = 0;

	reader_init(&r, value.p, value.len);
	while (item_next(&r, &it) && (before == NULL ||
	    span_cmp(whole_key(key, it.rest, mem), *before) < 0))
		n++;
	for (; n > 0 && c->n_back < rows; n--) {
		reader_init(&r, value.p, value.len);
		for (size_t i = 0; i < n; i++)
			item_next(&r, &it);
		cursor_back_add(c, whole_key(key, it.rest, mem), it.value);
	}
}

/* Stands on the last row that begins below `before`. */
static int
back_to(struct lmdb *l, MDB_cursor *mc, const struct span *before, MDB_val *k, MDB_val *v)
{
	int rc;

	if (before == NULL)
		return mdb_cursor_get(mc, k, v, MDB_LAST);
	*k = row_key(l, *before);
	rc = mdb_cursor_get(mc, k, v, before->len > 0 ? MDB_SET_RANGE : MDB_FIRST);
	if (rc == MDB_NOTFOUND)
		return mdb_cursor_get(mc, k, v, MDB_LAST);
	if (rc == 0 && span_cmp(span_of(k), *before) >= 0)
		rc = mdb_cursor_get(mc, k, v, MDB_PREV);
	return rc;
}

static int
back_in(struct engine_cursor *c, MDB_cursor *mc, const struct span *before, size_t rows,
    size_t most)
{
	struct lmdb *l = lmdb_of(c->e);
	MDB_val k, v;
	int rc = back_to(l, mc, before, &k, &v);

	while (rc == 0) {
		if (in_list(l, span_of(&k)))
			list_back(c, before, rows, span_of(&k), span_of(&v));
		else
			cursor_back_add(c, span_of(&k), span_of(&v));
		if (c->n_back >= rows || c->back.len >= most)
			break;
		rc = mdb_cursor_get(mc, &k, &v, MDB_PREV);
	}
	return rc == MDB_NOTFOUND && c->n_back > 0 ? 0 : rc;
}

enum status
lmdb_back(struct engine_cursor *c, const struct span *before, size_t rows, size_t most)
{
	struct lmdb *l = lmdb_of(c->e);
	MDB_cursor *mc;
	MDB_txn *t;
	int rc = read_begin(l, &t);

	if (rc != 0)
		return lmdb_status(c->e, "read", rc);
	rc = mdb_cursor_open(t, l->tables[c->table], &mc);
	if (rc == 0) {
		rc = back_in(c, mc, before, rows, most);
		mdb_cursor_close(mc);
	}
	read_end(l, t);
	return lmdb_status(c->e, "scan", rc);
}
