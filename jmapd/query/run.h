/* jmapd/query/run.h
 * Finds the emails of a mirror that a filter matches, in order: at once when the mirror holds all
 * that is asked for, else over several rounds of the loop, in which the store is asked. */
#ifndef JMAPD_QUERY_RUN_H
#define JMAPD_QUERY_RUN_H

#include "jmapd/query/filter.h"
#include "jmapd/query/sort.h"

struct loop;
struct store;

/* What is asked; the key tells questions apart. */
struct query {
	struct filter	filter;
	struct sort	sort;
	bool		collapse;
	struct buf	key;
};
/* Puts the key together. */
void query_end(struct query *q);
void query_fini(struct query *q);
/* FILTER_ON_...: what may change without an email coming or going; FILTER_ON_THREADS with collapse. */
unsigned query_depends(const struct query *q);

struct query_run;
struct query_job {
	struct loop	*loop;
	struct store	*store;		/* NULL: only where nothing is read */
	struct mirror	*mirror;	/* fresh */
	struct query	*query;		/* stays the caller's */
};
/* ids: the whole result, borrowed until done returns. */
typedef void (*query_done_fn)(void *arg, enum status st, const uint64_t *ids, size_t n);
/* done runs once, perhaps before this returns: then NULL is returned. */
struct query_run *query_run_start(const struct query_job *job, query_done_fn done, void *arg);
void query_run_free(struct query_run **r);

#endif
