/* HTTP/2: a client made of nghttp2, and one that does what none should. */
#include "t/unit/http/kit.h"

#include <nghttp2/nghttp2.h>

struct answer {
	int32_t		stream;
	unsigned	code;
	struct buf	body, fields;
	bool		closed;
	uint32_t	error;
};
struct client {
	struct kit		k;
	nghttp2_session		*session;
	struct answer		a[64];
	size_t			n;
	struct span		upload;		/* what is left of it */
	bool			goaway;
	uint32_t		goaway_code;
};

static struct answer *
answer_of(struct client *c, int32_t stream)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->a[i].stream == stream)
			return &c->a[i];
	return NULL;
}

static int
on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
    const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct answer *a = answer_of(arg, frame->hd.stream_id);
	uint32_t n;

	if (a != NULL && span_eq_str(span(name, name_len), ":status")) {
		assert_true(span_u32(span(value, value_len), &n));
		a->code = n;
	} else if (a != NULL) {
		buf_addf(&a->fields, "%.*s: %.*s\n", (int)name_len, (const char *)name, (int)value_len,
		    (const char *)value);
	}
	return 0;
}

static int
on_data(nghttp2_session *s, uint8_t flags, int32_t stream, const uint8_t *p, size_t n, void *arg)
{
	struct answer *a = answer_of(arg, stream);

	if (a != NULL)
		buf_add(&a->body, p, n);
	return 0;
}

static int
on_close(nghttp2_session *s, int32_t stream, uint32_t code, void *arg)
{
	struct answer *a = answer_of(arg, stream);

	if (a != NULL) {
		a->closed = true;
		a->error = code;
	}
	return 0;
}

static int
on_frame(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
	struct client *c = arg;

	if (frame->hd.type == NGHTTP2_GOAWAY) {
		c->goaway = true;
		c->goaway_code = frame->goaway.error_code;
	}
	return 0;
}

static ssize_t
on_upload(nghttp2_session *s, int32_t stream, uint8_t *to, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct client *c = arg;
	size_t n = c->upload.len < room ? c->upload.len : room;

	if (n > 0)
		memcpy(to, c->upload.p, n);
	c->upload = span_sub(c->upload, n, c->upload.len);
	if (c->upload.len == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static void
client_init(struct client *c)
{
	nghttp2_session_callbacks *cb;

	memset(c, 0, sizeof(*c));
	kit_init(&c->k);
	assert_int_equal(nghttp2_session_callbacks_new(&cb), 0);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	assert_int_equal(nghttp2_session_client_new(&c->session, cb, c), 0);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void
client_fini(struct client *c)
{
	for (size_t i = 0; i < c->n; i++) {
		buf_fini(&c->a[i].body);
		buf_fini(&c->a[i].fields);
	}
	nghttp2_session_del(c->session);
	kit_fini(&c->k);
}

#define F(n, v) { (uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), 0 }

static struct answer *
ask(struct client *c, const char *method, const char *path, struct span body)
{
	const nghttp2_nv nv[] = { F(":method", method), F(":path", path), F(":scheme", "https"),
	    F(":authority", "mail.example"), F("accept-encoding", "gzip") };
	nghttp2_data_provider dp = { .read_callback = on_upload };
	struct answer *a = &c->a[c->n++];

	c->upload = body;
	a->stream = nghttp2_submit_request(c->session, NULL, nv, ARRAY_LEN(nv),
	    body.p != NULL ? &dp : NULL, NULL);
	assert_true(a->stream > 0);
	return a;
}

/* Lets both sides talk until they have nothing to say. */
static void
talk(struct client *c, size_t at_once)
{
	const uint8_t *p;
	ssize_t n;

	for (int quiet = 0; quiet < 3; quiet++) {
		while ((n = nghttp2_session_mem_send(c->session, &p)) > 0) {
			say(&c->k, span(p, (size_t)n), at_once);
			quiet = 0;
		}
		turn(&c->k);
		if (c->k.got.len > 0) {
			n = nghttp2_session_mem_recv(c->session, (uint8_t *)c->k.got.data, c->k.got.len);
			assert_int_equal(n, c->k.got.len);
			buf_clear(&c->k.got);
			quiet = 0;
		}
	}
}

static bool
body_is(const struct answer *a, const char *text)
{
	return span_eq_str(buf_span(&a->body), text);
}

static void
requests_are_answered_whatever_the_pieces(void **state)
{
	for (size_t at_once = 1; at_once < 200; at_once = at_once * 2 + 1) {
		struct client c;
		struct answer *a, *b, *d, *e;

		client_init(&c);
		a = ask(&c, "GET", "/nothing?x=1", SPAN_NONE);
		b = ask(&c, "POST", "/echo", SPAN_LIT("hello"));
		talk(&c, at_once);
		d = ask(&c, "POST", "/stream", SPAN_LIT("abcdefgh"));
		talk(&c, at_once);
		e = ask(&c, "HEAD", "/echo", SPAN_NONE);
		talk(&c, at_once);
		assert_int_equal(a->code, 404);
		assert_true(b->code == 200 && body_is(b, "hello") && b->closed && b->error == 0);
		assert_true(d->code == 201 && body_is(d, "abcdefgh"));
		assert_true(e->code == 200 && e->body.len == 0 && e->closed);
		assert_int_equal(c.k.requests, 4);
		client_fini(&c);
	}
}

static void
long_bodies_flow(void **state)
{
	struct client c;
	struct answer *a, *b, *d;
	struct buf big = { 0 };

	for (int i = 0; i < 50000; i++)
		buf_addf(&big, "%09d\n", i);
	client_init(&c);
	a = ask(&c, "POST", "/stream", buf_span(&big));
	talk(&c, SIZE_MAX);
	b = ask(&c, "GET", "/big", SPAN_NONE);
	talk(&c, SIZE_MAX);
	d = ask(&c, "GET", "/chunks", SPAN_NONE);
	talk(&c, SIZE_MAX);
	assert_int_equal(a->code, 201);
	assert_true(span_eq(buf_span(&c.k.seen), buf_span(&big)));
	assert_true(a->body.len > 100000);		/* coded */
	assert_int_equal(b->body.len, 300000);
	assert_int_equal(d->body.len, 300000);
	assert_true(a->closed && b->closed && d->closed);
	buf_fini(&big);
	client_fini(&c);
}

static void
too_long_a_body_is_refused(void **state)
{
	struct client c;
	struct answer *a;
	struct buf big = { 0 };

	for (int i = 0; i < 20000; i++)
		buf_add_str(&big, "0123456789");
	client_init(&c);
	a = ask(&c, "POST", "/echo", buf_span(&big));
	talk(&c, SIZE_MAX);
	assert_true(a->code == 413 && a->closed);
	a = ask(&c, "POST", "/nothing", buf_span(&big));
	talk(&c, SIZE_MAX);
	assert_true(a->code == 404 && a->closed);
	buf_fini(&big);
	client_fini(&c);
}

static void
answers_are_coded_there_too(void **state)
{
	struct client c;
	struct answer *a;

	client_init(&c);
	a = ask(&c, "GET", "/json", SPAN_NONE);
	talk(&c, SIZE_MAX);
	assert_non_null(strstr(buf_cstr(&a->fields), "content-encoding: gzip\n"));
	assert_non_null(strstr(buf_cstr(&a->fields), "date: "));
	assert_true(a->body.len < 1000);
	client_fini(&c);
}

static void
a_stream_that_is_reset_is_gone(void **state)
{
	struct client c;
	struct answer *a, *b;

	client_init(&c);
	a = ask(&c, "GET", "/hold", SPAN_NONE);
	talk(&c, SIZE_MAX);
	assert_non_null(c.k.held);
	nghttp2_submit_rst_stream(c.session, NGHTTP2_FLAG_NONE, a->stream, NGHTTP2_CANCEL);
	talk(&c, SIZE_MAX);
	assert_int_equal(c.k.gone, 1);
	b = ask(&c, "GET", "/peer", SPAN_NONE);
	talk(&c, SIZE_MAX);
	assert_int_equal(b->code, 200);
	client_fini(&c);
}

static void
an_answer_that_breaks_off_is_seen(void **state)
{
	struct client c;
	struct answer *a;

	client_init(&c);
	a = ask(&c, "GET", "/hold", SPAN_NONE);
	talk(&c, SIZE_MAX);
	http_reply_begin(c.k.held, 200, "text/plain", 100);
	http_reply_write(c.k.held, SPAN_LIT("half"));
	talk(&c, SIZE_MAX);
	http_reply_abort(c.k.held);
	talk(&c, SIZE_MAX);
	assert_true(a->closed && a->error == NGHTTP2_INTERNAL_ERROR && body_is(a, "half"));
	client_fini(&c);
}

static void
fields_have_a_limit(void **state)
{
	nghttp2_nv nv[150] = { F(":method", "GET"), F(":path", "/peer"), F(":scheme", "https"),
	    F(":authority", "a") };
	struct client c;
	struct answer *a;

	client_init(&c);
	for (size_t i = 4; i < ARRAY_LEN(nv); i++)
		nv[i] = (nghttp2_nv)F("x-many", "1");
	a = &c.a[c.n++];
	a->stream = nghttp2_submit_request(c.session, NULL, nv, ARRAY_LEN(nv), NULL, NULL);
	talk(&c, SIZE_MAX);
	assert_int_equal(a->code, 431);
	assert_int_equal(c.k.requests, 0);
	client_fini(&c);
}

static void
floods_end_the_connection(void **state)
{
	for (int what = 0; what < 3; what++) {
		struct client c;

		client_init(&c);
		talk(&c, SIZE_MAX);
		for (int i = 0; i < 1200 && !c.goaway; i++) {
			if (what == 0) {
				nghttp2_submit_ping(c.session, NGHTTP2_FLAG_NONE, NULL);
			} else if (what == 1) {
				nghttp2_submit_settings(c.session, NGHTTP2_FLAG_NONE, NULL, 0);
			} else {
				struct answer *a;

				c.n = 0;
				a = ask(&c, "GET", "/hold", SPAN_NONE);
				talk(&c, SIZE_MAX);
				nghttp2_submit_rst_stream(c.session, NGHTTP2_FLAG_NONE, a->stream,
				    NGHTTP2_CANCEL);
			}
			if (i % 4 == 0 || what == 2)
				talk(&c, SIZE_MAX);
		}
		talk(&c, SIZE_MAX);
		assert_true(c.goaway && c.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM);
		assert_true(c.k.eof);
		client_fini(&c);
	}
}

static void
who_drains_says_goodbye(void **state)
{
	struct client c;
	struct answer *a;

	client_init(&c);
	a = ask(&c, "GET", "/hold", SPAN_NONE);
	talk(&c, SIZE_MAX);
	http_server_drain(&c.k.srv);
	talk(&c, SIZE_MAX);
	assert_true(c.goaway && c.goaway_code == 0 && !c.k.eof);
	http_reply_text(c.k.held, 200, "done");
	talk(&c, SIZE_MAX);
	assert_true(a->code == 200 && body_is(a, "done.\n") && c.k.eof);
	client_fini(&c);
}

static void
what_is_no_http2_ends_it(void **state)
{
	struct kit k;

	kit_init(&k);
	SAY(&k, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\n\r\n");
	assert_true(k.eof && k.requests == 0);
	kit_fini(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_answered_whatever_the_pieces),
		cmocka_unit_test(long_bodies_flow),
		cmocka_unit_test(too_long_a_body_is_refused),
		cmocka_unit_test(answers_are_coded_there_too),
		cmocka_unit_test(a_stream_that_is_reset_is_gone),
		cmocka_unit_test(an_answer_that_breaks_off_is_seen),
		cmocka_unit_test(fields_have_a_limit),
		cmocka_unit_test(floods_end_the_connection),
		cmocka_unit_test(who_drains_says_goodbye),
		cmocka_unit_test(what_is_no_http2_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
