/* A bit for each run of three bytes, by its hash; as many bits as keep a good part of them clear. */
#include "storage/search/text_priv.h"

#include "common/util/mem.h"

#define BITS_MAX	(TEXT_FILTER_MAX * 8)
#define BITS_MIN	512u
#define FULL_NUM	3u	/* no more than 3/10 of the bits are set, if it can be helped */
#define FULL_DEN	10u

static inline uint32_t
hash(uint32_t gram)
{
	return (gram * 2654435761u) >> 13;
}

static void
mark(struct span text, unsigned char *bits)
{
	const unsigned char *p = (const unsigned char *)text.p;
	uint32_t gram;

	if (text.len < 3)
		return;
	gram = (uint32_t)p[0] << 8 | p[1];
	for (size_t i = 2; i < text.len; i++) {
		uint32_t h;

		gram = (gram << 8 | p[i]) & 0xffffff;
		h = hash(gram) & (BITS_MAX - 1);
		bits[h >> 3] |= (unsigned char)(1u << (h & 7));
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

bool
text_filter_may(struct span filter, struct span needle)
{
	const unsigned char *p = (const unsigned char *)needle.p;
	const unsigned char *bits = (const unsigned char *)filter.p;
	uint32_t mask = (uint32_t)filter.len * 8 - 1;

	if (filter.len == 0)
		return true;
	for (size_t i = 2; i < needle.len; i++) {
		uint32_t h = hash((uint32_t)p[i - 2] << 16 | (uint32_t)p[i - 1] << 8 | p[i]) & mask;

		if (!(bits[h >> 3] & 1u << (h & 7)))
			return false;
	}
	return true;
}
