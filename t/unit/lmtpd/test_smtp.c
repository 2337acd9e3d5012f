/* The grammar of LMTP: commands and the transparency of texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/proto/smtp.h"
#include "common/util/mem.h"

static struct smtp_command
parse(const char *line)
{
	struct smtp_command c;

	smtp_parse(span_str(line), false, &c);
	return c;
}

static void
commands_are_understood_in_any_case(void **state)
{
	struct smtp_command c = parse("mail from:<a.b@Example.ORG> SIZE=1000 body=8bitmime");

	assert_int_equal(c.verb, SMTP_MAIL);
	assert_int_equal(c.error, SMTP_OK);
	assert_true(span_eq_str(c.path, "a.b@Example.ORG"));
	assert_int_equal(c.size, 1000);
	assert_int_equal(c.body, SMTP_8BITMIME);
	c = parse("MAIL FROM:<>");
	assert_int_equal(c.error, SMTP_OK);
	assert_int_equal(c.path.len, 0);
	c = parse("RCPT TO:<@relay.example,@b.example:user@example.org>");
	assert_int_equal(c.error, SMTP_OK);
	assert_true(span_eq_str(c.path, "user@example.org"));
	c = parse("RCPT TO: <\"odd > name\"@example.org>");
	assert_int_equal(c.error, SMTP_OK);
	assert_true(span_eq_str(c.path, "\"odd > name\"@example.org"));
	c = parse("BDAT 100 LAST");
	assert_int_equal(c.error, SMTP_OK);
	assert_true(c.last);
	assert_int_equal(c.size, 100);
}

static void
mistakes_are_named(void **state)
{
	assert_int_equal(parse("MAIL FROM:<a b@x.org>").error, SMTP_BAD_ADDRESS);
	assert_int_equal(parse("MAIL FROM:a@x.org").error, SMTP_BAD_SYNTAX);
	assert_int_equal(parse("MAIL FROM:<a@x.org> RET=FULL").error, SMTP_BAD_PARAM);
	assert_int_equal(parse("MAIL FROM:<a@x.org> SIZE=x").error, SMTP_BAD_SYNTAX);
	assert_int_equal(parse("RCPT TO:<>").error, SMTP_BAD_ADDRESS);
	assert_int_equal(parse("RCPT TO:<a@b..c>").error, SMTP_BAD_ADDRESS);
	assert_int_equal(parse("RCPT TO:<a@x.org").error, SMTP_BAD_SYNTAX);
	assert_int_equal(parse("RCPT TO:<\xc3\xa4@x.org>").error, SMTP_NEEDS_UTF8);
	assert_int_equal(parse("MAIL FROM:<\xc3\xa4@x.org> SMTPUTF8").error, SMTP_OK);
	assert_int_equal(parse("BDAT -1").error, SMTP_BAD_SYNTAX);
	assert_int_equal(parse("BDAT 18446744073709551616").error, SMTP_BAD_SYNTAX);
	assert_int_equal(parse("DATA now").error, SMTP_BAD_SYNTAX);
	assert_int_equal(parse("XYZZY").verb, SMTP_UNKNOWN);
	assert_int_equal(parse("").verb, SMTP_UNKNOWN);
}

/* in through the decoder in all ways of cutting it in two, and byte by byte. */
static void
text(const char *in, size_t len, const char *want, size_t used)
{
	for (size_t cut = 0; cut <= len + 1; cut++) {
		struct smtp_text t = { 0 };
		struct buf out = { 0 };
		size_t took = 0;

		if (cut <= len) {
			took = smtp_text_feed(&t, span(in, cut), &out);
			if (took == cut)
				took += smtp_text_feed(&t, span(in + cut, len - cut), &out);
		} else {
			for (size_t i = 0; i < len && !t.done; i++)
				took += smtp_text_feed(&t, span(in + i, 1), &out);
		}
		assert_true(t.done);
		assert_int_equal(took, used);
		assert_string_equal(buf_cstr(&out), want);
		buf_fini(&out);
	}
}
#define TEXT(in, want) text(in, sizeof(in) - 1, want, sizeof(in) - 1)

static void
a_text_ends_at_its_true_end_alone(void **state)
{
	TEXT("a\r\nb\r\n.\r\n", "a\r\nb\r\n");
	TEXT(".\r\n", "");
	TEXT("..\r\n.a\r\n.\r\n", ".\r\na\r\n");
	/* smuggling: none of these is an end */
	TEXT("a\n.\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n");
	TEXT("a\n.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n");
	TEXT("a\r.\rb\r\n.\r\n", "a\r.\rb\r\n");
	TEXT("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n");
	TEXT("a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n");
	TEXT("a\r\r\n.\r\n", "a\r\r\n");
	text("a\r\n.\r\nQUIT\r\n", 12, "a\r\n", 6);
}

static void
bare_line_feeds_and_nul_follow_the_rule(void **state)
{
	bool cr = false;
	struct buf out = { 0 };

	text("a\nb\0c\r\n.\r\n", 10, "a\r\nb\x80" "c\r\n", 10);
	smtp_chunk_feed(&cr, SPAN_LIT("a\r"), &out);
	smtp_chunk_feed(&cr, SPAN_LIT("\nb\n.\nc"), &out);
	smtp_chunk_feed(&cr, span("\0\n", 2), &out);
	assert_string_equal(buf_cstr(&out), "a\r\nb\r\n.\r\nc\x80\r\n");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_understood_in_any_case),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(a_text_ends_at_its_true_end_alone),
		cmocka_unit_test(bare_line_feeds_and_nul_follow_the_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
