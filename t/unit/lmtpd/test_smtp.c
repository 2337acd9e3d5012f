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

	smtp_parse(span_str(line), 0, &c);
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

static enum smtp_error
said(const char *line, unsigned may, struct smtp_command *c)
{
	smtp_parse(span_str(line), may, c);
	assert_true(c->error != SMTP_BAD_SYNTAX || c->why != NULL);
	return c->error;
}

static void
what_is_to_be_reported_is_read(void **state)
{
	const unsigned may = SMTP_MAY_DSN | SMTP_MAY_BY;
	struct smtp_command c;

	assert_int_equal(said("MAIL FROM:<> ret=hdrs ENVID=QQ+2B1 BY=-000000005;nt AUTH=<>", may, &c), SMTP_OK);
	assert_int_equal(c.ret, SMTP_RET_HDRS);
	assert_true(span_eq_str(c.envid, "QQ+2B1") && span_eq_str(c.auth, "<>"));
	assert_true(c.by.by_notify && !c.by.by_return && c.by.trace && c.by.seconds == -5);
	assert_int_equal(said("MAIL FROM:<> BY=+999999999;R", may, &c), SMTP_OK);
	assert_true(c.by.by_return && c.by.seconds == SMTP_BY_MAX && c.auth.p == NULL && c.envid.p == NULL);
	assert_int_equal(said("RCPT TO:<a@x.org> NOTIFY=delay,SUCCESS ORCPT=x-Type;a+20b", may, &c), SMTP_OK);
	assert_int_equal(c.notify, SMTP_NOTIFY_DELAY | SMTP_NOTIFY_SUCCESS);
	assert_true(span_eq_str(c.orcpt, "x-Type;a+20b"));
	assert_int_equal(said("RCPT TO:<a@x.org> NOTIFY=NEVER ORCPT=utf-8;\xc3\xa4@x.org", may, &c), SMTP_OK);
	assert_int_equal(c.notify, SMTP_NOTIFY_NEVER);
}

static void
what_was_not_offered_is_no_parameter(void **state)
{
	static const char *const lines[] = { "MAIL FROM:<> RET=FULL", "MAIL FROM:<> ENVID=x",
	    "RCPT TO:<a@x.org> NOTIFY=NEVER", "RCPT TO:<a@x.org> ORCPT=rfc822;a", "MAIL FROM:<> BY=5;N",
	    "MAIL FROM:<> RET=x" };
	struct smtp_command c;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_int_equal(said(lines[i], i == 4 ? SMTP_MAY_DSN : SMTP_MAY_BY, &c), SMTP_BAD_PARAM);
		assert_non_null(c.why);
	}
	assert_int_equal(said("MAIL FROM:<> NOTIFY=NEVER", 7, &c), SMTP_BAD_PARAM);
	assert_int_equal(said("RCPT TO:<a@x.org> RET=FULL", 7, &c), SMTP_BAD_PARAM);
}

static void
parameters_that_are_none_or_come_twice_are_named(void **state)
{
	static const char *const lines[] = { "MAIL FROM:<> RET", "MAIL FROM:<> RET=", "MAIL FROM:<> ENVID=",
	    "MAIL FROM:<> ENVID=a+0d", "MAIL FROM:<> ENVID=a+0D+0A", "MAIL FROM:<> ENVID=a+C3", "MAIL FROM:<> ENVID=a=b",
	    "MAIL FROM:<> BY=0;R", "MAIL FROM:<> BY=-1;R", "MAIL FROM:<> BY=1;", "MAIL FROM:<> BY=;N",
	    "MAIL FROM:<> BY=1;NX", "MAIL FROM:<> BY=1;RTT", "MAIL FROM:<> BY=1000000000;N", "MAIL FROM:<> BY=--1;N",
	    "MAIL FROM:<> AUTH=", "MAIL FROM:<> AUTH=<x>+", "MAIL FROM:<> BODY=8", "MAIL FROM:<> SIZE=1 SIZE=1",
	    "MAIL FROM:<> RET=FULL ret=full", "MAIL FROM:<> SMTPUTF8=1", "RCPT TO:<a@x.org> NOTIFY",
	    "RCPT TO:<a@x.org> NOTIFY=,", "RCPT TO:<a@x.org> NOTIFY=NEVER,DELAY", "RCPT TO:<a@x.org> ORCPT=a@x.org",
	    "RCPT TO:<a@x.org> ORCPT=;a", "RCPT TO:<a@x.org> ORCPT=rfc822;", "RCPT TO:<a@x.org> ORCPT=rfc822;a+0A",
	    "RCPT TO:<a@x.org> ORCPT=rfc822;\xc3\xa4", "RCPT TO:<a@x.org> ORCPT=utf-8;\xc3",
	    "RCPT TO:<a@x.org> ORCPT=utf-8;\xc2\x85", "RCPT TO:<a@x.org> ORCPT=r;a ORCPT=r;a" };
	struct smtp_command c;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (said(lines[i], SMTP_MAY_DSN | SMTP_MAY_BY, &c) != SMTP_BAD_SYNTAX)
			fail_msg("%s", lines[i]);
}

static void
an_original_recipient_is(const char *said, const char *decoded, const char *ascii)
{
	struct buf b = { 0 };

	assert_true(smtp_orcpt_good(span_str(said)));
	smtp_orcpt_decode(span_str(said), &b);
	assert_string_equal(buf_cstr(&b), decoded);
	buf_clear(&b);
	assert_true(smtp_orcpt_ascii(span_str(said), &b));
	assert_string_equal(buf_cstr(&b), ascii);
	assert_true(smtp_orcpt_valid(buf_span(&b)));
	buf_fini(&b);
}

static void
original_recipients_lose_their_encoding(void **state)
{
	struct buf b = { 0 }, long_one = { 0 };

	an_original_recipient_is("rfc822;a+2Bb@x.org", "rfc822;a+b@x.org", "rfc822;a+2Bb@x.org");
	an_original_recipient_is("utf-8;a+2Bb@x.org", "utf-8;a+b@x.org", "utf-8;a+2Bb@x.org");
	an_original_recipient_is("UTF-8;\xc3\xa4\\x{2B}b@x.org", "UTF-8;\xc3\xa4+b@x.org", "UTF-8;\\x{E4}\\x{2B}b@x.org");
	an_original_recipient_is("utf-8;\\x{1F600}@x", "utf-8;\xf0\x9f\x98\x80@x", "utf-8;\\x{1F600}@x");
	/* no character, a control, and what only looks so */
	an_original_recipient_is("utf-8;\\x{D800}\\x{0A}\\x{}\\x{12", "utf-8;\\x{D800}\\x{0A}\\x{}\\x{12",
	    "utf-8;\\x{D800}\\x{0A}\\x{}\\x{12");
	buf_add_str(&long_one, "utf-8;");
	for (int i = 0; i < 200; i++)
		buf_add_str(&long_one, "\xc3\xa4");
	assert_true(smtp_orcpt_good(buf_span(&long_one)));
	assert_false(smtp_orcpt_ascii(buf_span(&long_one), &b));
	assert_int_equal(b.len, 0);
	buf_fini(&long_one);
	buf_fini(&b);
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
		cmocka_unit_test(what_is_to_be_reported_is_read),
		cmocka_unit_test(what_was_not_offered_is_no_parameter),
		cmocka_unit_test(parameters_that_are_none_or_come_twice_are_named),
		cmocka_unit_test(original_recipients_lose_their_encoding),
		cmocka_unit_test(a_text_ends_at_its_true_end_alone),
		cmocka_unit_test(bare_line_feeds_and_nul_follow_the_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
