/* What is remembered of changes, and what comes and goes whole: accounts, incarnations, the directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "storage/state/schema.h"
#include "t/unit/storage/engines.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

static void
changes_tell_what_is_new_and_what_is_gone(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), since;
	struct state_changes c = { 0 };
	struct op op;

	OK(kit_append(k, "INBOX", 4, 10, 0, NULL, 0));
	since = k->r.modseq;
	OK(kit_flags(k, in, "1", FLAGS_ADD, FLAG_SEEN, NULL, UINT64_MAX));
	OK(kit_flags(k, in, "2:3", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, in, "2"));
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	OK(state_changes(k->s, 7, in, since, 1000, &c));
	assert_true(!c.full && !c.more && c.highestmodseq == since + 4 && c.uidnext == 6);
	assert_true(c.vanished.n == 1 && c.vanished.r[0].lo == 2 && c.vanished.r[0].hi == 2);
	assert_true(uidset_count(&c.changed) == 3 && uidset_has(&c.changed, 5) &&
	    !uidset_has(&c.changed, 4));
	OK(state_changes(k->s, 7, in, since, 2, &c));	/* whole operations: 1, then 2 and 3 */
	assert_true(c.more && c.highestmodseq == since + 2 && uidset_count(&c.changed) == 3);
	OK(state_changes(k->s, 7, in, c.highestmodseq, 2, &c));
	assert_true(!c.more && c.highestmodseq == since + 4);
	OK(state_changes(k->s, 7, in, since + 4, 2, &c));
	assert_true(c.changed.n == 0 && c.vanished.n == 0);
	op = kit_op(k, OP_HISTORY_PURGE);
	op.u.history_purge.before_ms = k->time_ms - 1500;
	OK(kit_apply(k, &op));
	OK(state_changes(k->s, 7, in, since, 1000, &c));
	assert_true(c.full && uidset_count(&c.changed) == 4);
	OK(kit_delete(k, "Sent"));
	state_changes_fini(&c);
}

static void
history_goes_with_what_only_it_kept(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX");
	struct state_account a;
	int64_t oldest;
	struct op op;
	int rounds = 0;

	OK(kit_append(k, "INBOX", 20, 10, FLAG_DELETED, NULL, 99));
	OK(kit_create(k, "Gone"));
	OK(kit_copy(k, in, "1:3", "Gone", false));
	OK(kit_expunge(k, in, "1:20"));
	OK(state_account(k->s, 7, &a));
	assert_true(a.kept_bytes == 170);
	OK(kit_delete(k, "Gone"));
	do {
		op = kit_op(k, OP_HISTORY_PURGE);
		op.u.history_purge.before_ms = k->time_ms;
		op.u.history_purge.rows = 7;
		OK(kit_apply(k, &op));
		kit_check(k);
		rounds++;
	} while (k->r.more);
	assert_true(rounds > 3);
	OK(state_account(k->s, 7, &a));
	assert_true(a.kept_bytes == 0 && a.horizon == a.modseq);
	IS(state_history_oldest(k->s, 7, &oldest), ST_NOT_FOUND);
}

static enum status
purge_history(int64_t before_ms)
{
	struct op op = kit_op(k, OP_HISTORY_PURGE);

	op.u.history_purge.before_ms = before_ms;
	op.u.history_purge.rows = 1000;
	return kit_apply(k, &op);
}

static void
a_clock_that_was_far_ahead_for_a_while_does_not_hold_up_the_purge(void **state)
{
	const int64_t year = 365 * 86400 * (int64_t)1000, start = k->time_ms;
	int64_t oldest;

	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	k->time_ms += 50 * year;
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	k->time_ms = start + 5000;
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	k->time_ms = start + year;
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	OK(purge_history(start + year / 2));
	OK(state_history_oldest(k->s, 7, &oldest));
	assert_true(oldest > start + year && oldest < start + 2 * year);
	/* the last of all is from the future: nobody knows how old it is */
	k->time_ms += 50 * year;
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	k->time_ms = start + 3 * year;
	OK(purge_history(start + 2 * year));
	OK(state_history_oldest(k->s, 7, &oldest));
	assert_true(oldest > start + 50 * year);
}

static void
the_time_of_the_last_operation_is_kept_with_the_position(void **state)
{
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	kit_reopen(k);
	assert_true(state_stamp(k->s) == k->time_ms);
}

static void
a_repeated_seq_gets_the_same_answer_and_changes_nothing(void **state)
{
	struct buf first = { 0 };
	struct op op;

	memset(k->head.ticket, 5, OP_TICKET_LEN);
	k->seq = 1;
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	buf_add_span(&first, buf_span(&k->r.reply));
	assert_false(k->r.repeated);
	kit_reopen(k);
	k->seq = 1;
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	assert_true(k->r.repeated && k->r.uid == 1 && !k->r.changed);
	assert_true(span_eq(buf_span(&first), buf_span(&k->r.reply)));
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	IS(kit_append(k, "nope", 1, 10, 0, NULL, 0), ST_NOT_FOUND);
	OK(kit_create(k, "nope"));
	k->seq = 2;	/* a refusal is remembered too */
	IS(kit_append(k, "nope", 1, 10, 0, NULL, 0), ST_NOT_FOUND);
	assert_true(k->r.repeated);
	k->seq = 4;
	k->head.acked = 2;
	OK(kit_create(k, "other"));
	k->seq = 2;
	OK(kit_append(k, "nope", 1, 10, 0, NULL, 0));
	assert_false(k->r.repeated);
	k->seq = 0;
	op = kit_op(k, OP_ONCE_PURGE);
	op.u.once_purge.before_ms = k->time_ms + 1;
	OK(kit_apply(k, &op));
	k->seq = 4;
	IS(kit_create(k, "other"), ST_EXISTS);
	buf_fini(&first);
}

static void
a_ticket_that_acknowledges_nothing_is_stopped(void **state)
{
	memset(k->head.ticket, 6, OP_TICKET_LEN);
	k->seq = 1;
	for (int i = 0; i < 1024; i++)
		OK(kit_subscribe(k, "INBOX", true));
	IS(kit_subscribe(k, "INBOX", true), ST_LIMIT);
	k->head.acked = 1;
	OK(kit_subscribe(k, "INBOX", true));
}

static void
threads_join_by_common_ids_and_are_never_merged(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX");

	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 11));
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 22));
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 11));
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	assert_true(kit_row(k, in, 1).thread != kit_row(k, in, 2).thread);
	assert_true(kit_row(k, in, 1).thread == kit_row(k, in, 3).thread);
	assert_true(kit_row(k, in, 4).thread != kit_row(k, in, 1).thread && kit_row(k, in, 4).thread != 0);
}

static void
accounts_come_back_or_go_for_good(void **state)
{
	struct state_account a;
	struct op op;
	int rounds = 0;

	OK(kit_append(k, "INBOX", 400, 10, 0, NULL, 5));
	op = kit_op(k, OP_ACCOUNT_PURGE);
	IS(kit_apply(k, &op), ST_CONFLICT);
	op = kit_op(k, OP_ACCOUNT_DELETE);
	OK(kit_apply(k, &op));
	assert_true(kit_mailbox(k, "INBOX") == 0);
	IS(kit_append(k, "INBOX", 1, 10, 0, NULL, 0), ST_NOT_FOUND);
	op = kit_op(k, OP_ACCOUNT_UNDELETE);
	OK(kit_apply(k, &op));
	assert_int_equal(kit_line(k, "INBOX").messages, 400);
	op = kit_op(k, OP_ACCOUNT_DELETE);
	OK(kit_apply(k, &op));
	do {
		op = kit_op(k, OP_ACCOUNT_PURGE);
		OK(kit_apply(k, &op));
		kit_check(k);
		rounds++;
	} while (k->r.more);
	assert_true(rounds > 1);
	OK(state_account_next(k->s, 0, &a));
	assert_true(a.id == 7 && a.purged);
	IS(state_account_next(k->s, 7, &a), ST_NOT_FOUND);
	IS(kit_account(k, 7), ST_EXISTS);
}

static void
a_new_incarnation_makes_everything_new(void **state)
{
	struct store_mailbox before = kit_line(k, "INBOX"), after;
	uint64_t id;
	struct op op;

	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	id = kit_row(k, before.id, 1).message;
	op = kit_op(k, OP_INCARNATION);
	OK(kit_apply(k, &op));
	after = kit_line(k, "INBOX");
	assert_true(state_incarnation(k->s) == 1);
	assert_true(after.uidvalidity > before.uidvalidity);
	assert_true(after.highestmodseq >> 32 == 1);
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	assert_true(kit_row(k, before.id, 2).message - id > UINT32_MAX);
}

static void
dir_step(struct buf *b, uint8_t check, uint64_t version, uint8_t change, const char *key,
    const char *value)
{
	put_store_dir_step(b, &(struct store_dir_step){ check, version, change, span_str(key),
	    span_str(value) });
}

static enum status
dir_write(struct buf *b)
{
	struct op op = kit_op(k, OP_DIR_WRITE);
	enum status st;

	op.head.account = 0;
	op.u.dir_write.steps = buf_span(b);
	st = kit_apply(k, &op);
	buf_clear(b);
	return st;
}

static void
directory_writes_are_all_or_none(void **state)
{
	struct store_dir_record rec;
	struct buf b = { 0 };
	uint64_t modseq;
	struct reader r;

	dir_step(&b, DIR_ABSENT, 0, 1, "name/a", "1");
	dir_step(&b, DIR_ANY, 0, 1, "name/b", "2");
	OK(dir_write(&b));
	assert_true(k->r.modseq == 1 && k->r.keys.len == 14);
	dir_step(&b, DIR_ANY, 0, 1, "name/c", "3");
	dir_step(&b, DIR_ABSENT, 0, 1, "name/a", "x");
	IS(dir_write(&b), ST_CONFLICT);
	dir_step(&b, DIR_VERSION, 1, 2, "name/a", "");
	OK(dir_write(&b));
	dir_step(&b, DIR_VERSION, 9, 1, "name/b", "x");
	IS(dir_write(&b), ST_CONFLICT);
	OK(state_dir_read(k->s, SPAN_LIT("name/"), SPAN_LIT("name0"), 10, &b, &modseq));
	reader_init(&r, b.data, b.len);
	assert_true(modseq == 2 && get_store_dir_record(&r, &rec) && rec.version == 1);
	assert_true(span_eq_str(rec.key, "name/b") && span_eq_str(rec.value, "2"));
	assert_true(reader_done(&r));
	buf_clear(&b);
	OK(state_dir_read(k->s, SPAN_LIT("name/c"), SPAN_NONE, 10, &b, &modseq));
	reader_init(&r, b.data, b.len);
	assert_true(get_store_dir_record(&r, &rec) && rec.version == 0);
	buf_fini(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, kit_one_setup, kit_one_teardown)

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		T(changes_tell_what_is_new_and_what_is_gone),
		T(history_goes_with_what_only_it_kept),
		T(a_clock_that_was_far_ahead_for_a_while_does_not_hold_up_the_purge),
		T(the_time_of_the_last_operation_is_kept_with_the_position),
		T(a_repeated_seq_gets_the_same_answer_and_changes_nothing),
		T(a_ticket_that_acknowledges_nothing_is_stopped),
		T(threads_join_by_common_ids_and_are_never_merged),
		T(accounts_come_back_or_go_for_good),
		T(a_new_incarnation_makes_everything_new),
		T(directory_writes_are_all_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	return engines_each(run);
}
