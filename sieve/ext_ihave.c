/* ihave (RFC 5463).  That a script which requires it may hold what is not known here is the
 * compiler's part: such a command gets an error that is told when it is run. */
#include "sieve/core.h"
#include "sieve/extensions.h"

static void
check_ihave(struct sieve_compile *c, struct sieve_node *n)
{
	for (size_t i = 0; i < n->args[0].s.n; i++)
		sieve_c_constant(c, n, &n->args[0].s.v[i], "the name of an extension");
}

/* All of them or none. */
static enum sieve_step
test_ihave(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	const struct sieve_strings *s = &n->args[0].s;

	*yes = true;
	for (size_t i = 0; i < s->n && *yes; i++)
		*yes = sieve_bring(r, s->v[i].text, false);
	for (size_t i = 0; i < s->n && *yes; i++)
		sieve_bring(r, s->v[i].text, true);
	return SIEVE_NEXT;
}

static enum sieve_step
run_error(struct sieve_run *r, const struct sieve_node *n)
{
	struct span text = sieve_string(r, &n->args[0].s.v[0]);

	return sieve_fail(r, n, "%.*s", (int)(text.len < 1000 ? text.len : 1000), text.p);
}

static const struct sieve_word words[] = {
	{ .kind = SIEVE_TEST, .name = "ihave", .args = "S", .check = check_ihave,
	    .test = test_ihave },
	{ .kind = SIEVE_COMMAND, .name = "error", .args = "s", .flags = SIEVE_WORD_ENDS,
	    .run = run_error },
	{ 0 }
};

const struct sieve_ext sieve_ext_ihave = {
	.name = "ihave", .flags = SIEVE_EXT_SYNTAX, .words = words
};
