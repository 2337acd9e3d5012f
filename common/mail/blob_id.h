/* common/mail/blob_id.h
 * Ids of blobs as JMAP clients see them (RFC 8620 §6): what is named lies in the id, so that
 * nothing is kept for them and the same id is the same bytes for ever.
 *
 * 'B' and the number of an Email: its message as it was received.  'U' and the number of an
 * upload.  Behind either, a place for each step into it: "-" where it starts, "-" how long it is,
 * both in hex, and a letter for the transfer encoding that is undone there: "I" none, "Q", "B".
 * A part of a message in a message in base64 has two places. */
#ifndef COMMON_MAIL_BLOB_ID_H
#define COMMON_MAIL_BLOB_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/mime/coding.h"
#include "common/util/buf.h"
#include "common/util/span.h"

#define BLOB_EMAIL	'B'
#define BLOB_UPLOAD	'U'
#define BLOB_PLACES_MAX	5u	/* all fit in the 255 bytes of an Id */

struct blob_place {
	uint64_t		start, len;
	enum mime_coding	coding;		/* 7BIT (none), QP or BASE64 */
};
struct blob_id {
	char			kind;		/* BLOB_... */
	uint64_t		number;
	uint8_t			n_places;
	struct blob_place	place[BLOB_PLACES_MAX];
};

void blob_id_put(struct buf *out, const struct blob_id *id);
/* false: no id of a blob, so there is none. */
bool blob_id_parse(struct span text, struct blob_id *id);
/* A part of what id names; two places that lie in one another without a coding become one.
 * false: too deep. */
bool blob_id_enter(struct blob_id *id, uint64_t start, uint64_t len, enum mime_coding coding);

#endif
