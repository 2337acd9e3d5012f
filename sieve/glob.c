/* :matches (RFC 5228 2.7.1): "*" is any run, "?" one character, "\\" takes the next one literally.
 * Wildcards match as little as they can (RFC 5229 3.2): only the last "*" that was met ever takes more,
 * which finds a match whenever there is one. */
#include <string.h>

#include "sieve/core.h"

/* Where the last "*" stands, to go back to. */
struct star {
	bool	met;
	size_t	pattern, value;		/* behind it; where its run ends */
	size_t	number;			/* of wildcard */
};

static void
capture(struct sieve_glob *g, size_t number, struct span s)
{
	if (g->captures != NULL && number < g->max)
		g->captures[number] = s;
}

static size_t
char_len(struct span v, size_t at, bool octets)
{
	size_t n = 1;

	while (!octets && at + n < v.len && ((unsigned char)v.p[at + n] & 0xC0) == 0x80)
		n++;
	return n;
}

/* For comparators that look at bytes, or at ASCII letters without case. */
static bool
glob_bytes(struct sieve_glob *g, struct span p, struct span v, bool octets)
{
	struct star star = { 0 };
	size_t i = 0, j = 0, k = 1, star_from = 0;

	for (;;) {
		char c = i < p.len ? p.p[i] : '\0';

		if (++g->work > g->work_max)
			return false;
		if (i < p.len && c == '*') {
			star = (struct star){ true, i + 1, j, k };
			star_from = j;
			capture(g, k++, span(v.p + j, 0));
			i++;
			if (i == p.len) {	/* takes the rest */
				capture(g, k - 1, span(v.p + j, v.len - j));
				break;
			}
			continue;
		}
		if (i < p.len && j < v.len) {
			size_t n = 1, m = 1;
			bool same;

			if (c == '?') {
				n = char_len(v, j, octets);
				capture(g, k++, span(v.p + j, n));
				same = true;
			} else {
				if (c == '\\' && i + 1 < p.len) {
					c = p.p[i + 1];
					m = 2;
				}
				same = octets ? c == v.p[j] :
				    ascii_lower(c) == ascii_lower(v.p[j]);
			}
			if (same) {
				i += m;
				j += n;
				continue;
			}
		} else if (i == p.len && j == v.len) {
			break;
		}
		if (!star.met || star.value >= v.len)
			return false;
		star.value += char_len(v, star.value, octets);
		capture(g, star.number, span(v.p + star_from, star.value - star_from));
		i = star.pattern;
		j = star.value;
		k = star.number + 1;
	}
	capture(g, 0, v);
	g->n = k;
	return true;
}

/* --- other comparators: characters in their folded form ---------------------------------------- */

struct unit {
	struct span	folded;		/* one code point of it */
	uint32_t	from, to;	/* in the text; empty: belongs to the unit before */
	char		wild;		/* '*', '?' in a pattern */
};

static size_t
add_units(struct unit *u, size_t n, struct span folded, uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < folded.len;) {
		size_t len = char_len(folded, i, false);

		u[n++] = (struct unit){ .folded = span(folded.p + i, len), .from = i == 0 ? from : to,
		    .to = to };
		i += len;
	}
	return n;
}

static struct unit *
units(const struct sieve_glob *g, struct span s, bool pattern, struct arena *a, size_t *n)
{
	struct unit *u = NULL;

	/* First how many there are. */
	for (int round = 0; round < 2; round++) {
		*n = 0;
		for (size_t i = 0; i < s.len;) {
			struct buf b = { 0 };
			size_t len;

			if (pattern && (s.p[i] == '*' || s.p[i] == '?')) {
				if (u != NULL)
					u[*n] = (struct unit){ .wild = s.p[i] };
				++*n;
				i++;
				continue;
			}
			if (pattern && s.p[i] == '\\' && i + 1 < s.len)
				i++;
			len = char_len(s, i, false);
			g->comparator->fold(span(s.p + i, len), &b);
			if (u != NULL)
				*n = add_units(u, *n, arena_span(a, buf_span(&b)), (uint32_t)i,
				    (uint32_t)(i + len));
			else
				*n += b.len;
			buf_fini(&b);
			i += len;
		}
		if (u == NULL)
			u = arena_array(a, *n + 1, sizeof(*u));
	}
	return u;
}

static struct span
text_of(struct span v, const struct unit *u, size_t n, size_t from, size_t to)
{
	uint32_t start, end;

	if (from == to || from >= n)
		return span(v.p + (from < n ? u[from].from : v.len), 0);
	start = u[from].from;
	end = u[to - 1].to;
	return span(v.p + start, end - start);
}

static size_t
next_char(const struct unit *u, size_t n, size_t at)
{
	at++;
	while (at < n && u[at].from == u[at].to)
		at++;
	return at;
}

static bool
glob_units(struct sieve_glob *g, struct span pattern, struct span v, struct arena *a)
{
	size_t np, nv, i = 0, j = 0, k = 1, star_from = 0;
	struct unit *p = units(g, pattern, true, a, &np), *u = units(g, v, false, a, &nv);
	struct star star = { 0 };

	g->work += np + nv;
	for (;;) {
		if (++g->work > g->work_max)
			return false;
		if (i < np && p[i].wild == '*') {
			star = (struct star){ true, i + 1, j, k };
			star_from = j;
			capture(g, k++, text_of(v, u, nv, j, j));
			i++;
			continue;
		}
		if (i < np && j < nv && p[i].wild == '?') {
			size_t to = next_char(u, nv, j);

			capture(g, k++, text_of(v, u, nv, j, to));
			i++;
			j = to;
			continue;
		}
		if (i < np && j < nv && span_eq(p[i].folded, u[j].folded)) {
			i++;
			j++;
			continue;
		}
		if (i == np && j == nv)
			break;
		if (!star.met || star.value >= nv)
			return false;
		star.value = next_char(u, nv, star.value);
		capture(g, star.number, text_of(v, u, nv, star_from, star.value));
		i = star.pattern;
		j = star.value;
		k = star.number + 1;
	}
	capture(g, 0, v);
	g->n = k;
	return true;
}

bool
sieve_glob(struct sieve_glob *g, struct span pattern, struct span value, struct arena *scratch)
{
	if (value.p == NULL)
		value = span("", 0);
	if (g->comparator == &sieve_octet || g->comparator == &sieve_ascii_casemap)
		return glob_bytes(g, pattern, value, g->comparator == &sieve_octet);
	return glob_units(g, pattern, value, scratch);
}
