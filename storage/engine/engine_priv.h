/* storage/engine/engine_priv.h
 * What the files of the engine share.  engine.c and cursor.c hold what all engines have in
 * common; an engine is a table of functions.  <db.h> and <lmdb.h> stay in theirs. */
#ifndef STORAGE_ENGINE_ENGINE_PRIV_H
#define STORAGE_ENGINE_ENGINE_PRIV_H

#include <pthread.h>

#include "storage/engine/engine.h"
#include "storage/engine/layer.h"

struct recent;

struct engine {
	const struct engine_ops	*ops;
	char			*dir;
	struct engine_opts	opts;
	bool			opened;		/* whole: close makes a checkpoint */
	int			failed;		/* atomic */
	struct recent		*recent;	/* what is not in the tables yet */
	unsigned		writers;	/* open transactions */
	struct engine_stats	stats;		/* members by atomic adds */

	pthread_mutex_t		copy_lock;	/* checkpoints wait for a hot copy */
	pthread_mutex_t		lock;		/* the two below */
	pthread_cond_t		wake;
	pthread_t		checkpointer;
	bool			dirty, stop, thread;
};

/* As callers see it; and, with t, the one in which what was committed is written to the tables. */
struct engine_txn {
	struct engine	*e;
	void		*t;		/* the engine's own */
	uint64_t	writes;		/* cursors see that they must fetch again */
};

#define ENGINE_LMDB_FILE	"data.mdb"	/* tells whose a folder is */
#define ENGINE_LMDB_CHECKPOINT "checkpoint"

#define BACK_ROWS	64u		/* fetched at a time backwards */

enum fetched { FETCHED_NONE, FETCHED_AHEAD, FETCHED_BACK };

struct back_row {
	size_t	key, key_len, value, value_len;		/* places in back */
};

struct out_row {
	struct span	key, value;
};

struct engine_cursor {
	struct engine		*e;
	struct engine_txn	*txn;
	unsigned		table;
	struct buf		prefix, at;	/* at: where the cursor stands */
	bool			after;		/* stands behind the row `at`, else before it */
	bool			end;		/* behind the last row; at means nothing */
	size_t			first;		/* the first fetch asks for so much */
	size_t			bulk, fetch;	/* set by the caller; the next fetch */
	uint64_t		writes;		/* of txn when fetched */
	enum fetched		fetched;
	/* ahead: memory of the engine's own making */
	char			*rows;
	size_t			room;
	size_t			used, taken;	/* of rows, for engines that count so */
	void			*bulk_at;	/* for those that point; NULL: no more */
	/* back: rows in falling order */
	struct buf		back;
	struct back_row		back_rows[BACK_ROWS];
	size_t			n_back;
	/* Rows of memory among them: mix holds those, out points into all three. */
	bool			mixed;		/* ahead; back is always taken from out */
	struct buf		mix;
	struct out_row		*out;
	size_t			n_out, out_room, out_at;
	struct span		cur;		/* the row stood on */
	bool			on;
};

/* Keys are within their limits when these are called, and the engine has not failed.  Reading is
 * outside of transactions and does not wait for the one that writes: its rows are in memory
 * until it is committed, so what of it is seen in the tables is shown to nobody. */
struct engine_ops {
	size_t		 size;		/* of its struct, which begins with struct engine */
	enum status	(*open)(struct engine *e);
	/* After the last checkpoint, also of what open() left half done. */
	enum status	(*close)(struct engine *e);
	enum status	(*begin)(struct engine *e, void **t);
	enum status	(*commit)(struct engine *e, void *t);
	enum status	(*abort)(struct engine *e, void *t);
	/* value is empty, with some room; NULL: only whether it is there. */
	enum status	(*get)(struct engine *e, unsigned table, struct span key,
			    struct buf *value);
	enum status	(*put)(struct engine_txn *txn, unsigned table, struct span key,
			    struct span value);
	enum status	(*del)(struct engine_txn *txn, unsigned table, struct span key);
	/* Rows from the first one at or behind `from` on into c->rows, about c->room bytes but
	 * at least one (cursor_room() makes more); take gives them out. */
	size_t		(*least_fetch)(struct engine *e, unsigned table);
	enum status	(*ahead)(struct engine_cursor *c, struct span from);
	bool		(*take)(struct engine_cursor *c, struct span *key, struct span *value);
	/* The rows before `before` (NULL: the last ones) by cursor_back_add(), at most `rows`
	 * of them and until `most` bytes are there. */
	enum status	(*back)(struct engine_cursor *c, const struct span *before, size_t rows,
			    size_t most);
	/* With copy_lock held. */
	enum status	(*checkpoint)(struct engine *e);
	/* Without. */
	enum status	(*hot_copy)(struct engine *e, const char *dest);
	/* What was written since the last checkpoint, as `checkpoint_bytes` counts. */
	uint64_t	(*pending)(struct engine *e);
	/* Fills pages of the rows from..to that are emptier than that many per cent, until so many
	 * pages are free.  NULL: there is nothing to do. */
	enum status	(*compact)(struct engine *e, unsigned table, struct span from,
			    struct span to, unsigned percent, uint32_t pages_most,
			    struct engine_compacted *did);
	/* With copy_lock held.  NULL: likewise. */
	enum status	(*shrink)(struct engine *e, unsigned table, uint64_t *pages);
	void		(*stats)(struct engine *e, struct engine_stats *st);
};
extern const struct engine_ops engine_bdb, engine_lmdb;

#define STAT_ADD(e, member, n) \
	((void)__atomic_fetch_add(&(e)->stats.member, (n), __ATOMIC_RELAXED))

/* Of what is in the tables; engine_checkpoint() writes to them first what is not. */
enum status engine_checkpoint_tables(struct engine *e);
/* Something was: a checkpoint is owed. */
void engine_written(struct engine *e);
/* Says it once; everything returns ST_CORRUPT from now on. */
enum status engine_fail(struct engine *e, const char *what, const char *error);
/* What an open may fail with though the tables are whole; ST_OK: something else. */
enum status engine_open_errno(struct engine *e, const char *what, int rc);

/* Its files go. */
void engine_empty_folder(const char *path);
/* Of the database's log, for those that have one. */
uint32_t engine_log_file(uint64_t checkpoint_bytes);

void cursor_room(struct engine_cursor *c, size_t n);
void cursor_back_add(struct engine_cursor *c, struct span key, struct span value);

#endif
