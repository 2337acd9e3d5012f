#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/compress/deflate.h"

static const char text[] = "a1 SELECT INBOX\r\na2 FETCH 1:* (UID FLAGS)\r\na3 NOOP\r\n";
#define TEXT span_str(text)
#define PLAIN SPAN_LIT("a4 LOGIN x y\r\n")

/* All that is in *in, as conn does it. */
static enum status
read_all(struct inflater *z, struct span in, size_t room, struct buf *out)
{
	enum status st = ST_OK;

	while (st == ST_OK && (in.len > 0 || inflater_more(z))) {
		size_t had = out->len;

		st = inflater_read(z, &in, room, out);
		assert_true(out->len - had <= room);
	}
	return st;
}

static void
any_split_gives_the_same_bytes(void **state)
{
	struct buf packed = { 0 };
	size_t first;

	deflate_add(TEXT, false, &packed);
	first = packed.len;
	deflate_add(TEXT, false, &packed);
	for (size_t cut = 0; cut <= packed.len; cut++) {
		for (size_t room = 1; room <= 1000; room += 333) {
			struct inflater *z = inflater_new();
			struct buf out = { 0 };

			assert_int_equal(read_all(z, span(packed.data, cut), room, &out), ST_OK);
			inflater_rest(z);
			if (cut == first)
				assert_true(span_eq(buf_span(&out), TEXT));
			assert_int_equal(read_all(z, span(packed.data + cut, packed.len - cut),
			    room, &out), ST_OK);
			assert_int_equal(out.len, 2 * TEXT.len);
			assert_memory_equal(out.data, text, TEXT.len);
			assert_memory_equal(out.data + TEXT.len, text, TEXT.len);
			inflater_free(&z);
			buf_fini(&out);
		}
	}
	buf_fini(&packed);
}

/* A stream that ends or is flushed behind a command, and what is plain behind it. */
static void
what_follows_the_end_is_left_alone(void **state)
{
	for (int last = 0; last < 2; last++) {
		struct buf packed = { 0 };
		size_t len;

		deflate_add(TEXT, last, &packed);
		len = packed.len;
		buf_add_span(&packed, PLAIN);
		for (size_t cut = 0; cut <= packed.len; cut++) {
			struct inflater *z = inflater_new();
			struct span part = span(packed.data, cut);
			struct buf out = { 0 };
			bool done = false;

			while (out.len < TEXT.len && part.len > 0)
				assert_int_equal(inflater_read(z, &part, 1000, &out), ST_OK);
			if (out.len == TEXT.len)
				assert_int_equal(inflater_end(z, &part, &done), ST_OK);
			assert_int_equal(part.len, cut > len ? cut - len : 0);
			if (!done) {
				part = span(packed.data + cut, packed.len - cut);
				while (out.len < TEXT.len)
					assert_int_equal(inflater_read(z, &part, 1000, &out), ST_OK);
				assert_int_equal(inflater_end(z, &part, &done), ST_OK);
				assert_true(done);
				assert_true(span_eq(part, PLAIN));
			}
			inflater_free(&z);
			buf_fini(&out);
		}
		buf_fini(&packed);
	}
}

static void
data_behind_the_announced_end_is_an_error(void **state)
{
	struct inflater *z = inflater_new();
	struct buf packed = { 0 }, out = { 0 };
	struct span in;
	bool done;

	deflate_add(TEXT, false, &packed);
	deflate_add(TEXT, false, &packed);
	in = buf_span(&packed);
	assert_int_equal(inflater_read(z, &in, 1000, &out), ST_OK);
	assert_int_equal(inflater_end(z, &in, &done), ST_OK);
	assert_true(done);
	assert_int_equal(inflater_end(z, &in, &done), ST_CORRUPT);
	inflater_free(&z);

	z = inflater_new();
	buf_clear(&packed);
	deflate_add(TEXT, true, &packed);
	buf_add_str(&packed, "more");
	assert_int_equal(read_all(z, buf_span(&packed), 1000, &out), ST_CORRUPT);
	inflater_free(&z);
	buf_fini(&packed);
	buf_fini(&out);
}

static void
garbage_is_an_error(void **state)
{
	struct inflater *z = inflater_new();
	struct buf out = { 0 };

	assert_int_equal(read_all(z, SPAN_LIT("\x07\x07\x07\x07"), 1000, &out), ST_CORRUPT);
	inflater_free(&z);
	buf_fini(&out);
}

/* 64 MiB of one letter: never more than what there is room for. */
static void
a_bomb_comes_out_in_pieces(void **state)
{
	struct inflater *z = inflater_new();
	struct buf big = { 0 }, packed = { 0 }, out = { 0 };
	size_t total = 0;
	struct span in;

	for (int i = 0; i < 1 << 20; i++)
		buf_add(&big, "AAAAAAAA", 8);
	for (int i = 0; i < 8; i++)
		deflate_add(buf_span(&big), false, &packed);
	in = buf_span(&packed);
	while (in.len > 0 || inflater_more(z)) {
		assert_int_equal(inflater_read(z, &in, 5000, &out), ST_OK);
		assert_true(out.len <= 5000);
		total += out.len;
		buf_clear(&out);
	}
	assert_int_equal(total, 8 * big.len);
	inflater_rest(z);
	assert_true(inflater_kept(z) < 33000);
	inflater_free(&z);
	buf_fini(&big);
	buf_fini(&packed);
	buf_fini(&out);
}

static void
a_resting_stream_keeps_what_came_and_no_more(void **state)
{
	struct inflater *z = inflater_new();
	struct buf packed = { 0 }, out = { 0 };

	deflate_add(TEXT, false, &packed);
	assert_int_equal(read_all(z, buf_span(&packed), 1000, &out), ST_OK);
	inflater_rest(z);
	assert_true(inflater_kept(z) < TEXT.len + 512);
	inflater_free(&z);
	buf_fini(&packed);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_split_gives_the_same_bytes),
		cmocka_unit_test(what_follows_the_end_is_left_alone),
		cmocka_unit_test(data_behind_the_announced_end_is_an_error),
		cmocka_unit_test(garbage_is_an_error),
		cmocka_unit_test(a_bomb_comes_out_in_pieces),
		cmocka_unit_test(a_resting_stream_keeps_what_came_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
