#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "imapd/session.h"

static void
each_status_has_its_response_code(void **state)
{
	static const struct { enum status st; const char *code; } want[] = {
		{ ST_SYNTAX, "[CLIENTBUG] " }, { ST_NOT_FOUND, "[NONEXISTENT] " },
		{ ST_EXISTS, "[ALREADYEXISTS] " }, { ST_DENIED, "[NOPERM] " },
		{ ST_OVER_QUOTA, "[OVERQUOTA] " }, { ST_CONFLICT, "[INUSE] " },
		{ ST_LIMIT, "[LIMIT] " }, { ST_UNAVAILABLE, "[UNAVAILABLE] " },
		{ ST_CORRUPT, "[CORRUPTION] " }, { ST_BUG, "[SERVERBUG] " },
		{ ST_EXPIRED, "[EXPIRED] " }, { ST_UNSUPPORTED, "[CANNOT] " },
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_true(span_has_prefix(span_str(imap_status_text(want[i].st)), want[i].code));
}

static void
no_status_is_without_a_text(void **state)
{
	for (int st = 0; st <= ST_MAX; st++)
		assert_non_null(imap_status_text((enum status)st));
	assert_string_equal(imap_status_text((enum status)(ST_MAX + 1)), imap_status_text(ST_BUG));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_status_has_its_response_code),
		cmocka_unit_test(no_status_is_without_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
