/* HTTP/1.1: heads, bodies, chunks, in any pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/proto/http.h"

/* What a head comes to: 0: whole; else the code; 1: more is needed. */
static unsigned
head(const char *text, struct http_head *h, size_t *used)
{
	size_t scanned = 0;
	unsigned code;
	enum status st = http_head_parse(span_str(text), &scanned, h, used, &code);

	return st == ST_OK ? 0 : st == ST_UNAVAILABLE ? 1 : code;
}

static void
a_head_is_taken_apart_however_it_was_cut(void **state)
{
	static const char text[] = "\r\nPOST /jmap/api?x=1 HTTP/1.1\r\nHost: a.example\r\n"
	    "Content-Length: 5\r\nX-Empty:\r\nAccept: a;q=1 , b\t\r\nconnection: Keep-Alive, Upgrade\r\n"
	    "Expect: 100-continue\r\n\r\nhello";
	struct http_head h;
	size_t used = 0, scanned = 0;
	unsigned code;
	struct span v;

	for (size_t n = 0; n < sizeof(text) - 6; n++)
		assert_int_equal(http_head_parse(span(text, n), &scanned, &h, &used, &code),
		    ST_UNAVAILABLE);
	assert_int_equal(http_head_parse(span_str(text), &scanned, &h, &used, &code), ST_OK);
	assert_int_equal(used, sizeof(text) - 6);
	assert_true(span_eq_str(h.method, "POST") && span_eq_str(h.target, "/jmap/api?x=1"));
	assert_true(span_eq_str(h.host, "a.example"));
	assert_int_equal(h.body, HTTP_LENGTH);
	assert_int_equal(h.length, 5);
	assert_true(h.keep && h.expects && h.upgrades && h.minor == 1);
	assert_true(http_field(h.fields, h.n_fields, "x-empty", &v) && v.len == 0);
	assert_true(http_field(h.fields, h.n_fields, "ACCEPT", &v) && span_eq_str(v, "a;q=1 , b"));
	assert_true(http_has_token(h.fields, h.n_fields, "accept", "A") && http_has_token(h.fields, h.n_fields, "accept", "b"));
	assert_false(http_has_token(h.fields, h.n_fields, "accept", "q=1"));
	assert_false(http_field(h.fields, h.n_fields, "Cookie", &v));
}

static void
what_two_readers_could_read_differently_is_refused(void **state)
{
	static const struct { unsigned code; const char *text; } cases[] = {
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ 501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" },
		{ 501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n" },
		{ 501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n" },
		{ 400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\n Content-Length: 5\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\nHost: a\n\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nX: \001\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" },
		{ 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET / /b HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET b HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /\r\n\r\n" },
		{ 400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET / HTTP/11.1\r\nHost: a\r\n\r\n" },
		{ 400, "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
		{ 501, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 417, "GET / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n" },
	};
	struct http_head h;
	size_t used;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (head(cases[i].text, &h, &used) != cases[i].code)
			fail_msg("%s: %u", cases[i].text, head(cases[i].text, &h, &used));
}

static void
what_is_unusual_and_good_is_taken(void **state)
{
	struct http_head h;
	size_t used;

	assert_int_equal(head("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &h, &used), 0);
	assert_int_equal(head("GET http://a.example/b HTTP/1.1\r\nHost: a.example\r\n\r\n", &h, &used), 0);
	assert_int_equal(head("GET / HTTP/1.7\r\nHost:\r\n\r\n", &h, &used), 0);
	assert_int_equal(h.minor, 1);
	assert_int_equal(head("GET / HTTP/1.0\r\n\r\n", &h, &used), 0);
	assert_false(h.keep);
	assert_int_equal(head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &h, &used), 0);
	assert_true(h.keep);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, close\r\n\r\n", &h, &used), 0);
	assert_false(h.keep);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
	    &h, &used), 0);
	assert_int_equal(h.length, 5);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", &h, &used), 0);
	assert_int_equal(h.body, HTTP_CHUNKED);
}

static void
limits_are_told_before_more_is_read(void **state)
{
	static char big[HTTP_HEAD_MAX + 100];
	struct buf b = { 0 };
	struct http_head h;
	size_t used, scanned = 0;
	unsigned code;

	memset(big, 'a', sizeof(big));
	memcpy(big, "GET /", 5);
	assert_int_equal(http_head_parse(span(big, HTTP_LINE_MAX + 1), &scanned, &h, &used, &code),
	    ST_SYNTAX);
	assert_int_equal(code, 414);
	memcpy(big, "GET / HTTP/1.1\r\nX: ", 19);
	scanned = 0;
	assert_int_equal(http_head_parse(span(big, sizeof(big)), &scanned, &h, &used, &code), ST_SYNTAX);
	assert_int_equal(code, 431);
	buf_add_str(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (unsigned i = 0; i < HTTP_FIELDS_MAX; i++)
		buf_add_str(&b, "A: b\r\n");
	buf_add_str(&b, "\r\n");
	assert_int_equal(head(buf_cstr(&b), &h, &used), 431);
	buf_fini(&b);
}

/* Feeds in pieces of n bytes; what comes out, and what was left. */
static enum status
chunks(const char *text, size_t n, struct buf *out, size_t *left)
{
	struct http_chunks c = { 0 };
	size_t len = strlen(text), at = 0;
	struct span data;

	buf_clear(out);
	while (at < len && !c.done) {
		struct span in = span(text + at, len - at < n ? len - at : n);
		size_t had = in.len;

		do {
			enum status st = http_chunks_next(&c, &in, &data);

			if (st != ST_OK)
				return st;
			buf_add_span(out, data);
		} while (data.len > 0);
		at += had - in.len;
	}
	*left = len - at;
	return c.done ? ST_OK : ST_UNAVAILABLE;
}

static void
chunks_come_in_any_pieces(void **state)
{
	static const char text[] = "5\r\nhello\r\n00A;a=\"b\"\r\n, big worl\r\n1 \r\nd\r\n0\r\nX: y\r\n\r\nGET";
	struct buf out = { 0 };
	size_t left;

	for (size_t n = 1; n < sizeof(text); n++) {
		assert_int_equal(chunks(text, n, &out, &left), ST_OK);
		assert_true(span_eq_str(buf_span(&out), "hello, big world"));
		assert_int_equal(left, 3);
	}
	buf_fini(&out);
}

static void
chunks_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {
		"\r\n", "g\r\n", "-1\r\n", "5\nhello", "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n",
		"5 5\r\001", "ffffffffffffffffff\r\n", "0x5\r\n", "0\r\n\001", "0\r\n\r\r", "5;\n",
	};
	struct buf out = { 0 }, longer = { 0 };
	size_t left;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (size_t n = 1; n <= strlen(bad[i]); n++)
			if (chunks(bad[i], n, &out, &left) != ST_SYNTAX)
				fail_msg("%s in pieces of %zu", bad[i], n);
	buf_add_str(&longer, "5;");
	for (unsigned i = 0; i < HTTP_CHUNK_LINE_MAX; i++)
		buf_add_c(&longer, 'a');
	assert_int_equal(chunks(buf_cstr(&longer), 7, &out, &left), ST_LIMIT);
	buf_clear(&longer);
	buf_add_str(&longer, "0\r\n");
	for (unsigned i = 0; i < HTTP_TRAILERS_MAX / 4; i++)
		buf_add_str(&longer, "a:b\r\n");
	assert_int_equal(chunks(buf_cstr(&longer), 7, &out, &left), ST_LIMIT);
	buf_fini(&out);
	buf_fini(&longer);
}

static void
targets_and_queries_come_apart(void **state)
{
	struct span path, query, v;
	struct buf b = { 0 };

	http_target(SPAN_LIT("/a/b?c=d&e=%20f&g"), &path, &query);
	assert_true(span_eq_str(path, "/a/b"));
	assert_true(http_query_get(query, "c", &v) && span_eq_str(v, "d"));
	assert_true(http_query_get(query, "g", &v) && v.len == 0);
	assert_false(http_query_get(query, "f", &v));
	assert_true(http_query_get(query, "e", &v) && http_unescape(v, &b));
	assert_true(span_eq_str(buf_span(&b), " f"));
	http_target(SPAN_LIT("http://h:80?x"), &path, &query);
	assert_true(span_eq_str(path, "/"));
	http_target(SPAN_LIT("HTTPS://h/p?x"), &path, &query);
	assert_true(span_eq_str(path, "/p") && span_eq_str(query, "x"));
	assert_false(http_unescape(SPAN_LIT("%0"), &b));
	assert_false(http_unescape(SPAN_LIT("%zz"), &b));
	assert_false(http_unescape(SPAN_LIT("a%00"), &b));
	buf_clear(&b);
	http_escape(SPAN_LIT("a b/\xc3\xa4~"), &b);
	assert_true(span_eq_str(buf_span(&b), "a%20b%2F%C3%A4~"));
	buf_fini(&b);
}

static void
ranges_and_tags(void **state)
{
	uint64_t from, n;

	assert_int_equal(http_range(SPAN_LIT("bytes=0-4"), 10, &from, &n), ST_OK);
	assert_true(from == 0 && n == 5);
	assert_int_equal(http_range(SPAN_LIT("bytes=5-"), 10, &from, &n), ST_OK);
	assert_true(from == 5 && n == 5);
	assert_int_equal(http_range(SPAN_LIT("bytes=-3"), 10, &from, &n), ST_OK);
	assert_true(from == 7 && n == 3);
	assert_int_equal(http_range(SPAN_LIT("bytes=-30"), 10, &from, &n), ST_OK);
	assert_true(from == 0 && n == 10);
	assert_int_equal(http_range(SPAN_LIT("bytes=8-18446744073709551615"), 10, &from, &n), ST_OK);
	assert_true(from == 8 && n == 2);
	assert_int_equal(http_range(SPAN_LIT("bytes=10-"), 10, &from, &n), ST_LIMIT);
	assert_int_equal(http_range(SPAN_LIT("bytes=-0"), 10, &from, &n), ST_LIMIT);
	assert_int_equal(http_range(SPAN_LIT("bytes=0-"), 0, &from, &n), ST_LIMIT);
	assert_int_equal(http_range(SPAN_LIT("bytes=5-4"), 10, &from, &n), ST_NOT_FOUND);
	assert_int_equal(http_range(SPAN_LIT("bytes=0-1,3-4"), 10, &from, &n), ST_NOT_FOUND);
	assert_int_equal(http_range(SPAN_LIT("lines=0-1"), 10, &from, &n), ST_NOT_FOUND);
	assert_true(http_etag_matches(SPAN_LIT("\"a\", W/\"b\""), SPAN_LIT("\"b\"")));
	assert_true(http_etag_matches(SPAN_LIT("*"), SPAN_LIT("\"b\"")));
	assert_false(http_etag_matches(SPAN_LIT("\"a\""), SPAN_LIT("\"b\"")));
}

static void
dates(void **state)
{
	struct buf b = { 0 };

	http_date(784111777, &b);
	assert_true(span_eq_str(buf_span(&b), "Sun, 06 Nov 1994 08:49:37 GMT"));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_taken_apart_however_it_was_cut),
		cmocka_unit_test(what_two_readers_could_read_differently_is_refused),
		cmocka_unit_test(what_is_unusual_and_good_is_taken),
		cmocka_unit_test(limits_are_told_before_more_is_read),
		cmocka_unit_test(chunks_come_in_any_pieces),
		cmocka_unit_test(chunks_that_are_none_are_refused),
		cmocka_unit_test(targets_and_queries_come_apart),
		cmocka_unit_test(ranges_and_tags),
		cmocka_unit_test(dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
