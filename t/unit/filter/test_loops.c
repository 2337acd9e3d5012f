/* What is redirected, and what a user is told of rules that failed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "filter/loops.h"
#include "filter/notice.h"

static struct mansio_conf *
conf_of(const char *text)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *c = NULL;

	if (!conf_parse(span_str(text), "test", &c, &err))
		fail_msg("%s", buf_cstr(&err.text));
	return c;
}

static const char *
asked(const char *settings, const char *message, bool whole)
{
	struct mansio_conf *c = conf_of(settings);
	struct sieve_message *m = sieve_message_memory(span_str(message));
	const char *why = loops_redirect(c, m, whole, SPAN_LIT("me@example.org"),
	    SPAN_LIT("you@example.net"));

	sieve_message_free(&m);
	conf_free(&c);
	return why;
}

#define RELAY "outgoing { relay = relay.example.org }\n"
#define OURS "Delivered-To: me@example.org\r\n"

static void
what_was_here_before_is_not_redirected_again(void **state)
{
	assert_null(asked(RELAY, OURS "Subject: x\r\n\r\n", true));
	assert_non_null(asked(RELAY, OURS "X-Sieve-Redirected-From: Me@Example.org\r\n\r\n", true));
	assert_null(asked(RELAY, OURS "X-Sieve-Redirected-From: other@example.org\r\n\r\n", true));
	/* where the trace can be put, others' fields count for nothing */
	assert_null(asked(RELAY, OURS OURS "\r\n", true));
	assert_non_null(asked(RELAY, OURS OURS "\r\n", false));
	assert_null(asked(RELAY, OURS "\r\n", false));
	assert_non_null(asked(RELAY "lmtp { add-delivered-to = no }\n", OURS "\r\n", false));
}

static void
a_message_goes_so_many_ways_and_no_more(void **state)
{
	struct buf b = { 0 };

	for (int i = 0; i < 10; i++)
		buf_add_str(&b, "Received: from a by b; Sat, 21 Nov 2026 10:00:00 +0000\r\n");
	assert_null(asked(RELAY "sieve { max-hops = 10 }\n", buf_cstr(&b), true));
	buf_add_str(&b, "received: x\r\n");
	assert_non_null(asked(RELAY "sieve { max-hops = 10 }\n", buf_cstr(&b), true));
	buf_fini(&b);
}

static void
nobody_redirects_to_oneself_or_without_a_relay(void **state)
{
	struct mansio_conf *c = conf_of(RELAY);
	struct sieve_message *m = sieve_message_memory(SPAN_LIT("\r\n"));

	assert_non_null(loops_redirect(c, m, true, SPAN_LIT("me@example.org"),
	    SPAN_LIT("ME@example.org")));
	sieve_message_free(&m);
	conf_free(&c);
	assert_non_null(asked("", "\r\n", true));
}

static void
a_notice_is_one_message_whatever_the_error_says(void **state)
{
	const struct filter_error e = { "", 7, "no mailbox \"a\r\nBcc: all@example.org\"" };
	struct buf out = { 0 };
	size_t lines = 0;

	notice_make("mail.example.org", "me@example.org", &e, 1795250000, &out);
	assert_non_null(strstr(buf_cstr(&out), "    line 7: no mailbox \"a??Bcc: all@example.org\"\r\n"));
	assert_non_null(strstr(buf_cstr(&out), "\r\nAuto-Submitted: auto-generated\r\n"));
	for (const char *p = buf_cstr(&out); (p = strchr(p, '\n')) != NULL; p++) {
		assert_int_equal(p[-1], '\r');
		lines++;
	}
	assert_true(lines > 10);
	buf_fini(&out);
}

static void
each_version_of_a_script_has_a_key_of_its_own(void **state)
{
	unsigned char a[32] = { 1 }, b[32] = { 2 }, ka[32], kb[32], again[32];

	notice_key(a, ka);
	notice_key(b, kb);
	notice_key(a, again);
	assert_memory_equal(ka, again, 32);
	assert_memory_not_equal(ka, kb, 32);
	assert_memory_not_equal(ka, a, 32);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_here_before_is_not_redirected_again),
		cmocka_unit_test(a_message_goes_so_many_ways_and_no_more),
		cmocka_unit_test(nobody_redirects_to_oneself_or_without_a_relay),
		cmocka_unit_test(a_notice_is_one_message_whatever_the_error_says),
		cmocka_unit_test(each_version_of_a_script_has_a_key_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
