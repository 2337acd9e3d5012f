/* common/util/bytes.h
 * Numbers and runs of bytes in a flat encoding: big-endian, so that keys sort as
 * numbers; a length before each run.  Used for records, journal operations and
 * frames.  The reader never passes its end; it remembers the first error, so a
 * caller reads all fields and asks once. */
#ifndef COMMON_UTIL_BYTES_H
#define COMMON_UTIL_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/util/buf.h"
#include "common/util/span.h"

static inline void
put_be16(void *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void
put_be32(void *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void
put_be64(void *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint16_t
get_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static inline uint32_t
get_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static inline uint64_t
get_be64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

/* Appending. */
static inline void
put_u8(struct buf *b, uint8_t v)
{
	buf_add_c(b, (char)v);
}

static inline void
put_u16(struct buf *b, uint16_t v)
{
	put_be16(buf_reserve(b, 2), v);
	b->len += 2;
}

static inline void
put_u32(struct buf *b, uint32_t v)
{
	put_be32(buf_reserve(b, 4), v);
	b->len += 4;
}

static inline void
put_u64(struct buf *b, uint64_t v)
{
	put_be64(buf_reserve(b, 8), v);
	b->len += 8;
}

/* LEB128: seven bits a byte, least significant first; 1..10 bytes. */
void put_varint_long(struct buf *b, uint64_t v);
static inline void
put_varint(struct buf *b, uint64_t v)
{
	if (v < 0x80)
		put_u8(b, (uint8_t)v);
	else
		put_varint_long(b, v);
}

/* varint length, then the bytes. */
void put_span(struct buf *b, struct span s);

/* Reading. */
struct reader {
	const unsigned char	*p, *end;
	bool			bad;
};

void reader_init(struct reader *r, const void *p, size_t len);
static inline struct span
get_raw(struct reader *r, size_t n)
{
	struct span s;

	if (r->bad || n > (size_t)(r->end - r->p)) {
		r->bad = true;
		return SPAN_NONE;
	}
	s = span(r->p, n);
	r->p += n;
	return s;
}

static inline uint8_t
get_u8(struct reader *r)
{
	if (r->bad || r->p == r->end) {
		r->bad = true;
		return 0;
	}
	return *r->p++;
}

static inline uint16_t
get_u16(struct reader *r)
{
	struct span s = get_raw(r, 2);

	return s.p != NULL ? get_be16(s.p) : 0;
}

static inline uint32_t
get_u32(struct reader *r)
{
	struct span s = get_raw(r, 4);

	return s.p != NULL ? get_be32(s.p) : 0;
}

static inline uint64_t
get_u64(struct reader *r)
{
	struct span s = get_raw(r, 8);

	return s.p != NULL ? get_be64(s.p) : 0;
}

uint64_t get_varint_long(struct reader *r);
static inline uint64_t
get_varint(struct reader *r)
{
	/* Nearly all are of one byte. */
	if (!r->bad && r->p < r->end && *r->p < 0x80)
		return *r->p++;
	return get_varint_long(r);
}

/* Bad when above UINT32_MAX. */
static inline uint32_t
get_varint32(struct reader *r)
{
	uint64_t v = get_varint(r);

	if (v > UINT32_MAX) {
		r->bad = true;
		return 0;
	}
	return (uint32_t)v;
}

/* Borrowed from the input. */
static inline struct span
get_span(struct reader *r)
{
	uint64_t n = get_varint(r);

	if (r->bad || n > (size_t)(r->end - r->p)) {
		r->bad = true;
		return SPAN_NONE;
	}
	return get_raw(r, (size_t)n);
}

/* As get_span(); bad when longer than max. */
static inline struct span
get_span_max(struct reader *r, size_t max)
{
	struct span s = get_span(r);

	if (s.len > max)
		r->bad = true;
	return r->bad ? SPAN_NONE : s;
}

/* What was read must be good: false when it is not, or nothing was before. */
static inline bool
reader_check(struct reader *r, bool good)
{
	if (!good)
		r->bad = true;
	return !r->bad;
}

/* 0 after an error. */
static inline size_t
reader_left(const struct reader *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}
/* All read, nothing left over, no error. */
static inline bool
reader_done(const struct reader *r)
{
	return !r->bad && r->p == r->end;
}

/* CRC-32C (Castagnoli, as in RFC 3720 B.4); start with crc 0, feed on. */
uint32_t crc32c(uint32_t crc, const void *p, size_t len);

#endif
