/* Reports of a delivery: which of them are due, what they say, what goes on with a message. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "filter/dsn.h"

#define NOW_MS		1795250000000

static const struct dsn_fate kept = { 0, true }, discarded = { 0, false }, alias = { 1, false },
    copied = { 1, true }, spread = { 2, false },
    deaf = { 1, false, true };

static unsigned
due(uint8_t notify, const struct dsn_fate *f)
{
	const struct dsn d = { .notify = notify };

	return dsn_due(&d, f, NOW_MS);
}

static void
a_success_is_told_to_who_asked(void **state)
{
	assert_int_equal(due(QUEUE_NOTIFY_SUCCESS, &kept), DSN_DELIVERED);
	assert_int_equal(due(QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_DELAY, &kept), DSN_DELIVERED);
	assert_int_equal(due(QUEUE_NOTIFY_SUCCESS, &discarded), DSN_DELIVERED);
	assert_int_equal(due(0, &kept), 0);
	assert_int_equal(due(QUEUE_NOTIFY_NEVER, &kept), 0);
	assert_int_equal(due(QUEUE_NOTIFY_FAILURE | QUEUE_NOTIFY_DELAY, &kept), 0);
}

static void
who_it_is_sent_on_to_tells_alone(void **state)
{
	assert_int_equal(due(QUEUE_NOTIFY_SUCCESS, &alias), 0);
	assert_int_equal(due(QUEUE_NOTIFY_SUCCESS, &copied), DSN_DELIVERED);
	assert_int_equal(due(QUEUE_NOTIFY_SUCCESS, &spread), DSN_EXPANDED);
	/* a program passes nothing on */
	assert_int_equal(due(QUEUE_NOTIFY_SUCCESS, &deaf), DSN_RELAYED);
	assert_int_equal(due(QUEUE_NOTIFY_FAILURE, &deaf), 0);
}

static unsigned
late(uint8_t by, uint8_t notify, bool over_before, const struct dsn_fate *f)
{
	const struct dsn d = { .by = by, .notify = notify, .by_over = over_before, .by_ms = NOW_MS - 1 };

	return dsn_due(&d, f, NOW_MS);
}

static void
a_time_that_ended_here_is_told(void **state)
{
	const struct dsn in_time = { .by = QUEUE_BY_NOTIFY, .by_ms = NOW_MS + 1 };

	assert_int_equal(late(QUEUE_BY_NOTIFY, 0, false, &kept), DSN_DELAYED);
	assert_int_equal(late(QUEUE_BY_NOTIFY, QUEUE_NOTIFY_DELAY, false, &kept), DSN_DELAYED);
	assert_int_equal(late(QUEUE_BY_NOTIFY, QUEUE_NOTIFY_DELAY | QUEUE_NOTIFY_SUCCESS, false, &kept),
	    DSN_DELAYED | DSN_DELIVERED);
	assert_int_equal(late(QUEUE_BY_NOTIFY, QUEUE_NOTIFY_FAILURE, false, &kept), 0);
	assert_int_equal(late(QUEUE_BY_NOTIFY, QUEUE_NOTIFY_NEVER, false, &kept), 0);
	assert_int_equal(late(QUEUE_BY_NOTIFY, 0, true, &kept), 0);
	assert_int_equal(dsn_due(&in_time, &kept, NOW_MS), 0);
	assert_int_equal(dsn_due(&in_time, &alias, NOW_MS), DSN_RELAYED);
	assert_int_equal(late(QUEUE_BY_NOTIFY | QUEUE_BY_TRACE, 0, true, &alias), DSN_RELAYED);
	assert_int_equal(late(QUEUE_BY_NOTIFY | QUEUE_BY_TRACE, 0, true, &kept), 0);
	assert_int_equal(late(QUEUE_BY_NOTIFY | QUEUE_BY_TRACE, QUEUE_NOTIFY_NEVER, true, &alias), 0);
}

static void
what_was_asked_for_goes_on_but_not_twice(void **state)
{
	const struct dsn d = { .envid = SPAN_LIT("E"), .orcpt = SPAN_LIT("rfc822;a+2B@b"), .ret = QUEUE_RET_HDRS,
	    .notify = QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_DELAY, .by = QUEUE_BY_RETURN, .by_ms = NOW_MS + 5000 };
	const struct dsn only = { .notify = QUEUE_NOTIFY_SUCCESS }, none = { 0 };
	struct store_envelope env = { 0 };
	struct store_queue_rcpt to = { 0 };
	struct buf orcpt = { 0 };

	dsn_pass_on(&d, &alias, NOW_MS, &env, &to, &orcpt);
	assert_true(span_eq_str(env.envid, "E") && env.ret == QUEUE_RET_HDRS && env.by == QUEUE_BY_RETURN);
	assert_int_equal(env.by_ms, 5000);
	assert_true(span_eq_str(to.orcpt, "rfc822;a+2B@b") && to.notify == d.notify);
	buf_clear(&orcpt);
	dsn_pass_on(&d, &copied, NOW_MS, &env, &to, &orcpt);
	assert_int_equal(to.notify, QUEUE_NOTIFY_DELAY);
	dsn_pass_on(&only, &spread, NOW_MS, &env, &to, &orcpt);
	assert_int_equal(to.notify, QUEUE_NOTIFY_NEVER);
	to = (struct store_queue_rcpt){ 0 };
	dsn_pass_on(&none, &spread, NOW_MS, &env, &to, &orcpt);
	assert_true(to.notify == 0 && to.orcpt.len == 0 && env.ret == 0 && env.envid.len == 0 && env.by == 0);
	buf_fini(&orcpt);
}

static char *
report(const struct dsn *d, const char *from, const char *to, const char *header, unsigned action,
    struct buf *out)
{
	const struct dsn_about about = { "mail.example.org", span_str(from), span_str(to), span_str(header), true,
	    NOW_MS / 1000 };

	dsn_report(d, &about, action, out);
	for (const char *p = buf_cstr(out); (p = strchr(p, '\n')) != NULL; p++)
		assert_int_equal(p[-1], '\r');
	return out->data;
}

static void
a_report_has_what_was_said(void **state)
{
	const struct dsn d = { .envid = SPAN_LIT("QQ+2B7+20x"), .orcpt = SPAN_LIT("rfc822;Old+2BOne@b"), .arrived_s = 1795250000,
	    .by = QUEUE_BY_NOTIFY, .by_ms = NOW_MS };
	struct buf b = { 0 };
	const char *s = report(&d, "from@away.test", "to@here.test", "Subject: x\r\n\r\n", DSN_DELAYED, &b);

	assert_non_null(strstr(s, "\r\nTo: <from@away.test>\r\n"));
	assert_non_null(strstr(s, "report-type=delivery-status;"));
	assert_non_null(strstr(s, "\r\nOriginal-Envelope-Id: QQ+7 x\r\nReporting-MTA: dns; mail.example.org\r\nArrival-Date: "));
	assert_non_null(strstr(s, "\r\nDeliver-By-Date: "));
	assert_non_null(strstr(s, "\r\n\r\nOriginal-Recipient: rfc822;Old+One@b\r\nFinal-Recipient: rfc822; to@here.test\r\n"
	    "Action: delayed\r\nStatus: 4.4.7\r\n"));
	assert_non_null(strstr(s, "Content-Type: text/rfc822-headers\r\n"));
	assert_non_null(strstr(s, "\r\nSubject: x\r\n"));
	buf_fini(&b);
}

static void
nothing_of_others_begins_a_field(void **state)
{
	const struct dsn d = { .orcpt = SPAN_LIT("utf-8;\\x{0A}\xc3\xa4") };
	struct buf b = { 0 };
	const char *s = report(&d, "\"a\nX-A: b\"@x", "\"a\r\nX-A: b\"@\xc3\xa4", "X: gr\xc3\xbc\xc3\x9f\r\nY: z", DSN_DELIVERED, &b);

	assert_null(strstr(s, "\nX-A"));
	assert_null(strstr(s, "Original-Envelope-Id"));
	assert_non_null(strstr(s, "\r\nOriginal-Recipient: utf-8;\\x{5C}x{0A}\\x{E4}\r\n"));
	assert_non_null(strstr(s, "\r\nFinal-Recipient: utf-8; "));
	assert_non_null(strstr(s, "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n"));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_success_is_told_to_who_asked),
		cmocka_unit_test(who_it_is_sent_on_to_tells_alone),
		cmocka_unit_test(a_time_that_ended_here_is_told),
		cmocka_unit_test(what_was_asked_for_goes_on_but_not_twice),
		cmocka_unit_test(a_report_has_what_was_said),
		cmocka_unit_test(nothing_of_others_begins_a_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
