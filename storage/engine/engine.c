/* storage/engine/engine.c
 * What all engines have in common: opening the folder with the engine that made it, the
 * thread that writes checkpoints, limits and counters. */
#include "config.h"

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
#include "storage/engine/recent.h"

#define CHECK_MS	250u	/* how often what a busy engine wrote is measured */
#define LOG_FILE_MIN	(4u << 20)
#define LOG_FILE_MAX	(64u << 20)
#define LOG_FILES	4u

static const struct engine_ops *const engines[] = {
	[ENGINE_BDB] = &engine_bdb,
#ifdef HAVE_LMDB
	[ENGINE_LMDB] = &engine_lmdb,
#else
	[ENGINE_LMDB] = NULL,
#endif
};
static const char *const names[] = {
	[ENGINE_BDB] = "berkeley-db", [ENGINE_LMDB] = "lmdb",
};

const char *
engine_kind_name(enum engine_kind kind)
{
	return names[kind];
}

bool
engine_kind_parse(const char *name, enum engine_kind *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*kind = (enum engine_kind)i;
			return true;
		}
	return false;
}

bool
engine_kind_built(enum engine_kind kind)
{
	return engines[kind] != NULL;
}

/* ---- errors ---- */

enum status
engine_fail(struct engine *e, const char *what, const char *error)
{
	if (!__atomic_exchange_n(&e->failed, 1, __ATOMIC_ACQ_REL))
		LOG(NULL, FATAL, "engine.failed", KV_STR("dir", e->dir), KV_STR("in", what),
		    KV_STR("error", error));
	return ST_CORRUPT;
}

bool
engine_failed(const struct engine *e)
{
	return __atomic_load_n(&e->failed, __ATOMIC_ACQUIRE) != 0;
}

enum status
engine_open_errno(struct engine *e, const char *what, int rc)
{
	switch (rc) {
	case ENOENT:
	case EACCES:
	case EPERM:
	case EROFS:
	case EMFILE:
	case ENFILE:
		LOG(NULL, ERROR, "engine.open", KV_STR("dir", e->dir), KV_STR("in", what),
		    KV_ERRNO(rc));
		return rc == ENOENT ? ST_NOT_FOUND : ST_UNAVAILABLE;
	default:
		return ST_OK;
	}
}

/* ---- the checkpoint's thread ---- */

enum status
engine_checkpoint_tables(struct engine *e)
{
	enum status st;

	pthread_mutex_lock(&e->copy_lock);
	st = e->ops->checkpoint(e);
	pthread_mutex_unlock(&e->copy_lock);
	STAT_ADD(e, checkpoints, 1);
	return st;
}

enum status
engine_checkpoint(struct engine *e)
{
	enum status st = engine_failed(e) ? ST_CORRUPT : recent_flush(e->recent);

	return st == ST_OK ? engine_checkpoint_tables(e) : st;
}

static void
sleep_until(struct engine *e, uint64_t ms)
{
	struct timespec ts = clock_mono_in(ms);

	pthread_cond_timedwait(&e->wake, &e->lock, &ts);
}

/* Sleeps while nothing is committed; then looks at what was written now and then. */
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
		if (e->ops->pending(e) >= e->opts.checkpoint_bytes ||
		    clock_mono_ms() - since >= (uint64_t)e->opts.checkpoint_s * 1000) {
			pthread_mutex_lock(&e->lock);
			__atomic_store_n(&e->dirty, false, __ATOMIC_RELEASE);
			pthread_mutex_unlock(&e->lock);
			if (!engine_failed(e))
				(void)engine_checkpoint_tables(e);
			since = clock_mono_ms();
		}
		pthread_mutex_lock(&e->lock);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

void
engine_written(struct engine *e)
{
	if (!e->thread || __atomic_load_n(&e->dirty, __ATOMIC_ACQUIRE))
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

/* As large as what is written from one checkpoint to the next: the whole log then keeps
 * within LOG_FILES of them. */
uint32_t
engine_log_file(uint64_t checkpoint_bytes)
{
	return checkpoint_bytes < LOG_FILE_MIN ? LOG_FILE_MIN :
	    checkpoint_bytes > LOG_FILE_MAX ? LOG_FILE_MAX : (uint32_t)checkpoint_bytes;
}

uint64_t
engine_log_most(uint64_t checkpoint_bytes)
{
	uint64_t file = engine_log_file(checkpoint_bytes);

	return LOG_FILES * (checkpoint_bytes > file ? checkpoint_bytes : file);
}

bool
engine_made_by(const char *dir, enum engine_kind *kind)
{
	DIR *d = opendir(dir);
	const struct dirent *f;
	bool any = false;

	*kind = ENGINE_BDB;
	while (d != NULL && (f = readdir(d)) != NULL) {
		if (f->d_name[0] == '.')
			continue;
		any = true;
		if (strcmp(f->d_name, ENGINE_LMDB_FILE) == 0 ||
		    strcmp(f->d_name, ENGINE_LMDB_CHECKPOINT) == 0)
			*kind = ENGINE_LMDB;
	}
	if (d != NULL)
		closedir(d);
	return any;
}

/* The engine that the folder is for; NULL: it cannot be opened as was asked. */
static const struct engine_ops *
choose(const char *dir, enum engine_kind kind)
{
	enum engine_kind made;

	if (engine_made_by(dir, &made) && made != kind) {
		LOG(NULL, ERROR, "engine.other", KV_STR("dir", dir), KV_STR("made_by", names[made]),
		    KV_STR("wanted", names[kind]), KV_STR("why", "another engine made this "
		    "database: set store { engine } to that one, or use mansioctl store convert"));
		return NULL;
	}
	if (engines[kind] == NULL)
		LOG(NULL, ERROR, "engine.missing", KV_STR("wanted", names[kind]),
		    KV_STR("why", "this Mansio was built without it"));
	return engines[kind];
}

static enum status
start(struct engine *e)
{
	enum status st = e->ops->open(e);

	if (st == ST_OK && !e->opts.manual) {
		e->thread = pthread_create(&e->checkpointer, NULL, checkpoint_thread, e) == 0;
		if (!e->thread)
			st = ST_UNAVAILABLE;
	}
	if (st == ST_OK && !e->opts.manual)
		st = recent_start(e->recent);
	return st;
}

enum status
engine_open(const char *dir, const struct engine_opts *opts, struct engine **out)
{
	const struct engine_ops *ops = choose(dir, opts->kind);
	struct engine *e;
	enum status st;

	assert(opts->n_tables <= ENGINE_TABLES_MAX);
	*out = NULL;
	if (ops == NULL)
		return ST_UNSUPPORTED;
	e = mem_zalloc(ops->size);
	e->ops = ops;
	e->dir = mem_strdup(dir);
	e->opts = *opts;
	set_defaults(&e->opts);
	pthread_mutex_init(&e->copy_lock, NULL);
	pthread_mutex_init(&e->lock, NULL);
	clock_cond_init(&e->wake);
	e->recent = recent_new(e);
	st = start(e);
	e->opened = st == ST_OK;
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
	enum status st = ST_OK, one;

	if (e == NULL)
		return ST_OK;
	*ep = NULL;
	assert(e->writers == 0);
	stop_thread(e);
	if (e->opened && !engine_failed(e))
		st = engine_checkpoint(e);
	recent_free(&e->recent);
	one = e->ops->close(e);
	st = st == ST_OK ? one : st;
	if (st == ST_OK && engine_failed(e))
		st = ST_CORRUPT;
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

void
engine_empty_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *f;

	if (d == NULL)
		return;
	while ((f = readdir(d)) != NULL)
		if (f->d_name[0] != '.')
			(void)unlinkat(dirfd(d), f->d_name, 0);
	closedir(d);
}

static void
remove_folder(const char *path)
{
	engine_empty_folder(path);
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
	enum status st;

	*txn = NULL;
	if (engine_failed(e))
		return ST_CORRUPT;
	st = recent_begin(e->recent);
	if (st != ST_OK)
		return st;
	*txn = mem_zalloc(sizeof(**txn));
	(*txn)->e = e;
	__atomic_fetch_add(&e->writers, 1, __ATOMIC_RELAXED);
	return ST_OK;
}

enum status
engine_commit(struct engine_txn **txn)
{
	struct engine *e = (*txn)->e;
	bool failed = engine_failed(e);

	if (failed)
		recent_abort(e->recent);
	else
		recent_commit(e->recent);
	mem_free(txn);
	__atomic_fetch_sub(&e->writers, 1, __ATOMIC_RELAXED);
	if (!failed)
		STAT_ADD(e, commits, 1);
	return failed ? ST_CORRUPT : ST_OK;
}

void
engine_abort(struct engine_txn **txn)
{
	struct engine *e;

	if (*txn == NULL)
		return;
	e = (*txn)->e;
	recent_abort(e->recent);
	mem_free(txn);
	__atomic_fetch_sub(&e->writers, 1, __ATOMIC_RELAXED);
	STAT_ADD(e, aborts, 1);
}

/* ---- rows ---- */

static bool
key_good(struct span key)
{
	return key.len > 0 && key.len <= ENGINE_KEY_MAX;
}

static enum status
get(struct engine *e, bool mine, unsigned table, struct span key, struct buf *value)
{
	switch (recent_get(e->recent, table, key, mine, value)) {
	case LAYER_VALUE:
		return ST_OK;
	case LAYER_GONE:
		return ST_NOT_FOUND;
	default:
		return e->ops->get(e, table, key, value);
	}
}

enum status
engine_get(struct engine *e, struct engine_txn *txn, unsigned table, struct span key,
    struct buf *value)
{
	if (engine_failed(e))
		return ST_CORRUPT;
	if (!key_good(key))
		return ST_LIMIT;
	STAT_ADD(e, gets, 1);
	if (value != NULL) {
		buf_clear(value);
		buf_reserve(value, 512);
	}
	return get(e, txn != NULL, table, key, value);
}

enum status
engine_put(struct engine_txn *txn, unsigned table, struct span key, struct span value)
{
	struct engine *e = txn->e;

	if (engine_failed(e))
		return ST_CORRUPT;
	if (!key_good(key) || value.len > ENGINE_VALUE_MAX)
		return ST_LIMIT;
	txn->writes++;
	STAT_ADD(e, puts, 1);
	recent_put(e->recent, table, key, &value);
	return ST_OK;
}

enum status
engine_insert(struct engine_txn *txn, unsigned table, struct span key, struct span value)
{
	enum status st = engine_get(txn->e, txn, table, key, NULL);

	if (st == ST_NOT_FOUND)
		return engine_put(txn, table, key, value);
	return st == ST_OK ? ST_EXISTS : st;
}

enum status
engine_del(struct engine_txn *txn, unsigned table, struct span key)
{
	struct engine *e = txn->e;
	enum status st;

	if (engine_failed(e))
		return ST_CORRUPT;
	if (!key_good(key))
		return ST_LIMIT;
	st = get(e, true, table, key, NULL);
	if (st != ST_OK)
		return st;
	txn->writes++;
	STAT_ADD(e, dels, 1);
	recent_put(e->recent, table, key, NULL);
	return ST_OK;
}

/* ---- upkeep ---- */

enum status
engine_hot_copy(struct engine *e, const char *dest)
{
	enum status st = engine_failed(e) ? ST_CORRUPT : recent_flush(e->recent);

	return st == ST_OK ? e->ops->hot_copy(e, dest) : st;
}

void
engine_stats(struct engine *e, struct engine_stats *out)
{
	*out = e->stats;
	e->ops->stats(e, out);
}
