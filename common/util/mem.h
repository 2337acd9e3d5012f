/* common/util/mem.h
 * Memory that never comes back NULL: when the system has none the process ends
 * and its parent starts another.  A size that came from outside has met its
 * limit before it gets here. */
#ifndef COMMON_UTIL_MEM_H
#define COMMON_UTIL_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *mem_alloc(size_t n);			/* not cleared */
void *mem_zalloc(size_t n);
void *mem_array(size_t n, size_t size);		/* cleared; n * size checked */
void *mem_realloc(void *p, size_t n);
void *mem_realloc_array(void *p, size_t n, size_t size);
char *mem_strdup(const char *s);
/* A NUL-terminated copy of n bytes. */
char *mem_strndup(const char *s, size_t n);
void *mem_dup(const void *p, size_t n);
/* Frees *(void **)p and clears it; p is the address of any pointer. */
#define mem_free(pp) mem_free_((void *)(pp))
void mem_free_(void *pp);
/* Overwrites secrets in a way that the compiler keeps. */
void mem_wipe(void *p, size_t n);
/* true: equal.  Time does not depend on where they differ. */

bool mem_equal_ct(const void *a, const void *b, size_t n);

/* Checked arithmetic for sizes: false when the result does not fit. */
static inline bool
size_add(size_t a, size_t b, size_t *sum)
{
	return !__builtin_add_overflow(a, b, sum);
}

static inline bool
size_mul(size_t a, size_t b, size_t *product)
{
	return !__builtin_mul_overflow(a, b, product);
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Called once, at the start of a process that passes much data through: freed blocks of up to some
 * MiB stay with it, instead of being given back and cleared by the kernel for each answer. */
void mem_keep_blocks(void);

#endif
