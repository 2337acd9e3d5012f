/* common/mime/thread.h
 * What threads are made of: message-ids and base subjects. */
#ifndef COMMON_MIME_THREAD_H
#define COMMON_MIME_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/arena.h"
#include "common/util/buf.h"
#include "common/util/span.h"

#define MIME_IDS_MAX 100		/* of References: the first and the last 99 */
#define MIME_ID_LEN_MAX 998		/* longer ones are ignored */

/* The ids of a Message-ID, In-Reply-To or References field in their order, without < and >,
 * quotes and comments removed (RFC 5256 3).  v holds MIME_IDS_MAX.  Returns how many. */
size_t mime_message_ids(struct arena *a, struct span value, struct span *v);

/* RFC 5256 2.1: appends the base subject of the raw field value as UTF-8, not case-folded.
 * *reply: it was a reply or a forward; may be NULL. */
void mime_base_subject(struct span value, struct buf *out, bool *reply);

/* Hashes for the store's keys; the same for ever; never 0. */
uint64_t mime_id_hash(struct span id);
/* Of the base subject, case-mapped here; 0 when it is empty. */
uint64_t mime_subject_hash(struct span base_subject);

#endif
