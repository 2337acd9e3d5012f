/* imapd/sorter.h
 * Puts messages of a mailbox in the order of SORT's criteria (RFC 5256 §3, RFC 5957, RFC 6203 §6),
 * in slices between which the loop runs.  Memory: a message costs its keys, some 60
 * bytes and the texts that are compared; above SORT_BYTES_MAX of them it fails with ST_LIMIT. */
#ifndef IMAPD_SORTER_H
#define IMAPD_SORTER_H

#include "common/proto/imap_search.h"
#include "storage/client/searcher.h"
#include "storage/client/sort_texts.h"

struct sort_job {
	struct loop			*loop;
	struct store			*store;
	uint64_t			mailbox;
	const struct imap_sort_criterion *criteria;	/* copied */
	size_t				n_criteria;
	enum search_collation		collation;
};

struct sorter;
/* found: read now; its scores are used for RELEVANCY. */
struct sorter *sorter_start(const struct sort_job *job, const struct search_found *found,
    void (*done)(void *arg, enum status st), void *arg);
void sorter_free(struct sorter **s);
/* After done with ST_OK: the caller owns them.  scores: NULL when found had none. */
void sorter_take(struct sorter *s, uint32_t **uids, size_t *n, unsigned char **scores);

#endif
