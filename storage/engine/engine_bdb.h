/* storage/engine/engine_bdb.h
 * What the files of the Berkeley DB engine share. */
#ifndef STORAGE_ENGINE_ENGINE_BDB_H
#define STORAGE_ENGINE_ENGINE_BDB_H

#include <db.h>
#include <pthread.h>

#include "storage/engine/engine.h"

/* A reader that lost a deadlock tries again so often. */
#define READ_RETRIES 1000

struct engine {
	char			*dir;
	struct engine_opts	opts;
	DB_ENV			*env;
	DB			*tables[ENGINE_TABLES_MAX];
	size_t			n_tables;
	int			failed;		/* atomic */
	unsigned		writers;	/* open transactions */
	struct engine_stats	stats;		/* members by atomic adds */

	pthread_mutex_t		copy_lock;	/* checkpoints wait for a hot copy */
	pthread_mutex_t		lock;		/* the two below */
	pthread_cond_t		wake;
	pthread_t		checkpointer;
	bool			dirty, stop, thread;
};

struct engine_txn {
	struct engine	*e;
	DB_TXN		*t;
	uint64_t	writes;		/* cursors see that they must fetch again */
};

#define STAT_ADD(e, member, n) \
	((void)__atomic_fetch_add(&(e)->stats.member, (n), __ATOMIC_RELAXED))

/* Berkeley DB's answer as ours.  What leaves the tables in doubt fails the engine. */
enum status engine_status(struct engine *e, const char *what, int rc);
/* For a reader outside a transaction: rc is a lost deadlock and *tries are left;
 * has waited a little. */
bool engine_retry(struct engine *e, const struct engine_txn *txn, int rc, unsigned *tries);
DBT engine_dbt(struct span s);
DB *engine_table(const struct engine *e, unsigned table);

#endif
