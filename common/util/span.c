#include "common/util/span.h"

#include "common/util/mem.h"

bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
span_caseeq(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool
span_eq_str(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

bool
span_caseeq_str(struct span a, const char *s)
{
	return span_caseeq(a, span_str(s));
}

bool
span_has_prefix(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

bool
span_has_caseprefix(struct span s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && span_caseeq(span_sub(s, 0, n), span(prefix, n));
}

int
span_cmp(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int d = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (d != 0)
		return d;
	return a.len < b.len ? -1 : a.len > b.len;
}

size_t
span_find(struct span s, char c)
{
	const char *hit = s.len > 0 ? memchr(s.p, c, s.len) : NULL;

	return hit != NULL ? (size_t)(hit - s.p) : s.len;
}

struct span
span_sub(struct span s, size_t from, size_t len)
{
	if (from > s.len)
		from = s.len;
	if (len > s.len - from)
		len = s.len - from;
	return span(s.p != NULL ? s.p + from : NULL, len);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span s)
{
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct span
span_cut(struct span *rest, char c)
{
	struct span all = *rest;
	size_t at = span_find(all, c);

	if (at == all.len) {
		*rest = SPAN_NONE;
		return all;
	}
	*rest = span(all.p + at + 1, all.len - at - 1);
	return span(all.p, at);
}

bool
span_u64(struct span s, uint64_t *v)
{
	uint64_t n = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_isdigit(s.p[i]) ||
		    __builtin_mul_overflow(n, (uint64_t)10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(s.p[i] - '0'), &n))
			return false;
	}
	*v = n;
	return true;
}

bool
span_u32(struct span s, uint32_t *v)
{
	uint64_t n;

	if (!span_u64(s, &n) || n > UINT32_MAX)
		return false;
	*v = (uint32_t)n;
	return true;
}

char *
span_dup(struct span s)
{
	return mem_strndup(s.p, s.len);
}

int
ascii_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}
