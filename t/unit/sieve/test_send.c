/* Parameters of what is sent on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/unit/sieve/sieve_test.h"

#define REQUIRE "require [\"redirect-dsn\", \"redirect-deliverby\", \"copy\"];\n"
static const char mail[] = "From: a@example.org\r\nTo: b@example.com\r\n\r\nText\r\n";

static const struct sieve_redirect *
redirected(struct sieve_case *c, const char *script)
{
	sieve_case_init(c);
	c->env.now = 1000;
	assert_true(sieve_case_add(c, script));
	sieve_case_run(c, mail);
	assert_int_equal(c->outcome, SIEVE_DONE);
	assert_int_equal(c->result.actions[0]->kind, SIEVE_REDIRECT);
	return &c->result.actions[0]->redirect;
}

static void
notify_and_ret_are_told_in_capitals(void **state)
{
	struct sieve_case c;
	const struct sieve_redirect *r = redirected(&c,
	    REQUIRE "redirect :notify \"success,delay\" :ret \"hdrs\" \"x@example.net\";");

	assert_true(span_eq_str(r->notify, "SUCCESS,DELAY"));
	assert_true(span_eq_str(r->ret, "HDRS"));
	assert_null(r->by_mode.p);
	sieve_case_fini(&c);
	r = redirected(&c, "redirect \"x@example.net\";");
	assert_null(r->notify.p);
	assert_null(r->ret.p);
	sieve_case_fini(&c);
	(void)state;
}

static void
a_limit_is_a_moment(void **state)
{
	struct sieve_case c;
	const struct sieve_redirect *r = redirected(&c,
	    REQUIRE "redirect :copy :bytimerelative 600 \"x@example.net\";");

	assert_int_equal(r->by_time, 1600);
	assert_true(span_eq_str(r->by_mode, "return"));
	assert_false(r->by_trace);
	sieve_case_fini(&c);
	r = redirected(&c, REQUIRE "redirect :bytrace :bymode \"Notify\" "
	    ":bytimeabsolute \"1970-01-01T02:00:10+01:00\" \"x@example.net\";");
	assert_int_equal(r->by_time, 3610);
	assert_true(span_eq_str(r->by_mode, "notify"));
	assert_true(r->by_trace);
	sieve_case_fini(&c);
	(void)state;
}

static void
mail_does_not_go_to_a_list(void **state)
{
	(void)state;
	assert_string_equal(sieve_told("require \"extlists\"; redirect :list \":friends\";"),
	    "line 1, column 30: error: redirect cannot send to the members of a list here: lists can "
	    "be asked for one member, not for all\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notify_and_ret_are_told_in_capitals),
		cmocka_unit_test(a_limit_is_a_moment),
		cmocka_unit_test(mail_does_not_go_to_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
