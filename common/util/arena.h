/* common/util/arena.h
 * Memory for one command: many small pieces, freed together.  A zeroed struct is
 * an empty arena. */
#ifndef COMMON_UTIL_ARENA_H
#define COMMON_UTIL_ARENA_H

#include <stddef.h>

#include "common/util/span.h"

struct arena_block;
struct arena {
	struct arena_block	*blocks;
	size_t			used;		/* bytes handed out since the last reset */
};

void arena_fini(struct arena *a);
/* Frees all but one small block. */
void arena_reset(struct arena *a);
void *arena_alloc(struct arena *a, size_t n);		/* not cleared, aligned for any type */
void *arena_zalloc(struct arena *a, size_t n);
void *arena_array(struct arena *a, size_t n, size_t size);	/* cleared, checked */
void *arena_dup(struct arena *a, const void *p, size_t n);
char *arena_strndup(struct arena *a, const char *s, size_t n);
struct span arena_span(struct arena *a, struct span s);

#endif
