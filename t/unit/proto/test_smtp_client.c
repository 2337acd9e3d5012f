#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/proto/smtp.h"
#include "common/proto/smtp_client.h"
#include "common/util/mem.h"

static enum smtp_reply_is
line(struct smtp_reply *r, const char *text)
{
	struct span words;

	return smtp_reply_line(r, span_str(text), &words);
}

/* ---- replies ---- */

static void
a_reply_has_lines_of_one_code(void **state)
{
	struct smtp_reply r = { 0 };

	assert_int_equal(line(&r, "250-relay.example greets you"), SMTP_REPLY_MORE);
	assert_int_equal(line(&r, "250-SIZE 1000"), SMTP_REPLY_MORE);
	assert_int_equal(line(&r, "250 DSN"), SMTP_REPLY_WHOLE);
	assert_int_equal(r.code, 250);
	assert_int_equal(r.lines, 3);
	assert_string_equal(r.text, "relay.example greets you");
	r = (struct smtp_reply){ 0 };
	assert_int_equal(line(&r, "354"), SMTP_REPLY_WHOLE);
	assert_string_equal(r.text, "");
	r = (struct smtp_reply){ 0 };
	assert_int_equal(line(&r, "250-one"), SMTP_REPLY_MORE);
	assert_int_equal(line(&r, "251 two"), SMTP_REPLY_BAD);
}

static void
what_is_no_reply_is_told_apart(void **state)
{
	static const char *const bad[] = { "", "25", "abc", "2x0 ok", "199 early", "600 late", "250+ok",
	    "2500 ok", "HTTP/1.1 200 OK" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct smtp_reply r = { 0 };

		assert_int_equal(line(&r, bad[i]), SMTP_REPLY_BAD);
	}
}

static void
a_reply_ends_some_time(void **state)
{
	struct smtp_reply r = { 0 };

	for (unsigned i = 0; i < SMTP_REPLY_LINES_MAX; i++)
		assert_int_equal(line(&r, "250-more"), SMTP_REPLY_MORE);
	assert_int_equal(line(&r, "250 done"), SMTP_REPLY_BAD);
}

static void
its_words_are_one_line_of_ascii(void **state)
{
	struct smtp_reply r = { 0 };
	char text[600];

	assert_int_equal(line(&r, "550 5.1.1 caf\xc3\xa9\tno\x1b[2J"), SMTP_REPLY_WHOLE);
	assert_string_equal(r.text, "5.1.1 caf???no?[2J");
	r = (struct smtp_reply){ 0 };
	memset(text, 'x', sizeof(text));
	memcpy(text, "550 ", 4);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(line(&r, text), SMTP_REPLY_WHOLE);
	assert_int_equal(strlen(r.text), SMTP_REPLY_TEXT_MAX);
}

static void
offers_are_read_in_any_case(void **state)
{
	static const char *const lines[] = { "PIPELINING", "size 52428800", "8bitmime", "SMTPUTF8", "DSN",
	    "DELIVERBY 240", "STARTTLS", "AUTH LOGIN plain X-NEW", "AUTH=SCRAM-SHA-256", "XFORWARD NAME",
	    "SIZEX 3", "" };
	struct smtp_offers o = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		smtp_offers_line(&o, span_str(lines[i]));
	assert_true(o.pipelining && o.eight_bit && o.utf8 && o.dsn && o.starttls && o.size && o.deliver_by);
	assert_int_equal(o.size_max, 52428800);
	assert_int_equal(o.by_least_s, 240);
	assert_int_equal(o.auth, SMTP_AUTH_PLAIN | SMTP_AUTH_LOGIN | SMTP_AUTH_SCRAM_SHA_256);
	o = (struct smtp_offers){ 0 };
	smtp_offers_line(&o, span_str("SIZE"));
	smtp_offers_line(&o, span_str("DELIVERBY x"));
	assert_true(o.size && o.size_max == 0 && o.deliver_by && o.by_least_s == 0);
}

/* ---- commands ---- */

static void
assert_mail(const struct smtp_mail *m, const struct smtp_offers *o, const char *want)
{
	struct buf b = { 0 };

	smtp_put_mail(&b, m, o);
	assert_string_equal(buf_cstr(&b), want);
	buf_fini(&b);
}

static void
assert_rcpt(const struct smtp_rcpt *r, const struct smtp_offers *o, const char *want)
{
	struct buf b = { 0 };

	smtp_put_rcpt(&b, r, o);
	assert_string_equal(buf_cstr(&b), want);
	buf_fini(&b);
}

static const struct smtp_offers all = { .pipelining = true, .eight_bit = true, .utf8 = true,
    .dsn = true, .size = true, .deliver_by = true };

static void
parameters_are_those_that_are_offered(void **state)
{
	const struct smtp_mail m = { .from = SPAN_LIT("a@example.org"), .envid = SPAN_LIT("x+2By"),
	    .size = 1234, .ret = SMTP_RET_HDRS, .by_return = true, .by_trace = true, .by_s = 600,
	    .utf8 = true };
	const struct smtp_rcpt r = { .address = SPAN_LIT("b@example.net"),
	    .orcpt = SPAN_LIT("rfc822;c@example.net"), .notify = SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY };
	const struct smtp_offers none = { 0 };

	assert_mail(&m, &none, "MAIL FROM:<a@example.org>\r\n");
	assert_rcpt(&r, &none, "RCPT TO:<b@example.net>\r\n");
	assert_mail(&m, &all, "MAIL FROM:<a@example.org> SIZE=1234 BODY=8BITMIME SMTPUTF8 RET=HDRS "
	    "ENVID=x+2By BY=600;RT\r\n");
	assert_rcpt(&r, &all, "RCPT TO:<b@example.net> NOTIFY=FAILURE,DELAY ORCPT=rfc822;c@example.net\r\n");
}

static void
parameters_are_those_that_are_wanted(void **state)
{
	const struct smtp_mail m = { .by_notify = true, .by_s = -5 };
	const struct smtp_mail plain = { .from = SPAN_LIT("a@example.org") };
	const struct smtp_rcpt r = { .address = SPAN_LIT("b@example.net"), .notify = SMTP_NOTIFY_NEVER };

	assert_mail(&m, &all, "MAIL FROM:<> BODY=8BITMIME BY=-5;N\r\n");
	assert_mail(&plain, &all, "MAIL FROM:<a@example.org> BODY=8BITMIME\r\n");
	assert_rcpt(&r, &all, "RCPT TO:<b@example.net> NOTIFY=NEVER\r\n");
}

static void
what_would_break_a_command_is_no_xtext(void **state)
{
	assert_true(smtp_xtext_valid(span_str("a+2Bb")));
	assert_false(smtp_xtext_valid(span_str("a b")));
	assert_false(smtp_xtext_valid(span_str("a=b")));
	assert_false(smtp_xtext_valid(span_str("a+2bb")));
	assert_false(smtp_xtext_valid(span_str("a+")));
	assert_false(smtp_xtext_valid(span_str("a\r\nRCPT")));
	assert_true(smtp_orcpt_valid(span_str("rfc822;a@b")));
	assert_false(smtp_orcpt_valid(span_str("a@b")));
	assert_false(smtp_orcpt_valid(span_str(";a@b")));
	assert_false(smtp_orcpt_valid(span_str("rfc822;")));
	assert_false(smtp_orcpt_valid(span_str("rfc 822;a@b")));
}

/* ---- text ---- */

static void
assert_text(const char *in, const char *want)
{
	size_t n = strlen(in);

	for (size_t cut = 0; cut <= n; cut++) {
		struct smtp_send t = { 0 };
		struct buf b = { 0 };

		smtp_send_feed(&t, span(in, cut), &b);
		smtp_send_feed(&t, span(in + cut, n - cut), &b);
		smtp_send_end(&t, &b);
		assert_string_equal(buf_cstr(&b), want);
		buf_fini(&b);
	}
}

static void
dots_are_doubled_at_the_start_of_lines(void **state)
{
	assert_text("a\r\n.\r\n..b\r\nc.\r\n", "a\r\n..\r\n...b\r\nc.\r\n.\r\n");
	assert_text(".", "..\r\n.\r\n");
	assert_text("", ".\r\n");
	assert_text("no end", "no end\r\n.\r\n");
}

static void
no_bare_cr_or_lf_leaves(void **state)
{
	assert_text("a\r.\rb\n.\nc", "a\r\n..\r\nb\r\n..\r\nc\r\n.\r\n");
	assert_text("a\r\r\n.\r", "a\r\n\r\n..\r\n.\r\n");
}

static void
long_lines_go_on_behind_a_blank(void **state)
{
	struct smtp_send t = { 0 };
	struct buf in = { 0 }, out = { 0 };
	struct span rest;

	for (int i = 0; i < 3000; i++)
		buf_add_c(&in, 'x');
	buf_add_str(&in, "\r\n");
	for (unsigned i = 0; i < SMTP_TEXT_LINE_MAX; i++)
		buf_add_c(&in, 'y');
	buf_add_str(&in, "\r\n");
	smtp_send_feed(&t, buf_span(&in), &out);
	rest = buf_span(&out);
	for (int i = 0; i < 4; i++) {
		struct span one = span_cut(&rest, '\n');

		assert_true(one.len <= SMTP_TEXT_LINE_MAX + 1);
		assert_int_equal(one.p[0], i == 0 ? 'x' : ' ');
	}
	assert_int_equal(rest.len, SMTP_TEXT_LINE_MAX + 2);	/* as long as it may be: left whole */
	assert_int_equal(rest.p[0], 'y');
	assert_false(t.eight_bit);
	smtp_send_feed(&t, span_str("\xc3\xa9"), &out);
	assert_true(t.eight_bit);
	buf_fini(&in);
	buf_fini(&out);
}

static void
our_own_server_reads_the_same_text(void **state)
{
	static const char text[] = "Subject: x\r\n\r\n.\r\n..\r\nmore\r\n\r\n.";
	struct smtp_send t = { 0 };
	struct smtp_text back = { 0 };
	struct buf wire = { 0 }, got = { 0 };

	smtp_send_feed(&t, span_str(text), &wire);
	smtp_send_end(&t, &wire);
	assert_int_equal(smtp_text_feed(&back, buf_span(&wire), &got), wire.len);
	assert_true(back.done);
	buf_cut(&got, got.len - 2);	/* the end of the last line */
	assert_string_equal(buf_cstr(&got), text);
	buf_fini(&wire);
	buf_fini(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_has_lines_of_one_code),
		cmocka_unit_test(what_is_no_reply_is_told_apart),
		cmocka_unit_test(a_reply_ends_some_time),
		cmocka_unit_test(its_words_are_one_line_of_ascii),
		cmocka_unit_test(offers_are_read_in_any_case),
		cmocka_unit_test(parameters_are_those_that_are_offered),
		cmocka_unit_test(parameters_are_those_that_are_wanted),
		cmocka_unit_test(what_would_break_a_command_is_no_xtext),
		cmocka_unit_test(dots_are_doubled_at_the_start_of_lines),
		cmocka_unit_test(no_bare_cr_or_lf_leaves),
		cmocka_unit_test(long_lines_go_on_behind_a_blank),
		cmocka_unit_test(our_own_server_reads_the_same_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
