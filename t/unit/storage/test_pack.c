/* What is kept of messages, put together in blocks behind the mailbox's growth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/api/store_types.h"
#include "storage/state/cold.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

static int
setup(void **state)
{
	kit_open(k);
	return kit_account(k, 7) == ST_OK && kit_create(k, "Box") == ST_OK ? 0 : -1;
}

static int
teardown(void **state)
{
	kit_check(k);
	kit_close(k);
	return 0;
}

static void
rows_come_back_however_they_are_packed(void **state)
{
	static const char text[] = "Received: from somewhere by somewhere else; ";
	struct span rows[PACK_UIDS] = { { 0 } }, before = SPAN_LIT(text);
	struct buf b = { 0 }, big = { 0 };
	struct pack p = { .all = SPAN_NONE };

	while (big.len < PACK_RAW_MAX + 1)
		buf_add_span(&big, before);
	for (unsigned how = PACK_PLAIN; how <= PACK_BEHIND; how++) {
		for (unsigned set = 1; set < PACK_UIDS; set += 7) {
			for (unsigned i = 0; i < PACK_UIDS; i++)
				rows[i] = i % set == 0 ? span(text, 1 + i) : SPAN_NONE;
			if (set == 29)
				rows[0] = buf_span(&big);
			buf_clear(&b);
			pack_put(&b, rows, (enum pack_how)how, before);
			assert_true(pack_open(&p, buf_span(&b),
			    pack_needs_before(buf_span(&b)) ? before : SPAN_NONE));
			for (unsigned i = 0; i < PACK_UIDS; i++)
				assert_true(span_eq(p.rows[i], rows[i]) &&
				    (p.rows[i].p == NULL) == (rows[i].p == NULL));
		}
	}
	pack_fini(&p);
	buf_fini(&b);
	buf_fini(&big);
}

static void
damaged_packs_are_refused_or_read_within_their_bounds(void **state)
{
	struct span rows[PACK_UIDS] = { { 0 } };
	struct buf b = { 0 };
	struct pack p = { .all = SPAN_NONE };
	volatile int touched = 0;

	for (unsigned i = 0; i < PACK_UIDS; i += 3)
		rows[i] = SPAN_LIT("a row, a row, a row, a row");
	for (unsigned how = PACK_PLAIN; how <= PACK_DENSE; how++) {
		buf_clear(&b);
		pack_put(&b, rows, (enum pack_how)how, SPAN_NONE);
		for (size_t n = 0; n < b.len; n++)
			assert_false(pack_open(&p, span(b.data, n), SPAN_NONE));
		for (size_t i = 0; i < 8 * b.len; i++) {
			b.data[i / 8] ^= (char)(1 << i % 8);
			if (pack_open(&p, buf_span(&b), SPAN_NONE))
				for (unsigned j = 0; j < PACK_UIDS; j++)
					touched += p.rows[j].len > 0 ? p.rows[j].p[p.rows[j].len - 1] : 0;
			b.data[i / 8] ^= (char)(1 << i % 8);
		}
	}
	pack_fini(&p);
	buf_fini(&b);
}

static uint64_t
pack_all(void)
{
	struct state_packing at = { 0 };
	bool more = true;

	while (more)
		OK(state_pack(k->s, &at, 1, &more));
	return at.blocks;
}

/* Rows of a table, of this account. */
static unsigned
count(enum tab t)
{
	struct engine_cursor *c;
	unsigned n = 0;

	OK(engine_cursor_open(k->e, NULL, t, SPAN_NONE, &c));
	while (engine_cursor_next(c, NULL, NULL) == ST_OK)
		n++;
	engine_cursor_close(&c);
	return n;
}

/* Everything that is kept of the mailbox's messages, as it is told. */
static void
tell(uint64_t mailbox, struct buf *out)
{
	const struct uidrange range = { 1, UINT32_MAX };
	const struct uidset all = { (struct uidrange *)(uintptr_t)&range, 1, 1 };
	uint32_t want = (1u << store_column_groups[STORE_COLUMN_GROUPS]) - 1, resume = 0;
	struct state_columns *c;

	buf_clear(out);
	OK(state_columns_open(k->s, 7, mailbox, &all, want, 2, 0, 0, &c));
	do
		OK(state_columns_next(c, 100, true, out, &resume));
	while (resume != 0);
	state_columns_close(&c);
	do
		OK(state_caches(k->s, 7, mailbox, &all, CACHE_LIST | CACHE_STRUCTURE, 100, &resume,
		    out));
	while (resume != 0);
}

static void
what_is_packed_is_told_as_before(void **state)
{
	uint64_t inbox = kit_mailbox(k, "INBOX"), box = kit_mailbox(k, "Box");
	struct buf in = { 0 }, other = { 0 }, now = { 0 };

	for (unsigned i = 0; i < 10; i++)
		OK(kit_append(k, "INBOX", 10, 100, 0, NULL, 0));
	OK(kit_copy(k, inbox, "1:5,40:70", "Box", false));
	OK(kit_copy(k, inbox, "20:25", "Box", true));
	tell(inbox, &in);
	tell(box, &other);
	assert_int_equal(count(TAB_FRESH), 100);
	assert_int_equal(pack_all(), 3);	/* uids to 95; 96 to 100 still grow */
	assert_int_equal(count(TAB_FRESH), 5);
	assert_int_equal(count(TAB_PACK), 3 * (COLD_KINDS + 1));
	assert_int_equal(pack_all(), 0);
	tell(inbox, &now);
	assert_true(span_eq(buf_span(&now), buf_span(&in)));
	tell(box, &now);
	assert_true(span_eq(buf_span(&now), buf_span(&other)));
	kit_reopen(k);
	tell(inbox, &now);
	assert_true(span_eq(buf_span(&now), buf_span(&in)));
	buf_fini(&in);
	buf_fini(&other);
	buf_fini(&now);
}

static void
forget_history(void)
{
	struct op op;

	do {
		op = kit_op(k, OP_HISTORY_PURGE);
		op.u.history_purge.before_ms = k->time_ms + 1;
		op.u.history_purge.rows = 1000;
		OK(kit_apply(k, &op));
	} while (k->r.more);
}

static void
packs_shrink_and_go_with_their_messages(void **state)
{
	uint64_t inbox = kit_mailbox(k, "INBOX");
	struct buf in = { 0 }, now = { 0 };

	for (unsigned i = 0; i < 4; i++)
		OK(kit_append(k, "INBOX", 16, 100, 0, NULL, 0));
	assert_int_equal(pack_all(), 2);
	OK(kit_flags(k, inbox, "1:9,30:60", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, inbox, "1:9,30:60"));
	tell(inbox, &in);
	forget_history();
	tell(inbox, &now);
	assert_true(span_eq(buf_span(&now), buf_span(&in)));
	OK(kit_flags(k, inbox, "61:64", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, inbox, "61:64"));
	forget_history();
	/* the block of 32 to 63 is gone; 64 was never packed */
	assert_int_equal(count(TAB_PACK), COLD_KINDS + 1);
	OK(kit_flags(k, inbox, "10:29", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, inbox, "10:29"));
	forget_history();
	assert_int_equal(count(TAB_PACK), 0);
	assert_int_equal(count(TAB_FRESH), 0);
	buf_fini(&in);
	buf_fini(&now);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_back_however_they_are_packed),
		cmocka_unit_test(damaged_packs_are_refused_or_read_within_their_bounds),
		T(what_is_packed_is_told_as_before),
		T(packs_shrink_and_go_with_their_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
