/* The journal under a disk that stops, fails, loses power and flips bytes.
 * MANSIO_FULL=1 tries every byte and more scripts. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/journal/journal.h"
#include "t/crash/faultio.h"

#define DIR "/j"
#define TICKS 14u
#define PAYLOAD_MAX 9000u

static const struct journal_opts opts = { .shard = 3, .segment_bytes = 64 << 10,
    .salt = 0x1122334455667788, .inline_io = true };

static bool
full(void)
{
	return getenv("MANSIO_FULL") != NULL;
}

static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* ---- the script: everything follows from the seed ---- */

static unsigned
tick_records(uint64_t seed, unsigned tick)
{
	return 1 + (unsigned)(mix(seed + tick) % 4);
}

static size_t
payload(uint64_t seed, uint64_t lsn, char p[PAYLOAD_MAX])
{
	uint64_t x = mix(seed ^ lsn << 20);
	size_t len = x % 3 == 0 ? x / 3 % PAYLOAD_MAX : x / 3 % 300;

	memset(p, 0, len);
	for (size_t i = 0; i + 8 <= len; i += 8) {
		x = mix(x);
		memcpy(p + i, &x, 8);
	}
	return len;
}

struct run {
	uint64_t	seed;
	uint64_t	acked;			/* last LSN reported durable */
	uint64_t	ends[TICKS + 2];	/* last LSN of each tick tried */
	unsigned	tried;
	struct journal_pos pos;			/* of acked */
};

/* A tick; ST_OK when it is durable. */
static enum status
one_tick(struct journal *j, struct run *r, unsigned tick)
{
	static char mem[4][PAYLOAD_MAX];
	uint64_t lsn = r->tried > 0 ? r->ends[r->tried - 1] : 0;
	unsigned n = tick_records(r->seed, tick);
	struct journal_pos end;
	enum status st;

	journal_tick_begin(j);
	for (unsigned i = 0; i < n; i++) {
		struct journal_what what = { JOURNAL_BODY, 1, 42 };
		struct iovec iov = { mem[i], payload(r->seed, lsn + 1, mem[i]) };
		uint64_t got;

		st = journal_add(j, &what, &iov, 1, &got, NULL);
		if (st == ST_LIMIT && i > 0)
			break;
		if (st != ST_OK)
			return st;
		assert_int_equal(got, ++lsn);
	}
	r->ends[r->tried++] = lsn;
	st = journal_tick_write(j, NULL);
	if (st != ST_OK)
		return st;
	journal_flush_start(j);
	st = journal_flush_done(j, &end);
	if (end.lsn > r->acked && (st == ST_OK || end.lsn == lsn)) {
		r->acked = end.lsn;
		r->pos = end;
	}
	return st;
}

static enum status
run_script(struct faultio *f, struct run *r, uint64_t seed, unsigned ticks)
{
	struct journal *j;
	enum status st;

	*r = (struct run){ .seed = seed };
	st = journal_open(DIR, faultio_io(f), &opts, NULL, &j, NULL);
	for (unsigned t = 0; t < ticks && st == ST_OK; t++)
		st = one_tick(j, r, t);
	journal_close(&j);
	return st;
}

struct check {
	const struct run	*r;
	struct journal		*j;
	uint64_t		lsn;
};

static enum status
check_record(const struct journal_record *rec, void *arg)
{
	static char want[PAYLOAD_MAX], got[PAYLOAD_MAX];
	struct check *c = arg;
	size_t len = payload(c->r->seed, ++c->lsn, want);

	assert_int_equal(rec->lsn, c->lsn);
	assert_int_equal(rec->account, 42);
	assert_int_equal(rec->payload.len, len);
	assert_memory_equal(rec->payload.p, want, len);
	assert_int_equal(journal_read_checked(c->j, rec->loc, got), ST_OK);
	assert_memory_equal(got, want, len);
	return ST_OK;
}

static uint64_t
check_opened(struct journal *j, const struct run *r)
{
	static const struct journal_pos none;
	struct check c = { .r = r, .j = j };
	bool boundary = false;

	assert_int_equal(journal_replay(j, &none, check_record, &c, NULL), ST_OK);
	assert_true(c.lsn >= r->acked);
	for (unsigned i = 0; i < r->tried; i++)
		boundary |= r->ends[i] == c.lsn;
	assert_true(boundary || c.lsn == 0);
	return c.lsn;
}

/* Opens what is left, looks at every record, writes on, opens once more. */
static void
check_left(struct faultio *f, const struct run *r, bool from_acked)
{
	struct journal_damage d;
	struct journal *j;
	struct run more = *r;
	enum status st = journal_open(DIR, faultio_io(f), &opts,
	    from_acked ? &r->pos : NULL, &j, &d);
	uint64_t lsn;

	if (st != ST_OK)
		fail_msg("%s: %s", status_name(st), d.what);
	lsn = check_opened(j, r);
	while (more.tried > 0 && more.ends[more.tried - 1] > lsn)
		more.tried--;
	assert_int_equal(one_tick(j, &more, TICKS + 1), ST_OK);
	journal_close(&j);
	assert_int_equal(journal_open(DIR, faultio_io(f), &opts, NULL, &j, &d), ST_OK);
	assert_int_equal(check_opened(j, &more), more.acked);
	journal_close(&j);
}

static bool
keep_none(unsigned i, unsigned n, unsigned block, void *arg)
{
	return false;
}

static bool
keep_random(unsigned i, unsigned n, unsigned block, void *arg)
{
	return mix(*(uint64_t *)arg * 1000003 + i) & 1;
}

static bool
keep_prefix(unsigned i, unsigned n, unsigned block, void *arg)
{
	return i < *(unsigned *)arg;
}

static bool
lose_block(unsigned i, unsigned n, unsigned block, void *arg)
{
	return block != *(unsigned *)arg;
}

static bool
lose_sector(unsigned i, unsigned n, unsigned block, void *arg)
{
	return i != *(unsigned *)arg;
}

static void
check_loss(const struct faultio *f, const struct run *r, faultio_keep_fn keep, void *arg,
    bool names)
{
	struct faultio *left = faultio_after_power_loss(f, keep, arg, names);

	check_left(left, r, names);
	faultio_free(&left);
}

/* ---- tests ---- */

static void
stopped_at_every_operation_ticks_are_whole_or_absent(void **state)
{
	unsigned scripts = full() ? 20 : 2;

	for (uint64_t seed = 1; seed <= scripts; seed++) {
		for (unsigned at = 1;; at++) {
			struct faultio *f = faultio_new(), *left;
			uint64_t s = seed + at;
			struct run r;
			enum status st;

			faultio_stop_at(f, at);
			st = run_script(f, &r, seed, TICKS);
			left = faultio_after_kill(f);
			check_left(left, &r, r.acked > 0);
			faultio_free(&left);
			check_loss(f, &r, keep_none, NULL, false);
			check_loss(f, &r, keep_none, NULL, true);
			check_loss(f, &r, keep_random, &s, at % 2 == 0);
			at = st == ST_OK && faultio_ops(f) < at ? 0 : at;
			faultio_free(&f);
			if (at == 0)
				break;
		}
	}
}

/* The state in which `ticks` are durable and one more is written, not synced. */
static struct faultio *
unsynced_tick(uint64_t seed, unsigned ticks, struct run *r)
{
	struct faultio *f = faultio_new();
	unsigned ops;

	assert_int_equal(run_script(f, r, seed, ticks), ST_OK);
	faultio_free(&f);
	for (unsigned at = 1;; at++) {
		f = faultio_new();
		faultio_stop_at(f, at);
		run_script(f, r, seed, ticks + 1);
		ops = faultio_ops(f);
		/* The first operation at which all of the tick is written: its sync. */
		if (r->tried == ticks + 1 && r->acked == r->ends[ticks - 1]) {
			struct faultio *next = faultio_new();
			struct run nr;

			faultio_stop_at(next, at + 1);
			run_script(next, &nr, seed, ticks + 1);
			if (nr.acked > r->acked || faultio_ops(next) < at + 1) {
				faultio_free(&next);
				break;
			}
			faultio_free(&next);
		}
		faultio_free(&f);
	}
	assert_int_equal(ops, faultio_ops(f));
	return f;
}

static void
the_torn_end_after_power_loss_is_never_called_damage(void **state)
{
	for (unsigned ticks = 3; ticks < TICKS; ticks += full() ? 1 : 5) {
		struct run r;
		struct faultio *f = unsynced_tick(7, ticks, &r);
		unsigned n = faultio_pending(f), blocks = faultio_pending_blocks(f);
		uint64_t seeds = full() ? 1000 : 340;

		assert_true(n > 0);
		for (unsigned i = 0; i <= n; i++)
			check_loss(f, &r, keep_prefix, &i, true);
		for (unsigned i = 0; i < blocks; i++)
			check_loss(f, &r, lose_block, &i, true);
		for (unsigned i = 0; i < n; i++)
			check_loss(f, &r, lose_sector, &i, false);
		for (uint64_t s = 0; s < seeds; s++)
			check_loss(f, &r, keep_random, &s, s % 2 == 0);
		faultio_free(&f);
	}
}

struct area {
	struct { uint32_t segment, from, to; } ticks[TICKS * 2];
	unsigned n;
	struct journal_pos begin;
};

static enum status
note_tick(const struct journal_record *rec, void *arg)
{
	struct area *a = arg;
	uint32_t from = a->begin.segment == rec->loc.segment ? a->begin.offset : 4096;

	if (!rec->last)
		return ST_OK;
	a->ticks[a->n].segment = rec->loc.segment;
	a->ticks[a->n].from = from;
	a->ticks[a->n++].to = rec->pos.offset;
	a->begin = rec->pos;
	return ST_OK;
}

static void
flip_and_open(const struct faultio *f, const struct journal_pos *applied, uint32_t segment,
    uint32_t off, uint32_t from, uint32_t to)
{
	struct faultio *bad = faultio_after_kill(f);
	struct journal_damage d;
	struct journal *j;
	char path[64];

	snprintf(path, sizeof(path), DIR "/%010u.seg", segment);
	*faultio_byte(bad, path, off) ^= 0x10;
	assert_int_equal(journal_open(DIR, faultio_io(bad), &opts, applied, &j, &d), ST_CORRUPT);
	assert_null(j);
	assert_int_equal(d.segment, segment);
	assert_in_range(d.offset, from, off);
	assert_in_range(d.offset, from, to);
	assert_true(d.lsn > 0 && d.durable >= d.lsn);
	faultio_free(&bad);
}

static void
a_flipped_byte_of_a_durable_record_is_named_as_damage(void **state)
{
	static const struct journal_pos none;
	struct faultio *f = faultio_new();
	struct area a = { 0 };
	struct journal *j;
	struct run r;
	unsigned step = full() ? 1 : 61;

	assert_int_equal(run_script(f, &r, 11, TICKS), ST_OK);
	assert_int_equal(journal_open(DIR, faultio_io(f), &opts, NULL, &j, NULL), ST_OK);
	assert_int_equal(journal_replay(j, &none, note_tick, &a, NULL), ST_OK);
	journal_close(&j);
	assert_int_equal(a.n, TICKS);
	assert_true(a.begin.segment > 1);
	for (uint32_t s = 1; s <= a.begin.segment; s++)
		for (uint32_t off = 0; off < 4096; off += step)
			flip_and_open(f, NULL, s, off, 0, 0);
	for (unsigned i = 0; i < a.n; i++)
		for (uint32_t off = a.ticks[i].from; off < a.ticks[i].to; off += step)
			flip_and_open(f, NULL, a.ticks[i].segment, off,
			    a.ticks[i].from, a.ticks[i].to);
	faultio_free(&f);
}

static void
a_full_disk_undoes_the_tick_and_work_goes_on(void **state)
{
	for (unsigned at = 1;; at++) {
		struct faultio *f = faultio_new(), *left;
		struct journal *j;
		struct run r = { .seed = 5 };
		enum status st;
		bool hit;

		faultio_fail_at(f, at, 1, ENOSPC, at % 2 == 0);
		st = journal_open(DIR, faultio_io(f), &opts, NULL, &j, NULL);
		for (unsigned t = 0; t < TICKS && j != NULL; t++) {
			st = one_tick(j, &r, t);
			if (st == ST_NO_SPACE)
				r.tried--;
			else if (st != ST_OK)
				break;
		}
		hit = faultio_ops(f) >= at;
		/* Not durable is what was refused: it never comes back. */
		if (j != NULL && st != ST_UNAVAILABLE) {
			journal_close(&j);
			faultio_fail_at(f, 0, 0, 0, false);
			left = faultio_after_power_loss(f, keep_none, NULL, true);
			assert_int_equal(journal_open(DIR, faultio_io(left), &opts, NULL,
			    &j, NULL), ST_OK);
			assert_int_equal(check_opened(j, &r), r.acked);
			journal_close(&j);
			faultio_free(&left);
		}
		journal_close(&j);
		faultio_free(&f);
		if (!hit)
			break;
	}
}

static void
an_io_error_ends_the_journal(void **state)
{
	for (unsigned at = 1;; at++) {
		struct faultio *f = faultio_new(), *left;
		struct run r;
		enum status st;
		bool hit;

		faultio_fail_at(f, at, 1, EIO, false);
		st = run_script(f, &r, 6, TICKS);
		hit = faultio_ops(f) >= at;
		assert_true(st == ST_OK || st == ST_UNAVAILABLE);
		left = faultio_after_power_loss(f, keep_none, NULL, true);
		check_left(left, &r, false);
		faultio_free(&left);
		faultio_free(&f);
		if (!hit)
			break;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stopped_at_every_operation_ticks_are_whole_or_absent),
		cmocka_unit_test(the_torn_end_after_power_loss_is_never_called_damage),
		cmocka_unit_test(a_flipped_byte_of_a_durable_record_is_named_as_damage),
		cmocka_unit_test(a_full_disk_undoes_the_tick_and_work_goes_on),
		cmocka_unit_test(an_io_error_ends_the_journal),
	};

	/* Every failure here is meant: its log lines would be noise. */
	log_set_sink(LOG_SINK_FILE, open("/dev/null", O_WRONLY | O_CLOEXEC));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
