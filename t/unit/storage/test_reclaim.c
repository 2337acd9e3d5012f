/* Segments of the journal that hold little or nothing any more go, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/crypto/digest.h"
#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/copies.h"
#include "storage/service/reclaim.h"
#include "t/unit/storage/reclaimkit.h"

#define ACCOUNT 17

static struct rig rig;
static struct answer a;
static struct store *s;
static struct jio io;
static uint64_t free_space;
static unsigned seed;

static int
disk_free(void *ctx, const char *path, uint64_t *bytes)
{
	*bytes = free_space;
	return 0;
}

static int
setup(void **state)
{
	rig_init(&rig);
	io = jio_files;
	io.free_bytes = disk_free;
	free_space = (uint64_t)8 << 30;
	rig.cf.io = &io;
	rig.cf.segment_bytes = 256u << 10;
	rig.cf.undelete_s = rig.cf.history_s = 0;
	rig.cf.reclaim_rate = 1u << 30;
	a = (struct answer){ 0 };
	seed = 1;
	rig_start(&rig);
	s = rig_channel(&rig, ACCOUNT, NULL, NULL);
	return 0;
}

static int
teardown(void **state)
{
	store_close(&s);
	rig_run(&rig, 1);
	rig_fini(&rig);
	answer_fini(&a);
	return 0;
}

/* Incompressible, so many bytes. */
static void
append(size_t bytes)
{
	char *text = mem_alloc(bytes + 1);

	memcpy(text, "Subject: x\r\n\r\n", 14);
	for (size_t i = 14; i < bytes; i++) {
		seed = seed * 1103515245 + 12345;
		text[i] = (char)('!' + (seed >> 16) % 90);
	}
	text[bytes] = '\0';
	assert_int_equal(rig_append(&rig, s, "INBOX", span(text, bytes), &a), ST_OK);
	mem_free(&text);
}

static void
mark_deleted(struct span uids)
{
	const struct store_flags rq = { .mailbox = rig_inbox(&rig, ACCOUNT), .how = FLAGS_ADD, .uids = uids,
		.system = FLAG_DELETED, .unchanged_since = UINT64_MAX };

	rig_expect(STORE_FLAGS_ARE);
	store_do_flags(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
}

static void
expunge(const struct uidset *set)
{
	struct store_expunge rq = { .mailbox = rig_inbox(&rig, ACCOUNT) };
	struct buf uids = { 0 };

	uidset_encode(set, &uids);
	rq.uids = buf_span(&uids);
	mark_deleted(rq.uids);
	rig_expect(STORE_EXPUNGED);
	store_do_expunge(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
	buf_fini(&uids);
}

static void
expunge_but_each(unsigned n, uint32_t to)
{
	struct uidset set = { 0 };

	for (uint32_t u = 1; u <= to; u++)
		if (n == 0 || u % n != 0)
			uidset_add_range(&set, u, u);
	expunge(&set);
	uidset_fini(&set);
}

static size_t
segments(void)
{
	struct journal_segment *list;
	size_t n;

	journal_segments(service_journal(rig.svc), &list, &n);
	mem_free(&list);
	return n;
}

static void
a_segment_without_living_mail_goes_when_two_copies_can_do_without_it(void **state)
{
	struct reclaim_counts c;
	unsigned char was[32], is[32];
	unsigned n, m;

	for (int i = 0; i < 12; i++)
		append(50000);
	assert_true(segments() >= 3);
	append(100);
	expunge_but_each(0, 12);
	rig_forget_deleted(&rig, ACCOUNT);
	rig_bodies(&rig, ACCOUNT, was, &n);
	assert_int_equal(n, 1);
	rig_copy(&rig);
	reclaim_counts(rig.svc, &c);
	assert_int_equal(c.released, 0);
	rig_copy(&rig);
	reclaim_counts(rig.svc, &c);
	assert_true(c.released >= 2);
	assert_true(segments() <= 2);
	rig_bodies(&rig, ACCOUNT, is, &m);
	assert_int_equal(m, 1);
	assert_memory_equal(was, is, 32);
	append(100);
	rig_stop(&rig);
	rig_start(&rig);
	rig_bodies(&rig, ACCOUNT, is, &m);
	assert_int_equal(m, 2);
	rig_check(&rig);
}

static void
what_lives_in_a_segment_that_is_mostly_dead_is_moved_and_stays_readable(void **state)
{
	unsigned char was[32], is[32];
	struct reclaim_counts c;
	char cmd[256];
	unsigned n, m;

	for (int i = 0; i < 24; i++)
		append(24000);
	for (int i = 0; i < 8; i++)	/* one in chunks */
		append(1000);
	expunge_but_each(5, 24);
	rig_forget_deleted(&rig, ACCOUNT);
	rig_bodies(&rig, ACCOUNT, was, &n);
	rig_copy(&rig);
	reclaim_counts(rig.svc, &c);
	assert_int_equal(c.moved_pieces, 0);
	rig_copy(&rig);
	reclaim_counts(rig.svc, &c);
	assert_true(c.moved_pieces > 0);
	assert_int_equal(c.released, 0);
	rig_bodies(&rig, ACCOUNT, is, &m);
	assert_int_equal(m, n);
	assert_memory_equal(was, is, 32);
	rig_copy(&rig);
	rig_copy(&rig);
	reclaim_counts(rig.svc, &c);
	assert_true(c.released >= 1);
	assert_int_equal(c.damaged, 0);
	rig_bodies(&rig, ACCOUNT, is, &m);
	assert_memory_equal(was, is, 32);
	rig_check(&rig);
	/* and made anew from a copy: the journal does not go back to its start any more */
	rig_stop(&rig);
	snprintf(cmd, sizeof(cmd), "rm -r '%s/db'", rig.dir);
	assert_int_equal(system(cmd), 0);
	rig_start(&rig);
	rig_bodies(&rig, ACCOUNT, is, &m);
	assert_int_equal(m, n);
	assert_memory_equal(was, is, 32);
	rig_check(&rig);
}

static void
what_is_younger_than_the_undelete_time_or_pinned_stays(void **state)
{
	struct copy_info *list;
	struct reclaim_counts c;
	uint32_t oldest;
	size_t n;

	for (int i = 0; i < 12; i++)
		append(50000);
	append(100);
	expunge_but_each(0, 12);
	rig_forget_deleted(&rig, ACCOUNT);
	rig_copy(&rig);
	copies_list(rig.svc, &list, &n);
	oldest = list[0].number;
	mem_free(&list);
	rig.cf.undelete_s = 3600;
	service_configure(rig.svc, &rig.cf);
	rig_copy(&rig);
	rig_copy(&rig);
	reclaim_counts(rig.svc, &c);
	assert_int_equal(c.released, 0);
	rig.cf.undelete_s = 0;
	service_configure(rig.svc, &rig.cf);
	rig_copy(&rig);
	reclaim_counts(rig.svc, &c);
	assert_true(c.released >= 2);
	assert_int_equal(copies_pin(rig.svc, oldest), ST_NOT_FOUND);
}

static void
a_pinned_copy_keeps_the_segments_that_it_refers_to(void **state)
{
	uint32_t *list, number;
	struct reclaim_counts c;
	struct copy_info *copies;
	size_t n;

	for (int i = 0; i < 12; i++)
		append(50000);
	append(100);
	rig_copy(&rig);
	copies_list(rig.svc, &copies, &n);
	number = copies[n - 1].number;
	mem_free(&copies);
	expunge_but_each(0, 12);
	rig_forget_deleted(&rig, ACCOUNT);
	assert_int_equal(copies_pin(rig.svc, number), ST_OK);
	for (int i = 0; i < 3; i++)
		rig_copy(&rig);
	reclaim_counts(rig.svc, &c);
	assert_int_equal(c.released, 0);
	assert_int_equal(copies_segments(rig.svc, number, &list, &n), ST_OK);
	assert_true(n >= 3);
	mem_free(&list);
	copies_unpin(rig.svc, number);
	rig_copy(&rig);
	reclaim_counts(rig.svc, &c);
	assert_true(c.released >= 2);
}

static void
a_staged_body_keeps_its_segment_until_it_is_adopted(void **state)
{
	static char bytes[70000];
	const struct store_stage st = { .stage = 1, .data = { bytes, sizeof(bytes) } };
	struct store_append rq = { .path = SPAN_LIT("INBOX") };
	struct buf items = { 0 };
	struct reclaim_counts c;
	unsigned char sum[32];
	unsigned n;

	store_do_stage(s, &st, NULL, NULL);
	for (int i = 0; i < 12; i++)
		append(50000);
	for (int i = 0; i < 3; i++)
		rig_copy(&rig);
	expunge_but_each(0, 12);
	reclaim_counts(rig.svc, &c);
	assert_int_equal(c.released, 0);
	for (int i = 0; i < 3; i++)
		rig_copy(&rig);
	rig_item(&items, SPAN_LIT("Subject: a\r\n\r\ntext\r\n"), 1, flags_system(0));
	rq.items = buf_span(&items);
	rig_expect(STORE_APPENDED);
	store_do_append(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
	rig_bodies(&rig, ACCOUNT, sum, &n);
	assert_int_equal(n, 1);
	buf_fini(&items);
}

static void
on_a_full_disk_what_is_only_kept_for_undelete_goes_and_mail_comes_again(void **state)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;
	struct reclaim_counts c;
	unsigned char sum[32];
	enum status st;
	unsigned n;

	rig_stop(&rig);
	rig.cf.undelete_s = rig.cf.history_s = 30 * 86400;
	rig.cf.min_free_bytes = 64u << 20;
	rig_start(&rig);
	for (int i = 0; i < 12; i++)
		append(50000);
	append(100);
	rig_copy(&rig);
	free_space = 75u << 20;		/* below the line; a copy fits above half of it */
	do {
		rig_run(&rig, 50);
		st = rig_append(&rig, s, "INBOX", SPAN_LIT("Subject: y\r\n\r\n"), &a);
	} while (st == ST_OK);
	assert_int_equal(st, ST_NO_SPACE);
	expunge_but_each(0, 12);	/* which goes on */
	do {
		assert_true(clock_mono_ms() < end);
		loop_once(rig.loop, true);
		reclaim_counts(rig.svc, &c);
	} while (c.released < 2);
	free_space = (uint64_t)8 << 30;
	do {
		assert_true(clock_mono_ms() < end);
		rig_run(&rig, 100);
		st = rig_append(&rig, s, "INBOX", SPAN_LIT("Subject: y\r\n\r\n"), &a);
	} while (st != ST_OK);
	rig_bodies(&rig, ACCOUNT, sum, &n);
	assert_true(n >= 2);
	rig_check(&rig);
}

/* Any order ------------------------------------------------------------------------- */

#define ACCOUNTS 3u

static unsigned
dice(unsigned sides)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % sides;
}

static void
wait_call(const struct answer *was)
{
	rig_wait(&rig, &a, was->n + 1);
}

static void
some_uids(struct buf *uids, uint32_t top)
{
	struct uidset set = { 0 };
	uint32_t lo = 1 + dice(top);

	uidset_add_range(&set, lo, lo + dice(6));
	uidset_encode(&set, uids);
	uidset_fini(&set);
}

static void
change(struct store *c, uint64_t box)
{
	struct store_flags flags = { .mailbox = box, .how = FLAGS_ADD,
		.unchanged_since = UINT64_MAX };
	struct store_copy copy = { .mailbox = box, .to = SPAN_LIT("Archive"), .move = dice(2) };
	struct store_expunge ex = { .mailbox = box };
	const struct answer was = a;
	struct buf uids = { 0 };

	some_uids(&uids, 60);
	flags.uids = copy.uids = buf_span(&uids);
	flags.system = dice(2) ? FLAG_DELETED : (uint8_t)dice(32);
	switch (dice(4)) {
	case 0: case 1:
		rig_expect(STORE_FLAGS_ARE);
		store_do_flags(c, &flags, rig_done, &a);
		break;
	case 2:
		rig_expect(STORE_COPIED);
		store_do_copy(c, &copy, rig_done, &a);
		break;
	default:
		rig_expect(STORE_EXPUNGED);
		store_do_expunge(c, &ex, rig_done, &a);
		break;
	}
	wait_call(&was);
	buf_fini(&uids);
}

/* All that the accounts hold: their roots, and every piece of every extent. */
static enum status
read_piece(void *arg, uint64_t extent, uint32_t index, const struct journal_loc *loc)
{
	char *p = mem_alloc(loc->length + 1u);
	enum status st = journal_read_checked(service_journal(rig.svc), *loc, p);

	if (st == ST_OK)
		digest_add(arg, p, loc->length);
	mem_free(&p);
	return st;
}

static void
whole(unsigned char roots[ACCOUNTS][32], unsigned char all[32])
{
	struct digest *d = digest_new(DIGEST_SHA256);

	for (unsigned i = 0; i < ACCOUNTS; i++)
		assert_int_equal(state_hash(service_state(rig.svc), 20 + i, roots[i]), ST_OK);
	assert_int_equal(state_pieces(service_state(rig.svc), read_piece, d), ST_OK);
	digest_done(d, all);
	digest_free(&d);
	rig_check(&rig);
}

/* With the n-th copy alone, or with none; the database is gone. */
static void
only_copy(uint32_t number)
{
	char cmd[600];

	snprintf(cmd, sizeof(cmd), "cd '%s' && rm -rf db copies && mkdir copies && "
	    "{ test %u = 0 || cp -a all/%u copies/; }", rig.dir, number, number);
	assert_int_equal(system(cmd), 0);
}

static void
rounds(unsigned steps)
{
	unsigned char was[ACCOUNTS][32], is[ACCOUNTS][32], bodies_was[32], bodies_is[32];
	struct store *c[ACCOUNTS];
	uint64_t box[ACCOUNTS];
	struct reclaim_counts rc;
	struct copy_info *list;
	char cmd[300];
	size_t n;

	for (unsigned i = 0; i < ACCOUNTS; i++) {
		c[i] = rig_channel(&rig, 20 + i, NULL, NULL);
		assert_int_equal(rig_open(&rig, c[i], "INBOX", &a), ST_OK);
		box[i] = a.u.opened.mailbox;
	}
	for (unsigned k = 0; k < steps; k++) {
		unsigned i = dice(ACCOUNTS), what = dice(24);

		store_close(&s);
		s = c[i];
		c[i] = NULL;
		if (what < 9)
			append(200 + dice(30000));
		else if (what < 22)
			change(s, box[i]);
		else if (what < 23)
			copies_make(rig.svc, NULL, NULL);
		else
			rig_copy(&rig);
		c[i] = s;
		s = rig_channel(&rig, ACCOUNT, NULL, NULL);
		if (k % 60 == 59) {		/* the chores run a second after a start */
			rig_stop(&rig);
			rig_start(&rig);
			rig_run(&rig, 1300);
		}
	}
	rig_copy(&rig);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		append(500 + i), change(c[i], box[i]);
	reclaim_counts(rig.svc, &rc);
	copies_list(rig.svc, &list, &n);
	assert_true(n >= 1);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		store_close(&c[i]);
	/* chores would go on purging what differs in no root, but in pieces */
	rig_stop(&rig);
	rig.cf.undelete_s = rig.cf.history_s = 30 * 86400;
	rig_start(&rig);
	whole(was, bodies_was);
	rig_stop(&rig);
	snprintf(cmd, sizeof(cmd), "mv '%s/copies' '%s/all'", rig.dir, rig.dir);
	assert_int_equal(system(cmd), 0);
	for (size_t i = 0; i < n; i++) {
		only_copy(list[i].number);
		rig_start(&rig);
		whole(is, bodies_is);
		assert_memory_equal(was, is, sizeof(was));
		assert_memory_equal(bodies_was, bodies_is, 32);
		rig_stop(&rig);
	}
	mem_free(&list);
	rig_start(&rig);
}

static void
whatever_happens_in_whatever_order_each_copy_leads_to_the_same_state(void **state)
{
	rig_stop(&rig);
	rig.cf.reclaim_share = 90;
	rig_start(&rig);
	if (getenv("MANSIO_SEED") != NULL)
		seed = (unsigned)atoi(getenv("MANSIO_SEED"));
	rounds(getenv("MANSIO_FULL") != NULL ? 3000 : 180);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_segment_without_living_mail_goes_when_two_copies_can_do_without_it),
		TEST(what_lives_in_a_segment_that_is_mostly_dead_is_moved_and_stays_readable),
		TEST(what_is_younger_than_the_undelete_time_or_pinned_stays),
		TEST(a_pinned_copy_keeps_the_segments_that_it_refers_to),
		TEST(a_staged_body_keeps_its_segment_until_it_is_adopted),
		TEST(on_a_full_disk_what_is_only_kept_for_undelete_goes_and_mail_comes_again),
		TEST(whatever_happens_in_whatever_order_each_copy_leads_to_the_same_state),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
