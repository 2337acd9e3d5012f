/* storage/client/searcher.h
 * Finds the messages of one mailbox that a search program matches, with as little of them
 * as will do: the view, then rows, then columns, then LIST blobs, then the bytes.  The work
 * is cut into slices of some milliseconds between which the loop runs, and memory
 * is bounded whatever the messages are. */
#ifndef STORAGE_CLIENT_SEARCHER_H
#define STORAGE_CLIENT_SEARCHER_H

#include "common/mail/search.h"
#include "common/net/loop.h"
#include "storage/client/store.h"

#define SEARCH_SLICE_US 5000u	/* of work between two rounds of the loop */

struct searcher;

struct search_job {
	struct loop		*loop;
	struct store		*store;
	uint64_t		mailbox;
	struct search_program	*program;	/* its uid sets are filled; stays the caller's */
	struct span		keywords;	/* put_store_keyword()...: those known by now */
	const struct uidset	*recent;	/* NULL: none */
	bool			modseqs, scores;	/* wanted */
};

/* What was found, in uid order. */
struct search_found {
	struct uidset	uids;
	uint64_t	modseq, first_modseq, last_modseq;	/* of all, of both ends */
	/* When wanted: 1..100 for each of uids. */
	unsigned char	*scores;
};

/* uids: the messages to judge; taken over.  done runs once, later, unless the searcher is freed
 * before; it may free it. */
struct searcher *searcher_start(const struct search_job *job, struct uidset *uids,
    void (*done)(void *arg, enum status st), void *arg);
/* Takes away what sets of uids rule out by themselves. */
void searcher_narrow(const struct search_program *p, struct uidset *uids);
/* How many messages are settled, of how many. */
void searcher_progress(const struct searcher *s, uint64_t *done, uint64_t *goal);
void searcher_free(struct searcher **s);
/* After done with ST_OK; takes it out. */
void searcher_take(struct searcher *s, struct search_found *f);
void search_found_fini(struct search_found *f);

#endif
