#include "storage/service/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"

struct queue {
	struct pool_job *first, **end;
};

struct pool {
	pthread_mutex_t	 lock;
	pthread_cond_t	 wake, idle;
	struct queue	 todo, done;
	unsigned	 running;
	bool		 stop;
	int		 efd;
	struct loop_io	*io;
	pthread_t	*threads;
	unsigned	 n_threads;
};

static void
push(struct queue *q, struct pool_job *job)
{
	job->next = NULL;
	*q->end = job;
	q->end = &job->next;
}

static struct pool_job *
pop(struct queue *q)
{
	struct pool_job *job = q->first;

	if (job != NULL && (q->first = job->next) == NULL)
		q->end = &q->first;
	return job;
}

static void *
thread(void *arg)
{
	struct pool *p = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct pool_job *job = pop(&p->todo);
		bool more;

		if (job == NULL) {
			if (p->stop)
				break;
			pthread_cond_wait(&p->wake, &p->lock);
			continue;
		}
		p->running++;
		pthread_mutex_unlock(&p->lock);
		more = job->run(job);
		pthread_mutex_lock(&p->lock);
		p->running--;
		if (more) {
			push(&p->todo, job);
			continue;
		}
		push(&p->done, job);
		pthread_cond_signal(&p->idle);
		/* The counter cannot overflow, so this never fails. */
		(void)!write(p->efd, &one, sizeof(one));
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static bool
take_done(struct pool *p)
{
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	job = pop(&p->done);
	pthread_mutex_unlock(&p->lock);
	if (job != NULL)
		job->done(job);
	return job != NULL;
}

static void
on_done(int fd, unsigned events, void *arg)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
	while (take_done(arg))
		;
}

struct pool *
pool_new(struct loop *l, unsigned threads)
{
	struct pool *p = mem_zalloc(sizeof(*p));
	sigset_t all, old;

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	pthread_cond_init(&p->idle, NULL);
	p->todo.end = &p->todo.first;
	p->done.end = &p->done.first;
	p->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->efd < 0)
		abort();
	p->io = loop_io_new(l, p->efd, LOOP_READ, on_done, p);
	p->threads = mem_array(threads, sizeof(*p->threads));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (p->n_threads < threads &&
	    pthread_create(&p->threads[p->n_threads], NULL, thread, p) == 0)
		p->n_threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (p->n_threads == 0)
		abort();
	return p;
}

/* Waits until something is done; false: nothing is under way. */
static bool
wait_done(struct pool *p)
{
	bool any;

	pthread_mutex_lock(&p->lock);
	while (p->done.first == NULL && (p->todo.first != NULL || p->running > 0))
		pthread_cond_wait(&p->idle, &p->lock);
	any = p->done.first != NULL;
	pthread_mutex_unlock(&p->lock);
	return any;
}

void
pool_free(struct pool **pp)
{
	struct pool *p = *pp;

	if (p == NULL)
		return;
	while (wait_done(p))
		(void)take_done(p);
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	loop_io_free(&p->io);
	fd_close(&p->efd);
	pthread_cond_destroy(&p->wake);
	pthread_cond_destroy(&p->idle);
	pthread_mutex_destroy(&p->lock);
	mem_free(&p->threads);
	mem_free(pp);
}

void
pool_submit(struct pool *p, struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	push(&p->todo, job);
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
}
