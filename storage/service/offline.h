/* storage/service/offline.h
 * A shard's folder that no stored serves: opened, brought up to the end of its journal,
 * looked at, proved.  For `stored --fsck`, for what verifies backups, and for tests.
 *
 * Nothing in the folder is changed unless it is opened in place: the applied state is copied
 * to a scratch folder first and replayed there, the journal is opened for reading. */
#ifndef STORAGE_SERVICE_OFFLINE_H
#define STORAGE_SERVICE_OFFLINE_H

#include "storage/journal/journal.h"
#include "storage/state/state.h"

struct offline;

struct offline_opts {
	const char	*dir;		/* holds journal/, db/ or both */
	/* Made when it is not there, emptied, and removed when that is done; NULL: in place, which
	 * takes the journal's lock and leaves the folder as stored would. */
	const char	*scratch;
	bool		copy;		/* db/ is a hot copy that was not opened yet */
	uint64_t	cache_bytes;	/* 0: the engine's default */
};

/* ST_CONFLICT: a stored serves it.  ST_CORRUPT, ST_NOT_FOUND (no shard there) and others: why has
 * a line.  An applied state that cannot be opened is made anew in the scratch folder when the
 * journal has it all; offline_rebuilt() tells. */
enum status offline_open(const struct offline_opts *opts, struct offline **o, char why[200]);
void offline_close(struct offline **o);
struct state *offline_state(struct offline *o);
struct journal *offline_journal(struct offline *o);	/* NULL: the folder has none */
bool offline_rebuilt(const struct offline *o);

struct offline_fsck {
	bool	roots;			/* no more than these */
	bool	bodies;			/* read all of them too: the CRCs of their records */
	bool	json;
};
/* Appends the findings, a root for each account and the shard's to out.  ST_OK although things are
 * wrong: *wrong says how many. */
enum status offline_fsck(struct offline *o, const struct offline_fsck *how, struct buf *out,
    uint64_t *wrong);

/* A line for the root of each account, and one for that of all. */
enum status offline_roots(struct state *s, struct buf *out);
/* The database is closed, the journal's lock kept. */
void offline_release(struct offline *o);
struct engine *offline_engine(struct offline *o);

/* stored --fsck DIR ...: returns the exit code: 0 whole, 1 something is wrong, 2 usage or the
 * folder cannot be opened. */
int offline_main(int argc, char **argv);

#endif
