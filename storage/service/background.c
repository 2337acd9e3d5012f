#include "storage/service/background.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/list.h"
#include "common/util/mem.h"

#define WORK_US		2000u	/* after so much a rest is due */
#define REST_MAX_MS	50u
#define IOPRIO_PROCESS	1
#define IOPRIO_LOWEST	(2 << 13 | 7)	/* best effort, the last of its levels */

struct job {
	struct list		node;
	background_run_fn	run;
	background_done_fn	done;
	void			*arg;
	bool			ran;
};

struct background {
	bool			in_loop, started, stop;	/* stop: atomic */
	pthread_t		thread;
	pthread_mutex_t		lock;
	pthread_cond_t		wake;
	struct list		todo, done;	/* guarded by lock */
	uint64_t		rested_us;	/* the thread's */
	int			efd;
	struct loop_io		*io;
	struct loop_task	*task;
};

static struct job *
pop(struct list *l)
{
	struct job *job;

	if (list_empty(l))
		return NULL;
	job = list_entry(l->next, struct job, node);
	list_remove(&job->node);
	return job;
}

/* Where the kernel does not let us, it is a thread like the others. */
static void
be_modest(void)
{
	(void)syscall(SYS_ioprio_set, IOPRIO_PROCESS, 0, IOPRIO_LOWEST);
}

static void *
thread(void *arg)
{
	struct background *b = arg;
	const uint64_t one = 1;

	be_modest();
	pthread_mutex_lock(&b->lock);
	while (!background_stopping(b)) {
		struct job *job = pop(&b->todo);

		if (job == NULL) {
			pthread_cond_wait(&b->wake, &b->lock);
			continue;
		}
		pthread_mutex_unlock(&b->lock);
		b->rested_us = clock_mono_us();
		job->run(job->arg);
		job->ran = true;
		pthread_mutex_lock(&b->lock);
		list_push_back(&b->done, &job->node);
		/* The counter cannot overflow, so this never fails. */
		(void)!write(b->efd, &one, sizeof(one));
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static void
finish(struct job *job)
{
	job->done(job->arg, job->ran);
	mem_free(&job);
}

static void
on_done(int fd, unsigned events, void *arg)
{
	struct background *b = arg;
	struct job *job;
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
	for (;;) {
		pthread_mutex_lock(&b->lock);
		job = pop(&b->done);
		pthread_mutex_unlock(&b->lock);
		if (job == NULL)
			return;
		finish(job);
	}
}

/* One job a round. */
static void
on_task(void *arg)
{
	struct background *b = arg;
	struct job *job = pop(&b->todo);

	if (job == NULL)
		return;
	if (!list_empty(&b->todo))
		loop_task_post(b->task);
	job->run(job->arg);
	job->ran = true;
	finish(job);
}

static void
start(struct background *b)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&b->thread, NULL, thread, b) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	b->started = true;
}

struct background *
background_new(struct loop *l, bool in_loop)
{
	struct background *b = mem_zalloc(sizeof(*b));

	b->in_loop = in_loop;
	list_init(&b->todo);
	list_init(&b->done);
	pthread_mutex_init(&b->lock, NULL);
	clock_cond_init(&b->wake);
	b->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->efd < 0)
		abort();
	b->io = loop_io_new(l, b->efd, LOOP_READ, on_done, b);
	b->task = loop_task_new(l, on_task, b);
	return b;
}

void
background_free(struct background **bp)
{
	struct background *b = *bp;
	struct job *job;

	if (b == NULL)
		return;
	pthread_mutex_lock(&b->lock);
	__atomic_store_n(&b->stop, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&b->wake);
	pthread_mutex_unlock(&b->lock);
	if (b->started)
		pthread_join(b->thread, NULL);
	while ((job = pop(&b->done)) != NULL || (job = pop(&b->todo)) != NULL)
		finish(job);
	loop_io_free(&b->io);
	loop_task_free(&b->task);
	fd_close(&b->efd);
	pthread_cond_destroy(&b->wake);
	pthread_mutex_destroy(&b->lock);
	mem_free(bp);
}

void
background_submit(struct background *b, background_run_fn run, background_done_fn done,
    void *arg)
{
	struct job *job = mem_zalloc(sizeof(*job));

	job->run = run;
	job->done = done;
	job->arg = arg;
	pthread_mutex_lock(&b->lock);
	list_push_back(&b->todo, &job->node);
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	if (b->in_loop)
		loop_task_post(b->task);
	else if (!b->started)
		start(b);
}

bool
background_stopping(const struct background *b)
{
	return __atomic_load_n(&b->stop, __ATOMIC_ACQUIRE);
}

void
background_pace(struct background *b)
{
	uint64_t us = clock_mono_us() - b->rested_us, ms = us / 1000;

	if (b->in_loop || us < WORK_US)
		return;
	background_sleep(b, ms < REST_MAX_MS ? (unsigned)ms : REST_MAX_MS);
	b->rested_us = clock_mono_us();
}

void
background_sleep(struct background *b, unsigned ms)
{
	struct timespec ts = clock_mono_in(ms);

	if (b->in_loop)
		return;
	pthread_mutex_lock(&b->lock);
	while (!background_stopping(b) &&
	    pthread_cond_timedwait(&b->wake, &b->lock, &ts) == 0)
		;
	pthread_mutex_unlock(&b->lock);
}
