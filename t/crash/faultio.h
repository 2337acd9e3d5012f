/* t/crash/faultio.h
 * A file system in memory behind struct jio that stops, fails and loses power.  What
 * is written stays unsynced, in pieces of one sector, until its file is synced; names
 * until their folder is.  For one thread (journal_opts.inline_io). */
#ifndef T_CRASH_FAULTIO_H
#define T_CRASH_FAULTIO_H

#include "storage/journal/jio.h"

struct faultio;

struct faultio *faultio_new(void);
void faultio_free(struct faultio **f);
const struct jio *faultio_io(struct faultio *f);

/* Writes, syncs and changes of names so far. */
unsigned faultio_ops(const struct faultio *f);
/* Operation number n (from 1; 0: never) is the last: a write does half of its bytes, a
 * sync nothing; all behind it fail. */
void faultio_stop_at(struct faultio *f, unsigned n);
/* Operation n fails with e; a write does half of its bytes first when half is true.
 * n_ops in a row fail. */
void faultio_fail_at(struct faultio *f, unsigned n, unsigned n_ops, int e, bool half);
/* The process is gone, the machine is not: a copy that holds all that was written. */
struct faultio *faultio_after_kill(const struct faultio *f);

/* Power loss: a copy that holds what was synced and, of the unsynced sectors, those
 * that keep says yes to.  i of n in the order written; block counts the 4 KiB blocks
 * among them from 0.  names: unsynced names are kept too. */
typedef bool (*faultio_keep_fn)(unsigned i, unsigned n, unsigned block, void *arg);
struct faultio *faultio_after_power_loss(const struct faultio *f, faultio_keep_fn keep,
    void *arg, bool names);
unsigned faultio_pending(const struct faultio *f);
unsigned faultio_pending_blocks(const struct faultio *f);

/* The byte at off of a file, to damage it; NULL: not there. */
char *faultio_byte(struct faultio *f, const char *path, size_t off);

#endif
