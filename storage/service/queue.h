/* storage/service/queue.h
 * The outgoing queue (storage/state/queue.h) on its way out, by outd's role submit.
 *
 * An entry that is due is taken by an operation, and what it is known to have become afterwards is another
 * one.  In between nobody knows: a redirect goes out again then, everything else does not.  What could not
 * be sent waits retry_s, then twice as long, and so on; what is refused for good, or too old, is given up: a
 * redirected message goes into the account's INBOX. */
#ifndef STORAGE_SERVICE_QUEUE_H
#define STORAGE_SERVICE_QUEUE_H

#include "storage/service/service_priv.h"

#define QUEUE_AWAY_MS	60000u		/* outd is waited for so long before its entries are put off */

/* A socket to outd's role submit; a new one after each of its starts; takes fd over. */
void service_outd_submit(struct service *svc, int fd);

/* service.c's. */
void queue_start(struct service *svc);
/* No operations of it any more; queue_free() follows when nothing is under way. */
void queue_stop(struct service *svc);
void queue_free(struct service *svc);
/* "name=value\n", appended. */
void queue_stats(const struct service *svc, struct buf *out);

/* tick.c's: an operation was applied. */
void queue_note(struct service *svc, const struct op *op);

/* peer.c's, for the admin: */
void queue_list(struct peer *p, const struct ipc_head *h, const struct store_queue *msg);
void queue_set(struct peer *p, const struct ipc_head *h, const struct store_queue_set *msg);

#endif
