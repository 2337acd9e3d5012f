#include "storage/service/readers.h"

#include "common/util/mem.h"

struct readers {
	struct journal	*journal;
	struct pool	*pool;
	struct list	 flying;	/* the loop's: submitted, not done */
};

static bool
run(struct pool_job *pj)
{
	struct reader_job *job = list_entry(pj, struct reader_job, job);

	job->status = ST_OK;
	if (job->work != NULL)
		job->work(job, job->arg);
	for (size_t i = 0; i < job->n_runs && job->status == ST_OK; i++)
		job->status = (job->checked ? journal_read_checked : journal_read)(job->journal,
		    job->runs[i].loc, job->data + job->runs[i].at);
	return false;
}

static void
done(struct pool_job *pj)
{
	struct reader_job *job = list_entry(pj, struct reader_job, job);

	list_remove(&job->flying);
	job->done(job, job->arg);
}

struct readers *
readers_new(struct loop *l, struct journal *j, unsigned threads)
{
	struct readers *r = mem_zalloc(sizeof(*r));

	r->journal = j;
	list_init(&r->flying);
	r->pool = pool_new(l, threads);
	return r;
}

void
readers_free(struct readers **rp)
{
	if (*rp == NULL)
		return;
	pool_free(&(*rp)->pool);
	mem_free(rp);
}

void
readers_submit(struct readers *r, struct reader_job *job)
{
	list_push_back(&r->flying, &job->flying);
	job->journal = r->journal;
	job->job = (struct pool_job){ .run = run, .done = done };
	pool_submit(r->pool, &job->job);
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
