/* foreverypart (RFC 5703 3): a loop over the parts of the message, or over those inside of the part
 * that the loop around it is at; break. */
#include <string.h>

#include "sieve/content.h"
#include "sieve/ext_foreverypart.h"
#include "sieve/extensions.h"

static const struct sieve_tag tags[2];

struct state {
	unsigned	loops;		/* that run, inside one another */
	unsigned	enclosed;	/* how often the message was enclosed */
};

static struct state *
state_of(struct sieve_run *r)
{
	return sieve_run_state(r, &sieve_ext_foreverypart, sizeof(struct state));
}

bool
sieve_in_loop(struct sieve_run *r)
{
	return state_of(r)->loops > 0;
}

void
sieve_leave_loops(struct sieve_run *r)
{
	state_of(r)->enclosed++;
	sieve_set_part(r, 0);
}

const struct sieve_node *
sieve_loop_around(const struct sieve_node *n)
{
	for (n = n->parent; n != NULL; n = n->parent)
		if (strcmp(n->word->name, "foreverypart") == 0)
			return n;
	return NULL;
}

static struct span
name_of(const struct sieve_node *n)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[0]);

	/* Without a value: an error in it was told. */
	return t != NULL && t->value.s.n > 0 ? t->value.s.v[0].text : SPAN_NONE;
}

/* --- the loop -------------------------------------------------------------------------------- */

static void
check_loop(struct sieve_compile *c, struct sieve_node *n)
{
	const struct sieve_node *up = n;
	unsigned depth = 1;

	while ((up = sieve_loop_around(up)) != NULL)
		depth++;
	if (depth > sieve_c_limits(c)->nested_loops)
		sieve_error(c, n, "loops are nested too deeply: at most %u are allowed inside one "
		    "another", sieve_c_limits(c)->nested_loops);
	if (n->n_block == 0)
		sieve_warn(c, n, "the block of this 'foreverypart' is empty: it does nothing");
}

/* What is looped over now: replace may have taken parts away. */
static enum sieve_step
bounds(struct sieve_run *r, const struct sieve_node *n, bool inner, uint32_t around,
    uint32_t *end)
{
	const struct mime_part *parts;
	size_t count;

	if (sieve_parts(r, n, &parts, &count) != SIEVE_NEXT)
		return SIEVE_ERROR;
	*end = (uint32_t)count;
	if (inner)
		*end = around < count ? sieve_parts_end(parts, count, around) : 0;
	return SIEVE_NEXT;
}

static enum sieve_step
loop(struct sieve_run *r, const struct sieve_node *n, struct state *s, bool inner)
{
	uint32_t around = sieve_part(r), i = inner ? around + 1 : 0, end;
	unsigned enclosed = s->enclosed;
	enum sieve_step step = bounds(r, n, inner, around, &end);

	for (; step == SIEVE_NEXT && i < end; i++) {
		step = sieve_work(r, n, 1);
		if (step != SIEVE_NEXT)
			break;
		sieve_set_part(r, i);
		step = sieve_block(r, n);
		if (s->enclosed != enclosed)
			break;		/* the parts are those of another message now */
		if (step == SIEVE_NEXT)
			step = bounds(r, n, inner, around, &end);
	}
	if (s->enclosed == enclosed)
		sieve_set_part(r, around);
	return step;
}

static enum sieve_step
run_loop(struct sieve_run *r, const struct sieve_node *n)
{
	struct state *s = state_of(r);
	enum sieve_step step;

	if (s->loops >= sieve_limits(r)->nested_loops)
		return sieve_fail(r, n, "loops are nested too deeply: at most %u are allowed "
		    "inside one another", sieve_limits(r)->nested_loops);
	step = loop(r, n, s, s->loops++ > 0);
	s->loops--;
	if (step == SIEVE_BREAK && sieve_break(r) == n) {
		sieve_set_break(r, NULL);
		step = SIEVE_NEXT;
	}
	return step;
}

/* --- break ----------------------------------------------------------------------------------- */

static void
check_break(struct sieve_compile *c, struct sieve_node *n)
{
	struct span name = name_of(n);
	const struct sieve_node *to = sieve_loop_around(n);

	if (to == NULL) {
		sieve_error(c, n, "'break' stands outside of any 'foreverypart'");
		return;
	}
	while (name.p != NULL && to != NULL && !span_eq(name_of(to), name))
		to = sieve_loop_around(to);
	if (to == NULL)
		sieve_error(c, n, "no 'foreverypart' around this 'break' has the name \"%.*s\"",
		    (int)(name.len < 64 ? name.len : 64), name.p);
	n->data = sieve_c_alloc(c, sizeof(const struct sieve_node *));
	*(const struct sieve_node **)n->data = to;
}

static enum sieve_step
run_break(struct sieve_run *r, const struct sieve_node *n)
{
	sieve_set_break(r, *(const struct sieve_node *const *)n->data);
	return SIEVE_BREAK;
}

static const struct sieve_tag tags[2] = {
	{ .name = "name", .on = "foreverypart break", .value = 's', .constant = true },
	{ 0 }
};

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "foreverypart", .args = "b", .check = check_loop,
	    .run = run_loop },
	{ .kind = SIEVE_COMMAND, .name = "break", .args = "", .flags = SIEVE_WORD_ENDS,
	    .check = check_break, .run = run_break },
	{ 0 }
};

const struct sieve_ext sieve_ext_foreverypart = {
	.name = "foreverypart", .words = words, .tags = tags
};
