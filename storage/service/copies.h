/* storage/service/copies.h
 * Hot copies of the applied state.  SHARD/copies/N/ holds one that was opened, read row by row
 * and found whole, with a manifest (copy_manifest.h) of its journal position and its files' hashes.  With the
 * journal behind that position it becomes the present state: see rebuild.h.
 *
 * stored makes them by itself, in a thread of low priority: once in `copy-time`, in the hour
 * `copy-hour`, or after `copy-journal` bytes of journal.  The last `copies` are kept, older ones
 * go unless they are pinned.  What they need of the journal is kept with them: the segments
 * from their position on, and each segment that holds a body that they refer to; see
 * reclaim.h.
 *
 * All calls from the loop.  Numbers rise and are never given twice. */
#ifndef STORAGE_SERVICE_COPIES_H
#define STORAGE_SERVICE_COPIES_H

#include "storage/service/service.h"

struct copy_info {
	uint32_t		number;
	int64_t			made_ms;	/* wall clock */
	struct journal_pos	pos;		/* exactly what it holds */
	uint64_t		incarnation;	/* another one: LSNs may have been given twice */
	uint64_t		bytes;		/* of its files */
	unsigned		pins;
};

/* Makes one that holds at least all that is applied now.  While one is being made, another is
 * begun behind it.  done (may be NULL) runs once, later: ST_OK with the number; ST_NO_SPACE;
 * ST_CORRUPT: the copy, or the state itself, is damaged (a line was logged); ST_UNAVAILABLE:
 * the service closes.  It may pin the copy: nothing was dropped meanwhile. */
typedef void (*copies_done_fn)(void *arg, enum status st, uint32_t number);
void copies_make(struct service *svc, copies_done_fn done, void *arg);

/* The verified ones, the oldest first; the array is the caller's. */
void copies_list(struct service *svc, struct copy_info **list, size_t *n);
/* Its folder, to be read; the caller frees.  NULL: there is none. */
char *copies_path(struct service *svc, uint32_t number);

/* A pinned copy and the segments that it needs are kept until it is unpinned as often, or
 * the process ends.  ST_NOT_FOUND. */
enum status copies_pin(struct service *svc, uint32_t number);
void copies_unpin(struct service *svc, uint32_t number);

/* The segments, in rising order, that hold what the copy needs: to be the present state again,
 * with all its bodies.  The array is the caller's.  ST_NOT_FOUND. */
enum status copies_segments(struct service *svc, uint32_t number, uint32_t **list, size_t *n);

#endif
