/* The words of "vnd.dovecot.testsuite". */
#include <stdio.h>
#include <string.h>

#include "sieve/extensions.h"
#include "t/sieve/suite.h"

struct suite suite;

static enum sieve_step
fail(struct span why)
{
	if (suite.nested == 0)
		printf("%2u: Test '%s' FAILED: %.*s\n", suite.n_tests,
		    suite.test != NULL ? suite.test : "", (int)why.len, why.p);
	if (suite.nested == 0 && !suite.failed)
		suite.n_failed++;
	suite.failed = true;
	return SIEVE_STOP;
}

static struct span
arg(struct sieve_run *r, const struct sieve_node *n, unsigned i)
{
	return sieve_string(r, &n->args[i].s.v[0]);
}

/* --- test and test_fail ----------------------------------------------------------------------- */

static enum sieve_step
run_test(struct sieve_run *r, const struct sieve_node *n)
{
	struct span name = arg(r, n, 0);
	enum sieve_step step;
	uint32_t line, column;

	if (suite.nested > 0)
		return sieve_block(r, n);
	suite.test = arena_strndup(&suite.arena, name.p, name.len);
	suite.failed = false;
	suite.n_tests++;
	step = sieve_block(r, n);
	if (step == SIEVE_ERROR) {
		char why[600];
		const char *text = sieve_error_text(r, &line, &column);

		snprintf(why, sizeof(why), "line %u: %s", line, text != NULL ? text : "");
		sieve_clear_error(r);
		fail(span_str(why));
	}
	if (!suite.failed)
		printf("%2u: Test '%s' SUCCEEDED\n", suite.n_tests, suite.test);
	suite.test = NULL;
	suite.failed = false;
	return SIEVE_NEXT;
}

static enum sieve_step
test_fail(struct sieve_run *r, const struct sieve_node *n)
{
	return fail(arg(r, n, 0));
}

/* --- test_set --------------------------------------------------------------------------------- */

static bool
is_domain(struct span s)
{
	char text[300];
	struct span address;
	int n = snprintf(text, sizeof(text), "x@%.*s", (int)(s.len < 256 ? s.len : 256), s.p);

	return sieve_address(span(text, (size_t)n), &address);
}

/* "@a,@b:" in front of an address; false: there is something else. */
static bool
skip_route(struct span *s)
{
	struct span rest = *s, route;

	if (s->len == 0 || s->p[0] != '@')
		return true;
	route = span_cut(&rest, ':');
	if (rest.p == NULL)
		return false;
	while (route.len > 0) {
		struct span one = span_cut(&route, ',');

		if (one.len < 2 || one.p[0] != '@' || !is_domain(span_sub(one, 1, one.len)))
			return false;
	}
	*s = rest;
	return true;
}

/* An address of SMTP; p NULL: it is none. */
static struct span
path(struct span s)
{
	struct span address;

	s = span_trim(s);
	if (s.len >= 2 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		s = span_sub(s, 1, s.len - 2);
	if (s.len == 0)
		return span("", 0);
	if (!skip_route(&s) || span_find(s, '<') < s.len || span_find(s, '>') < s.len)
		return SPAN_NONE;
	if (span_find(s, '@') < s.len ? !sieve_address(s, &address) : span_find(s, ' ') < s.len)
		return SPAN_NONE;
	return arena_span(&suite.arena, s);
}

/* Parameters of SMTP: "envelope.notify", ...  false: it is none of them. */
static bool
set_parameter(struct sieve_envelope *e, struct span what, struct span value)
{
	value = arena_span(&suite.arena, value);
	if (span_caseeq_str(what, "envelope.notify"))
		e->notify = value;
	else if (span_caseeq_str(what, "envelope.orcpt"))
		e->orcpt = value;
	else if (span_caseeq_str(what, "envelope.ret"))
		e->ret = value;
	else if (span_caseeq_str(what, "envelope.envid"))
		e->envid = value;
	else if (span_caseeq_str(what, "envelope.by"))
		e->by = value;
	else
		return false;
	if (e->by.p != NULL) {
		struct span rest = e->by;
		uint32_t seconds;

		if (span_u32(span_cut(&rest, ';'), &seconds))
			e->by_time = suite.env.now + seconds;
	}
	return true;
}

static enum sieve_step
test_set(struct sieve_run *r, const struct sieve_node *n)
{
	struct span what = arg(r, n, 0), value = arg(r, n, 1);
	struct sieve_envelope *e = &suite.env.envelope;

	if (span_caseeq_str(what, "message")) {
		struct sieve_message *m = suite_message(value);

		suite_envelope_of(m);
		sieve_set_message(r, m);
	} else if (span_caseeq_str(what, "envelope.from")) {
		e->from = path(value);
	} else if (span_caseeq_str(what, "envelope.to")) {
		e->to = path(value);
	} else if (span_caseeq_str(what, "envelope.auth")) {
		e->auth = path(value);
	} else if (span_caseeq_str(what, "envelope.orig_to")) {
		e->orig_to = path(value);
	} else if (!set_parameter(e, what, value)) {
		return sieve_fail(r, n, "test_set: unknown item \"%.*s\"", (int)what.len, what.p);
	}
	suite.outer.envelope = *e;
	return SIEVE_NEXT;
}

/* --- settings --------------------------------------------------------------------------------- */

static enum sieve_step
config_set(struct sieve_run *r, const struct sieve_node *n)
{
	suite_set(arg(r, n, 0), arg(r, n, 1));
	return SIEVE_NEXT;
}

static enum sieve_step
config_unset(struct sieve_run *r, const struct sieve_node *n)
{
	suite_unset(arg(r, n, 0));
	return SIEVE_NEXT;
}

static enum sieve_step
config_reload(struct sieve_run *r, const struct sieve_node *n)
{
	(void)n;
	suite_reload(r);
	return SIEVE_NEXT;
}

/* --- scripts ---------------------------------------------------------------------------------- */

enum { INDEX, FOLDER, SMTP, APPEND, EXTENSION, MAILBOX, COMMENT };
static const struct sieve_tag tags[] = {
	[INDEX] = { .name = "index", .on = "test_error test_result_action", .value = 'n' },
	[FOLDER] = { .name = "folder", .on = "test_message", .value = 's', .group = 1 },
	[SMTP] = { .name = "smtp", .on = "test_message", .group = 1 },
	[APPEND] = { .name = "append_result", .on = "test_script_run" },
	[EXTENSION] = { .name = "extension", .on = "test_config_reload", .value = 's' },
	[MAILBOX] = { .name = "mailbox", .on = "test_imap_metadata_set", .value = 's' },
	{ 0 }
};

static enum sieve_step
script_compile(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	struct sieve_script *s = suite_compile_all(suite_path(arg(r, n, 0)));

	*yes = s != NULL;
	if (*yes)
		suite.script = s;
	return SIEVE_NEXT;
}

static enum sieve_step
script_run(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	*yes = suite_run_script(r, sieve_tag(n, &tags[APPEND]) != NULL);
	return SIEVE_NEXT;
}

static enum sieve_step
multiscript(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	*yes = suite_run_many(r, &n->args[0].s);
	return SIEVE_NEXT;
}

static uint64_t
index_of(const struct sieve_node *n)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[INDEX]);

	return t != NULL ? t->value.number : 0;
}

static enum sieve_step
test_error(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	uint64_t index = index_of(n);
	struct sieve_matching m;
	enum sieve_step step = sieve_matching_begin(r, n, &m);

	for (size_t i = 0; i < suite.n_errors && step == SIEVE_NEXT && !m.hit; i++)
		if (index == 0 || index == i + 1)
			step = sieve_matching_value(&m, span_str(suite.errors[i]));
	return sieve_matching_end(&m, step, yes);
}

static enum sieve_step
binary_save(struct sieve_run *r, const struct sieve_node *n)
{
	struct binary *b = arena_zalloc(&suite.arena, sizeof(*b));

	b->name = arena_span(&suite.arena, arg(r, n, 0));
	b->script = suite.script;
	b->next = suite.binaries;
	suite.binaries = b;
	return SIEVE_NEXT;
}

static enum sieve_step
binary_load(struct sieve_run *r, const struct sieve_node *n)
{
	struct span name = arg(r, n, 0);
	const struct binary *b = suite.binaries;

	while (b != NULL && !span_eq(b->name, name))
		b = b->next;
	if (b == NULL)
		return sieve_fail(r, n, "no script was saved as \"%.*s\"", (int)name.len, name.p);
	suite.script = b->script;
	return SIEVE_NEXT;
}

/* --- results ---------------------------------------------------------------------------------- */

static enum sieve_step
result_action(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	uint64_t index = index_of(n);
	const struct sieve_action *a;
	struct sieve_matching m;
	enum sieve_step step = sieve_matching_begin(r, n, &m);

	for (size_t i = 1, k = 0; (a = suite_action(r, i)) != NULL && step == SIEVE_NEXT && !m.hit;
	    i++) {
		if (a->kind == SIEVE_STORE && a->store.implicit)
			continue;
		k++;
		if (index == 0 || index == k)
			step = sieve_matching_value(&m, span_str(suite_action_name(a)));
	}
	return sieve_matching_end(&m, step, yes);
}

static enum sieve_step
result_execute(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	(void)n;
	*yes = suite_execute(r);
	return SIEVE_NEXT;
}

static enum sieve_step
result_reset(struct sieve_run *r, const struct sieve_node *n)
{
	(void)n;
	suite_reset(r);
	return SIEVE_NEXT;
}

static enum sieve_step
result_print(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_action *a;

	(void)n;
	for (size_t i = 1; (a = suite_action(r, i)) != NULL; i++)
		printf("    %zu: %s\n", i, suite_action_name(a));
	return SIEVE_NEXT;
}

/* --- the world -------------------------------------------------------------------------------- */

static enum sieve_step
message(struct sieve_run *r, const struct sieve_node *n, bool *yes)
{
	const struct sieve_tagged *folder = sieve_tag(n, &tags[FOLDER]);
	uint64_t index = n->args[0].number;

	if (folder != NULL) {
		struct kept_message *k = world_message(&suite.world,
		    sieve_string(r, &folder->value.s.v[0]), index);

		*yes = k != NULL;
		if (*yes) {
			sieve_set_message(r, suite_message(k->text));
			sieve_flags_set(r, k->flags, k->n_flags);
		}
	} else {
		struct sent *s = world_sent(&suite.world, index);

		*yes = s != NULL;
		if (*yes) {
			sieve_set_message(r, suite_message(s->text));
			suite.env.envelope = (struct sieve_envelope){ .from = s->from, .to = s->to };
			suite.outer.envelope = suite.env.envelope;
		}
	}
	return SIEVE_NEXT;
}

static enum sieve_step
take_message(struct sieve_run *r, const struct sieve_node *n)
{
	bool yes;
	enum sieve_step step = message(r, n, &yes);

	return step != SIEVE_NEXT || yes ? step : fail(SPAN_LIT("there is no such message"));
}

static enum sieve_step
mailbox_create(struct sieve_run *r, const struct sieve_node *n)
{
	world_mailbox(&suite.world, arg(r, n, 0), true);
	return SIEVE_NEXT;
}

static enum sieve_step
metadata_set(struct sieve_run *r, const struct sieve_node *n)
{
	const struct sieve_tagged *t = sieve_tag(n, &tags[MAILBOX]);
	struct mailbox *m = NULL;

	if (t != NULL)
		m = world_mailbox(&suite.world, sieve_string(r, &t->value.s.v[0]), true);
	world_annotate(&suite.world, m, arg(r, n, 0), arg(r, n, 1));
	return SIEVE_NEXT;
}

/* --- ${tst.path} ------------------------------------------------------------------------------ */

static bool
check_item(struct sieve_compile *c, struct span rest)
{
	(void)c;
	return span_eq_str(rest, "path");
}

static enum sieve_step
get_item(struct sieve_run *r, struct span rest, struct span *value)
{
	(void)r;
	(void)rest;
	*value = span_str(suite.dir);
	return SIEVE_NEXT;
}

static const struct sieve_namespace namespaces[] = {
	{ .name = "tst", .check = check_item, .get = get_item },
	{ 0 }
};

#define COMMAND(word, arguments, fn) { .kind = SIEVE_COMMAND, .name = word, .args = arguments, .run = fn }
#define TEST(word, arguments, fn) { .kind = SIEVE_TEST, .name = word, .args = arguments, .test = fn }

static const struct sieve_word words[] = {
	COMMAND("test", "sb", run_test),
	COMMAND("test_fail", "s", test_fail),
	COMMAND("test_set", "ss", test_set),
	COMMAND("test_config_set", "ss", config_set),
	COMMAND("test_config_unset", "s", config_unset),
	COMMAND("test_config_reload", "", config_reload),
	TEST("test_script_compile", "s", script_compile),
	TEST("test_script_run", "", script_run),
	TEST("test_multiscript", "S", multiscript),
	{ .kind = SIEVE_TEST, .name = "test_error", .args = "S", .flags = SIEVE_WORD_MATCH,
	    .test = test_error },
	COMMAND("test_binary_save", "s", binary_save),
	COMMAND("test_binary_load", "s", binary_load),
	{ .kind = SIEVE_TEST, .name = "test_result_action", .args = "S",
	    .flags = SIEVE_WORD_MATCH, .test = result_action },
	TEST("test_result_execute", "", result_execute),
	COMMAND("test_result_reset", "", result_reset),
	COMMAND("test_result_print", "", result_print),
	COMMAND("test_message", "n", take_message),
	TEST("test_message", "n", message),
	COMMAND("test_mailbox_create", "s", mailbox_create),
	COMMAND("test_imap_metadata_set", "ss", metadata_set),
	{ 0 }
};

const struct sieve_ext suite_ext = {
	.name = "vnd.dovecot.testsuite", .implies = "comparator-i;unicode-casemap", .words = words,
	.tags = tags, .namespaces = namespaces
};

/* --- "vnd.dovecot.environment": items as variables, ${env.NAME} -------------------------------- */

static bool
check_env(struct sieve_compile *c, struct span rest)
{
	(void)c;
	return rest.len > 0;
}

/* A name with "-" is written with "_". */
static enum sieve_step
get_env(struct sieve_run *r, struct span rest, struct span *value)
{
	char *name = arena_strndup(&suite.arena, rest.p, rest.len);
	const struct sieve_env *env = sieve_env(r);

	for (char *p = name; *p != '\0'; p++)
		if (*p == '_')
			*p = '-';
	*value = SPAN_LIT("");
	for (size_t i = 0; i < env->n_items; i++)
		if (span_caseeq_str(span_str(name), env->items[i].name))
			*value = env->items[i].value;
	return SIEVE_NEXT;
}

static const struct sieve_namespace env_namespaces[] = {
	{ .name = "env", .check = check_env, .get = get_env },
	{ 0 }
};

const struct sieve_ext suite_ext_environment = {
	.name = "vnd.dovecot.environment", .implies = "environment", .namespaces = env_namespaces
};

/* --- what only speaks to who runs the test ---------------------------------------------------- */

static enum sieve_step
debug_log(struct sieve_run *r, const struct sieve_node *n)
{
	struct span s = arg(r, n, 0);

	printf("    %.*s\n", (int)s.len, s.p);
	return SIEVE_NEXT;
}

static const struct sieve_word debug_words[] = {
	COMMAND("debug_log", "s", debug_log),
	{ 0 }
};

const struct sieve_ext suite_ext_debug = { .name = "vnd.dovecot.debug", .words = debug_words };
