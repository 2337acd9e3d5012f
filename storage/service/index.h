/* storage/service/index.h
 * Mail read anew: stored hands bodies to indexd and takes what it makes of them
 * (storage/api/index_proto.h).
 *
 * Jobs wait in a queue of at most INDEX_QUEUE_MAX, accounts in turn; those marked urgent
 * (somebody waits) before the others.  One is in flight; its body is read in pieces, by reader
 * threads when it is not in memory, so that no tick waits.  When indexd ends, the monitor starts
 * another and the job in flight is done again; so it is when a piece takes longer than it may,
 * and indexd is replaced.  A job that this happened to twice is given up (ST_LIMIT), and a line
 * "index.given_up" names its message.  Jobs do not outlive the process: who needs them asks
 * again. */
#ifndef STORAGE_SERVICE_INDEX_H
#define STORAGE_SERVICE_INDEX_H

#include "storage/api/index_proto.h"
#include "storage/service/service.h"

#define INDEX_QUEUE_MAX 1024u

struct index_job;

/* Which body: of a message in a mailbox, or the places of its pieces when locs is not NULL (copied).
 * account counts for the turn and the log in any case. */
struct index_what {
	uint64_t			account, mailbox;
	uint32_t			uid;
	const struct journal_loc	*locs;
	size_t				n_locs;
	bool				urgent;
};

/* A result; the pointers are good until the callback returns.  It may start other jobs.
 * ST_OK; ST_CORRUPT: the stored body is damaged, or cannot be read; ST_NOT_FOUND: no such
 * message (any more); ST_LIMIT: given up; ST_UNAVAILABLE: the service closes, or no indexd has
 * come for long. */
struct index_hash_result {
	enum status		st;
	uint64_t		size;		/* raw octets */
	unsigned char		sha256[32];
};
typedef void (*index_hash_fn)(void *arg, const struct index_hash_result *r);

struct index_digest_result {
	enum status		st;
	struct index_digest_is	is;
	struct span		text;		/* canonical */
	struct span		extracted;	/* of attachments, see doc/search.md */
};
typedef void (*index_digest_fn)(void *arg, const struct index_digest_result *r);

/* Queue a job; NULL: the queue is full: ask again when one of yours is done, or later.  done
 * runs once, never from inside the call. */
struct index_job *index_hash(struct service *svc, const struct index_what *what,
    index_hash_fn done, void *arg);
/* text_max: bytes of canonical text, 0: none. */
struct index_job *index_digest(struct service *svc, const struct index_what *what,
    uint32_t text_max, bool extract, index_digest_fn done, void *arg);
/* done will not run. */
void index_cancel(struct index_job **job);

/* Jobs that the queue still takes. */
size_t index_room(const struct service *svc);

/* A socket to indexd, a new one after each of its starts; takes fd over.  replace asks for
 * another indexd in the place of one that does not answer. */
void service_indexd(struct service *svc, int fd, void (*replace)(void *arg), void *arg);

/* service.c's: no job is started any more, all get ST_UNAVAILABLE; then, when no reader thread
 * runs any more, all is freed. */
void index_start(struct service *svc);
void index_stop(struct service *svc);
void index_free(struct service *svc);
/* "name=value\n", appended. */
void index_stats(const struct service *svc, struct buf *out);

#endif
