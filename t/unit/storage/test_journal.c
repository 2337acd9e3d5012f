/* The journal on real files, with its threads. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/journal/journal.h"

static char dir[64];
static const struct journal_opts opts = { .shard = 9, .segment_bytes = 256 << 10 };
static const struct journal_pos none;

static int
setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/mansio-journal-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int
teardown(void **state)
{
	char cmd[80];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct journal *
open_at(const struct journal_pos *pos)
{
	struct journal_damage d;
	struct journal *j;
	enum status st = journal_open(dir, NULL, &opts, pos, &j, &d);

	if (st != ST_OK)
		fail_msg("%s: %s", status_name(st), d.what);
	return j;
}

static enum status
add(struct journal *j, const void *p, size_t n, uint64_t *lsn, struct journal_loc *loc)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)p, n / 2 },
	    { (char *)(uintptr_t)p + n / 2, n - n / 2 } };
	struct journal_what what = { JOURNAL_BODY, 7, 1000 };

	return journal_add(j, &what, iov, 2, lsn, loc);
}

static struct journal_pos
commit(struct journal *j)
{
	struct pollfd pfd = { .fd = journal_flush_fd(j), .events = POLLIN };
	struct journal_pos end, durable;

	assert_int_equal(journal_tick_write(j, &end), ST_OK);
	journal_flush_start(j);
	assert_true(journal_flush_running(j));
	assert_int_equal(poll(&pfd, 1, 10000), 1);
	assert_int_equal(journal_flush_done(j, &durable), ST_OK);
	assert_false(journal_flush_running(j));
	assert_memory_equal(&end, &durable, sizeof(end));
	return durable;
}

static struct journal_pos
write_one(struct journal *j, const void *p, size_t n, struct journal_loc *loc)
{
	journal_tick_begin(j);
	assert_int_equal(add(j, p, n, NULL, loc), ST_OK);
	return commit(j);
}

struct seen {
	uint64_t	first, last, n;
	struct journal_pos pos;
};

static enum status
see(const struct journal_record *r, void *arg)
{
	struct seen *s = arg;

	if (s->n++ == 0)
		s->first = r->lsn;
	assert_int_equal(r->lsn, s->first + s->n - 1);
	assert_int_equal(r->epoch, 7);
	s->last = r->lsn;
	s->pos = r->pos;
	return ST_OK;
}

static void
what_was_written_is_replayed_from_any_position(void **state)
{
	struct journal *j = open_at(NULL);
	struct journal_pos pos[40], end;
	char *mem = mem_alloc(60000);

	memset(mem, 'm', 60000);
	for (unsigned i = 0; i < 40; i++) {
		struct journal_loc loc;
		char got[60000];

		journal_tick_begin(j);
		assert_true(journal_tick_room(j, 2, 2 + i * 1500));
		assert_int_equal(add(j, "op", 2, NULL, NULL), ST_OK);
		assert_int_equal(add(j, mem, i * 1500, NULL, &loc), ST_OK);
		assert_int_equal(journal_tick_count(j), 2);
		pos[i] = commit(j);
		assert_int_equal(journal_read_checked(j, loc, got), ST_OK);
		assert_memory_equal(got, mem, loc.length);
	}
	journal_close(&j);
	for (unsigned i = 0; i < 40; i++) {
		struct seen s = { 0 };

		j = open_at(&pos[i]);
		journal_end(j, &end);
		assert_memory_equal(&end, &pos[39], sizeof(end));
		assert_int_equal(journal_replay(j, &pos[i], see, &s, NULL), ST_OK);
		assert_int_equal(s.n, 2 * (39 - i));
		/* Inside a tick: the position before it, lsn raised. */
		if (i < 39) {
			struct journal_pos half = pos[i];

			half.lsn++;
			s.n = 0;
			assert_int_equal(journal_replay(j, &half, see, &s, NULL), ST_OK);
			assert_int_equal(s.first, half.lsn + 1);
			assert_memory_equal(&s.pos, &end, sizeof(end));
		}
		journal_close(&j);
	}
	mem_free(&mem);
}

static void
collecting_goes_on_while_a_flush_runs(void **state)
{
	struct journal *j = open_at(NULL);
	struct journal_loc a, b;
	uint64_t lsn;
	char got[4];

	journal_tick_begin(j);
	assert_int_equal(add(j, "aaaa", 4, &lsn, &a), ST_OK);
	assert_int_equal(lsn, 1);
	assert_int_equal(journal_tick_write(j, NULL), ST_OK);
	journal_flush_start(j);
	journal_tick_begin(j);
	assert_int_equal(add(j, "bbbb", 4, &lsn, &b), ST_OK);
	assert_int_equal(lsn, 2);
	assert_int_equal(journal_flush_done(j, NULL), ST_OK);
	commit(j);
	assert_int_equal(journal_read_checked(j, a, got), ST_OK);
	assert_memory_equal(got, "aaaa", 4);
	assert_int_equal(journal_read_checked(j, b, got), ST_OK);
	assert_memory_equal(got, "bbbb", 4);
	/* A dropped tick leaves no trace, an empty one neither. */
	journal_tick_begin(j);
	assert_int_equal(add(j, "cccc", 4, NULL, NULL), ST_OK);
	journal_tick_cancel(j);
	journal_tick_begin(j);
	assert_int_equal(journal_tick_write(j, NULL), ST_OK);
	assert_false(journal_flush_running(j));
	journal_tick_begin(j);
	assert_int_equal(add(j, "dddd", 4, &lsn, NULL), ST_OK);
	assert_int_equal(lsn, 3);
	commit(j);
	journal_close(&j);
}

static void
a_tick_stays_within_a_segment_and_its_limit(void **state)
{
	struct journal *j = open_at(NULL);
	char *mem = mem_zalloc(100000);
	struct journal_loc loc, first;

	write_one(j, mem, 100000, &first);
	assert_int_equal(first.segment, 1);
	journal_tick_begin(j);
	assert_int_equal(add(j, mem, 1000, NULL, NULL), ST_OK);
	assert_int_equal(add(j, mem, 100000, NULL, NULL), ST_OK);
	assert_int_equal(add(j, mem, 100000, NULL, NULL), ST_LIMIT);
	commit(j);
	write_one(j, mem, 100000, &loc);
	assert_int_equal(loc.segment, 2);
	assert_int_equal(journal_read(j, (struct journal_loc){ 5, 4096, 10 }, mem), ST_NOT_FOUND);
	assert_int_equal(journal_read(j, (struct journal_loc){ 1, 262000, 1000 }, mem), ST_CORRUPT);
	assert_int_equal(journal_read_checked(j, (struct journal_loc){ 1, first.offset + 1, 99 },
	    mem), ST_CORRUPT);
	mem_free(&mem);
	journal_close(&j);
}

static void
released_segments_live_again(void **state)
{
	struct journal *j = open_at(NULL);
	struct journal_pos before = none, pos = none;
	struct journal_segment *list;
	struct journal_stats st;
	char *mem = mem_zalloc(50000);
	struct seen s = { 0 };
	bool blocked;
	struct journal_loc loc;
	size_t n;

	for (unsigned i = 0; i < 60; i++) {
		before = pos;
		pos = write_one(j, mem, 50000, &loc);
		journal_segments(j, &list, &n);
		if (n > 3)
			assert_int_equal(journal_segment_release(j, list[0].segment), ST_OK);
		assert_true(list[n - 1].writing);
		assert_int_equal(journal_segment_release(j, list[n - 1].segment), ST_CONFLICT);
		mem_free(&list);
	}
	journal_stats(j, &st);
	assert_true(st.segments_recycled > 5);
	assert_int_equal(st.ticks, 60);
	assert_int_equal(journal_read_nowait(j, loc, mem, &blocked), ST_OK);
	assert_true(journal_first_lsn(j) > 30);
	assert_int_equal(journal_replay(j, &none, see, &s, NULL), ST_CORRUPT);
	journal_close(&j);

	j = open_at(&before);
	assert_int_equal(journal_replay(j, &before, see, &s, NULL), ST_OK);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.last, 60);
	assert_true(journal_has_room(j, 1));
	assert_false(journal_has_room(j, UINT64_MAX / 2));
	journal_close(&j);
	mem_free(&mem);
}

static void
a_second_opener_is_refused_and_a_reader_is_not(void **state)
{
	struct journal_opts ro = opts;
	struct journal *j = open_at(NULL), *other;
	struct journal_pos pos = write_one(j, "x", 1, NULL), end;

	assert_int_equal(journal_open(dir, NULL, &opts, NULL, &other, NULL), ST_CONFLICT);
	ro.read_only = true;
	assert_int_equal(journal_open(dir, NULL, &ro, NULL, &other, NULL), ST_OK);
	journal_end(other, &end);
	assert_memory_equal(&end, &pos, sizeof(end));
	journal_close(&other);
	journal_close(&j);
	ro.read_only = false;
	ro.shard = 10;
	assert_int_equal(journal_open(dir, NULL, &ro, NULL, &other, NULL), ST_UNAVAILABLE);
}

static void
a_position_that_is_not_in_the_journal_is_damage(void **state)
{
	struct journal *j = open_at(NULL);
	struct journal_pos pos = write_one(j, "x", 1, NULL);
	struct journal_damage d;

	journal_close(&j);
	pos.lsn = 50;
	pos.tick_lsn = 51;
	assert_int_equal(journal_open(dir, NULL, &opts, &pos, &j, &d), ST_CORRUPT);
	pos = (struct journal_pos){ .lsn = 1, .tick_lsn = 2, .segment = 8, .offset = 4096 };
	assert_int_equal(journal_open(dir, NULL, &opts, &pos, &j, &d), ST_CORRUPT);
	assert_true(strstr(d.what, "missing") != NULL);
}

static void
positions_survive_their_encoding(void **state)
{
	struct journal_pos p = { 1ull << 40, (1ull << 40) + 1, 7, 4608 }, q;
	struct buf b = { 0 };
	struct reader r;

	journal_pos_put(&b, &p);
	assert_int_equal(b.len, JOURNAL_POS_BYTES);
	reader_init(&r, b.data, b.len);
	journal_pos_get(&r, &q);
	assert_true(reader_done(&r));
	assert_memory_equal(&p, &q, sizeof(p));
	buf_fini(&b);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_written_is_replayed_from_any_position),
		T(collecting_goes_on_while_a_flush_runs),
		T(a_tick_stays_within_a_segment_and_its_limit),
		T(released_segments_live_again),
		T(a_second_opener_is_refused_and_a_reader_is_not),
		T(a_position_that_is_not_in_the_journal_is_damage),
		T(positions_survive_their_encoding),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
