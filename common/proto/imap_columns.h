/* common/proto/imap_columns.h
 * The columns of a message (common/mime/columns.h) as an append hands them to the store,
 * with what IMAP shows in them as it goes on the wire. */
#ifndef COMMON_PROTO_IMAP_COLUMNS_H
#define COMMON_PROTO_IMAP_COLUMNS_H

#include "common/mime/columns.h"
#include "common/mime/digest.h"

/* Appends the blob; nothing when the digest's own blobs cannot be read. */
void imap_columns_make(const struct mime_digest_result *d, struct buf *out);

#endif
