/* Mailbox names and LIST patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "common/mail/mailbox_name.h"

static void
check_path(const char *utf7, const char *path)
{
	struct buf out = { 0 };
	bool ok = mailbox_name_from_utf7(span_str(utf7), &out);

	if (path == NULL) {
		assert_false(ok);
		assert_int_equal(out.len, 0);
	} else {
		assert_true(ok);
		assert_string_equal(buf_cstr(&out), path);
	}
	buf_fini(&out);
}

static void
utf7_has_one_spelling_for_a_name(void **state)
{
	check_path("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
	    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
	check_path("Hi &-", "Hi &");
	check_path("&2D3eAA-", "\xf0\x9f\x98\x80");
	check_path("&AGE-", NULL);		/* a plain letter, shifted */
	check_path("&U,BTFw-&ZeVnLIqe-", NULL);	/* two shifts in a row */
	check_path("&U,BTFw", NULL);		/* not ended */
	check_path("&2D0-", NULL);		/* half a pair */
	check_path("&U,BTFx-", NULL);		/* bits left over */
	check_path("\xc3\xa4", NULL);		/* 8-bit */
}

static void
what_was_decoded_encodes_to_the_same_again(void **state)
{
	static const char *const names[] = { "Entw&APw-rfe", "a/b&-c/&AOQA9gD8-", "&2D3eAA-x" };

	for (size_t i = 0; i < 3; i++) {
		struct buf path = { 0 }, utf7 = { 0 };

		assert_true(mailbox_name_from_utf7(span_str(names[i]), &path));
		mailbox_name_to_utf7(buf_span(&path), &utf7);
		assert_string_equal(buf_cstr(&utf7), names[i]);
		buf_fini(&path);
		buf_fini(&utf7);
	}
}

static void
names_are_composed_and_inbox_is_folded(void **state)
{
	struct buf out = { 0 };

	assert_true(mailbox_name_from_utf8(span_str("a\xcc\x88"), &out));
	assert_string_equal(buf_cstr(&out), "\xc3\xa4");
	buf_fini(&out);
	check_path("inBox", "INBOX");
	check_path("inbox/sub", "INBOX/sub");
	check_path("inboxes", "inboxes");
	check_path("foo/inbox", "foo/inbox");
	check_path("foo/", "foo");
}

static void
impossible_names_are_refused(void **state)
{
	static const char *const bad[] = { "", "/", "a//b", "/a", "a/../b", ".", "a%", "a*b", "a/b//" };
	char deep[64] = "a", longpart[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_path(bad[i], NULL);
	for (int i = 1; i < 20; i++)
		strcat(deep, "/a");
	check_path(deep, deep);
	strcat(deep, "/a");
	check_path(deep, NULL);
	memset(longpart, 'x', sizeof(longpart));
	longpart[256] = '\0';
	check_path(longpart, NULL);
}

static bool
matches(const char *pattern, const char *path)
{
	return mailbox_pattern_match(span_str(pattern), span_str(path));
}

static void
patterns_match_as_in_rfc_3501(void **state)
{
	assert_true(matches("*", "a/b/c"));
	assert_false(matches("%", "a/b"));
	assert_true(matches("%/%", "a/b"));
	assert_true(matches("a*c", "a/b/c"));
	assert_false(matches("a%c", "a/b/c"));
	assert_true(matches("%b%", "abc"));
	assert_true(matches("*%", "a/b/c"));
	assert_true(matches("*a%b", "xa/yab"));
	assert_true(matches("inb%", "INBOX"));
	assert_true(matches("inbox/%", "INBOX/x"));
	assert_false(matches("inbox", "Inboxes"));
	assert_false(matches("", "a"));
}

static void
a_nasty_pattern_takes_no_long_time(void **state)
{
	char pattern[1001], path[1001];

	for (int i = 0; i < 1000; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[1000] = '\0';
	memset(path, 'a', 999);
	path[999] = 'b';
	path[1000] = '\0';
	assert_false(matches(pattern, path));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf7_has_one_spelling_for_a_name),
		cmocka_unit_test(what_was_decoded_encodes_to_the_same_again),
		cmocka_unit_test(names_are_composed_and_inbox_is_folded),
		cmocka_unit_test(impossible_names_are_refused),
		cmocka_unit_test(patterns_match_as_in_rfc_3501),
		cmocka_unit_test(a_nasty_pattern_takes_no_long_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
