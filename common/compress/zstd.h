/* common/compress/zstd.h
 * Zstandard, with limits before memory: a frame that claims or turns out to be
 * larger than the caller allows is refused. */
#ifndef COMMON_COMPRESS_ZSTD_H
#define COMMON_COMPRESS_ZSTD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

/* A trained dictionary for both directions; each is made ready at its first use.  bytes are
 * borrowed until it is freed.  NULL: not a dictionary. */
struct zstd_dict;
struct zstd_dict *zstd_dict_new(struct span bytes, int level);
/* The number that frames made with it carry. */
uint32_t zstd_dict_id(const struct zstd_dict *d);
void zstd_dict_free(struct zstd_dict **d);

/* Appends one frame that carries its content's size and its checksum, so that no flipped bit is
 * given out as content.  With a dictionary its level is used.  dict may be NULL. */
void zstd_compress(struct span in, int level, const struct zstd_dict *dict, struct buf *out);
/* For what is read much more often than written: literals are not entropy-coded, which unpacks in half
 * the time and takes a fifth more room. */
void zstd_compress_quick(struct span in, int level, struct buf *out);
/* in looks like `before` in places, which is needed again to unpack it. */
void zstd_compress_behind(struct span before, struct span in, int level, struct buf *out);
enum status zstd_decompress_behind(struct span before, struct span in, size_t max,
    struct buf *out);
/* in is exactly one frame.  ST_LIMIT: more than max bytes; ST_CORRUPT: not a frame,
 * damaged, or made with another dictionary; out is as it was then. */
enum status zstd_decompress(struct span in, size_t max, const struct zstd_dict *dict,
    struct buf *out);
/* The dictionary a frame says it was made with; 0: none, or not a frame. */
uint32_t zstd_frame_dict(struct span in);
/* The content size a frame declares; false: none, or not a frame. */
bool zstd_content_size(struct span in, uint64_t *size);

/* Piece by piece, one or more frames; memory is bounded by the window (at most
 * 8 MiB), not by the content.  dict is borrowed until freed. */
struct zstd_reader;
struct zstd_reader *zstd_reader_new(const struct zstd_dict *dict);
/* Takes from the front of *in, appends at most max bytes to out.  ST_OK: *in is used
 * up or out is full: when it is full call again, also with nothing left in *in. */
enum status zstd_reader_read(struct zstd_reader *r, struct span *in, size_t max,
    struct buf *out);
/* Stands between frames: the input may end here. */
bool zstd_reader_at_end(const struct zstd_reader *r);
void zstd_reader_free(struct zstd_reader **r);

#endif
