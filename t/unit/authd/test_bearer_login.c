/* Logins with tokens that a server is asked about: authd whole, with an outd of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/ipc/ipc.h"
#include "common/out/out_proto.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "world.h"

#define LOGIN(token) "n,,\1auth=Bearer " token "\1\1"

static struct world w;
static struct ipc *outd;
static unsigned asked;
static bool silent, came;		/* it answers nothing; it was asked */

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	const struct out_introspect *rq = msg;
	struct out_fetched good = { SPAN_LIT("{\"active\":true,\"username\":\"joe@check.test\"}"), -1 };
	struct out_fetched nobody = { SPAN_LIT("{\"active\":true,\"username\":\"no@check.test\"}"), -1 };
	struct out_fetched bad = { SPAN_LIT("{\"active\":false}"), -1 };
	struct out_failed failed = { SPAN_LIT("HTTP status 500") };

	assert_int_equal(m->no, OUT_INTROSPECT);
	asked++;
	came = true;
	if (silent)
		return;
	if (span_eq_str(rq->token, "away"))
		ipc_reply(ipc, h, ST_UNAVAILABLE, OUT_FAILED, &failed);
	else
		ipc_reply(ipc, h, ST_OK, OUT_FETCHED, span_eq_str(rq->token, "good") ? &good :
		    span_eq_str(rq->token, "nobody") ? &nobody : &bad);
}

static void
on_gone(struct ipc *ipc, void *arg)
{
	ipc_free(&outd);
}

static void
start(struct mansio_conf *conf)
{
	struct ipc_config cf = { .protocol = &out_protocol, .peer = "authd",
	    .allowed = OUT_PEER_AUTHD, .request = on_request, .closed = on_gone };
	int sv[2];

	asked = 0;
	silent = came = false;
	conf->oauth.introspection_url = "https://id.test/introspect";
	conf->oauth.introspection_refused_time_s = 0;
	world_start(&w, conf);
	assert_true(fd_socketpair(sv));
	cf.loop = w.loop;
	outd = ipc_new(&cf, sv[1]);
	bearer_connect(w.a->bearer, sv[0]);
	assert_int_equal(world_admin(&w, "account-add", "{\"address\":\"joe@check.test\"}"), ST_OK);
	w.answered = false;
}

static void
stop(void)
{
	world_stop(&w);
	ipc_free(&outd);
}

static enum status
login(const char *initial)
{
	enum status st = world_start_exchange(&w, "OAUTHBEARER", initial, AUTH_TLS | AUTH_IR,
	    SPAN_NONE);

	/* told why, the client says that it heard (RFC 7628 §3.2.3) */
	if (st == ST_OK && w.x != NULL)
		st = world_step(&w, SPAN_LIT("\1"));
	return st;
}

static void
the_server_says_who_it_is(void **state)
{
	start(world_conf());
	assert_int_equal(login(LOGIN("good")), ST_OK);
	assert_true(span_eq_str(buf_span(&w.user), "joe@check.test"));
	assert_int_equal(login(LOGIN("good")), ST_OK);
	assert_int_equal(asked, 1);
	assert_int_equal(login(LOGIN("bad")), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_CREDENTIALS);
	assert_int_equal(login(LOGIN("nobody")), ST_DENIED);
	/* his token, another's mailbox */
	assert_int_equal(login("n,a=eve@check.test,\1auth=Bearer good\1\1"), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_AUTHZ);
	stop();
}

static void
a_server_that_is_away_is_no_failed_login(void **state)
{
	struct mansio_conf *c = world_conf();

	c->throttle.free_failures = 0;
	c->throttle.delay_ms = 3600 * 1000;	/* nobody would see the end of it */
	c->throttle.max_delay_ms = 3600 * 1000;
	start(c);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(login(LOGIN("away")), ST_UNAVAILABLE);
		assert_int_equal(w.reason, AUTH_WHY_BACKEND);
	}
	assert_int_equal(w.a->count.failed, 0);
	assert_int_equal(throttle_known(w.a->throttle), 0);
	ipc_free(&outd);
	assert_int_equal(login(LOGIN("good")), ST_UNAVAILABLE);
	assert_int_equal(w.a->count.failed, 0);
	stop();
}

static void
who_sends_bad_tokens_waits_before_the_server_is_asked_again(void **state)
{
	struct mansio_conf *c = world_conf();
	uint64_t began;

	c->throttle.free_failures = 1;
	c->throttle.delay_ms = 300;
	c->throttle.max_delay_ms = 300;
	start(c);
	assert_int_equal(login(LOGIN("bad")), ST_DENIED);
	began = clock_mono_ms();
	assert_int_equal(login(LOGIN("bad2")), ST_DENIED);
	assert_true(clock_mono_ms() - began >= 300);
	/* a good one waits too, once; then it is known */
	began = clock_mono_ms();
	assert_int_equal(login(LOGIN("good")), ST_OK);
	assert_true(clock_mono_ms() - began >= 300);
	assert_int_equal(login(LOGIN("good")), ST_OK);
	assert_int_equal(asked, 3);
	stop();
}

static void
a_login_that_is_given_up_while_it_waits_leaves_nothing(void **state)
{
	struct auth_start s = { .mechanism = SPAN_LIT("OAUTHBEARER"), .initial = SPAN_LIT(LOGIN("x")),
	    .flags = AUTH_TLS | AUTH_IR, .service = AUTH_IMAP, .conn = SPAN_LIT("c1"),
	    .peer = SPAN_LIT("192.0.2.7") };

	start(world_conf());
	silent = true;
	w.x = auth_exchange_start(w.imap, &s, NULL, NULL);
	world_wait(&w, &came);
	auth_exchange_cancel(&w.x);
	world_spin(&w);
	assert_int_equal(throttle_known(w.a->throttle), 0);
	/* and one that waits when all ends */
	w.x = auth_exchange_start(w.imap, &s, NULL, NULL);
	world_spin(&w);
	stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_says_who_it_is),
		cmocka_unit_test(a_server_that_is_away_is_no_failed_login),
		cmocka_unit_test(who_sends_bad_tokens_waits_before_the_server_is_asked_again),
		cmocka_unit_test(a_login_that_is_given_up_while_it_waits_leaves_nothing),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
