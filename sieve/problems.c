/* Errors and warnings, and what the writer may have meant. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/buf.h"
#include "common/util/mem.h"
#include "sieve/ext.h"
#include "sieve/syntax.h"

void
sieve_problem_v(struct sieve_problems *p, bool warning, struct sieve_place at, const char *fmt,
    va_list ap)
{
	struct buf b = { 0 };

	p->errors += !warning;
	if (p->n == SIEVE_PROBLEMS_MAX)
		return;
	if (p->v == NULL)
		p->v = arena_array(&p->arena, SIEVE_PROBLEMS_MAX, sizeof(*p->v));
	buf_vaddf(&b, fmt, ap);
	/* Words of the script may stand in it. */
	for (size_t i = 0; i < b.len; i++)
		if ((unsigned char)b.data[i] < 32)
			b.data[i] = ' ';
	p->v[p->n++] = (struct sieve_problem){ warning, at.line, at.column,
	    arena_strndup(&p->arena, b.data, b.len) };
	buf_fini(&b);
}

void
sieve_problem(struct sieve_problems *p, bool warning, struct sieve_place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sieve_problem_v(p, warning, at, fmt, ap);
	va_end(ap);
}

static int
by_place(const void *a, const void *b)
{
	const struct sieve_problem *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

void
sieve_problems_sort(struct sieve_problems *p)
{
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), by_place);
}

void
sieve_problems_fini(struct sieve_problems *p)
{
	arena_fini(&p->arena);
	*p = (struct sieve_problems){ 0 };
}

void
sieve_problems_print(const struct sieve_problems *p, const char *name, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct sieve_problem *v = &p->v[i];

		if (name != NULL && name[0] != '\0')
			buf_addf(out, "%s: ", name);
		buf_addf(out, "line %u, column %u: %s: %s\n", v->line, v->column,
		    v->warning ? "warning" : "error", v->text);
	}
	if (p->errors > SIEVE_PROBLEMS_MAX)
		buf_addf(out, "%zu errors in all\n", p->errors);
}

#define NEAR_MAX 40

/* Steps (a letter changed, added, removed, two exchanged) from a to b. */
static unsigned
distance(struct span a, struct span b)
{
	unsigned d[NEAR_MAX + 1][NEAR_MAX + 1];

	for (unsigned i = 0; i <= a.len; i++) {
		for (unsigned j = 0; j <= b.len; j++) {
			unsigned best = i > j ? i : j;

			if (i > 0 && j > 0) {
				bool same = ascii_lower(a.p[i - 1]) == ascii_lower(b.p[j - 1]);

				best = d[i - 1][j - 1] + !same;
				if (d[i - 1][j] + 1 < best)
					best = d[i - 1][j] + 1;
				if (d[i][j - 1] + 1 < best)
					best = d[i][j - 1] + 1;
				if (i > 1 && j > 1 && ascii_lower(a.p[i - 1]) ==
				    ascii_lower(b.p[j - 2]) && ascii_lower(a.p[i - 2]) ==
				    ascii_lower(b.p[j - 1]) && d[i - 2][j - 2] + 1 < best)
					best = d[i - 2][j - 2] + 1;
			}
			d[i][j] = best;
		}
	}
	return d[a.len][b.len];
}

const char *
sieve_nearest(struct span word, const char *const *names)
{
	const char *near = NULL;
	unsigned best = word.len < 4 ? 1 : word.len < 9 ? 2 : 3;

	if (word.len < 2 || word.len > NEAR_MAX)
		return NULL;
	for (; *names != NULL; names++) {
		struct span n = span_str(*names);
		unsigned d;

		if (n.len > NEAR_MAX || n.len < 2)
			continue;
		d = distance(word, n);
		if (d < best || (d == best && near == NULL)) {
			best = d;
			near = *names;
		}
	}
	return near;
}
