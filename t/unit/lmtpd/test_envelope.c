/* What scripts see of the envelope. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include "lmtpd/envelope.h"

static void
parameters_lose_their_encodings(void **state)
{
	const struct dsn d = { .envid = SPAN_LIT("QQ+2B7"), .orcpt = SPAN_LIT("rfc822;old+2Bone@b.test"),
	    .ret = QUEUE_RET_FULL, .notify = QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE,
	    .by = QUEUE_BY_RETURN | QUEUE_BY_TRACE, .by_ms = 1060000, .arrived_s = 1000 };
	const struct envelope_said said = { "f@a.test", "t@a.test", "e+3Dmc2@a.test", &d };
	struct sieve_envelope e;
	struct arena mem = { 0 };

	envelope_view(&said, &mem, &e);
	assert_true(span_eq_str(e.from, "f@a.test") && span_eq_str(e.to, "t@a.test"));
	assert_true(span_eq_str(e.auth, "e=mc2@a.test") && span_eq_str(e.envid, "QQ+7"));
	assert_true(span_eq_str(e.orcpt, "rfc822;old+one@b.test") && span_eq_str(e.orig_to, "old+one@b.test"));
	assert_true(span_eq_str(e.ret, "FULL") && span_eq_str(e.notify, "SUCCESS,FAILURE"));
	assert_true(span_eq_str(e.by, "60;RT") && e.by_time == 1060);
	arena_fini(&mem);
}

static void
what_was_not_said_is_not_there(void **state)
{
	const struct dsn none = { 0 }, odd = { .orcpt = SPAN_LIT("x400;c=de") };
	struct envelope_said said = { "", "t@a.test", NULL, &none };
	struct sieve_envelope e;
	struct arena mem = { 0 };

	envelope_view(&said, &mem, &e);
	assert_true(e.from.p != NULL && e.from.len == 0);
	assert_true(e.auth.p == NULL && e.envid.p == NULL && e.orcpt.p == NULL && e.orig_to.p == NULL &&
	    e.ret.p == NULL && e.notify.p == NULL && e.by.p == NULL && e.by_time == 0);
	/* an unknown submitter is the null sender; an address of another kind no address to compare */
	said.auth = "<>";
	said.dsn = &odd;
	envelope_view(&said, &mem, &e);
	assert_true(e.auth.p != NULL && e.auth.len == 0);
	assert_true(e.orcpt.p != NULL && e.orig_to.p == NULL);
	arena_fini(&mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_lose_their_encodings),
		cmocka_unit_test(what_was_not_said_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
