/* jmapd/query/results.h
 * The results that a mirror's last queries had, the least recently used of them forgotten.  One
 * that only stands on the mirror is brought up to date by what changed since; others hold as
 * long as nothing changed that they depend on. */
#ifndef JMAPD_QUERY_RESULTS_H
#define JMAPD_QUERY_RESULTS_H

#include "jmapd/query/run.h"

#define RESULTS_MAX 16u		/* of a mirror */

/* The mirror is fresh.  true: *ids, borrowed until the mirror changes. */
bool results_find(struct mirror *m, struct query *q, const uint64_t **ids, size_t *n);
/* version: of the mirror when the query began (results_version()); what is not the present's is
 * not kept.  ids are copied. */
void results_keep(struct mirror *m, const struct query *q, uint64_t version, const uint64_t *ids,
    size_t n);
uint64_t results_version(const struct mirror *m);

#endif
