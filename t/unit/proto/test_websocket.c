/* WebSocket frames, in any pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/proto/websocket.h"
#include "common/util/bytes.h"

/* A client's frame. */
static void
frame(struct buf *b, unsigned first, struct span payload)
{
	static const unsigned char mask[4] = { 0x11, 0x82, 0x0f, 0xff };
	size_t n = payload.len;

	put_u8(b, (uint8_t)first);
	put_u8(b, (uint8_t)(0x80 | (n < 126 ? n : n < 65536 ? 126 : 127)));
	if (n >= 65536)
		put_u64(b, n);
	else if (n >= 126)
		put_u16(b, (uint16_t)n);
	buf_add(b, mask, 4);
	for (size_t i = 0; i < n; i++)
		buf_add_c(b, (char)((unsigned char)payload.p[i] ^ mask[i & 3]));
}

/* Feeds `all` in pieces of n bytes; writes down what comes: "T" text, "B" binary, "+" its end, ... */
static enum status
feed(struct ws_reader r, const struct buf *all, size_t n, struct buf *log)
{
	struct buf in = { 0 };
	size_t at = 0, used;
	struct ws_piece p;
	enum status st = ST_UNAVAILABLE;

	buf_clear(log);
	while (at < all->len && st == ST_UNAVAILABLE) {
		size_t some = all->len - at < n ? all->len - at : n;

		buf_add(&in, all->data + at, some);
		at += some;
		while ((st = ws_read(&r, in.data, in.len, &used, &p)) == ST_OK) {
			if (p.first)
				buf_addf(log, "<%u%s ", (unsigned)p.op, p.deflated ? "z" : "");
			buf_add_span(log, p.data);
			if (p.last)
				buf_add_c(log, '>');
			buf_drop(&in, used);
		}
		buf_drop(&in, used);
	}
	buf_fini(&in);
	return st == ST_UNAVAILABLE ? ST_OK : st;
}

static void
the_example_of_the_rfc(void **state)
{
	struct buf b = { 0 };

	assert_true(ws_accept(SPAN_LIT("dGhlIHNhbXBsZSBub25jZQ=="), &b));
	assert_true(span_eq_str(buf_span(&b), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
	assert_false(ws_accept(SPAN_LIT("c2hvcnQ="), &b));
	assert_false(ws_accept(SPAN_LIT("***"), &b));
	buf_fini(&b);
}

static void
messages_come_in_any_pieces_with_control_frames_between(void **state)
{
	struct ws_reader r = { .message_max = 1000, .deflate = true };
	struct buf all = { 0 }, log = { 0 };
	char longer[300];

	memset(longer, 'x', sizeof(longer));
	frame(&all, 0x81, SPAN_LIT("hello"));
	frame(&all, 0x01, SPAN_LIT("one "));
	frame(&all, 0x89, SPAN_LIT("ping"));
	frame(&all, 0x00, SPAN_NONE);
	frame(&all, 0x00, SPAN_LIT("two "));
	frame(&all, 0x80, SPAN_LIT("three"));
	frame(&all, 0x82, SPAN_NONE);
	frame(&all, 0xc2, span(longer, 200));
	frame(&all, 0x01, SPAN_NONE);
	frame(&all, 0x80, SPAN_LIT("late"));
	frame(&all, 0x88, SPAN_LIT("\x03\xe8 bye"));
	for (size_t n = 1; n < all.len + 2; n += n < 20 ? 1 : 37) {
		assert_int_equal(feed(r, &all, n, &log), ST_OK);
		buf_cstr(&log);
		assert_non_null(strstr(log.data, "<1 hello><1 one <9 ping>two three><2 ><2z xxx"));
		assert_non_null(strstr(log.data, "xxx><1 late><8 \x03\xe8 bye>"));
	}
	buf_fini(&all);
	buf_fini(&log);
}

static void
frames_that_break_the_rules_end_it(void **state)
{
	static const struct { enum status st; const char *bytes; size_t n; } bad[] = {
#define BYTES(s) (s), sizeof(s) - 1
		{ ST_SYNTAX, BYTES("\x81\x05hello") },			/* not masked */
		{ ST_SYNTAX, BYTES("\x83\x80" "abcd") },		/* an opcode that is none */
		{ ST_SYNTAX, BYTES("\x8b\x80" "abcd") },
		{ ST_SYNTAX, BYTES("\xa1\x80" "abcd") },		/* reserved bits */
		{ ST_SYNTAX, BYTES("\x91\x80" "abcd") },
		{ ST_SYNTAX, BYTES("\xc1\x80" "abcd") },		/* deflate was not agreed on */
		{ ST_SYNTAX, BYTES("\xc9\x80" "abcd") },
		{ ST_SYNTAX, BYTES("\x80\x80" "abcd") },		/* nothing to go on with */
		{ ST_SYNTAX, BYTES("\x01\x80" "abcd\x01\x80" "abcd") },	/* a message within one */
		{ ST_SYNTAX, BYTES("\x09\x80" "abcd") },		/* a control frame in parts */
		{ ST_SYNTAX, BYTES("\x89\xfe\x00\x7e" "abcd") },	/* a long one */
		{ ST_SYNTAX, BYTES("\x81\xfe\x00\x7d" "abcd") },	/* not the shortest length */
		{ ST_SYNTAX, BYTES("\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff" "abcd") },
		{ ST_SYNTAX, BYTES("\x81\xff\x80\x00\x00\x00\x00\x00\xff\xff" "abcd") },
		{ ST_LIMIT, BYTES("\x81\xfe\x03\xe9" "abcd") },
		{ ST_LIMIT, BYTES("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" "abcd") },
	};
	const struct ws_reader r = { .message_max = 1000 };
	struct buf all = { 0 }, log = { 0 };
	char part[600] = "";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (size_t n = 1; n <= bad[i].n; n++) {
			buf_clear(&all);
			buf_add(&all, bad[i].bytes, bad[i].n);
			if (feed(r, &all, n, &log) != bad[i].st)
				fail_msg("case %zu in pieces of %zu", i, n);
		}
	buf_clear(&all);		/* too much, in frames that are not */
	frame(&all, 0x01, span(part, 600));
	frame(&all, 0x80, span(part, 600));
	assert_int_equal(feed(r, &all, 1000, &log), ST_LIMIT);
	buf_fini(&all);
	buf_fini(&log);
}

static void
what_is_sent_has_the_shortest_head(void **state)
{
	struct buf b = { 0 };
	unsigned code;

	ws_put_head(&b, WS_TEXT, false, 125);
	ws_put_head(&b, WS_TEXT, true, 126);
	ws_put_head(&b, WS_BINARY, false, 65536);
	assert_int_equal(b.len, 2 + 4 + 10);
	assert_memory_equal(b.data, "\x81\x7d\xc1\x7e\x00\x7e\x82\x7f\0\0\0\0\0\1\0\0", b.len);
	buf_clear(&b);
	ws_put_close(&b, WS_GOING_AWAY, SPAN_LIT("bye"));
	assert_memory_equal(b.data, "\x88\x05\x03\xe9" "bye", b.len);
	buf_fini(&b);
	assert_true(ws_close_code(SPAN_NONE, &code) && code == WS_NO_REASON);
	assert_true(ws_close_code(SPAN_LIT("\x03\xe8ok"), &code) && code == WS_NORMAL);
	assert_false(ws_close_code(SPAN_LIT("\x03"), &code));
	assert_false(ws_close_code(SPAN_LIT("\x03\xed"), &code));	/* 1005 is never sent */
	assert_false(ws_close_code(SPAN_LIT("\x13\x88"), &code));	/* 5000 */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_rfc),
		cmocka_unit_test(messages_come_in_any_pieces_with_control_frames_between),
		cmocka_unit_test(frames_that_break_the_rules_end_it),
		cmocka_unit_test(what_is_sent_has_the_shortest_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
