#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/mail/blob_id.h"
#include "common/mail/object_id.h"

static void
an_id_of_a_part_within_a_part_is_read_as_it_was_written(void **state)
{
	struct blob_id id = { .kind = BLOB_EMAIL, .number = 0x1f }, got;
	struct buf b = { 0 };

	assert_true(blob_id_enter(&id, 10, 100, MIME_CODING_8BIT));
	assert_true(blob_id_enter(&id, 5, 50, MIME_CODING_BASE64));
	assert_int_equal(id.n_places, 1);
	assert_true(blob_id_enter(&id, 0, 7, MIME_CODING_QP));
	blob_id_put(&b, &id);
	assert_string_equal(buf_cstr(&b), "B1f-f-32B-0-7Q");
	assert_true(object_id_syntax(buf_span(&b)));
	assert_true(blob_id_parse(buf_span(&b), &got));
	assert_int_equal(got.number, 0x1f);
	assert_int_equal(got.n_places, 2);
	assert_int_equal(got.place[0].start, 15);
	assert_int_equal(got.place[0].len, 50);
	assert_int_equal(got.place[0].coding, MIME_CODING_BASE64);
	assert_int_equal(got.place[1].coding, MIME_CODING_QP);
	buf_fini(&b);
}

static void
the_deepest_id_fits_an_id(void **state)
{
	struct blob_id id = { .kind = BLOB_UPLOAD, .number = UINT64_MAX }, got;
	struct buf b = { 0 };

	for (size_t i = 0; i < BLOB_PLACES_MAX; i++)
		assert_true(blob_id_enter(&id, INT64_MAX, INT64_MAX, MIME_CODING_QP));
	assert_false(blob_id_enter(&id, 0, 0, MIME_CODING_QP));
	blob_id_put(&b, &id);
	assert_true(b.len <= 255);
	assert_true(blob_id_parse(buf_span(&b), &got));
	buf_fini(&b);
}

static void
anything_else_is_no_id(void **state)
{
	static const char *const bad[] = {
		"", "B", "B0", "B01", "M1", "B1-", "B1-1", "B1-1-", "B1-1-1", "B1-1-1X", "B1-01-1I",
		"B1-1-1I-", "B1-A-1I", "B1-1-1Ix", "b1", "B1-ffffffffffffffff-1I",
		"B1-1-1B-1-1B-1-1B-1-1B-1-1B-1-1B"
	};
	struct blob_id id;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(blob_id_parse(span_str(bad[i]), &id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_of_a_part_within_a_part_is_read_as_it_was_written),
		cmocka_unit_test(the_deepest_id_fits_an_id),
		cmocka_unit_test(anything_else_is_no_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
