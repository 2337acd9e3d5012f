/* storage/engine/engine_lmdb.c
 * The engine over LMDB 0.9.
 *
 * Commits do not wait for the disk (MDB_NOSYNC).  LMDB never writes over a page that the
 * last commit or a reader can see, so a killed process leaves the last commit in the page
 * cache.  When the machine goes down the pages may have reached the disk in any order;
 * therefore each checkpoint syncs, keeps the meta page of what it synced in a file of its
 * own, and stays that snapshot's reader until the next one has done the same: nothing of it
 * is used again meanwhile.  A folder whose checkpoint file tells of another boot is taken
 * back to that meta page before it is opened. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util/bytes.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/engine/engine_lmdb.h"

#define MAP_MOST	((uint64_t)1 << 40)	/* of addresses; the file is as long as it must be */
#define MAP_SMALL	(1u << 20)
#define MAP_LEAST	((uint64_t)64 << 20)
/* Left for one transaction, else the map grows. */
#define MARGIN		((uint64_t)64 << 20)
#define MARGIN_SMALL	((uint64_t)16 << 20)
#define READERS		1000u
/* Each commit writes every page on the way to a changed row anew, and what was there stays
 * until the next checkpoint: so many times `checkpoint_bytes` of that are worth one, and so
 * many make who writes wait for it. */
#define PAGES_WORTH	4u
#define PAGES_MOST	16u

/* ---- errors ---- */

enum status
lmdb_status(struct engine *e, const char *what, int rc)
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

	return st != ST_OK ? st : lmdb_status(e, what, rc);
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

static void
drop_readers(struct lmdb *l)
{
	while (l->n_pool > 0)
		mdb_txn_abort(l->pool[--l->n_pool]);
	if (l->pin != NULL)
		mdb_txn_abort(l->pin);
	l->pin = NULL;
}

/* ---- checkpoints ---- */

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
		rc = fd_sync_folder(l->e.dir) ? 0 : errno;
	buf_fini(&tmp);
	buf_fini(&path);
	return rc;
}

/* Begins to read what was committed last, and makes the file of it. */
static int
take_snapshot(struct lmdb *l, MDB_txn **t, struct buf *out)
{
	struct lmdb_checkpoint cp = { .boot_id = span(l->boot_id, LMDB_BOOT_ID_LEN) };
	char *page = mem_alloc(l->page);
	mdb_filehandle_t fd;
	int rc;

	pthread_mutex_lock(&l->commit_lock);
	rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, t);
	if (rc == 0)
		rc = mdb_env_get_fd(l->env, &fd);
	if (rc == 0) {
		cp.transaction = mdb_txn_id(*t);
		/* Commits write the two meta pages in turn. */
		if (pread(fd, page, l->page, (off_t)((cp.transaction & 1) * l->page)) !=
		    (ssize_t)l->page)
			rc = EIO;
	}
	pthread_mutex_unlock(&l->commit_lock);
	cp.meta = span(page, l->page);
	if (rc == 0)
		lmdb_checkpoint_put(out, &cp);
	mem_free(&page);
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
	if (rc == 0)
		rc = checkpoint_write(l, buf_span(&bytes));
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
	return lmdb_status(e, "checkpoint", rc);
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
	if (given != NULL && len >= LMDB_BOOT_ID_LEN)
		memcpy(l->boot_id, given, LMDB_BOOT_ID_LEN);
	mem_free(&read);
}

/* Both meta pages become the checkpoint's: the file is what was synced then. */
static int
go_back(const char *data, const struct lmdb_checkpoint *cp)
{
	const size_t n = cp->meta.len;
	char *page = mem_alloc(n);
	int fd = open(data, O_RDWR | O_CLOEXEC), rc = fd < 0 ? errno : 0;

	memcpy(page, cp->meta.p, n);
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		const size_t number = i;	/* the page's own begins it */

		memcpy(page, &number, sizeof(number));
		if (pwrite(fd, page, n, (off_t)(i * n)) != (ssize_t)n)
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
	struct lmdb_checkpoint cp;
	char *bytes = NULL;
	size_t len;
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
		if (!fd_slurp_path(path.data, LMDB_CHECKPOINT_MAX, &bytes, &len) ||
		    !lmdb_checkpoint_parse(span(bytes, len), &cp)) {
			st = engine_fail(&l->e, "open", "no whole checkpoint file");
		} else if (l->boot_id[0] == '\0' ||
		    memcmp(cp.boot_id.p, l->boot_id, LMDB_BOOT_ID_LEN) != 0) {
			LOG(NULL, INFO, "engine.recover", KV_STR("dir", l->e.dir), KV_UINT(
			    "transaction", cp.transaction));
			(void)unlink(lock.data);
			st = open_status(&l->e, "recover", go_back(data.data, &cp));
		}
	}
	mem_free(&bytes);
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
	st = lmdb_status(&l->e, "grow", mdb_env_set_mapsize(l->env, (size_t)map));
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
		st = lmdb_status(e, "tables", open_tables(l));
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
		st = engine_checkpoint_tables(e);
	if (st == ST_OK)
		st = lmdb_status(e, "begin", mdb_txn_begin(l->env, NULL, 0, &txn));
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
	return lmdb_status(e, "commit", rc);
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
	return rc != 0 || fd_sync_folder(dest) ? rc : errno;
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
	.stats = lmdb_stats,
};
