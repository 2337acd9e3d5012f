/* WebSocket on a connection: what a client sends, in pieces of any size, and what it gets. */
#include "t/unit/http/kit.h"

#include "common/compress/deflate.h"
#include "common/proto/websocket.h"

struct peer {
	struct kit	k;
	struct ws	*ws;
	struct ws_conf	conf;
	struct buf	said;		/* messages, each with "|" behind it */
	unsigned	too_long, ended;
	enum ws_end	why;
};

static void
on_message(struct ws *w, struct span text, void *arg)
{
	struct peer *p = arg;

	buf_add_span(&p->said, text);
	buf_add_c(&p->said, '|');
	ws_send(w, text);
}

static void
on_too_long(struct ws *w, void *arg)
{
	((struct peer *)arg)->too_long++;
}

static void
on_ws_closed(struct ws *w, enum ws_end why, void *arg)
{
	struct peer *p = arg;

	p->ended++;
	p->why = why;
	p->ws = NULL;
}

static const struct ws_ops ws_ops = {
	.message = on_message, .too_long = on_too_long, .closed = on_ws_closed
};

static void
on_upgrade(struct http_request *rq, void *arg)
{
	struct peer *p = arg;

	if (!http_wants_websocket(rq))
		http_reply_text(rq, 400, "%s", "");
	else
		p->ws = http_websocket(rq, http_has_subprotocol(rq, "jmap") ? "jmap" : NULL, &p->conf,
		    &ws_ops, p);
}

static const struct http_ops upgrade_ops = { .request = on_upgrade, .closed = on_closed };

#define UPGRADE "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: x, jmap\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"

static void
peer_init(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	kit_init(&p->k);
	p->k.srv.ops = &upgrade_ops;
	p->k.srv.arg = p;		/* begins with the kit */
	p->conf = (struct ws_conf){ .message_max = 1000, .deflate = true };
}

static void
peer_fini(struct peer *p)
{
	kit_fini(&p->k);
	buf_fini(&p->said);
}

static void
put_frame(struct buf *out, unsigned first, struct span data)
{
	static const char mask[4] = { 'm', 'a', 's', 'k' };

	buf_add_c(out, (char)first);
	if (data.len < 126) {
		buf_add_c(out, (char)(0x80 | data.len));
	} else {
		buf_add_c(out, (char)(0x80 | 126));
		buf_add_c(out, (char)(data.len >> 8));
		buf_add_c(out, (char)data.len);
	}
	buf_add(out, mask, 4);
	for (size_t i = 0; i < data.len; i++)
		buf_add_c(out, (char)(data.p[i] ^ mask[i % 4]));
}

static void
every_cut_gives_the_same_messages(void **state)
{
	struct buf in = { 0 };

	buf_add_str(&in, UPGRADE V13 "\r\n");
	put_frame(&in, 0x81, SPAN_LIT("hello"));
	put_frame(&in, 0x01, SPAN_LIT("in "));
	put_frame(&in, 0x89, SPAN_LIT("ping"));
	put_frame(&in, 0x80, SPAN_LIT("pieces"));
	put_frame(&in, 0x81, SPAN_NONE);
	put_frame(&in, 0x88, SPAN_LIT("\003\350bye"));
	for (size_t cut = 1; cut < in.len; cut++) {
		struct peer p;

		peer_init(&p);
		say(&p.k, span_sub(buf_span(&in), 0, cut), SIZE_MAX);
		say(&p.k, span_sub(buf_span(&in), cut, in.len), SIZE_MAX);
		assert_string_equal(buf_cstr(&p.said), "hello|in pieces||");
		assert_true(has(&p.k, "HTTP/1.1 101 ") && has(&p.k, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") &&
		    has(&p.k, "Sec-WebSocket-Protocol: jmap\r\n"));
		assert_true(has(&p.k, "\x81\x05hello") && has(&p.k, "\x8a\x04ping") &&
		    has(&p.k, "\x88\x02\003\350"));
		assert_true(p.k.eof);
		close(p.k.fd);
		p.k.fd = -1;
		turn(&p.k);
		assert_int_equal(p.ended, 1);
		assert_int_equal(p.why, WS_END_CLIENT);
		assert_int_equal(p.k.closed, 1);
		peer_fini(&p);
	}
	buf_fini(&in);
}

static void
messages_are_unpacked_within_their_limit(void **state)
{
	struct peer p;
	struct buf in = { 0 }, packed = { 0 }, big = { 0 };

	peer_init(&p);
	SAY(&p.k, UPGRADE V13 "Sec-WebSocket-Extensions: x, permessage-deflate; client_max_window_bits\r\n\r\n");
	assert_true(has(&p.k, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"));
	deflate_add(SPAN_LIT("hello hello hello"), false, &packed);
	put_frame(&in, 0xc1, span(packed.data, packed.len - 4));
	/* a megabyte in a thousand bytes */
	for (int i = 0; i < 100000; i++)
		buf_add_str(&big, "0123456789");
	buf_clear(&packed);
	deflate_add(buf_span(&big), false, &packed);
	put_frame(&in, 0xc1, span(packed.data, packed.len - 4));
	put_frame(&in, 0x81, SPAN_LIT("on"));
	say(&p.k, buf_span(&in), 7);
	assert_string_equal(buf_cstr(&p.said), "hello hello hello|on|");
	assert_int_equal(p.too_long, 1);
	buf_fini(&in);
	buf_fini(&packed);
	buf_fini(&big);
	peer_fini(&p);
}

static void
long_answers_are_packed_for_who_asked(void **state)
{
	struct peer p;
	struct buf in = { 0 }, text = { 0 };

	for (int i = 0; i < 90; i++)
		buf_add_str(&text, "0123456789");
	put_frame(&in, 0x81, buf_span(&text));
	peer_init(&p);
	SAY(&p.k, UPGRADE V13 "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
	buf_clear(&p.k.got);
	say(&p.k, buf_span(&in), SIZE_MAX);
	assert_true(p.k.got.len < 100 && (unsigned char)p.k.got.data[0] == 0xc1);
	peer_fini(&p);

	peer_init(&p);
	SAY(&p.k, UPGRADE V13 "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n\r\n");
	assert_false(has(&p.k, "Sec-WebSocket-Extensions"));
	buf_fini(&in);
	buf_fini(&text);
	peer_fini(&p);
}

static void
what_is_wrong_ends_it(void **state)
{
	static const struct { unsigned first; const char *data; unsigned code; } bad[] = {
		{ 0x82, "x", WS_UNACCEPTABLE }, { 0x83, "x", WS_PROTOCOL }, { 0x80, "x", WS_PROTOCOL },
		{ 0xc1, "x", WS_PROTOCOL }, { 0x09, "x", WS_PROTOCOL }, { 0x81, "\xff", WS_NOT_UTF8 },
		{ 0x88, "x", WS_PROTOCOL }, { 0x88, "\003\355", WS_PROTOCOL }
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct peer p;
		struct buf in = { 0 };
		char want[5] = { (char)0x88, 0x02, (char)(bad[i].code >> 8), (char)bad[i].code, 0 };

		peer_init(&p);
		SAY(&p.k, UPGRADE V13 "\r\n");
		buf_clear(&p.k.got);
		put_frame(&in, bad[i].first, span_str(bad[i].data));
		say(&p.k, buf_span(&in), 1);
		assert_true(p.k.got.len >= 4 && p.k.got.data[0] == want[0] &&
		    memcmp(p.k.got.data + 2, want + 2, 2) == 0);
		assert_true(p.k.eof && p.said.len == 0);
		buf_fini(&in);
		peer_fini(&p);
		assert_true(p.ended == 1 && p.why == WS_END_ERROR);
	}
}

static void
an_upgrade_has_to_be_right(void **state)
{
	static const char *const bad[] = {
		UPGRADE "\r\n", UPGRADE "Sec-WebSocket-Version: 8\r\n\r\n", UPGRADE V13 V13 "\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" V13 "\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" V13 "\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct peer p;

		peer_init(&p);
		say(&p.k, span_str(bad[i]), SIZE_MAX);
		assert_true(has(&p.k, "HTTP/1.1 400 ") && p.ws == NULL);
		peer_fini(&p);
	}
}

static void
who_drains_says_that_he_goes(void **state)
{
	struct peer p;

	peer_init(&p);
	SAY(&p.k, UPGRADE V13 "\r\n");
	http_server_drain(&p.k.srv);
	turn(&p.k);
	assert_true(has(&p.k, "\x88\x11\003\351the server ends") && p.k.eof);
	peer_fini(&p);
	assert_true(p.ended == 1 && p.why == WS_END_SERVER);
}

static void
a_client_that_says_nothing_is_asked(void **state)
{
	struct peer p;

	peer_init(&p);
	p.conf.ping_s = 1;
	SAY(&p.k, UPGRADE V13 "\r\n");
	buf_clear(&p.k.got);
	for (int i = 0; i < 400 && p.ended == 0; i++) {
		turn(&p.k);
		usleep(10000);
	}
	assert_true(p.k.got.len == 2 && (unsigned char)p.k.got.data[0] == 0x89);
	assert_true(p.ended == 1 && p.why == WS_END_LOST);
	peer_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_gives_the_same_messages),
		cmocka_unit_test(messages_are_unpacked_within_their_limit),
		cmocka_unit_test(long_answers_are_packed_for_who_asked),
		cmocka_unit_test(what_is_wrong_ends_it),
		cmocka_unit_test(an_upgrade_has_to_be_right),
		cmocka_unit_test(who_drains_says_that_he_goes),
		cmocka_unit_test(a_client_that_says_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
