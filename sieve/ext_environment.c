/* environment (RFC 5183): what the script runs in.  Items come with the run; name and version are
 * always there. */
#include <string.h>

#include "config.h"
#include "sieve/ext.h"
#include "sieve/extensions.h"

/* false: not known here, which no test matches. */
static bool
item(struct sieve_run *r, struct span name, struct span *value)
{
	const struct sieve_env *env = sieve_env(r);

	for (size_t i = 0; i < env->n_items; i++) {
		if (span_caseeq_str(name, env->items[i].name)) {
			*value = env->items[i].value;
			return value->p != NULL;
		}
	}
	if (span_caseeq_str(name, "name"))
		*value = SPAN_LIT("Mansio");
	else if (span_caseeq_str(name, "version"))
		*value = span_str(PACKAGE_VERSION);
	else if (span_caseeq_str(name, "remote-host"))
		*value = SPAN_LIT("");		/* "if it cannot be obtained" */
	else if (sieve_event_item(name))
		*value = SPAN_LIT("");
	else
		return false;
	return true;
}

static enum sieve_step
environment(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	struct sieve_matching m;
	enum sieve_step step;
	struct span value;

	*yes = false;
	if (!item(r, sieve_string(r, &n->args[0].s.v[0]), &value))
		return SIEVE_NEXT;
	step = sieve_matching_begin(r, n, &m);
	/* An empty one does not count (RFC 5183 4). */
	if (step == SIEVE_NEXT && (value.len > 0 || n->match->type->value != NULL))
		step = sieve_matching_value(&m, value);
	return sieve_matching_end(&m, step, yes);
}

static const struct sieve_word words[] = {
	{ .kind = SIEVE_TEST, .name = "environment", .args = "sS", .flags = SIEVE_WORD_MATCH,
	    .test = environment },
	{ 0 }
};

const struct sieve_ext sieve_ext_environment = {
	.name = "environment", .words = words
};
