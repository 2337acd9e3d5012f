/* What the chores ask and do: by the state alone, then by a service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/state/compact.h"
#include "storage/state/housekeeping.h"
#include "storage/state/state_priv.h"
#include "t/unit/storage/rig.h"
#include "t/unit/storage/statekit.h"

static struct kit kit, *const k = &kit;
static struct rig rig;
static struct answer a;

static int
kit_setup(void **state)
{
	kit_open(k);
	OK(kit_account(k, 7));
	return 0;
}

static int
kit_teardown(void **state)
{
	kit_end(k);
	kit_close(k);
	return 0;
}

static int
rig_setup(void **state)
{
	memset(&a, 0, sizeof(a));
	rig_init(&rig);
	return 0;
}

static int
rig_teardown(void **state)
{
	rig_fini(&rig);
	answer_fini(&a);
	return 0;
}

/* The state --------------------------------------------------------------------------- */

static enum status
retain(uint64_t mailbox, int64_t before_s, uint8_t role, uint32_t lo, uint32_t hi)
{
	struct op op = kit_op(k, OP_RETENTION);
	struct uidset set = { 0 };
	struct buf uids = { 0 };
	enum status st;

	uidset_add_range(&set, lo, hi);
	uidset_encode(&set, &uids);
	op.u.retention = (struct op_retention){ mailbox, before_s, role, buf_span(&uids) };
	st = kit_apply(k, &op);
	buf_fini(&uids);
	uidset_fini(&set);
	return st;
}

static uint32_t
messages(uint64_t mailbox)
{
	struct uidset uids = { 0 };
	uint32_t n;

	OK(state_uids(k->s, 7, mailbox, STATE_ALL, &uids));
	n = (uint32_t)uidset_count(&uids);
	uidset_fini(&uids);
	return n;
}

static void
retention_takes_what_came_in_too_early_and_nothing_else(void **state)
{
	struct uidset old = { 0 };
	struct state_account acc;
	int64_t before_s;
	uint64_t m;

	OK(kit_create(k, "Box"));
	m = kit_mailbox(k, "Box");
	OK(kit_append(k, "Box", 5, 10, FLAG_SEEN, NULL, 0));
	k->time_ms += 100000;
	before_s = k->time_ms / 1000;
	OK(kit_append(k, "Box", 3, 10, 0, NULL, 0));
	OK(state_saved_before(k->s, 7, m, before_s, 1000, &old));
	assert_true(uidset_count(&old) == 5 && uidset_next(&old, 0) == 1);
	uidset_fini(&old);
	OK(state_saved_before(k->s, 7, m, before_s, 2, &old));
	assert_int_equal(uidset_count(&old), 2);
	uidset_fini(&old);
	IS(retain(m, before_s, MAILBOX_ROLE_TRASH, 1, 8), ST_CONFLICT);
	assert_int_equal(messages(m), 8);
	OK(retain(m, before_s, 0, 2, 1000));
	assert_true(k->r.changed);
	assert_int_equal(messages(m), 4);
	OK(retain(m, before_s, 0, 2, 1000));
	assert_false(k->r.changed);
	OK(state_account(k->s, 7, &acc));
	assert_true(acc.kept_bytes == 40);	/* to be restored, as others */
	IS(retain(m + 99, before_s, 0, 1, 2), ST_NOT_FOUND);
}

static void
retention_asks_when_a_message_came_into_this_mailbox(void **state)
{
	int64_t before_s;
	uint64_t trash;

	OK(kit_append(k, "INBOX", 2, 10, 0, NULL, 0));
	k->time_ms += 100000;
	before_s = k->time_ms / 1000;
	OK(kit_create(k, "Bin"));
	trash = kit_mailbox(k, "Bin");
	OK(kit_copy(k, kit_mailbox(k, "INBOX"), "1:2", "Bin", true));
	OK(retain(trash, before_s, 0, 1, 9));
	assert_int_equal(messages(trash), 2);
	OK(retain(trash, before_s + 100, 0, 1, 9));
	assert_int_equal(messages(trash), 0);
}

static void
an_operation_of_retention_names_at_most_a_thousand(void **state)
{
	uint64_t m = kit_mailbox(k, "INBOX");

	OK(kit_append(k, "INBOX", 1001, 10, 0, NULL, 0));
	IS(retain(m, k->time_ms, 0, 1, 1001), ST_LIMIT);
	OK(retain(m, k->time_ms, 0, 1, 1000));
	assert_int_equal(messages(m), 1);
}

static void
mailboxes_are_walked_by_id_without_deleted_ones(void **state)
{
	struct state_mailbox_brief b = { 0 };
	unsigned n = 0;
	uint64_t after = 0;
	enum status st;

	OK(kit_create(k, "A"));
	OK(kit_create(k, "B"));
	OK(kit_delete(k, "A"));
	while ((st = state_mailbox_next(k->s, 7, after, 1, &b)) != ST_NOT_FOUND) {
		assert_true(b.id > after && (st == ST_OK || st == ST_LIMIT));
		assert_true(st == ST_OK || b.id != kit_mailbox(k, "B"));
		n += st == ST_OK;
		after = b.id;
	}
	{
		struct state_account acc;

		OK(state_account(k->s, 7, &acc));
		assert_true(acc.mailboxes == n);
	}
}

static void
recount(struct state_recount *r, unsigned rows)
{
	state_recount_fini(r);
	*r = (struct state_recount){ .account = 7 };
	do
		OK(state_recount(k->s, r, rows));
	while (r->more);
}

/* As no operation does it. */
static void
falsify(uint64_t mailbox, int more_messages, int more_bytes)
{
	struct journal_pos pos;
	struct acct *acct;
	struct mbox *m;

	state_position(k->s, &pos);
	OK(state_begin(k->s));
	OK(st_acct(k->s, 7, &acct));
	if (mailbox != 0) {
		OK(st_mbox(k->s, acct, mailbox, &m));
		m->rec.messages += (uint32_t)more_messages;
		m->rec.bytes += (uint64_t)more_bytes;
		m->dirty = true;
	} else {
		acct->rec.messages += (uint64_t)more_messages;
		acct->rec.bytes += (uint64_t)more_bytes;
		acct->dirty = true;
	}
	OK(state_commit(k->s, &pos));
}

static void
a_recount_finds_what_the_counters_do_not_say(void **state)
{
	struct state_recount r = { 0 };
	uint64_t m;

	OK(kit_create(k, "Box"));
	m = kit_mailbox(k, "Box");
	OK(kit_append(k, "Box", 50, 10, FLAG_DELETED, NULL, 0));
	OK(kit_append(k, "INBOX", 10, 10, FLAG_SEEN, NULL, 0));
	OK(kit_expunge(k, m, "3:9"));
	for (unsigned rows = 1; rows < 200; rows *= 7) {
		recount(&r, rows);
		assert_int_equal(r.wrong, 0);
		assert_true(r.rows == 53 && r.left_out == 0);
	}
	falsify(m, 2, 0);
	recount(&r, 7);
	assert_int_equal(r.wrong, 2);	/* the mailbox, and the sum */
	assert_non_null(strstr(buf_cstr(&r.report), "messages 45, counted 43\n"));
	falsify(m, -2, 0);
	falsify(0, 0, 5);
	recount(&r, 7);
	assert_int_equal(r.wrong, 1);
	assert_non_null(strstr(buf_cstr(&r.report), "bytes 535, counted 530\n"));
	falsify(0, 0, -5);
	state_recount_fini(&r);
}

static void
a_mailbox_that_changes_meanwhile_is_counted_again_and_then_left_out(void **state)
{
	struct state_recount r = { .account = 7 };
	unsigned steps = 0;

	OK(kit_append(k, "INBOX", 20, 10, 0, NULL, 0));
	do {
		OK(state_recount(k->s, &r, 5));
		if (steps++ < 4)
			OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	} while (r.more);
	assert_true(r.wrong == 0 && r.left_out == 0);
	state_recount_fini(&r);
	r = (struct state_recount){ .account = 7 };
	do {
		OK(state_recount(k->s, &r, 5));
		OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	} while (r.more);
	assert_true(r.wrong == 0 && r.left_out > 0);
	state_recount_fini(&r);
}

/* The service ---------------------------------------------------------------------------- */

static uint32_t
in_mailbox(struct store *s, const char *path)
{
	uint32_t n;

	uidset_fini(&a.uids);
	OK(rig_open(&rig, s, path, &a));
	n = (uint32_t)uidset_count(&a.uids);
	uidset_fini(&a.uids);
	return n;
}

static void
until_empty(struct store *s, const char *path)
{
	uint64_t end = clock_mono_ms() + 30000;

	while (in_mailbox(s, path) > 0) {
		if (clock_mono_ms() > end)
			fail_msg("%s keeps its messages", path);
		rig_run(&rig, 20);
	}
}

static unsigned told;

static void
on_event(void *arg, enum store_event ev, uint64_t modseq)
{
	told++;
}

static void
add_path_rule(uint32_t seconds, const char *path)
{
	put_u32(&rig.cf.retention_paths, seconds);
	put_span(&rig.cf.retention_paths, span_str(path));
}

static void
mailboxes_lose_old_mail_by_their_role_and_by_their_path(void **state)
{
	struct store *s, *watcher;
	struct state_account acc;

	rig.cf.retention_s[MAILBOX_ROLE_TRASH] = 1;
	rig.cf.retention_s[MAILBOX_ROLE_JUNK] = 1;
	add_path_rule(1, "Drafts");
	add_path_rule(0, "Junk");
	add_path_rule(1, "Nowhere");
	rig_start(&rig);
	s = rig_channel(&rig, 17, NULL, NULL);
	watcher = rig_channel(&rig, 17, on_event, NULL);
	OK(rig_append(&rig, s, "INBOX", SPAN_LIT("Subject: i\r\n\r\n"), &a));
	OK(rig_append(&rig, s, "Junk", SPAN_LIT("Subject: j\r\n\r\n"), &a));
	OK(rig_append(&rig, s, "Drafts", SPAN_LIT("Subject: d\r\n\r\n"), &a));
	OK(rig_append(&rig, s, "Trash", SPAN_LIT("Subject: t\r\n\r\n"), &a));
	uidset_fini(&a.uids);
	{
		const struct store_watch on = { .on = true };

		rig_expect(0);
		told = 0;
		store_do_watch(watcher, &on, rig_done, &a);
		rig_wait(&rig, &a, a.n + 1);
	}
	until_empty(s, "Trash");
	until_empty(s, "Drafts");
	assert_true(told > 0);
	assert_int_equal(in_mailbox(s, "INBOX"), 1);
	assert_int_equal(in_mailbox(s, "Junk"), 1);
	OK(state_account(service_state(rig.svc), 17, &acc));
	assert_true(acc.kept_bytes > 0);
	store_close(&s);
	store_close(&watcher);
}

static uint64_t
stat_of(const char *name)
{
	struct buf text = { 0 };
	const char *at;
	uint64_t n;

	service_stats(rig.svc, &text);
	at = strstr(buf_cstr(&text), name);
	assert_non_null(at);
	n = strtoull(at + strlen(name), NULL, 10);
	buf_fini(&text);
	return n;
}

static void
run_until(const char *name, uint64_t least)
{
	uint64_t end = clock_mono_ms() + 120000;

	while (stat_of(name) < least) {
		if (clock_mono_ms() > end)
			fail_msg("%s stays below %u", name, (unsigned)least);
		rig_run(&rig, 20);
	}
}

static void
more_than_one_operation_may_take_goes_in_parts(void **state)
{
	struct store *s;

	rig_start(&rig);
	s = rig_channel(&rig, 18, NULL, NULL);
	for (unsigned i = 0; i < 24; i++) {
		struct buf items = { 0 };
		struct store_append rq = { .path = SPAN_LIT("Trash") };

		for (unsigned n = 0; n < 100; n++)
			rig_item(&items, SPAN_LIT("Subject: x\r\n\r\n"), 0, flags_system(0));
		rq.items = buf_span(&items);
		rig_expect(0);
		store_do_append(s, &rq, rig_done, &a);
		rig_wait(&rig, &a, a.n + 1);
		OK(a.st);
		buf_fini(&items);
	}
	assert_int_equal(in_mailbox(s, "Trash"), 2400);
	rig.cf.retention_s[MAILBOX_ROLE_TRASH] = 1;
	service_configure(rig.svc, &rig.cf);
	/* Not by asking: the store takes its time while it is asked for something. */
	run_until("chore_retention_items=", 2400);
	assert_int_equal(in_mailbox(s, "Trash"), 0);
	assert_true(stat_of("chore_retention_operations=") >= 3);
	assert_true(stat_of("chore_retention_items=") == 2400);
	store_close(&s);
}

static void
history_is_limited_in_number_and_in_bytes(void **state)
{
	struct state_account acc;
	struct store *s;
	struct uidset one = { 0 };
	struct buf uids = { 0 };
	uint64_t inbox;

	rig.cf.retention_s[MAILBOX_ROLE_TRASH] = 4;	/* a round a second */
	rig_start(&rig);
	s = rig_channel(&rig, 19, NULL, NULL);
	OK(rig_append(&rig, s, "INBOX", SPAN_LIT("Subject: x\r\n\r\n"), &a));
	uidset_fini(&a.uids);
	inbox = a.u.appended.mailbox;
	uidset_add(&one, 1);
	uidset_encode(&one, &uids);
	for (unsigned i = 0; i < 200; i++) {
		const struct store_flags rq = { .mailbox = inbox, .uids = buf_span(&uids),
		    .how = FLAGS_REPLACE, .system = i & 1 ? FLAG_SEEN : FLAG_FLAGGED,
		    .unchanged_since = UINT64_MAX };

		rig_expect(0);
		store_do_flags(s, &rq, rig_done, &a);
		rig_wait(&rig, &a, a.n + 1);
	}
	OK(state_account(service_state(rig.svc), 19, &acc));
	assert_true(acc.horizon < 100);
	rig.cf.history_max = 20;
	service_configure(rig.svc, &rig.cf);
	run_until("chore_history_operations=", 1);
	for (uint64_t end = clock_mono_ms() + 30000; acc.modseq - acc.horizon > 40;) {
		assert_true(clock_mono_ms() < end);
		rig_run(&rig, 20);
		OK(state_account(service_state(rig.svc), 19, &acc));
	}
	assert_true(acc.modseq - acc.horizon >= 10);
	uidset_fini(&one);
	buf_fini(&uids);
	store_close(&s);
}

static void
deleted_mail_is_kept_up_to_a_limit_of_bytes(void **state)
{
	struct state_account acc;
	struct store *s;

	rig.cf.retention_s[MAILBOX_ROLE_TRASH] = 1;
	rig_start(&rig);
	s = rig_channel(&rig, 20, NULL, NULL);
	OK(rig_append(&rig, s, "Trash", SPAN_LIT("Subject: x\r\n\r\n"), &a));
	uidset_fini(&a.uids);
	until_empty(s, "Trash");
	OK(state_account(service_state(rig.svc), 20, &acc));
	assert_true(acc.kept_bytes > 0);
	rig.cf.undelete_max_bytes = 1;
	service_configure(rig.svc, &rig.cf);
	for (uint64_t end = clock_mono_ms() + 30000; acc.kept_bytes > 0;) {
		assert_true(clock_mono_ms() < end);
		rig_run(&rig, 20);
		OK(state_account(service_state(rig.svc), 20, &acc));
	}
	store_close(&s);
}

static void
accounts_are_counted_anew(void **state)
{
	struct store *s;

	rig.cf.recount_s = 1;
	rig_start(&rig);
	s = rig_channel(&rig, 21, NULL, NULL);
	OK(rig_append(&rig, s, "INBOX", SPAN_LIT("Subject: x\r\n\r\n"), &a));
	uidset_fini(&a.uids);
	run_until("chore_recount_items=", 2);
	assert_int_equal(stat_of("recount_differences="), 0);
	store_close(&s);
}

/* Three mailboxes that grow in turn: each leaves pages half empty. */
static void
grow_in_turn(struct store *s, unsigned n)
{
	static const char *const paths[] = { "INBOX", "Sent", "Drafts" };

	for (unsigned i = 0; i < n; i++) {
		OK(rig_append(&rig, s, paths[i % 3], SPAN_LIT("Subject: x\r\n\r\n"), &a));
		uidset_fini(&a.uids);
	}
}

static void
gaps_are_closed_in_their_time_and_the_account_stays_as_it_was(void **state)
{
	bool bdb = rig.cf.engine == ENGINE_BDB;
	unsigned char before[32], after[32];
	struct store *s;
	uint64_t walks;

	rig_start(&rig);
	s = rig_channel(&rig, 23, NULL, NULL);
	grow_in_turn(s, 600);
	OK(state_hash(service_state(rig.svc), 23, before));
	assert_int_equal(stat_of("compact_walks="), 0);
	rig.cf.compact_s = 1;
	rig.cf.compact_share = 50;
	service_configure(rig.svc, &rig.cf);
	run_until("compact_walks=", 2);
	assert_true(stat_of("compact_accounts=") >= 1);
	assert_true(stat_of("compact_windows_closed=") > 0 || !bdb);
	assert_true(stat_of("compact_pages_freed=") > 5 || !bdb);
	OK(state_hash(service_state(rig.svc), 23, after));
	assert_memory_equal(before, after, 32);
	/* It is not gone through again for nothing. */
	walks = stat_of("compact_accounts=");
	run_until("compact_walks=", 4);
	assert_int_equal(stat_of("compact_accounts="), walks);
	store_close(&s);
	rig_stop(&rig);
	rig_start(&rig);
	run_until("compact_walks=", 1);
	assert_int_equal(stat_of("compact_accounts="), 0);
	OK(state_hash(service_state(rig.svc), 23, after));
	assert_memory_equal(before, after, 32);
}

static void
where_the_gaps_are_closed_is_kept_for_the_next_process(void **state)
{
	struct state_compact c = { 0 }, got;
	int64_t begun_s = 77;
	bool more;

	for (uint64_t id = 8; id < 20; id++)
		OK(kit_account(k, id));
	OK(state_compact_load(k->s, &begun_s, &got));
	assert_int_equal(begun_s, 0);
	while (c.account < 12)
		OK(state_compact(k->s, &c, 0, &more));
	OK(state_compact_save(k->s, 4711, &c));
	kit_reopen(k);
	OK(state_compact_load(k->s, &begun_s, &got));
	assert_int_equal(begun_s, 4711);
	assert_int_equal(got.account, 12);
	for (more = true; more;)
		OK(state_compact(k->s, &got, 0, &more));
	assert_int_equal(got.account, UINT64_MAX);
	/* In meta alone: what kit_end() compares knows nothing of it. */
	OK(engine_begin(k->e, &k->s->txn));
	OK(engine_del(k->s->txn, TAB_META, SPAN_LIT("compact")));
	OK(engine_commit(&k->s->txn));
	state_compact_fini(&c);
	state_compact_fini(&got);
}

static void
a_body_whose_next_piece_does_not_come_is_given_up(void **state)
{
	static char bytes[100000];
	const struct store_stage first = { .stage = 1, .data = { bytes, sizeof(bytes) } };
	struct store_append rq = { .path = SPAN_LIT("INBOX") };
	struct buf items = { 0 };
	struct store *s;

	rig.cf.staged_s = 1;
	rig_start(&rig);
	s = rig_channel(&rig, 22, NULL, NULL);
	rig_expect(0);
	store_do_stage(s, &first, rig_done, &a);
	rig_wait(&rig, &a, 1);
	OK(a.st);
	run_until("stages_expired=", 1);
	rig_item(&items, SPAN_LIT("x"), 1, flags_system(0));
	rq.items = buf_span(&items);
	store_do_append(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, 2);
	IS(a.st, ST_EXPIRED);
	buf_fini(&items);
	store_close(&s);
}

#define KIT(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)
#define RIG(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		KIT(retention_takes_what_came_in_too_early_and_nothing_else),
		KIT(retention_asks_when_a_message_came_into_this_mailbox),
		KIT(an_operation_of_retention_names_at_most_a_thousand),
		KIT(mailboxes_are_walked_by_id_without_deleted_ones),
		KIT(a_recount_finds_what_the_counters_do_not_say),
		KIT(a_mailbox_that_changes_meanwhile_is_counted_again_and_then_left_out),
		KIT(where_the_gaps_are_closed_is_kept_for_the_next_process),
		RIG(gaps_are_closed_in_their_time_and_the_account_stays_as_it_was),
		RIG(mailboxes_lose_old_mail_by_their_role_and_by_their_path),
		RIG(more_than_one_operation_may_take_goes_in_parts),
		RIG(history_is_limited_in_number_and_in_bytes),
		RIG(deleted_mail_is_kept_up_to_a_limit_of_bytes),
		RIG(accounts_are_counted_anew),
		RIG(a_body_whose_next_piece_does_not_come_is_given_up),
	};

	log_set_level(LOG_LEVEL_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
