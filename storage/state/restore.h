/* storage/state/restore.h
 * Going back: what an account, or one mailbox of it, was at a time, and which operations make
 * it so again.  The difference is taken between the change log from that time on and what is
 * there now, so it is small where little happened, and empty once it was applied: whoever is
 * stopped in the middle asks again and gets the rest.
 *
 *	folders		deleted ones are there again under their ids, renamed ones have
 *			their names back.  One made since that has such a name gets a number behind it,
 *			but when the one of then was deleted: then it takes the messages.
 *	messages	memberships that went come back with new uids; flags are as they were.  A
 *			membership made since, of a message that was there then, goes: moves and
 *			copies are taken back.
 *	what came since	stays; exact: goes, also folders.
 *	the rest	subscriptions and ACLs are as they were.
 *
 * Of one mailbox alone nothing is taken away but with exact, for what was moved out of it or
 * into it is not put elsewhere. */
#ifndef STORAGE_STATE_RESTORE_H
#define STORAGE_STATE_RESTORE_H

#include "storage/state/state.h"

struct state_restore {
	uint64_t	account;
	int64_t		at_ms;
	int64_t		floor_ms;	/* earlier than that nothing is promised */
	struct span	path;		/* empty: the whole account */
	bool		exact;
};

struct restore_plan {			/* zeroed before the first use */
	struct buf	parts;		/* in order: put_span() of an operation, op_encode() without
					 * time and limits, and put_span() of put_store_restore_line() */
	size_t		n;
	int64_t		earliest_ms;	/* with ST_EXPIRED: how far back it goes */
	uint64_t	lost;		/* messages that were there then and are gone for good */
};
void restore_plan_fini(struct restore_plan *p);

/* Reads committed rows, from any thread as all questions.  ST_NOT_FOUND: no such account, or
 * the mailbox was not there then; ST_EXPIRED; ST_LIMIT: too much happened since;
 * ST_UNAVAILABLE: something of the account is under way, ask again in a moment. */
enum status state_restore_plan(struct state *s, const struct state_restore *q,
    struct restore_plan *p);

#endif
