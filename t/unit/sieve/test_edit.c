/* What edits the message: editheader (RFC 5293). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/sieve/edit_test.h"
#include "t/unit/sieve/sieve_test.h"

static const char mail[] =
    "Received: by a.example; Tue, 30 Dec 2025 10:00:00 +0000\r\n"
    "From: a@example.org\r\n"
    "X-Hello: one\r\n"
    "Subject: Frop\r\n"
    "X-Hello: two\r\n"
    " folded\r\n"
    "Auto-Submitted: no\r\n"
    "X-Hello: three\r\n"
    "\r\n"
    "Body\r\n";

#define REQUIRE "require [\"editheader\", \"variables\", \"fileinto\", \"relational\", \"index\"," \
    "\"comparator-i;ascii-numeric\", \"body\", \"encoded-character\", \"copy\"];"
#define RUN(script, want) assert_string_equal(sieve_once(REQUIRE script, mail), want)
#define EDITED(script, message, want) assert_string_equal(edited(REQUIRE script, message), want)
#define TOLD(script, want) do {							\
	const char *told_ = sieve_told(REQUIRE script);				\
	if (strstr(told_, want) == NULL)					\
		fail_msg("%s: %s", script, told_);				\
} while (0)
/* The X-Hello fields that are left, told by their numbers. */
#define LEFT(script, want) RUN(script							\
	    "if header :contains \"X-Hello\" \"one\" { set \"v\" \"${v}1\"; }"			\
	    "if header \"X-Hello\" \"two folded\" { set \"v\" \"${v}2\"; }"			\
	    "if header :contains \"X-Hello\" \"three\" { set \"v\" \"${v}3\"; }"		\
	    "fileinto \"<${v}>\";", "fileinto <" want ">")

static void
fields_are_added_at_both_ends(void **state)
{
	EDITED("addheader \"X-A\" \"b\";", "S: x\r\n\r\nB\r\n", "X-A: b\r\nS: x\r\n\r\nB\r\n");
	EDITED("addheader :last \"X-A\" \"b\";", "S: x\r\n\r\nB\r\n", "S: x\r\nX-A: b\r\n\r\nB\r\n");
	EDITED("addheader \"X-A\" \"1\"; addheader \"X-A\" \"2\"; addheader :last \"X-A\" \"3\";",
	    "S: x\r\n\r\nB", "X-A: 2\r\nX-A: 1\r\nS: x\r\nX-A: 3\r\n\r\nB");
	EDITED("addheader \"X-A\" \"b\";", "From a Mon Jan  1 00:00:00 2026\r\nS: x\r\n\r\nB",
	    "From a Mon Jan  1 00:00:00 2026\r\nX-A: b\r\nS: x\r\n\r\nB");
	EDITED("addheader :last \"X-A\" \"b\";", "S: x\n\nB\n", "S: x\nX-A: b\n\nB\n");
	EDITED("addheader :last \"X-A\" \"b\";", "S: x", "S: x\r\nX-A: b\r\n");
	EDITED("addheader \"X-A\" \"b\";", "", "X-A: b\r\n");
	EDITED("addheader \"X-A\" \"b\";", "\r\nB", "X-A: b\r\n\r\nB");
	/* No empty line: what follows is no part of the new field. */
	EDITED("addheader :last \"X-A\" \"b\";", " text\r\n", "X-A: b\r\n\r\n text\r\n");
	EDITED("addheader \"X-A\" \"\";", "S: x\r\n\r\n", "X-A:\r\nS: x\r\n\r\n");
}

static void
values_are_folded_and_encoded(void **state)
{
	EDITED("addheader \"X-A\" \"gr\xC3\xBCn\";", "\r\n", "X-A: =?UTF-8?B?Z3LDvG4=?=\r\n\r\n");
	EDITED("addheader \"X-A\" \" a\r\n\t b \";", "\r\n", "X-A: a b\r\n\r\n");
	EDITED("addheader \"X-A\" \"a\r\nBcc: evil@example.org\";", "\r\n",
	    "X-A: a Bcc: evil@example.org\r\n\r\n");
	EDITED("addheader \"X-A\" \"${hex:FC}\";", "\r\n", "X-A: =?UTF-8?B?w7w=?=\r\n\r\n");
	EDITED("addheader \"X-A\" \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\";", "\r\n",
	    "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
	    " bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n\r\n");
	RUN("set \"v\" \"Ein unerh\xC3\xB6rt gro\xC3\x9F" "er Test =?utf-8?q?x?=\";"
	    "addheader \"Comment\" \"${v}\"; if header :is \"comment\" \"${v}\" { discard; }",
	    "discard");
}

static void
fields_are_deleted_by_name_place_and_value(void **state)
{
	LEFT("deleteheader \"x-hello\";", "");
	LEFT("deleteheader \"x-none\";", "123");
	LEFT("deleteheader :index 2 \"X-Hello\";", "13");
	LEFT("deleteheader :index 1 :last \"X-Hello\";", "12");
	LEFT("deleteheader :last :index 3 \"X-Hello\";", "23");
	LEFT("deleteheader :index 4 \"X-Hello\";", "123");
	LEFT("deleteheader :contains \"X-Hello\" \"o\";", "3");
	LEFT("deleteheader \"X-Hello\" [\"two folded\", \"three\"];", "1");
	LEFT("deleteheader :index 1 :contains \"X-Hello\" \"two\";", "123");
	LEFT("deleteheader :matches \"X-Hello\" \"t*\";", "1");
	LEFT("deleteheader :matches \"X-Hello\";", "");
	/* Examples of RFC 5293 7. */
	LEFT("addheader \"X-Hello\" \"World\"; deleteheader :index 1 \"X-Hello\";", "123");
	LEFT("deleteheader :index 1 \"X-Hello\"; deleteheader :index 2 \"X-Hello\";", "2");
	EDITED("deleteheader \"b\";", "A: 1\r\nB: 2\r\n 3\r\nC: 4\r\n\r\nB: 5\r\n",
	    "A: 1\r\nC: 4\r\n\r\nB: 5\r\n");
	EDITED("deleteheader \"a\";", "A: 1\r\n", "");
	EDITED("deleteheader \"a\";", "A: 1\r\n\r\nB", "\r\nB");
}

static void
later_tests_and_actions_see_the_edits(void **state)
{
	RUN("addheader \"X-Hello\" \"World\";"
	    "if header :contains \"X-Hello\" \"World\" { fileinto \"international\"; }",
	    "fileinto international");
	RUN("deleteheader \"subject\"; if exists \"subject\" { discard; }", "keep");
	RUN("addheader :last \"X-Hello\" \"four\";"
	    "if header :index 1 :last \"x-hello\" \"four\" { discard; }", "discard");
	RUN("addheader \"X\" \"y\"; if body :raw \"Body\r\n\" { discard; }", "discard");
	assert_string_equal(sieve_once(REQUIRE "if size :under 9 { set \"a\" \"x\"; }"
	    "addheader \"X\" \"y\"; if size :over 13 { fileinto \"${a}\"; }", "S: x\r\n\r\n"),
	    "fileinto x");
	/* One message stored once (7). */
	RUN("keep; addheader \"X-Flavor\" \"vanilla\"; keep;", "keep");
}

static void
actions_keep_the_message_they_had(void **state)
{
	struct sieve_case c;

	sieve_case_init(&c);
	assert_true(sieve_case_add(&c, REQUIRE "fileinto :copy \"A\"; addheader \"X\" \"1\";"
	    "fileinto :copy \"B\"; deleteheader \"S\"; redirect :copy \"c@example.org\";"));
	assert_string_equal(sieve_case_run(&c, "S: x\r\n\r\nB\r\n"),
	    "fileinto A, fileinto B, redirect c@example.org, keep");
	assert_string_equal(message_text(c.result.actions[0]->message), "S: x\r\n\r\nB\r\n");
	assert_string_equal(message_text(c.result.actions[1]->message), "X: 1\r\nS: x\r\n\r\nB\r\n");
	assert_string_equal(message_text(c.result.actions[2]->message), "X: 1\r\n\r\nB\r\n");
	assert_string_equal(message_text(c.result.actions[3]->message), "X: 1\r\n\r\nB\r\n");
	assert_ptr_equal(c.result.actions[0]->message, c.message);
	sieve_case_fini(&c);
}

static void
after_an_error_the_message_is_as_it_came(void **state)
{
	struct sieve_case c;

	sieve_case_init(&c);
	assert_true(sieve_case_add(&c, REQUIRE "addheader \"X\" \"1\"; set \"n\" \"X-field:\";"
	    "addheader \"${n}\" \"v\";"));
	assert_string_equal(sieve_case_run(&c, mail), "error 1: the field name \"X-field:\" is "
	    "invalid: expected printable ASCII characters without colon and blanks: keep");
	assert_ptr_equal(c.result.actions[0]->message, c.message);
	sieve_case_fini(&c);
}

static void
some_fields_cannot_be_changed(void **state)
{
	static const char *const names[] = { "X-Admin", "Subject", NULL };
	struct sieve_settings settings = { .protected_headers = names };
	struct sieve_case c;

	EDITED("deleteheader \"received\"; deleteheader \"auto-submitted\"; deleteheader \"x-hello\";"
	    "deleteheader \"From\"; addheader \"received\" \"by me\";", mail,
	    "received: by me\r\nReceived: by a.example; Tue, 30 Dec 2025 10:00:00 +0000\r\n"
	    "Subject: Frop\r\nAuto-Submitted: no\r\n\r\nBody\r\n");
	TOLD("deleteheader \"received\";", "may not be deleted here: this does nothing");

	for (unsigned trusted = 0; trusted < 2; trusted++) {
		sieve_case_init(&c);
		c.options.settings = c.env.settings = &settings;
		c.options.trusted = trusted != 0;
		assert_true(sieve_case_add(&c, REQUIRE "set \"n\" \"x-admin\";"
		    "addheader \"X-Admin\" \"1\"; addheader \"${n}\" \"2\"; deleteheader \"Subject\";"));
		sieve_case_run(&c, "Subject: x\r\n\r\n");
		assert_string_equal(message_text(c.result.actions[0]->message),
		    trusted != 0 ? "x-admin: 2\r\nX-Admin: 1\r\n\r\n" : "\r\n");
		sieve_case_fini(&c);
	}
}

static void
what_is_no_field_is_told(void **state)
{
	TOLD("addheader \"X-field:\" \"Frop\";", "field name \"X-field:\" is invalid");
	TOLD("addheader \"X field\" \"Frop\";", "field name \"X field\" is invalid");
	TOLD("deleteheader \"X field\";", "field name \"X field\" is invalid");
	TOLD("addheader \"X\" \"Woah${hex:00}!\";", "is invalid: it has control characters");
	TOLD("addheader \"X\" \"Woah${hex:07}!\";", "is invalid: it has control characters");
	TOLD("deleteheader :last \"X\";", "cannot be specified without the :index tag");
	TOLD("deleteheader :index 0 \"X\";", "counted from 1");
	TOLD("deleteheader;", "'deleteheader' takes");
	TOLD("addheader \"x\";", "'addheader' takes");
	TOLD("addheader \"x\" [\"y\"];", "expected a string here");
}

static void
fields_have_a_longest_length(void **state)
{
	char script[4000] = REQUIRE "set \"v\" \"\"; addheader \"X\" \"", *end = script + strlen(script);
	struct sieve_case c;

	memset(end, 'a', 2043);
	for (size_t i = 50; i < 2040; i += 50)
		end[i] = ' ';
	strcpy(end + 1900, "\";");
	assert_string_equal(sieve_once(script, mail), "keep");
	strcpy(end + 1900, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\";");
	assert_non_null(strstr(sieve_told(script), "the field takes 2"));
	strcpy(end + 1900, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa${v}\";");
	assert_null(strstr(sieve_told(script), "error"));
	assert_non_null(strstr(sieve_once(script, mail), "bytes: at most 2048 are allowed: keep"));

	sieve_case_init(&c);
	c.limits.memory_bytes = 20000;
	strcpy(end + 1500, "\"; addheader \"Y\" \"z\"; addheader \"Y\" \"z\"; addheader \"Y\" \"z\";"
	    "addheader \"Y\" \"z\"; addheader \"Y\" \"z\"; addheader \"Y\" \"z\"; addheader \"Y\" \"z\";"
	    "addheader \"Y\" \"z\"; addheader \"Y\" \"z\"; addheader \"Y\" \"z\"; addheader \"Y\" \"z\";");
	assert_true(sieve_case_add(&c, script));
	assert_string_equal(sieve_case_run(&c, mail),
	    "error 1: the script takes too much memory: at most 20000 bytes are allowed: keep");
	sieve_case_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_added_at_both_ends),
		cmocka_unit_test(values_are_folded_and_encoded),
		cmocka_unit_test(fields_are_deleted_by_name_place_and_value),
		cmocka_unit_test(later_tests_and_actions_see_the_edits),
		cmocka_unit_test(actions_keep_the_message_they_had),
		cmocka_unit_test(after_an_error_the_message_is_as_it_came),
		cmocka_unit_test(some_fields_cannot_be_changed),
		cmocka_unit_test(what_is_no_field_is_told),
		cmocka_unit_test(fields_have_a_longest_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
