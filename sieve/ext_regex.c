/* regex (draft-ietf-sieve-regex): the match type :regex, with expressions of sieve/regex. */
#include "common/util/mem.h"
#include "sieve/core.h"
#include "sieve/extensions.h"
#include "sieve/regex.h"

#define SCRIPT_BYTES	(8u << 20)	/* of memory that a script's expressions may bring it to */
#define WORK_STEP	256u		/* looks at a character that make a step */

static bool
folds(const struct sieve_match *m)
{
	return m->comparator == &sieve_ascii_casemap;
}

static struct sieve_regex *
compile_key(struct sieve_compile *c, const struct sieve_string *s, bool fold)
{
	struct sieve_regex *re;
	char why[120];

	if (c->script->arena.used > SCRIPT_BYTES) {
		sieve_error_at(c, s->line, s->column,
		    "the regular expressions of this script take too much memory");
		return NULL;
	}
	re = sieve_regex_new(&c->script->arena, s->text, fold, why, NULL);
	if (re == NULL)
		sieve_error_at(c, s->line, s->column, "\"%.*s\" is no regular expression: %s",
		    (int)(s->text.len < 80 ? s->text.len : 80), s->text.p, why);
	return re;
}

static void
check(struct sieve_compile *c, struct sieve_node *n, struct sieve_match *m)
{
	const struct sieve_strings *keys = m->keys;
	struct sieve_regex **v;

	if (m->comparator != &sieve_octet && m->comparator != &sieve_ascii_casemap) {
		sieve_error(c, n, "':regex' cannot be used with the comparator \"%s\": "
		    "expected \"i;octet\" or \"i;ascii-casemap\"", m->comparator->name);
		return;
	}
	v = sieve_c_alloc(c, (keys->n + 1) * sizeof(struct sieve_regex *));
	for (size_t i = 0; i < keys->n; i++) {
		if (!sieve_constant(&keys->v[i]))
			continue;
		v[i] = compile_key(c, &keys->v[i], folds(m));
		if (v[i] == NULL)
			return;
	}
	m->data = v;
}

/* --- keys with variables --------------------------------------------------------------------- */

struct made {
	struct span		key;
	bool			fold;
	struct sieve_regex	*re;
	struct made		*next;
};
struct state {
	struct made	*made;
};

static void
tell(struct sieve_matching *m, struct span key, const char *why, bool fails)
{
	int len = (int)(key.len < 80 ? key.len : 80);

	if (fails)
		sieve_fail(m->run, m->node, "\"%.*s\" is no regular expression: %s", len, key.p, why);
	else
		sieve_warn_run(m->run, m->node, "\"%.*s\" is no regular expression: %s", len, key.p,
		    why);
}

/* Of this run, made once.  NULL: it is none, and nothing matches it: what stands in a message must
 * not decide whether the rest of a script runs.  One that meets a limit fails the run. */
static struct sieve_regex *
runtime_key(struct sieve_matching *m, struct span key)
{
	struct sieve_run *r = m->run;
	struct state *state = sieve_run_state(r, &sieve_ext_regex, sizeof(*state));
	struct made *k;
	uint64_t looked = 0;
	char why[120];
	bool limit;

	for (k = state->made; k != NULL; k = k->next, looked++)
		if (k->fold == folds(m->match) && span_eq(k->key, key))
			break;
	if (sieve_work(r, m->node, looked / 16 + (k == NULL ? 1 + key.len / 16 : 0)) != SIEVE_NEXT)
		return NULL;
	if (k != NULL)
		return k->re;
	k = sieve_alloc(r, sizeof(*k));
	k->key = sieve_span(r, key);
	k->fold = folds(m->match);
	k->re = sieve_regex_new(sieve_arena(r), k->key, k->fold, why, &limit);
	if (k->re == NULL)
		tell(m, key, why, limit);
	k->next = state->made;
	return (state->made = k)->re;
}

/* --- matching -------------------------------------------------------------------------------- */

static enum sieve_step
one_key(struct sieve_matching *m, struct span value, size_t i, const struct sieve_regex *re)
{
	struct span captures[SIEVE_REGEX_GROUPS + 1];
	struct sieve_run *r = m->run;
	size_t max = sieve_matching_captures(m) ? sieve_regex_groups(re) + 1 : 0;
	uint64_t left, before;
	enum sieve_regex_found found;

	if (max > r->limits.match_variables + 1u)
		max = r->limits.match_variables + 1u;
	left = before = ((uint64_t)r->limits.steps - r->steps + 1) * WORK_STEP;
	found = sieve_regex_find(re, value, captures, max, &left);
	if (sieve_work(r, m->node, (before - left) / WORK_STEP) != SIEVE_NEXT ||
	    found == SIEVE_REGEX_LIMIT)
		return SIEVE_ERROR;
	if (found == SIEVE_REGEX_NO)
		return SIEVE_NEXT;
	for (size_t k = 0; k < max; k++)
		if (captures[k].p == NULL)
			captures[k] = span("", 0);
	sieve_matching_hit(m, value, i);
	if (max > 0)
		sieve_set_captures(r, captures, max);
	return SIEVE_NEXT;
}

static enum sieve_step
value(struct sieve_matching *m, struct span value)
{
	struct sieve_regex *const *made = m->match->data;
	enum sieve_step step = SIEVE_NEXT;

	for (size_t i = 0; i < m->n_keys && step == SIEVE_NEXT && !m->hit; i++) {
		const struct sieve_regex *re = made[i];

		if (re == NULL)
			re = runtime_key(m, m->keys[i]);
		if (re != NULL)
			step = one_key(m, value, i, re);
		else if (m->run->failed)
			step = SIEVE_ERROR;
	}
	return step;
}

static const struct sieve_match_type types[] = {
	{ .name = "regex", .substrings = true, .check = check, .value = value },
	{ 0 }
};

const struct sieve_ext sieve_ext_regex = {
	.name = "regex", .match_types = types
};
