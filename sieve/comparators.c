/* i;octet and i;ascii-casemap, i;ascii-numeric (RFC 4790 9), i;unicode-casemap (RFC 5051). */
#include <string.h>

#include "common/mime/charset.h"
#include "sieve/core.h"
#include "sieve/extensions.h"

static void
upper(struct span in, struct buf *out)
{
	char *to = buf_reserve(out, in.len);

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];

		to[i] = (char)(c - ((unsigned char)(c - 'a') < 26 ? 32 : 0));
	}
	buf_added(out, in.len);
}

const struct sieve_comparator sieve_base_comparators[] = {
	{ .name = "i;octet", .substrings = true },
	{ .name = "i;ascii-casemap", .substrings = true, .fold = upper },
	{ 0 }
};

/* The digits at the start without leading zeroes; none: positive infinity (p NULL). */
static struct span
number(struct span s)
{
	size_t n = 0;

	while (n < s.len && ascii_isdigit((unsigned char)s.p[n]))
		n++;
	if (n == 0)
		return SPAN_NONE;
	s.len = n;
	while (s.len > 1 && s.p[0] == '0')
		s = span_sub(s, 1, s.len - 1);
	return s;
}

static int
numeric(struct span a, struct span b)
{
	int d;

	a = number(a);
	b = number(b);
	if (a.p == NULL || b.p == NULL)
		return (a.p == NULL) - (b.p == NULL);
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	d = memcmp(a.p, b.p, a.len);
	return d < 0 ? -1 : d > 0;
}

static const struct sieve_comparator numeric_table[] = {
	{ .name = "i;ascii-numeric", .compare = numeric },
	{ 0 }
};
static const struct sieve_comparator unicode_table[] = {
	{ .name = "i;unicode-casemap", .substrings = true, .fold = mime_casemap },
	{ 0 }
};
/* The first two may be required and need not be (RFC 5228 2.7.3). */
const struct sieve_ext sieve_ext_comparator_octet = { .name = "comparator-i;octet" };
const struct sieve_ext sieve_ext_comparator_casemap = { .name = "comparator-i;ascii-casemap" };
const struct sieve_ext sieve_ext_comparator_numeric = {
	.name = "comparator-i;ascii-numeric", .comparators = numeric_table
};
const struct sieve_ext sieve_ext_comparator_unicode = {
	.name = "comparator-i;unicode-casemap", .comparators = unicode_table
};
