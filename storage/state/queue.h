/* storage/state/queue.h
 * The outgoing queue of a shard, as whoever sends it reads it; see storage/api/store_queue.h.  It
 * is changed by operations: entries come with OP_DELIVER, and OP_QUEUE says what becomes of them:
 *
 *	struct op op = { .kind = OP_QUEUE, .head.account = at.account };
 *	op.u.queue = (struct op_queue){ QUEUE_TAKE, at.id };	... tick_own(svc, &op, taken)
 *	res->status ST_OK: res->uid is the number of the attempt; LATER, DONE and RETURN name it.
 *
 * Rows are in the order of the time that they are due; those that are taken stand behind all
 * others (due QUEUE_DUE_TAKEN): after a start they are the ones of which nobody knows what became.
 * Entries of an account that is deleted stand there too, until it is purged, and go the same way: they
 * were accepted before.  RETURN is ST_UNAVAILABLE while a large copy or append is under way there. */
#ifndef STORAGE_STATE_QUEUE_H
#define STORAGE_STATE_QUEUE_H

#include "storage/api/store_queue.h"
#include "storage/state/state.h"

#define QUEUE_DUE_TAKEN	INT64_MAX

/* A place in the order; all 0 before the first. */
struct state_queue_at {
	int64_t		due_ms;
	uint64_t	account, id;
};
/* The first one behind *at, which it is then.  ST_NOT_FOUND: no more. */
enum status state_queue_next(struct state *s, struct state_queue_at *at);
/* An entry; its spans lie in row. */
enum status state_queue_entry(struct state *s, uint64_t account, uint64_t id, struct buf *row,
    struct store_queue_entry *e);
/* Where its body lies: locs is an array of struct journal_loc, replaced; body->uid is 1. */
enum status state_queue_body(struct state *s, uint64_t account, uint64_t id,
    struct state_body *body, struct buf *locs);
/* put_store_queue_entry() of the entries behind (account, id), by these, at most `budget` bytes but
 * one; both are the last one told.  One account alone: only.  ST_NOT_FOUND: there are none. */
enum status state_queue_list(struct state *s, uint64_t *account, uint64_t *id, bool only,
    size_t budget, struct buf *out);

#endif
