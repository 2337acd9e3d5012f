#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "authd/saslprep.h"

static void
comes_out(const char *in, enum saslprep_for purpose, const char *want)
{
	struct buf b = { 0 };
	bool ok = saslprep(span_str(in), purpose, &b);

	assert_int_equal(ok, want != NULL);
	assert_int_equal(b.len, want != NULL ? strlen(want) : 0);
	if (want != NULL)
		assert_memory_equal(b.data, want, b.len);
	buf_fini(&b);
}

/* RFC 4013, 3. */
static void
the_examples_of_the_rfc_come_out(void **state)
{
	comes_out("I\u00adX", SASLPREP_STORED, "IX");
	comes_out("user", SASLPREP_STORED, "user");
	comes_out("USER", SASLPREP_STORED, "USER");
	comes_out("\u00aa", SASLPREP_STORED, "a");
	comes_out("\u2168", SASLPREP_STORED, "IX");
	comes_out("\a", SASLPREP_STORED, NULL);
	comes_out("\u0627" "1", SASLPREP_STORED, NULL);
}

static void
what_cannot_be_prepared_is_refused(void **state)
{
	struct buf b = { 0 };

	comes_out("", SASLPREP_QUERY, NULL);
	comes_out("\u00ad", SASLPREP_QUERY, NULL);
	comes_out("caf\xe9", SASLPREP_QUERY, NULL);
	comes_out("\xed\xa0\x80", SASLPREP_QUERY, NULL);
	comes_out("\xf0", SASLPREP_QUERY, NULL);
	assert_false(saslprep(span("a\0b", 3), SASLPREP_QUERY, &b));
	/* U+0221 was not there in Unicode 3.2 */
	comes_out("\u0221", SASLPREP_STORED, NULL);
	comes_out("\u0221", SASLPREP_QUERY, "\u0221");
	/* the longest that one character becomes */
	comes_out("\ufdfa\ufdfa", SASLPREP_QUERY,
	    "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645"
	    "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645");
	saslprep_or_raw(SPAN_LIT("caf\xe9"), &b);
	assert_true(span_eq_str(buf_span(&b), "caf\xe9"));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfc_come_out),
		cmocka_unit_test(what_cannot_be_prepared_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
