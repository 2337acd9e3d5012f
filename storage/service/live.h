/* storage/service/live.h
 * How many bytes of each segment bodies refer to, those kept for undelete among them. */
#ifndef STORAGE_SERVICE_LIVE_H
#define STORAGE_SERVICE_LIVE_H

#include <stddef.h>
#include <stdint.h>

struct live_segment {
	uint32_t	segment;
	uint64_t	bytes, pieces;
};

struct live {				/* zeroed before the first use */
	struct live_segment	*v;
	size_t			n, room, last;
};

void live_fini(struct live *l);
/* Counts a piece. */
void live_add(struct live *l, uint32_t segment, uint64_t bytes);
/* By number, before it is asked. */
void live_sort(struct live *l);
/* NULL: nothing there. */
const struct live_segment *live_get(const struct live *l, uint32_t segment);
uint64_t live_bytes(const struct live *l);

#endif
