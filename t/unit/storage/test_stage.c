/* What is too much for one operation: hidden until it is whole, and as if it had been one.
 * Chains of flags and expunges: what is remembered of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

static void
hash(unsigned char out[32])
{
	OK(state_hash(k->s, 7, out));
}

static uint64_t
modseq(void)
{
	struct state_account a;

	OK(state_account(k->s, 7, &a));
	return a.modseq;
}

static void
expect_uids(uint64_t mailbox, enum state_which which, const char *want)
{
	struct uidset s = { 0 };
	struct buf b = { 0 };

	OK(state_uids(k->s, 7, mailbox, which, &s));
	uidset_print(&s, &b);
	buf_cstr(&b);
	assert_string_equal(b.len > 0 ? b.data : "", want);
	uidset_fini(&s);
	buf_fini(&b);
}

static unsigned
rows(uint64_t mailbox)
{
	struct uidrange r = { 1, UINT32_MAX };
	const struct uidset all = { &r, 1, 1 };
	struct store_row row;
	struct buf b = { 0 };
	uint32_t resume = 0;
	struct reader in;
	unsigned n = 0;

	OK(state_rows(k->s, 7, mailbox, &all, ROW_FLAGS, 1u << 20, &resume, &b));
	reader_init(&in, b.data, b.len);
	while (get_store_row(&in, &row, ROW_FLAGS))
		n++;
	buf_fini(&b);
	return n;
}

static void
begin(uint32_t part)
{
	k->stages = true;
	k->head.part = part;
}

static enum status
commit(void)
{
	struct op op;

	k->stages = false;
	k->head.part = 0;
	op = kit_op(k, OP_STAGE_COMMIT);
	return kit_apply(k, &op);
}

static enum status
end(uint32_t n)
{
	struct op op;

	k->stages = false;
	k->head.part = 0;
	op = kit_op(k, OP_STAGE_END);
	op.u.stage_end.rows = n;
	return kit_apply(k, &op);
}

/* Six messages, and a mailbox beside. */
static uint64_t
fill(void)
{
	OK(kit_create(k, "To"));
	OK(kit_append(k, "INBOX", 300, 10, FLAG_SEEN, "$key", 5));
	OK(kit_append(k, "INBOX", 300, 20, FLAG_DELETED, NULL, 6));
	OK(kit_append(k, "To", 2, 20, 0, NULL, 6));
	return kit_mailbox(k, "INBOX");
}

static void
nobody_sees_a_staged_row_and_nothing_else_happens_meanwhile(void **state)
{
	uint64_t in = fill(), to = kit_mailbox(k, "To"), before = modseq();
	struct state_changes c = { 0 };
	unsigned char was[32], is[32];

	hash(was);
	begin(1);
	OK(kit_copy(k, in, "1:300", "To", false));
	assert_false(k->r.changed);
	begin(2);
	OK(kit_copy(k, in, "301:500", "To", false));
	hash(is);
	assert_memory_equal(was, is, 32);
	assert_true(modseq() == before);
	assert_int_equal(rows(to), 2);
	expect_uids(to, STATE_ALL, "1:2");
	expect_uids(to, STATE_UNSEEN, "1:2");
	OK(state_changes(k->s, 7, to, 1, 100000, &c));
	assert_int_equal(uidset_count(&c.changed), 2);
	state_changes_fini(&c);
	k->stages = false;
	k->head.part = 0;
	IS(kit_append(k, "INBOX", 1, 10, 0, NULL, 0), ST_UNAVAILABLE);
	IS(kit_expunge(k, in, "301"), ST_UNAVAILABLE);
	OK(commit());
	assert_true(k->r.changed && modseq() == before + 1);
	expect_uids(to, STATE_ALL, "1:502");
	expect_uids(to, STATE_DELETED, "303:502");
	assert_int_equal(rows(to), 502);
	OK(state_changes(k->s, 7, to, before, 100000, &c));
	assert_int_equal(uidset_count(&c.changed), 500);
	state_changes_fini(&c);
	kit_check(k);
	OK(kit_append(k, "To", 1, 10, 0, NULL, 0));
	assert_int_equal(k->r.uid, 503);
}

/* What both ways of the same request come to. */
static void
same_as_whole(const char *what)
{
	unsigned char staged[32], whole[32];
	bool append = what[0] == 'a', move = what[0] == 'm';
	int64_t at;
	struct kit first;

	for (int i = 0; i < 2; i++) {
		uint64_t in = fill();

		at = k->time_ms;
		if (i == 0 && append)
			OK(kit_append(k, "To", 30, 10, FLAG_FLAGGED, "$new", 6));
		else if (i == 0)
			OK(kit_copy(k, in, "100:500", what[1] == 's' ? "INBOX" : "To", move));
		else {
			for (uint32_t p = 1; p <= 3; p++) {
				static const char *const part[] = { "100:257", "258", "259:500" };

				begin(p);
				k->time_ms = at;
				if (append)
					OK(kit_append(k, "To", 10, 10, FLAG_FLAGGED, "$new", 6));
				else
					OK(kit_copy(k, in, part[p - 1],
					    what[1] == 's' ? "INBOX" : "To", move));
			}
			k->time_ms = at;
			OK(commit());
			while (move) {
				OK(end(100));
				if (!k->r.more)
					break;
			}
		}
		kit_check(k);
		hash(i == 0 ? whole : staged);
		if (i == 0) {
			first = *k;
			kit_one_setup(NULL);
		}
	}
	if (!append)	/* the times of its items begin again in every part */
		assert_memory_equal(staged, whole, 32);
	kit_close(&first);
}

static void
a_staged_copy_is_the_copy(void **state)
{
	same_as_whole("copy");
}

static void
a_staged_move_is_the_move(void **state)
{
	same_as_whole("move");
}

static void
a_staged_move_within_a_mailbox_is_the_move(void **state)
{
	same_as_whole("ms");
}

static void
a_staged_append_is_the_append(void **state)
{
	same_as_whole("append");
}

static void
given_up(const char *what)
{
	uint64_t in = fill();
	unsigned char was[32], is[32];
	struct state_account a, b;
	unsigned rounds = 0;

	hash(was);
	OK(state_account(k->s, 7, &a));
	for (uint32_t p = 1; p <= 2; p++) {
		begin(p);
		if (what[0] == 'a')
			OK(kit_append(k, "INBOX", 200, 10, 0, NULL, 6));
		else
			OK(kit_copy(k, in, p == 1 ? "1:200" : "400:600",
			    what[1] == 's' ? "INBOX" : "To", what[0] == 'm'));
	}
	kit_reopen(k);
	do {
		OK(end(70));
		rounds++;
	} while (k->r.more);
	assert_int_equal(rounds, 6);
	hash(is);
	assert_memory_equal(was, is, 32);
	OK(state_account(k->s, 7, &b));
	assert_true(a.modseq == b.modseq && a.bytes == b.bytes && a.messages == b.messages &&
	    a.kept_bytes == b.kept_bytes && a.horizon == b.horizon);
	kit_check(k);
	OK(end(70));
	assert_false(k->r.more);
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	kit_check(k);
}

static void
a_copy_given_up_leaves_nothing(void **state)
{
	given_up("copy");
}

static void
a_move_given_up_leaves_nothing(void **state)
{
	given_up("move");
}

static void
a_move_within_a_mailbox_given_up_leaves_nothing(void **state)
{
	given_up("ms");
}

static void
an_append_given_up_leaves_nothing(void **state)
{
	given_up("append");
}

static void
parts_come_in_their_order_and_the_quota_counts_them_together(void **state)
{
	uint64_t in = fill();

	IS(commit(), ST_UNAVAILABLE);
	begin(2);
	IS(kit_copy(k, in, "1:10", "To", false), ST_UNAVAILABLE);
	begin(1);
	IS(kit_copy(k, in, "1:10", "Nowhere", false), ST_NOT_FOUND);
	OK(kit_copy(k, in, "1:10", "To", false));
	IS(kit_copy(k, in, "1:10", "To", false), ST_UNAVAILABLE);
	begin(2);
	IS(kit_copy(k, in, "11:20", "INBOX", false), ST_UNAVAILABLE);
	IS(kit_copy(k, in, "11:20", "To", true), ST_UNAVAILABLE);
	IS(kit_append(k, "To", 1, 10, 0, NULL, 0), ST_UNAVAILABLE);
	k->head.messages_max = 602 + 15;
	IS(kit_copy(k, in, "11:16", "To", false), ST_OVER_QUOTA);
	OK(kit_copy(k, in, "11:15", "To", false));
	k->head.messages_max = 602 + 14;
	IS(commit(), ST_OVER_QUOTA);
	k->head.messages_max = 0;
	OK(commit());
	kit_check(k);
}

/* ---- chains ---- */

static uint64_t
modified(uint32_t *first)
{
	struct store_flags_are are;
	struct uidset s = { 0 };
	struct reader r;
	uint64_t n;

	kit_reply(k, STORE_FLAGS_ARE, &are);
	reader_init(&r, are.modified.p, are.modified.len);
	assert_true(uidset_decode(&s, &r, 100));
	n = uidset_count(&s);
	*first = uidset_next(&s, 0);
	uidset_fini(&s);
	return n;
}

static void
chain(uint32_t part, bool last)
{
	k->seq = 9;
	k->head.part = part;
	k->head.last = last;
}

static void
a_chain_is_remembered_as_one_and_each_part_happens_once(void **state)
{
	struct state_result r = { 0 };
	uint64_t in, since;
	uint32_t part, first;

	memset(k->head.ticket, 5, OP_TICKET_LEN);
	in = fill();
	since = modseq();
	OK(kit_flags(k, in, "150", FLAGS_ADD, FLAG_FLAGGED, NULL, UINT64_MAX));
	chain(1, false);
	OK(kit_flags(k, in, "1:100", FLAGS_ADD, FLAG_ANSWERED, NULL, since));
	chain(2, false);
	OK(kit_flags(k, in, "101:200", FLAGS_ADD, FLAG_ANSWERED, NULL, since));
	kit_reopen(k);
	OK(state_remembered(k->s, k->head.ticket, 9, &r, &part));
	assert_true(part == 2 && r.more && r.uid == 200);
	state_result_fini(&r);
	/* applied once more after a crash: not again, it would find its own modseqs */
	since = modseq();
	chain(2, false);
	OK(kit_flags(k, in, "101:200", FLAGS_ADD, FLAG_DRAFT, NULL, since));
	assert_true(k->r.repeated && modseq() == since);
	chain(4, false);
	OK(kit_flags(k, in, "201:300", FLAGS_ADD, FLAG_DRAFT, NULL, since));
	assert_true(k->r.repeated && modseq() == since);
	chain(3, true);
	OK(kit_flags(k, in, "201:300", FLAGS_ADD, FLAG_ANSWERED, NULL, since));
	assert_false(k->r.repeated);
	chain(3, true);		/* the answer of all parts */
	OK(kit_flags(k, in, "", FLAGS_ADD, FLAG_ANSWERED, NULL, since));
	assert_true(k->r.repeated && modified(&first) == 1 && first == 150);
	k->seq = 0;
	k->head.part = 0;
}

static void
an_expunge_in_parts_names_all_of_them_at_its_end(void **state)
{
	struct store_expunged is;
	struct uidset s = { 0 };
	struct reader r;
	uint64_t in;

	memset(k->head.ticket, 5, OP_TICKET_LEN);
	in = fill();
	chain(1, false);
	OK(kit_expunge(k, in, "1:400"));
	chain(2, true);
	OK(kit_expunge(k, in, "401:600"));
	chain(2, true);
	OK(kit_expunge(k, in, ""));
	assert_true(k->r.repeated);
	kit_reply(k, STORE_EXPUNGED, &is);
	reader_init(&r, is.uids.p, is.uids.len);
	assert_true(uidset_decode(&s, &r, 100));
	assert_true(s.n == 1 && s.r[0].lo == 301 && s.r[0].hi == 600);
	uidset_fini(&s);
	k->seq = 0;
	k->head.part = 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, kit_one_setup, kit_one_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(nobody_sees_a_staged_row_and_nothing_else_happens_meanwhile),
		T(a_staged_copy_is_the_copy),
		T(a_staged_move_is_the_move),
		T(a_staged_move_within_a_mailbox_is_the_move),
		T(a_staged_append_is_the_append),
		T(a_copy_given_up_leaves_nothing),
		T(a_move_given_up_leaves_nothing),
		T(a_move_within_a_mailbox_given_up_leaves_nothing),
		T(an_append_given_up_leaves_nothing),
		T(parts_come_in_their_order_and_the_quota_counts_them_together),
		T(a_chain_is_remembered_as_one_and_each_part_happens_once),
		T(an_expunge_in_parts_names_all_of_them_at_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
