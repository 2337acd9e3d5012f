/* t/crash/disk.h
 * A disk that remembers, fails, and loses power, under everything below one folder.
 *
 * A program linked with this has the C library's calls that change files (open, write, fsync,
 * rename, ...) go through here, whoever makes them: the journal, Berkeley DB, LMDB, text
 * files.  The calls are done and recorded; from the record come pictures of what would be on
 * the disk had the process been killed, or the power been lost, at any moment of it.
 * Changes through a shared mapping are not seen.  Any thread. */
#ifndef T_CRASH_DISK_H
#define T_CRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>

/* Starts a new record.  The folder exists and is empty; the path is absolute. */
void disk_record(const char *dir);
/* No more is recorded and nothing fails; the record stays. */
void disk_stop(void);
void disk_forget(void);
/* Puts a mark into the record. */
void disk_mark(unsigned n);

/* Changes recorded so far: writes, syncs, sizes, names. */
unsigned disk_changes(void);
/* From change n on (1 is the first of the record; 0: never) `times` changes fail with errno e, a
 * write after half of its bytes when half is true.  e 0: writes are short, and succeed. */
void disk_fail(unsigned n, unsigned times, int e, bool half);
/* The process ends with this exit code in change n, in the middle of it. */
void disk_kill(unsigned n, int code);

/* A walk through the record. */
struct disk_walk;
struct disk_walk *disk_walk_new(void);
void disk_walk_free(struct disk_walk **w);
/* Takes in the next change; false: there is none.  *mark: the last mark before it, or as it was. */
bool disk_walk_next(struct disk_walk *w, unsigned *mark);
/* The change taken in last was a sync. */
bool disk_walk_synced(const struct disk_walk *w);
/* Pieces of at most a sector that are written and not synced, and the blocks of 4 KiB of files
 * that they lie in. */
unsigned disk_walk_pending(const struct disk_walk *w);
unsigned disk_walk_blocks(const struct disk_walk *w);
/* Makes the folder `to` (which is not there) hold what a kill leaves now. */
void disk_walk_after_kill(const struct disk_walk *w, const char *to);
/* What a power loss leaves now: all that was synced, and of the pending pieces those that keep
 * says yes to; i of n in the order written.  names: files made, renamed and removed since their
 * folder or they themselves were synced are so. */
typedef bool (*disk_keep_fn)(unsigned i, unsigned n, unsigned block, void *arg);
void disk_walk_after_power_loss(const struct disk_walk *w, disk_keep_fn keep, void *arg,
    bool names, const char *to);

#endif
