/* storage/engine/engine_lmdb.c
 * The engine over LMDB 0.9.
 *
 * Commits do not wait for the disk (MDB_NOSYNC).  LMDB never writes over a page that the
 * last commit or a reader can see, so a killed process leaves the last commit in the page
 * cache.  When the machine goes down the pages may have reached the disk in any order;
 * therefore each checkpoint syncs, keeps the meta page of what it synced in a file of its
 * own, and stays that snapshot's reader until the next one has done the same: nothing of it
 * is used again meanwhile.  A folder whose checkpoint file tells of another boot is taken
 * back to that meta page before it is opened.
 *
 * Keys of LMDB end at 511 bytes.  A longer one, or one as long, is kept under its first 511
 * bytes: the value there is a list of (rest of key, value), sorted.  As such a row's key is
 * longer than all keys that are kept as they are, it sorts among them as its members do. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/digest.h"
#include "common/util/bytes.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/engine/engine_priv.h"

#define MAP_MOST	((uint64_t)1 << 40)	/* of addresses; the file is as long as it must be */
#define MAP_SMALL	(1u << 20)
#define MAP_LEAST	((uint64_t)64 << 20)
/* Left for one transaction, else the map grows. */
#define MARGIN		((uint64_t)64 << 20)
#define MARGIN_SMALL	((uint64_t)16 << 20)
#define READERS		1000u
#define POOL		32u			/* reading transactions kept */
#define PUT_COST	2048u	/* at least: what a put dirties beside its bytes */
/* Each commit writes every page on the way to a changed row anew, and what was there stays
 * until the next checkpoint: so many times `checkpoint_bytes` of that are worth one, and so
 * many make who writes wait for it. */
#define PAGES_WORTH	4u
#define PAGES_MOST	16u
#define BOOT_ID_LEN	36u
#define PAGE_MAX	65536u

struct lmdb {
	struct engine		e;
	MDB_env			*env;
	MDB_dbi			tables[ENGINE_TABLES_MAX];
	size_t			n_tables;
	size_t			key_max;	/* keys this long are kept in a list */
	size_t			page;
	char			boot_id[BOOT_ID_LEN];	/* zeros: not known */
	/* Who reads or copies holds it; the map is moved while nobody does. */
	pthread_rwlock_t	map_lock;
	pthread_mutex_t		commit_lock;	/* a commit, or a look at what was committed last */
	pthread_mutex_t		pool_lock;
	MDB_txn			*pool[POOL];	/* reset */
	size_t			n_pool;
	MDB_txn			*pin;		/* reads what the last checkpoint synced */
	uint64_t		pending, written;	/* atomic: bytes of pages */
	uint64_t		put;		/* of the open transaction, as puts tell */
	int			full;		/* atomic: a transaction did not fit into the map */
};

static struct lmdb *
lmdb_of(struct engine *e)
{
	return (struct lmdb *)e;
}

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

/* ---- errors ---- */

static enum status
status_of(struct engine *e, const char *what, int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return ST_OK;
	case MDB_NOTFOUND:
		return ST_NOT_FOUND;
	case MDB_KEYEXIST:
		return ST_EXISTS;
	case ENOSPC:
	case EDQUOT:
		return ST_NO_SPACE;
	case MDB_BAD_TXN:	/* said why before */
		return ST_UNAVAILABLE;
	case MDB_MAP_FULL:
		__atomic_store_n(&lmdb_of(e)->full, 1, __ATOMIC_RELAXED);
		/* FALLTHROUGH */
	case MDB_TXN_FULL:
	case MDB_READERS_FULL:
	case ENOMEM:
	case EAGAIN:
		LOG(NULL, ERROR, "engine.error", KV_STR("dir", e->dir), KV_STR("in", what),
		    KV_STR("error", mdb_strerror(rc)));
		return ST_UNAVAILABLE;
	default:
		return engine_fail(e, what, mdb_strerror(rc));
	}
}

static enum status
open_status(struct engine *e, const char *what, int rc)
{
	enum status st = engine_open_errno(e, what, rc);

	return st != ST_OK ? st : status_of(e, what, rc);
}

/* The process ends behind this. */
static void
on_assert(MDB_env *env, const char *msg)
{
	const struct engine *e = mdb_env_get_userctx(env);

	LOG(NULL, FATAL, "engine.lmdb", KV_STR("dir", e->dir), KV_STR("message", msg));
}

static void
path_of(const struct engine *e, const char *name, struct buf *out)
{
	buf_clear(out);
	buf_addf(out, "%s/%s", e->dir, name);
	buf_cstr(out);
}

/* ---- reading ---- */

static int
read_begin(struct lmdb *l, const struct engine_txn *txn, MDB_txn **t)
{
	int rc;

	*t = NULL;
	if (txn != NULL) {
		*t = txn->t;
		return 0;
	}
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
read_end(struct lmdb *l, const struct engine_txn *txn, MDB_txn *t)
{
	if (txn != NULL)
		return;
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

static void
drop_readers(struct lmdb *l)
{
	while (l->n_pool > 0)
		mdb_txn_abort(l->pool[--l->n_pool]);
	if (l->pin != NULL)
		mdb_txn_abort(l->pin);
	l->pin = NULL;
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

static enum status
lmdb_get(struct engine *e, struct engine_txn *txn, unsigned table, struct span key,
    struct buf *value)
{
	struct lmdb *l = lmdb_of(e);
	MDB_val k = row_key(l, key), v;
	struct span found;
	size_t at, to;
	MDB_txn *t;
	int rc = read_begin(l, txn, &t);

	if (rc != 0)
		return status_of(e, "read", rc);
	rc = mdb_get(t, l->tables[table], &k, &v);
	if (rc == 0) {
		found = span_of(&v);
		if (in_list(l, key) && !list_find(found, span(key.p + l->key_max,
		    key.len - l->key_max), &at, &to, &found))
			rc = MDB_NOTFOUND;
		else if (value != NULL)
			buf_add_span(value, found);
	}
	read_end(l, txn, t);
	return status_of(e, "get", rc);
}

/* The list with its item replaced, put in, or (value NULL) taken out. */
static int
list_change(struct engine_txn *txn, MDB_dbi dbi, struct span key, const struct span *value,
    bool insert)
{
	struct lmdb *l = lmdb_of(txn->e);
	struct span rest = span(key.p + l->key_max, key.len - l->key_max), list = SPAN_NONE, was;
	MDB_val k = row_key(l, key), v;
	struct buf b = { 0 };
	size_t at, to;
	bool there;
	int rc = mdb_get(txn->t, dbi, &k, &v);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (rc == 0)
		list = span_of(&v);
	there = list_find(list, rest, &at, &to, &was);
	if (value == NULL ? !there : there && insert)
		return value == NULL ? MDB_NOTFOUND : MDB_KEYEXIST;
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

static enum status
lmdb_put(struct engine_txn *txn, unsigned table, struct span key, struct span value, bool insert)
{
	struct lmdb *l = lmdb_of(txn->e);
	MDB_val k = row_key(l, key), v = val(value);

	count_put(l, key, value);
	if (in_list(l, key))
		return status_of(txn->e, "put", list_change(txn, l->tables[table], key, &value,
		    insert));
	return status_of(txn->e, "put", mdb_put(txn->t, l->tables[table], &k, &v,
	    insert ? MDB_NOOVERWRITE : 0));
}

static enum status
lmdb_del(struct engine_txn *txn, unsigned table, struct span key)
{
	struct lmdb *l = lmdb_of(txn->e);
	MDB_val k = row_key(l, key);

	count_put(l, key, SPAN_NONE);
	if (in_list(l, key))
		return status_of(txn->e, "del", list_change(txn, l->tables[table], key, NULL,
		    false));
	return status_of(txn->e, "del", mdb_del(txn->t, l->tables[table], &k, NULL));
}

/* ---- cursors ---- */

static size_t
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

static enum status
lmdb_ahead(struct engine_cursor *c, struct span from)
{
	struct lmdb *l = lmdb_of(c->e);
	MDB_cursor *mc;
	MDB_txn *t;
	int rc = read_begin(l, c->txn, &t);

	c->used = c->taken = 0;
	if (rc != 0)
		return status_of(c->e, "read", rc);
	rc = mdb_cursor_open(t, l->tables[c->table], &mc);
	if (rc == 0) {
		rc = ahead_in(c, mc, from);
		mdb_cursor_close(mc);
	}
	read_end(l, c->txn, t);
	return status_of(c->e, "scan", rc);
}

static bool
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

static enum status
lmdb_back(struct engine_cursor *c, const struct span *before, size_t rows, size_t most)
{
	struct lmdb *l = lmdb_of(c->e);
	MDB_cursor *mc;
	MDB_txn *t;
	int rc = read_begin(l, c->txn, &t);

	if (rc != 0)
		return status_of(c->e, "read", rc);
	rc = mdb_cursor_open(t, l->tables[c->table], &mc);
	if (rc == 0) {
		rc = back_in(c, mc, before, rows, most);
		mdb_cursor_close(mc);
	}
	read_end(l, c->txn, t);
	return status_of(c->e, "scan", rc);
}

/* ---- checkpoints ----
 *
 * The file: "MANSIOLM", version u32, page bytes u32, transaction u64, boot id (36 bytes,
 * zeros: not known), 4 zeros, the meta page, CRC-32C u32 of all before. */

#define CP_MAGIC	"MANSIOLM"
#define CP_VERSION	1u
#define CP_HEAD		64u

struct checkpoint {
	char		*bytes;
	size_t		len, page;
	struct span	boot_id, meta;
};

static bool
checkpoint_parse(struct checkpoint *cp)
{
	const char *p = cp->bytes;

	if (cp->len < CP_HEAD + 4 || memcmp(p, CP_MAGIC, 8) != 0 || get_be32(p + 8) != CP_VERSION)
		return false;
	cp->page = get_be32(p + 12);
	if (cp->page > PAGE_MAX || cp->len != CP_HEAD + cp->page + 4 ||
	    crc32c(0, p, cp->len - 4) != get_be32(p + cp->len - 4))
		return false;
	cp->boot_id = span(p + 24, BOOT_ID_LEN);
	cp->meta = span(p + CP_HEAD, cp->page);
	return true;
}

static bool
write_file(const char *path, struct span bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && fd_write_full(fd, bytes.p, bytes.len) && fsync(fd) == 0;
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return ok;
}

static int
sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd) != 0)
		rc = errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Makes the file the folder's: after a crash it is this one or the one before. */
static int
checkpoint_write(struct lmdb *l, struct span bytes)
{
	struct buf tmp = { 0 }, path = { 0 };
	int rc = 0;

	path_of(&l->e, ENGINE_LMDB_CHECKPOINT ".new", &tmp);
	path_of(&l->e, ENGINE_LMDB_CHECKPOINT, &path);
	if (!write_file(tmp.data, bytes) || rename(tmp.data, path.data) != 0)
		rc = errno;
	if (rc == 0)
		rc = sync_folder(l->e.dir);
	buf_fini(&tmp);
	buf_fini(&path);
	return rc;
}

/* Begins to read what was committed last, and takes its meta page. */
static int
take_snapshot(struct lmdb *l, MDB_txn **t, struct buf *out)
{
	mdb_filehandle_t fd;
	uint64_t id;
	int rc;

	pthread_mutex_lock(&l->commit_lock);
	rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, t);
	if (rc == 0)
		rc = mdb_env_get_fd(l->env, &fd);
	if (rc == 0) {
		id = mdb_txn_id(*t);
		buf_add(out, CP_MAGIC, 8);
		put_u32(out, CP_VERSION);
		put_u32(out, (uint32_t)l->page);
		put_u64(out, id);
		buf_add(out, l->boot_id, BOOT_ID_LEN);
		put_u32(out, 0);
		/* Commits write the two meta pages in turn. */
		if (pread(fd, buf_reserve(out, l->page), l->page, (off_t)((id & 1) * l->page)) !=
		    (ssize_t)l->page)
			rc = EIO;
		else
			buf_added(out, l->page);
	}
	pthread_mutex_unlock(&l->commit_lock);
	return rc;
}

static enum status
lmdb_checkpoint(struct engine *e)
{
	struct lmdb *l = lmdb_of(e);
	uint64_t had = __atomic_load_n(&l->pending, __ATOMIC_RELAXED);
	struct buf bytes = { 0 };
	MDB_txn *t = NULL;
	int rc;

	pthread_rwlock_rdlock(&l->map_lock);
	rc = take_snapshot(l, &t, &bytes);
	if (rc == 0)
		rc = mdb_env_sync(l->env, 1);
	if (rc == 0) {
		put_u32(&bytes, crc32c(0, bytes.data, bytes.len));
		rc = checkpoint_write(l, buf_span(&bytes));
	}
	/* The one before holds on until this one can be come back to. */
	if (rc == 0) {
		if (l->pin != NULL)
			mdb_txn_abort(l->pin);
		l->pin = t;
		__atomic_fetch_sub(&l->pending, had, __ATOMIC_RELAXED);
	} else if (t != NULL) {
		mdb_txn_abort(t);
	}
	pthread_rwlock_unlock(&l->map_lock);
	buf_fini(&bytes);
	return status_of(e, "checkpoint", rc);
}

static uint64_t
lmdb_pending(struct engine *e)
{
	return __atomic_load_n(&lmdb_of(e)->pending, __ATOMIC_RELAXED) / PAGES_WORTH;
}

/* ---- open ---- */

static void
find_boot_id(struct lmdb *l)
{
	const char *given = l->e.opts.boot_id;
	char *read = NULL;
	size_t len = 0;

	if (given != NULL) {
		len = strlen(given);
	} else if (fd_slurp_path(ENGINE_BOOT_ID, 128, &read, &len)) {
		given = read;
	}
	if (given != NULL && len >= BOOT_ID_LEN)
		memcpy(l->boot_id, given, BOOT_ID_LEN);
	mem_free(&read);
}

/* Both meta pages become the checkpoint's: the file is what was synced then. */
static int
go_back(const char *data, const struct checkpoint *cp)
{
	char *page = mem_alloc(cp->page);
	int fd = open(data, O_RDWR | O_CLOEXEC), rc = fd < 0 ? errno : 0;

	memcpy(page, cp->meta.p, cp->page);
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		const size_t number = i;	/* the page's own begins it */

		memcpy(page, &number, sizeof(number));
		if (pwrite(fd, page, cp->page, (off_t)(i * cp->page)) != (ssize_t)cp->page)
			rc = errno != 0 ? errno : EIO;
	}
	if (rc == 0 && fsync(fd) != 0)
		rc = errno;
	if (fd >= 0)
		close(fd);
	mem_free(&page);
	return rc;
}

/* The folder of a process that did not come so far as to its first checkpoint, before which no
 * table is made, is a new one. */
static bool
never_used(const char *data, const char *checkpoint)
{
	struct stat sb;

	return stat(checkpoint, &sb) != 0 && errno == ENOENT && stat(data, &sb) == 0 &&
	    sb.st_size <= 2 * (off_t)sysconf(_SC_PAGESIZE) && unlink(data) == 0;
}

/* What is there is to be believed when it was closed, or left by a process of this boot. */
static enum status
settle(struct lmdb *l)
{
	struct buf data = { 0 }, path = { 0 }, lock = { 0 };
	struct checkpoint cp = { .bytes = NULL };
	struct stat sb;
	enum status st = ST_OK;

	path_of(&l->e, ENGINE_LMDB_FILE, &data);
	path_of(&l->e, ENGINE_LMDB_CHECKPOINT, &path);
	path_of(&l->e, "lock.mdb", &lock);
	if (stat(l->e.dir, &sb) != 0) {
		st = open_status(&l->e, "stat", errno);
	} else if (l->e.opts.copy || never_used(data.data, path.data)) {
		st = ST_OK;
	} else if (stat(data.data, &sb) != 0) {
		if (stat(path.data, &sb) == 0)
			st = engine_fail(&l->e, "open", "its file is gone");
	} else {
		if (!fd_slurp_path(path.data, CP_HEAD + PAGE_MAX + 4, &cp.bytes, &cp.len) ||
		    !checkpoint_parse(&cp)) {
			st = engine_fail(&l->e, "open", "no whole checkpoint file");
		} else if (l->boot_id[0] == '\0' ||
		    memcmp(cp.boot_id.p, l->boot_id, BOOT_ID_LEN) != 0) {
			LOG(NULL, INFO, "engine.recover", KV_STR("dir", l->e.dir), KV_UINT(
			    "transaction", get_be64(cp.bytes + 16)));
			(void)unlink(lock.data);
			st = open_status(&l->e, "recover", go_back(data.data, &cp));
		}
	}
	mem_free(&cp.bytes);
	buf_fini(&data);
	buf_fini(&path);
	buf_fini(&lock);
	return st;
}

static int
env_open(struct lmdb *l, uint64_t map)
{
	const unsigned flags = MDB_NOTLS | MDB_NOSYNC | MDB_NORDAHEAD;
	int rc = mdb_env_create(&l->env);

	if (rc != 0)
		return rc;
	mdb_env_set_userctx(l->env, l);
	mdb_env_set_assert(l->env, on_assert);
	mdb_env_set_maxdbs(l->env, ENGINE_TABLES_MAX);
	mdb_env_set_maxreaders(l->env, READERS);
	rc = mdb_env_set_mapsize(l->env, (size_t)map);
	if (rc == 0)
		rc = mdb_env_open(l->env, l->e.dir, flags, 0600);
	if (rc != 0) {
		mdb_env_close(l->env);
		l->env = NULL;
	}
	return rc;
}

static uint64_t
file_bytes(struct lmdb *l)
{
	mdb_filehandle_t fd;
	struct stat sb;

	return mdb_env_get_fd(l->env, &fd) == 0 && fstat(fd, &sb) == 0 ? (uint64_t)sb.st_size : 0;
}

static uint64_t
used_bytes(struct lmdb *l, uint64_t *map)
{
	MDB_envinfo info;

	mdb_env_info(l->env, &info);
	*map = info.me_mapsize;
	return ((uint64_t)info.me_last_pgno + 1) * l->page;
}

/* As much of the address space as there is. */
static enum status
map_file(struct lmdb *l)
{
	uint64_t map = l->e.opts.small ? MAP_SMALL : MAP_MOST, had;
	MDB_stat ms;
	int rc;

	while ((rc = env_open(l, map)) == ENOMEM && map > MAP_LEAST)
		map /= 2;
	if (rc != 0)
		return open_status(&l->e, "open", rc);
	mdb_env_stat(l->env, &ms);
	l->page = ms.ms_psize;
	l->key_max = (size_t)mdb_env_get_maxkeysize(l->env);
	assert(l->key_max < ENGINE_KEY_MAX);
	if (used_bytes(l, &had) > file_bytes(l) && file_bytes(l) > 2 * l->page)
		return engine_fail(&l->e, "open", "the file is too short");
	return ST_OK;
}

static int
open_tables(struct lmdb *l)
{
	MDB_txn *t;
	int rc = mdb_txn_begin(l->env, NULL, 0, &t);

	if (rc != 0)
		return rc;
	for (; rc == 0 && l->n_tables < l->e.opts.n_tables; l->n_tables++)
		rc = mdb_dbi_open(t, l->e.opts.tables[l->n_tables], MDB_CREATE,
		    &l->tables[l->n_tables]);
	if (rc == 0)
		return mdb_txn_commit(t);
	mdb_txn_abort(t);
	return rc;
}

/* The map becomes larger while nobody reads.  What the last checkpoint held on to is let go
 * of, so another one is made before anything is written; so it is when the engine was
 * opened, of what is there. */
static enum status
grow(struct lmdb *l, uint64_t map)
{
	enum status st;

	pthread_mutex_lock(&l->e.copy_lock);
	pthread_rwlock_wrlock(&l->map_lock);
	drop_readers(l);
	st = status_of(&l->e, "grow", mdb_env_set_mapsize(l->env, (size_t)map));
	pthread_rwlock_unlock(&l->map_lock);
	if (st == ST_OK)
		st = lmdb_checkpoint(&l->e);
	pthread_mutex_unlock(&l->e.copy_lock);
	return st;
}

static enum status
make_room(struct lmdb *l)
{
	uint64_t map, used = used_bytes(l, &map), want = map;

	if (__atomic_exchange_n(&l->full, 0, __ATOMIC_RELAXED))
		want *= 2;
	while (want - used < (l->e.opts.small ? MARGIN_SMALL : MARGIN))
		want *= 2;
	if (want == map && l->pin != NULL)
		return ST_OK;
	return grow(l, want);
}

static enum status
lmdb_open(struct engine *e)
{
	struct lmdb *l = lmdb_of(e);
	enum status st;

	pthread_rwlock_init(&l->map_lock, NULL);
	pthread_mutex_init(&l->commit_lock, NULL);
	pthread_mutex_init(&l->pool_lock, NULL);
	find_boot_id(l);
	st = settle(l);
	if (st == ST_OK)
		st = map_file(l);
	if (st == ST_OK)
		st = make_room(l);
	if (st == ST_OK)
		st = status_of(e, "tables", open_tables(l));
	return st;
}

static enum status
lmdb_close(struct engine *e)
{
	struct lmdb *l = lmdb_of(e);

	drop_readers(l);
	if (l->env != NULL)
		mdb_env_close(l->env);
	pthread_rwlock_destroy(&l->map_lock);
	pthread_mutex_destroy(&l->commit_lock);
	pthread_mutex_destroy(&l->pool_lock);
	return ST_OK;
}

/* ---- transactions ---- */

/* Bytes that this thread has made dirty on disks so far. */
static uint64_t
dirtied(void)
{
	struct rusage ru;

	return getrusage(RUSAGE_THREAD, &ru) == 0 ? (uint64_t)ru.ru_oublock * 512 : 0;
}

static enum status
lmdb_begin(struct engine *e, void **t)
{
	struct lmdb *l = lmdb_of(e);
	MDB_txn *txn = NULL;
	enum status st = make_room(l);

	if (st == ST_OK && lmdb_pending(e) * PAGES_WORTH > (uint64_t)e->opts.checkpoint_bytes *
	    PAGES_MOST)
		st = engine_checkpoint(e);
	if (st == ST_OK)
		st = status_of(e, "begin", mdb_txn_begin(l->env, NULL, 0, &txn));
	l->put = 0;
	*t = txn;
	return st;
}

static enum status
lmdb_commit(struct engine *e, void *t)
{
	struct lmdb *l = lmdb_of(e);
	uint64_t n = dirtied();
	int rc;

	pthread_mutex_lock(&l->commit_lock);
	rc = mdb_txn_commit(t);
	pthread_mutex_unlock(&l->commit_lock);
	n = dirtied() - n;
	n = n > l->put ? n : l->put;
	__atomic_fetch_add(&l->pending, n, __ATOMIC_RELAXED);
	__atomic_fetch_add(&l->written, n, __ATOMIC_RELAXED);
	return status_of(e, "commit", rc);
}

static enum status
lmdb_abort(struct engine *e, void *t)
{
	mdb_txn_abort(t);
	return ST_OK;
}

/* ---- upkeep ---- */

static int
copy_file(struct lmdb *l, const char *dest, const char *file)
{
	int rc = mdb_env_copy2(l->env, dest, MDB_CP_COMPACT), fd;

	/* It may find that pages were lost, which does no harm but to this. */
	if (rc == MDB_INCOMPATIBLE) {
		(void)unlink(file);
		rc = mdb_env_copy2(l->env, dest, 0);
	}
	if (rc != 0)
		return rc;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		rc = errno;
	if (fd >= 0)
		close(fd);
	return rc != 0 ? rc : sync_folder(dest);
}

static enum status
lmdb_hot_copy(struct engine *e, const char *dest)
{
	struct lmdb *l = lmdb_of(e);
	struct buf file = { 0 };
	int rc = 0;

	if (mkdir(dest, 0700) != 0 && errno != EEXIST)
		rc = errno;
	if (rc == 0) {
		engine_empty_folder(dest);
		buf_addf(&file, "%s/%s", dest, ENGINE_LMDB_FILE);
		pthread_rwlock_rdlock(&l->map_lock);
		rc = copy_file(l, dest, buf_cstr(&file));
		pthread_rwlock_unlock(&l->map_lock);
	}
	buf_fini(&file);
	return open_status(e, "hot copy", rc);
}

static enum status
lmdb_compact(struct engine *e, unsigned table, struct span from, struct span to,
    uint64_t *pages_freed)
{
	if (pages_freed != NULL)
		*pages_freed = 0;
	return ST_OK;
}

static void
lmdb_stats(struct engine *e, struct engine_stats *out)
{
	out->log_bytes = __atomic_load_n(&lmdb_of(e)->written, __ATOMIC_RELAXED);
}

const struct engine_ops engine_lmdb = {
	.size = sizeof(struct lmdb),
	.open = lmdb_open, .close = lmdb_close,
	.begin = lmdb_begin, .commit = lmdb_commit, .abort = lmdb_abort,
	.get = lmdb_get, .put = lmdb_put, .del = lmdb_del,
	.least_fetch = lmdb_least_fetch, .ahead = lmdb_ahead, .take = lmdb_take,
	.back = lmdb_back,
	.checkpoint = lmdb_checkpoint, .hot_copy = lmdb_hot_copy, .pending = lmdb_pending,
	.compact = lmdb_compact, .stats = lmdb_stats,
};
