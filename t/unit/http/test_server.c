/* HTTP/1.1: what a client sends, in pieces of any size, and what it gets. */
#include "t/unit/http/kit.h"

/* ---- requests ---- */

static void
pieces_of_any_size_give_the_same_answers(void **state)
{
	static const char text[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
	    "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"
	    "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
	    "HEAD /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

	for (size_t at_once = 1; at_once < sizeof(text); at_once = at_once * 3 / 2 + 1) {
		struct kit k;

		kit_init(&k);
		say(&k, span(text, sizeof(text) - 1), at_once);
		assert_int_equal(k.requests, 4);
		assert_int_equal(count(&k, "HTTP/1.1 200 OK\r\n"), 2);
		assert_true(has(&k, "Content-Length: 5\r\n\r\nhelloHTTP/1.1 201 Created\r\n"));
		assert_true(has(&k, "\r\n\r\nabcdeHTTP/1.1 404 Not Found\r\n"));
		assert_true(has(&k, "Connection: close\r\n\r\n"));
		assert_true(k.eof);
		kit_fini(&k);
	}
}

static void
every_cut_gives_the_same_answer(void **state)
{
	static const char text[] = "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		struct kit k;

		kit_init(&k);
		say(&k, span(text, cut), SIZE_MAX);
		say(&k, span(text + cut, sizeof(text) - 1 - cut), SIZE_MAX);
		assert_true(has(&k, "\r\n\r\nabcdeHTTP/1.1 200 OK\r\n") && has(&k, "\r\n\r\nhi"));
		kit_fini(&k);
	}
}

static void
what_could_be_read_in_two_ways_is_refused_and_closes(void **state)
{
	static const struct { const char *text, *code; } bad[] = {
		{ "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400" },
		{ "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400" },
		{ "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", "400" },
		{ "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "400" },
		{ "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "501" },
		{ "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", "501" },
		{ "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", "400" },
		{ "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400" },
		{ "POST /echo HTTP/1.1\nHost: a\n\n", "400" },
		{ "POST /echo HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", "400" },
		{ "POST /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400" },
		{ "POST /echo HTTP/1.1\r\n\r\n", "400" },
		{ "GET  /echo HTTP/1.1\r\nHost: a\r\n\r\n", "400" },
		{ "GET /echo HTTP/2.0\r\nHost: a\r\n\r\n", "505" },
		{ "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "501" },
		{ "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n", "400" },
		{ "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n", "400" },
		{ "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n", "400" },
		{ "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "fffffffffffffffff\r\nhello\r\n", "400" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct kit k;
		char want[32];

		kit_init(&k);
		say(&k, span_str(bad[i].text), SIZE_MAX);
		say(&k, SPAN_LIT("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"), SIZE_MAX);
		snprintf(want, sizeof(want), "HTTP/1.1 %s ", bad[i].code);
		if (k.got.len < 12 || memcmp(k.got.data, want, strlen(want)) != 0)
			fail_msg("%s: %.40s", bad[i].text, buf_cstr(&k.got));
		assert_int_equal(count(&k, "HTTP/1.1 "), 1);
		assert_true(k.eof);
		kit_fini(&k);
	}
}

static void
heads_have_a_limit(void **state)
{
	struct kit k;
	struct buf b = { 0 };

	kit_init(&k);
	buf_add_str(&b, "GET /nothing HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 101; i++)
		buf_addf(&b, "X-%d: 1\r\n", i);
	buf_add_str(&b, "\r\n");
	say(&k, buf_span(&b), SIZE_MAX);
	assert_true(has(&k, "HTTP/1.1 431 ") && k.eof);
	kit_fini(&k);

	kit_init(&k);
	buf_clear(&b);
	buf_add_str(&b, "GET /nothing HTTP/1.1\r\nHost: a\r\nX: ");
	for (int i = 0; i < 40000; i++)
		buf_add_c(&b, 'x');
	say(&k, buf_span(&b), SIZE_MAX);
	assert_true(has(&k, "HTTP/1.1 431 ") && k.eof);
	kit_fini(&k);
	buf_fini(&b);
}

static void
bodies_are_bounded_before_they_are_read(void **state)
{
	struct kit k;

	kit_init(&k);
	SAY(&k, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n");
	assert_true(has(&k, "HTTP/1.1 413 ") && !has(&k, "100 Continue") && k.eof);
	kit_fini(&k);

	kit_init(&k);
	SAY(&k, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "65\r\n0123456789012345678901234567890123456789012345678901234567890123456789"
	    "0123456789012345678901234567890\r\n0\r\n\r\n");
	assert_true(has(&k, "HTTP/1.1 413 "));
	kit_fini(&k);
}

static void
a_client_that_expects_it_is_told_to_continue(void **state)
{
	struct kit k;

	kit_init(&k);
	SAY(&k, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	assert_string_equal(buf_cstr(&k.got), "HTTP/1.1 100 Continue\r\n\r\n");
	SAY(&k, "hello");
	assert_true(has(&k, "\r\n\r\nhello"));
	kit_fini(&k);
}

static void
a_body_that_nobody_wants_does_not_become_a_request(void **state)
{
	struct kit k;

	kit_init(&k);
	SAY(&k, "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n"
	    "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n" "GET /peer HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(k.requests, 2);
	assert_true(has(&k, "unix clear"));
	kit_fini(&k);
}

/* ---- answers ---- */

static void
long_answers_go_out_as_the_client_takes_them(void **state)
{
	struct kit k;
	struct buf in = { 0 };

	kit_init(&k);
	SAY(&k, "GET /big HTTP/1.1\r\nHost: a\r\n\r\nGET /chunks HTTP/1.1\r\nHost: a\r\n\r\n"
	    "GET /chunks HTTP/1.0\r\n\r\n");
	assert_int_equal(k.requests, 3);
	assert_true(has(&k, "Content-Length: 300000\r\n"));
	assert_true(has(&k, "Transfer-Encoding: chunked\r\n") && has(&k, "\r\n0\r\n\r\nHTTP/1.1 200"));
	assert_true(k.got.len > 900000 && k.eof);
	buf_fini(&in);
	kit_fini(&k);
}

static void
a_client_that_reads_nothing_stops_the_answer(void **state)
{
	struct kit k;

	kit_init(&k);
	(void)!write(k.fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n", 30);
	(void)!write(k.fd, "\r\n", 2);
	k.conf.body_s = 0;
	for (int i = 0; i < 20; i++)
		loop_once(k.loop, false);
	assert_int_equal(k.requests, 1);
	assert_int_equal(k.gone + (k.left == 0), 1);
	kit_fini(&k);
}

static void
answers_are_coded_for_who_asks(void **state)
{
	struct kit k;
	struct buf plain = { 0 };
	const char *at;

	kit_init(&k);
	SAY(&k, "GET /json HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(has(&k, "Content-Length: 8500\r\n") && has(&k, "Vary: Accept-Encoding"));
	buf_clear(&k.got);
	SAY(&k, "GET /json HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br\r\n\r\n");
	assert_true(has(&k, "Content-Encoding: gzip\r\n") && k.got.len < 1000);
	buf_clear(&k.got);
	SAY(&k, "GET /json HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip;q=0, *\r\n\r\n");
	assert_true(has(&k, "Content-Encoding: zstd\r\n"));
	at = memmem(k.got.data, k.got.len, "\r\n\r\n", 4);
	assert_non_null(at);
	at += 4;
	assert_int_equal(zstd_decompress(span(at, k.got.len - (size_t)(at - k.got.data)), 10000, NULL,
	    &plain), ST_OK);
	assert_int_equal(plain.len, 8500);
	buf_fini(&plain);
	kit_fini(&k);
}

static void
pages_of_listed_origins_may_call(void **state)
{
	static const char *const origins[] = { "https://web.example" };
	struct kit k;

	kit_init(&k);
	k.conf.origins = origins;
	k.conf.n_origins = 1;
	SAY(&k, "OPTIONS /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://web.example\r\n"
	    "Access-Control-Request-Method: POST\r\n\r\n");
	assert_true(has(&k, "HTTP/1.1 204 ") && has(&k, "Allow-Origin: https://web.example\r\n") &&
	    has(&k, "Access-Control-Allow-Headers: ") && !has(&k, "Content-Length"));
	assert_int_equal(k.requests, 0);
	buf_clear(&k.got);
	SAY(&k, "GET /peer HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n");
	assert_true(!has(&k, "Access-Control") && has(&k, "Vary: Origin"));
	kit_fini(&k);
}

static void
proxies_are_believed_when_they_are_listed(void **state)
{
	static const char ask[] = "GET /peer HTTP/1.1\r\nHost: a\r\n"
	    "X-Forwarded-For: 10.9.9.9, 192.0.2.7, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n\r\n";
	static const char ask2[] = "GET /peer HTTP/1.1\r\nHost: a\r\n"
	    "Forwarded: for=\"[2001:db8::7]:4711\";proto=https, for=10.0.0.1\r\n\r\n";
	struct cidr proxies[2];
	struct kit k;

	assert_true(cidr_parse(SPAN_LIT("unix"), &proxies[0]));
	assert_true(cidr_parse(SPAN_LIT("10.0.0.0/24"), &proxies[1]));
	kit_init(&k);
	SAY(&k, ask);
	assert_true(has(&k, "unix clear"));
	k.conf.proxies = proxies;
	k.conf.n_proxies = 2;
	SAY(&k, ask);
	assert_true(has(&k, "192.0.2.7 tls"));
	SAY(&k, ask2);
	assert_true(has(&k, "2001:db8::7 tls"));
	kit_fini(&k);
}

/* ---- ends ---- */

static void
a_client_that_goes_is_told_to_who_answers(void **state)
{
	struct kit k;

	kit_init(&k);
	SAY(&k, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_non_null(k.held);
	http_reply_begin(k.held, 200, "text/event-stream", HTTP_UNKNOWN);
	http_reply_endless(k.held);
	http_reply_write(k.held, SPAN_LIT("event\n\n"));
	turn(&k);
	assert_true(has(&k, "7\r\nevent\n\n\r\n"));
	close(k.fd);
	k.fd = -1;
	turn(&k);
	turn(&k);
	assert_int_equal(k.gone, 1);
	assert_int_equal(k.closed, 1);
	kit_fini(&k);
}

static void
time_ends_what_does_not_come(void **state)
{
	static const struct { const char *text, *answer; } slow[] = {
		{ "GET /echo HT", "HTTP/1.1 408 " },
		{ "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", "HTTP/1.1 408 " },
		{ "GET /peer HTTP/1.1\r\nHost: a\r\n\r\n", "unix" },
	};

	for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
		struct kit k;

		kit_init(&k);
		k.conf.head_s = k.conf.body_s = k.conf.idle_s = 0;
		say(&k, span_str(slow[i].text), SIZE_MAX);
		for (int n = 0; n < 100 && !k.eof; n++) {
			turn(&k);
			usleep(1000);
		}
		assert_true(k.eof && has(&k, slow[i].answer));
		kit_fini(&k);
	}
}

static void
a_connection_has_so_many_requests(void **state)
{
	struct kit k;

	kit_init(&k);
	k.conf.max_requests = 2;
	SAY(&k, "GET /peer HTTP/1.1\r\nHost: a\r\n\r\nGET /peer HTTP/1.1\r\nHost: a\r\n\r\n"
	    "GET /peer HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(k.requests, 2);
	assert_int_equal(count(&k, "Connection: close\r\n"), 1);
	assert_true(k.eof);
	kit_fini(&k);
}

static void
who_drains_answers_what_is_under_way(void **state)
{
	struct kit k;

	kit_init(&k);
	SAY(&k, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	http_server_drain(&k.srv);
	turn(&k);
	assert_false(k.eof);
	http_reply_text(k.held, 200, "done");
	turn(&k);
	assert_true(k.eof && has(&k, "Connection: close\r\n") && has(&k, "done"));
	kit_fini(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_give_the_same_answers),
		cmocka_unit_test(every_cut_gives_the_same_answer),
		cmocka_unit_test(what_could_be_read_in_two_ways_is_refused_and_closes),
		cmocka_unit_test(heads_have_a_limit),
		cmocka_unit_test(bodies_are_bounded_before_they_are_read),
		cmocka_unit_test(a_client_that_expects_it_is_told_to_continue),
		cmocka_unit_test(a_body_that_nobody_wants_does_not_become_a_request),
		cmocka_unit_test(long_answers_go_out_as_the_client_takes_them),
		cmocka_unit_test(a_client_that_reads_nothing_stops_the_answer),
		cmocka_unit_test(answers_are_coded_for_who_asks),
		cmocka_unit_test(pages_of_listed_origins_may_call),
		cmocka_unit_test(proxies_are_believed_when_they_are_listed),
		cmocka_unit_test(a_client_that_goes_is_told_to_who_answers),
		cmocka_unit_test(time_ends_what_does_not_come),
		cmocka_unit_test(a_connection_has_so_many_requests),
		cmocka_unit_test(who_drains_answers_what_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
