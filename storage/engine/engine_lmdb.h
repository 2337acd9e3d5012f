/* storage/engine/engine_lmdb.h
 * What the files of the LMDB engine share. */
#ifndef STORAGE_ENGINE_ENGINE_LMDB_H
#define STORAGE_ENGINE_ENGINE_LMDB_H

#include <lmdb.h>

#include "storage/engine/engine_priv.h"
#include "storage/engine/lmdb_checkpoint.h"

#define POOL		32u			/* reading transactions kept */

struct lmdb {
	struct engine		e;
	MDB_env			*env;
	MDB_dbi			tables[ENGINE_TABLES_MAX];
	size_t			n_tables;
	size_t			key_max;	/* keys this long are kept in a list */
	size_t			page;
	char			boot_id[LMDB_BOOT_ID_LEN];	/* zeros: not known */
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

static inline struct lmdb *
lmdb_of(struct engine *e)
{
	return (struct lmdb *)e;
}

/* LMDB's answer as ours.  What leaves the tables in doubt fails the engine. */
enum status lmdb_status(struct engine *e, const char *what, int rc);

/* lmdb_rows.c: see engine_ops. */
enum status lmdb_get(struct engine *e, unsigned table, struct span key, struct buf *value);
enum status lmdb_put(struct engine_txn *txn, unsigned table, struct span key, struct span value);
enum status lmdb_del(struct engine_txn *txn, unsigned table, struct span key);
size_t lmdb_least_fetch(struct engine *e, unsigned table);
enum status lmdb_ahead(struct engine_cursor *c, struct span from);
bool lmdb_take(struct engine_cursor *c, struct span *key, struct span *value);
enum status lmdb_back(struct engine_cursor *c, const struct span *before, size_t rows, size_t most);

#endif
