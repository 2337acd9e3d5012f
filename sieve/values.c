/* Values of strings and variables during a run. */
#include <string.h>

#include "common/mime/charset.h"
#include "common/util/mem.h"
#include "sieve/core.h"

struct sieve_value *
sieve_global(struct sieve_run *r, struct span name)
{
	struct sieve_global *g;

	for (g = r->globals; g != NULL; g = g->next)
		if (span_eq(g->name, name))
			return &g->value;
	g = sieve_alloc(r, sizeof(*g));
	g->name = name;
	g->next = r->globals;
	r->globals = g;
	return &g->value;
}

/* What cannot be had is empty; an error and a question end the run at its next step. */
static void
get_namespace(struct sieve_run *r, const struct sieve_namespace *ns, struct span rest,
    struct span *v)
{
	if (ns->get(r, rest, v) == SIEVE_WAIT)
		r->asked = true;
}

static struct span
piece_value(struct sieve_run *r, const struct sieve_var_piece *p)
{
	struct span v = span("", 0);

	switch (p->kind) {
	case SIEVE_P_TEXT:
		return p->text;
	case SIEVE_P_VARIABLE:
		v = r->frame->slots[p->variable->slot]->text;
		break;
	case SIEVE_P_MATCH:
		if (p->index < r->frame->n_captures)
			v = r->frame->captures[p->index];
		break;
	case SIEVE_P_NAMESPACE:
		get_namespace(r, p->ns, p->text, &v);
		break;
	}
	return v.p != NULL ? v : span("", 0);
}

struct span
sieve_string(struct sieve_run *r, const struct sieve_string *s)
{
	struct span v[8], *parts = v;
	size_t len = 0, max = r->limits.string_bytes;
	char *out, *at;

	if (s->n_pieces == 0)
		return s->text;
	if (s->n_pieces == 1)
		return piece_value(r, &s->pieces[0]);
	/* A list may have thousands of them: the run ends before the next step. */
	if (r->arena->used > r->limits.memory_bytes) {
		sieve_work(r, r->node, 0);
		return span("", 0);
	}
	if (s->n_pieces > ARRAY_LEN(v))
		parts = sieve_alloc(r, s->n_pieces * sizeof(*parts));
	for (uint32_t i = 0; i < s->n_pieces; i++) {
		parts[i] = piece_value(r, &s->pieces[i]);
		if (parts[i].len > max - len)
			parts[i] = mime_utf8_cut(parts[i], max - len);
		len += parts[i].len;
	}
	at = out = arena_alloc(r->arena, len + 1);
	for (uint32_t i = 0; i < s->n_pieces; i++) {
		memcpy(at, parts[i].p, parts[i].len);
		at += parts[i].len;
	}
	*at = '\0';
	return span(out, len);
}

const struct span *
sieve_strings(struct sieve_run *r, const struct sieve_strings *s)
{
	struct span *v;

	if (s->values != NULL)
		return s->values;
	v = sieve_alloc(r, (s->n + 1) * sizeof(*v));
	for (size_t i = 0; i < s->n; i++)
		v[i] = sieve_string(r, &s->v[i]);
	return v;
}

enum sieve_step
sieve_set_variable(struct sieve_run *r, const struct sieve_node *n,
    const struct sieve_variable *v, struct span value)
{
	(void)n;
	value = mime_utf8_cut(value, r->limits.variable_bytes);
	value = sieve_span(r, value);
	if (v->ns != NULL)
		return v->ns->set(r, v->name, value);
	r->frame->slots[v->slot]->text = value;
	return SIEVE_NEXT;
}

struct span
sieve_get_variable(struct sieve_run *r, const struct sieve_variable *v)
{
	struct span value = span("", 0);

	if (v->ns != NULL)
		get_namespace(r, v->ns, v->name, &value);
	else
		value = r->frame->slots[v->slot]->text;
	return value.p != NULL ? value : span("", 0);
}

enum sieve_step
sieve_set_modified(struct sieve_run *r, const struct sieve_node *n,
    const struct sieve_variable *v, struct span value)
{
	for (unsigned i = 0; i < n->n_tags; i++) {
		const struct sieve_tagged *t = &n->tags[i];
		struct buf b = { 0 };

		if (t->modifier == NULL)
			continue;
		t->modifier->apply(r, t, value, &b);
		value = sieve_span(r, buf_span(&b));
		buf_fini(&b);
	}
	return sieve_set_variable(r, n, v, value);
}

void
sieve_set_captures(struct sieve_run *r, const struct span *v, size_t n)
{
	struct span *to;

	if (n > (size_t)r->limits.match_variables + 1)
		n = (size_t)r->limits.match_variables + 1;
	to = sieve_alloc(r, (n + 1) * sizeof(*to));
	for (size_t i = 0; i < n; i++)
		to[i] = sieve_span(r, v[i]);
	r->frame->captures = to;
	r->frame->n_captures = n;
}
