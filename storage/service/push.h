/* storage/service/push.h
 * Push (RFC 8620 §7.2): whoever subscribed is told by outd that the states of an account's types
 * changed, and nobody else ever sees where to.
 *
 * A change is sent at once, further ones together after the configured interval; what could not be
 * sent is tried again, later each time, up to an hour, and never in the way of anything.  Where the
 * push service says that it knows the subscription no more (404, 410), or the code did not get
 * through PUSH_CODE_TRIES times, the subscription goes.  After a restart everybody is told the
 * states once, within a minute: nobody knows what was told last. */
#ifndef STORAGE_SERVICE_PUSH_H
#define STORAGE_SERVICE_PUSH_H

#include "storage/service/service_priv.h"

#define PUSH_CODE_TRIES	5u
#define PUSH_TTL_S	86400u		/* a push service keeps a message so long for its device */

/* A socket to outd; a new one after each of its starts; takes fd over. */
void service_outd(struct service *svc, int fd);

/* service.c's. */
void push_start(struct service *svc);
/* Those of the account end: its login is not what it was (RFC 8620 §7.2). */
void push_revoke(struct service *svc, uint64_t account);
void push_stop(struct service *svc);
/* "name=value\n", appended. */
void push_stats(const struct service *svc, struct buf *out);

/* reads.c's: STORE_PUSHES. */
enum read_step push_read(struct request *rq);

/* tick.c's: an operation on the account was applied. */
void push_note(struct service *svc, const struct op *op, const struct state_result *res);

#endif
