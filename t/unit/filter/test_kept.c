/* What is kept of a message for scripts. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "filter/kept.h"

static uint64_t used;

static struct kept *
fed(const char *text, size_t step, uint64_t most, uint64_t all)
{
	const struct kept_limits l = { most, all, &used };
	struct kept *k = kept_new(&l);

	for (size_t at = 0, n = strlen(text); at < n; at += step)
		kept_feed(k, span(text + at, n - at < step ? n - at : step));
	return k;
}

static void
the_header_ends_at_the_empty_line_however_it_comes(void **state)
{
	static const struct { const char *text; size_t header; } t[] = {
		{ "Subject: a\r\nX: b\r\n\r\nbody\r\n\r\nmore", 20 },
		{ "\r\nbody", 2 }, { "A: b\r\n", 6 }, { "A: b", 4 }, { "", 0 },
		{ "A: b\n\nbody", 6 }, { "A: b\r\n\n\r\nx", 7 }
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		for (size_t step = 1; step < 12; step++) {
			struct kept *k = fed(t[i].text, step, 1000, 1000);

			assert_int_equal(kept_header(k).len, t[i].header);
			assert_true(span_eq_str(kept_text(k), t[i].text));
			assert_true(kept_is_whole(k));
			kept_free(&k);
			assert_int_equal(used, 0);
		}
}

static void
a_long_message_keeps_its_beginning(void **state)
{
	struct kept *k = fed("A: b\r\n\r\n0123456789", 3, 12, 1000);

	assert_true(span_eq_str(kept_text(k), "A: b\r\n\r\n0123"));
	assert_int_equal(kept_size(k), 18);
	assert_int_equal(kept_header(k).len, 8);
	assert_false(kept_is_whole(k));
	kept_free(&k);
	k = fed("Subject: longer than that\r\n\r\nx", 5, 12, 1000);
	assert_int_equal(kept_header(k).len, 12);
	kept_free(&k);
	assert_int_equal(used, 0);
}

static void
while_memory_is_used_up_each_keeps_the_least(void **state)
{
	static char big[100000];
	struct kept *a, *b;

	memset(big, 'x', sizeof(big) - 1);
	a = fed(big, 1000, 90000, 120000);
	assert_int_equal(kept_text(a).len, 90000);
	b = fed(big, 1000, 90000, 120000);
	assert_int_equal(kept_text(b).len, KEPT_LEAST);
	kept_free(&a);
	kept_feed(b, span("y", 1));	/* it has a hole: what comes behind is not put there */
	assert_int_equal(kept_text(b).len, KEPT_LEAST);
	assert_int_equal(used, KEPT_LEAST);
	kept_free(&b);
}

static void
octets_above_127_are_seen(void **state)
{
	struct kept *k = fed("A: b\r\n\r\nx\xff", 4, 1000, 1000);

	assert_false(kept_has_8bit(k, true));
	assert_true(kept_has_8bit(k, false));
	kept_free(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_ends_at_the_empty_line_however_it_comes),
		cmocka_unit_test(a_long_message_keeps_its_beginning),
		cmocka_unit_test(while_memory_is_used_up_each_keeps_the_least),
		cmocka_unit_test(octets_above_127_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
