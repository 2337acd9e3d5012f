/* encoded-character (RFC 5228 2.4.2.4): "${hex:24 24}" and "${unicode:20AC}" in strings. */
#include "common/mail/unicode.h"
#include "sieve/core.h"
#include "sieve/extensions.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t
blanks(struct span s, size_t at)
{
	while (at < s.len && is_blank(s.p[at]))
		at++;
	return at;
}

/* Hexadecimal digits at at, any number of them; a value that does not fit is UINT32_MAX. */
static size_t
number(struct span s, size_t at, uint32_t *value)
{
	size_t from = at;
	uint64_t v = 0;

	for (; at < s.len && ascii_hex(s.p[at]) >= 0; at++)
		if (v < UINT32_MAX)
			v = v * 16 + (uint64_t)ascii_hex(s.p[at]);
	*value = v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
	return at - from;
}

/* What stands behind "${hex:" or "${unicode:", up to behind its "}": its length, 0 when it is no such
 * sequence.  *bad: the first number that is no character. */
static size_t
sequence(struct span s, bool unicode, struct buf *out, bool *bad, uint32_t *bad_value)
{
	size_t at = blanks(s, 0);

	for (;;) {
		uint32_t v;
		size_t n = number(s, at, &v);

		if (n == 0 || (!unicode && n > 2))
			return 0;
		at += n;
		if (!unicode) {
			buf_add_c(out, (char)v);
		} else if (!unicode_put(out, v)) {
			if (!*bad)
				*bad_value = v;
			*bad = true;
		}
		n = blanks(s, at);
		if (n < s.len && s.p[n] == '}')
			return n + 1;
		if (n == at)
			return 0;
		at = n;
	}
}

/* Length of the sequence that begins at s, 0: it is text. */
static size_t
one(struct sieve_compile *c, struct span s, struct buf *out)
{
	bool unicode = span_has_caseprefix(s, "${unicode:"), bad = false;
	size_t head = unicode ? 10 : 6, was = out->len, n;
	uint32_t value = 0;

	if (!unicode && !span_has_caseprefix(s, "${hex:"))
		return 0;
	n = sequence(span_sub(s, head, s.len - head), unicode, out, &bad, &value);
	if (n == 0) {
		buf_cut(out, was);
		return 0;
	}
	if (bad)
		sieve_error_at(c, c->node != NULL ? c->node->line : 1,
		    c->node != NULL ? c->node->column : 1, "'%.*s' has a number that is no "
		    "character: expected 0 to D7FF or E000 to 10FFFF",
		    (int)(n + head < 64 ? n + head : 64), s.p);
	return head + n;
}

static bool
literal(struct sieve_compile *c, struct span in, struct buf *out)
{
	bool any = false;
	size_t from = 0;

	for (size_t i = 0; i + 1 < in.len; i++) {
		size_t n, was = out->len;

		if (in.p[i] != '$' || in.p[i + 1] != '{')
			continue;
		buf_add(out, in.p + from, i - from);
		n = one(c, span_sub(in, i, in.len - i), out);
		if (n == 0) {
			buf_cut(out, was);
			continue;
		}
		any = true;
		i += n - 1;
		from = i + 1;
	}
	buf_add(out, in.p + from, in.len - from);
	return any;
}

const struct sieve_ext sieve_ext_encoded_character = {
	.name = "encoded-character", .flags = SIEVE_EXT_SYNTAX, .literal = literal
};
