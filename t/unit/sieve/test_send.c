/* Parameters of what is sent on, and lists that mail is sent on to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/unit/sieve/sieve_test.h"

#define REQUIRE "require [\"redirect-dsn\", \"redirect-deliverby\", \"extlists\", \"copy\"];\n"
static const char mail[] = "From: a@example.org\r\nTo: b@example.com\r\n\r\nText\r\n";

static enum sieve_answer
lists(void *arg, const struct sieve_question *q, struct sieve_reply *reply)
{
	(void)arg;
	reply->yes = span_eq_str(q->name, "urn:ietf:params:sieve:friends");
	return SIEVE_KNOWN;
}

static const struct sieve_redirect *
redirected(struct sieve_case *c, const char *script)
{
	sieve_case_init(c);
	c->env.now = 1000;
	c->env.ask = lists;
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
mail_goes_to_a_list_by_its_whole_name(void **state)
{
	struct sieve_case c;
	const struct sieve_redirect *r = redirected(&c, REQUIRE "redirect :list \":friends\";");

	assert_true(r->list);
	assert_true(span_eq_str(r->address, "urn:ietf:params:sieve:friends"));
	sieve_case_fini(&c);
	sieve_case_init(&c);
	c.env.ask = lists;
	assert_true(sieve_case_add(&c, REQUIRE "redirect :list \":foes\";"));
	sieve_case_run(&c, mail);
	assert_int_equal(c.outcome, SIEVE_FAILED);
	assert_string_equal(c.result.error, "there is no list \":foes\"");
	sieve_case_fini(&c);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notify_and_ret_are_told_in_capitals),
		cmocka_unit_test(a_limit_is_a_moment),
		cmocka_unit_test(mail_goes_to_a_list_by_its_whole_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
