/* require (RFC 5228 3.2): which extensions are in force. */
#include <string.h>

#include "sieve/core.h"

size_t
sieve_c_find(const struct sieve_compile *c, struct span name)
{
	size_t i = 0;

	while (i < c->script->n_exts && !span_eq_str(name, c->script->exts[i]->name))
		i++;
	return i;
}

const char *
sieve_c_guess_ext(const struct sieve_compile *c, struct span name)
{
	const char *names[SIEVE_EXTS_MAX + 1];
	size_t n = 0;

	for (size_t i = 0; i < c->script->n_exts; i++)
		if ((c->script->exts[i]->flags & SIEVE_EXT_BASE) == 0)
			names[n++] = c->script->exts[i]->name;
	names[n] = NULL;
	return sieve_nearest(name, names);
}

static bool
known(struct span name)
{
	for (size_t i = 0; sieve_extensions[i] != NULL; i++)
		if (span_eq_str(name, sieve_extensions[i]->name))
			return true;
	return false;
}

static void
unknown_ext(struct sieve_compile *c, const struct sieve_string *s)
{
	int len = (int)(s->text.len < 64 ? s->text.len : 64);
	const char *near;

	if (known(s->text)) {
		sieve_error_at(c, s->line, s->column,
		    "the extension \"%.*s\" is not available here", len, s->text.p);
		return;
	}
	near = sieve_c_guess_ext(c, s->text);
	if (near != NULL)
		sieve_error_at(c, s->line, s->column,
		    "unknown extension \"%.*s\": did you mean \"%s\"?", len, s->text.p, near);
	else
		sieve_error_at(c, s->line, s->column, "unknown extension \"%.*s\"", len,
		    s->text.p);
}

static void
imply(struct sieve_compile *c, const struct sieve_ext *e)
{
	struct span rest = span_str(e->implies);

	while (rest.len > 0) {
		size_t i = sieve_c_find(c, span_cut(&rest, ' '));

		if (i < c->script->n_exts && !sieve_set_has(&c->script->required, i)) {
			sieve_set_add(&c->script->required, i);
			sieve_set_add(&c->used, i);	/* not one's own wish */
			if (c->script->exts[i]->required != NULL)
				c->script->exts[i]->required(c);
		}
	}
}

/* With ihave every extension that changes no syntax may come into force later. */
static void
ihave_possible(struct sieve_compile *c)
{
	c->ihave = true;
	for (size_t i = 0; i < c->script->n_exts; i++)
		if ((c->script->exts[i]->flags & (SIEVE_EXT_SYNTAX | SIEVE_EXT_BASE)) == 0)
			sieve_set_add(&c->script->possible, i);
}

static void
require_one(struct sieve_compile *c, const struct sieve_string *s)
{
	size_t i = sieve_c_find(c, s->text);
	const struct sieve_ext *e;

	if (i == c->script->n_exts || (c->script->exts[i]->flags & SIEVE_EXT_BASE) != 0) {
		unknown_ext(c, s);
		return;
	}
	e = c->script->exts[i];
	if (c->required_at[i].line != 0)
		sieve_problem(c->problems, true, (struct sieve_place){ s->line, s->column },
		    "\"%s\" is required already, in line %u", e->name, c->required_at[i].line);
	else
		c->required_at[i] = (struct sieve_place){ s->line, s->column };
	if (sieve_set_has(&c->script->required, i))
		return;
	sieve_set_add(&c->script->required, i);
	if (strcmp(e->name, "ihave") == 0)
		ihave_possible(c);
	if (e->implies != NULL)
		imply(c, e);
	if (e->required != NULL)
		e->required(c);
}

void
sieve_c_require_late(struct sieve_compile *c, const struct sieve_strings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		size_t ext = sieve_c_find(c, s->v[i].text);

		if (ext < c->script->n_exts)
			sieve_set_add(&c->script->required, ext);
	}
}

void
sieve_c_require(struct sieve_compile *c, struct sieve_node *n, const struct sieve_strings *s)
{
	if (s->n == 0)
		sieve_warn(c, n, "this require names no extension");
	for (size_t i = 0; i < s->n; i++)
		require_one(c, &s->v[i]);
}
