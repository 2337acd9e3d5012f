/* A bit for each run of three bytes and for each of five, by its hash; as many bits as keep a good
 * part of them clear.  Runs of three help short needles; in the text of fifty mails most of them occur,
 * and those of five tell more. */
#include "storage/search/text_priv.h"

#include "common/util/mem.h"

#define BITS_MAX	(TEXT_FILTER_MAX * 8)
#define BITS_MIN	512u
#define FULL_NUM	2u	/* no more than 2/5 of the bits are set, if it can be helped */
#define FULL_DEN	5u
#define SHORT_RUN	((uint64_t)0xffffff)	/* of the last bytes: three */
#define LONG_RUN	((uint64_t)0xffffffffff)	/* five */

static inline uint32_t
hash(uint64_t run)
{
	return (uint32_t)((run * 0x9e3779b97f4a7c15u) >> 40);
}

static inline void
set(unsigned char *bits, uint32_t h)
{
	h &= BITS_MAX - 1;
	bits[h >> 3] |= (unsigned char)(1u << (h & 7));
}

static void
mark(struct span text, unsigned char *bits)
{
	const unsigned char *p = (const unsigned char *)text.p;
	uint64_t last = 0;
	size_t i;

	for (i = 0; i < text.len && i < 4; i++) {
		last = last << 8 | p[i];
		if (i >= 2)
			set(bits, hash(last & SHORT_RUN));
	}
	for (; i < text.len; i++) {
		last = last << 8 | p[i];
		set(bits, hash(last & SHORT_RUN));
		set(bits, hash(last & LONG_RUN));
	}
}

static size_t
count(const unsigned char *bits, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += (size_t)__builtin_popcount(bits[i]);
	return n;
}

void
text_filter_make(struct span header, struct span body, struct buf *out)
{
	unsigned char *bits = mem_zalloc(TEXT_FILTER_MAX), *half = mem_alloc(TEXT_FILTER_MAX);
	size_t len = TEXT_FILTER_MAX;

	mark(header, bits);
	mark(body, bits);
	/* The hash's lowest bits count: a half is the other one's shadow. */
	while (len > BITS_MIN / 8) {
		for (size_t i = 0; i < len / 2; i++)
			half[i] = bits[i] | bits[len / 2 + i];
		if (count(half, len / 2) * FULL_DEN > len / 2 * 8 * FULL_NUM)
			break;
		len /= 2;
		memcpy(bits, half, len);
	}
	buf_add(out, bits, len);
	mem_free(&bits);
	mem_free(&half);
}

static bool
is_set(struct span filter, uint32_t h)
{
	h &= (uint32_t)filter.len * 8 - 1;
	return (unsigned char)filter.p[h >> 3] & 1u << (h & 7);
}

bool
text_filter_may(struct span filter, struct span needle)
{
	const unsigned char *p = (const unsigned char *)needle.p;
	uint64_t last = 0;

	for (size_t i = 0; filter.len > 0 && i < needle.len; i++) {
		last = last << 8 | p[i];
		if (i >= 2 && !is_set(filter, hash(last & SHORT_RUN)))
			return false;
		if (i >= 4 && !is_set(filter, hash(last & LONG_RUN)))
			return false;
	}
	return true;
}
