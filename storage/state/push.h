/* storage/state/push.h
 * The subscriptions of push that a shard keeps. */
#ifndef STORAGE_STATE_PUSH_H
#define STORAGE_STATE_PUSH_H

#include "storage/api/store_push.h"
#include "storage/state/state.h"

/* put_store_push() of all of an account's, appended; also those that have expired.  Secret. */
enum status state_pushes(struct state *s, uint64_t account, struct buf *out);
/* The first account above *account that has any; ST_NOT_FOUND: no more. */
enum status state_push_next(struct state *s, uint64_t *account);

#endif
