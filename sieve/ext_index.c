/* index (RFC 5260 6): one of several fields of a name, counted from the first or the last. */
#include "sieve/ext.h"
#include "sieve/extensions.h"

#define ON "header address date"

static const struct sieve_tag tags[3];

static void
check_index(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	(void)n;
	if (t->value.number == 0)
		sieve_error_at(c, t->value.line, t->value.column,
		    "fields are counted from 1: ':index 0' is none of them");
}

static void
check_last(struct sieve_compile *c, struct sieve_node *n, struct sieve_tagged *t)
{
	if (sieve_tag(n, &tags[0]) == NULL)
		sieve_error_at(c, t->line, t->column,
		    "the :last tag cannot be specified without the :index tag");
}

static size_t
pick(struct sieve_run *r, const struct sieve_node *n, const struct sieve_tagged *t,
    struct sieve_field **v, size_t count)
{
	uint64_t at = t->value.number;

	(void)r;
	if (at == 0 || at > count)
		return 0;
	v[0] = v[sieve_tag(n, &tags[1]) != NULL ? count - at : at - 1];
	return 1;
}

static const struct sieve_tag tags[3] = {
	{ .name = "index", .on = ON, .value = 'n', .check = check_index, .select = pick },
	{ .name = "last", .on = ON, .check = check_last },
	{ 0 }
};

const struct sieve_ext sieve_ext_index = {
	.name = "index", .tags = tags
};
