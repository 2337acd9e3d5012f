#include "common/util/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/mem.h"

/* Most commands need little, and one that waits for its client (IDLE) may do so for hours:
 * the first block is small. */
#define ARENA_FIRST 224
#define ARENA_BLOCK 2048

struct arena_block {
	struct arena_block	*next;
	size_t			size, used;
	alignas(max_align_t) char data[];
};

static void
free_from(struct arena_block *b)
{
	while (b != NULL) {
		struct arena_block *next = b->next;

		mem_free(&b);
		b = next;
	}
}

void
arena_fini(struct arena *a)
{
	free_from(a->blocks);
	a->blocks = NULL;
	a->used = 0;
}

void
arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL, *b = a->blocks;

	while (b != NULL) {
		struct arena_block *next = b->next;

		/* the small one is the last */
		if (keep == NULL && (b->size == ARENA_BLOCK || b->size == ARENA_FIRST))
			keep = b;
		else
			mem_free(&b);
		b = next;
	}
	if (keep != NULL) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->blocks = keep;
	a->used = 0;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *b = a->blocks;
	size_t take, size;
	void *p;

	if (n > SIZE_MAX / 4)
		abort();
	take = (n + align - 1) & ~(align - 1);
	if (take == 0)
		take = align;
	if (b == NULL || b->size - b->used < take) {
		if (b == NULL && take <= ARENA_FIRST)
			size = ARENA_FIRST;
		else
			size = take > ARENA_BLOCK / 2 ? take : ARENA_BLOCK;
		b = mem_alloc(sizeof(*b) + size);
		b->size = size;
		b->used = 0;
		if (size != ARENA_BLOCK && a->blocks != NULL) {
			/* a block of its own, behind the one that still has room */
			b->next = a->blocks->next;
			a->blocks->next = b;
		} else {
			b->next = a->blocks;
			a->blocks = b;
		}
	}
	p = b->data + b->used;
	b->used += take;
	a->used += take;
	return p;
}

void *
arena_zalloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);

	memset(p, 0, n);
	return p;
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (!size_mul(n, size, &bytes))
		abort();
	return arena_zalloc(a, bytes);
}

void *
arena_dup(struct arena *a, const void *p, size_t n)
{
	void *d = arena_alloc(a, n);

	if (n > 0)
		memcpy(d, p, n);
	return d;
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *d = arena_alloc(a, n + 1);

	if (n > 0)
		memcpy(d, s, n);
	d[n] = '\0';
	return d;
}

struct span
arena_span(struct arena *a, struct span s)
{
	return span(arena_strndup(a, s.p, s.len), s.len);
}
