/* The loop over libevent.  A round is: wait, callbacks of what is ready, then the
 * tasks that were posted meanwhile; a task posted by a task waits for the next
 * round, which then does not sleep. */
#include "common/net/loop.h"

#include <assert.h>
#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/util/clock.h"
#include "common/util/list.h"
#include "common/util/mem.h"

struct loop {
	struct event_base	*base;
	struct list		 tasks;		/* posted, not run */
	uint64_t		 now_ms;
	bool			 now_fresh;	/* now_ms is of this round */
	bool			 stopped;
};

/* Two events, because changing one event means deleting and adding it: two system
 * calls.  Writing is rarely waited for, so its event exists only then. */
struct loop_io {
	struct event		 rd;
	struct event		*wr;
	struct loop		*loop;
	loop_io_fn		 fn;
	void			*arg;
	int			 fd;
	unsigned		 events;
};

/* The event may be due before the timer: moving a timer later only notes it, and
 * the early event adds itself again. */
struct loop_timer {
	struct event	 ev;
	struct loop	*loop;
	loop_fn		 fn;
	void		*arg;
	uint64_t	 due_ms;		/* 0: not set */
	uint64_t	 ev_ms;			/* when ev is due, 0: not added */
};

struct loop_signal {
	struct event	 ev;
	struct loop	*loop;
	loop_fn		 fn;
	void		*arg;
};

struct loop_task {
	struct list	 node;			/* in no list: not posted */
	struct loop	*loop;
	loop_fn		 fn;
	void		*arg;
};

struct loop *
loop_new(void)
{
	struct loop *l = mem_zalloc(sizeof(*l));
	struct event_config *cfg;

	event_set_mem_functions(mem_alloc, mem_realloc, free);
	cfg = event_config_new();
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	l->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (l->base == NULL)		/* no descriptor left: nothing can be served */
		abort();
	list_init(&l->tasks);
	return l;
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (l == NULL)
		return;
	assert(list_empty(&l->tasks));
	event_base_free(l->base);
	mem_free(lp);
}

static void
round_begun(struct loop *l)
{
	if (!l->now_fresh) {
		l->now_ms = clock_mono_ms();
		l->now_fresh = true;
	}
}

static void
run_tasks(struct loop *l)
{
	struct list batch;

	if (list_empty(&l->tasks))
		return;
	round_begun(l);
	batch = l->tasks;
	batch.next->prev = batch.prev->next = &batch;
	list_init(&l->tasks);
	while (!list_empty(&batch)) {
		struct loop_task *t = list_entry(batch.next, struct loop_task, node);

		list_remove(&t->node);
		t->fn(t->arg);
	}
}

void
loop_once(struct loop *l, bool wait)
{
	int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

	if (!wait || !list_empty(&l->tasks))
		flags |= EVLOOP_NONBLOCK;
	l->now_fresh = false;
	event_base_loop(l->base, flags);
	run_tasks(l);
	l->now_fresh = false;
}

void
loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped)
		loop_once(l, true);
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}

uint64_t
loop_now_ms(const struct loop *l)
{
	return l->now_fresh ? l->now_ms : clock_mono_ms();
}

bool
loop_reinit(struct loop *l)
{
	return event_reinit(l->base) == 0;
}

static void
io_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;

	round_begun(io->loop);
	io->fn(fd, what & EV_WRITE ? LOOP_WRITE : LOOP_READ, io->arg);
}

struct loop_io *
loop_io_new(struct loop *l, int fd, unsigned events, loop_io_fn fn, void *arg)
{
	struct loop_io *io = mem_zalloc(sizeof(*io));

	assert(fd >= 0);
	io->loop = l;
	io->fn = fn;
	io->arg = arg;
	io->fd = fd;
	event_assign(&io->rd, l->base, fd, EV_READ | EV_PERSIST, io_ready, io);
	loop_io_set(io, events);
	return io;
}

static void
must(int event_result)
{
	/* Adding fails for a descriptor that is closed or cannot be waited for. */
	assert(event_result == 0);
	(void)event_result;
}

void
loop_io_set(struct loop_io *io, unsigned events)
{
	unsigned changed = io->events ^ events;

	io->events = events;
	if (changed & LOOP_READ) {
		if (events & LOOP_READ)
			must(event_add(&io->rd, NULL));
		else
			event_del(&io->rd);
	}
	if (!(changed & LOOP_WRITE))
		return;
	if (events & LOOP_WRITE) {
		io->wr = event_new(io->loop->base, io->fd,
		    EV_WRITE | EV_PERSIST, io_ready, io);
		must(event_add(io->wr, NULL));
	} else {
		event_free(io->wr);
		io->wr = NULL;
	}
}

void
loop_io_free(struct loop_io **iop)
{
	if (*iop == NULL)
		return;
	loop_io_set(*iop, 0);
	mem_free(iop);
}

static void
timer_add(struct loop_timer *t, uint64_t now)
{
	uint64_t after = t->due_ms > now ? t->due_ms - now : 0;
	struct timeval tv = { (time_t)(after / 1000), (suseconds_t)(after % 1000 * 1000) };

	t->ev_ms = t->due_ms;
	event_add(&t->ev, &tv);
}

static void
timer_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	round_begun(t->loop);
	t->ev_ms = 0;
	if (t->due_ms == 0)
		return;
	if (t->due_ms > t->loop->now_ms) {
		timer_add(t, t->loop->now_ms);
		return;
	}
	t->due_ms = 0;
	t->fn(t->arg);
}

struct loop_timer *
loop_timer_new(struct loop *l, loop_fn fn, void *arg)
{
	struct loop_timer *t = mem_zalloc(sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	event_assign(&t->ev, l->base, -1, 0, timer_ready, t);
	return t;
}

void
loop_timer_set(struct loop_timer *t, uint64_t after_ms)
{
	uint64_t now = loop_now_ms(t->loop);

	/* A year is for ever, and keeps the sum from wrapping. */
	if (after_ms > 366ULL * 86400 * 1000)
		after_ms = 366ULL * 86400 * 1000;
	t->due_ms = now + after_ms;
	if (t->ev_ms == 0 || t->due_ms < t->ev_ms)
		timer_add(t, now);
}

void
loop_timer_clear(struct loop_timer *t)
{
	t->due_ms = 0;
}

bool
loop_timer_is_set(const struct loop_timer *t)
{
	return t->due_ms != 0;
}

void
loop_timer_free(struct loop_timer **tp)
{
	if (*tp == NULL)
		return;
	event_del(&(*tp)->ev);
	mem_free(tp);
}

static void
signal_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_signal *s = arg;

	round_begun(s->loop);
	s->fn(s->arg);
}

struct loop_signal *
loop_signal_new(struct loop *l, int sig, loop_fn fn, void *arg)
{
	struct loop_signal *s = mem_zalloc(sizeof(*s));

	s->loop = l;
	s->fn = fn;
	s->arg = arg;
	event_assign(&s->ev, l->base, sig, EV_SIGNAL | EV_PERSIST, signal_ready, s);
	must(event_add(&s->ev, NULL));
	return s;
}

void
loop_signal_free(struct loop_signal **sp)
{
	if (*sp == NULL)
		return;
	event_del(&(*sp)->ev);
	mem_free(sp);
}

struct loop_task *
loop_task_new(struct loop *l, loop_fn fn, void *arg)
{
	struct loop_task *t = mem_zalloc(sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	return t;
}

void
loop_task_post(struct loop_task *t)
{
	if (t->node.next == NULL)
		list_push_back(&t->loop->tasks, &t->node);
}

void
loop_task_free(struct loop_task **tp)
{
	if (*tp == NULL)
		return;
	list_remove(&(*tp)->node);
	mem_free(tp);
}
