/* Times as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "ctl/when.h"

#define NOW 1800000000

static void
is(const char *text, int64_t want)
{
	int64_t at = 0;

	if (!ctl_when(text, NOW, &at))
		fail_msg("%s is refused", text);
	assert_int_equal(at, want);
}

static void
times_are_read_in_every_form(void **state)
{
	(void)state;
	is("@1769884200", 1769884200);
	is("1769884200", 1769884200);
	is("2h ago", NOW - 7200);
	is("90 minutes ago", NOW - 5400);
	is("1 day ago", NOW - 86400);
	is("3w ago", NOW - 21 * 86400);
	is("45 s ago", NOW - 45);
	is("2026-01-31T18:30:00Z", 1769884200);
	is("2026-01-31T19:30+01:00", 1769884200);
	is("2026-01-31 13:30:00-0500", 1769884200);
	is("2026-01-31 18:30", 1769884200);
	is("2026-01-31", 1769817600);
}

static void
what_is_no_time_is_refused(void **state)
{
	static const char *const wrong[] = { "", "now", "yesterday", "2h", "h ago", "2 years ago",
		"2h ago or so", "12", "@12x", "2026", "2026-13-01", "2026-01-31T25:00",
		"2026-01-31T18:30:00X", "2026-01-31T18:30:00+25:00", "1769884200000000",
		"-5 h ago" };
	int64_t at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (ctl_when(wrong[i], NOW, &at))
			fail_msg("%s is taken", wrong[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_in_every_form),
		cmocka_unit_test(what_is_no_time_is_refused),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
