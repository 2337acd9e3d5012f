/* What the compiler says of scripts that are wrong, or odd; and limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/sieve/sieve_test.h"

static const char mail[] = "Subject: a subject\r\nX: 1\r\nX: 2\r\n\r\nbody\r\n";

#define TOLD(script, want) assert_string_equal(sieve_told(script), want)
#define QUIET(script) TOLD(script, "")

static void
mistakes_of_grammar_are_named(void **state)
{
	TOLD("keep", "line 1, column 5: error: expected ';' at the end of the command 'keep', "
	    "found the end of the script\n");
	TOLD("keep\ndiscard;", "line 2, column 1: error: missing semicolon at the end of the keep "
	    "command, before 'discard'\n");
	TOLD("if true { keep;", "line 1, column 9: error: this '{' is never closed: expected '}'\n");
	TOLD("keep; }", "line 1, column 7: error: expected a command; there is no '{' that this "
	    "closes, found '}'\n");
	TOLD("if header \"a\" [\"b\" \"c\"] { keep; }", "line 1, column 19: error: expected ',' or ']' "
	    "in this list of strings, found a string\n");
	TOLD("if header \"a\" [b] { keep; }", "line 1, column 16: error: expected a string in double "
	    "quotes in this list, found 'b'\n");
	TOLD("if anyof (true, ) { keep; }", "line 1, column 17: error: expected a test, found ')'\n");
	TOLD("if anyof (true true) { keep; }", "line 1, column 16: error: the true test accepts "
	    "no sub-tests, but 'true' is specified\n");
	TOLD("redirect \"a@b.example;", "line 1, column 10: error: this string is never closed: "
	    "expected '\"'\n");
	TOLD("/* keep;", "line 1, column 1: error: this comment is never closed: expected '*/'\n");
	TOLD("redirect text:\r\na@b.example\r\n", "line 1, column 10: error: this text is never "
	    "closed: expected a line with a single '.'\n");
	TOLD("redirect text: a\r\n.\r\n;", "line 1, column 16: error: expected the end of the line "
	    "behind 'text:'\n");
	TOLD("redirect 'a@b.example';", "line 1, column 10: error: unexpected \"'\": strings stand "
	    "between double quotes\n");
	TOLD("k\xC3\xA4" "ep;", "line 1, column 1: error: unknown command 'k'\n"
	    "line 1, column 2: error: unexpected character: what is not ASCII "
	    "belongs into strings\n");
	TOLD("redirect \"\xFF\";", "line 1, column 10: error: this string is not UTF-8: save the "
	    "script in that encoding\n");
	TOLD("if size :over 1X { keep; }", "line 1, column 15: error: expected a number, perhaps "
	    "with K, M or G behind it\n");
}

static void
columns_count_characters(void **state)
{
	TOLD("/* \xC3\xA4\xE2\x82\xAC */ keap;",
	    "line 1, column 10: error: unknown command 'keap': did you mean 'keep'?\n");
	TOLD("\xEF\xBB\xBFkeap;",
	    "line 1, column 1: error: unknown command 'keap': did you mean 'keep'?\n");
}

static void
unknown_names_have_a_guess(void **state)
{
	TOLD("keap;", "line 1, column 1: error: unknown command 'keap': did you mean 'keep'?\n");
	TOLD("if heder \"a\" \"b\" { keep; }",
	    "line 1, column 4: error: unknown test 'heder': did you mean 'header'?\n");
	TOLD("xyzzy;", "line 1, column 1: error: unknown command 'xyzzy'\n");
	TOLD("fileinto \"A\";", "line 1, column 1: error: 'fileinto' needs require \"fileinto\" at "
	    "the head of the script\n");
	TOLD("redirect :copy \"a@b.example\";", "line 1, column 10: error: ':copy' needs require "
	    "\"copy\" at the head of the script\n");
	TOLD("require \"filinto\"; keep;", "line 1, column 9: error: unknown extension \"filinto\": "
	    "did you mean \"fileinto\"?\n");
	TOLD("require \"vnd.none\"; keep;",
	    "line 1, column 9: error: unknown extension \"vnd.none\"\n");
	TOLD("if header :contain \"a\" \"b\" { keep; }", "line 1, column 11: error: unknown "
	    "tagged argument ':contain' for the header test here: did you mean ':contains'?\n");
	TOLD("if header :comparator \"i;ascii-numeric\" \"a\" \"b\" { keep; }",
	    "line 1, column 23: error: the comparator \"i;ascii-numeric\" needs require "
	    "\"comparator-i;ascii-numeric\"\n");
	TOLD("if header :comparator \"i;unicode-casemap\" \"a\" \"b\" { keep; }",
	    "line 1, column 23: error: the comparator \"i;unicode-casemap\" needs require "
	    "\"comparator-i;unicode-casemap\"\n");
	TOLD("if header :comparator \"i;octet\" \"a\" \"b\" { keep; }", "");
	TOLD("if header :comparator \"i;ascii-casemap\" \"a\" \"b\" { keep; }", "");
	TOLD("if header :comparator \"i;octets\" \"a\" \"b\" { keep; }",
	    "line 1, column 23: error: unknown comparator \"i;octets\": did you mean \"i;octet\"?\n");
	TOLD("header \"a\" \"b\";", "line 1, column 1: error: cannot use test 'header' as a "
	    "command: tests stand behind 'if'\n");
	TOLD("if keep { stop; }",
	    "line 1, column 4: error: cannot use command 'keep' as a test\n");
}

static void
arguments_are_checked(void **state)
{
	TOLD("redirect;", "line 1, column 1: error: the redirect command requires 1 positional "
	    "argument (a string), but 0 are specified\n");
	TOLD("require \"imap4flags\"; setflag;", "line 1, column 23: error: the setflag command requires "
	    "1 or 2 positional arguments (a list of strings, or a string and a list of strings), but 0 "
	    "are specified\n");
	TOLD("keep \"A\";", "line 1, column 1: error: the keep command requires 0 positional arguments "
	    "(no arguments), but 1 is specified\n");
	TOLD("redirect 5;", "line 1, column 10: error: the redirect command expects a string as "
	    "argument 1, but a number was found\n");
	TOLD("redirect [\"a@b.example\"];", "line 1, column 10: error: the redirect command "
	    "expects a string as argument 1, but a list of strings was found\n");
	TOLD("redirect \"nobody\";", "line 1, column 10: error: \"nobody\" is no address: expected "
	    "one like \"name@example.com\"\n");
	TOLD("if header \"Subject:\" \"b\" { keep; }", "line 1, column 11: warning: \"Subject:\" is "
	    "no name of a header field, which is written without the colon: no field matches\n");
	TOLD("if header \"a\" :is \"b\" { keep; }", "line 1, column 15: error: unexpected tag ':is' "
	    "behind the arguments of the header test: tags stand before them\n");
	TOLD("if header :is :contains \"a\" \"b\" { keep; }", "line 1, column 15: error: ':is' and "
	    "':contains' cannot stand together\n");
	TOLD("if header :comparator \"a\" { keep; }",
	    "line 1, column 23: error: unknown comparator \"a\"\n");
	TOLD("if header \"a\" \"b\";", "line 1, column 1: error: expected a block in '{' and '}' "
	    "behind 'if', found ';'\n");
	TOLD("if header :strange \"a\" \"b\";", "line 1, column 11: error: unknown tagged argument "
	    "':strange' for the header test here\n");
	TOLD("keep { stop; }", "line 1, column 1: error: expected ';' behind 'keep', found a block\n");
	TOLD("if { keep; }", "line 1, column 1: error: expected a test behind 'if'\n");
	TOLD("if (true, false) { keep; }", "line 1, column 1: error: 'if' takes one test: use "
	    "'allof (...)' or 'anyof (...)' for several\n");
	TOLD("if not (true) { keep; }", "line 1, column 4: error: 'not' takes one test: use "
	    "'allof (...)' or 'anyof (...)' for several\n");
	TOLD("if allof true { keep; }", "line 1, column 4: error: expected a list of tests in '(' "
	    "and ')' behind 'allof'\n");
	TOLD("else { keep; }", "line 1, column 1: error: 'else' must stand directly behind the "
	    "block of an 'if' or 'elsif'\n");
	TOLD("if true { keep; } keep; elsif true { keep; }", "line 1, column 25: error: 'elsif' must "
	    "stand directly behind the block of an 'if' or 'elsif'\n");
	TOLD("keep; require \"fileinto\";\nfileinto \"A\";", "line 1, column 7: error: 'require' must "
	    "stand at the head of the script, before any other command\n");
}

static void
all_errors_are_told_together(void **state)
{
	TOLD("keap;\nif tru { redirect \"x\"; }\nfoo bar;\nkeep",
	    "line 1, column 1: error: unknown command 'keap': did you mean 'keep'?\n"
	    "line 2, column 4: error: unknown test 'tru': did you mean 'true'?\n"
	    "line 2, column 19: error: \"x\" is no address: expected one like "
	    "\"name@example.com\"\n"
	    "line 3, column 1: error: unknown command 'foo'\n"
	    "line 4, column 5: error: expected ';' at the end of the command 'keep', found the "
	    "end of the script\n");
}

static void
what_is_useless_is_warned_of(void **state)
{
	TOLD("require [\"fileinto\", \"copy\", \"fileinto\"];\r\nfileinto \"A\";",
	    "line 1, column 22: warning: \"copy\" is required and not used\n"
	    "line 1, column 30: warning: \"fileinto\" is required already, in line 1\n");
	TOLD("stop;\r\nkeep;\r\nkeep;",
	    "line 2, column 1: warning: this is never reached: 'stop' stands before it\n");
	TOLD("if true { }",
	    "line 1, column 1: warning: the block of this 'if' is empty: it does nothing\n");
	TOLD("if header \"a\" [] { keep; }",
	    "line 1, column 4: warning: the list of keys is empty: this test is never true\n");
	QUIET("require [\"fileinto\", \"comparator-i;octet\"]; fileinto \"A\";");
	QUIET("require \"envelope\"; if envelope \"to\" \"a\" { keep; } else { stop; }");
}

/* --- what there is --------------------------------------------------------------------------- */

static void
capabilities_follow_what_is_offered(void **state)
{
	static const char *const off[] = { "copy", NULL };
	struct sieve_options o = { .off = off, .offers = SIEVE_OFFER_MAILBOXES };
	struct sieve_problems p = { 0 };
	struct buf b = { 0 };

	sieve_capabilities(&o, &b);
	assert_non_null(strstr(buf_cstr(&b), "comparator-i;ascii-casemap comparator-i;ascii-numeric "
	    "comparator-i;octet comparator-i;unicode-casemap "));
	assert_non_null(strstr(buf_cstr(&b), "fileinto"));
	assert_null(strstr(buf_cstr(&b), "copy"));
	assert_null(strstr(buf_cstr(&b), "include"));
	assert_null(strstr(buf_cstr(&b), "base"));
	assert_null(sieve_compile(SPAN_LIT("require \"copy\";"), &o, &p));
	assert_string_equal(p.v[0].text, "the extension \"copy\" is not available here");
	sieve_problems_fini(&p);
	buf_fini(&b);
}

/* A word from outside of the library: a command with a block. */
static enum sieve_step
run_twice(struct sieve_run *r, const struct sieve_node *n)
{
	enum sieve_step step = sieve_block(r, n);

	return step == SIEVE_NEXT ? sieve_block(r, n) : step;
}

static void
a_program_brings_words_of_its_own(void **state)
{
	static const struct sieve_word words[] = {
		{ .kind = SIEVE_COMMAND, .name = "twice", .args = "sb", .run = run_twice },
		{ 0 }
	};
	static const struct sieve_ext ext = { .name = "vnd.test", .words = words };
	const struct sieve_ext *more[] = { &ext, NULL };
	struct sieve_case c;

	sieve_case_init(&c);
	c.options.more = more;
	assert_true(sieve_case_add(&c, "require [\"vnd.test\", \"variables\", \"fileinto\"];"
	    "twice \"x\" { set \"a\" \"${a}x\"; } fileinto \"${a}\";"));
	assert_string_equal(sieve_case_run(&c, mail), "fileinto xx");
	sieve_case_fini(&c);
}

static void
note(void *arg, const struct sieve_trace *t)
{
	struct buf *b = arg;

	buf_addf(b, "%u %s%s", t->line, t->word, t->outcome == SIEVE_TRACE_TRUE ? "+" :
	    t->outcome == SIEVE_TRACE_FALSE ? "-" : t->outcome == SIEVE_TRACE_FAILED ? "!" : "");
	if (t->value.p != NULL)
		buf_addf(b, " <%.*s> by <%.*s>", (int)t->value.len, t->value.p, (int)t->key.len,
		    t->key.p);
	buf_add_str(b, "\n");
}

static void
a_trace_tells_each_outcome(void **state)
{
	struct sieve_case c;
	struct buf b = { 0 };

	sieve_case_init(&c);
	c.env.trace = note;
	c.env.trace_arg = &b;
	assert_true(sieve_case_add(&c, "if anyof (false,\n  header \"x\" [\"7\", \"2\"]) {\n  keep;\n}"));
	sieve_case_run(&c, mail);
	assert_string_equal(buf_cstr(&b),
	    "1 false-\n2 header+ <2> by <2>\n1 anyof+\n3 keep\n1 if\n");
	buf_fini(&b);
	sieve_case_fini(&c);
}

/* --- limits ---------------------------------------------------------------------------------- */

/* text n times between head and tail. */
static const char *
many(const char *head, const char *text, unsigned n, const char *tail)
{
	static struct buf b;

	buf_clear(&b);
	buf_add_str(&b, head);
	while (n-- > 0)
		buf_add_str(&b, text);
	buf_add_str(&b, tail);
	return buf_cstr(&b);
}

#define LIMIT(set, script, want) do {						\
	struct sieve_case c_;							\
										\
	sieve_case_init(&c_);							\
	set;									\
	if (sieve_case_add(&c_, script))					\
		sieve_case_run(&c_, mail);					\
	else									\
		sieve_problems_print(&c_.problems, NULL, &c_.out);		\
	assert_string_equal(buf_cstr(&c_.out), want);				\
	sieve_case_fini(&c_);							\
} while (0)
#define L c_.limits

static void
each_limit_of_the_compiler_has_its_words(void **state)
{
	LIMIT(L.script_bytes = 4, "keep;", "line 1, column 1: error: the script is too long: "
	    "5 bytes, at most 4 are allowed\n");
	LIMIT(L.string_bytes = 8, "redirect \"a@b.example\";", "line 1, column 10: error: this string "
	    "is too long: 11 bytes, at most 8 are allowed\n");
	LIMIT(L.list_items = 2, "if header \"a\" [\"1\", \"2\", \"3\"] { keep; }",
	    "line 1, column 26: error: too many strings in a list: at most 2 are allowed\n");
	LIMIT(L.nodes = 2, "keep; keep; keep;",
	    "line 1, column 13: error: too many commands and tests: at most 2 are allowed\n");
	LIMIT(L.nested_blocks = 1, "if true { if true { keep; } }", "line 1, column 19: error: too "
	    "many blocks inside one another: at most 1 are allowed\n");
	LIMIT(L.nested_tests = 2, "if not not not true { keep; }", "line 1, column 12: error: too "
	    "many tests inside one another: at most 2 are allowed\n");
	LIMIT(L.variables = 1, "require \"variables\"; set \"a\" \"\"; set \"b\" \"\";",
	    "line 1, column 38: error: too many variables: at most 1 are allowed\n");
	LIMIT(L.variable_name_bytes = 3, "require \"variables\"; set \"abcd\" \"\";", "line 1, column 26: "
	    "error: this variable's name is too long: at most 3 characters are allowed\n");
	LIMIT(L.match_variables = 9, "require \"variables\"; redirect \"${10}\";", "line 1, column 31: "
	    "error: there is no match variable '${10}': they go up to ${9}\n");
}

static void
each_limit_of_a_run_has_its_words(void **state)
{
	LIMIT(L.steps = 3, "keep; keep;\nkeep; keep;",
	    "error 2: the script takes too many steps: at most 3 are allowed: keep");
	LIMIT(L.memory_bytes = 1000, many("require \"variables\"; set \"a\" \"0123456789\";",
	    "set \"a\" \"${a}${a}\";", 10, ""),
	    "error 1: the script takes too much memory: at most 1000 bytes are allowed: keep");
	LIMIT(L.actions = 2, "require \"fileinto\"; fileinto \"A\"; fileinto \"B\"; fileinto \"C\";",
	    "error 1: total number of actions exceeds policy limit: at most 2 are allowed: keep");
	LIMIT(L.redirects = 1, "redirect \"a@b.example\"; redirect \"b@b.example\";",
	    "error 1: number of redirect actions exceeds policy limit: at most 1 are allowed: keep");
	LIMIT(L.redirects = SIEVE_LIMIT_NONE, "redirect \"a@b.example\";",
	    "error 1: number of redirect actions exceeds policy limit: at most 0 are allowed: keep");
	LIMIT(L.memory_bytes = 300000, many("require \"variables\"; set \"a\" \"0123456789\"; set \"a\" "
	    "\"${a}${a}${a}${a}\"; set \"a\" \"${a}${a}${a}${a}\"; set \"a\" \"${a}${a}${a}${a}\";\n"
	    "if header \"x\" [\"\"", ", \"${a}${a}${a}${a}${a}${a}${a}${a}\"", 500, "] { stop; } discard;"),
	    "error 2: the script takes too much memory: at most 300000 bytes are allowed: keep");
	LIMIT(L.nested_loops = 1, "require \"foreverypart\"; foreverypart {\nforeverypart { stop; } }",
	    "line 2, column 1: error: loops are nested too deeply: at most 1 are allowed inside one "
	    "another\n");
	LIMIT(L.outgoing = 2, "require \"enotify\"; notify \"mailto:a@b.example\"; notify "
	    "\"mailto:c@b.example\"; notify \"mailto:d@b.example\";",
	    "error 1: number of notify actions exceeds policy limit: at most 2 are allowed: keep");
	LIMIT(L.outgoing = SIEVE_LIMIT_NONE, "require \"enotify\"; notify \"mailto:a@b.example\";",
	    "line 1, column 20: error: local policy prohibits the use of a notify action\n");
	LIMIT(L.header_bytes = 1000, many("require \"editheader\"; addheader \"X-A\" \"", "123456789 ",
	    100, "\";"), "line 1, column 39: error: the field takes 1034 bytes: at most 1000 are "
	    "allowed\n");
	LIMIT(L.header_bytes = 1000, many("require [\"editheader\", \"variables\"]; set \"v\" \"", "123456789 ",
	    100, "\";\naddheader \"X-A\" \"${v}\";"), "error 2: the field takes 1034 bytes: at most 1000 "
	    "are allowed: keep");
	LIMIT(L.outgoing = 1, "redirect \"a@b.example\"; redirect \"b@b.example\";",
	    "error 1: number of messages that are sent exceeds policy limit: at most 1 are allowed: keep");
}

/* Thousands of short values are work as one long one is. */
static void
many_addresses_are_work(void **state)
{
	struct sieve_case c;
	struct buf b = { 0 };

	buf_add_str(&b, "To: a@b.example");
	for (unsigned i = 0; i < 900; i++)
		buf_addf(&b, ",\r\n user%u@b.example", i);
	buf_add_str(&b, "\r\n\r\nx");
	sieve_case_init(&c);
	c.limits.steps = 1000;
	assert_true(sieve_case_add(&c, many("", "if address :contains \"to\" [\"x1\", \"x2\", \"x3\"] { stop; }\n",
	    20, "")));
	assert_non_null(strstr(sieve_case_run(&c, buf_cstr(&b)), "too many steps"));
	sieve_case_fini(&c);
	buf_fini(&b);
}

static void
a_script_of_mistakes_is_not_read_to_its_end(void **state)
{
	struct sieve_case c;

	sieve_case_init(&c);
	assert_false(sieve_case_add(&c, many("", "keap;", 15000, "")));
	assert_int_equal(c.problems.n, SIEVE_PROBLEMS_MAX);
	assert_int_equal(c.problems.errors, 500);
	sieve_case_fini(&c);
}

/* A hard pattern over a long value ends with an error and not with time. */
static void
work_is_limited_too(void **state)
{
	struct sieve_case c;
	char *text = mem_alloc(200100);
	size_t n = 0;

	sieve_case_init(&c);
	n += (size_t)snprintf(text, 16, "X: ");
	while (n < 200000)
		n += (size_t)snprintf(text + n, 4, "ab ");
	snprintf(text + n, 16, "\r\n\r\n");
	c.limits.steps = 1000;
	assert_true(sieve_case_add(&c, many("if header :matches \"x\" \"*", "ab ", 1000,
	    "?c*\" { discard; }")));
	assert_non_null(strstr(sieve_case_run(&c, text), "too many steps"));
	mem_free(&text);
	sieve_case_fini(&c);
}

static void
the_least_that_rfcs_ask_for_is_there(void **state)
{
	/* RFC 5228 2.10.7: fifteen levels; RFC 5229 6: 128 variables of 4,000 characters */
	assert_string_equal(sieve_once(many("", "if true {", 15, "discard; }}}}}}}}}}}}}}}"), mail),
	    "discard");
	assert_string_equal(sieve_once(many("if ", "not ", 16, "true { discard; }"), mail),
	    "discard");
	assert_true(sieve_limits_default.variables >= 128);
	assert_true(sieve_limits_default.variable_bytes >= 4 * 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_of_grammar_are_named),
		cmocka_unit_test(columns_count_characters),
		cmocka_unit_test(unknown_names_have_a_guess),
		cmocka_unit_test(arguments_are_checked),
		cmocka_unit_test(all_errors_are_told_together),
		cmocka_unit_test(what_is_useless_is_warned_of),
		cmocka_unit_test(capabilities_follow_what_is_offered),
		cmocka_unit_test(a_program_brings_words_of_its_own),
		cmocka_unit_test(a_trace_tells_each_outcome),
		cmocka_unit_test(each_limit_of_the_compiler_has_its_words),
		cmocka_unit_test(each_limit_of_a_run_has_its_words),
		cmocka_unit_test(many_addresses_are_work),
		cmocka_unit_test(a_script_of_mistakes_is_not_read_to_its_end),
		cmocka_unit_test(work_is_limited_too),
		cmocka_unit_test(the_least_that_rfcs_ask_for_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
