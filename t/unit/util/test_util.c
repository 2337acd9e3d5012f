/* The small libraries everything else stands on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "common/util/arena.h"
#include "common/util/buf.h"
#include "common/util/bytes.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/util/table.h"

static void
a_buffer_keeps_its_bytes_through_drops_and_growth(void **state)
{
	struct buf b = { 0 };
	unsigned in = 0, out = 0;

	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 37; i++)
			buf_add_c(&b, (char)(in++ & 0x7f));
		for (int i = 0; i < 31; i++) {
			assert_int_equal(b.data[0], (char)(out++ & 0x7f));
			buf_drop(&b, 1);
		}
	}
	assert_int_equal(b.len, in - out);
	buf_clear(&b);
	buf_addf(&b, "%0100d", 7);
	assert_int_equal(b.len, 100);
	buf_drop(&b, 90);
	assert_string_equal(buf_cstr(&b), "0000000007");
	buf_fini(&b);
}

static void
a_taken_buffer_is_a_heap_string(void **state)
{
	struct buf b = { 0 };
	char *s;

	buf_add_str(&b, "xxhello");
	buf_drop(&b, 2);
	s = buf_take(&b);
	assert_string_equal(s, "hello");
	assert_int_equal(b.len, 0);
	mem_free(&s);
	assert_null(s);
}

static void
numbers_come_back_and_a_short_input_is_bad(void **state)
{
	static const uint64_t v[] = { 0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX };
	struct buf b = { 0 };
	struct reader r;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		put_varint(&b, v[i]);
		put_u64(&b, v[i]);
	}
	put_span(&b, SPAN_LIT("abc"));
	reader_init(&r, b.data, b.len);
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_true(get_varint(&r) == v[i]);
		assert_true(get_u64(&r) == v[i]);
	}
	assert_true(span_eq_str(get_span(&r), "abc"));
	assert_true(reader_done(&r));
	for (size_t n = 0; n < b.len; n++) {
		reader_init(&r, b.data, n);
		for (size_t i = 0; i < ARRAY_LEN(v); i++) {
			get_varint(&r);
			get_u64(&r);
		}
		get_span(&r);
		assert_true(r.bad);
	}
	buf_fini(&b);
}

static void
crc32c_gives_the_values_of_rfc_3720(void **state)
{
	unsigned char z[32] = { 0 }, inc[32];

	for (int i = 0; i < 32; i++)
		inc[i] = (unsigned char)i;
	assert_int_equal(crc32c(0, z, 32), 0x8a9136aa);
	assert_int_equal(crc32c(0, inc, 32), 0x46dd794e);
	assert_int_equal(crc32c(crc32c(0, inc, 13), inc + 13, 19), 0x46dd794e);
}

static void
a_number_that_does_not_fit_is_refused(void **state)
{
	uint64_t v;
	uint32_t w;

	assert_true(span_u64(SPAN_LIT("18446744073709551615"), &v));
	assert_true(v == UINT64_MAX);
	assert_false(span_u64(SPAN_LIT("18446744073709551616"), &v));
	assert_false(span_u64(SPAN_LIT(""), &v));
	assert_false(span_u64(SPAN_LIT("+1"), &v));
	assert_false(span_u32(SPAN_LIT("4294967296"), &w));
}

static void
a_table_finds_what_was_put_and_not_what_was_deleted(void **state)
{
	struct table t = { 0 };
	static int values[5000];
	size_t pos = 0, seen = 0;

	for (uint64_t i = 0; i < 5000; i++)
		assert_null(table_put_u64(&t, i * i, &values[i]));
	for (uint64_t i = 0; i < 5000; i += 2)
		assert_ptr_equal(table_del_u64(&t, i * i), &values[i]);
	for (uint64_t i = 0; i < 5000; i++)
		assert_ptr_equal(table_get_u64(&t, i * i), i % 2 ? &values[i] : NULL);
	while (table_next(&t, &pos, NULL, NULL))
		seen++;
	assert_int_equal(seen, 2500);
	table_fini(&t, NULL, NULL);
}

static void
siphash_gives_its_authors_test_vector(void **state)
{
	unsigned char key[16], in[15];

	for (int i = 0; i < 16; i++)
		key[i] = (unsigned char)i;
	for (int i = 0; i < 15; i++)
		in[i] = (unsigned char)i;
	assert_true(siphash24(key, in, 15) == 0xa129ca6149be45e5ull);
}

static void
no_value_can_end_or_forge_a_log_line(void **state)
{
	struct log_ctx ctx = { .conn = "c1", .user = "eve\nerror forged" };
	char out[LOG_LINE_MAX];
	struct log_kv kv[] = { KV_STR("mailbox", "a \"b\"\xff"), KV_INT("n", -3),
		{ .kind = LOG_KV_END } };

	log_format(out, &ctx, LOG_LEVEL_INFO, "mailbox.delete", kv);
	assert_string_equal(out, "info mailbox.delete conn=c1 "
	    "user=\"eve\\x0aerror forged\" mailbox=\"a \\\"b\\\"\\xff\" n=-3");
}

static void
an_arena_hands_out_aligned_pieces_of_any_size(void **state)
{
	struct arena a = { 0 };

	for (size_t n = 0; n < 9000; n += 251) {
		char *p = arena_zalloc(&a, n);

		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
	}
	arena_reset(&a);
	assert_string_equal(arena_strndup(&a, "abc", 2), "ab");
	arena_fini(&a);
}

static void
a_sealed_file_cannot_be_changed(void **state)
{
	int fd = fd_sealed("t", "secret", 6);
	char *data;
	size_t len;

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_true(fd_slurp(fd, 100, &data, &len));
	assert_string_equal(data, "secret");
	mem_free(&data);
	assert_false(fd_slurp(fd, 5, &data, &len));
	fd_close(&fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_keeps_its_bytes_through_drops_and_growth),
		cmocka_unit_test(a_taken_buffer_is_a_heap_string),
		cmocka_unit_test(numbers_come_back_and_a_short_input_is_bad),
		cmocka_unit_test(crc32c_gives_the_values_of_rfc_3720),
		cmocka_unit_test(a_number_that_does_not_fit_is_refused),
		cmocka_unit_test(a_table_finds_what_was_put_and_not_what_was_deleted),
		cmocka_unit_test(siphash_gives_its_authors_test_vector),
		cmocka_unit_test(no_value_can_end_or_forge_a_log_line),
		cmocka_unit_test(an_arena_hands_out_aligned_pieces_of_any_size),
		cmocka_unit_test(a_sealed_file_cannot_be_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
