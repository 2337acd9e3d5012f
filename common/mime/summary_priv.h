/* common/mime/summary_priv.h
 * The encoding of the blobs, shared by the digest, which writes, and the views. */
#ifndef COMMON_MIME_SUMMARY_PRIV_H
#define COMMON_MIME_SUMMARY_PRIV_H

#include "common/mime/summary.h"

enum { LIST_ATTACHMENT = 1, LIST_REPLY = 2, LIST_SENT = 4, LIST_PARTIAL = 8 };
enum { PART_ENVELOPE = 1, PART_IN_DIGEST = 2 };

/* A run of bytes or NIL (p NULL): varint length + 1, or 0. */
void put_opt(struct buf *b, struct span s);
struct span get_opt(struct reader *r);
/* Number of entries, then the encoded entries as a run. */
void put_seq(struct buf *b, uint32_t n, const struct buf *entries);
void put_addr(struct buf *b, const struct mime_addr *a);
bool get_addr(struct reader *r, struct mime_addr *a);

#endif
