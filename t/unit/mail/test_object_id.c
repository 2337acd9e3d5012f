#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/mail/object_id.h"

static bool
reads(const char *text, char kind, uint64_t want)
{
	uint64_t id = 77;
	bool ok = object_id_parse(span_str(text), kind, &id);

	assert_true(ok ? id == want : id == 77);
	return ok;
}

static void
what_is_written_is_read_again(void **state)
{
	static const uint64_t ids[] = { 1, 9, 10, 15, 16, 255, UINT32_MAX, INT64_MAX, UINT64_MAX };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct buf b = { 0 };

		object_id_put(&b, OBJECT_EMAIL, ids[i]);
		assert_true(object_id_syntax(buf_span(&b)));
		assert_true(reads(buf_cstr(&b), OBJECT_EMAIL, ids[i]));
		assert_false(reads(buf_cstr(&b), OBJECT_THREAD, 0));
		buf_fini(&b);
	}
}

static void
an_id_has_one_form(void **state)
{
	static const char *const wrong[] = {
		"", "M", "M01", "M0", "MA", "Mg", "m1", "1", " M1", "M1 ", "M-1",
		"M10000000000000000", "Mfffffffffffffffff"
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(reads(wrong[i], OBJECT_EMAIL, 0));
	assert_true(reads("Mffffffffffffffff", OBJECT_EMAIL, UINT64_MAX));
}

static void
any_id_of_the_grammar_may_be_asked_for(void **state)
{
	char longest[257];

	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = 'a';
	assert_true(object_id_syntax(span(longest, 255)));
	assert_false(object_id_syntax(span(longest, 256)));
	assert_true(object_id_syntax(SPAN_LIT("P0_-z")));
	assert_false(object_id_syntax(SPAN_LIT("")));
	assert_false(object_id_syntax(SPAN_LIT("a.b")));
	assert_false(object_id_syntax(SPAN_LIT("a b")));
	assert_false(object_id_syntax(SPAN_LIT("\xc3\xa9")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(an_id_has_one_form),
		cmocka_unit_test(any_id_of_the_grammar_may_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
