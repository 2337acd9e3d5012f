/* Requests to a server in the same loop that speaks HTTP without TLS, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "outd/fetch.h"

static struct {
	struct loop		*loop;
	struct fetcher		*f;
	struct conf_outd	conf;
	struct cidr		here;
	int			listen, client;
	struct loop_io		*accept, *read;
	struct buf		request;
	const char		*reply;		/* NULL: none comes */
	unsigned		accepted, answers;
	enum status		st;
	struct buf		body, why;
	int64_t			max_age_s;
	uint32_t		http, retry_after_s;
	char			url[64];
} w;

static void
on_read(int fd, unsigned events, void *arg)
{
	char *p = buf_reserve(&w.request, 4096);
	ssize_t n = recv(fd, p, 4096, MSG_DONTWAIT);

	if (n > 0)
		buf_added(&w.request, (size_t)n);
	if (n > 0 && w.reply != NULL)
		assert_true(fd_write_full(fd, w.reply, strlen(w.reply)));
	loop_io_free(&w.read);
	if (n <= 0 || w.reply != NULL)
		fd_close(&w.client);
}

static void
on_accept(int fd, unsigned events, void *arg)
{
	w.accepted++;
	loop_io_free(&w.read);
	fd_close(&w.client);
	w.client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	w.read = loop_io_new(w.loop, w.client, LOOP_READ, on_read, NULL);
}

static int
set_up(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	memset(&w, 0, sizeof(w));
	w.client = -1;
	w.loop = loop_new();
	w.listen = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w.listen, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(w.listen, 16), 0);
	assert_int_equal(getsockname(w.listen, (struct sockaddr *)&a, &len), 0);
	snprintf(w.url, sizeof(w.url), "http://127.0.0.1:%u/x", ntohs(a.sin_port));
	w.accept = loop_io_new(w.loop, w.listen, LOOP_READ, on_accept, NULL);
	assert_true(cidr_parse(SPAN_LIT("127.0.0.1/32"), &w.here));
	w.conf = (struct conf_outd){ .allow = { &w.here, 1 }, .cleartext = true, .timeout_s = 20,
	    .max_answer_bytes = 1000 };
	w.f = fetcher_new(w.loop, &w.conf, SPAN_NONE);
	return 0;
}

static int
tear_down(void **state)
{
	fetcher_free(&w.f);
	loop_io_free(&w.accept);
	loop_io_free(&w.read);
	fd_close(&w.listen);
	fd_close(&w.client);
	loop_free(&w.loop);
	buf_fini(&w.request);
	buf_fini(&w.body);
	buf_fini(&w.why);
	return 0;
}

static void
on_done(void *arg, const struct fetch_result *r)
{
	w.answers++;
	w.st = r->st;
	w.max_age_s = r->max_age_s;
	w.http = r->http;
	w.retry_after_s = r->retry_after_s;
	buf_clear(&w.body);
	buf_add_span(&w.body, r->body);
	buf_clear(&w.why);
	if (r->st != ST_OK)
		buf_add_str(&w.why, r->why);
}

static enum status
get(const char *url, struct span form)
{
	struct fetch_rq rq = { .url = url, .body = form };
	unsigned before = w.answers;

	buf_clear(&w.request);
	assert_non_null(fetch_start(w.f, &rq, on_done, NULL));
	while (w.answers == before)
		loop_once(w.loop, true);
	return w.st;
}

static void
an_answer_comes_whole_with_its_time(void **state)
{
	w.reply = "HTTP/1.1 200 OK\r\nCache-Control: max-age=77\r\nContent-Length: 5\r\n\r\nhello";
	assert_int_equal(get(w.url, SPAN_NONE), ST_OK);
	assert_true(span_eq_str(buf_span(&w.body), "hello"));
	assert_int_equal(w.max_age_s, 77);
	assert_true(span_has_prefix(buf_span(&w.request), "GET /x HTTP/1.1\r\n"));
	assert_int_equal(get(w.url, SPAN_LIT("token=t")), ST_OK);
	assert_true(span_has_prefix(buf_span(&w.request), "POST /x HTTP/1.1\r\n"));
}

static void
a_post_has_its_fields_and_every_status_is_told(void **state)
{
	static const char *const fields[] = { "TTL: 7", "Content-Type: application/json" };
	struct fetch_rq rq = { .url = w.url, .body = SPAN_LIT("{}"), .fields = fields, .n_fields = 2 };

	w.reply = "HTTP/1.1 429 Too Many\r\nRetry-After: 33\r\nContent-Length: 0\r\n\r\n";
	assert_non_null(fetch_start(w.f, &rq, on_done, NULL));
	while (w.answers == 0)
		loop_once(w.loop, true);
	assert_int_equal(w.st, ST_UNAVAILABLE);
	assert_int_equal(w.http, 429);
	assert_int_equal(w.retry_after_s, 33);
	assert_non_null(strstr(buf_cstr(&w.request), "\r\nTTL: 7\r\n"));
	assert_non_null(strstr(buf_cstr(&w.request), "\r\nContent-Type: application/json\r\n"));
	assert_null(strstr(buf_cstr(&w.request), "urlencoded"));
	assert_non_null(strstr(buf_cstr(&w.request), "\r\n\r\n{}"));
}

static void
what_is_not_200_is_no_answer(void **state)
{
	static const char *const replies[] = {
		"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n", "hello", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
		"",
	};

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		w.reply = replies[i];
		assert_int_equal(get(w.url, SPAN_NONE), ST_UNAVAILABLE);
		assert_true(w.why.len > 0);
		assert_int_equal(w.body.len, 0);
	}
}

static void
a_long_answer_is_not_read(void **state)
{
	struct buf b = { 0 };

	buf_add_str(&b, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	for (int i = 0; i < 1001; i++)
		buf_add_c(&b, 'x');
	w.reply = buf_cstr(&b);
	assert_int_equal(get(w.url, SPAN_NONE), ST_UNAVAILABLE);
	assert_true(span_eq_str(buf_span(&w.why), "the answer is too large"));
	buf_clear(&b);
	buf_add_str(&b, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 2000; i++)
		buf_addf(&b, "X-%04d: %080d\r\n", i, i);
	buf_add_str(&b, "\r\n");
	w.reply = buf_cstr(&b);
	assert_int_equal(get(w.url, SPAN_NONE), ST_UNAVAILABLE);
	assert_true(span_eq_str(buf_span(&w.why), "the answer is too large"));
	buf_fini(&b);
}

static void
a_silent_server_is_not_waited_for(void **state)
{
	w.conf.timeout_s = 1;
	assert_int_equal(get(w.url, SPAN_NONE), ST_UNAVAILABLE);
}

static void
no_socket_is_made_for_an_address_that_is_not_listed(void **state)
{
	char name[64], mapped[64];
	const char *port = strrchr(w.url, ':');

	w.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	w.conf.allow.n = 0;
	snprintf(name, sizeof(name), "http://localhost%s", port);
	snprintf(mapped, sizeof(mapped), "http://[::ffff:127.0.0.1]%s", port);
	assert_int_equal(get(w.url, SPAN_NONE), ST_UNAVAILABLE);
	assert_int_equal(get(name, SPAN_NONE), ST_UNAVAILABLE);
	assert_int_equal(get(mapped, SPAN_NONE), ST_UNAVAILABLE);
	assert_true(span_has_prefix(buf_span(&w.why), "its address is not public"));
	assert_int_equal(w.accepted, 0);
}

static void
other_protocols_and_clear_text_are_refused(void **state)
{
	w.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	assert_int_equal(get("file:///etc/passwd", SPAN_NONE), ST_UNAVAILABLE);
	assert_int_equal(get("gopher://127.0.0.1/", SPAN_NONE), ST_UNAVAILABLE);
	w.conf.cleartext = false;
	assert_int_equal(get(w.url, SPAN_NONE), ST_UNAVAILABLE);
	assert_int_equal(w.accepted, 0);
}

static void
a_fetch_that_is_cancelled_tells_nobody(void **state)
{
	struct fetch_rq rq = { w.url, SPAN_NONE, SPAN_NONE };
	struct fetch *q = fetch_start(w.f, &rq, on_done, NULL);

	while (w.accepted == 0)
		loop_once(w.loop, true);
	fetch_cancel(&q);
	assert_null(q);
	w.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	assert_int_equal(get(w.url, SPAN_NONE), ST_OK);
	assert_int_equal(w.answers, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(an_answer_comes_whole_with_its_time),
		T(a_post_has_its_fields_and_every_status_is_told), T(what_is_not_200_is_no_answer),
		T(a_long_answer_is_not_read), T(a_silent_server_is_not_waited_for),
		T(no_socket_is_made_for_an_address_that_is_not_listed),
		T(other_protocols_and_clear_text_are_refused),
		T(a_fetch_that_is_cancelled_tells_nobody),
	};

	log_set_level(LOG_LEVEL_FATAL);
	if (!fetch_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
