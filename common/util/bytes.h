/* common/util/bytes.h
 * Numbers and runs of bytes in a flat encoding: big-endian, so that keys sort as
 * numbers; a length before each run.  Used for records, journal operations and
 * frames.  The reader never passes its end; it remembers the first error, so a
 * caller reads all fields and asks once. */
#ifndef COMMON_UTIL_BYTES_H
#define COMMON_UTIL_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

static inline void
put_be16(void *p, uint16_t v)
{
	unsigned char *b = p;

	b[0] = (unsigned char)(v >> 8);
	b[1] = (unsigned char)v;
}

static inline void
put_be32(void *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16((char *)p + 2, (uint16_t)v);
}

static inline void
put_be64(void *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32));
	put_be32((char *)p + 4, (uint32_t)v);
}

static inline uint16_t
get_be16(const void *p)
{
	const unsigned char *b = p;

	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t
get_be32(const void *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16((const char *)p + 2);
}

static inline uint64_t
get_be64(const void *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32((const char *)p + 4);
}

/* Appending. */
void put_u8(struct buf *b, uint8_t v);
void put_u16(struct buf *b, uint16_t v);
void put_u32(struct buf *b, uint32_t v);
void put_u64(struct buf *b, uint64_t v);
/* LEB128: seven bits a byte, least significant first; 1..10 bytes. */
void put_varint(struct buf *b, uint64_t v);
/* varint length, then the bytes. */
void put_span(struct buf *b, struct span s);

/* Reading. */
struct reader {
	const unsigned char	*p, *end;
	bool			bad;
};

void reader_init(struct reader *r, const void *p, size_t len);
uint8_t get_u8(struct reader *r);
uint16_t get_u16(struct reader *r);
uint32_t get_u32(struct reader *r);
uint64_t get_u64(struct reader *r);
uint64_t get_varint(struct reader *r);
uint32_t get_varint32(struct reader *r);	/* bad when above UINT32_MAX */
struct span get_span(struct reader *r);		/* borrowed from the input */
struct span get_raw(struct reader *r, size_t n);
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
