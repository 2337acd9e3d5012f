#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "common/net/loop.h"
#include "common/util/clock.h"
#include "common/util/fd.h"

struct pair {
	struct loop	*loop;
	struct loop_io	*io[2];
	int		 sv[2];
	int		 calls;
};

static void
free_both(int fd, unsigned events, void *arg)
{
	struct pair *p = arg;

	p->calls++;
	loop_io_free(&p->io[0]);
	loop_io_free(&p->io[1]);
}

static void
a_callback_may_free_itself_and_others(void **state)
{
	struct pair p = { .loop = loop_new() };

	assert_true(fd_socketpair(p.sv));
	for (int i = 0; i < 2; i++)
		p.io[i] = loop_io_new(p.loop, p.sv[i], LOOP_READ | LOOP_WRITE, free_both, &p);
	assert_int_equal(write(p.sv[0], "x", 1), 1);
	assert_int_equal(write(p.sv[1], "x", 1), 1);
	loop_once(p.loop, true);
	loop_once(p.loop, false);
	assert_int_equal(p.calls, 1);
	fd_close(&p.sv[0]);
	fd_close(&p.sv[1]);
	loop_free(&p.loop);
}

static void
note_events(int fd, unsigned events, void *arg)
{
	*(unsigned *)arg |= events;
}

static void
only_the_wanted_events_are_reported(void **state)
{
	struct loop *l = loop_new();
	unsigned seen = 0;
	struct loop_io *io;
	int sv[2];

	assert_true(fd_socketpair(sv));
	io = loop_io_new(l, sv[0], 0, note_events, &seen);
	assert_int_equal(write(sv[1], "x", 1), 1);
	loop_once(l, false);
	assert_int_equal(seen, 0);
	loop_io_set(io, LOOP_WRITE);
	loop_once(l, false);
	assert_int_equal(seen, LOOP_WRITE);
	seen = 0;
	loop_io_set(io, LOOP_READ);
	loop_once(l, false);
	assert_int_equal(seen, LOOP_READ);
	seen = 0;
	loop_io_set(io, LOOP_READ | LOOP_WRITE);
	loop_once(l, false);
	assert_int_equal(seen, LOOP_READ | LOOP_WRITE);
	seen = 0;
	loop_io_set(io, 0);
	loop_once(l, false);
	assert_int_equal(seen, 0);
	loop_io_free(&io);
	fd_close(&sv[0]);
	fd_close(&sv[1]);
	loop_free(&l);
}

static void
count(void *arg)
{
	++*(int *)arg;
}

static void
a_timer_moved_later_runs_once_and_late(void **state)
{
	struct loop *l = loop_new();
	int fired = 0;
	struct loop_timer *t = loop_timer_new(l, count, &fired);
	uint64_t start = clock_mono_ms();

	assert_false(loop_timer_is_set(t));
	loop_timer_set(t, 5);
	loop_timer_set(t, 40);
	assert_true(loop_timer_is_set(t));
	while (fired == 0)
		loop_once(l, true);
	assert_true(clock_mono_ms() - start >= 39);
	assert_false(loop_timer_is_set(t));
	loop_timer_set(t, 1000000);
	loop_timer_set(t, 1);
	while (fired == 1)
		loop_once(l, true);
	assert_true(clock_mono_ms() - start < 5000);
	loop_timer_set(t, 1);
	loop_timer_clear(t);
	while (clock_mono_ms() - start < 60)
		loop_once(l, false);
	assert_int_equal(fired, 2);
	loop_timer_free(&t);
	loop_free(&l);
}

struct chain {
	struct loop_task	*self, *other;
	struct loop		*loop;
	int			 runs;
};

static void
post_again(void *arg)
{
	struct chain *c = arg;

	c->runs++;
	loop_task_free(&c->other);
	if (c->runs < 3)
		loop_task_post(c->self);
	else
		loop_stop(c->loop);
}

static void
a_task_runs_once_a_round_and_never_when_freed(void **state)
{
	struct chain c = { .loop = loop_new() };
	int other = 0;

	c.self = loop_task_new(c.loop, post_again, &c);
	c.other = loop_task_new(c.loop, count, &other);
	loop_task_post(c.self);
	loop_task_post(c.self);
	loop_task_post(c.other);
	loop_once(c.loop, true);
	assert_int_equal(c.runs, 1);
	loop_run(c.loop);
	assert_int_equal(c.runs, 3);
	assert_int_equal(other, 0);
	loop_task_free(&c.self);
	loop_free(&c.loop);
}

static void
a_signal_reaches_its_callback(void **state)
{
	struct loop *l = loop_new();
	int got = 0;
	struct loop_signal *s = loop_signal_new(l, SIGUSR1, count, &got);

	raise(SIGUSR1);
	while (got == 0)
		loop_once(l, true);
	assert_int_equal(got, 1);
	loop_signal_free(&s);
	loop_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_callback_may_free_itself_and_others),
		cmocka_unit_test(only_the_wanted_events_are_reported),
		cmocka_unit_test(a_timer_moved_later_runs_once_and_late),
		cmocka_unit_test(a_task_runs_once_a_round_and_never_when_freed),
		cmocka_unit_test(a_signal_reaches_its_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
