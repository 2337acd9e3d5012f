#include "common/util/bytes.h"

#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

void
put_u8(struct buf *b, uint8_t v)
{
	buf_add_c(b, (char)v);
}

void
put_u16(struct buf *b, uint16_t v)
{
	put_be16(buf_reserve(b, 2), v);
	b->len += 2;
}

void
put_u32(struct buf *b, uint32_t v)
{
	put_be32(buf_reserve(b, 4), v);
	b->len += 4;
}

void
put_u64(struct buf *b, uint64_t v)
{
	put_be64(buf_reserve(b, 8), v);
	b->len += 8;
}

void
put_varint(struct buf *b, uint64_t v)
{
	unsigned char tmp[10];
	size_t n = 0;

	do {
		tmp[n] = (unsigned char)(v & 0x7f);
		v >>= 7;
		if (v > 0)
			tmp[n] |= 0x80;
		n++;
	} while (v > 0);
	buf_add(b, tmp, n);
}

void
put_span(struct buf *b, struct span s)
{
	put_varint(b, s.len);
	buf_add_span(b, s);
}

void
reader_init(struct reader *r, const void *p, size_t len)
{
	static const unsigned char nothing[1];

	r->p = p != NULL ? p : nothing;
	r->end = r->p + (p != NULL ? len : 0);
	r->bad = false;
}

struct span
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

uint8_t
get_u8(struct reader *r)
{
	if (r->bad || r->p == r->end) {
		r->bad = true;
		return 0;
	}
	return *r->p++;
}

uint16_t
get_u16(struct reader *r)
{
	struct span s = get_raw(r, 2);

	return s.p != NULL ? get_be16(s.p) : 0;
}

uint32_t
get_u32(struct reader *r)
{
	struct span s = get_raw(r, 4);

	return s.p != NULL ? get_be32(s.p) : 0;
}

uint64_t
get_u64(struct reader *r)
{
	struct span s = get_raw(r, 8);

	return s.p != NULL ? get_be64(s.p) : 0;
}

uint64_t
get_varint(struct reader *r)
{
	uint64_t v = 0;

	/* Nearly all are of one byte. */
	if (!r->bad && r->p < r->end && *r->p < 0x80)
		return *r->p++;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t c = get_u8(r);

		if (r->bad)
			return 0;
		if (shift == 63 && c > 1)
			break;
		v |= (uint64_t)(c & 0x7f) << shift;
		if ((c & 0x80) == 0)
			return v;
	}
	r->bad = true;
	return 0;
}

uint32_t
get_varint32(struct reader *r)
{
	uint64_t v = get_varint(r);

	if (v > UINT32_MAX) {
		r->bad = true;
		return 0;
	}
	return (uint32_t)v;
}

struct span
get_span(struct reader *r)
{
	uint64_t n = get_varint(r);

	if (r->bad || n > (size_t)(r->end - r->p)) {
		r->bad = true;
		return SPAN_NONE;
	}
	return get_raw(r, (size_t)n);
}

static uint32_t crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void
crc_make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = (c & 1) ? c >> 1 ^ 0x82f63b78u : c >> 1;
		crc_table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int k = 1; k < 8; k++)
			crc_table[k][i] = crc_table[k - 1][i] >> 8 ^
			    crc_table[0][crc_table[k - 1][i] & 0xff];
}

static uint32_t
crc_soft(uint32_t crc, const unsigned char *p, size_t len)
{
	pthread_once(&crc_once, crc_make_table);
	while (len >= 8) {
		uint32_t lo, hi;

		memcpy(&lo, p, 4);
		memcpy(&hi, p + 4, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		lo = __builtin_bswap32(lo);
		hi = __builtin_bswap32(hi);
#endif
		lo ^= crc;
		crc = crc_table[7][lo & 0xff] ^ crc_table[6][lo >> 8 & 0xff] ^
		    crc_table[5][lo >> 16 & 0xff] ^ crc_table[4][lo >> 24] ^
		    crc_table[3][hi & 0xff] ^ crc_table[2][hi >> 8 & 0xff] ^
		    crc_table[1][hi >> 16 & 0xff] ^ crc_table[0][hi >> 24];
		p += 8;
		len -= 8;
	}
	while (len-- > 0)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p++) & 0xff];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc_sse(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t c = crc;

	while (len >= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		c = _mm_crc32_u64(c, v);
		p += 8;
		len -= 8;
	}
	while (len-- > 0)
		c = _mm_crc32_u8((uint32_t)c, *p++);
	return (uint32_t)c;
}
#endif

uint32_t
crc32c(uint32_t crc, const void *p, size_t len)
{
	crc = ~crc;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_sse(crc, p, len);
#endif
	return ~crc_soft(crc, p, len);
}
