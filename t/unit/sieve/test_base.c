/* RFC 5228: the base language, fileinto, copy, envelope, relational, comparators. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/sieve/sieve_test.h"

static const char mail[] =
    "Return-Path: <bounce@lists.example.org>\r\n"
    "Received: from a.example by b.example; Mon, 1 Jan 2024 10:00:00 +0000\r\n"
    "Received: from c.example by a.example; Mon, 1 Jan 2024 09:00:00 +0000\r\n"
    "From: Wile Coyote <coyote@desert.example.org>\r\n"
    "To: roadrunner@acme.example.com, \"Bird, Big\" <bird@Sesame.Example>\r\n"
    "Subject:  =?utf-8?q?Gr=C3=BC=C3=9Fe?= from\r\n the desert  \r\n"
    "X-Caffeine: C8H10N4O2\r\n"
    "X-Number: 0042 things\r\n"
    "X-Empty:\r\n"
    "List-Id: Sieve <sieve.ietf.org>\r\n"
    "\r\n"
    "Beep beep.\r\n";

#define RUN(script, want) assert_string_equal(sieve_once(script, mail), want)
/* The test gives that value. */
#define YES(head, test) RUN(head "if " test " { discard; }", "discard")
#define NO(head, test) RUN(head "if " test " { discard; }", "keep")

static void
without_commands_the_message_is_kept(void **state)
{
	RUN("", "keep");
	RUN("# nothing\r\n/* at\n all */", "keep");
	RUN("keep;", "keep");
	RUN("keep; keep;", "keep");
	RUN("discard;", "discard");
	RUN("stop; discard;", "keep");
	RUN("KeeP;", "keep");
}

static void
actions_cancel_the_implicit_keep(void **state)
{
	RUN("require \"fileinto\"; fileinto \"Lists\";", "fileinto Lists");
	RUN("require \"fileinto\"; fileinto \"Lists\"; keep;", "fileinto Lists, keep");
	RUN("require \"fileinto\"; fileinto \"A\"; fileinto \"B\"; fileinto \"A\";",
	    "fileinto A, fileinto B");
	RUN("require \"fileinto\"; keep; fileinto \"inbox\";", "keep");
	RUN("redirect \"a@example.com\";", "redirect a@example.com");
	RUN("redirect \"Some One <a@example.com>\"; keep;", "redirect a@example.com, keep");
	RUN("require [\"copy\"]; redirect :copy \"a@example.com\";",
	    "redirect a@example.com, keep");
	RUN("require [\"copy\", \"fileinto\"]; fileinto :copy \"A\";", "fileinto A, keep");
	RUN("require [\"copy\", \"fileinto\"]; fileinto :copy \"A\"; discard;", "fileinto A");
}

static void
control_goes_where_tests_say(void **state)
{
	RUN("if true { discard; } elsif true { redirect \"a@b.example\"; } else { stop; }",
	    "discard");
	RUN("if false { discard; } elsif true { redirect \"a@b.example\"; } else { discard; }",
	    "redirect a@b.example");
	RUN("if false { stop; } elsif false { stop; } else { discard; }", "discard");
	RUN("if true { if false { stop; } elsif true { discard; stop; } } keep;", "discard");
	YES("", "allof (true, not false, anyof (false, true))");
	NO("", "allof (true, false, true)");
	NO("", "anyof (false, not true)");
}

static void
header_looks_at_decoded_values(void **state)
{
	YES("", "header :is \"subject\" \"GR\xC3\xBC\xC3\x9F" "e from the desert\"");
	YES("", "header \"subject\" \"gr\xC3\xBC\xC3\x9F" "e from the desert\"");
	NO("", "header :comparator \"i;octet\" \"subject\" \"gr\xC3\xBC\xC3\x9F" "e from the desert\"");
	YES("", "header :contains [\"x-none\", \"SUBJECT\"] [\"no\", \"The Des\"]");
	NO("", "header :contains :comparator \"i;octet\" \"subject\" \"The Des\"");
	YES("", "header :contains \"x-caffeine\" \"\"");
	NO("", "header :contains \"x-none\" \"\"");
	YES("", "header :is \"x-empty\" \"\"");
	YES("", "header :contains \"received\" \"from c.\"");
	YES("", "header :matches \"list-id\" \"*<*.ietf.org>\"");
	NO("", "header :matches \"x-caffeine\" \"c8?10n4o\"");
	YES("", "header :matches \"x-caffeine\" \"c8?10n4o?\"");
	YES("", "header :matches \"subject\" \"gr??e*\"");
	NO("", "header :comparator \"i;octet\" :matches \"subject\" \"Gr??e*\"");
	YES("", "header :comparator \"i;octet\" :matches \"subject\" \"Gr????e*\"");
	YES("", "exists [\"from\", \"X-Empty\"]");
	NO("", "exists [\"from\", \"cc\"]");
}

static void
wildcards_can_be_quoted(void **state)
{
	static const char m[] = "S: a*b?c\\d\r\n\r\n";

#define MATCH(key, want) assert_string_equal(sieve_once("if header :matches \"s\" \"" key	\
    "\" { discard; }", m), want ? "discard" : "keep")
	MATCH("a\\\\*b\\\\?c\\\\\\\\d", true);
	MATCH("a\\\\*b\\\\?*", true);
	MATCH("\\\\a*d", true);
	MATCH("b\\\\*", false);
	MATCH("*", true);
	MATCH("", false);
	MATCH("**d", true);
	MATCH("*c*c*", false);
}

static void
address_compares_parts(void **state)
{
	YES("", "address :is \"from\" \"coyote@desert.example.org\"");
	YES("", "address :domain \"from\" \"DESERT.example.org\"");
	YES("", "address :localpart :is [\"to\", \"cc\"] \"bird\"");
	NO("", "address :localpart :comparator \"i;octet\" \"to\" \"Bird\"");
	YES("", "address :all :contains \"to\" \"@sesame\"");
	NO("", "address :all :contains \"from\" \"Wile\"");
	/* What is no address has no parts (RFC 5228 5.1). */
	static const char odd[] = "From: stephan@\r\nTo: nonsense\r\nCc: \"a b\"@c.example\r\n\r\n";
#define ODD(test, want) assert_string_equal(sieve_once("if " test " { discard; }", odd), want)
	ODD("address :localpart \"from\" \"stephan\"", "keep");
	ODD("address :is \"to\" \"nonsense\"", "discard");
	ODD("address :is \"cc\" \"\\\"a b\\\"@c.example\"", "discard");
	ODD("address :localpart :is \"cc\" \"a b\"", "discard");
	assert_non_null(strstr(sieve_told("if address \"subject\" \"x\" { stop; }"),
	    "does not hold addresses"));
}

static void
envelope_sees_paths(void **state)
{
	struct sieve_case c;

	sieve_case_init(&c);
	c.env.envelope.from = SPAN_LIT("");
	c.env.envelope.to = SPAN_LIT("@relay.example:me+tag@example.net");
	assert_true(sieve_case_add(&c, "require \"envelope\";"
	    "if allof (envelope \"from\" \"\", envelope :domain \"from\" \"\","
	    "    envelope :all \"to\" \"me+tag@example.net\","
	    "    envelope :localpart :matches \"to\" \"*+tag\","
	    "    not envelope \"auth\" \"\") { discard; }"));
	assert_string_equal(sieve_case_run(&c, mail), "discard");
	sieve_case_fini(&c);
}

static void
paths_that_are_none_match_nothing(void **state)
{
	static const char *const bad[] = { "<<a@b.example>", "a@b.example>", "a b.example", "a@@b.example",
	    "a@", "c.example:a@b.example", "@c..example:a@b.example", "@c.example,a@b.example" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct sieve_case c;

		sieve_case_init(&c);
		c.env.envelope.from = span_str(bad[i]);
		assert_true(sieve_case_add(&c, "require \"envelope\";"
		    "if envelope :contains \"from\" \"\" { discard; }"));
		assert_string_equal(sieve_case_run(&c, mail), "keep");
		sieve_case_fini(&c);
	}
}

static void
redirect_takes_addresses_as_people_write_them(void **state)
{
	RUN("redirect \"  Some One  <  a . b  @  example.org  > \";", "line 1, column 10: error: "
	    "\"  Some One  <  a . b  @  example.org  > \" is no address: expected one like "
	    "\"name@example.com\"\n");
	RUN("redirect \"  Some One  <  a  @  example.org  > \";", "redirect a@example.org");
	RUN("redirect \"\\\"a\\\"@example.org\";", "redirect a@example.org");
	RUN("redirect \"\\\"a b\\\"@example.org\";", "redirect \"a b\"@example.org");
	RUN("redirect \"..a...b..@example.org\";", "redirect ..a...b..@example.org");
}

static void
sizes_are_of_the_whole_message(void **state)
{
	NO("", "size :over 1K");
	YES("", "size :under 1K");
	YES("", "size :over 100");
	YES("", "not size :over 1G");
	assert_non_null(strstr(sieve_told("if size 1 { stop; }"), "expected ':over' or ':under'"));
	assert_non_null(strstr(sieve_told("if size :over :under 1 { stop; }"),
	    "cannot stand together"));
	assert_non_null(strstr(sieve_told("if size :over 99999999999G { stop; }"), "too large"));
}

static void
relations_and_numbers(void **state)
{
#define REL "require [\"relational\", \"comparator-i;ascii-numeric\"];"
	YES(REL, "header :value \"eq\" :comparator \"i;ascii-numeric\" \"x-number\" \"42\"");
	YES(REL, "header :value \"lt\" :comparator \"i;ascii-numeric\" \"x-number\" \"43\"");
	YES(REL, "header :value \"ge\" :comparator \"i;ascii-numeric\" \"subject\" \"99\"");
	NO(REL, "header :value \"gt\" :comparator \"i;ascii-numeric\" \"x-number\" \"none\"");
	YES(REL, "header :is :comparator \"i;ascii-numeric\" \"x-number\" \"0042\"");
	YES(REL, "header :count \"eq\" :comparator \"i;ascii-numeric\" \"received\" \"2\"");
	YES(REL, "address :count \"gt\" :comparator \"i;ascii-numeric\" [\"to\", \"cc\"] \"1\"");
	YES(REL, "header :value \"ne\" \"x-caffeine\" \"tea\"");
	assert_non_null(strstr(sieve_told(REL "if header :count \"more\" \"a\" \"1\" { stop; }"),
	    "\"more\" is no relation"));
	assert_non_null(strstr(sieve_told(REL
	    "if header :contains :comparator \"i;ascii-numeric\" \"a\" \"1\" { stop; }"),
	    "compares whole values only"));
}

static void
unicode_letters_have_no_case(void **state)
{
#define UNI "require \"comparator-i;unicode-casemap\";"
	YES(UNI, "header :comparator \"i;unicode-casemap\" :contains \"subject\" \"GR\xC3\x9C\"");
	NO("", "header :contains \"subject\" \"GR\xC3\x9C\"");
	YES(UNI, "header :comparator \"i;unicode-casemap\" :matches \"subject\" \"GR\xC3\x9C?E*\"");
	NO(UNI, "header :comparator \"i;unicode-casemap\" :matches \"subject\" \"GR\xC3\x9C*X\"");
}

static void
strings_are_read_as_written(void **state)
{
	RUN("require \"fileinto\"; fileinto \"a\\\"b\\\\c\\d\";", "fileinto a\"b\\cd");
	RUN("require \"fileinto\"; fileinto text: # note\r\nname\r\n..dot\r\n.\r\n;",
	    "fileinto name\r\n.dot\r\n");
	RUN("require \"fileinto\"; fileinto text:\nname\n.\n;", "fileinto name\r\n");
}

static void
scripts_run_in_order_while_the_message_is_kept(void **state)
{
	struct sieve_case c;

	sieve_case_init(&c);
	assert_true(sieve_case_add(&c,
	    "require [\"fileinto\", \"copy\"]; fileinto :copy \"All\"; keep;"));
	assert_true(sieve_case_add(&c, "require \"fileinto\"; fileinto \"Mine\"; stop;"));
	assert_true(sieve_case_add(&c, "discard;"));
	assert_string_equal(sieve_case_run(&c, mail), "fileinto All, fileinto Mine");
	sieve_case_fini(&c);
}

static void
a_script_that_fails_keeps_what_those_before_did(void **state)
{
	struct sieve_case c;

	sieve_case_init(&c);
	c.limits.redirects = 2;
	assert_true(sieve_case_add(&c, "require [\"fileinto\", \"copy\"]; fileinto :copy \"All\";"));
	assert_true(sieve_case_add(&c, "redirect \"a@b.example\";\r\nredirect \"b@b.example\";\r\n"
	    "redirect \"c@b.example\";"));
	assert_string_equal(sieve_case_run(&c, mail),
	    "error 3: number of redirect actions exceeds policy limit: at most 2 are allowed: fileinto All, keep");
	sieve_case_fini(&c);
}

static void
a_view_reads_what_it_is_made_of(void **state)
{
	struct sieve_message *m = sieve_message_memory(span_str(mail)), *e;
	struct arena a = { 0 };
	char text[64];
	size_t n;
	struct span h = sieve_header_block(sieve_message_header(m));

	e = sieve_message_derive(&a, m, SPAN_LIT("A: b\r\n\r\n"), NULL, 0);
	assert_int_equal(sieve_message_size(e), 8 + strlen(mail) - h.len);
	assert_true(sieve_message_read(e, 3, text, 9));
	assert_memory_equal(text, "b\r\n\r\nBeep", 9);
	sieve_message_pieces(e, &n);
	assert_int_equal(n, 2);
	assert_ptr_equal(sieve_message_root(e), m);
	assert_non_null(sieve_message_parts(e, &n));
	assert_int_equal(n, 1);
	arena_fini(&a);
	sieve_message_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_commands_the_message_is_kept),
		cmocka_unit_test(actions_cancel_the_implicit_keep),
		cmocka_unit_test(control_goes_where_tests_say),
		cmocka_unit_test(header_looks_at_decoded_values),
		cmocka_unit_test(wildcards_can_be_quoted),
		cmocka_unit_test(address_compares_parts),
		cmocka_unit_test(envelope_sees_paths),
		cmocka_unit_test(paths_that_are_none_match_nothing),
		cmocka_unit_test(redirect_takes_addresses_as_people_write_them),
		cmocka_unit_test(sizes_are_of_the_whole_message),
		cmocka_unit_test(relations_and_numbers),
		cmocka_unit_test(unicode_letters_have_no_case),
		cmocka_unit_test(strings_are_read_as_written),
		cmocka_unit_test(scripts_run_in_order_while_the_message_is_kept),
		cmocka_unit_test(a_script_that_fails_keeps_what_those_before_did),
		cmocka_unit_test(a_view_reads_what_it_is_made_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
