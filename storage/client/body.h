/* storage/client/body.h
 * The stored form of a message, made and read by workers, opaque to the store.
 *
 * Stored body: u8 version (1), varint prefix length, prefix (raw: trace header lines
 * private to this copy), varint raw length of the rest, then frames: each varint raw
 * length (1 to BODY_FRAME_RAW), varint stored length shifted left by one with the low bit
 * 1 when zstd compressed, the bytes.  A frame of zstd may name one of the dictionaries of
 * common/compress/dictionary.h.  A raw length of the rest of 0 says that it was not
 * known: a frame of raw length 0, and nothing else of it, ends the body then.  Frames
 * are independent, so a partial fetch of a large message decompresses only what it
 * needs. */
#ifndef STORAGE_CLIENT_BODY_H
#define STORAGE_CLIENT_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

#define BODY_PREFIX_MAX (64u << 10)
#define BODY_FRAME_RAW (256u << 10)	/* raw bytes of one frame at most */
#define BODY_FRAME_NEW (64u << 10)	/* of those that are written: who reads one holds it whole */

/* Writing: feed raw bytes (CRLF lines, as they will be sent); stored bytes come out in
 * *out as frames fill up: take them away (stage them) whenever it suits.  Memory is
 * bounded by two frames.  prefix (at most BODY_PREFIX_MAX) counts as the start of the
 * message.  raw_size: bytes that will be fed, prefix not counted; a promise. */
struct body_writer;
struct body_writer *body_writer_new(struct span prefix, uint64_t raw_size_known_or_0);
/* Frames of at most n raw bytes (1024 to BODY_FRAME_RAW) instead of BODY_FRAME_NEW.  Before the
 * first feed. */
void body_writer_set_frame(struct body_writer *w, size_t n);
void body_writer_feed(struct body_writer *w, const void *p, size_t n, struct buf *out);
void body_writer_finish(struct body_writer *w, struct buf *out);
/* Raw octets so far, prefix included; SHA-256 over them after finish. */
uint64_t body_writer_size(const struct body_writer *w);
void body_writer_sha256(const struct body_writer *w, unsigned char out[32]);
void body_writer_free(struct body_writer **w);

/* Reading: feed stored bytes from offset 0 in order; raw bytes come out.  want: the range of
 * raw octets asked for, length 0 to the end; others are skipped without decompressing.
 * ST_CORRUPT when the bytes are no stored body: once and for ever.  What is fed after
 * the range was complete is not looked at. */
struct body_reader;
struct body_reader *body_reader_new(uint64_t from, uint64_t length);
enum status body_reader_feed(struct body_reader *r, struct span stored, struct buf *raw_out);
/* The same, taking from the front of *stored, but stops as soon as `enough` raw octets (and
 * at most a frame more) were appended: few stored bytes may hold very many. */
enum status body_reader_take(struct body_reader *r, struct span *stored, size_t enough,
    struct buf *raw_out);
/* The range came out whole, as far as the message reaches. */
bool body_reader_done(const struct body_reader *r);
void body_reader_free(struct body_reader **r);

/* The whole of a stored body that lies in memory: raw octets are appended to out, without
 * a copy between.  ST_CORRUPT: not a stored body, or more than max raw octets; out holds
 * anything then. */
enum status body_unpack(struct span stored, uint64_t max, struct buf *out);

#endif
