/* storage/state/housekeeping.h
 * What the service's chores ask of the applied state: committed rows, in small slices, so that
 * nobody waits. */
#ifndef STORAGE_STATE_HOUSEKEEPING_H
#define STORAGE_STATE_HOUSEKEEPING_H

#include "storage/state/state.h"

struct state_mailbox_brief {
	uint64_t	id;
	uint8_t		role;		/* enum mailbox_role */
	uint32_t	messages;
};
/* The first mailbox of the account, by id, above `after`, after looking at no more than `max`
 * (deleted ones are passed over): ST_NOT_FOUND: no more; ST_LIMIT: go on from m->id. */
enum status state_mailbox_next(struct state *s, uint64_t account, uint64_t after, unsigned max,
    struct state_mailbox_brief *m);

/* Of the lowest uids of a mailbox, at most max, those that came into it before before_s; stops
 * soon behind the first one that is younger: uids rise with time. */
enum status state_saved_before(struct state *s, uint64_t account, uint64_t mailbox,
    int64_t before_s, unsigned max, struct uidset *out);

/* The time of the operation with this modseq, or of the first one above it that is remembered.
 * ST_NOT_FOUND. */
enum status state_history_at(struct state *s, uint64_t account, uint64_t modseq,
    int64_t *time_ms);

/* Counts an account's messages anew, mailbox by mailbox, and compares with what the records
 * say.  Zeroed but for `account`; call again while it says `more`.  A mailbox that changes all
 * the time is left for another day. */
struct state_recount {
	uint64_t	account;
	bool		more;
	struct buf	report;		/* a line for each difference */
	uint32_t	wrong, mailboxes, left_out;
	uint64_t	rows;
	/* its own */
	uint64_t	mailbox, modseq;
	bool		open;
	unsigned	tries;
	uint32_t	uid, messages, unseen, deleted;
	uint64_t	bytes, deleted_bytes;
};
void state_recount_fini(struct state_recount *r);
/* Looks at about `rows` rows.  ST_NOT_FOUND: no such account (any more). */
enum status state_recount(struct state *s, struct state_recount *r, unsigned rows);

#endif
