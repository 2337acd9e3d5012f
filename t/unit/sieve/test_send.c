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

/* Addresses that are the user's, and those that nobody knows anything of yet. */
static enum sieve_answer
directory(void *arg, const struct sieve_question *q, struct sieve_reply *reply)
{
	unsigned *asked = arg;

	if (q->ask != SIEVE_ASK_OWN)
		return SIEVE_KNOWN;
	++*asked;
	reply->yes = span_eq_str(q->name, "alias@here.test");
	return span_has_prefix(q->name, "later") ? SIEVE_NOT_KNOWN : SIEVE_KNOWN;
}

static void
answers(const char *to, bool asks, const char *want, unsigned n_asked)
{
	struct sieve_case c;
	struct buf text = { 0 };
	unsigned asked = 0;

	sieve_case_init(&c);
	c.env.ask = directory;
	c.env.ask_arg = &asked;
	c.env.asks_own = asks;
	c.env.envelope.from = SPAN_LIT("friend@there.test");
	c.env.envelope.to = SPAN_LIT("me@here.test");
	c.env.addresses[0] = SPAN_LIT("me@here.test");
	c.env.n_addresses = 1;
	buf_addf(&text, "From: friend@there.test\r\n%s\r\n\r\nx", to);
	assert_true(sieve_case_add(&c, "require \"vacation\"; vacation \"Away\";"));
	assert_string_equal(sieve_case_run(&c, buf_cstr(&text)), want);
	assert_int_equal(asked, n_asked);
	sieve_case_fini(&c);
	buf_fini(&text);
}

static void
others_are_asked_whose_an_address_is(void **state)
{
	struct buf many = { 0 };

	answers("To: Me@here.test", true, "vacation Away, keep", 0);
	answers("To: x@there.test, alias@here.test", true, "vacation Away, keep", 2);
	answers("To: x@there.test\r\nCc: x@there.test, y@there.test", true, "keep", 2);
	answers("To: x@there.test, alias@here.test", false, "keep", 0);
	answers("Subject: nobody", true, "keep", 0);
	/* all that are not known are asked at once */
	answers("To: later1@a.test, x@there.test\r\nResent-To: later2@a.test", true,
	    "asks later1@a.test, later2@a.test", 3);
	buf_add_str(&many, "To: x@there.test");
	for (int i = 0; i < 100; i++)
		buf_addf(&many, ",\r\n x%d@there.test", i);
	answers(buf_cstr(&many), true, "keep", 16);
	buf_fini(&many);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notify_and_ret_are_told_in_capitals),
		cmocka_unit_test(a_limit_is_a_moment),
		cmocka_unit_test(mail_does_not_go_to_a_list),
		cmocka_unit_test(others_are_asked_whose_an_address_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
