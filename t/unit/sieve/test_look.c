/* What looks into the message and around it: date and index (RFC 5260), environment (RFC 5183),
 * subaddress (RFC 5233), spamtest (RFC 5235), encoded-character (RFC 5228 2.4.2.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/sieve/sieve_test.h"

static const char mail[] =
    "Received: from a.example by b.example;\r\n\tThu, 01 Jan 2026 23:30:00 -0500\r\n"
    "Received: from c.example by a.example; Wed, 31 Dec 2025 10:00:00 +0000\r\n"
    "Received: by c.example; Tue, 30 Dec 2025 10:00:00 +0000\r\n"
    "From: ken+mta+filters@example.org\r\n"
    "To: ken+@example.org, ken@example.org\r\n"
    "Cc: other@example.org\r\n"
    "Date: Mon, 20 Jul 2009 21:44:43 +0330\r\n"
    "Bad-Date: Sun, 29 Feb 2009 10:00:00 +0000\r\n"
    "Subject: $$$ price\r\n"
    "\r\nx\r\n";

#define REQUIRE "require [\"date\", \"index\", \"variables\", \"relational\", \"fileinto\"," \
    "\"comparator-i;ascii-numeric\", \"subaddress\", \"envelope\", \"environment\"];"
#define RUN(script, want) assert_string_equal(sieve_once(REQUIRE script, mail), want)
#define IF(test) RUN("if " test " { fileinto \"yes\"; }", "fileinto yes")
#define IF_NOT(test) RUN("if " test " { fileinto \"yes\"; }", "keep")
#define TOLD(script, want) do {							\
	const char *told_ = sieve_told(script);					\
	if (strstr(told_, want) == NULL)					\
		fail_msg("%s: %s", script, told_);				\
} while (0)
#define PART(args, want) RUN("if date " args " \"*\" { fileinto \"${1}\"; }", "fileinto " want)

static void
parts_of_a_date_are_as_written(void **state)
{
	PART(":originalzone :matches \"date\" \"year\"", "2009");
	PART(":originalzone :matches \"date\" \"month\"", "07");
	PART(":originalzone :matches \"date\" \"day\"", "20");
	PART(":originalzone :matches \"date\" \"DATE\"", "2009-07-20");
	PART(":originalzone :matches \"date\" \"julian\"", "55032");
	PART(":originalzone :matches \"date\" \"hour\"", "21");
	PART(":originalzone :matches \"date\" \"minute\"", "44");
	PART(":originalzone :matches \"date\" \"second\"", "43");
	PART(":originalzone :matches \"date\" \"time\"", "21:44:43");
	PART(":originalzone :matches \"date\" \"iso8601\"", "2009-07-20T21:44:43+03:30");
	PART(":originalzone :matches \"date\" \"std11\"", "Mon, 20 Jul 2009 21:44:43 +0330");
	PART(":originalzone :matches \"date\" \"zone\"", "+0330");
	PART(":originalzone :matches \"date\" \"weekday\"", "1");
	/* Local time of the tests is UTC. */
	PART(":matches \"date\" \"iso8601\"", "2009-07-20T18:14:43Z");
	PART(":matches \"date\" \"zone\"", "+0000");
	PART(":zone \"-1900\" :matches \"date\" \"date\"", "2009-07-19");
	PART(":zone \"-1900\" :matches \"date\" \"weekday\"", "0");
	PART(":zone \"-0030\" :matches \"date\" \"zone\"", "-0030");
}

static void
dates_stand_behind_the_last_semicolon_too(void **state)
{
	PART(":originalzone :matches \"received\" \"date\"", "2026-01-01");
	PART(":matches \"received\" \"date\"", "2026-01-02");
	IF("date :count \"eq\" \"date\" \"date\" \"1\"");
	IF("date :count \"eq\" \"resent-date\" \"date\" \"0\"");
	IF_NOT("date :matches \"resent-date\" \"date\" \"*\"");
	IF_NOT("date :matches \"bad-date\" \"date\" \"*\"");
	IF_NOT("date :matches \"subject\" \"date\" \"*\"");
	IF("date :value \"ge\" :originalzone \"date\" \"hour\" \"09\"");
}

static void
the_current_date_is_that_of_the_run(void **state)
{
	RUN("if currentdate :matches \"iso8601\" \"*\" { fileinto \"${0}\"; }",
	    "fileinto 2023-11-14T22:13:20Z");
	RUN("if currentdate :zone \"+0200\" :matches \"std11\" \"*\" { fileinto \"${0}\"; }",
	    "fileinto Wed, 15 Nov 2023 00:13:20 +0200");
	IF("currentdate :count \"eq\" \"date\" \"1\"");
}

static void
what_is_no_date_argument_is_told(void **state)
{
	TOLD(REQUIRE "if date :zone \"0100\" \"date\" \"hour\" \"1\" { }", "is no time zone");
	TOLD(REQUIRE "if date :zone \"+2500\" \"date\" \"hour\" \"1\" { }", "is no time zone");
	TOLD(REQUIRE "if date :zone \"+0100\" :originalzone \"date\" \"hour\" \"1\" { }",
	    "cannot stand together");
	TOLD(REQUIRE "if date \"date\" \"hours\" \"1\" { }", "did you mean \"hour\"?");
	TOLD(REQUIRE "if currentdate :originalzone \"hour\" \"1\" { }",
	    "unknown tagged argument ':originalzone'");
	RUN("set \"p\" \"century\"; if currentdate \"${p}\" \"20\" { keep; }",
	    "error 1: \"century\" is no part of a date: keep");
	RUN("set \"z\" \"CET\"; if currentdate :zone \"${z}\" \"year\" \"20\" { keep; }",
	    "error 1: \"CET\" is no time zone: keep");
}

static void
an_index_counts_fields_of_all_names_in_their_order(void **state)
{
	PART(":index 2 :matches \"received\" \"date\"", "2025-12-31");
	PART(":index 1 :last :matches \"received\" \"date\"", "2025-12-30");
	IF_NOT("header :index 4 :contains \"received\" \"\"");
	IF("header :index 1 :contains [\"to\", \"cc\"] \"ken\"");
	IF("header :index 2 :contains [\"to\", \"cc\"] \"other\"");
	IF_NOT("header :index 2 :contains [\"to\", \"cc\"] \"ken\"");
	IF("header :index 1 :last :contains [\"to\", \"cc\"] \"other\"");
	IF("header :last :index 2 :contains [\"cc\", \"to\"] \"other\"");
	/* Addresses of one field are not counted. */
	IF("address :index 1 :is \"to\" \"ken@example.org\"");
	IF("address :index 1 :count \"eq\" \"to\" \"2\"");
	TOLD(REQUIRE "if header :last \"to\" \"x\" { }",
	    ":last tag cannot be specified without the :index tag");
	TOLD(REQUIRE "if header :index 0 \"to\" \"x\" { }", "counted from 1");
}

static void
details_of_addresses_stand_behind_the_first_separator(void **state)
{
	IF("address :user \"from\" \"ken\"");
	IF("address :detail \"from\" \"mta+filters\"");
	IF("address :detail \"to\" \"\"");
	IF("address :user \"to\" \"ken\"");
	IF("address :detail :count \"eq\" \"to\" \"1\"");
	IF_NOT("address :detail \"cc\" \"\"");
	IF("address :user \"cc\" \"other\"");
}

static void
separators_and_items_come_from_outside(void **state)
{
	struct sieve_settings settings = { .address_separators = "-_" };
	struct sieve_item items[] = { { "location", SPAN_LIT("MDA") }, { "remote-ip", SPAN_NONE } };
	struct sieve_case c;

	sieve_case_init(&c);
	c.env.settings = &settings;
	c.env.items = items;
	c.env.n_items = 2;
	c.env.envelope.to = SPAN_LIT("ken+a_b-c@example.org");
	assert_true(sieve_case_add(&c, REQUIRE "if allof("
	    "envelope :detail \"to\" \"b-c\", envelope :user \"to\" \"ken+a\","
	    "environment \"location\" \"MDA\", environment \"LOCATION\" \"MDA\","
	    "environment \"name\" \"Mansio\", environment :matches \"version\" \"*.*\","
	    "environment \"remote-host\" \"\", not environment :contains \"remote-ip\" \"\","
	    "not environment :count \"eq\" \"vnd.nothing\" \"0\","
	    "environment :count \"eq\" \"remote-host\" \"0\","
	    "environment :count \"eq\" \"name\" \"1\") { discard; }"));
	assert_string_equal(sieve_case_run(&c, mail), "discard");
	sieve_case_fini(&c);
}

/* --- spamtest, spamtestplus, virustest (RFC 5235) ------------------------------------------------ */

static const char checked[] =
    "X-Spam-Status: No, score=4.0 required=5.0\r\n"
    "X-Spam-Status: Yes, score=9.9 required=5.0\r\n"
    "X-Spam-Level: ***\r\n"
    "X-Spam-Score: -1.5\r\n"
    "X-Percent: .29\r\n"
    "X-Verdict: Not Spam\r\n"
    "X-Virus: Found to be Infected.\r\n"
    "\r\n";

/* The value of spamtest, spamtest :percent and virustest, and how often they count. */
static const char *
verdicts(const struct sieve_verdict *spam, const struct sieve_verdict *virus)
{
	static char out[100];
	struct sieve_settings settings = { .spam = *spam, .virus = *virus };
	struct sieve_case c;

	sieve_case_init(&c);
	c.env.settings = &settings;
	assert_true(sieve_case_add(&c, "require [\"spamtest\", \"spamtestplus\", \"virustest\","
	    "\"variables\", \"relational\", \"fileinto\"];"
	    "if spamtest :matches \"*\" { set \"s\" \"${1}\"; }"
	    "if spamtest :percent :matches \"*\" { set \"p\" \"${1}\"; }"
	    "if virustest :matches \"*\" { set \"v\" \"${1}\"; }"
	    "if spamtest :count \"eq\" \"1\" { set \"s\" \"${s}!\"; }"
	    "if virustest :count \"eq\" \"1\" { set \"v\" \"${v}!\"; }"
	    "fileinto \"${s} ${p} ${v}\";"));
	snprintf(out, sizeof(out), "%s", sieve_case_run(&c, checked) + strlen("fileinto "));
	sieve_case_fini(&c);
	return out;
}

static void
verdicts_of_checkers_become_numbers(void **state)
{
	static const char *const spam_texts[] = { "1 not spam", "10 spam", NULL };
	static const char *const virus_texts[] = { "1 clean", "5 infected", NULL };
	const struct sieve_verdict none = { 0 };
	const struct sieve_verdict virus = { "X-Virus: to be ([A-Za-z]+)", SIEVE_VERDICT_TEXT, NULL,
	    virus_texts };
	struct sieve_verdict v;

#define SPAM(want, ...) v = (struct sieve_verdict){ __VA_ARGS__ };				\
	assert_string_equal(verdicts(&v, &none), want " 0")
	assert_string_equal(verdicts(&none, &none), "0 0 0");
	assert_string_equal(verdicts(&none, &virus), "0 0 5!");
	/* The first field is the last checker's. */
	SPAM("8! 80", "X-Spam-Status: score=(-?[0-9.]+)", SIEVE_VERDICT_SCORE, "5", NULL);
	SPAM("8! 80", "X-Spam-Status: score=(-?[0-9.]+)", SIEVE_VERDICT_SCORE,
	    "X-Spam-Status: required=([0-9.]+)", NULL);
	SPAM("1! 0", "X-Spam-Score", SIEVE_VERDICT_SCORE, "5", NULL);
	SPAM("3! 29", "x-percent", SIEVE_VERDICT_SCORE, "1", NULL);
	SPAM("3! 30", "X-Spam-Level", SIEVE_VERDICT_LENGTH, NULL, NULL);
	SPAM("10! 100", "X-Spam-Level", SIEVE_VERDICT_LENGTH, "2", NULL);
	SPAM("1! 0", "X-Verdict", SIEVE_VERDICT_TEXT, NULL, spam_texts);
	/* What cannot be read was not tested. */
	SPAM("0 0", "X-Verdict", SIEVE_VERDICT_SCORE, NULL, NULL);
	SPAM("0 0", "X-Spam-Level", SIEVE_VERDICT_TEXT, NULL, spam_texts);
	SPAM("0 0", "X-Spam-Score", SIEVE_VERDICT_SCORE, "X-None", NULL);
	SPAM("0 0", "X-Spam-Score: (", SIEVE_VERDICT_SCORE, "5", NULL);
	SPAM("0 0", "X-Spam-Score", SIEVE_VERDICT_SCORE, "0", NULL);
	assert_non_null(strstr(sieve_told("require \"spamtest\"; if spamtest :percent \"3\" { }"),
	    "needs require \"spamtestplus\""));
}

#define ENC "require [\"encoded-character\", \"fileinto\"];"
#define ENCODED(text, want) \
	assert_string_equal(sieve_once(ENC "fileinto \"" text "\";", mail), "fileinto " want)

static void
encoded_characters_are_those_of_the_rfc(void **state)
{
	ENCODED("$${hex:40}", "$@");
	ENCODED("${hex: 40 }", "@");
	ENCODED("${HEX: 40}", "@");
	ENCODED("${hex:40", "${hex:40");
	ENCODED("${hex:400}", "${hex:400}");
	ENCODED("${hex:4${hex:30}}", "${hex:40}");
	ENCODED("${unicode:40}", "@");
	ENCODED("${ unicode:40}", "${ unicode:40}");
	ENCODED("${UNICODE:40}", "@");
	ENCODED("${UnICoDE:0000040}", "@");
	ENCODED("${Unicode:40}", "@");
	ENCODED("${Unicode:Cool}", "${Unicode:Cool}");
	ENCODED("${hex:}", "${hex:}");
	ENCODED("a${hex:41\t42\r\n 43}b${unicode:20AC 1F600}", "aABCb\xE2\x82\xAC\xF0\x9F\x98\x80");
	TOLD(ENC "fileinto \"${unicode:200000}\";", "no character");
	TOLD(ENC "fileinto \"${Unicode:DF01}\";", "no character");
	TOLD(ENC "fileinto \"${unicode:FFFFFFFFFFFFFFFFFFFF}\";", "no character");
	ENCODED("${unicode:200000x}", "${unicode:200000x}");
	assert_string_equal(sieve_once("require \"encoded-character\";"
	    "if header :contains \"Subject\" \"$${hex:24 24}\" { discard; }", mail), "discard");
}

static void
encoded_characters_come_before_variables(void **state)
{
	assert_string_equal(sieve_once("require [\"encoded-character\", \"variables\", \"fileinto\"];"
	    "set \"v\" \"x\"; fileinto \"${hex:24}{v}${v}\";", mail), "fileinto xx");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_a_date_are_as_written),
		cmocka_unit_test(dates_stand_behind_the_last_semicolon_too),
		cmocka_unit_test(the_current_date_is_that_of_the_run),
		cmocka_unit_test(what_is_no_date_argument_is_told),
		cmocka_unit_test(an_index_counts_fields_of_all_names_in_their_order),
		cmocka_unit_test(details_of_addresses_stand_behind_the_first_separator),
		cmocka_unit_test(separators_and_items_come_from_outside),
		cmocka_unit_test(verdicts_of_checkers_become_numbers),
		cmocka_unit_test(encoded_characters_are_those_of_the_rfc),
		cmocka_unit_test(encoded_characters_come_before_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
