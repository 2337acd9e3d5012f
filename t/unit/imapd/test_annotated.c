/* What is told of annotations that others changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "imapd/annotations.h"
#include "storage/api/store_types.h"

static void
keep(struct imap_annotated *a, uint32_t uid, uint64_t modseq, const char *entry)
{
	const struct store_annotated x = { uid, modseq, span_str(entry) };
	struct buf b = { 0 };

	put_store_annotated(&b, &x);
	imap_annotated_keep(a, buf_span(&b));
	buf_fini(&b);
}

static void
an_entry_is_told_once_and_own_changes_are_not(void **state)
{
	struct imap_annotated *a = imap_annotated_new(5);
	struct buf out = { 0 };

	imap_annotated_own(a, 8);
	keep(a, 1, 6, "/comment");
	keep(a, 1, 7, "/comment");
	keep(a, 1, 8, "/altsubject");
	keep(a, 2, 9, "/altsubject");
	imap_annotated_put(a, 1, &out);
	assert_string_equal(buf_cstr(&out), "ANNOTATION (/comment)");
	buf_clear(&out);
	imap_annotated_put(a, 2, &out);
	assert_string_equal(buf_cstr(&out), "ANNOTATION (/altsubject)");
	buf_fini(&out);
	imap_annotated_free(&a);
}

static void
names_without_end_are_not_kept(void **state)
{
	struct imap_annotated *a = imap_annotated_new(5);
	char entry[40];

	for (unsigned i = 0; i < 60000; i++) {
		snprintf(entry, sizeof(entry), "/vendor/example/%u", i);
		keep(a, 1, 6, entry);
	}
	assert_true(a->changed.len > 1000000 && a->changed.len < 1100000);
	imap_annotated_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_told_once_and_own_changes_are_not),
		cmocka_unit_test(names_without_end_are_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
