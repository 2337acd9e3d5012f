/* common/compress/deflate.h
 * Raw DEFLATE (RFC 1951) for streams that rest most of the time.
 *
 * The sending side keeps nothing between two calls: each flush starts with an empty
 * dictionary, in a compressor that all streams of the thread share.  The receiving side
 * keeps what the peer may refer to, at most 32 KiB, and a decoder only while input is
 * under way. */
#ifndef COMMON_COMPRESS_DEFLATE_H
#define COMMON_COMPRESS_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

/* Appends in, flushed to a byte's end (Z_SYNC_FLUSH); with last the stream ends. */
void deflate_add(struct span in, bool last, struct buf *out);

/* Appends in as one member of gzip (RFC 1952). */
void gzip_compress(struct span in, struct buf *out);

struct inflater;
struct inflater *inflater_new(void);
void inflater_free(struct inflater **z);
/* Takes from the front of *in and appends at most max bytes to out.  Returns when *in is
 * used up, when max bytes came, or at the end of a block that gave something: what
 * follows it may be no part of the stream.  ST_CORRUPT: it is none, or it has ended. */
enum status inflater_read(struct inflater *z, struct span *in, size_t max, struct buf *out);
/* The decoder may hold what did not fit: read again, also with nothing in *in. */
bool inflater_more(const struct inflater *z);
/* The peer compresses no more: takes what ends the stream or its last flush.  *done: the
 * front of *in is plain; else more is needed.  ST_CORRUPT also when data comes yet. */
enum status inflater_end(struct inflater *z, struct span *in, bool *done);
/* Nothing is under way: gives back what the decoder needs, keeps what it must know. */
void inflater_rest(struct inflater *z);
/* Bytes that a resting stream keeps. */
size_t inflater_kept(const struct inflater *z);

#endif
