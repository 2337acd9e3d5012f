/* common/mime/columns.h
 * What lists, SORT, THREAD and SEARCH by header field read of a message, as short columns that the
 * store keeps apart from everything else and hands out one kind at a time for a whole mailbox
 * (store_columns, storage/api): a scan reads its columns and no blob, and what IMAP shows is
 * there as it goes on the wire.
 *
 * The store knows no column: it cuts a blob at the lengths in front.  Of a message whose
 * columns are missing or of another version the answer says so: its blobs, or its bytes, tell.
 *
 * Blob: u8 version, u8 n; n times u16 length; the bytes of the columns.  Their numbers are in
 * blobs: a change of meaning is a new version. */
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

/* An empty column: the message has no such thing, if nothing else is said. */
enum mime_column {
	MIME_COL_SENT,		/* see mime_column_sent() */
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
	MIME_COL_REPLY_TO, MIME_COL_MESSAGE_ID, MIME_COL_IN_REPLY_TO,
	/* What IMAP's items of these names show; empty: too long, or not for every client
	 * (8-bit text): to be printed from the blobs. */
	MIME_COL_ENVELOPE,
	MIME_COL_HEADER, MIME_COL_HEADER_MORE,	/* see mime_header_next() */
	MIME_COL_BODYSTRUCTURE,
	MIME_COLUMNS
};
#define MIME_COLUMN(c)	(1u << (c))	/* of store_columns.want */

#define MIME_COL_TEXT_MAX	1000u	/* bytes of a text for SEARCH */
#define MIME_COL_KEY_MAX	100u	/* and for SORT */
#define MIME_COL_IDS_MAX	64u
#define MIME_COL_MAX		65535u	/* bytes of any column */

/* The columns being made; zeroed first. */
struct mime_columns {
	struct buf	bytes;
	uint16_t	len[MIME_COLUMNS];
	unsigned	n;
};
/* The next one, in the order of the numbers; one that is too long becomes empty. */
void mime_columns_add(struct mime_columns *c, struct span column);
/* All up to MIME_COL_IN_REPLY_TO. */
void mime_columns_add_list(struct mime_columns *c, const struct mime_list *l);
/* Appends the blob, and empties c. */
void mime_columns_finish(struct mime_columns *c, struct buf *blob);

/* A text: a byte, 0 or 1 (1: cut, the LIST blob has more), then UTF-8.  Texts that begin alike
 * and of which one is cut say nothing about their order; a needle that is not found in a
 * cut one may be behind.  false: an empty column (no such field). */
bool mime_column_text(struct span column, struct span *text, bool *cut);
/* i64 seconds UTC, i16 zone, of a valid Date field.  false: none. */
bool mime_column_sent(struct span column, int64_t *sent_s, int *zone);

/* THREAD: u8 (1: the base subject lost "Re:" or the like), u64 hash of the base subject (0: it is
 * empty), then hashes of message-ids (mime_id_hash), own first (0: none), then the ancestors,
 * oldest first: those of References, or else the first of In-Reply-To. */
struct mime_column_thread {
	bool		reply;
	uint64_t	subject_hash, id;
	struct span	ancestors;		/* u64 each; get_be64() */
};
/* false: it says nothing. */
bool mime_column_thread(struct span column, struct mime_column_thread *t);

/* The texts that SEARCH looks in, appended; the one definition of them. */
void mime_search_value(struct span raw_value, struct buf *out);
void mime_search_addresses(struct mime_seq list, struct buf *out);

/* ---- header fields as they stand ----
 *
 * Two columns keep the fields whose names clients ask for in lists: HEADER those that all do,
 * HEADER_MORE the others.  HEADER: u8 (1: complete), u64 of bits for the names that are not kept,
 * fields; HEADER_MORE: u8 (1: complete), fields.  A field: u8 number of its name, u8 its place
 * in the message, u16 length, the field with its line end. */
#define MIME_HEADER_NAMES_MAX 64

struct mime_header_names {
	uint64_t	kept;		/* by number */
	unsigned	n_others;
	uint64_t	other[16];	/* bits of each name that is not kept */
};
/* false: too many names. */
bool mime_header_names_add(struct mime_header_names *names, struct span name);
/* HEADER_MORE is needed. */
bool mime_header_names_more(const struct mime_header_names *names);

/* Both columns of a header block, appended. */
void mime_header_columns(struct span block, struct buf *header, struct buf *more);

struct mime_header_walk {
	struct span	rest[2];
};
/* Can these names be answered out of the columns?  more: SPAN_NONE when it is not needed. */
bool mime_header_open(struct span header, struct span more,
    const struct mime_header_names *names, struct mime_header_walk *w);
/* The next field of the message that is among the names. */
bool mime_header_next(struct mime_header_walk *w, const struct mime_header_names *names,
    struct span *field);

#endif
