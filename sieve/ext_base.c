/* The base language: RFC 5228 3, 4 and 5. */
#include <string.h>

#include "sieve/core.h"
#include "sieve/extensions.h"

/* --- control --------------------------------------------------------------------------------- */

static void
check_require(struct sieve_compile *c, struct sieve_node *n)
{
	if (!c->head || n->parent != NULL) {
		sieve_error(c, n, "'require' must stand at the head of the script, "
		    "before any other command");
		sieve_c_require_late(c, &n->args[0].s);
		return;
	}
	sieve_c_require(c, n, &n->args[0].s);
}

static enum sieve_step
run_nothing(struct sieve_run *r, const struct sieve_node *n)
{
	(void)r;
	(void)n;
	return SIEVE_NEXT;
}

static enum sieve_step
run_if(struct sieve_run *r, const struct sieve_node *n)
{
	for (; n != NULL; n = n->otherwise) {
		bool yes = true;

		if (n->n_tests > 0) {
			enum sieve_step step = sieve_test(r, n->tests[0], &yes);

			if (step != SIEVE_NEXT)
				return step;
		}
		if (yes)
			return sieve_block(r, n);
	}
	return SIEVE_NEXT;
}

static void
check_block(struct sieve_compile *c, struct sieve_node *n)
{
	if (n->n_block == 0 && n->n_tests > 0)
		sieve_warn(c, n, "the block of this '%s' is empty: it does nothing",
		    n->word->name);
}

static enum sieve_step
run_stop(struct sieve_run *r, const struct sieve_node *n)
{
	(void)r;
	(void)n;
	return SIEVE_STOP;
}

/* --- actions --------------------------------------------------------------------------------- */

static enum sieve_step
run_keep(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_action *a = sieve_action_new(r, n, SIEVE_STORE);

	a->store.keep = true;
	a->store.mailbox = SPAN_LIT("INBOX");
	return sieve_act(r, n, &a);
}

static enum sieve_step
run_discard(struct sieve_run *r, const struct sieve_node *n)
{
	(void)n;
	sieve_cancel_keep(r);
	return SIEVE_NEXT;
}

static void
check_redirect(struct sieve_compile *c, struct sieve_node *n)
{
	for (unsigned i = 0; i < n->n_tags; i++)
		if (n->tags[i].tag != NULL && strcmp(n->tags[i].tag->name, "list") == 0)
			return;		/* it names lists */
	sieve_c_address(c, &n->args[0].s.v[0]);
}

static enum sieve_step
run_redirect(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_action *a = sieve_action_new(r, n, SIEVE_REDIRECT);
	struct span text = sieve_string(r, &n->args[0].s.v[0]);

	if (!sieve_address_plain(r->arena, text, &a->redirect.address))
		a->redirect.address = text;
	return sieve_act(r, n, &a);
}

/* --- tests ----------------------------------------------------------------------------------- */

static enum sieve_step
test_true(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	(void)r;
	(void)n;
	*yes = true;
	return SIEVE_NEXT;
}

static enum sieve_step
test_false(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	(void)r;
	(void)n;
	*yes = false;
	return SIEVE_NEXT;
}

static enum sieve_step
test_not(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	enum sieve_step step = sieve_test(r, n->tests[0], yes);

	*yes = !*yes;
	return step;
}

static enum sieve_step
test_allof(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	enum sieve_step step = SIEVE_NEXT;

	*yes = true;
	for (uint32_t i = 0; i < n->n_tests && *yes && step == SIEVE_NEXT; i++)
		step = sieve_test(r, n->tests[i], yes);
	return step;
}

static enum sieve_step
test_anyof(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	enum sieve_step step = SIEVE_NEXT;

	*yes = false;
	for (uint32_t i = 0; i < n->n_tests && !*yes && step == SIEVE_NEXT; i++)
		step = sieve_test(r, n->tests[i], yes);
	return step;
}

static void
check_names(struct sieve_compile *c, struct sieve_node *n)
{
	for (size_t i = 0; i < n->args[0].s.n; i++)
		sieve_c_field_name(c, &n->args[0].s.v[i]);
}

static enum sieve_step
test_header(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	struct sieve_matching m;
	struct sieve_values v;
	struct sieve_found f;
	enum sieve_step step = sieve_matching_begin(r, n, &m);

	if (step == SIEVE_NEXT)
		step = sieve_values_begin(r, n, &n->args[0].s, &v);
	while (step == SIEVE_NEXT && !m.hit && sieve_values_next(&v, &f)) {
		struct span one, *values;
		size_t many = sieve_values_of(&v, &f, &one, &values);

		for (size_t i = 0; i < many && step == SIEVE_NEXT && !m.hit; i++)
			step = sieve_matching_value(&m, values[i]);
	}
	return sieve_matching_end(&m, step, yes);
}

/* True when there is a field of each name. */
static enum sieve_step
test_exists(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	enum sieve_step step = SIEVE_NEXT;

	*yes = true;
	for (size_t i = 0; i < n->args[0].s.n && *yes && step == SIEVE_NEXT; i++) {
		struct sieve_strings name = { .v = &n->args[0].s.v[i], .n = 1 };
		struct sieve_values v;
		struct sieve_found f;

		step = sieve_values_begin(r, n, &name, &v);
		*yes = step == SIEVE_NEXT && sieve_values_next(&v, &f);
	}
	return step;
}

/* Fields that hold addresses (RFC 5228 5.1); the test sees no others. */
static bool
has_addresses(struct span name)
{
	static const char *const names[] = { "from", "to", "cc", "bcc", "sender", "reply-to",
	    "resent-from", "resent-to", "resent-cc", "resent-bcc", "resent-sender",
	    "resent-reply-to", "mail-followup-to", "mail-reply-to", "return-path", "delivered-to",
	    "x-original-to", "original-to", "envelope-to", "x-envelope-to", "x-envelope-from",
	    "errors-to", "disposition-notification-to", "return-receipt-to", "original-from",
	    "approved", "apparently-to", "x-forwarded-to", "x-delivered-to", "for-approval",
	    "for-handling", "for-comment", "x-admin", "read-receipt-to", "x-confirm-reading-to",
	    "return-receipt-requested", "registered-mail-reply-requested-by", "x-original-from",
	    "x-report-abuse-to", "x-complaints-to", "abuse-reports-to", "x-beenthere",
	    "delivered-from", "list-post", NULL };

	for (size_t i = 0; names[i] != NULL; i++)
		if (span_caseeq_str(name, names[i]))
			return true;
	return span_has_caseprefix(name, "x-");		/* its sender knows */
}

/* A tag looks at other headers, those of parts, where any field may hold addresses (RFC 5703 4.2). */
static bool
other_headers(const struct sieve_node *n)
{
	for (unsigned i = 0; i < n->n_tags; i++)
		if (n->tags[i].tag != NULL && n->tags[i].tag->headers != NULL)
			return true;
	return false;
}

static void
check_address(struct sieve_compile *c, struct sieve_node *n)
{
	for (size_t i = 0; i < n->args[0].s.n; i++) {
		const struct sieve_string *s = &n->args[0].s.v[i];

		if (sieve_c_field_name(c, s) && sieve_constant(s) && !other_headers(n) &&
		    !has_addresses(s->text))
			sieve_error_at(c, s->line, s->column, "the field '%.*s' is not allowed for the "
			    "address test, as it does not hold addresses: use 'header'",
			    (int)(s->text.len < 64 ? s->text.len : 64), s->text.p);
	}
}

static enum sieve_step
one_field(struct sieve_run *r, const struct sieve_node *n, struct sieve_matching *m,
    const struct sieve_found *f)
{
	const struct mime_addr *addrs;
	size_t many = sieve_field_addrs(f->header, f->field, &addrs);
	enum sieve_step step = SIEVE_NEXT;

	for (size_t i = 0; i < many && step == SIEVE_NEXT && !m->hit; i++) {
		struct span value;

		if (sieve_address_value(r, n, &addrs[i], &value))
			step = sieve_matching_value(m, value);
	}
	/* What holds no address is compared as it stands, and not counted. */
	if (many == 0 && n->match->type->value != NULL && strcmp(n->part->name, "all") == 0)
		step = sieve_matching_value(m, sieve_field_text(f->header, f->field));
	return step;
}

static enum sieve_step
test_address(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	struct sieve_matching m;
	struct sieve_values v;
	struct sieve_found f;
	enum sieve_step step = sieve_matching_begin(r, n, &m);

	if (step == SIEVE_NEXT)
		step = sieve_values_begin(r, n, &n->args[0].s, &v);
	while (step == SIEVE_NEXT && !m.hit && sieve_values_next(&v, &f))
		if (n->args[0].s.constant || other_headers(n) || has_addresses(f.field->name))
			step = one_field(r, n, &m, &f);
	return sieve_matching_end(&m, step, yes);
}

static const struct sieve_tag tags[] = {
	{ .name = "over", .on = "size", .group = 1 },
	{ .name = "under", .on = "size", .group = 1 },
	{ 0 }
};

static void
check_size(struct sieve_compile *c, struct sieve_node *n)
{
	if (sieve_tag(n, &tags[0]) == NULL && sieve_tag(n, &tags[1]) == NULL)
		sieve_error(c, n, "expected ':over' or ':under' behind 'size'");
}

static enum sieve_step
test_size(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	uint64_t size = sieve_message_size(r->message);

	*yes = sieve_tag(n, &tags[0]) != NULL ? size > n->args[0].number :
	    size < n->args[0].number;
	return SIEVE_NEXT;
}

#define COMMAND(n, a, f, c, r) { .kind = SIEVE_COMMAND, .name = n, .args = a, .flags = f, \
    .check = c, .run = r }
#define TEST(n, a, f, c, t) { .kind = SIEVE_TEST, .name = n, .args = a, .flags = f, \
    .check = c, .test = t }

static const struct sieve_word words[] = {
	COMMAND("require", "S", SIEVE_WORD_HEAD | SIEVE_WORD_CONSTANT | SIEVE_WORD_QUIET,
	    check_require, run_nothing),
	COMMAND("if", "tb", 0, check_block, run_if),
	{ .kind = SIEVE_COMMAND, .name = "elsif", .args = "tb", .after = "if elsif",
	    .check = check_block, .run = run_if },
	{ .kind = SIEVE_COMMAND, .name = "else", .args = "b", .after = "if elsif",
	    .run = run_if },
	COMMAND("stop", "", SIEVE_WORD_ENDS, NULL, run_stop),
	COMMAND("keep", "", SIEVE_WORD_ACTION, NULL, run_keep),
	COMMAND("discard", "", SIEVE_WORD_ACTION, NULL, run_discard),
	COMMAND("redirect", "s", SIEVE_WORD_ACTION, check_redirect, run_redirect),
	TEST("true", "", 0, NULL, test_true),
	TEST("false", "", 0, NULL, test_false),
	TEST("not", "t", 0, NULL, test_not),
	TEST("allof", "T", 0, NULL, test_allof),
	TEST("anyof", "T", 0, NULL, test_anyof),
	{ .kind = SIEVE_TEST, .name = "header", .args = "SS",
	    .flags = SIEVE_WORD_MATCH | SIEVE_WORD_FIELDS, .check = check_names,
	    .test = test_header, .arg_names = "header names,key list" },
	TEST("exists", "S", SIEVE_WORD_FIELDS, check_names, test_exists),
	{ .kind = SIEVE_TEST, .name = "address", .args = "SS",
	    .flags = SIEVE_WORD_MATCH | SIEVE_WORD_ADDRESS | SIEVE_WORD_FIELDS,
	    .check = check_address, .test = test_address, .arg_names = "header list,key list" },
	TEST("size", "n", 0, check_size, test_size),
	{ 0 }
};

const struct sieve_ext sieve_ext_base = {
	.name = "base", .flags = SIEVE_EXT_BASE, .words = words, .tags = tags,
	.match_types = sieve_base_match_types, .address_parts = sieve_base_address_parts,
	.comparators = sieve_base_comparators
};

/* What is compiled of an unknown word; it runs only in a script with ihave, and fails before. */
const struct sieve_word sieve_word_unknown[2] = {
	{ .kind = SIEVE_COMMAND, .name = "command", .args = "", .run = run_nothing },
	{ .kind = SIEVE_TEST, .name = "test", .args = "", .test = test_false }
};
