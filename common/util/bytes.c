#include "common/util/bytes.h"

#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

void
put_varint_long(struct buf *b, uint64_t v)
{
	unsigned char *to = (unsigned char *)buf_reserve(b, 10);
	size_t n = 0;

	while (v >= 0x80) {
		to[n++] = (unsigned char)(v | 0x80);
		v >>= 7;
	}
	to[n++] = (unsigned char)v;
	buf_added(b, n);
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

uint64_t
get_varint_long(struct reader *r)
{
	uint64_t v = 0;

	if (!r->bad && reader_left(r) >= 10) {		/* it cannot run out */
		const unsigned char *p = r->p;
		unsigned shift = 0;

		for (; shift < 63 && *p >= 0x80; shift += 7)
			v |= (uint64_t)(*p++ & 0x7f) << shift;
		if (shift == 63 && *p > 1) {
			r->bad = true;
			return 0;
		}
		r->p = p + 1;
		return v | (uint64_t)*p << shift;
	}
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
	if (len >= 4) {
		uint32_t v;

		memcpy(&v, p, 4);
		c = _mm_crc32_u32((uint32_t)c, v);
		p += 4;
		len -= 4;
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
