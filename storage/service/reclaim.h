/* storage/service/reclaim.h
 * Segments of the journal that hold little mail any more go.
 *
 * A round walks all extents in the background and counts what each segment holds.  A segment
 * without any living body is released when
 *
 *	- its operations are older than the undelete time,
 *	- as many verified copies as are kept hold all of it, and none refers to a body in it,
 *	- no copy that is pinned needs it,
 *	- no read of it is under way, and no staged piece lies in it.
 *
 * Where less lives than `reclaim-share`, what lives is written again at the journal's end (OP_RELOCATE,
 * `reclaim-rate` bytes a second), and the segment goes when the copies made since can do without
 * it.  A round follows each copy.
 *
 * Below the line at which no new mail is taken, time counts no more: databases that were set
 * aside go, then the oldest of what is only kept for undelete, then the deadest segments, as
 * soon as one new copy can do without them; older copies make room for it. */
#ifndef STORAGE_SERVICE_RECLAIM_H
#define STORAGE_SERVICE_RECLAIM_H

#include "storage/service/service.h"

struct reclaim_counts {
	uint64_t	rounds, moved_pieces, moved_bytes, released, damaged;
	uint64_t	live_bytes;	/* at the last walk */
	bool		busy;
};
void reclaim_counts(struct service *svc, struct reclaim_counts *c);

#endif
