/* jmapd/blob/blob_reader.h
 * The bytes that a blob id names (common/mail/blob_id.h), one piece after the other: out of the
 * message or upload that holds them, places cut out and transfer encodings undone.  For
 * downloads, Blob/get and /lookup, Email/parse, /import and the parts of Email/set.
 *
 * Memory does not grow with the blob: pieces are at most BLOB_PIECE_MAX, and no more is asked of the
 * store while the reader is paused. */
#ifndef JMAPD_BLOB_BLOB_READER_H
#define JMAPD_BLOB_BLOB_READER_H

#include "common/mail/blob_id.h"
#include "common/util/span.h"
#include "common/util/status.h"

#define BLOB_PIECE_MAX		(512u << 10)
#define BLOB_SIZE_UNKNOWN	UINT64_MAX

struct jmap_account;
struct jmap_host;
struct blob_reader;

/* None is called before blob_reader_start() returned, nor after blob_reader_free(), which all but
 * begin may call; begin may be NULL. */
struct blob_reader_ops {
	/* It is there; size of the whole blob, unknown where a transfer encoding is undone. */
	void	(*begin)(void *arg, uint64_t size);
	void	(*data)(void *arg, struct span piece);
	/* Once.  ST_OK: all that was asked for came.  ST_NOT_FOUND: there is no such blob (any more);
	 * nothing came before then. */
	void	(*done)(void *arg, enum status st);
};
/* The range from..from+length of it; length 0: to its end.  ops is borrowed. */
struct blob_reader *blob_reader_start(const struct jmap_host *h, struct jmap_account *a,
    const struct blob_id *id, uint64_t from, uint64_t length, const struct blob_reader_ops *ops,
    void *arg);
/* No more data comes (but the rest of a piece that is under way, at most BLOB_PIECE_MAX) until it
 * is resumed. */
void blob_reader_pause(struct blob_reader *r);
void blob_reader_resume(struct blob_reader *r);
void blob_reader_free(struct blob_reader **r);

#endif
