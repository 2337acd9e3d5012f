/* What the admin sets arrives at the language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "common/conf/settings.h"
#include "common/util/mem.h"
#include "sieve/conf.h"
#include "t/unit/sieve/sieve_test.h"

struct set {
	struct mansio_conf	*conf;
	struct sieve_conf	sieve;
};

static void
begin(struct set *s, const char *text)
{
	struct conf_errors err = { .count = 0 };

	if (!conf_parse(span_str(text), "f", &s->conf, &err))
		fail_msg("%s", buf_cstr(&err.text));
	conf_errors_fini(&err);
	sieve_conf_init(&s->sieve, s->conf, 0);
}

static void
end(struct set *s)
{
	sieve_conf_fini(&s->sieve);
	conf_free(&s->conf);
}

static enum sieve_answer
never(void *arg, const struct sieve_question *q, struct sieve_reply *reply)
{
	(void)arg;
	(void)q;
	(void)reply;
	return SIEVE_KNOWN;
}

/* The first thing that the script does with the message, under these settings. */
static struct sieve_action *
first(struct set *s, struct sieve_case *c, const char *script, const char *message)
{
	static const struct sieve_envelope envelope = { .from = SPAN_LIT("bounce@list.example"),
		.to = SPAN_LIT("me+x@example.com") };

	sieve_case_init(c);
	c->options.settings = &s->sieve.settings;
	c->env.settings = &s->sieve.settings;
	c->env.ask = never;
	c->env.envelope = envelope;
	c->env.addresses[0] = SPAN_LIT("me@example.com");
	c->env.n_addresses = 1;
	assert_true(sieve_case_add(c, script));
	sieve_case_run(c, message);
	assert_int_equal(c->outcome, SIEVE_DONE);
	return c->result.n_actions > 0 ? c->result.actions[0] : NULL;
}

#define AWAY "require [\"vacation\", \"vacation-seconds\"]; vacation \"Away\";"
#define MAIL "From: Ann <ann@example.org>\r\nTo: me@example.com\r\n"

static void
answers_have_the_admins_subject_and_addresses(void **state)
{
	struct set s;
	struct sieve_case c;
	struct sieve_action *a;

	begin(&s, "sieve { vacation-subject = Away  vacation-template = \"Re: %{subject} (auto)\" "
	    "vacation-from-recipient = yes  vacation-to-header = yes }");
	a = first(&s, &c, AWAY, MAIL "Subject: hello\r\n\r\nx");
	assert_int_equal(a->kind, SIEVE_VACATION);
	assert_true(span_eq_str(a->vacation.subject, "Re: hello (auto)"));
	assert_true(span_eq_str(a->vacation.sender, "me+x@example.com"));
	assert_true(span_eq_str(a->vacation.header_to, "ann@example.org"));
	sieve_case_fini(&c);
	a = first(&s, &c, AWAY, MAIL "\r\nx");
	assert_true(span_eq_str(a->vacation.subject, "Away"));
	sieve_case_fini(&c);
	end(&s);
	(void)state;
}

static void
without_settings_answers_are_those_of_the_rfc(void **state)
{
	struct set s;
	struct sieve_case c;
	struct sieve_action *a;

	begin(&s, "sieve { vacation-subject = \"\"  vacation-template = \"\" }");
	a = first(&s, &c, AWAY, MAIL "Subject: hello\r\n\r\nx");
	assert_true(span_eq_str(a->vacation.subject, "Auto: hello"));
	assert_true(a->vacation.sender.len == 0 && a->vacation.header_to.len == 0);
	sieve_case_fini(&c);
	a = first(&s, &c, AWAY, MAIL "\r\nx");
	assert_true(span_eq_str(a->vacation.subject, "Automated reply"));
	sieve_case_fini(&c);
	end(&s);
	(void)state;
}

static void
mail_by_an_alias_is_answered_where_the_admin_says_so(void **state)
{
	static const char mail[] = "From: ann@example.org\r\nTo: sales@example.com\r\n\r\nx";
	struct set s;
	struct sieve_case c;

	begin(&s, "");
	assert_int_equal(first(&s, &c, AWAY, mail)->kind, SIEVE_STORE);
	sieve_case_fini(&c);
	end(&s);
	begin(&s, "sieve { vacation-check-recipient = no }");
	assert_int_equal(first(&s, &c, AWAY, mail)->kind, SIEVE_VACATION);
	sieve_case_fini(&c);
	end(&s);
	(void)state;
}

static void
times_between_answers_are_within_the_admins(void **state)
{
	struct set s;
	struct sieve_case c;

	begin(&s, "sieve { vacation-min-time = 2d  vacation-default-time = 3d  vacation-max-time = 8d }");
	first(&s, &c, AWAY, MAIL "\r\nx");
	assert_int_equal(c.result.conditions[0].remember_s, 3 * 86400);
	sieve_case_fini(&c);
	first(&s, &c, "require \"vacation-seconds\"; vacation :seconds 10 \"x\";", MAIL "\r\nx");
	assert_int_equal(c.result.conditions[0].remember_s, 2 * 86400);
	sieve_case_fini(&c);
	first(&s, &c, "require \"vacation\"; vacation :days 30 \"x\";", MAIL "\r\nx");
	assert_int_equal(c.result.conditions[0].remember_s, 8 * 86400);
	sieve_case_fini(&c);
	end(&s);
	begin(&s, "sieve { vacation-min-time = 0 }");
	first(&s, &c, "require \"vacation-seconds\"; vacation :seconds 10 \"x\";", MAIL "\r\nx");
	assert_int_equal(c.result.conditions[0].remember_s, 10);
	sieve_case_fini(&c);
	end(&s);
	(void)state;
}

static void
notifications_come_from_whom_the_admin_says(void **state)
{
	static const struct {
		const char	*setting, *from, *sender;
	} rows[] = {
		{ "user", "", NULL },
		{ "user", ":from \"x@example.com\" ", NULL },
		{ "postmaster", "", "postmaster@example.com" },
		{ "postmaster", ":from \"x@example.com\" ", NULL },
		{ "sender", ":from \"x@example.com\" ", "bounce@list.example" },
		{ "recipient", "", "me+x@example.com" },
		{ "owner", ":from \"x@example.com\" ", "me@example.com" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct set s;
		struct sieve_case c;
		struct sieve_action *a;
		char text[200];

		snprintf(text, sizeof(text), "sieve { notify-sender = %s }", rows[i].setting);
		begin(&s, text);
		snprintf(text, sizeof(text), "require \"enotify\"; notify %s\"mailto:a@example.net\";",
		    rows[i].from);
		a = first(&s, &c, text, MAIL "\r\nx");
		assert_int_equal(a->kind, SIEVE_NOTIFY);
		if (rows[i].sender == NULL)
			assert_null(a->notify.sender.p);
		else
			assert_true(span_eq_str(a->notify.sender, rows[i].sender));
		sieve_case_fini(&c);
		end(&s);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_have_the_admins_subject_and_addresses),
		cmocka_unit_test(without_settings_answers_are_those_of_the_rfc),
		cmocka_unit_test(mail_by_an_alias_is_answered_where_the_admin_says_so),
		cmocka_unit_test(times_between_answers_are_within_the_admins),
		cmocka_unit_test(notifications_come_from_whom_the_admin_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
