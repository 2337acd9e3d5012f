/* jmapd/mirror/mirror.h
 * An account's messages in the worker's memory: what lists, counts and threads are made of, some
 * 70 bytes a message, loaded once from the store and renewed by what changed since.
 *
 * Only what JMAP sees is here (RFC 8621 §4.1.1): memberships without \Deleted, messages that have
 * one.  Everything else of a message is asked for by (mailbox, uid) with the requests that the
 * store has anyway.
 *
 * Reading is synchronous and valid in mirror_fresh()'s callback until the loop runs on; whoever
 * waits in between keeps ids, and calls mirror_fresh() again.  A state is taken before what it is
 * the state of: what is newer than the state only comes twice.
 *
 * All mirrors of a worker share a pool with a limit of bytes: those that nobody uses are emptied,
 * the least recently used first, and loaded again when they are asked for. */
#ifndef JMAPD_MIRROR_MIRROR_H
#define JMAPD_MIRROR_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/mail/flags.h"
#include "common/mail/type_state.h"
#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

struct mirror_pool;
struct mirror;
struct mirror_call;			/* something under way */
struct loop;
struct store;

/* limit_bytes: of all mirrors with their results. */
struct mirror_pool *mirror_pool_new(struct loop *l, size_t limit_bytes);
void mirror_pool_free(struct mirror_pool **p);
void mirror_pool_set_limit(struct mirror_pool *p, size_t limit_bytes);
size_t mirror_pool_used(const struct mirror_pool *p);

/* One for an account and worker (jmap_call_mirror() makes it); nothing is asked of the store before
 * mirror_fresh().  s is borrowed and outlives the mirror. */
struct mirror *mirror_new(struct mirror_pool *p, struct store *s);
/* Calls under way end without their callbacks; mirror_cancel() of them is still right. */
void mirror_free(struct mirror **m);

/* done runs later, once: ST_OK: the mirror shows at least what was so when mirror_fresh() was
 * called.  ST_LIMIT: the account does not fit under the pool's limit.  Callers at the same time
 * share one question to the store. */
typedef void (*mirror_done_fn)(void *arg, enum status st);
struct mirror_call *mirror_fresh(struct mirror *m, mirror_done_fn done, void *arg);
/* For all calls of this header: done will not run. */
void mirror_cancel(struct mirror_call **c);

/* ---- reading: only between mirror_fresh() and the loop ---- */

/* Any modseq of the account up to the present is a valid state; the one that is told is that of the
 * type's last change.  `after` is not 0 only in states between. */
enum mirror_type { MIRROR_EMAIL, MIRROR_THREAD, MIRROR_TYPES };
struct type_state mirror_state(const struct mirror *m, enum mirror_type t);

struct mirror_email {
	uint64_t	id, thread;	/* EMAILID, THREADID: common/mail/object_id.h */
	int64_t		received_s;	/* UTC */
	uint32_t	size;
	unsigned	memberships;	/* at least 1 */
	/* Email.keywords: \Seen when all memberships have it, the others when any has. */
	struct flags	flags;
};
/* false: there is no such email. */
bool mirror_get(const struct mirror *m, uint64_t id, struct mirror_email *e);
/* Its i-th place, i < memberships; the same mailbox may come twice. */
void mirror_place(const struct mirror *m, uint64_t id, unsigned i, uint64_t *mailbox, uint32_t *uid);

/* The email that is (mailbox, uid); false: none.  Looks at all of them: not for loops. */
bool mirror_find(const struct mirror *m, uint64_t mailbox, uint32_t uid, uint64_t *id);

/* JMAP keywords ("$seen", "$forwarded", in lower case).  The bits of a keyword, to be looked for
 * in mirror_email.flags; none set: no message of the account ever had it. */
struct flags mirror_keyword(const struct mirror *m, struct span name);
/* Start with *at = 0: calls for each keyword that is set; false at the end.  name is borrowed. */
bool mirror_keyword_next(const struct mirror *m, struct flags f, unsigned *at, struct span *name);

/* Ids of a thread's emails, sorted by receivedAt, then by id, oldest first, in a new *ids, which
 * is the caller's (mem_free).  Returns how many; 0: no such thread. */
size_t mirror_thread(const struct mirror *m, uint64_t thread, uint64_t **ids);

/* Counts of a mailbox (RFC 8621 §2), 0 of one that is not known.  trash: the mailbox of that role,
 * 0: none; the same in all calls, or all are counted anew. */
struct mirror_counts {
	uint32_t	total_emails, unread_emails, total_threads, unread_threads;
};
void mirror_counts(struct mirror *m, uint64_t mailbox, uint64_t trash, struct mirror_counts *c);

/* ---- what changed ----
 *
 * A `since` before the horizon, of another incarnation, or that never was gives ST_EXPIRED, which is
 * cannotCalculateChanges.  What done gets is borrowed until it returns, and NULL unless ST_OK. */

/* /changes (RFC 8620 §5.2): at most max ids (0: no limit), each once.  When there are more, state is
 * one in between from which the rest follows. */
struct mirror_changes {
	const uint64_t		*created, *updated, *destroyed;
	size_t			n_created, n_updated, n_destroyed;
	struct type_state	state;
	bool			more;
};
typedef void (*mirror_changes_fn)(void *arg, enum status st, const struct mirror_changes *c);
struct mirror_call *mirror_email_changes(struct mirror *m, struct type_state since, size_t max,
    mirror_changes_fn done, void *arg);
/* Threads: created and destroyed with their first and last email, updated when emailIds changed. */
struct mirror_call *mirror_thread_changes(struct mirror *m, struct type_state since, size_t max,
    mirror_changes_fn done, void *arg);

/* All messages that changed after a state, and a fresh mirror. */
enum { MIRROR_KEYWORDS = 1, MIRROR_MAILBOXES = 2, MIRROR_AGAIN = 4 };
struct mirror_touched {
	uint64_t	id, thread;
	uint8_t		what;		/* MIRROR_... of one that was there and is, perhaps more */
	bool		was, is;	/* visible at that state; now */
	bool		later, cut;	/* it changed behind the first point too, and was visible there */
};
struct mirror_history {
	struct mirror_touched	*v;	/* in the order of their first changes */
	size_t			n;
	/* Mailboxes that share a thread with these messages, where unreadThreads may have changed
	 * though no message of their own did; in no order, each once. */
	uint64_t		*mailboxes;
	size_t			n_mailboxes;
};
typedef void (*mirror_history_fn)(void *arg, enum status st, const struct mirror_history *h);
struct mirror_call *mirror_history(struct mirror *m, struct type_state since,
    mirror_history_fn done, void *arg);

#endif
