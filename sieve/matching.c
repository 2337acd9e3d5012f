/* Values against keys, with any comparator and match type. */
#include <string.h>

#include "common/util/mem.h"
#include "sieve/core.h"

#define WORK_BYTES	1024u		/* compared, that make a step */
#define VALUE_BYTES	32u		/* that a comparison costs whatever its length */

enum sieve_step
sieve_matching_begin(struct sieve_run *r, const struct sieve_node *n, struct sieve_matching *m)
{
	const struct sieve_match *match = n->match;

	m->run = r;
	m->node = n;
	m->match = match;
	m->n_keys = match->keys->n;
	m->keys = match->keys->values;
	m->folded = match->folded;
	m->count = 0;
	m->hit = false;
	if (m->keys == NULL)
		m->keys = sieve_strings(r, match->keys);
	return SIEVE_NEXT;
}

/* Short values count together: a field may have thousands of addresses. */
static enum sieve_step
work(struct sieve_matching *m, struct span value)
{
	struct sieve_run *r = m->run;
	uint64_t bytes = r->compared + ((uint64_t)value.len + VALUE_BYTES) * m->n_keys;

	r->compared = (uint32_t)(bytes % WORK_BYTES);
	return bytes < WORK_BYTES ? SIEVE_NEXT : sieve_work(r, m->node, bytes / WORK_BYTES);
}

enum sieve_step
sieve_matching_value(struct sieve_matching *m, struct span value)
{
	m->count++;
	if (m->match->type->value == NULL)
		return SIEVE_NEXT;
	if (work(m, value) != SIEVE_NEXT)
		return SIEVE_ERROR;
	return m->match->type->value(m, value.p != NULL ? value : span("", 0));
}

enum sieve_step
sieve_matching_end(struct sieve_matching *m, enum sieve_step step, bool *yes)
{
	if (step == SIEVE_NEXT && !m->hit && m->match->type->end != NULL)
		step = m->match->type->end(m);
	*yes = m->hit;
	return step;
}

bool
sieve_matching_captures(const struct sieve_matching *m)
{
	return sieve_captures(m->run) && (m->node->word->flags & SIEVE_WORD_NO_CAPTURES) == 0;
}

void
sieve_matching_hit(struct sieve_matching *m, struct span value, size_t i)
{
	m->hit = true;
	if (m->run->env->trace != NULL) {
		m->run->hit_value = sieve_span(m->run, value);
		m->run->hit_key = m->keys[i];
	}
}

/* Keys in their folded form: of constant ones it was made by the compiler. */
static const struct span *
folded_keys(struct sieve_matching *m)
{
	const struct sieve_comparator *c = m->match->comparator;
	struct span *v;

	if (m->folded != NULL || c->fold == NULL)
		return m->folded != NULL ? m->folded : m->keys;
	v = sieve_alloc(m->run, (m->n_keys + 1) * sizeof(*v));
	for (size_t i = 0; i < m->n_keys; i++) {
		buf_clear(&m->run->scratch);
		c->fold(m->keys[i], &m->run->scratch);
		v[i] = sieve_span(m->run, buf_span(&m->run->scratch));
	}
	return m->folded = v;
}

/* Borrowed until the next comparison. */
static struct span
folded_value(struct sieve_matching *m, struct span value)
{
	if (m->match->comparator->fold == NULL)
		return value;
	buf_clear(&m->run->scratch);
	m->match->comparator->fold(value, &m->run->scratch);
	return m->run->scratch.len > 0 ? buf_span(&m->run->scratch) : span("", 0);
}

static int
by_octets(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int d = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return d != 0 ? d : a.len < b.len ? -1 : a.len > b.len;
}

int
sieve_matching_compare(struct sieve_matching *m, struct span value, size_t i)
{
	const struct span *keys;

	if (m->match->comparator->compare != NULL)
		return m->match->comparator->compare(value, m->keys[i]);
	keys = folded_keys(m);
	return by_octets(folded_value(m, value), keys[i]);
}

/* --- :is, :contains, :matches ---------------------------------------------------------------- */

static enum sieve_step
value_is(struct sieve_matching *m, struct span value)
{
	const struct sieve_comparator *c = m->match->comparator;

	if (c->compare == NULL && c != &sieve_octet && c != &sieve_ascii_casemap)
		value = folded_value(m, value);
	for (size_t i = 0; i < m->n_keys && !m->hit; i++) {
		bool same;

		if (c == &sieve_ascii_casemap)
			same = span_caseeq(value, m->keys[i]);
		else if (c->compare != NULL)
			same = c->compare(value, m->keys[i]) == 0;
		else
			same = by_octets(value, folded_keys(m)[i]) == 0;
		if (same)
			sieve_matching_hit(m, value, i);
	}
	return SIEVE_NEXT;
}

static enum sieve_step
value_contains(struct sieve_matching *m, struct span value)
{
	const struct span *keys = folded_keys(m);
	struct span v = folded_value(m, value);

	for (size_t i = 0; i < m->n_keys && !m->hit; i++)
		if (keys[i].len == 0 || (keys[i].len <= v.len &&
		    memmem(v.p, v.len, keys[i].p, keys[i].len) != NULL))
			sieve_matching_hit(m, value, i);
	return SIEVE_NEXT;
}

static enum sieve_step
value_matches(struct sieve_matching *m, struct span value)
{
	struct sieve_run *r = m->run;
	struct span captures[100];
	struct sieve_glob g = { .comparator = m->match->comparator, .max = ARRAY_LEN(captures) };

	if (sieve_matching_captures(m))
		g.captures = captures;
	for (size_t i = 0; i < m->n_keys && !m->hit; i++) {
		g.work = 0;
		g.work_max = ((uint64_t)r->limits.steps - r->steps) * WORK_BYTES;
		if (sieve_glob(&g, m->keys[i], value, r->arena))
			sieve_matching_hit(m, value, i);
		if (g.work >= WORK_BYTES &&
		    sieve_work(r, m->node, g.work / WORK_BYTES + 1) != SIEVE_NEXT)
			return SIEVE_ERROR;
	}
	if (m->hit && g.captures != NULL)
		sieve_set_captures(r, captures, g.n < g.max ? g.n : g.max);
	return SIEVE_NEXT;
}

const struct sieve_match_type sieve_base_match_types[] = {
	{ .name = "is", .value = value_is },
	{ .name = "contains", .substrings = true, .value = value_contains },
	{ .name = "matches", .substrings = true, .value = value_matches },
	{ 0 }
};
