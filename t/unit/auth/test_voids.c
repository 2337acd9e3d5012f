#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/auth/voids.h"
#include "common/util/bytes.h"

static const unsigned char *
id(uint32_t n)
{
	static unsigned char b[TICKET_ID_LEN];

	put_be32(b, n);
	return b;
}

static void
a_void_ticket_is_known_until_it_expires(void **state)
{
	struct voids v;

	voids_init(&v, 100);
	assert_true(voids_add(&v, id(1), 50, 10));
	assert_false(voids_add(&v, id(1), 50, 10));
	assert_false(voids_add(&v, id(2), 10, 10));
	assert_true(voids_has(&v, id(1)));
	assert_false(voids_has(&v, id(2)));
	voids_purge(&v, 49);
	assert_int_equal(voids_count(&v), 1);
	voids_purge(&v, 50);
	assert_int_equal(voids_count(&v), 0);
	assert_int_equal(v.before_s, 0);
	voids_fini(&v);
}

static void
what_has_to_be_forgotten_early_raises_the_line(void **state)
{
	struct voids v;

	voids_init(&v, 3);
	for (uint32_t i = 0; i < 5; i++)
		assert_true(voids_add(&v, id(i), 100 + i, 10));
	assert_int_equal(voids_count(&v), 3);
	assert_int_equal(v.before_s, 101);
	voids_raise(&v, 50);
	assert_int_equal(v.before_s, 101);
	voids_fini(&v);
}

static void
a_long_list_goes_over_in_pages(void **state)
{
	struct voids v, w;
	struct buf page = { 0 };
	uint64_t after = 0;
	bool more = true;
	unsigned pages = 0;

	voids_init(&v, VOIDS_MAX);
	voids_init(&w, VOIDS_MAX);
	for (uint32_t i = 0; i < VOIDS_PAGE + 7; i++)
		voids_add(&v, id(i), 100, 10);
	for (; more; pages++) {
		buf_clear(&page);
		more = voids_page(&v, after, &page, &after);
		assert_true(voids_take_page(&w, buf_span(&page), 10));
	}
	assert_int_equal(pages, 2);
	assert_int_equal(voids_count(&w), VOIDS_PAGE + 7);
	/* what came since */
	voids_add(&v, id(UINT32_MAX), 100, 10);
	buf_clear(&page);
	assert_false(voids_page(&v, after, &page, &after));
	assert_int_equal(page.len, VOID_LEN);
	assert_false(voids_take_page(&w, SPAN_LIT("x"), 10));
	buf_fini(&page);
	voids_fini(&v);
	voids_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_void_ticket_is_known_until_it_expires),
		cmocka_unit_test(what_has_to_be_forgotten_early_raises_the_line),
		cmocka_unit_test(a_long_list_goes_over_in_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
