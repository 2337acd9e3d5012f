#include "common/transfer/tar.h"

#include <stddef.h>
#include <stdio.h>

/* The fields of a header. */
struct header {
	char	name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100],
		magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155],
		pad[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is a block");

static const char zeros[TAR_BLOCK];

static unsigned
sum_of(const struct header *h)
{
	const unsigned char *p = (const void *)h;
	unsigned sum = 0;

	for (size_t i = 0; i < sizeof(*h); i++)
		sum += i >= offsetof(struct header, sum) && i < offsetof(struct header, sum) +
		    sizeof(h->sum) ? ' ' : p[i];
	return sum;
}

static void
put_octal(char *p, size_t n, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llo", (int)n - 1, (unsigned long long)v);
	memcpy(p, text, n);
}

void
tar_put_header(struct buf *out, const char *name, uint64_t size, int64_t mtime_s)
{
	struct header h = { .type = '0', .magic = "ustar", .version = { '0', '0' } };

	snprintf(h.name, sizeof(h.name), "%s", name);
	put_octal(h.mode, sizeof(h.mode), 0600);
	put_octal(h.uid, sizeof(h.uid), 0);
	put_octal(h.gid, sizeof(h.gid), 0);
	put_octal(h.size, sizeof(h.size), size & TAR_SIZE_MAX);
	put_octal(h.mtime, sizeof(h.mtime), mtime_s > 0 ? (uint64_t)mtime_s & TAR_SIZE_MAX : 0);
	put_octal(h.sum, sizeof(h.sum) - 1, sum_of(&h));
	h.sum[7] = ' ';
	buf_add(out, &h, sizeof(h));
}

static uint64_t
pad_of(uint64_t size)
{
	return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

void
tar_put_pad(struct buf *out, uint64_t size)
{
	buf_add(out, zeros, pad_of(size));
}

void
tar_put_end(struct buf *out)
{
	buf_add(out, zeros, TAR_BLOCK);
	buf_add(out, zeros, TAR_BLOCK);
}

/* Octal digits, ended by a blank, a NUL or the field's end. */
static bool
get_octal(const char *p, size_t n, uint64_t *v)
{
	size_t i = 0;

	*v = 0;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		*v = *v << 3 | (uint64_t)(p[i] - '0');
	return i > 0 && (i == n || p[i] == ' ' || p[i] == '\0');
}

static bool
get_header(const struct header *h, struct tar_entry *e)
{
	uint64_t sum;

	if (memcmp(h->magic, "ustar", 5) != 0 || (h->type != '0' && h->type != '\0') ||
	    !get_octal(h->sum, sizeof(h->sum), &sum) || sum != sum_of(h) ||
	    !get_octal(h->size, sizeof(h->size), &e->size) || h->prefix[0] != '\0')
		return false;
	memcpy(e->name, h->name, sizeof(h->name));
	e->name[sizeof(h->name)] = '\0';
	return e->name[0] != '\0';
}

static ssize_t
get(struct tar_reader *t, void *p, size_t n)
{
	ssize_t r = transfer_read(&t->source, p, n);

	if (r > 0)
		t->at += (uint64_t)r;
	return r;
}

static bool
skip(struct tar_reader *t, uint64_t n)
{
	char some[8192];

	while (n > 0) {
		size_t want = n < sizeof(some) ? (size_t)n : sizeof(some);

		if (get(t, some, want) != (ssize_t)want)
			return false;
		n -= want;
	}
	return true;
}

enum tar_result
tar_next(struct tar_reader *t, struct tar_entry *e)
{
	struct header h;

	t->skipped = 0;
	if (t->end)
		return TAR_END;
	if (!skip(t, t->left + t->pad))
		return TAR_CUT;
	t->left = t->pad = 0;
	for (;;) {
		e->at = t->at;
		if (get(t, &h, sizeof(h)) != (ssize_t)sizeof(h))
			return TAR_CUT;
		if (memcmp(&h, zeros, sizeof(h)) == 0 && t->skipped == 0) {
			t->end = true;
			return TAR_END;
		}
		if (get_header(&h, e))
			break;
		t->skipped += sizeof(h);
	}
	t->left = e->size;
	t->pad = pad_of(e->size);
	return TAR_ENTRY;
}

ssize_t
tar_read(struct tar_reader *t, void *p, size_t n)
{
	ssize_t r;

	if (n > t->left)
		n = (size_t)t->left;
	if (n == 0)
		return 0;
	r = get(t, p, n);
	if (r <= 0)
		return -1;
	t->left -= (uint64_t)r;
	return r;
}
