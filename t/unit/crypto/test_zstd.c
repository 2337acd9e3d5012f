#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <zdict.h>
#include <zstd.h>

#include "common/compress/zstd.h"
#include "common/util/mem.h"

static struct buf text;

static int
make_text(void **state)
{
	for (int i = 0; i < 20000; i++)
		buf_addf(&text, "Received: from host%d.example.org; line %d\r\n", i % 97, i);
	return 0;
}

static int
free_text(void **state)
{
	buf_fini(&text);
	return 0;
}

static void
what_was_compressed_comes_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 500000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf packed = { 0 }, back = { 0 };
		uint64_t size;

		zstd_compress(span(text.data, sizes[i]), 3, NULL, &packed);
		assert_true(zstd_content_size(buf_span(&packed), &size));
		assert_int_equal(size, sizes[i]);
		buf_add_str(&back, "x");
		assert_int_equal(zstd_decompress(buf_span(&packed), sizes[i], NULL, &back), ST_OK);
		assert_int_equal(back.len, sizes[i] + 1);
		assert_memory_equal(back.data + 1, text.data, sizes[i]);
		if (sizes[i] > 0)
			assert_int_equal(zstd_decompress(buf_span(&packed), sizes[i] - 1, NULL,
			    &back), ST_LIMIT);
		assert_int_equal(back.len, sizes[i] + 1);
		buf_fini(&packed);
		buf_fini(&back);
	}
}

static void
damaged_frames_are_refused(void **state)
{
	struct buf packed = { 0 }, back = { 0 };

	zstd_compress(span(text.data, 10000), 3, NULL, &packed);
	for (size_t n = 0; n < packed.len; n++)
		assert_int_equal(zstd_decompress(span(packed.data, n), 1 << 20, NULL, &back),
		    ST_CORRUPT);
	buf_add_c(&packed, 'x');
	assert_int_equal(zstd_decompress(buf_span(&packed), 1 << 20, NULL, &back), ST_CORRUPT);
	assert_int_equal(zstd_decompress(SPAN_LIT("no frame"), 1 << 20, NULL, &back), ST_CORRUPT);
	assert_int_equal(back.len, 0);
	buf_fini(&packed);
	buf_fini(&back);
}

/* Whatever bit is flipped: refused, or the same content. */
static void
a_flipped_bit_is_never_content(void **state)
{
	struct buf packed = { 0 }, back = { 0 };

	zstd_compress(span(text.data, 2000), 3, NULL, &packed);
	for (size_t bit = 0; bit < packed.len * 8; bit++) {
		packed.data[bit / 8] = (char)(packed.data[bit / 8] ^ 1 << bit % 8);
		buf_clear(&back);
		if (zstd_decompress(buf_span(&packed), 1 << 20, NULL, &back) == ST_OK) {
			assert_int_equal(back.len, 2000);
			assert_memory_equal(back.data, text.data, 2000);
		}
		packed.data[bit / 8] = (char)(packed.data[bit / 8] ^ 1 << bit % 8);
	}
	buf_fini(&packed);
	buf_fini(&back);
}

static void
a_dictionary_is_needed_on_both_sides(void **state)
{
	struct buf packed = { 0 }, back = { 0 };
	struct zstd_reader *r;
	size_t samples[500];
	struct zstd_dict *d;
	struct span in;
	char bytes[8192];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		samples[i] = 400;
	n = ZDICT_trainFromBuffer(bytes, sizeof(bytes), text.data, samples, ARRAY_LEN(samples));
	assert_false(ZDICT_isError(n));
	assert_null(zstd_dict_new(SPAN_LIT("not a dictionary"), 3));
	d = zstd_dict_new(span(bytes, n), 3);
	assert_non_null(d);
	assert_true(zstd_dict_id(d) != 0);
	zstd_compress(span(text.data + 700, 400), 3, d, &packed);
	assert_int_equal(zstd_decompress(buf_span(&packed), 400, NULL, &back), ST_CORRUPT);
	assert_int_equal(zstd_decompress(buf_span(&packed), 400, d, &back), ST_OK);
	assert_memory_equal(back.data, text.data + 700, 400);
	buf_clear(&back);
	r = zstd_reader_new(d);
	in = buf_span(&packed);
	assert_int_equal(zstd_reader_read(r, &in, 1000, &back), ST_OK);
	assert_int_equal(back.len, 400);
	zstd_reader_free(&r);
	zstd_dict_free(&d);
	buf_fini(&packed);
	buf_fini(&back);
}

static void
a_stream_is_read_in_any_pieces(void **state)
{
	static const size_t feeds[] = { 1, 1000, 1 << 20 }, takes[] = { 1000, 65536, 1 << 20 };
	struct buf packed = { 0 };

	zstd_compress(span(text.data, 300000), 3, NULL, &packed);
	zstd_compress(span(text.data + 300000, 100000), 3, NULL, &packed);
	for (size_t f = 0; f < ARRAY_LEN(feeds); f++) {
		for (size_t t = 0; t < ARRAY_LEN(takes); t++) {
			struct zstd_reader *r = zstd_reader_new(NULL);
			struct buf back = { 0 };
			size_t at = 0, before;

			do {
				struct span in = span_sub(buf_span(&packed), at, feeds[f]);
				size_t had = in.len;

				before = back.len;
				assert_int_equal(zstd_reader_read(r, &in, takes[t], &back), ST_OK);
				assert_true(back.len - before <= takes[t]);
				at += had - in.len;
			} while (back.len > before || at < packed.len);
			assert_true(zstd_reader_at_end(r));
			assert_int_equal(back.len, 400000);
			assert_memory_equal(back.data, text.data, 400000);
			zstd_reader_free(&r);
			buf_fini(&back);
		}
	}
	buf_fini(&packed);
}

/* A frame that does not tell its size, of n zeros. */
static void
make_unsized(struct buf *packed, size_t n)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	char *zeros = mem_zalloc(n), *to = buf_reserve(packed, n + 1000);
	ZSTD_inBuffer in = { zeros, n, 0 };
	ZSTD_outBuffer out = { to, n + 1000, 0 };

	ZSTD_compressStream2(c, &out, &in, ZSTD_e_continue);
	assert_int_equal(ZSTD_compressStream2(c, &out, &in, ZSTD_e_end), 0);
	buf_added(packed, out.pos);
	mem_free(&zeros);
	ZSTD_freeCCtx(c);
}

static void
a_bomb_without_a_size_stops_at_the_limit(void **state)
{
	struct buf packed = { 0 }, back = { 0 };

	make_unsized(&packed, 10 << 20);
	assert_true(packed.len < 10000);
	assert_int_equal(zstd_decompress(buf_span(&packed), 100000, NULL, &back), ST_LIMIT);
	assert_int_equal(back.len, 0);
	assert_int_equal(zstd_decompress(buf_span(&packed), (10 << 20) - 1, NULL, &back), ST_LIMIT);
	assert_int_equal(zstd_decompress(buf_span(&packed), 10 << 20, NULL, &back), ST_OK);
	assert_int_equal(back.len, 10 << 20);
	buf_fini(&packed);
	buf_fini(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_compressed_comes_back),
		cmocka_unit_test(damaged_frames_are_refused),
		cmocka_unit_test(a_flipped_bit_is_never_content),
		cmocka_unit_test(a_dictionary_is_needed_on_both_sides),
		cmocka_unit_test(a_stream_is_read_in_any_pieces),
		cmocka_unit_test(a_bomb_without_a_size_stops_at_the_limit),
	};

	return cmocka_run_group_tests(tests, make_text, free_text);
}
