/* Keys and answers that outd fetched: how long they are kept, who waits, what is told when nobody
 * knows.  outd is a socket in the same loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "authd/bearer.h"
#include "authd/introspect.h"
#include "common/ipc/ipc.h"
#include "common/out/out_proto.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"

/* A key nobody signed with, and a token in the form of a JWT. */
#define SET "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\","		\
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","			\
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"
#define BY_K "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.e30.AAAA"	/* {"alg":"ES256","kid":"k"} */
#define BY_X "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30.AAAA"	/* {"alg":"ES256","kid":"x"} */
#define ASKS_MAX 8

static struct {
	struct loop		*loop;
	struct mansio_conf	*conf;
	struct bearer		*b;
	struct ipc		*outd;
	struct ipc_head		head[ASKS_MAX];		/* of what it was asked */
	uint16_t		no[ASKS_MAX];
	unsigned		asked;
	unsigned		done;
	struct bearer_result	last;
	char			user[64];
} w;

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	assert_true(w.asked < ASKS_MAX);
	w.head[w.asked] = *h;
	w.no[w.asked++] = m->no;
}

static void
on_gone(struct ipc *ipc, void *arg)
{
	ipc_free(&w.outd);
}

static void
connect_outd(void)
{
	struct ipc_config cf = { .loop = w.loop, .protocol = &out_protocol, .peer = "authd",
	    .allowed = OUT_PEER_AUTHD, .request = on_request, .closed = on_gone };
	int sv[2];

	assert_true(fd_socketpair(sv));
	ipc_free(&w.outd);
	w.outd = ipc_new(&cf, sv[1]);
	bearer_connect(w.b, sv[0]);
}

static int
set_up(void **state)
{
	memset(&w, 0, sizeof(w));
	w.loop = loop_new();
	w.conf = conf_new_default();
	w.conf->oauth.jwks_url = "https://id.test/keys";
	w.conf->oauth.introspection_url = "https://id.test/introspect";
	w.conf->oauth.jwks_refetch_time_s = 3600;
	w.b = bearer_new(w.loop, w.conf);
	return 0;
}

static int
tear_down(void **state)
{
	bearer_free(&w.b);
	ipc_free(&w.outd);
	conf_free(&w.conf);
	loop_free(&w.loop);
	return 0;
}

static void
until_asked(unsigned n)
{
	while (w.asked < n)
		loop_once(w.loop, true);
}

static void
take(const struct bearer_result *r)
{
	w.last = *r;
	w.done++;
	memset(w.user, 0, sizeof(w.user));
	if (r->user.len > 0)
		memcpy(w.user, r->user.p, r->user.len < 63 ? r->user.len : 63);
}

static void
on_done(void *arg, const struct bearer_result *r)
{
	if (arg != NULL)
		*(struct bearer_ask **)arg = NULL;
	take(r);
}

/* true: known at once. */
static bool
ask_as(const char *token, struct bearer_ask **q)
{
	struct bearer_result now;
	struct buf user = { 0 };
	struct bearer_ask *a = bearer_ask(w.b, span_str(token), on_done, q, &now, &user);

	if (q != NULL)
		*q = a;
	if (a == NULL)
		take(&now);
	buf_fini(&user);
	return a == NULL;
}

static bool
ask(const char *token)
{
	return ask_as(token, NULL);
}

static void
until_done(unsigned n)
{
	while (w.done < n)
		loop_once(w.loop, true);
}

static void
give(unsigned i, const char *body, int64_t max_age_s)
{
	struct out_fetched f = { span_str(body), max_age_s };

	ipc_reply(w.outd, &w.head[i], ST_OK, OUT_FETCHED, &f);
}

static void
give_failure(unsigned i)
{
	struct out_failed f = { SPAN_LIT("HTTP status 500") };

	ipc_reply(w.outd, &w.head[i], ST_UNAVAILABLE, OUT_FAILED, &f);
}

static void
keys_are_kept_as_long_as_was_said_within_bounds(void **state)
{
	const struct conf_oauth c = { .jwks_min_time_s = 300, .jwks_max_time_s = 86400 };

	assert_int_equal(bearer_keep_s(&c, -1), 3600);
	assert_int_equal(bearer_keep_s(&c, 0), 300);
	assert_int_equal(bearer_keep_s(&c, 299), 300);
	assert_int_equal(bearer_keep_s(&c, 301), 301);
	assert_int_equal(bearer_keep_s(&c, 86401), 86400);
	assert_int_equal(bearer_keep_s(&c, INT64_MAX), 86400);
}

static void
logins_wait_for_the_first_keys_and_not_for_later_ones(void **state)
{
	assert_true(ask(BY_K));			/* no outd: nobody knows */
	assert_int_equal(w.last.st, ST_UNAVAILABLE);
	connect_outd();				/* fetches by itself */
	assert_false(ask(BY_K));
	assert_false(ask(BY_X));
	until_asked(1);
	give(0, SET, 600);
	until_done(3);
	assert_int_equal(w.asked, 1);
	assert_int_equal(w.last.st, ST_OK);
	assert_int_equal(w.last.verdict, JWT_UNKNOWN_KEY);
	assert_true(ask(BY_K));
	assert_int_equal(w.last.verdict, JWT_UNSIGNED);
	/* an unknown key so soon after a fetch makes nobody fetch again */
	assert_true(ask(BY_X));
	assert_int_equal(w.last.st, ST_OK);
	assert_int_equal(w.last.verdict, JWT_UNKNOWN_KEY);
	assert_int_equal(w.asked, 1);
}

static void
old_keys_serve_while_others_are_fetched(void **state)
{
	w.conf->oauth.jwks_min_time_s = 0;
	w.conf->oauth.jwks_refetch_time_s = 0;
	connect_outd();
	assert_false(ask(BY_K));
	until_asked(1);
	give(0, SET, 0);			/* old at once */
	until_done(1);
	assert_int_equal(w.last.verdict, JWT_UNSIGNED);
	assert_true(ask(BY_K));
	assert_int_equal(w.last.verdict, JWT_UNSIGNED);
	until_asked(2);
	assert_false(ask(BY_X));
	give_failure(1);
	until_done(3);
	assert_int_equal(w.last.st, ST_UNAVAILABLE);
	assert_true(ask(BY_K));
	assert_int_equal(w.last.st, ST_OK);
	/* nobody knows, and it is too soon to ask again (on a fast machine) */
	if (ask(BY_X))
		assert_int_equal(w.last.st, ST_UNAVAILABLE);
	w.conf->oauth.jwks_stale_time_s = 0;	/* not for ever */
	if (ask(BY_K))
		assert_int_equal(w.last.st, ST_UNAVAILABLE);
}

static void
what_is_no_key_set_leaves_none_and_refuses_nobody(void **state)
{
	connect_outd();
	assert_false(ask(BY_K));
	until_asked(1);
	give(0, "{\"keys\":[]}", 600);
	until_done(1);
	assert_int_equal(w.last.st, ST_UNAVAILABLE);
	until_asked(2);				/* again by itself, a little later */
	assert_false(ask(BY_K));
	give(1, SET, 600);
	until_done(2);
	assert_int_equal(w.last.st, ST_OK);
	assert_int_equal(w.asked, 2);
}

/* Keys are no part of these. */
static void
start_introspection(void)
{
	w.conf->oauth.jwks_url = "";
	bearer_configure(w.b, w.conf);
	connect_outd();
}

static void
one_question_serves_all_who_wait_and_come_later(void **state)
{
	struct bearer_ask *gone;

	start_introspection();
	assert_true(bearer_asks_server(w.b, SPAN_LIT("opaque")));
	assert_false(ask("opaque"));
	assert_false(ask_as("opaque", &gone));
	assert_false(ask("opaque"));
	until_asked(1);
	assert_int_equal(w.no[0], OUT_INTROSPECT);
	bearer_cancel(&gone);
	give(0, "{\"active\":true,\"username\":\"joe@check.test\"}", -1);
	until_done(2);
	assert_int_equal(w.last.verdict, JWT_GOOD);
	assert_string_equal(w.user, "joe@check.test");
	assert_false(bearer_asks_server(w.b, SPAN_LIT("opaque")));
	assert_true(ask("opaque"));
	assert_string_equal(w.user, "joe@check.test");
	assert_int_equal(bearer_flush(w.b), 1);
	assert_true(bearer_asks_server(w.b, SPAN_LIT("opaque")));
	assert_int_equal(w.asked, 1);
}

static void
an_answer_is_kept_no_longer_than_its_token_lives(void **state)
{
	struct buf b = { 0 };

	start_introspection();
	assert_false(ask("old"));
	until_asked(1);
	/* still good by the leeway; not to be kept */
	buf_addf(&b, "{\"active\":true,\"username\":\"joe\",\"exp\":%lld}", (long long)clock_wall_s() - 1);
	give(0, buf_cstr(&b), -1);
	until_done(1);
	assert_int_equal(w.last.verdict, JWT_GOOD);
	assert_true(bearer_asks_server(w.b, SPAN_LIT("old")));
	buf_fini(&b);
}

static void
a_server_that_is_away_refuses_nobody(void **state)
{
	start_introspection();
	assert_false(ask("a"));
	assert_false(ask("b"));
	until_asked(2);
	give_failure(0);
	give(1, "<html>", -1);
	until_done(2);
	assert_int_equal(w.last.st, ST_UNAVAILABLE);
	assert_true(bearer_asks_server(w.b, SPAN_LIT("a")));	/* not kept */
	assert_false(ask("c"));
	until_asked(3);
	ipc_free(&w.outd);
	until_done(3);
	assert_int_equal(w.last.st, ST_UNAVAILABLE);
	while (!ask("d"))
		until_done(w.done + 1);
	assert_int_equal(w.last.st, ST_UNAVAILABLE);
	/* a login that is given up while it waits hears nothing */
	connect_outd();
	w.asked = 0;
	struct bearer_ask *q;
	assert_false(ask_as("e", &q));
	unsigned before = w.done;
	bearer_cancel(&q);
	until_asked(1);
	bearer_configure(w.b, w.conf);
	assert_int_equal(w.done, before);
}

static void
with_keys_and_a_server_the_form_of_a_token_says_who_judges(void **state)
{
	assert_true(bearer_asks_server(w.b, SPAN_LIT("opaque")));
	assert_true(bearer_asks_server(w.b, SPAN_LIT("a.b")));
	assert_true(bearer_asks_server(w.b, SPAN_LIT("a.b.c.d")));
	assert_false(bearer_asks_server(w.b, SPAN_LIT(BY_K)));
}

static enum jwt_verdict
told(const char *answer, const struct jwt_rules *rules)
{
	struct introspection is;
	struct buf user = { 0 };

	assert_int_equal(introspection_read(span_str(answer), rules, &is, &user), ST_OK);
	assert_true((is.verdict == JWT_GOOD) == (user.len > 0));
	buf_fini(&user);
	return is.verdict;
}

static void
an_answer_says_all_that_is_wanted_or_the_token_is_no_good(void **state)
{
	static const char *const mine[] = { "mail" };
	const struct conf_strings list = { mine, 1 }, none = { 0 };
	struct jwt_rules r = { "", &none, &none, "username", 1000, 10 };
	struct introspection is;
	struct buf user = { 0 };

	assert_int_equal(told("{\"active\":true,\"username\":\"joe\"}", &r), JWT_GOOD);
	assert_int_equal(told("{\"active\":false,\"username\":\"joe\"}", &r), JWT_INACTIVE);
	assert_int_equal(told("{\"active\":true}", &r), JWT_NO_USER);
	assert_int_equal(told("{\"active\":true,\"username\":\"\"}", &r), JWT_NO_USER);
	assert_int_equal(told("{\"active\":true,\"username\":7}", &r), JWT_NO_USER);
	assert_int_equal(told("{\"active\":true,\"username\":\"joe\",\"exp\":990}", &r), JWT_GOOD);
	assert_int_equal(told("{\"active\":true,\"username\":\"joe\",\"exp\":989}", &r), JWT_EXPIRED);
	assert_int_equal(told("{\"active\":true,\"username\":\"joe\",\"exp\":\"x\"}", &r), JWT_MALFORMED);
	assert_int_equal(told("{\"active\":true,\"username\":\"joe\",\"nbf\":1011}", &r), JWT_NOT_YET);
	r.claim = "sub";
	assert_int_equal(told("{\"active\":true,\"username\":\"joe\"}", &r), JWT_NO_USER);
	r.claim = "username";
	r.issuer = "us";
	assert_int_equal(told("{\"active\":true,\"username\":\"joe\"}", &r), JWT_GOOD);
	assert_int_equal(told("{\"active\":true,\"username\":\"joe\",\"iss\":\"they\"}", &r), JWT_OTHERS);
	r.audience = &list;
	assert_int_equal(told("{\"active\":true,\"username\":\"joe\"}", &r), JWT_OTHERS);
	assert_int_equal(told("{\"active\":true,\"username\":\"joe\",\"aud\":[\"x\",\"mail\"]}", &r), JWT_GOOD);
	r.scopes = &list;
	assert_int_equal(told("{\"active\":true,\"username\":\"joe\",\"aud\":\"mail\"}", &r), JWT_SCOPE);
	/* not an answer: nothing is known then */
	assert_int_equal(introspection_read(SPAN_LIT("{}"), &r, &is, &user), ST_SYNTAX);
	assert_int_equal(introspection_read(SPAN_LIT("[]"), &r, &is, &user), ST_SYNTAX);
	assert_int_equal(introspection_read(SPAN_LIT("{\"active\":\"true\"}"), &r, &is, &user), ST_SYNTAX);
	assert_int_equal(introspection_read(SPAN_LIT("active"), &r, &is, &user), ST_SYNTAX);
}

static void
a_key_set_of_any_size_costs_no_more_than_its_bounds(void **state)
{
	struct jwk_set *set = NULL;
	struct buf b = { 0 };

	/* more keys than are kept */
	buf_add_str(&b, "{\"keys\":[");
	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%d\","
		    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}", i > 0 ? "," : "", i);
	buf_add_str(&b, "]}");
	assert_int_equal(jwk_set_parse(buf_span(&b), &set), ST_OK);
	assert_int_equal(jwk_set_count(set), JWKS_KEYS_MAX);
	jwk_set_free(&set);
	/* a key larger than any */
	buf_clear(&b);
	buf_add_str(&b, "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");
	for (int i = 0; i < 200000; i++)
		buf_add_c(&b, 'A');
	buf_add_str(&b, "\"}]}");
	assert_int_equal(jwk_set_parse(buf_span(&b), &set), ST_NOT_FOUND);
	/* deep, and more than is read */
	buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		buf_add_str(&b, "[");
	assert_int_equal(jwk_set_parse(buf_span(&b), &set), ST_SYNTAX);
	buf_clear(&b);
	buf_add_str(&b, SET);
	for (unsigned i = 0; i < JWKS_MAX; i++)
		buf_add_c(&b, ' ');
	assert_int_equal(jwk_set_parse(buf_span(&b), &set), ST_SYNTAX);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		cmocka_unit_test(keys_are_kept_as_long_as_was_said_within_bounds),
		T(logins_wait_for_the_first_keys_and_not_for_later_ones),
		T(old_keys_serve_while_others_are_fetched),
		T(what_is_no_key_set_leaves_none_and_refuses_nobody),
		T(one_question_serves_all_who_wait_and_come_later),
		T(an_answer_is_kept_no_longer_than_its_token_lives),
		T(a_server_that_is_away_refuses_nobody),
		T(with_keys_and_a_server_the_form_of_a_token_says_who_judges),
		cmocka_unit_test(an_answer_says_all_that_is_wanted_or_the_token_is_no_good),
		cmocka_unit_test(a_key_set_of_any_size_costs_no_more_than_its_bounds),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
