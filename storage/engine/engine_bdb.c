/* storage/engine/engine_bdb.c
 * The engine over Berkeley DB 5.3.
 *
 * The environment is private to the process: its locks and cache are heap memory and
 * gone with it, so a crash needs no clean-up but recovery.  Locking is on, so that a
 * checkpoint, a hot copy, a table that is made smaller and readers run beside the one
 * writer.  Readers do not wait for its transaction (DB_READ_UNCOMMITTED): what it has changed
 * is in memory anyway, where they look first.  A deadlock with the writer in it is decided
 * against the other, whose priority is less: a reader tries again, and so does Berkeley DB
 * itself where it moves pages. */
#include <assert.h>
#include <db.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/engine/engine_priv.h"
#include "storage/engine/roster.h"

#define PAGE_BYTES	4096u
#define FETCH_LEAST	4096u
#define BULK_BYTES	(128u << 10)
#define BULK_VALUE	(BULK_BYTES / 8)	/* longer ones are put alone */
#define READ_RETRIES	1000	/* of a reader that lost a deadlock */
#define WRITER_PRIORITY	1000u	/* of the one that writes; all others have Berkeley DB's 100 */
#define ROWS_A_PAGE	32u	/* about, for what deleted rows leave */
#define COPY_PAGES	64u	/* read by a hot copy, which rests then */
#define COPY_REST_US	1000u
#define SHRINK_LEAST	64u	/* free pages */
#define SHRINK_MOST	((uint64_t)512 << 20)

struct bdb {
	struct engine	e;
	DB_ENV		*env;
	DB		*tables[ENGINE_TABLES_MAX];
	size_t		n_tables;
	uint32_t	deleted[ENGINE_TABLES_MAX];	/* rows */
	/* Rows put one after the other into one table, in the form that Berkeley DB takes many. */
	char		*bulk;
	void		*bulk_at;
	unsigned	bulk_table, bulk_rows;
};

static struct bdb *
bdb_of(struct engine *e)
{
	return (struct bdb *)e;
}

static DB *
table_of(struct engine *e, unsigned table)
{
	assert(table < bdb_of(e)->n_tables);
	return bdb_of(e)->tables[table];
}

/* ---- errors ---- */

/* Berkeley DB's answer as ours.  What leaves the tables in doubt fails the engine. */
static enum status
status_of(struct engine *e, const char *what, int rc)
{
	switch (rc) {
	case 0:
		return ST_OK;
	case DB_NOTFOUND:
	case DB_KEYEMPTY:
		return ST_NOT_FOUND;
	case DB_KEYEXIST:
		return ST_EXISTS;
	case DB_LOCK_DEADLOCK:
	case DB_LOCK_NOTGRANTED:
		return ST_UNAVAILABLE;
	case ENOSPC:
	case EDQUOT:
		return ST_NO_SPACE;
	case ENOMEM:
	case EAGAIN:
		LOG(NULL, ERROR, "engine.error", KV_STR("dir", e->dir), KV_STR("in", what),
		    KV_STR("error", db_strerror(rc)));
		return ST_UNAVAILABLE;
	default:
		return engine_fail(e, what, db_strerror(rc));
	}
}

static void
on_error(const DB_ENV *env, const char *prefix, const char *msg)
{
	const struct engine *e = env->app_private;

	LOG(NULL, WARN, "engine.bdb", KV_STR("dir", e->dir), KV_STR("message", msg));
}

static void
on_event(DB_ENV *env, u_int32_t event, void *info)
{
	struct engine *e = env->app_private;

	if (event == DB_EVENT_PANIC)
		__atomic_store_n(&e->failed, 1, __ATOMIC_RELEASE);
}

/* For a reader: rc is a lost deadlock and *tries are left; has waited a little. */
static bool
retry(struct engine *e, int rc, unsigned *tries)
{
	struct timespec pause = { 0, 200000 };

	if ((rc != DB_LOCK_DEADLOCK && rc != DB_LOCK_NOTGRANTED) ||
	    ++*tries > READ_RETRIES)
		return false;
	STAT_ADD(e, reader_retries, 1);
	nanosleep(&pause, NULL);
	return true;
}

static DBT
dbt(struct span s)
{
	DBT d;

	memset(&d, 0, sizeof(d));
	d.data = (void *)(uintptr_t)s.p;
	d.size = d.ulen = (u_int32_t)s.len;
	d.flags = DB_DBT_USERMEM;
	return d;
}

/* ---- open ---- */

static int
env_configure(struct engine *e)
{
	DB_ENV *env = bdb_of(e)->env;
	bool small = e->opts.small;
	uint32_t log_file = small ? 4u << 20 : engine_log_file(e->opts.checkpoint_bytes);
	int rc = 0;

	env->app_private = e;
	env->set_errcall(env, on_error);
#define SET(call) do { if (rc == 0) rc = (call); } while (0)
	SET(env->set_event_notify(env, on_event));
	SET(env->set_cachesize(env, (u_int32_t)(e->opts.cache_bytes >> 30),
	    (u_int32_t)(e->opts.cache_bytes & 0x3fffffff), 1));
	SET(env->set_lg_max(env, log_file));
	SET(env->set_lg_bsize(env, log_file / 8));
	/* A transaction may write some ten thousand rows, in as many pages (recent.c). */
	SET(env->set_lk_max_locks(env, small ? 20000 : 200000));
	SET(env->set_lk_max_objects(env, small ? 20000 : 200000));
	SET(env->set_lk_max_lockers(env, 2000));
	SET(env->set_lk_detect(env, DB_LOCK_MINWRITE));
	SET(env->set_flags(env, DB_TXN_NOSYNC, 1));
	SET(env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1));
	/* A copy is not what anybody waits for. */
	SET(env->set_backup_config(env, DB_BACKUP_READ_COUNT, COPY_PAGES));
	SET(env->set_backup_config(env, DB_BACKUP_READ_SLEEP, small ? 1 : COPY_REST_US));
#undef SET
	return rc;
}

static int
table_open(struct engine *e, size_t i)
{
	uint32_t page = e->opts.page_bytes != NULL ? e->opts.page_bytes[i] : 0;
	char name[80];
	DB *db;
	int rc;

	snprintf(name, sizeof(name), "%s.db", e->opts.tables[i]);
	rc = db_create(&db, bdb_of(e)->env, 0);
	if (rc != 0)
		return rc;
	rc = db->set_flags(db, DB_CHKSUM);
	if (rc == 0)
		rc = db->set_pagesize(db, page != 0 ? page : PAGE_BYTES);
	if (rc == 0)
		rc = db->open(db, NULL, name, NULL, DB_BTREE,
		    DB_CREATE | DB_AUTO_COMMIT | DB_THREAD | DB_READ_UNCOMMITTED, 0600);
	if (rc != 0)
		(void)db->close(db, DB_NOSYNC);
	else
		bdb_of(e)->tables[bdb_of(e)->n_tables++] = db;
	return rc;
}


static enum status
open_status(struct engine *e, const char *what, int rc)
{
	enum status st = engine_open_errno(e, what, rc);

	return st != ST_OK ? st : status_of(e, what, rc);
}

/* Those that are new are on the disk before they are listed. */
static enum status
list_tables(struct engine *e)
{
	DB_ENV *env = bdb_of(e)->env;
	bool known = false;
	enum status st = roster_has(e->dir, e->opts.tables, e->opts.n_tables, &known);

	if (st != ST_OK || known)
		return st;
	st = status_of(e, "checkpoint", env->txn_checkpoint(env, 0, 0, DB_FORCE));
	return st == ST_OK ? roster_write(e->dir, e->opts.tables, e->opts.n_tables) : st;
}

static enum status
bdb_open(struct engine *e)
{
	u_int32_t flags = DB_PRIVATE | DB_THREAD | DB_INIT_LOCK | DB_INIT_LOG |
	    DB_INIT_MPOOL | DB_INIT_TXN | DB_CREATE |
	    (e->opts.copy ? DB_RECOVER_FATAL : DB_RECOVER);
	struct bdb *b = bdb_of(e);
	struct stat sb;
	enum status st;
	int rc;

	/* Berkeley DB says EINVAL for a folder that is not there. */
	if (stat(e->dir, &sb) != 0)
		return open_status(e, "stat", errno);
	st = roster_check(e->dir, ".db");
	if (st == ST_OK)
		st = open_status(e, "create", db_env_create(&b->env, 0));
	if (st != ST_OK)
		return st;
	rc = env_configure(e);
	if (rc == 0)
		rc = b->env->open(b->env, e->dir, flags, 0600);
	if (rc != 0)
		return open_status(e, "recover", rc);
	for (size_t i = 0; i < e->opts.n_tables && st == ST_OK; i++)
		st = status_of(e, e->opts.tables[i], table_open(e, i));
	return st == ST_OK ? list_tables(e) : st;
}

static enum status
bdb_close(struct engine *e)
{
	struct bdb *b = bdb_of(e);
	int rc = 0, one;

	while (b->n_tables > 0) {
		DB *db = b->tables[--b->n_tables];

		one = db->close(db, DB_NOSYNC);
		rc = rc == 0 ? one : rc;
	}
	if (b->env != NULL) {
		one = b->env->close(b->env, 0);
		rc = rc == 0 ? one : rc;
	}
	mem_free(&b->bulk);
	return engine_failed(e) ? ST_CORRUPT : status_of(e, "close", rc);
}

/* ---- transactions ---- */

static enum status
bdb_begin(struct engine *e, void **t)
{
	DB_ENV *env = bdb_of(e)->env;
	DB_TXN *txn = NULL;
	enum status st;

	if (bdb_of(e)->bulk == NULL)
		bdb_of(e)->bulk = mem_alloc(BULK_BYTES);
	st = status_of(e, "begin", env->txn_begin(env, NULL, &txn, DB_TXN_NOSYNC));
	if (st == ST_OK)
		(void)txn->set_priority(txn, WRITER_PRIORITY);
	*t = txn;
	return st;
}

static DBT
bulk_dbt(struct bdb *b)
{
	DBT d;

	memset(&d, 0, sizeof(d));
	d.data = b->bulk;
	d.ulen = BULK_BYTES;
	d.flags = DB_DBT_USERMEM | DB_DBT_BULK;
	return d;
}

/* What waits to be put. */
static int
bulk_put(struct bdb *b, DB_TXN *txn)
{
	DB *db = b->tables[b->bulk_table];
	DBT rows = bulk_dbt(b), none;

	if (b->bulk_rows == 0)
		return 0;
	b->bulk_rows = 0;
	memset(&none, 0, sizeof(none));
	return db->put(db, txn, &rows, &none, DB_MULTIPLE_KEY);
}

static bool
bulk_add(struct bdb *b, unsigned table, struct span key, struct span value)
{
	DBT rows = bulk_dbt(b);

	if (b->bulk_rows == 0) {
		b->bulk_table = table;
		DB_MULTIPLE_WRITE_INIT(b->bulk_at, &rows);
	}
	if (b->bulk_table != table)
		return false;
	DB_MULTIPLE_KEY_WRITE_NEXT(b->bulk_at, &rows, key.p, key.len,
	    value.len > 0 ? value.p : "", value.len);
	b->bulk_rows += b->bulk_at != NULL;
	return b->bulk_at != NULL;
}

/* A transaction that cannot be undone leaves the tables in doubt; one that cannot be
 * committed was undone, unless the environment says otherwise. */
static enum status
bdb_commit(struct engine *e, void *t)
{
	DB_TXN *txn = t;
	enum status st = status_of(e, "put", bulk_put(bdb_of(e), txn));

	if (st == ST_OK)
		return status_of(e, "commit", txn->commit(txn, DB_TXN_NOSYNC));
	(void)status_of(e, "abort", txn->abort(txn));
	return st;
}

static enum status
bdb_abort(struct engine *e, void *t)
{
	DB_TXN *txn = t;

	bdb_of(e)->bulk_rows = 0;
	return status_of(e, "abort", txn->abort(txn));
}

/* ---- rows ---- */

static enum status
bdb_get(struct engine *e, unsigned table, struct span key, struct buf *value)
{
	DB *db = table_of(e, table);
	DBT k = dbt(key), v;
	unsigned tries = 0;
	int rc;

	do {
		memset(&v, 0, sizeof(v));
		v.flags = DB_DBT_USERMEM;
		if (value != NULL) {
			v.data = value->data;
			v.ulen = value->room > UINT32_MAX ? UINT32_MAX :
			    (u_int32_t)value->room;
		} else {
			v.flags |= DB_DBT_PARTIAL;
		}
		rc = db->get(db, NULL, &k, &v, DB_READ_UNCOMMITTED);
		if (rc == DB_BUFFER_SMALL && value != NULL)
			buf_reserve(value, v.size);
	} while ((rc == DB_BUFFER_SMALL && value != NULL) || retry(e, rc, &tries));
	if (rc == 0 && value != NULL)
		buf_added(value, v.size);
	return status_of(e, "get", rc);
}

static enum status
bdb_put(struct engine_txn *txn, unsigned table, struct span key, struct span value)
{
	struct bdb *b = bdb_of(txn->e);
	DB *db = table_of(txn->e, table);
	DBT k = dbt(key), v = dbt(value);
	int rc;

	if (value.len <= BULK_VALUE && bulk_add(b, table, key, value))
		return ST_OK;
	rc = bulk_put(b, txn->t);
	if (rc == 0 && (value.len > BULK_VALUE || !bulk_add(b, table, key, value)))
		rc = db->put(db, txn->t, &k, &v, 0);
	return status_of(txn->e, "put", rc);
}

static enum status
bdb_del(struct engine_txn *txn, unsigned table, struct span key)
{
	DB *db = table_of(txn->e, table);
	DBT k = dbt(key);
	int rc = bulk_put(bdb_of(txn->e), txn->t);

	if (++bdb_of(txn->e)->deleted[table] % ROWS_A_PAGE == 0)
		STAT_ADD(txn->e, emptied[table], 1);
	return status_of(txn->e, "del", rc == 0 ? db->del(db, txn->t, &k, 0) : rc);
}

/* ---- cursors ---- */

static size_t
bdb_least_fetch(struct engine *e, unsigned table)
{
	DB *db = table_of(e, table);
	u_int32_t n = 0;

	(void)db->get_pagesize(db, &n);
	return n < FETCH_LEAST ? FETCH_LEAST : n;
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

static int
ahead_once(struct engine_cursor *c, struct span from, DBT *rows)
{
	DB *db = table_of(c->e, c->table);
	char mem[ENGINE_KEY_MAX + 1];
	DBT k = range_key(from, mem);
	DBC *dbc;
	int rc, one;

	memset(rows, 0, sizeof(*rows));
	rows->data = c->rows;
	rows->ulen = (u_int32_t)c->room;
	rows->flags = DB_DBT_USERMEM;
	rc = db->cursor(db, NULL, &dbc, DB_READ_UNCOMMITTED);
	if (rc != 0)
		return rc;
	rc = dbc->get(dbc, &k, rows, DB_MULTIPLE_KEY | DB_SET_RANGE);
	one = dbc->close(dbc);
	return rc != 0 ? rc : one;
}

static enum status
bdb_ahead(struct engine_cursor *c, struct span from)
{
	unsigned tries = 0;
	DBT rows;
	int rc;

	do {
		rc = ahead_once(c, from, &rows);
		if (rc == DB_BUFFER_SMALL) {
			size_t need = rows.size > c->room * 2 ? rows.size : c->room * 2;

			cursor_room(c, (need + 1023) / 1024 * 1024);
		}
	} while (rc == DB_BUFFER_SMALL || retry(c->e, rc, &tries));
	if (rc == 0)
		DB_MULTIPLE_INIT(c->bulk_at, &rows);
	return status_of(c->e, "scan", rc);
}

static bool
bdb_take(struct engine_cursor *c, struct span *key, struct span *value)
{
	DBT rows = dbt(span(c->rows, c->room));
	void *k, *v;
	size_t klen, vlen;

	DB_MULTIPLE_KEY_NEXT(c->bulk_at, &rows, k, klen, v, vlen);
	if (c->bulk_at == NULL)
		return false;
	*key = span(k, klen);
	*value = span(v, vlen);
	return true;
}

/* The value's place: what it held is not kept. */
static DBT
growing(struct buf *b, size_t want)
{
	DBT d;

	memset(&d, 0, sizeof(d));
	buf_clear(b);
	d.data = buf_reserve(b, want);
	d.ulen = (u_int32_t)(b->room > UINT32_MAX ? UINT32_MAX : b->room);
	d.flags = DB_DBT_USERMEM;
	return d;
}

/* The place of the key is settled first, so a value that is too long costs one more try.  What
 * the thread that writes put between `before` and where the cursor stood first is passed over. */
static int
back_step(struct engine_cursor *c, DBC *dbc, u_int32_t step, const struct span *before,
    struct buf *value)
{
	char mem[ENGINE_KEY_MAX + 1];
	size_t want = 512;
	int rc;

	for (;;) {
		DBT k = range_key(SPAN_NONE, mem), v = growing(value, want);

		rc = dbc->get(dbc, &k, &v, step);
		if (rc == DB_BUFFER_SMALL && v.size > want) {
			want = v.size;
			continue;
		}
		if (rc == 0 && (before == NULL || span_cmp(span(mem, k.size), *before) < 0))
			cursor_back_add(c, span(mem, k.size), span(value->data, v.size));
		return rc;
	}
}

static int
back_once(struct engine_cursor *c, const struct span *before, size_t rows, size_t most,
    struct buf *value)
{
	DB *db = table_of(c->e, c->table);
	char mem[ENGINE_KEY_MAX + 1], none;
	u_int32_t step = DB_LAST;
	DBC *dbc;
	int rc, one;

	buf_clear(&c->back);
	c->n_back = 0;
	rc = db->cursor(db, NULL, &dbc, DB_READ_UNCOMMITTED);
	if (rc != 0)
		return rc;
	if (before != NULL) {
		DBT k = range_key(*before, mem), v = dbt(span(&none, 0));

		v.flags |= DB_DBT_PARTIAL;	/* of no bytes */
		rc = dbc->get(dbc, &k, &v, DB_SET_RANGE);
		if (rc == 0)
			step = DB_PREV;
		else if (rc == DB_NOTFOUND)
			rc = 0;
	}
	while (rc == 0 && c->n_back < rows && c->back.len < most) {
		rc = back_step(c, dbc, step, before, value);
		step = DB_PREV;
	}
	if (rc == DB_NOTFOUND && c->n_back > 0)
		rc = 0;
	one = dbc->close(dbc);
	return rc != 0 ? rc : one;
}

static enum status
bdb_back(struct engine_cursor *c, const struct span *before, size_t rows, size_t most)
{
	struct buf value = { 0 };
	unsigned tries = 0;
	int rc;

	do
		rc = back_once(c, before, rows, most, &value);
	while (retry(c->e, rc, &tries));
	buf_fini(&value);
	return status_of(c->e, "scan", rc);
}

/* ---- upkeep ---- */

static enum status
bdb_checkpoint(struct engine *e)
{
	DB_ENV *env = bdb_of(e)->env;

	return status_of(e, "checkpoint", env->txn_checkpoint(env, 0, 0, 0));
}

static uint64_t
bdb_pending(struct engine *e)
{
	DB_ENV *env = bdb_of(e)->env;
	DB_LOG_STAT *st = NULL;
	uint64_t n = 0;

	if (env->log_stat(env, &st, 0) == 0 && st != NULL)
		n = (uint64_t)st->st_wc_mbytes << 20 | st->st_wc_bytes;
	free(st);
	return n;
}

static enum status
bdb_hot_copy(struct engine *e, const char *dest)
{
	DB_ENV *env = bdb_of(e)->env;
	int rc;

	/* A checkpoint might remove log files that are still to be copied. */
	pthread_mutex_lock(&e->copy_lock);
	/* What is committed may stand in the log's buffer only. */
	rc = env->log_flush(env, NULL);
	if (rc == 0)
		rc = env->backup(env, dest, DB_CREATE | DB_BACKUP_CLEAN);
	pthread_mutex_unlock(&e->copy_lock);
	return status_of(e, "hot copy", rc);
}

static enum status
bdb_compact(struct engine *e, unsigned table, struct span from, struct span to,
    unsigned percent, uint32_t pages_most, struct engine_compacted *did)
{
	DB *db = table_of(e, table);
	DBT start = dbt(from), stop = dbt(to);
	DB_COMPACT c;
	int rc;

	memset(&c, 0, sizeof(c));
	c.compact_fillpercent = percent;
	c.compact_pages = pages_most;
	rc = db->compact(db, NULL, from.len > 0 ? &start : NULL, &stop, &c, 0, NULL);
	did->pages += c.compact_pages_examine;
	did->freed += c.compact_pages_free;
	STAT_ADD(e, emptied[table], c.compact_pages_free);
	return status_of(e, "compact", rc);
}

static uint64_t
pages_of(DB *db)
{
	DB_BTREE_STAT *st = NULL;
	uint64_t n = 0;

	if (db->stat(db, NULL, &st, DB_FAST_STAT) == 0 && st != NULL)
		n = st->bt_pagecnt;
	free(st);
	return n;
}

/* How many pages are free nobody knows without reading them all: what was freed here and
 * what rows were deleted tell whether it is worth it.  The writer cannot be the one that loses
 * a deadlock: see WRITER_PRIORITY. */
static enum status
bdb_shrink(struct engine *e, unsigned table, uint64_t *pages)
{
	DB *db = table_of(e, table);
	uint64_t *emptied = &e->stats.emptied[table], all = pages_of(db), some;
	DB_COMPACT c;
	int rc;

	some = __atomic_load_n(emptied, __ATOMIC_RELAXED);
	if (some < (e->opts.small ? 1 : SHRINK_LEAST) || some < all / 8 || all * bdb_least_fetch(e, table) > SHRINK_MOST)
		return ST_OK;
	__atomic_fetch_sub(emptied, some, __ATOMIC_RELAXED);
	memset(&c, 0, sizeof(c));
	c.compact_fillpercent = 1;
	rc = db->compact(db, NULL, NULL, NULL, &c, DB_FREE_SPACE, NULL);
	*pages = c.compact_pages_truncated;
	return status_of(e, "shrink", rc);
}

static void
bdb_stats(struct engine *e, struct engine_stats *out)
{
	DB_ENV *env = bdb_of(e)->env;
	DB_MPOOL_STAT *mp = NULL;
	DB_LOG_STAT *lg = NULL;

	out->cache_bytes = e->opts.cache_bytes;
	if (env->memp_stat(env, &mp, NULL, 0) == 0 && mp != NULL) {
		out->cache_hits = mp->st_cache_hit;
		out->cache_misses = mp->st_cache_miss;
	}
	if (env->log_stat(env, &lg, 0) == 0 && lg != NULL)
		out->log_bytes = (uint64_t)lg->st_w_mbytes << 20 | lg->st_w_bytes;
	free(mp);
	free(lg);
}

const struct engine_ops engine_bdb = {
	.size = sizeof(struct bdb),
	.open = bdb_open, .close = bdb_close,
	.begin = bdb_begin, .commit = bdb_commit, .abort = bdb_abort,
	.get = bdb_get, .put = bdb_put, .del = bdb_del,
	.least_fetch = bdb_least_fetch, .ahead = bdb_ahead, .take = bdb_take, .back = bdb_back,
	.checkpoint = bdb_checkpoint, .hot_copy = bdb_hot_copy, .pending = bdb_pending,
	.compact = bdb_compact, .shrink = bdb_shrink, .stats = bdb_stats,
};
