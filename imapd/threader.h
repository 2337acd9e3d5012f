/* imapd/threader.h
 * THREAD=ORDEREDSUBJECT and THREAD=REFERENCES (RFC 5256 §3), in slices between which the
 * loop runs.  Message-ids and base subjects are compared by their hashes. */
#ifndef IMAPD_THREADER_H
#define IMAPD_THREADER_H

#include "common/proto/imap_search.h"
#include "storage/client/searcher.h"

#define THREAD_MESSAGES_MAX	2000000u	/* ST_LIMIT above */

struct thread_job {
	struct loop		*loop;
	struct store		*store;
	uint64_t		mailbox;
	enum imap_thread_by	by;
	enum search_collation	collation;
};

struct threader;
struct threader *threader_start(const struct thread_job *job, const struct uidset *uids,
    void (*done)(void *arg, enum status st), void *arg);
void threader_free(struct threader **t);
/* Appends " (1 2)(3)", some at a time; number: what is told of a uid.  true: that was all. */
bool threader_put(struct threader *t, uint32_t (*number)(void *arg, uint32_t uid), void *arg,
    struct buf *out);

#endif
