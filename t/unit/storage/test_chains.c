/* Requests that take many operations: over kill -9, beside others, given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "t/unit/storage/rig.h"

#define ROWS 20		/* of an operation here */
#define MANY 1210	/* messages */
#define PARTS 61

static struct rig rig;
static struct answer a, b;
static struct store *s;
static uint64_t inbox;
static unsigned asked;	/* changes */

static void
add(unsigned n, const char *path)
{
	struct buf items = { 0 };
	struct store_append rq = { .path = span_str(path) };

	for (unsigned i = 0; i < n; i++)
		rig_item(&items, SPAN_LIT("A: b\r\n\r\n"), 0, flags_system(0));
	rq.items = buf_span(&items);
	uidset_clear(&a.uids);
	rig_expect(STORE_APPENDED);
	asked++;
	store_do_append(s, &rq, rig_done, &a);
	buf_fini(&items);
}

/* For all that was asked: the answer may have come before a kill. */
static void
wait_one(void)
{
	rig_wait(&rig, &a, asked);
	assert_int_equal(a.st, ST_OK);
}

static void
opened(const char *path)
{
	uidset_clear(&b.uids);
	assert_int_equal(rig_open(&rig, s, path, &b), ST_OK);
}

static int
setup(void **state)
{
	rig_init(&rig);
	rig.cf.op_rows = ROWS;
	a = b = (struct answer){ 0 };
	asked = 0;
	rig_fork(&rig);
	s = rig_channel(&rig, 17, NULL, NULL);
	add(MANY, "INBOX");
	wait_one();
	assert_int_equal(uidset_count(&a.uids), MANY);
	opened("INBOX");
	inbox = b.u.opened.mailbox;
	return 0;
}

static int
teardown(void **state)
{
	store_close(&s);
	rig_run(&rig, 1);
	rig_fini(&rig);
	answer_fini(&a);
	answer_fini(&b);
	return 0;
}

static void
kill_after(unsigned ms)
{
	rig_run(&rig, ms);
	rig_kill(&rig);
	rig_fork(&rig);
}

static void
ask_flags_of(uint32_t lo, uint32_t hi, uint8_t flag, uint64_t unchanged_since)
{
	struct store_flags rq = { .mailbox = inbox, .how = FLAGS_ADD, .system = flag,
		.unchanged_since = unchanged_since };
	struct uidset all = { 0 };
	struct buf uids = { 0 };

	uidset_add_range(&all, lo, hi);
	uidset_encode(&all, &uids);
	rq.uids = buf_span(&uids);
	buf_clear(&a.parts);
	rig_expect(STORE_FLAGS_ARE);
	asked++;
	store_do_flags(s, &rq, rig_done, &a);
	uidset_fini(&all);
	buf_fini(&uids);
}

static void
ask_flags(uint8_t flag, uint64_t unchanged_since)
{
	ask_flags_of(1, UINT32_MAX, flag, unchanged_since);
}

/* Uids among the rows told; each row has the flag. */
static uint64_t
told(uint8_t flag)
{
	struct uidset uids = { 0 };
	struct store_row row;
	struct reader r;
	uint64_t n;

	reader_init(&r, a.parts.data, a.parts.len);
	while (get_store_row(&r, &row, ROW_FLAGS)) {
		assert_true((flags_get_system(row.flags) & flag) != 0);
		uidset_add(&uids, row.uid);
	}
	assert_false(r.bad);
	n = uidset_count(&uids);
	uidset_fini(&uids);
	return n;
}

/* How long the same takes when nobody disturbs it. */
static unsigned
time_of_flags(uint8_t flag)
{
	uint64_t start = clock_mono_ms();

	ask_flags(flag, UINT64_MAX);
	wait_one();
	return (unsigned)(clock_mono_ms() - start) + 1;
}

static void
a_store_in_parts_goes_on_after_kill_9_and_answers_as_one(void **state)
{
	unsigned ms = time_of_flags(FLAG_DRAFT);
	uint64_t before;

	for (unsigned i = 0; i < 4; i++) {
		static const uint8_t flag[] = { FLAG_SEEN, FLAG_FLAGGED, FLAG_ANSWERED,
			FLAG_DELETED };

		opened("INBOX");
		before = b.u.opened.highestmodseq;
		ask_flags(flag[i], before);
		kill_after(ms * (i + 1) / 6);
		kill_after(ms / 4);
		wait_one();
		assert_int_equal(told(flag[i]), MANY);
		
		opened("INBOX");
		assert_true(b.u.opened.highestmodseq == before + PARTS);
	}
}

static void
an_expunge_in_parts_goes_on_after_kill_9_and_names_all(void **state)
{
	struct store_expunge rq = { .mailbox = inbox };
	unsigned ms = time_of_flags(FLAG_DELETED);
	uint64_t before;

	opened("INBOX");
	before = b.u.opened.highestmodseq;
	uidset_clear(&a.uids);
	rig_expect(STORE_EXPUNGED);
	asked++;
	store_do_expunge(s, &rq, rig_done, &a);
	kill_after(ms / 3);
	kill_after(ms / 3);
	wait_one();
	assert_int_equal(uidset_count(&a.uids), MANY);
	opened("INBOX");
	assert_true(uidset_empty(&b.uids));
	assert_true(b.u.opened.highestmodseq == before + PARTS);
}

static void
ask_copy(bool move)
{
	struct store_copy rq = { .mailbox = inbox, .to = SPAN_LIT("Trash"), .move = move };
	struct uidset all = { 0 };
	struct buf uids = { 0 };

	uidset_add_range(&all, 1, UINT32_MAX);
	uidset_encode(&all, &uids);
	rq.uids = buf_span(&uids);
	rig_expect(STORE_COPIED);
	asked++;
	store_do_copy(s, &rq, rig_done, &a);
	uidset_fini(&all);
	buf_fini(&uids);
}

static void
a_copy_in_parts_is_there_once_or_not_at_all_after_kill_9(void **state)
{
	unsigned ms = time_of_flags(FLAG_SEEN) * 2, there = 0;

	for (unsigned i = 1; i <= 6; i++) {
		uint64_t start = clock_mono_ms(), before;

		opened("Trash");
		assert_int_equal(uidset_count(&b.uids), there);
		before = b.u.opened.highestmodseq;
		ask_copy(i == 6);
		kill_after(ms * i / 6);
		wait_one();
		if (clock_mono_ms() - start > ms)
			ms = (unsigned)(clock_mono_ms() - start);
		there += MANY;
		opened("Trash");
		assert_int_equal(uidset_count(&b.uids), there);
		assert_int_equal(b.u.opened.uidnext, there + 1);
		assert_true(b.u.opened.highestmodseq > before);
	}
	kill_after(1);		/* in the middle of taking the old places away */
	opened("INBOX");
	assert_true(uidset_empty(&b.uids));
	add(1, "INBOX");
	wait_one();
	assert_int_equal(uidset_next(&a.uids, 0), MANY + 1);
}

static void
an_append_in_parts_is_there_once_or_not_at_all_after_kill_9(void **state)
{
	for (unsigned i = 1; i <= 4; i++) {
		add(MANY, "INBOX");
		kill_after(20 * i);
		wait_one();
		assert_int_equal(uidset_count(&a.uids), MANY);
		opened("INBOX");
		assert_int_equal(uidset_count(&b.uids), (i + 1) * MANY);
	}
}

/* In this process from here on. */
static int
setup_here(void **state)
{
	rig_init(&rig);
	a = b = (struct answer){ 0 };
	asked = 0;
	rig.cf.whole_messages = 6000;
	rig.cf.op_rows = 100;
	rig_start(&rig);
	s = rig_channel(&rig, 17, NULL, NULL);
	for (int i = 0; i < 2; i++) {
		add(3000, "INBOX");
		wait_one();
	}
	opened("INBOX");
	inbox = b.u.opened.mailbox;
	return 0;
}

static void
one_change(struct store *other, struct answer *c)
{
	const struct store_subscribe rq = { .path = SPAN_LIT("Old"), .on = c->n % 2 == 0 };

	store_do_subscribe(other, &rq, rig_done, c);
	rig_wait(&rig, c, c->n + 1);
	assert_int_equal(c->st, ST_OK);
}

static void
others_are_served_between_the_parts(void **state)
{
	struct store *other = rig_channel(&rig, 18, NULL, NULL);
	struct answer c = { 0 };
	unsigned served = 0, n = a.n;
	uint64_t longest = 0, start = clock_mono_ms(), all;

	one_change(other, &c);
	start = clock_mono_ms();
	ask_copy(false);
	rig_expect(0);
	while (a.n == n) {
		uint64_t from = clock_mono_ms();

		one_change(other, &c);
		if (clock_mono_ms() - from > longest)
			longest = clock_mono_ms() - from;
		served++;
	}
	all = clock_mono_ms() - start;
	assert_int_equal(a.st, ST_OK);
	printf("6,000 copied in %u ms, %u others served, the slowest in %u ms\n", (unsigned)all,
	    served, (unsigned)longest);
	assert_true(served >= 8);
	assert_true(longest < all / 3);
	store_close(&other);
	answer_fini(&c);
}

static void
the_flood_of_one_account_does_not_starve_another(void **state)
{
	static const uint8_t flags[] = { FLAG_SEEN, FLAG_FLAGGED, FLAG_ANSWERED, FLAG_DRAFT };
	struct store *other = rig_channel(&rig, 18, NULL, NULL);
	struct answer c = { 0 };
	uint64_t longest = 0, start, all;
	unsigned served = 0;

	one_change(other, &c);
	start = clock_mono_ms();
	for (uint32_t i = 0; i < 240; i++)
		ask_flags_of(i % 60 * 100 + 1, i % 60 * 100 + 100, flags[i / 60], UINT64_MAX);
	rig_expect(0);
	while (a.n < asked) {
		uint64_t from = clock_mono_ms();

		one_change(other, &c);
		if (clock_mono_ms() - from > longest)
			longest = clock_mono_ms() - from;
		served++;
	}
	all = clock_mono_ms() - start;
	assert_int_equal(a.st, ST_OK);
	printf("24,000 rows changed in %u ms, %u others served, the slowest in %u ms\n",
	    (unsigned)all, served, (unsigned)longest);
	assert_true(served >= 4);
	assert_true(longest < all / 2);
	store_close(&other);
	answer_fini(&c);
}

static void
what_is_above_the_limit_is_refused_whole(void **state)
{
	add(1, "INBOX");
	wait_one();
	ask_copy(false);
	rig_wait(&rig, &a, asked);
	assert_int_equal(a.st, ST_LIMIT);
	opened("Trash");
	assert_true(uidset_empty(&b.uids));
}

static void
who_goes_in_the_middle_of_a_copy_leaves_nothing_of_it(void **state)
{
	unsigned char before[32], after[32];
	uint64_t account;
	struct buf report = { 0 };
	uint64_t wrong = 0;

	assert_int_equal(state_hash(service_state(rig.svc), 17, before), ST_OK);
	ask_copy(true);
	while (state_stage_next(service_state(rig.svc), 0, &account) != ST_OK)
		loop_once(rig.loop, true);
	store_close(&s);
	asked = a.n;
	s = rig_channel(&rig, 17, NULL, NULL);
	add(1, "INBOX");	/* waits for its end */
	wait_one();
	assert_int_equal(state_stage_next(service_state(rig.svc), 0, &account), ST_NOT_FOUND);
	opened("Trash");
	assert_true(uidset_empty(&b.uids));
	assert_int_equal(state_hash(service_state(rig.svc), 17, after), ST_OK);
	assert_memory_not_equal(before, after, 32);	/* the one that was added */
	assert_int_equal(state_check(service_state(rig.svc), &report, &wrong), ST_OK);
	assert_int_equal(wrong, 0);
	buf_fini(&report);
}

#define OVER_KILLS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define HERE(name) cmocka_unit_test_setup_teardown(name, setup_here, teardown)

/* ---- JMAP's ---- */

static void
reply(struct answer *x, uint16_t no, void *msg)
{
	assert_int_equal(x->st, ST_OK);
	assert_int_equal(ipc_decode(ipc_find(&store_protocol, no), buf_span(&x->body), msg), ST_OK);
}

/* All memberships of the account. */
static void
ask_emails(struct store_emails_are *are)
{
	const struct store_emails all = { 0 };
	unsigned n = b.n + 1;

	rig_expect(STORE_EMAILS_ARE);
	store_do_emails(s, &all, rig_done, &b);
	rig_wait(&rig, &b, n);
	reply(&b, STORE_EMAILS_ARE, are);
}

static void
ask_email_set(uint64_t if_email)
{
	struct store_email_set rq = { .if_email = if_email };
	struct store_emails_are are;
	struct buf items = { 0 };
	struct store_member m;
	struct reader r;
	unsigned i = 0;

	ask_emails(&are);
	reader_init(&r, are.members.p, are.members.len);
	while (get_store_member(&r, &m)) {
		struct store_email_item it = { .message = m.row.message, .how = EMAIL_UPDATE,
			.keywords_how = EMAIL_PATCH, .keywords_add = flags_system(FLAG_FLAGGED) };

		if (i % 3 == 1)
			it = (struct store_email_item){ .message = m.row.message,
				.how = EMAIL_DESTROY };
		if (i++ % 3 == 2)
			it.message = 1000000 + i;	/* there is none */
		put_store_email_item(&items, &it);
	}
	rq.items = buf_span(&items);
	rig_expect(STORE_EMAIL_SET_IS);
	asked++;
	store_do_email_set(s, &rq, rig_done, &a);
	buf_fini(&items);
}

static void
expect_set(void)
{
	struct store_email_changes rq = { .since = 0 };
	struct store_email_set_is is;
	struct store_emails_are are;
	struct store_email_change c;
	struct store_member m;
	struct reader r;
	unsigned n = 0, flagged = 0, gone = 0, told = 0;

	reply(&a, STORE_EMAIL_SET_IS, &is);
	assert_int_equal(is.outcomes.len, MANY);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(is.outcomes.p[i], i % 3 == 2 ? ST_NOT_FOUND : ST_OK);
	rq.since = is.old_email;
	ask_emails(&are);
	reader_init(&r, are.members.p, are.members.len);
	for (; get_store_member(&r, &m); n++)
		flagged += (flags_get_system(m.row.flags) & FLAG_FLAGGED) != 0;
	assert_int_equal(n, MANY - (MANY + 1) / 3);
	assert_int_equal(flagged, (MANY + 2) / 3);

	rig_expect(STORE_STATES_ARE);
	n = b.n + 1;
	store_do_states(s, rig_done, &b);
	rig_wait(&rig, &b, n);
	{
		struct store_states_are states;

		reply(&b, STORE_STATES_ARE, &states);
		assert_true(states.email == is.email && states.email == states.modseq);
		rq.incarnation = states.incarnation;
	}
	rig_expect(STORE_EMAIL_CHANGES_ARE);
	n = b.n + 1;
	store_do_email_changes(s, &rq, rig_done, &b);
	rig_wait(&rig, &b, n);
	{
		struct store_email_changes_are ch;

		reply(&b, STORE_EMAIL_CHANGES_ARE, &ch);
		assert_true(!ch.more && ch.upto == is.email && ch.upto_after == 0);
		reader_init(&r, ch.changes.p, ch.changes.len);
		for (; get_store_email_change(&r, &c); told++)
			gone += c.was && !c.is;
	}
	assert_int_equal(told, MANY - MANY / 3);
	assert_int_equal(gone, (MANY + 1) / 3);
	rq.incarnation += 7;
	n = b.n + 1;
	store_do_email_changes(s, &rq, rig_done, &b);
	rig_wait(&rig, &b, n);
	assert_int_equal(b.st, ST_EXPIRED);
}

static void
emails_are_set_once_each_over_kills(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i == 0)
			ask_email_set(0);
		kill_after(3 + 9 * i);
	}
	wait_one();
	expect_set();
	ask_email_set(12345);
	rig_wait(&rig, &a, asked);
	assert_int_equal(a.st, ST_CONFLICT);
}

static void
read_upload(uint64_t id, uint64_t offset, uint32_t budget, size_t want, uint64_t next)
{
	const struct store_blob_read rq = { .id = id, .offset = offset, .budget = budget };
	struct store_body_is is;
	struct store_body_piece p;
	struct reader r;
	unsigned n = b.n + 1;
	size_t got = 0;

	buf_clear(&b.parts);
	rig_expect(STORE_BODY_IS);
	store_do_blob_read(s, &rq, rig_done, &b);
	rig_wait(&rig, &b, n);
	reply(&b, STORE_BODY_IS, &is);
	reader_init(&r, b.parts.data, b.parts.len);
	while (get_store_body_piece(&r, &p)) {
		assert_true(p.uid == 1 && p.offset == offset + got);
		for (size_t i = 0; i < p.data.len; i += 4096)
			assert_int_equal(p.data.p[i], (char)((p.offset + i) >> 12));
		got += p.data.len;
	}
	assert_int_equal(got, want);
	assert_int_equal(is.resume_uid, next != 0);
	assert_int_equal(is.resume_offset, next);
}

static void
an_upload_is_there_after_a_kill_and_read_in_any_piece(void **state)
{
	static char bytes[300000];
	struct store_blob_put rq = { .size = 2 * sizeof(bytes), .stage = 5,
		.sha256 = SPAN_LIT("0123456789abcdef0123456789abcdef") };
	const struct store_blobs all = { SPAN_NONE };
	struct store_blobs_are are;
	struct store_blob_is is;
	struct store_blob x;
	struct reader r;
	const unsigned sizes[] = { 200000, 200000, 200000 };
	unsigned n;
	uint64_t at = 0;

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		for (size_t j = 0; j < sizes[i]; j++)
			bytes[j] = (char)((at + j) >> 12);
		at += sizes[i];
		store_do_stage(s, &(struct store_stage){ 5, at == 600000 ? 600000 : 0,
		    span(bytes, sizes[i]) }, NULL, NULL);
	}
	rig_expect(STORE_BLOB_IS);
	asked++;
	store_do_blob_put(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, asked);
	reply(&a, STORE_BLOB_IS, &is);
	store_stage_free(s, 5);
	assert_true(is.expires_ms > clock_wall_ms() + 86000 * (int64_t)1000);
	rig_kill(&rig);
	rig_fork(&rig);
	rig_expect(STORE_BLOBS_ARE);
	n = b.n + 1;
	store_do_blobs(s, &all, rig_done, &b);
	rig_wait(&rig, &b, n);
	reply(&b, STORE_BLOBS_ARE, &are);
	reader_init(&r, are.blobs.p, are.blobs.len);
	assert_true(get_store_blob(&r, &x) && reader_done(&r));
	assert_true(x.id == is.id && x.size == 600000 && span_eq(x.sha256, rq.sha256));
	read_upload(is.id, 0, 1u << 30, 600000, 0);
	read_upload(is.id, 8192, 1u << 30, 600000 - 8192, 0);
	read_upload(is.id, 0, 1000, 200000, 200000);	/* whole pieces */
	read_upload(is.id, 600000, 1000, 0, 0);
	opened("INBOX");			/* nobody sees it there */
	assert_int_equal(uidset_count(&b.uids), MANY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(emails_are_set_once_each_over_kills, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_upload_is_there_after_a_kill_and_read_in_any_piece, setup, teardown),
		OVER_KILLS(a_store_in_parts_goes_on_after_kill_9_and_answers_as_one),
		OVER_KILLS(an_expunge_in_parts_goes_on_after_kill_9_and_names_all),
		OVER_KILLS(a_copy_in_parts_is_there_once_or_not_at_all_after_kill_9),
		OVER_KILLS(an_append_in_parts_is_there_once_or_not_at_all_after_kill_9),
		HERE(others_are_served_between_the_parts),
		HERE(the_flood_of_one_account_does_not_starve_another),
		HERE(what_is_above_the_limit_is_refused_whole),
		HERE(who_goes_in_the_middle_of_a_copy_leaves_nothing_of_it),
	};

	/* What is tested is the order of things, not a disk. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	log_set_level(LOG_LEVEL_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
