/* regex (draft-ietf-sieve-regex): our expressions beside those of the C library, and in scripts. */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "sieve/regex.h"
#include "t/unit/sieve/sieve_test.h"

/* "from,to from,to" of the match and its groups, "no", "limit", or why there is no expression. */
static const char *
find(const char *pattern, const char *text, size_t len, bool fold)
{
	static char out[400];
	struct arena a = { 0 };
	struct span captures[10];
	struct sieve_regex *re = sieve_regex_new(&a, span_str(pattern), fold, out, NULL);
	uint64_t work = 1000000;

	if (re != NULL) {
		enum sieve_regex_found f = sieve_regex_find(re, span(text, len), captures, 10, &work);
		size_t at = 0;

		snprintf(out, sizeof(out), f == SIEVE_REGEX_NO ? "no" : "limit");
		for (size_t i = 0; f == SIEVE_REGEX_YES && i <= sieve_regex_groups(re) && i < 10; i++)
			at += (size_t)(captures[i].p == NULL ?
			    snprintf(out + at, sizeof(out) - at, "%s-", i > 0 ? " " : "") :
			    snprintf(out + at, sizeof(out) - at, "%s%td,%td", i > 0 ? " " : "",
			    captures[i].p - text, captures[i].p - text + (ptrdiff_t)captures[i].len));
	}
	arena_fini(&a);
	return out;
}
#define FIND(pattern, text, want) \
	assert_string_equal(find(pattern, text, sizeof(text) - 1, false), want)
#define FOLD(pattern, text, want) \
	assert_string_equal(find(pattern, text, sizeof(text) - 1, true), want)

static void
matches_are_the_leftmost_and_longest(void **state)
{
	FIND("", "abc", "0,0");
	FIND("b", "abc", "1,2");
	FIND("a|ab", "xabc", "1,3");
	FIND("(a|ab)(c|bcd)", "abcd", "0,4 0,1 1,4");
	FIND("x*", "aaxx", "0,0");
	FIND("xx*", "aaxxx", "2,5");
	FIND("(foo|bar)+", "xfoobarfoo!", "1,10 7,10");
	FIND("(.*)-([0-9]+)", "ab-cd-12", "0,8 0,5 6,8");
	FIND("(a)|(b)", "b", "0,1 - 0,1");
	FIND("(a*)*", "aab", "0,2 0,2");
	FIND("(a*)+b", "aac", "no");
	FIND("a{2,3}", "aaaa", "0,3");
	FIND("a{2}", "a", "no");
	FIND("(ab){2,}", "xababab", "1,7 5,7");
	FIND("a{0,1}b", "b", "0,1");
	FIND("(|a)b", "ab", "0,2 0,1");
}

static void
brackets_hold_ranges_and_classes(void **state)
{
	FIND("[[:digit:]]+", "ab123c", "2,5");
	FIND("[^[:lower:]]+", "abCDe", "2,4");
	FIND("[]a]+", "x]a]", "1,4");
	FIND("[^]a]+", "]xy", "1,3");
	FIND("[a-c-]+", "xb-a", "1,4");
	FIND("[[.-.]x]+", "a-x", "1,3");
	FIND("[[=a=]]", "ba", "1,2");
	FIND("[\\]", "\\", "0,1");
	FIND("[\xC3\xA4-\xC3\xBC]", "x\xC3\xB6", "1,3");
	FIND("[^\xC3\xA4]", "\xC3\xA4\xC3\xB6", "2,4");
	FOLD("[A-C]+[[:upper:]]", "xabcd", "1,5");
	FOLD("hElLo", "oh HeLLO", "3,8");
	FOLD("[^a]", "AAb", "2,3");
}

static void
characters_are_those_of_utf8(void **state)
{
	FIND("^.$", "\xE2\x82\xAC", "0,3");
	FIND("^..$", "\xE2\x82", "0,2");
	FIND("\xE2\x82\xAC{2}", "x\xE2\x82\xAC\xE2\x82\xAC", "1,7");
	FIND("a.b", "a\0b", "0,3");
	FIND("a.b", "a\nb", "no");
	FIND("\xFF", "a\xFF", "1,2");
}

static void
anchors_match_at_lines(void **state)
{
	FIND("^b", "a\r\nb", "3,4");
	FIND("a$", "ba\r\nb", "1,2");
	FIND("^$", "", "0,0");
	FIND("a^b", "ab", "no");
	FIND("(^a|b)$", "a\nb", "0,1 0,1");
}

static void
what_is_not_posix_is_refused(void **state)
{
	FIND("*a", "", "'*' has nothing before it to repeat");
	FIND("a(+b)", "", "'+' has nothing before it to repeat");
	FIND("a**", "", "'*' stands behind another repeat: use '(...)' around the first");
	FIND("a+?", "", "'?' stands behind another repeat: use '(...)' around the first");
	FIND("(a", "", "'(' has no ')'");
	FIND("a)", "", "')' has no '('");
	FIND("[a", "", "'[' has no ']'");
	FIND("ex[]ample", "", "'[' has no ']'");
	FIND("[b-a]", "", "a range in '[...]' ends before it begins");
	FIND("[[:foo:]]", "", "'[:foo:]' is no class of characters");
	FIND("[[.hyphen.]]", "", "'[.hyphen.]' is not supported: expected one character");
	FIND("\\d", "", "'\\d' is not supported: use '[[:digit:]]'");
	FIND("\\b", "", "'\\b' is not supported");
	FIND("(a)\\1", "", "back-references like '\\1' are not supported");
	FIND("(?:a)", "", "'(?' is not supported");
	FIND("a\\", "", "'\\' has nothing behind it");
	FIND("a{3,2}", "", "expected '{n}', '{n,}' or '{n,m}': write '\\{' for the character");
	FIND("a{x}", "", "expected '{n}', '{n,}' or '{n,m}': write '\\{' for the character");
	FIND("a{256}", "", "'{...}' repeats too often: at most 255 times is allowed");
	FIND("((a{99}){99}){99}", "",
	    "it is too long: at most 5000 characters are allowed, repeats written out");
}

static void
nesting_and_work_are_limited(void **state)
{
	char deep[200], text[20000];
	struct arena a = { 0 };
	struct sieve_regex *re;
	uint64_t work = 100000;
	char why[120];
	bool limit;

	memset(deep, '(', 100);
	memset(deep + 100, ')', 100);
	assert_null(sieve_regex_new(&a, span(deep, 200), false, why, &limit));
	assert_string_equal(why, "groups are nested too deeply: at most 50 are allowed");
	assert_true(limit);
	/* What others need exponential time for. */
	memset(text, 'a', sizeof(text));
	re = sieve_regex_new(&a, SPAN_LIT("(.*)*(.*)*(a|aa|aaa)*$x"), false, why, NULL);
	assert_non_null(re);
	assert_int_equal(sieve_regex_find(re, span(text, 1000), NULL, 0, &work), SIEVE_REGEX_NO);
	assert_true(work > 0);
	assert_int_equal(sieve_regex_find(re, span(text, sizeof(text)), NULL, 0, &work),
	    SIEVE_REGEX_LIMIT);
	assert_int_equal(work, 0);
	arena_fini(&a);
}

/* --- beside the C library -------------------------------------------------------------------- */

static uint32_t seed = 1;

static uint32_t
number(uint32_t below)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % below;
}

static void
some_pattern(char *out, unsigned depth)
{
	unsigned n = 1 + number(3);

	for (unsigned i = 0; i < n; i++) {
		static const char *const atoms[] = { "a", "b", "c", ".", "[ab]", "[^a]", "[[:alpha:]]" };
		static const char *const repeats[] = { "*", "+", "?", "{2}", "{1,2}", "{0,1}" };

		if (depth > 0 && number(3) == 0) {
			strcat(out, "(");
			some_pattern(out, depth - 1);
			if (number(2) == 0) {
				strcat(out, "|");
				some_pattern(out, depth - 1);
			}
			strcat(out, ")");
		} else {
			strcat(out, atoms[number(7)]);
		}
		if (number(3) == 0)
			strcat(out, repeats[number(6)]);
	}
}

/* The match as a whole; which way through it groups took may differ. */
static void
matches_are_those_of_the_c_library(void **state)
{
	for (unsigned i = 0; i < 3000; i++) {
		char pattern[2000] = "", text[12], want[40], *end;
		const char *got;
		regmatch_t m;
		regex_t re;
		size_t len = number(sizeof(text));

		if (number(5) == 0)
			strcat(pattern, "^");
		some_pattern(pattern, 2);
		if (number(5) == 0)
			strcat(pattern, "$");
		for (size_t k = 0; k < len; k++)
			text[k] = "abcd"[number(4)];
		text[len == sizeof(text) ? len - 1 : len] = '\0';
		len = strlen(text);
		assert_int_equal(regcomp(&re, pattern, REG_EXTENDED), 0);
		snprintf(want, sizeof(want), "no");
		if (regexec(&re, text, 1, &m, 0) == 0)
			snprintf(want, sizeof(want), "%d,%d", (int)m.rm_so, (int)m.rm_eo);
		regfree(&re);
		got = find(pattern, text, len, false);
		end = strchr(got, ' ');
		if (end != NULL)
			*end = '\0';
		if (strcmp(got, want) != 0)
			fail_msg("'%s' in '%s': %s, not %s", pattern, text, got, want);
	}
}

/* --- in scripts ------------------------------------------------------------------------------ */

static const char mail[] =
    "From: me+list@company.com\r\n"
    "Sender: antlr-interest-bounces@ant.example.com\r\n"
    "Subject: FREE MONEY\r\n"
    "\r\nx\r\n";
#define REQUIRE "require [\"regex\", \"variables\", \"fileinto\", \"comparator-i;ascii-numeric\"];"
#define RUN(script, want) assert_string_equal(sieve_once(REQUIRE script, mail), want)
#define TOLD(script, want) do {							\
	const char *told_ = sieve_told(REQUIRE script);				\
	if (strstr(told_, want) == NULL)					\
		fail_msg("%s: %s", script, told_);				\
} while (0)

static void
scripts_match_and_remember_groups(void **state)
{
	RUN("if address :regex \"from\" \"me(\\\\+.*)?@company\\\\.com\" { fileinto \"${0},${1}\"; }",
	    "fileinto me+list@company.com,+list");
	RUN("if header :regex :comparator \"i;octet\" \"subject\" \"^[^[:lower:]]+$\" { discard; }",
	    "discard");
	RUN("if header :regex \"sender\" [\"nothing\", \"([^-@]*)-([^-@]*)(-bounces)?(x)?@ant\"]"
	    "{ fileinto \"${1} ${2} ${3} <${4}>\"; }", "fileinto antlr interest -bounces <>");
	RUN("set \"r\" \"^FREE (.*)\"; if header :regex \"subject\" \"${r}\" { fileinto \"${1}\"; }",
	    "fileinto MONEY");
	RUN("if header :regex \"subject\" \"free\" { discard; }", "discard");
	RUN("if header :regex :comparator \"i;octet\" \"subject\" \"free\" { discard; }", "keep");
	RUN("if header :regex \"x-none\" \".*\" { discard; }", "keep");
}

static void
scripts_are_told_what_is_wrong(void **state)
{
	TOLD("if header :regex \"from\" \"a(+b)\" { keep; }",
	    "\"a(+b)\" is no regular expression: '+' has nothing before it to repeat");
	TOLD("if header :regex :comparator \"i;ascii-numeric\" \"from\" \"a\" { keep; }", "':regex'");
}

static void
an_expression_from_a_message_does_not_end_the_script(void **state)
{
	struct sieve_case c;

	sieve_case_init(&c);
	assert_true(sieve_case_add(&c, REQUIRE "set \"r\" \"[\";\n"
	    "if header :regex \"from\" [\"${r}\", \"${r}\"] { discard; }\n"
	    "if header :regex \"from\" [\"${r}\", \"a\"] { redirect \"a@example.net\"; }"));
	assert_string_equal(sieve_case_run(&c, mail), "redirect a@example.net");
	assert_int_equal(c.result.n_warnings, 1);
	assert_int_equal(c.result.warnings[0].line, 2);
	assert_string_equal(c.result.warnings[0].text,
	    "\"[\" is no regular expression: '[' has no ']'");
	sieve_case_fini(&c);
	RUN("set \"r\" \"a{256}\"; if header :regex \"from\" \"${r}\" { discard; }",
	    "error 1: \"a{256}\" is no regular expression: '{...}' repeats too often: at most 255 "
	    "times is allowed: keep");
	(void)state;
}

static void
looking_for_an_expression_is_work_too(void **state)
{
	struct sieve_case c;
	struct buf b = { 0 };

	buf_add_str(&b, "require [\"regex\", \"variables\"];\n");
	for (unsigned i = 0; i < 3000; i++)
		buf_addf(&b, "set \"r\" \"k%u\"; if string :regex \"x\" \"${r}\" { stop; }\n", i);
	sieve_case_init(&c);
	assert_true(sieve_case_add(&c, buf_cstr(&b)));
	assert_non_null(strstr(sieve_case_run(&c, mail), "the script takes too many steps"));
	sieve_case_fini(&c);
	buf_fini(&b);
	(void)state;
}

static void
a_script_cannot_match_without_end(void **state)
{
	struct sieve_case c;

	sieve_case_init(&c);
	c.limits.steps = 1000;
	assert_true(sieve_case_add(&c, REQUIRE
	    "set \"v\" \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\";"
	    "set \"v\" \"${v}${v}${v}${v}${v}${v}${v}${v}${v}${v}${v}${v}${v}${v}${v}${v}\";"
	    "if string :regex \"${v}\" \"(a{0,200}){0,10}$x\" { discard; }"));
	assert_string_equal(sieve_case_run(&c, mail),
	    "error 1: the script takes too many steps: at most 1000 are allowed: keep");
	sieve_case_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_are_the_leftmost_and_longest),
		cmocka_unit_test(brackets_hold_ranges_and_classes),
		cmocka_unit_test(characters_are_those_of_utf8),
		cmocka_unit_test(anchors_match_at_lines),
		cmocka_unit_test(what_is_not_posix_is_refused),
		cmocka_unit_test(nesting_and_work_are_limited),
		cmocka_unit_test(matches_are_those_of_the_c_library),
		cmocka_unit_test(scripts_match_and_remember_groups),
		cmocka_unit_test(scripts_are_told_what_is_wrong),
		cmocka_unit_test(an_expression_from_a_message_does_not_end_the_script),
		cmocka_unit_test(looking_for_an_expression_is_work_too),
		cmocka_unit_test(a_script_cannot_match_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
