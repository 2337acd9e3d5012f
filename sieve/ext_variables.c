/* variables (RFC 5229): set, string, modifiers.  What "${...}" stands for is found by compile_string.c
 * and looked up by values.c. */
#include "sieve/ext.h"
#include "sieve/extensions.h"

static void
check_set(struct sieve_compile *c, struct sieve_node *n)
{
	union { const struct sieve_variable *v; void *data; } u;

	u.v = sieve_c_variable(c, &n->args[0].s.v[0]);
	n->data = u.data;
}

static enum sieve_step
run_set(struct sieve_run *r, const struct sieve_node *n)
{
	return sieve_set_modified(r, n, n->data, sieve_string(r, &n->args[1].s.v[0]));
}

/* An empty string counts nothing (RFC 5229 5). */
static enum sieve_step
test_string(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	const struct span *values = sieve_strings(r, &n->args[0].s);
	bool counts = n->match->type->value == NULL;
	struct sieve_matching m;
	enum sieve_step step = sieve_matching_begin(r, n, &m);

	for (size_t i = 0; i < n->args[0].s.n && step == SIEVE_NEXT && !m.hit; i++)
		if (!counts || values[i].len > 0)
			step = sieve_matching_value(&m, values[i]);
	return sieve_matching_end(&m, step, yes);
}

static const struct sieve_word words[] = {
	{ .kind = SIEVE_COMMAND, .name = "set", .args = "ss", .flags = SIEVE_WORD_MODIFIERS,
	    .check = check_set, .run = run_set },
	{ .kind = SIEVE_TEST, .name = "string", .args = "SS", .flags = SIEVE_WORD_MATCH,
	    .test = test_string },
	{ 0 }
};

/* --- modifiers (4.1) ------------------------------------------------------------------------- */

static void
lower(struct sieve_run *r, const struct sieve_tagged *t, struct span in, struct buf *out)
{
	(void)r;
	(void)t;
	for (size_t i = 0; i < in.len; i++)
		buf_add_c(out, ascii_lower(in.p[i]));
}

static void
upper(struct sieve_run *r, const struct sieve_tagged *t, struct span in, struct buf *out)
{
	(void)r;
	(void)t;
	for (size_t i = 0; i < in.len; i++)
		buf_add_c(out, ascii_upper(in.p[i]));
}

static void
lower_first(struct sieve_run *r, const struct sieve_tagged *t, struct span in, struct buf *out)
{
	lower(r, t, span_sub(in, 0, 1), out);
	buf_add_span(out, span_sub(in, 1, in.len));
}

static void
upper_first(struct sieve_run *r, const struct sieve_tagged *t, struct span in, struct buf *out)
{
	upper(r, t, span_sub(in, 0, 1), out);
	buf_add_span(out, span_sub(in, 1, in.len));
}

/* What is too long ends before an escape, and not in it. */
static void
quote_wildcard(struct sieve_run *r, const struct sieve_tagged *t, struct span in,
    struct buf *out)
{
	(void)t;
	for (size_t i = 0; i < in.len; i++) {
		bool quote = in.p[i] == '*' || in.p[i] == '?' || in.p[i] == '\\';

		if (quote && out->len + 2 > sieve_limits(r)->variable_bytes)
			return;
		if (quote)
			buf_add_c(out, '\\');
		buf_add_c(out, in.p[i]);
	}
}

/* In characters. */
static void
length(struct sieve_run *r, const struct sieve_tagged *t, struct span in, struct buf *out)
{
	uint64_t n = 0;

	(void)r;
	(void)t;
	for (size_t i = 0; i < in.len; i++)
		n += ((unsigned char)in.p[i] & 0xC0) != 0x80;
	buf_add_u64(out, n);
}

static const struct sieve_modifier modifiers[] = {
	{ "lower", 40, 0, lower },
	{ "upper", 40, 0, upper },
	{ "lowerfirst", 30, 0, lower_first },
	{ "upperfirst", 30, 0, upper_first },
	{ "quotewildcard", 20, 0, quote_wildcard },
	{ "length", 10, 0, length },
	{ 0 }
};

const struct sieve_ext sieve_ext_variables = {
	.name = "variables", .flags = SIEVE_EXT_SYNTAX, .words = words, .modifiers = modifiers
};
