#include "common/crypto/random.h"

#include <stdlib.h>

#include <openssl/rand.h>

void
random_bytes(void *p, size_t n)
{
	unsigned char *out = p;

	while (n > 0) {
		int part = n > 65536 ? 65536 : (int)n;

		if (RAND_bytes(out, part) != 1)
			abort();
		out += part;
		n -= (size_t)part;
	}
}

uint64_t
random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

void
random_id(char *out, size_t n)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char pool[64];
	size_t left = 0;

	for (size_t i = 0; i < n;) {
		if (left == 0) {
			random_bytes(pool, sizeof(pool));
			left = sizeof(pool);
		}
		/* 252 = 7 * 36: above it some letters would be likelier. */
		if (pool[--left] < 252)
			out[i++] = letters[pool[left] % 36];
	}
	out[n] = '\0';
}
