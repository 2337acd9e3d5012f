#include "common/util/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/mem.h"

#define BUF_FIRST 64

void
buf_init(struct buf *b)
{
	memset(b, 0, sizeof(*b));
}

void
buf_fini(struct buf *b)
{
	if (b->data != NULL)
		free(b->data - b->gap);
	buf_init(b);
}

void
buf_fini_secret(struct buf *b)
{
	if (b->data != NULL)
		mem_wipe(b->data - b->gap, b->gap + b->room);
	buf_fini(b);
}

void
buf_clear(struct buf *b)
{
	b->data = b->data != NULL ? b->data - b->gap : NULL;
	b->room += b->gap;
	b->gap = 0;
	b->len = 0;
}

static void
close_gap(struct buf *b)
{
	char *base = b->data - b->gap;

	memmove(base, b->data, b->len);
	b->data = base;
	b->room += b->gap;
	b->gap = 0;
}

void
buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_add_u64(struct buf *b, uint64_t v)
{
	char *to = buf_reserve(b, 20);
	size_t n = 1;

	for (uint64_t rest = v / 10; rest > 0; rest /= 10)
		n++;
	for (size_t i = n; i > 0; v /= 10)
		to[--i] = (char)('0' + v % 10);
	buf_added(b, n);
}

char *
buf_grow(struct buf *b, size_t n)
{
	size_t need, cap;

	if (!size_add(b->len, n, &need) || need > SIZE_MAX / 4)
		abort();
	if (b->gap > 0 && b->gap >= b->len && b->gap + b->room >= need) {
		close_gap(b);
		return b->data + b->len;
	}
	cap = b->room > BUF_FIRST ? b->room : BUF_FIRST;
	while (cap < need)
		cap *= 2;
	if (b->gap > 0)
		close_gap(b);
	b->data = mem_realloc(b->data, cap);
	b->room = cap;
	return b->data + b->len;
}

void
buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(buf_reserve(b, 64), 64, fmt, ap);
	if (n >= 64)
		n = vsnprintf(buf_reserve(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
	va_end(again);
	if (n < 0)
		abort();
	b->len += (size_t)n;
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(b, fmt, ap);
	va_end(ap);
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_clear(b);
		return;
	}
	b->data += n;
	b->gap += n;
	b->room -= n;
	b->len -= n;
}

void
buf_cut(struct buf *b, size_t n)
{
	if (n < b->len)
		b->len = n;
}

const char *
buf_cstr(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->data;
}

char *
buf_take(struct buf *b)
{
	char *s;

	if (b->gap > 0)
		close_gap(b);
	buf_cstr(b);
	s = b->data;
	buf_init(b);
	return s;
}

void
buf_trim(struct buf *b)
{
	if (b->len == 0) {
		buf_fini(b);
		return;
	}
	if (b->gap + b->room < 2 * b->len + 256)
		return;
	close_gap(b);
	b->data = mem_realloc(b->data, b->len);
	b->room = b->len;
}
