#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "common/auth/auth_client.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"

/* An authd that challenges a start, grants a step, and resolves everybody; silent: it
 * answers nothing. */
struct world {
	struct loop		*loop;
	struct ipc		*authd;
	struct auth_client	*c;
	bool			silent;
	int			asked, cancelled, answers, challenges;
	enum status		st;
};

static void
serve(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h, const void *msg,
    void *arg)
{
	static const char ticket[TICKET_LEN];
	struct world *w = arg;
	struct auth_challenge c = { SPAN_LIT("who?") };
	struct auth_granted g = { .ticket = span(ticket, TICKET_LEN), .user = SPAN_LIT("u") };
	struct auth_rcpt_is r = { .user = SPAN_LIT("u") };

	w->asked++;
	if (m->no == AUTH_CANCEL)
		w->cancelled++;
	else if (w->silent)
		return;
	else if (m->no == AUTH_START)
		ipc_reply(ipc, h, ST_OK, AUTH_CHALLENGE, &c);
	else if (m->no == AUTH_STEP)
		ipc_reply(ipc, h, ST_OK, AUTH_GRANTED, &g);
	else if (m->no == AUTH_RCPT)
		ipc_reply(ipc, h, ST_OK, AUTH_RCPT_IS, &r);
}

static void
connect_authd(struct world *w)
{
	struct ipc_config cf = { .loop = w->loop, .protocol = &auth_protocol, .peer = "worker",
	    .allowed = AUTH_PEER_WORKER | AUTH_PEER_DELIVER, .request = serve, .arg = w };
	int sv[2];

	assert_true(fd_socketpair(sv));
	ipc_free(&w->authd);
	w->authd = ipc_new(&cf, sv[0]);
	auth_client_set(w->c, sv[1]);
}

static void
begin(struct world *w)
{
	*w = (struct world){ .loop = loop_new() };
	w->c = auth_client_new(w->loop, NULL, NULL);
}

static void
end(struct world *w)
{
	auth_client_free(&w->c);
	ipc_free(&w->authd);
	loop_free(&w->loop);
}

static void
spin(struct world *w)
{
	for (int i = 0; i < 30; i++)
		loop_once(w->loop, false);
}

static void
on_auth(void *arg, const struct auth_result *r)
{
	struct world *w = arg;

	w->st = r->st;
	if (r->challenge != NULL)
		w->challenges++;
	else
		w->answers++;
}

static void
on_rcpt(void *arg, enum status st, const struct auth_rcpt_is *is)
{
	struct world *w = arg;

	w->answers++;
	w->st = st;
	assert_true((st == ST_OK) == (is != NULL));
}

static const struct auth_start start = { .mechanism = SPAN_LIT("X"), .service = AUTH_IMAP };
static const struct auth_rcpt rcpt = { .address = SPAN_LIT("u@example.org") };

static void
an_exchange_goes_step_by_step(void **state)
{
	struct auth_exchange *x;
	struct world w;

	begin(&w);
	connect_authd(&w);
	x = auth_exchange_start(w.c, &start, on_auth, &w);
	spin(&w);
	assert_int_equal(w.challenges, 1);
	auth_exchange_step(x, SPAN_LIT("me"));
	spin(&w);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.st, ST_OK);
	end(&w);
}

static void
what_is_asked_while_authd_is_away_waits_for_it(void **state)
{
	struct world w;

	begin(&w);
	(void)auth_rcpt(w.c, &rcpt, on_rcpt, &w);
	(void)auth_exchange_start(w.c, &start, on_auth, &w);
	spin(&w);
	assert_int_equal(w.answers, 0);
	connect_authd(&w);
	spin(&w);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.challenges, 1);
	end(&w);
}

static void
a_lookup_under_way_is_asked_again_and_an_exchange_fails(void **state)
{
	struct world w;

	begin(&w);
	connect_authd(&w);
	w.silent = true;
	(void)auth_rcpt(w.c, &rcpt, on_rcpt, &w);
	spin(&w);
	assert_int_equal(w.asked, 1);
	ipc_free(&w.authd);
	spin(&w);
	assert_int_equal(w.answers, 0);
	connect_authd(&w);
	spin(&w);
	assert_int_equal(w.asked, 2);
	/* also when the new socket comes before the old one was seen to end */
	w.silent = false;
	connect_authd(&w);
	spin(&w);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.st, ST_OK);

	(void)auth_exchange_start(w.c, &start, on_auth, &w);
	spin(&w);
	assert_int_equal(w.challenges, 1);
	ipc_free(&w.authd);
	spin(&w);
	assert_int_equal(w.answers, 2);
	assert_int_equal(w.st, ST_UNAVAILABLE);
	end(&w);
}

static void
nobody_waits_for_ever(void **state)
{
	struct world w;
	uint64_t began = clock_mono_ms();

	begin(&w);
	(void)auth_rcpt(w.c, &rcpt, on_rcpt, &w);
	while (w.answers == 0)
		loop_once(w.loop, true);
	assert_int_equal(w.st, ST_UNAVAILABLE);
	assert_in_range(clock_mono_ms() - began, AUTH_RETRY_MS - 50, AUTH_RETRY_MS + 2000);
	end(&w);
}

static void
cancelled_calls_are_not_answered(void **state)
{
	struct auth_exchange *x;
	struct auth_lookup *l;
	struct world w;

	begin(&w);
	connect_authd(&w);
	x = auth_exchange_start(w.c, &start, on_auth, &w);
	l = auth_rcpt(w.c, &rcpt, on_rcpt, &w);
	auth_exchange_cancel(&x);
	auth_lookup_cancel(&l);
	spin(&w);
	assert_null(x);
	assert_int_equal(w.answers + w.challenges, 0);
	assert_int_equal(w.cancelled, 1);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_goes_step_by_step),
		cmocka_unit_test(what_is_asked_while_authd_is_away_waits_for_it),
		cmocka_unit_test(a_lookup_under_way_is_asked_again_and_an_exchange_fails),
		cmocka_unit_test(nobody_waits_for_ever),
		cmocka_unit_test(cancelled_calls_are_not_answered),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
