#include "common/util/mem.h"

#include <stdio.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *
check(void *p)
{
	static const char msg[] = "out of memory\n";

	if (p == NULL) {
		if (write(STDERR_FILENO, msg, sizeof(msg) - 1) < 0)
			abort();
		abort();
	}
	return p;
}

void *
mem_alloc(size_t n)
{
	return check(malloc(n > 0 ? n : 1));
}

void *
mem_zalloc(size_t n)
{
	return check(calloc(1, n > 0 ? n : 1));
}

void *
mem_array(size_t n, size_t size)
{
	return check(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *
mem_realloc(void *p, size_t n)
{
	return check(realloc(p, n > 0 ? n : 1));
}

void *
mem_realloc_array(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (!size_mul(n, size, &bytes))
		check(NULL);
	return mem_realloc(p, bytes);
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *
mem_strndup(const char *s, size_t n)
{
	char *d = mem_alloc(n + 1);

	if (n > 0)
		memcpy(d, s, n);
	d[n] = '\0';
	return d;
}

void *
mem_dup(const void *p, size_t n)
{
	void *d = mem_alloc(n);

	if (n > 0)
		memcpy(d, p, n);
	return d;
}

void
mem_free_(void *pp)
{
	void *p;

	/* memcpy: pp may be the address of a pointer of any type */
	memcpy(&p, pp, sizeof(p));
	free(p);
	p = NULL;
	memcpy(pp, &p, sizeof(p));
}

void
mem_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}

bool
mem_equal_ct(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char d = 0;

	for (size_t i = 0; i < n; i++)
		d |= (unsigned char)(x[i] ^ y[i]);
	return d == 0;
}

void
mem_keep_blocks(void)
{
#if defined(__GLIBC__)
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
	mallopt(M_TOP_PAD, 1 << 20);
#endif
}
