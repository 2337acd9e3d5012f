/* What edits the message: editheader (RFC 5293), replace and enclose (RFC 5703). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
	TOLD("deleteheader;", "the deleteheader command requires 1 or 2");
	TOLD("addheader \"x\";", "the addheader command requires 2");
	TOLD("addheader \"x\" [\"y\"];", "expects a string as argument 2");
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

/* --- replace --------------------------------------------------------------------------------- */

static const char multi[] =
    "From: a@example.org\r\n"
    "Subject: Frop\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n"
    "\r\n"
    "--b\r\n"
    "\r\n"
    "Text\r\n"
    "--b\r\n"
    "Content-Type: application/exe; name=a.exe\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "AAAA\r\n"
    "--b\r\n"
    "Content-Type: message/rfc822\r\n"
    "\r\n"
    "Subject: inside\r\n"
    "Content-Type: text/html\r\n"
    "\r\n"
    "<p>\r\n"
    "--b--\r\n"
    "end\r\n";
#define R "require [\"replace\", \"enclose\", \"foreverypart\", \"mime\", \"editheader\"," \
    "\"variables\", \"fileinto\", \"body\", \"copy\", \"encoded-character\"];"
#define BECOMES(script, message, want) assert_string_equal(edited(R script, message), want)
#define SAYS(script, want) do {							\
	const char *told_ = sieve_told(R script);				\
	if (strstr(told_, want) == NULL)					\
		fail_msg("%s: %s", script, told_);				\
} while (0)
#define PLAIN "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "

static void
a_part_is_replaced_where_it_stands(void **state)
{
	BECOMES("foreverypart { if header :mime :subtype \"content-type\" \"exe\" {"
	    "replace \"Removed.\"; } }", multi,
	    "From: a@example.org\r\nSubject: Frop\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText\r\n--b\r\n"
	    PLAIN "7bit\r\n\r\nRemoved.\r\n--b\r\n"
	    "Content-Type: message/rfc822\r\n\r\nSubject: inside\r\nContent-Type: text/html\r\n\r\n"
	    "<p>\r\n--b--\r\nend\r\n");
	/* The header of a message inside stays. */
	BECOMES("foreverypart { if header :mime \"subject\" \"inside\" { replace \"x\"; } }", multi,
	    "From: a@example.org\r\nSubject: Frop\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText\r\n--b\r\n"
	    "Content-Type: application/exe; name=a.exe\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	    "AAAA\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inside\r\n"
	    "MIME-Version: 1.0\r\n" PLAIN "7bit\r\n\r\nx\r\n--b--\r\nend\r\n");
	BECOMES("foreverypart { if header :mime :type \"content-type\" \"application\" {"
	    "replace :mime text:\nContent-Type: text/html\nX-Y: z\n\n<i>\n.\n; } }"
	    "deleteheader \"from\"; deleteheader \"subject\"; deleteheader \"mime-version\";", multi,
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText\r\n--b\r\n"
	    "Content-Type: text/html\r\nX-Y: z\r\n\r\n<i>\r\n\r\n--b\r\n"
	    "Content-Type: message/rfc822\r\n\r\nSubject: inside\r\nContent-Type: text/html\r\n\r\n"
	    "<p>\r\n--b--\r\nend\r\n");
}

static void
later_loops_see_what_was_replaced(void **state)
{
#define COUNT "foreverypart { set \"n\" \"${n}x\"; }"
	assert_string_equal(sieve_once(R COUNT "fileinto \"${n}\";", multi), "fileinto xxxxx");
	assert_string_equal(sieve_once(R "foreverypart { if header :mime :type \"content-type\" "
	    "\"message\" { replace \"x\"; } set \"l\" \"${l}l\"; }" COUNT "fileinto \"${l} ${n}\";",
	    multi), "fileinto llll xxxx");
	assert_string_equal(sieve_once(R "foreverypart { replace \"all\"; set \"l\" \"${l}l\"; }"
	    COUNT "if body :contains \"all\" { fileinto \"${l} ${n}\"; }", multi), "fileinto l x");
	/* One that would go on for ever ends where parts are too deep. */
	assert_non_null(strstr(sieve_once(R "foreverypart { replace :mime text:\n"
	    "Content-Type: multipart/mixed; boundary=${n}y\n\n--${n}y\n\nx\n.\n; set \"n\" \"${n}n\"; }"
	    "fileinto \"end\";", multi), "fileinto end"));
}

static void
the_whole_message_is_replaced(void **state)
{
	BECOMES("replace \"New\ntext\";", multi, "From: a@example.org\r\nSubject: Frop\r\n"
	    "MIME-Version: 1.0\r\n" PLAIN "7bit\r\n\r\nNew\r\ntext");
	BECOMES("replace :subject \"gr\xC3\xBCn\" :from \"B\xC3\xBC <b@example.org>, c@example.org\" "
	    "\"x\"; deleteheader \"original-subject\";", multi, "Subject: =?UTF-8?B?Z3LDvG4=?=\r\n"
	    "Original-Subject: Frop\r\nFrom: =?UTF-8?B?QsO8?= <b@example.org>, c@example.org\r\n"
	    "Original-From: a@example.org\r\nMIME-Version: 1.0\r\n" PLAIN "7bit\r\n\r\nx");
	BECOMES("replace :mime \"Content-Type: text/html\r\nSubject: no\r\n\r\n<b>\";", multi,
	    "From: a@example.org\r\nSubject: Frop\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/html\r\n\r\n<b>");
	BECOMES("replace \"x\";", "A: b\r\n", "A: b\r\nMIME-Version: 1.0\r\n" PLAIN
	    "7bit\r\n\r\nx");
}

static void
texts_are_coded_as_they_need(void **state)
{
#define HEAD "MIME-Version: 1.0\r\n" PLAIN
	BECOMES("replace \"a gr\xC3\xBCn b =\";", "\r\n", HEAD "quoted-printable\r\n\r\n"
	    "a gr=C3=BCn b =3D");
	BECOMES("replace \"a\n--b\n\";", "\r\n", HEAD "base64\r\n\r\nYQ0KLS1iDQo=\r\n");
	BECOMES("replace \"\xE2\x82\xAC\";", "\r\n", HEAD "base64\r\n\r\n4oKs\r\n");
	BECOMES("replace \"${hex:FC}a b c d\";", "\r\n", HEAD "quoted-printable\r\n\r\n"
	    "=C3=BCa b c d");
}

static void
what_replace_does_not_take_is_told(void **state)
{
	SAYS("replace :mime :subject \"x\" \"y\";", "':mime' cannot stand beside");
	SAYS("replace :from \"no address\" \"y\";", "is no list of addresses");
	SAYS("replace :from \"a@b.c, x\" \"y\";", "is no list of addresses");
	SAYS("replace :from \"a@b.c\r\nX: y\" \"y\";", "is no list of addresses");
	assert_string_equal(sieve_once(R "foreverypart { if header :mime :type \"content-type\" "
	    "\"application\" { replace :mime \"\n--b\n\"; } }", multi),
	    "error 1: 'replace': a line of the replacement is a boundary of the message: keep");
	/* One that is known only when it runs is ignored. */
	BECOMES("set \"f\" \"x\"; replace :from \"${f}\" \"y\";", "From: z\r\n\r\n",
	    "From: z\r\n" HEAD "7bit\r\n\r\ny");
	BECOMES("replace :subject \"x\" \"y\"; deleteheader \"original-subject\";",
	    "Subject: z\r\n\r\n", "Subject: x\r\nOriginal-Subject: z\r\n" HEAD "7bit\r\n\r\ny");
}

/* --- enclose --------------------------------------------------------------------------------- */

static void
a_message_is_enclosed_octet_for_octet(void **state)
{
	static const char small[] = "From: a@example.org\r\nDate: x\r\nSubject: S\r\n\r\n--b\r\n\xFF\n";
	const char *text = edited(R "enclose :subject \"W\" \"Warning!\";", small), *b, *end;
	char want[1000], boundary[80];

	b = strstr(text, "boundary=\"");
	assert_non_null(b);
	b += strlen("boundary=\"");
	end = strchr(b, '"');
	snprintf(boundary, sizeof(boundary), "%.*s", (int)(end - b), b);
	snprintf(want, sizeof(want), "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
	    "From: user@example.com\r\nSubject: W\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed;\r\n boundary=\"%s\"\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n--%s\r\n" PLAIN "7bit\r\n\r\nWarning!\r\n--%s\r\n"
	    "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n%s\r\n--%s--\r\n",
	    boundary, boundary, boundary, small, boundary);
	assert_string_equal(text, want);
	/* :headers are copied, but for those that tell of the content. */
	text = edited(R "enclose :headers [\"date\", \"FROM\", \"Content-Type\"] \"x\";",
	    "From: a@example.org\r\nDate: x\r\nSubject: S\r\nContent-Type: text/html\r\n\r\n");
	assert_ptr_equal(strstr(text, "From: a@example.org\r\nDate: x\r\nSubject: S\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;"), text);
}

static void
what_follows_works_on_the_new_message(void **state)
{
	assert_string_equal(sieve_once(R "enclose :subject \"W\" \"Warning!\";"
	    "if allof (header \"subject\" \"W\", body :contains \"Warning!\","
	    "body :content \"message\" :contains \"Subject: Frop\") { fileinto \"x\"; }", multi),
	    "fileinto x");
	assert_string_equal(sieve_once(R COUNT "enclose \"x\"; set \"n\" \"\";" COUNT "fileinto \"${n}\";",
	    multi), "fileinto xxxxxxxx");
	/* A loop over its parts is over. */
	assert_string_equal(sieve_once(R "foreverypart { set \"n\" \"${n}x\"; foreverypart {"
	    "enclose \"x\"; if header :mime :type \"content-type\" \"multipart\" { set \"n\" \"${n}y\"; }"
	    "} set \"n\" \"${n}z\"; } fileinto \"${n}\";", multi), "fileinto xyz");
	assert_string_equal(sieve_once(R "enclose \"a\"; enclose \"b\";" COUNT "fileinto \"${n}\";",
	    "S: x\r\n\r\ny"), "fileinto xxxxxxx");
}

static void
redirect_sends_what_was_not_enclosed(void **state)
{
	struct sieve_case c;

	sieve_case_init(&c);
	assert_true(sieve_case_add(&c, R "addheader \"X\" \"1\"; enclose \"w\";"
	    "redirect :copy \"c@example.org\"; addheader \"Y\" \"2\";"
	    "redirect :copy \"d@example.org\";"));
	assert_string_equal(sieve_case_run(&c, "S: x\r\n\r\nB\r\n"),
	    "redirect c@example.org, redirect d@example.org, keep");
	assert_string_equal(message_text(c.result.actions[0]->message), "X: 1\r\nS: x\r\n\r\nB\r\n");
	assert_string_equal(message_text(c.result.actions[1]->message), "X: 1\r\nS: x\r\n\r\nB\r\n");
	assert_non_null(strstr(message_text(c.result.actions[2]->message), "Y: 2\r\nDate:"));
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
		cmocka_unit_test(a_part_is_replaced_where_it_stands),
		cmocka_unit_test(later_loops_see_what_was_replaced),
		cmocka_unit_test(the_whole_message_is_replaced),
		cmocka_unit_test(texts_are_coded_as_they_need),
		cmocka_unit_test(what_replace_does_not_take_is_told),
		cmocka_unit_test(a_message_is_enclosed_octet_for_octet),
		cmocka_unit_test(what_follows_works_on_the_new_message),
		cmocka_unit_test(redirect_sends_what_was_not_enclosed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
