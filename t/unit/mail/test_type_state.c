/* States of types: one text for each, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/mail/type_state.h"

static void
each_state_has_one_text(void **state)
{
	static const struct { struct type_state s; const char *text; } cases[] = {
		{ { 0, 0, 0 }, "0" }, { { 0x12ab, 0, 0 }, "12ab" }, { { 0x12ab, 0x7f, 0 }, "12ab.7f" },
		{ { 0x12ab, 0, 3 }, "12ab-3" }, { { 1, 2, 3 }, "1.2-3" },
		{ { UINT64_MAX, UINT64_MAX, UINT64_MAX },
		    "ffffffffffffffff.ffffffffffffffff-ffffffffffffffff" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = { 0 };
		struct type_state s;

		type_state_put(cases[i].s, &b);
		assert_string_equal(buf_cstr(&b), cases[i].text);
		assert_true(type_state_parse(buf_span(&b), &s));
		assert_true(s.modseq == cases[i].s.modseq && s.after == cases[i].s.after &&
		    s.incarnation == cases[i].s.incarnation);
		buf_fini(&b);
	}
}

static void
other_texts_are_none(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "x", "A", "01", "00", "1.", "1.0", "1-0", "1-",
	    "1-2.3", "-1", ".1", "1..2", "10000000000000000", "1.2-3-4", "0x1", "1\n" };
	struct type_state s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(type_state_parse(span_str(bad[i]), &s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_has_one_text), cmocka_unit_test(other_texts_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
