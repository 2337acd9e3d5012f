/* common/mime/columns.h
 * What SORT, THREAD and SEARCH by header field read of a message, as short columns that the
 * store keeps apart from everything else and hands out one kind at a time for a whole mailbox
 * (store_columns, storage/api): a scan reads its columns and no LIST blob.
 *
 * The store knows no column: it cuts a blob at the lengths in front.  A message whose
 * blob is missing or of another version has no row in the answer: ask for its LIST
 * blob, or its bytes.
 *
 * Blob: u8 version, u8 n; n times u16 length; the bytes of the columns. */
#ifndef COMMON_MIME_COLUMNS_H
#define COMMON_MIME_COLUMNS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mime/address.h"
#include "common/mime/summary.h"
#include "common/util/buf.h"
#include "common/util/bytes.h"
#include "common/util/span.h"

#define MIME_COLUMNS_VERSION 2

/* Numbers are in blobs: never changed.  An empty column: the message has no such thing. */
enum mime_column {
	MIME_COL_SENT,		/* i64 seconds UTC, i16 zone, of the Date field */
	MIME_COL_THREAD,	/* see mime_column_thread() */
	/* Texts (mime_column_text): what SORT compares, RFC 5256 3, case-mapped by
	 * i;unicode-casemap: base subject, mailbox of the first address, and RFC 5957's
	 * display names. */
	MIME_COL_SUBJECT_KEY,
	MIME_COL_FROM_KEY, MIME_COL_TO_KEY, MIME_COL_CC_KEY,
	MIME_COL_FROM_DISPLAY, MIME_COL_TO_DISPLAY,
	/* Texts: just what search_judge() searches for these fields. */
	MIME_COL_SUBJECT,
	MIME_COL_FROM, MIME_COL_TO, MIME_COL_CC, MIME_COL_BCC, MIME_COL_SENDER,
	MIME_COL_REPLY_TO,
	MIME_COL_MESSAGE_ID, MIME_COL_IN_REPLY_TO,
	MIME_COL_LIST_ID,
	MIME_COLUMNS
};
/* The first group is one table of the store, the second another. */
#define MIME_COL_SEARCH MIME_COL_SUBJECT

#define MIME_COL_TEXT_MAX 255u		/* bytes of a text for SEARCH; keys are shorter */
#define MIME_COL_IDS_MAX 64u

/* A text: a byte, 0 or 1 (1: cut, the LIST blob has more), then UTF-8.  Texts that begin alike
 * and of which one is cut say nothing about their order; a needle that is not found in a
 * cut one may be behind.  false: an empty column (no such field). */
bool mime_column_text(struct span column, struct span *text, bool *cut);
bool mime_column_sent(struct span column, int64_t *sent_s, int *zone);

/* THREAD: u8 (1: the base subject lost "Re:" or the like), u64 hash of the base subject (0: it is
 * empty), then hashes of message-ids (mime_id_hash), own first (0: none), then the ancestors,
 * oldest first: those of References, or else the first of In-Reply-To. */
struct mime_column_thread {
	bool		reply;
	uint64_t	subject_hash, id;
	struct span	ancestors;		/* u64 each; get_be64() */
};
bool mime_column_thread(struct span column, struct mime_column_thread *t);

/* The texts that SEARCH looks in, appended; the one definition of them. */
void mime_search_value(struct span raw_value, struct buf *out);
void mime_search_addresses(struct mime_seq list, struct buf *out);

#endif
