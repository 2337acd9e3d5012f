#include "filter/kept.h"

#include <string.h>

#include "common/util/buf.h"
#include "common/util/mem.h"

struct kept {
	struct kept_limits	limits;
	struct buf		text;
	uint64_t		size;
	size_t			header;		/* its length, once `ended` */
	size_t			line;		/* where the line begins that is looked at */
	bool			ended;
};

struct kept *
kept_new(const struct kept_limits *l)
{
	struct kept *k = mem_zalloc(sizeof(*k));

	k->limits = *l;
	return k;
}

void
kept_free(struct kept **kp)
{
	struct kept *k = *kp;

	*kp = NULL;
	if (k == NULL)
		return;
	*k->limits.used -= k->text.len;
	buf_fini(&k->text);
	mem_free(&k);
}

/* How much of so many bytes more is kept. */
static size_t
room(const struct kept *k, size_t want)
{
	uint64_t others = *k->limits.used - k->text.len, most = k->limits.message_bytes;

	if (others + k->text.len + want > k->limits.all_bytes && most > KEPT_LEAST)
		most = KEPT_LEAST;
	if (k->text.len >= most || k->size != k->text.len)	/* a hole is not filled */
		return 0;
	return want < most - k->text.len ? want : (size_t)(most - k->text.len);
}

/* Looks for the empty line. */
static void
find_end(struct kept *k)
{
	struct span all = buf_span(&k->text);

	while (!k->ended) {
		struct span rest = span_sub(all, k->line, all.len);
		size_t n = span_find(rest, '\n');

		if (n == rest.len)
			return;
		k->ended = n == 0 || (n == 1 && rest.p[0] == '\r');
		k->line += n + 1;
		k->header = k->line;
	}
}

void
kept_feed(struct kept *k, struct span text)
{
	size_t n = room(k, text.len);

	buf_add(&k->text, text.p, n);
	*k->limits.used += n;
	k->size += text.len;
	find_end(k);
}

void
kept_set_size(struct kept *k, uint64_t size)
{
	if (size > k->size)
		k->size = size;
}

struct span
kept_header(const struct kept *k)
{
	return span_sub(buf_span(&k->text), 0, k->ended ? k->header : k->text.len);
}

struct span
kept_text(const struct kept *k)
{
	return buf_span(&k->text);
}

bool
kept_is_whole(const struct kept *k)
{
	return k->size == k->text.len;
}

uint64_t
kept_size(const struct kept *k)
{
	return k->size;
}

bool
kept_has_8bit(const struct kept *k, bool header)
{
	struct span s = header ? kept_header(k) : kept_text(k);

	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}
