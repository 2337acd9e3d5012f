/* Scripts that are run for events of IMAP (RFC 6785). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/util/mem.h"
#include "t/unit/sieve/sieve_test.h"

#define REQUIRE "require [\"imapsieve\", \"environment\", \"imap4flags\", \"fileinto\", " \
    "\"copy\", \"variables\", \"enotify\"];\n"
#define OFFERS (SIEVE_OFFER_DELIVERY | SIEVE_OFFER_IMAP)
static const char mail[] = "From: a@example.org\r\nTo: b@example.com\r\nSubject: x\r\n\r\nText\r\n";

static struct sieve_item items[] = {
	{ "imap.user", SPAN_LIT("b@example.com") }, { "imap.email", SPAN_LIT("b@example.com") },
	{ "imap.cause", SPAN_LIT("FLAG") }, { "imap.mailbox", SPAN_LIT("ActionItems") },
	{ "imap.changedflags", SPAN_LIT("\\Flagged $Label1") }, { "location", SPAN_LIT("MS") },
	{ "phase", SPAN_LIT("post") }
};
static const struct span flags[] = { SPAN_LIT("\\Flagged"), SPAN_LIT("$Label1") };

static void
event_init(struct sieve_case *c)
{
	sieve_case_init(c);
	c->options.offers = OFFERS;
	c->env.event = true;
	c->env.items = items;
	c->env.n_items = ARRAY_LEN(items);
	c->env.flags = flags;
	c->env.n_flags = ARRAY_LEN(flags);
}

/* The actions, and behind ";" what the message's flags are to be. */
static void
check(const char *script, const char *want)
{
	struct sieve_case c;
	struct buf out = { 0 };

	event_init(&c);
	if (sieve_case_add(&c, script))
		buf_add_str(&out, sieve_case_run(&c, mail));
	else
		sieve_problems_print(&c.problems, NULL, &out);
	if (c.result.flagged)
		buf_add_c(&out, ';');
	for (size_t i = 0; i < c.result.n_flags; i++) {
		buf_add_c(&out, ' ');
		buf_add_span(&out, c.result.flags[i]);
	}
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
	sieve_case_fini(&c);
}

static void
the_event_is_in_the_environment(void **state)
{
	(void)state;
	check(REQUIRE "if allof (environment :is \"imap.cause\" \"FLAG\",\n"
	    "environment :is \"imap.mailbox\" \"ActionItems\",\n"
	    "environment :is \"location\" \"MS\", environment :is \"phase\" \"post\",\n"
	    "environment :contains \"imap.changedflags\" \"\\\\Flagged\")\n"
	    "{ fileinto :copy :flags \"\" \"Seen\"; }", "fileinto Seen, keep (\\Flagged $Label1)");
}

static void
a_delivery_knows_the_items_and_they_are_empty(void **state)
{
	struct sieve_case c;

	(void)state;
	sieve_case_init(&c);
	c.options.offers = OFFERS;
	assert_true(sieve_case_add(&c, REQUIRE "if allof (environment :is \"imap.cause\" \"\",\n"
	    "environment :is \"imap.user\" \"\", environment :is \"imap.email\" \"\",\n"
	    "environment :is \"imap.mailbox\" \"\", environment :is \"imap.changedflags\" \"\",\n"
	    "not environment :is \"imap.other\" \"\", not hasflag \"\\\\Flagged\")\n"
	    "{ fileinto \"New\"; }"));
	assert_string_equal(sieve_case_run(&c, mail), "fileinto New");
	assert_false(c.result.event);
	sieve_case_fini(&c);
}

static void
the_extension_is_there_where_it_is_offered(void **state)
{
	struct sieve_options with = { .offers = OFFERS }, without = { .offers = SIEVE_OFFER_DELIVERY };
	struct buf out = { 0 };

	(void)state;
	sieve_capabilities(&with, &out);
	assert_non_null(strstr(buf_cstr(&out), " imapsieve "));
	buf_clear(&out);
	sieve_capabilities(&without, &out);
	assert_null(strstr(buf_cstr(&out), "imapsieve"));
	assert_string_equal(sieve_told("require \"imapsieve\";"),
	    "line 1, column 9: error: the extension \"imapsieve\" is not available here\n");
	buf_fini(&out);
}

static void
flags_begin_as_the_message_has_them(void **state)
{
	(void)state;
	check(REQUIRE "if hasflag \"$Label1\" { fileinto \"A\"; }", "fileinto A (\\Flagged $Label1)");
	check(REQUIRE "addflag \"\\\\Seen\";", "keep (\\Flagged $Label1 \\Seen); \\Flagged $Label1 \\Seen");
	check(REQUIRE "removeflag [\"\\\\Flagged\", \"$Label1\"]; discard;", "discard;");
	check(REQUIRE "keep :flags \"\\\\Draft\";", "keep (\\Draft); \\Draft");
	check(REQUIRE "setflag \"v\" \"\\\\Draft\";", "keep (\\Flagged $Label1)");
	check("require [\"imapsieve\", \"fileinto\"]; fileinto \"B\";",
	    "fileinto B (\\Flagged $Label1)");
}

static void
a_keep_and_a_copy_in_the_inbox_are_two(void **state)
{
	(void)state;
	check(REQUIRE "keep; fileinto :flags \"\" \"INBOX\";",
	    "keep (\\Flagged $Label1), fileinto INBOX");
	check(REQUIRE "fileinto :flags \"\" \"INBOX\";", "fileinto INBOX");
	check(REQUIRE "stop;", "keep (\\Flagged $Label1)");
}

/* RFC 6785 3.11, 4.6 */
static void
what_answers_a_delivery_is_an_error(void **state)
{
	(void)state;
	check("require [\"imapsieve\",\n\"vacation\", \"reject\"]; vacation \"x\"; reject \"y\";",
	    "line 2, column 1: error: \"vacation\" cannot be required together with \"imapsieve\": it "
	    "answers mail that is delivered, an event of IMAP is none\n"
	    "line 2, column 13: error: \"reject\" cannot be required together with \"imapsieve\": it "
	    "answers mail that is delivered, an event of IMAP is none\n");
	check("require \"ereject\"; keep;", "error 0: a script that requires \"ereject\" cannot be run "
	    "for an event of IMAP: it answers mail that is delivered: keep");
	check("require [\"envelope\", \"imap4flags\"];\nsetflag \"x\";\n"
	    "if envelope \"from\" \"\" { discard; }", "error 3: 'envelope' is not possible in an event "
	    "of IMAP: there is no envelope: keep");
	check("require [\"imapsieve\", \"ihave\"]; if ihave \"vacation\" { vacation \"x\"; } else "
	    "{ discard; }", "discard");
}

static void
edits_do_not_change_what_is_kept(void **state)
{
	struct sieve_case c;

	(void)state;
	event_init(&c);
	assert_true(sieve_case_add(&c, "require [\"imapsieve\", \"editheader\", \"fileinto\", \"copy\"];"
	    "addheader \"X-A\" \"b\"; fileinto :copy \"Edited\";"));
	assert_string_equal(sieve_case_run(&c, mail),
	    "fileinto Edited (\\Flagged $Label1), keep (\\Flagged $Label1)");
	assert_ptr_not_equal(c.result.actions[0]->message, c.message);
	assert_true(sieve_result_keeps(&c.result));
	sieve_case_fini(&c);
}

/* RFC 6785 5 */
static void
the_examples_of_the_rfc_do_what_it_says(void **state)
{
	(void)state;
	items[2].value = SPAN_LIT("COPY");
	check("require [\"copy\", \"environment\", \"imapsieve\"];\n"
	    "if anyof (environment :is \"imap.cause\" \"APPEND\",\n"
	    "          environment :is \"imap.cause\" \"COPY\")  {\n"
	    "    if environment :is \"imap.mailbox\" \"ActionItems\" {\n"
	    "        redirect :copy \"actionitems@example.com\";\n    }\n}\n",
	    "redirect actionitems@example.com, keep (\\Flagged $Label1)");
	items[2].value = SPAN_LIT("FLAG");
	check(REQUIRE "if environment :matches \"imap.mailbox\" \"*\" { set \"mailbox\" \"${1}\"; }\n"
	    "if allof (hasflag \"\\\\Flagged\",\n"
	    "          environment :contains \"imap.changedflags\" \"\\\\Flagged\") {\n"
	    "    notify :message \"Important message in ${mailbox}\" \"mailto:tim@example.com\";\n}\n",
	    "notify mailto:tim@example.com, keep (\\Flagged $Label1)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_event_is_in_the_environment),
		cmocka_unit_test(a_delivery_knows_the_items_and_they_are_empty),
		cmocka_unit_test(the_extension_is_there_where_it_is_offered),
		cmocka_unit_test(flags_begin_as_the_message_has_them),
		cmocka_unit_test(a_keep_and_a_copy_in_the_inbox_are_two),
		cmocka_unit_test(what_answers_a_delivery_is_an_error),
		cmocka_unit_test(edits_do_not_change_what_is_kept),
		cmocka_unit_test(the_examples_of_the_rfc_do_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
