/* storage/engine/engine.h
 * Ordered tables of bytes with transactions: the applied state of a shard.  Its
 * contract: it opens at a committed position, or reports that it must be rebuilt
 * (ST_CORRUPT).  Commits do not wait for the disk and may be lost by a crash, the
 * newest first, never one out of the middle: the caller stores the journal position
 * in the same transaction and replays from there.
 *
 * One thread writes (one open transaction that writes at a time); any thread reads.
 * A reader outside a transaction sees committed rows only and holds no lock between
 * two calls.  A thread that has a transaction open reads through it: without, it may
 * wait for itself for ever.
 *
 * What was committed last is in memory and written to the tables by a thread, within about a
 * second (recent.h).  engine_checkpoint() and engine_hot_copy() wait for it.
 *
 * Two engines do so:
 *
 *	Berkeley DB	After any crash it opens with what its log on disk holds.  Pages have
 *			checksums: a damaged one fails the engine when it is read.  `cache` is
 *			its memory.
 *	LMDB		After a crash of the process it opens with what was written; after one of
 *			the machine with the last checkpoint, whose pages stay untouched until
 *			the next one is whole.  The page cache is its memory.  Pages have no
 *			checksums: damage within a value is found by the record's own CRC, as a
 *			damaged record and not as ST_CORRUPT of the engine; damage of a page's
 *			structure may go unseen until it misleads a search, or end the process.
 *			On disks that do not check what they keep Berkeley DB is the better one.
 *
 * Every failure that leaves the tables in doubt (a bad checksum, an I/O error) makes
 * this and all later calls return ST_CORRUPT: close, engine_set_aside(), rebuild
 * from a hot copy and the journal.  (Berkeley DB then leaks what the environment held,
 * once for each rebuild.)
 *
 * Keys have at least one byte.
 *
 * Status beside the usual: ST_NOT_FOUND no such key; ST_NO_SPACE disk full, the
 * transaction must be aborted; ST_LIMIT key or value too long. */
#ifndef STORAGE_ENGINE_ENGINE_H
#define STORAGE_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

#define ENGINE_BOOT_ID		"/proc/sys/kernel/random/boot_id"
#define ENGINE_TABLES_MAX	64
#define ENGINE_KEY_MAX		1024
#define ENGINE_VALUE_MAX	(16u << 20)

/* Which engine keeps the tables.  A folder is of the one that made it. */
enum engine_kind { ENGINE_BDB, ENGINE_LMDB };
/* "berkeley-db", "lmdb" */
const char *engine_kind_name(enum engine_kind kind);
bool engine_kind_parse(const char *name, enum engine_kind *kind);
/* LMDB may have been left out when this was built. */
bool engine_kind_built(enum engine_kind kind);
/* false: dir is empty, or is not there. */
bool engine_made_by(const char *dir, enum engine_kind *kind);

struct engine;
struct engine_txn;
struct engine_cursor;

/* Zeroed members mean the default. */
struct engine_opts {
	enum engine_kind	kind;
	/* What is in ENGINE_BOOT_ID, for a process that cannot read it any more; NULL: looks
	 * there.  Without one LMDB goes back to its last checkpoint whenever it is opened. */
	const char		*boot_id;
	/* Tables are numbered as named here.  Names are for ever (they are file names);
	 * the order and so the numbers are not. */
	const char *const	*tables;
	size_t			n_tables;
	/* Of the pages of each table, when it is made; NULL or 0: 4 KiB, which a disk writes whole
	 * or not at all.  A table that is there keeps what it has. */
	const uint32_t		*page_bytes;	/* (LMDB has pages of the machine's size) */
	uint64_t		cache_bytes;		/* default 64 MiB */
	uint32_t		checkpoint_bytes;	/* of log; default 32 MiB */
	uint32_t		checkpoint_s;		/* default 60 */
	bool			small;			/* tests: little memory, small logs */
	bool			manual;			/* no checkpoint thread */
	bool			copy;			/* dir is a hot copy opened the first time */
};

/* dir exists; it holds nothing else.  Runs recovery.  ST_CORRUPT: must be rebuilt;
 * ST_UNSUPPORTED: another engine made it, or this one is not built in (a line was logged). */
enum status engine_open(const char *dir, const struct engine_opts *opts, struct engine **e);
/* Open transactions and cursors end before.  Checkpoints unless the engine failed. */
enum status engine_close(struct engine **e);
/* It must be rebuilt. */
bool engine_failed(const struct engine *e);
/* Renames dir to dir.bad-N (dir is closed) and makes an empty one in its place; the
 * new name is the caller's when name is not NULL. */
enum status engine_set_aside(const char *dir, char **name);
/* The folders that were set aside go: on a full disk the database is worth more than they
 * are.  How many there were. */
unsigned engine_drop_aside(const char *dir);
/* What the database's log takes on disk at most. */
uint64_t engine_log_most(uint64_t checkpoint_bytes);

enum status engine_begin(struct engine *e, struct engine_txn **txn);
/* Both clear *txn, whatever they return.  Cursors of the transaction are closed before. */
enum status engine_commit(struct engine_txn **txn);
void engine_abort(struct engine_txn **txn);

/* txn NULL: outside a transaction.  The value replaces what value held; NULL: only
 * asks whether the key exists. */
enum status engine_get(struct engine *e, struct engine_txn *txn, unsigned table,
    struct span key, struct buf *value);
enum status engine_put(struct engine_txn *txn, unsigned table, struct span key,
    struct span value);
/* As engine_put(), but ST_EXISTS when the key is there. */
enum status engine_insert(struct engine_txn *txn, unsigned table, struct span key,
    struct span value);
enum status engine_del(struct engine_txn *txn, unsigned table, struct span key);

/* A cursor walks the rows whose keys begin with a prefix (empty: all), in byte order
 * of the keys.  It fetches rows in bulk and so, outside a transaction, may show a row
 * as it was up to one fetch ago.  Inside a transaction each step sees all of the
 * transaction's own changes.  No bound on how many are open. */
enum status engine_cursor_open(struct engine *e, struct engine_txn *txn, unsigned table,
    struct span prefix, struct engine_cursor **c);
/* Bytes fetched at a time; default grows from 4 KiB to 256 KiB. */
void engine_cursor_bulk(struct engine_cursor *c, size_t bytes);
/* The next engine_cursor_next() returns the first row at or behind key, _prev() the last
 * one before key. */
void engine_cursor_seek(struct engine_cursor *c, struct span key);
/* The next engine_cursor_prev() returns the last row. */
void engine_cursor_seek_end(struct engine_cursor *c);
/* A new cursor stands before the first row.  key and value (either may be NULL) are
 * borrowed until the next call on c.  ST_NOT_FOUND: no more. */
enum status engine_cursor_next(struct engine_cursor *c, struct span *key, struct span *value);
enum status engine_cursor_prev(struct engine_cursor *c, struct span *key, struct span *value);
void engine_cursor_close(struct engine_cursor **c);

/* Writes out what is committed.  Any thread. */
enum status engine_checkpoint(struct engine *e);
/* Copies the tables and the log into the folder dest (made, or emptied) while work goes
 * on, from any thread but one with an open transaction.  The copy is opened with
 * opts.copy and holds at least what was committed when the call began. */
enum status engine_hot_copy(struct engine *e, const char *dest);
/* Rows that came between others leave pages half empty, rows that went leave them emptier.  One
 * call looks at some 64 KiB of the rows whose keys begin with prefix, from *at (empty: the first) on, and
 * puts them together where their pages are less than three quarters full: half a millisecond, when
 * they need not be read first.  *at is then where the next call goes on; ST_NOT_FOUND: that was
 * all; ST_UNAVAILABLE: not now, for what was committed is just being written to the tables.  By the
 * thread that changes rows, outside of its transactions.  Of rows that were changed within the last
 * second it sees the pages as they were.  Pages that become free are used again.  LMDB has nothing to put together. */
struct engine_compacted {
	uint64_t	windows, closed;	/* looked at; that were put together */
	uint64_t	pages, freed;		/* examined; free now */
};
enum status engine_compact(struct engine *e, unsigned table, struct span prefix,
    struct buf *at, struct engine_compacted *did);
/* Gives the free pages of a table back to the file system, when an eighth of it or more seems to
 * be free: what lies behind them is moved to the front.  Takes as long as reading the table, and
 * is left out for one of more than 512 MiB.  Any thread but the one that writes, which goes on
 * meanwhile.  ST_UNAVAILABLE: not while a checkpoint or a copy is made. */
enum status engine_shrink(struct engine *e, unsigned table, uint64_t *pages);

struct engine_stats {
	uint64_t	commits, aborts, gets, puts, dels, fetches;
	uint64_t	checkpoints, reader_retries;
	uint64_t	cache_hits, cache_misses, cache_bytes;
	uint64_t	log_bytes;		/* written since open */
	uint64_t	emptied[ENGINE_TABLES_MAX];	/* pages, about, since engine_shrink() */
};
void engine_stats(struct engine *e, struct engine_stats *st);

#endif
