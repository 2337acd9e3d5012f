#include "storage/service/readers.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"

struct queue {
	struct reader_job *first, **end;
};

struct readers {
	struct journal	*journal;
	pthread_mutex_t	 lock;
	pthread_cond_t	 wake;
	struct queue	 todo, done;
	bool		 stop;
	int		 efd;
	struct loop_io	*io;
	pthread_t	*threads;
	unsigned	 n_threads;
	struct list	 flying;	/* the loop's: submitted, not done */
};

static void
push(struct queue *q, struct reader_job *job)
{
	job->next = NULL;
	*q->end = job;
	q->end = &job->next;
}

static struct reader_job *
pop(struct queue *q)
{
	struct reader_job *job = q->first;

	if (job != NULL && (q->first = job->next) == NULL)
		q->end = &q->first;
	return job;
}

static void
run(struct readers *r, struct reader_job *job)
{
	job->status = ST_OK;
	if (job->work != NULL)
		job->work(job, job->arg);
	for (size_t i = 0; i < job->n_runs && job->status == ST_OK; i++)
		job->status = (job->checked ? journal_read_checked : journal_read)(r->journal,
		    job->runs[i].loc, job->data + job->runs[i].at);
}

static void *
thread(void *arg)
{
	struct readers *r = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		struct reader_job *job = pop(&r->todo);

		if (job == NULL) {
			if (r->stop)
				break;
			pthread_cond_wait(&r->wake, &r->lock);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		run(r, job);
		pthread_mutex_lock(&r->lock);
		push(&r->done, job);
		/* The counter cannot overflow, so this never fails. */
		(void)!write(r->efd, &one, sizeof(one));
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

static void
on_done(int fd, unsigned events, void *arg)
{
	struct readers *r = arg;
	struct reader_job *job;
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
	for (;;) {
		pthread_mutex_lock(&r->lock);
		job = pop(&r->done);
		pthread_mutex_unlock(&r->lock);
		if (job == NULL)
			return;
		list_remove(&job->flying);
		job->done(job, job->arg);
	}
}

struct readers *
readers_new(struct loop *l, struct journal *j, unsigned threads)
{
	struct readers *r = mem_zalloc(sizeof(*r));
	sigset_t all, old;

	r->journal = j;
	list_init(&r->flying);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	r->todo.end = &r->todo.first;
	r->done.end = &r->done.first;
	r->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->efd < 0)
		abort();
	r->io = loop_io_new(l, r->efd, LOOP_READ, on_done, r);
	r->threads = mem_array(threads, sizeof(*r->threads));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (r->n_threads < threads &&
	    pthread_create(&r->threads[r->n_threads], NULL, thread, r) == 0)
		r->n_threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r->n_threads == 0)
		abort();
	return r;
}

void
readers_free(struct readers **rp)
{
	struct readers *r = *rp;
	struct reader_job *job;

	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->wake);
	pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < r->n_threads; i++)
		pthread_join(r->threads[i], NULL);
	while ((job = pop(&r->done)) != NULL) {
		list_remove(&job->flying);
		job->done(job, job->arg);
	}
	loop_io_free(&r->io);
	fd_close(&r->efd);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	mem_free(&r->threads);
	mem_free(rp);
}

void
readers_submit(struct readers *r, struct reader_job *job)
{
	list_push_back(&r->flying, &job->flying);
	pthread_mutex_lock(&r->lock);
	push(&r->todo, job);
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

bool
readers_use(const struct readers *r, uint32_t segment)
{
	for (const struct list *n = r->flying.next; n != &r->flying; n = n->next) {
		const struct reader_job *job = list_entry(n, struct reader_job, flying);

		for (size_t i = 0; i < job->n_runs; i++)
			if (job->runs[i].loc.segment == segment)
				return true;
	}
	return false;
}

void
reader_job_free(struct reader_job **job)
{
	if (*job == NULL)
		return;
	mem_free(&(*job)->pieces);
	mem_free(&(*job)->runs);
	mem_free(&(*job)->data);
	mem_free(job);
}
