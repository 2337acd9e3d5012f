/* common/util/buf.h
 * A growing run of bytes: the one place where bytes are appended.  A zeroed
 * struct is an empty buffer.  Taking from the front is cheap: the gap is closed
 * when the buffer next grows. */
#ifndef COMMON_UTIL_BUF_H
#define COMMON_UTIL_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/span.h"

struct buf {
	char	*data;		/* first byte held; NULL while nothing was added */
	size_t	len;
	size_t	room;		/* bytes usable from data on */
	size_t	gap;		/* bytes dropped in front of data */
};

void buf_init(struct buf *b);
/* Frees; the buffer is empty and usable again. */
void buf_fini(struct buf *b);
/* Wipes what was held, then frees. */
void buf_fini_secret(struct buf *b);
/* Empties; keeps the memory. */
void buf_clear(struct buf *b);
/* Makes room for n more bytes and returns where they go; buf_added() tells how
 * many were written. */
char *buf_grow(struct buf *b, size_t n);	/* buf_reserve() when there is no room yet */
static inline char *
buf_reserve(struct buf *b, size_t n)
{
	return b->data != NULL && b->room - b->len >= n ? b->data + b->len : buf_grow(b, n);
}

static inline void
buf_added(struct buf *b, size_t n)
{
	if (n > b->room - b->len)
		abort();
	b->len += n;
}

static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(buf_reserve(b, n), p, n);
	b->len += n;
}

static inline void
buf_add_span(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.len);
}

static inline void
buf_add_c(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->len++;
}

void buf_add_str(struct buf *b, const char *s);
void buf_add_u64(struct buf *b, uint64_t v);	/* decimal */
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* Drops n bytes (at most len) from the front / keeps the first n. */
void buf_drop(struct buf *b, size_t n);
void buf_cut(struct buf *b, size_t n);
static inline struct span
buf_span(const struct buf *b)
{
	return span(b->data, b->len);
}
/* Ends with NUL (not counted in len) and returns data: valid until b changes. */
const char *buf_cstr(struct buf *b);
/* The bytes, NUL-terminated, as a heap string that the caller owns; b is empty then. */
char *buf_take(struct buf *b);
/* Gives memory back when much more is held than used. */
void buf_trim(struct buf *b);

#endif
