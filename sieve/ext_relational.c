/* relational (RFC 5231): :value and :count.  Also a model of an extension that adds match types. */
#include <stdio.h>

#include "sieve/ext.h"
#include "sieve/extensions.h"

enum relation { GT = 1, GE, LT, LE, EQ, NE };

static enum relation
relation(struct span s)
{
	static const char *const names[] = { "gt", "ge", "lt", "le", "eq", "ne" };

	for (unsigned i = 0; i < 6; i++)
		if (span_caseeq_str(s, names[i]))
			return (enum relation)(i + 1);
	return 0;
}

static bool
holds(enum relation r, int order)
{
	switch (r) {
	case GT: return order > 0;
	case GE: return order >= 0;
	case LT: return order < 0;
	case LE: return order <= 0;
	case EQ: return order == 0;
	case NE: return order != 0;
	}
	return false;
}

static void
check(struct sieve_compile *c, struct sieve_node *n, struct sieve_match *m)
{
	const struct sieve_string *s = &m->param.v[0];

	(void)n;
	if (sieve_constant(s) && relation(s->text) == 0)
		sieve_error_at(c, s->line, s->column, "\"%.*s\" is no relation: "
		    "expected \"gt\", \"ge\", \"lt\", \"le\", \"eq\" or \"ne\"",
		    (int)(s->text.len < 32 ? s->text.len : 32), s->text.p);
}

static enum sieve_step
the_relation(struct sieve_matching *m, enum relation *r)
{
	struct span s = sieve_string(m->run, &m->match->param.v[0]);

	*r = relation(s);
	if (*r == 0)
		return sieve_fail(m->run, m->node, "\"%.*s\" is no relation",
		    (int)(s.len < 32 ? s.len : 32), s.p);
	return SIEVE_NEXT;
}

static enum sieve_step
compare(struct sieve_matching *m, struct span value)
{
	enum relation r;
	enum sieve_step step = the_relation(m, &r);

	for (size_t i = 0; step == SIEVE_NEXT && i < m->n_keys && !m->hit; i++)
		if (holds(r, sieve_matching_compare(m, value, i)))
			sieve_matching_hit(m, value, i);
	return step;
}

/* The number of values as a string, after the last of them. */
static enum sieve_step
count(struct sieve_matching *m)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)m->count);

	return compare(m, span(text, (size_t)len));
}

static const struct sieve_match_type match_types[] = {
	{ .name = "value", .param = true, .check = check, .value = compare },
	{ .name = "count", .param = true, .check = check, .end = count },
	{ 0 }
};

const struct sieve_ext sieve_ext_relational = {
	.name = "relational", .match_types = match_types
};
