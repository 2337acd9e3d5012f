#include "common/proto/pop3.h"

#include <string.h>

bool
pop3_line_parse(struct span line, struct pop3_line *out)
{
	size_t n = 0;

	while (n < line.len && ascii_isalnum(line.p[n]))
		n++;
	if (n == 0 || (n < line.len && line.p[n] != ' ') || span_find(line, '\0') < line.len)
		return false;
	out->word = span(line.p, n);
	out->rest = n < line.len ? span(line.p + n + 1, line.len - n - 1) : SPAN_NONE;
	return true;
}

struct span
pop3_word(struct span *rest)
{
	while (rest->len > 0 && rest->p[0] == ' ')
		*rest = span(rest->p + 1, rest->len - 1);
	return span_cut(rest, ' ');
}

bool
pop3_number(struct span *rest, uint32_t *n)
{
	struct span word = pop3_word(rest);

	return word.len <= 10 && span_u32(word, n);
}

bool
pop3_end(struct span rest)
{
	return span_trim(rest).len == 0;
}

/* ---- dots ---- */

#define BLOCK 64

/* One of the bytes of a block is LF and a dot follows it.  Written for the compiler to
 * take many bytes at a time. */
static bool
block_has_dot(const char *p)
{
	unsigned char any = 0;

	for (size_t i = 0; i < BLOCK; i++)
		any |= (unsigned char)((p[i] == '\n') & (p[i + 1] == '.'));
	return any != 0;
}

/* Lines that begin with a dot, the first byte of p left out. */
static size_t
count_dots(const char *p, size_t n)
{
	size_t dots = 0, i = 0;

	for (; i + BLOCK < n; i += BLOCK) {
		if (!block_has_dot(p + i))
			continue;
		for (size_t k = i; k < i + BLOCK; k++)
			dots += p[k] == '\n' && p[k + 1] == '.';
	}
	for (; i + 1 < n; i++)
		dots += p[i] == '\n' && p[i + 1] == '.';
	return dots;
}

void
pop3_stuff(struct pop3_stuffer *s, struct buf *out, size_t from)
{
	size_t n = out->len - from, extra;
	char *p, *q;
	bool first;

	if (n == 0)
		return;
	p = out->data + from;
	first = !s->in_line && p[0] == '.';
	s->in_line = p[n - 1] != '\n';
	s->cr = p[n - 1] == '\r';
	extra = count_dots(p, n) + first;
	if (extra == 0)
		return;
	buf_reserve(out, extra);
	buf_added(out, extra);
	p = out->data + from;
	/* From the end, so that every byte moves once. */
	q = p + n + extra;
	for (size_t i = n; q > p + i; i--) {
		*--q = p[i - 1];
		if (p[i - 1] == '.' && (i > 1 ? p[i - 2] == '\n' : first))
			*--q = '.';
	}
}

size_t
pop3_stuff_end(struct pop3_stuffer *s, struct buf *out)
{
	size_t added = 0;

	if (s->in_line) {
		buf_add_str(out, s->cr ? "\n" : "\r\n");
		added = s->cr ? 1 : 2;
	}
	buf_add_str(out, ".\r\n");
	*s = (struct pop3_stuffer){ 0 };
	return added;
}

/* ---- header and body ---- */

/* Index behind the LF that ends the line at `at`, or n; *empty: it held nothing. */
static size_t
line_end(struct span raw, size_t at, bool *in_line, bool *cr, bool *empty)
{
	const char *nl = memchr(raw.p + at, '\n', raw.len - at);
	size_t end = nl != NULL ? (size_t)(nl - raw.p) : raw.len, len = end - at;

	*empty = false;
	if (nl == NULL) {
		/* a CR alone leaves the line empty so far */
		*in_line = *in_line || len > 1 || (len == 1 && (raw.p[at] != '\r' || *cr));
		*cr = *cr || (len == 1 && raw.p[at] == '\r');
		return raw.len;
	}
	*empty = !*in_line && (len == 0 || (len == 1 && raw.p[at] == '\r' && !*cr));
	*in_line = *cr = false;
	return end + 1;
}

size_t
pop3_top_take(struct pop3_top *t, struct span raw)
{
	size_t at = 0;
	bool empty;

	while (!t->in_body && at < raw.len) {
		at = line_end(raw, at, &t->in_line, &t->cr, &empty);
		t->in_body = empty;
	}
	while (t->in_body && t->lines > 0 && at < raw.len) {
		const char *nl = memchr(raw.p + at, '\n', raw.len - at);

		if (nl == NULL)
			return raw.len;
		at = (size_t)(nl - raw.p) + 1;
		t->lines--;
	}
	t->done = t->in_body && t->lines == 0;
	return at;
}

size_t
pop3_header_take(struct pop3_header *h, struct span raw)
{
	size_t at = 0;
	bool empty;

	while (!h->over && at < raw.len) {
		at = line_end(raw, at, &h->in_line, &h->cr, &empty);
		h->over = empty;
	}
	return at;
}

/* Written for the compiler to take many bytes at a time. */
bool
pop3_is_ascii(struct span s)
{
	unsigned char any = 0;
	size_t i = 0;

	for (; i + BLOCK <= s.len; i += BLOCK)
		for (size_t k = 0; k < BLOCK; k++)
			any |= (unsigned char)s.p[i + k];
	for (; i < s.len; i++)
		any |= (unsigned char)s.p[i];
	return any < 0x80;
}

/* Length of the well-formed sequence at p (RFC 3629 §4), 0: none. */
static size_t
utf8_sequence(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
	    p[0] < 0xf5 ? 4 : 0;

	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if (len > 2 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)))
		return 0;
	return len;
}

bool
pop3_is_utf8(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	bool any = false;

	for (size_t i = 0; i < s.len;) {
		size_t n = utf8_sequence(p + i, s.len - i);

		if (n == 0)
			return false;
		any = any || n > 1;
		i += n;
	}
	return any;
}

void
pop3_make_ascii(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] > 0x7f)
			p[i] = '?';
}
