/* jmapd/query/diff.h
 * What became of a query's results (RFC 8620 §5.6): every email whose place may have changed is
 * removed, and added again where it is now. */
#ifndef JMAPD_QUERY_DIFF_H
#define JMAPD_QUERY_DIFF_H

#include "common/util/table.h"
#include "jmapd/mirror/mirror.h"

struct diff_added {
	uint64_t	id;
	size_t		index;
};
struct diff {
	uint64_t		*removed;
	size_t			n_removed, room;
	struct table		again;		/* those that are added if they are in the results */
	struct diff_added	*added;		/* by index */
	size_t			n_added;
};
/* In mirror_history()'s callback.  depends: query_depends(). */
void diff_begin(struct diff *d, const struct mirror *m, const struct mirror_history *h,
    unsigned depends);
/* ids: the results now, at an index of at most `last`. */
void diff_end(struct diff *d, const uint64_t *ids, size_t n, size_t last);
void diff_fini(struct diff *d);

#endif
