/* storage/engine/engine.c
 * The environment, transactions and single rows over Berkeley DB 5.3.
 *
 * The environment is private to the process: its locks and cache are heap memory and
 * gone with it, so a crash needs no clean-up but recovery.  Locking is on, so that a
 * checkpoint, a hot copy and readers run beside the one writer.  A deadlock between the
 * writer and a reader is decided against the reader, which has written nothing and
 * tries again. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/engine/engine_bdb.h"
#include "storage/engine/roster.h"

#define PAGE_BYTES	4096u
#define CHECK_MS	250u	/* how often a busy engine's log is measured */
#define LOG_FILE_MIN	(4u << 20)
#define LOG_FILE_MAX	(64u << 20)
#define LOG_FILES	4u

/* ---- errors ---- */

enum status
engine_status(struct engine *e, const char *what, int rc)
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
		if (!__atomic_exchange_n(&e->failed, 1, __ATOMIC_ACQ_REL))
			LOG(NULL, FATAL, "engine.failed", KV_STR("dir", e->dir),
			    KV_STR("in", what), KV_STR("error", db_strerror(rc)));
		return ST_CORRUPT;
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

bool
engine_failed(const struct engine *e)
{
	return __atomic_load_n(&e->failed, __ATOMIC_ACQUIRE) != 0;
}

bool
engine_retry(struct engine *e, const struct engine_txn *txn, int rc, unsigned *tries)
{
	struct timespec pause = { 0, 200000 };

	if (txn != NULL || (rc != DB_LOCK_DEADLOCK && rc != DB_LOCK_NOTGRANTED) ||
	    ++*tries > READ_RETRIES)
		return false;
	STAT_ADD(e, reader_retries, 1);
	nanosleep(&pause, NULL);
	return true;
}

DBT
engine_dbt(struct span s)
{
	DBT d;

	memset(&d, 0, sizeof(d));
	d.data = (void *)(uintptr_t)s.p;
	d.size = d.ulen = (u_int32_t)s.len;
	d.flags = DB_DBT_USERMEM;
	return d;
}

DB *
engine_table(const struct engine *e, unsigned table)
{
	assert(table < e->n_tables);
	return e->tables[table];
}

/* ---- the checkpoint's thread ---- */

enum status
engine_checkpoint(struct engine *e)
{
	int rc;

	if (engine_failed(e))
		return ST_CORRUPT;
	pthread_mutex_lock(&e->copy_lock);
	rc = e->env->txn_checkpoint(e->env, 0, 0, 0);
	pthread_mutex_unlock(&e->copy_lock);
	STAT_ADD(e, checkpoints, 1);
	return engine_status(e, "checkpoint", rc);
}

static void
sleep_until(struct engine *e, uint64_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += (time_t)(ms / 1000);
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&e->wake, &e->lock, &ts);
}

static uint64_t
log_bytes(struct engine *e)
{
	DB_LOG_STAT *st = NULL;
	uint64_t n = 0;

	if (e->env->log_stat(e->env, &st, 0) == 0 && st != NULL)
		n = (uint64_t)st->st_wc_mbytes << 20 | st->st_wc_bytes;
	free(st);
	return n;
}

/* Sleeps while nothing is committed; then looks at the log's growth now and then. */
static void *
checkpoint_thread(void *arg)
{
	struct engine *e = arg;
	uint64_t since = clock_mono_ms();

	pthread_mutex_lock(&e->lock);
	while (!e->stop) {
		if (!e->dirty) {
			pthread_cond_wait(&e->wake, &e->lock);
			since = clock_mono_ms();
			continue;
		}
		sleep_until(e, CHECK_MS);
		if (e->stop)
			break;
		pthread_mutex_unlock(&e->lock);
		if (log_bytes(e) >= e->opts.checkpoint_bytes ||
		    clock_mono_ms() - since >= (uint64_t)e->opts.checkpoint_s * 1000) {
			pthread_mutex_lock(&e->lock);
			__atomic_store_n(&e->dirty, false, __ATOMIC_RELEASE);
			pthread_mutex_unlock(&e->lock);
			if (!engine_failed(e))
				(void)engine_checkpoint(e);
			since = clock_mono_ms();
		}
		pthread_mutex_lock(&e->lock);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

static void
mark_dirty(struct engine *e)
{
	if (__atomic_load_n(&e->dirty, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_lock(&e->lock);
	__atomic_store_n(&e->dirty, true, __ATOMIC_RELEASE);
	pthread_cond_signal(&e->wake);
	pthread_mutex_unlock(&e->lock);
}

/* ---- open ---- */

static void
set_defaults(struct engine_opts *o)
{
	if (o->cache_bytes == 0)
		o->cache_bytes = o->small ? 2u << 20 : 64u << 20;
	if (o->checkpoint_bytes == 0)
		o->checkpoint_bytes = 32u << 20;
	if (o->checkpoint_s == 0)
		o->checkpoint_s = 60;
}

/* A log file goes when a checkpoint lies behind its end: files as large as what is written
 * from one checkpoint to the next keep the whole log within LOG_FILES of them. */
static uint32_t
log_file_bytes(uint64_t checkpoint_bytes)
{
	return checkpoint_bytes < LOG_FILE_MIN ? LOG_FILE_MIN :
	    checkpoint_bytes > LOG_FILE_MAX ? LOG_FILE_MAX : (uint32_t)checkpoint_bytes;
}

uint64_t
engine_log_most(uint64_t checkpoint_bytes)
{
	uint64_t file = log_file_bytes(checkpoint_bytes);

	return LOG_FILES * (checkpoint_bytes > file ? checkpoint_bytes : file);
}

static int
env_configure(struct engine *e)
{
	DB_ENV *env = e->env;
	bool small = e->opts.small;
	uint32_t log_file = small ? LOG_FILE_MIN : log_file_bytes(e->opts.checkpoint_bytes);
	int rc = 0;

	env->app_private = e;
	env->set_errcall(env, on_error);
#define SET(call) do { if (rc == 0) rc = (call); } while (0)
	SET(env->set_event_notify(env, on_event));
	SET(env->set_cachesize(env, (u_int32_t)(e->opts.cache_bytes >> 30),
	    (u_int32_t)(e->opts.cache_bytes & 0x3fffffff), 1));
	SET(env->set_lg_max(env, log_file));
	SET(env->set_lg_bsize(env, log_file / 8));
	/* An operation may change a thousand rows, in as many pages. */
	SET(env->set_lk_max_locks(env, small ? 10000 : 50000));
	SET(env->set_lk_max_objects(env, small ? 10000 : 50000));
	SET(env->set_lk_max_lockers(env, 2000));
	SET(env->set_lk_detect(env, DB_LOCK_MINWRITE));
	SET(env->set_flags(env, DB_TXN_NOSYNC, 1));
	SET(env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1));
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
	rc = db_create(&db, e->env, 0);
	if (rc != 0)
		return rc;
	rc = db->set_flags(db, DB_CHKSUM);
	if (rc == 0)
		rc = db->set_pagesize(db, page != 0 ? page : PAGE_BYTES);
	if (rc == 0)
		rc = db->open(db, NULL, name, NULL, DB_BTREE,
		    DB_CREATE | DB_AUTO_COMMIT | DB_THREAD, 0600);
	if (rc != 0)
		(void)db->close(db, DB_NOSYNC);
	else
		e->tables[e->n_tables++] = db;
	return rc;
}

/* What an open may fail with though the tables are whole. */
static enum status
open_status(struct engine *e, const char *what, int rc)
{
	switch (rc) {
	case ENOENT:
	case EACCES:
	case EPERM:
	case EROFS:
	case EMFILE:
	case ENFILE:
		LOG(NULL, ERROR, "engine.open", KV_STR("dir", e->dir),
		    KV_STR("in", what), KV_ERRNO(rc));
		return rc == ENOENT ? ST_NOT_FOUND : ST_UNAVAILABLE;
	default:
		return engine_status(e, what, rc);
	}
}

/* Those that are new are on the disk before they are listed. */
static enum status
list_tables(struct engine *e)
{
	bool known = false;
	enum status st = roster_has(e->dir, e->opts.tables, e->opts.n_tables, &known);

	if (st != ST_OK || known)
		return st;
	st = engine_status(e, "checkpoint", e->env->txn_checkpoint(e->env, 0, 0, DB_FORCE));
	return st == ST_OK ? roster_write(e->dir, e->opts.tables, e->opts.n_tables) : st;
}

static enum status
engine_start(struct engine *e)
{
	u_int32_t flags = DB_PRIVATE | DB_THREAD | DB_INIT_LOCK | DB_INIT_LOG |
	    DB_INIT_MPOOL | DB_INIT_TXN | DB_CREATE |
	    (e->opts.copy ? DB_RECOVER_FATAL : DB_RECOVER);
	struct stat sb;
	enum status st;
	int rc;

	/* Berkeley DB says EINVAL for a folder that is not there. */
	if (stat(e->dir, &sb) != 0)
		return open_status(e, "stat", errno);
	st = roster_check(e->dir, ".db");
	if (st == ST_OK)
		st = open_status(e, "create", db_env_create(&e->env, 0));
	if (st != ST_OK)
		return st;
	rc = env_configure(e);
	if (rc == 0)
		rc = e->env->open(e->env, e->dir, flags, 0600);
	if (rc != 0)
		return open_status(e, "recover", rc);
	for (size_t i = 0; i < e->opts.n_tables && st == ST_OK; i++)
		st = engine_status(e, e->opts.tables[i], table_open(e, i));
	if (st == ST_OK)
		st = list_tables(e);
	if (st == ST_OK && !e->opts.manual) {
		e->thread = pthread_create(&e->checkpointer, NULL, checkpoint_thread, e) == 0;
		if (!e->thread)
			st = ST_UNAVAILABLE;
	}
	return st;
}

enum status
engine_open(const char *dir, const struct engine_opts *opts, struct engine **out)
{
	struct engine *e = mem_zalloc(sizeof(*e));
	pthread_condattr_t attr;
	enum status st;

	assert(opts->n_tables <= ENGINE_TABLES_MAX);
	*out = NULL;
	e->dir = mem_strdup(dir);
	e->opts = *opts;
	set_defaults(&e->opts);
	pthread_mutex_init(&e->copy_lock, NULL);
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->wake, &attr);
	pthread_condattr_destroy(&attr);
	st = engine_start(e);
	e->opts.tables = NULL;		/* the caller's */
	if (st != ST_OK)
		(void)engine_close(&e);
	*out = e;
	return st;
}

static void
stop_thread(struct engine *e)
{
	if (!e->thread)
		return;
	pthread_mutex_lock(&e->lock);
	e->stop = true;
	pthread_cond_signal(&e->wake);
	pthread_mutex_unlock(&e->lock);
	pthread_join(e->checkpointer, NULL);
}

enum status
engine_close(struct engine **ep)
{
	struct engine *e = *ep;
	enum status st = ST_OK;
	int rc = 0, one;

	if (e == NULL)
		return ST_OK;
	*ep = NULL;
	assert(e->writers == 0);
	stop_thread(e);
	if (e->env != NULL && e->n_tables > 0 && !engine_failed(e))
		st = engine_checkpoint(e);
	while (e->n_tables > 0) {
		DB *db = e->tables[--e->n_tables];

		one = db->close(db, DB_NOSYNC);
		rc = rc == 0 ? one : rc;
	}
	if (e->env != NULL) {
		one = e->env->close(e->env, 0);
		rc = rc == 0 ? one : rc;
	}
	if (st == ST_OK)
		st = engine_failed(e) ? ST_CORRUPT : engine_status(e, "close", rc);
	pthread_cond_destroy(&e->wake);
	pthread_mutex_destroy(&e->lock);
	pthread_mutex_destroy(&e->copy_lock);
	mem_free(&e->dir);
	mem_free(&e);
	return st;
}

enum status
engine_set_aside(const char *dir, char **name)
{
	size_t n = strlen(dir) + 16;
	char *to = mem_alloc(n);
	struct stat sb;
	enum status st = ST_OK;
	unsigned i = 1;

	do
		snprintf(to, n, "%s.bad-%u", dir, i++);
	while (lstat(to, &sb) == 0 && i < 100000);
	if (stat(dir, &sb) != 0 || rename(dir, to) != 0 ||
	    mkdir(dir, sb.st_mode & 0777) != 0)
		st = errno == ENOENT ? ST_NOT_FOUND :
		    errno == ENOSPC ? ST_NO_SPACE : ST_UNAVAILABLE;
	if (st == ST_OK)
		LOG(NULL, WARN, "engine.set-aside", KV_STR("dir", dir), KV_STR("to", to));
	if (st == ST_OK && name != NULL)
		*name = to;
	else
		mem_free(&to);
	return st;
}

/* The files of a folder, and the folder. */
static void
remove_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *f;

	if (d == NULL)
		return;
	while ((f = readdir(d)) != NULL)
		if (f->d_name[0] != '.')
			(void)unlinkat(dirfd(d), f->d_name, 0);
	closedir(d);
	(void)rmdir(path);
	LOG(NULL, WARN, "engine.drop-aside", KV_STR("dir", path));
}

unsigned
engine_drop_aside(const char *dir)
{
	size_t n = strlen(dir) + 16;
	char *path = mem_alloc(n);
	struct stat sb;
	unsigned i = 1;

	for (;; i++) {
		snprintf(path, n, "%s.bad-%u", dir, i);
		if (i >= 100000 || lstat(path, &sb) != 0 || !S_ISDIR(sb.st_mode))
			break;
		remove_folder(path);
	}
	mem_free(&path);
	return i - 1;
}

/* ---- transactions ---- */

enum status
engine_begin(struct engine *e, struct engine_txn **txn)
{
	DB_TXN *t;
	enum status st;

	*txn = NULL;
	if (engine_failed(e))
		return ST_CORRUPT;
	st = engine_status(e, "begin", e->env->txn_begin(e->env, NULL, &t, DB_TXN_NOSYNC));
	if (st != ST_OK)
		return st;
	*txn = mem_zalloc(sizeof(**txn));
	(*txn)->e = e;
	(*txn)->t = t;
	__atomic_fetch_add(&e->writers, 1, __ATOMIC_RELAXED);
	return ST_OK;
}

static enum status
txn_end(struct engine_txn **txn, bool commit)
{
	struct engine *e = (*txn)->e;
	DB_TXN *t = (*txn)->t;
	int rc = commit ? t->commit(t, DB_TXN_NOSYNC) : t->abort(t);
	bool wrote = (*txn)->writes > 0;

	mem_free(txn);
	__atomic_fetch_sub(&e->writers, 1, __ATOMIC_RELAXED);
	if (rc == 0 && commit) {
		STAT_ADD(e, commits, 1);
		if (wrote && e->thread)
			mark_dirty(e);
	} else if (!commit) {
		STAT_ADD(e, aborts, 1);
	}
	/* A transaction that cannot be undone leaves the tables in doubt; one that
	 * cannot be committed was undone, unless the environment says otherwise. */
	return engine_status(e, commit ? "commit" : "abort", rc);
}

enum status
engine_commit(struct engine_txn **txn)
{
	return txn_end(txn, true);
}

void
engine_abort(struct engine_txn **txn)
{
	if (*txn != NULL)
		(void)txn_end(txn, false);
}

/* ---- rows ---- */

enum status
engine_get(struct engine *e, struct engine_txn *txn, unsigned table, struct span key,
    struct buf *value)
{
	DB *db = engine_table(e, table);
	DBT k = engine_dbt(key), v;
	unsigned tries = 0;
	int rc;

	if (engine_failed(e))
		return ST_CORRUPT;
	if (key.len > ENGINE_KEY_MAX)
		return ST_LIMIT;
	STAT_ADD(e, gets, 1);
	if (value != NULL) {
		buf_clear(value);
		buf_reserve(value, 512);
	}
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
		rc = db->get(db, txn != NULL ? txn->t : NULL, &k, &v, 0);
		if (rc == DB_BUFFER_SMALL && value != NULL)
			buf_reserve(value, v.size);
	} while ((rc == DB_BUFFER_SMALL && value != NULL) ||
	    engine_retry(e, txn, rc, &tries));
	if (rc == 0 && value != NULL)
		buf_added(value, v.size);
	return engine_status(e, "get", rc);
}

static enum status
row_put(struct engine_txn *txn, unsigned table, struct span key, struct span value,
    u_int32_t flags)
{
	struct engine *e = txn->e;
	DB *db = engine_table(e, table);
	DBT k, v;

	if (engine_failed(e))
		return ST_CORRUPT;
	if (key.len > ENGINE_KEY_MAX || value.len > ENGINE_VALUE_MAX)
		return ST_LIMIT;
	k = engine_dbt(key);
	v = engine_dbt(value);
	txn->writes++;
	STAT_ADD(e, puts, 1);
	return engine_status(e, "put", db->put(db, txn->t, &k, &v, flags));
}

enum status
engine_put(struct engine_txn *txn, unsigned table, struct span key, struct span value)
{
	return row_put(txn, table, key, value, 0);
}

enum status
engine_insert(struct engine_txn *txn, unsigned table, struct span key, struct span value)
{
	return row_put(txn, table, key, value, DB_NOOVERWRITE);
}

enum status
engine_del(struct engine_txn *txn, unsigned table, struct span key)
{
	struct engine *e = txn->e;
	DB *db = engine_table(e, table);
	DBT k = engine_dbt(key);

	if (engine_failed(e))
		return ST_CORRUPT;
	if (key.len > ENGINE_KEY_MAX)
		return ST_LIMIT;
	txn->writes++;
	STAT_ADD(e, dels, 1);
	return engine_status(e, "del", db->del(db, txn->t, &k, 0));
}

/* ---- upkeep ---- */

enum status
engine_hot_copy(struct engine *e, const char *dest)
{
	int rc;

	if (engine_failed(e))
		return ST_CORRUPT;
	/* A checkpoint might remove log files that are still to be copied. */
	pthread_mutex_lock(&e->copy_lock);
	/* What is committed may stand in the log's buffer only. */
	rc = e->env->log_flush(e->env, NULL);
	if (rc == 0)
		rc = e->env->backup(e->env, dest, DB_CREATE | DB_BACKUP_CLEAN);
	pthread_mutex_unlock(&e->copy_lock);
	return engine_status(e, "hot copy", rc);
}

enum status
engine_compact(struct engine *e, unsigned table, struct span from, struct span to,
    uint64_t *pages_freed)
{
	DB *db = engine_table(e, table);
	DBT start = engine_dbt(from), stop = engine_dbt(to);
	DB_COMPACT c;
	int rc;

	if (engine_failed(e))
		return ST_CORRUPT;
	memset(&c, 0, sizeof(c));
	c.compact_fillpercent = 90;
	rc = db->compact(db, NULL, from.len > 0 ? &start : NULL, to.len > 0 ? &stop : NULL,
	    &c, DB_FREE_SPACE, NULL);
	if (pages_freed != NULL)
		*pages_freed = c.compact_pages_free;
	return engine_status(e, "compact", rc);
}

void
engine_stats(struct engine *e, struct engine_stats *out)
{
	DB_MPOOL_STAT *mp = NULL;
	DB_LOG_STAT *lg = NULL;

	*out = e->stats;
	out->cache_bytes = e->opts.cache_bytes;
	if (e->env->memp_stat(e->env, &mp, NULL, 0) == 0 && mp != NULL) {
		out->cache_hits = mp->st_cache_hit;
		out->cache_misses = mp->st_cache_miss;
	}
	if (e->env->log_stat(e->env, &lg, 0) == 0 && lg != NULL)
		out->log_bytes = (uint64_t)lg->st_w_mbytes << 20 | lg->st_w_bytes;
	free(mp);
	free(lg);
}
