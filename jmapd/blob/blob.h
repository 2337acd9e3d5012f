/* jmapd/blob/blob.h
 * The methods of blobs (RFC 9404; Blob/copy RFC 8620 §6.3), and which blobs there are. */
#ifndef JMAPD_BLOB_BLOB_H
#define JMAPD_BLOB_BLOB_H

#include "common/mail/blob_id.h"
#include "common/util/table.h"
#include "jmapd/core/method.h"
#include "jmapd/mirror/mirror.h"

void blob_get(struct jmap_call *c);
void blob_upload(struct jmap_call *c);
void blob_lookup(struct jmap_call *c);
void blob_copy(struct jmap_call *c);

/* Which of some blobs are there: those of messages the mirror knows, uploads the store. */
struct blobs_known {
	struct jmap_call	*call;
	void			(*ready)(struct jmap_call *c);
	struct mirror_call	*fresh;
	struct store_call	*asking;
	unsigned		waiting;
	struct table		uploads;
};
/* Zeroed before.  ready() runs later, with a fresh mirror; when something fails the call is ended
 * instead. */
void blobs_known_load(struct blobs_known *k, struct jmap_call *c, const struct span *ids,
    size_t count, void (*ready)(struct jmap_call *c));
bool blobs_known_has(const struct blobs_known *k, struct span text, struct blob_id *id);
void blobs_known_fini(struct blobs_known *k);

#endif
