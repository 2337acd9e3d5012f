#include "storage/service/fsck_texts.h"

#include <stdatomic.h>

#include "common/util/mem.h"
#include "storage/service/service_priv.h"

struct fsck_texts {
	struct pool_job		 job;
	struct service		*svc;
	bool			 only;		/* one account */
	uint64_t		 account;
	int			 dir;
	uint16_t		 shard;
	struct text_view	*view;		/* the thread's, while a job runs */
	size_t			 block;
	struct buf		 lines;
	uint64_t		 wrong;
	atomic_bool		 cancelled;
	fsck_texts_fn		 fn;
	void			*arg;
};

static bool
run(struct pool_job *job)
{
	struct fsck_texts *f = list_entry(job, struct fsck_texts, job);

	if (f->view == NULL)
		f->view = text_open(f->dir, f->shard, f->account);
	return !atomic_load(&f->cancelled) &&
	    text_check_block(f->view, f->block++, NULL, NULL, &f->lines, &f->wrong);
}

static void
texts_free_check(struct fsck_texts *f)
{
	buf_fini(&f->lines);
	mem_free(&f);
}

static void done(struct pool_job *job);

static void
begin(struct fsck_texts *f)
{
	buf_clear(&f->lines);
	f->wrong = 0;
	f->block = 0;
	f->job = (struct pool_job){ .run = run, .done = done };
	pool_submit(texts_pool(f->svc->texts), &f->job);
}

/* The next account; false: there is none. */
static bool
go_on(struct fsck_texts *f)
{
	struct state_account a;

	if (f->only || f->svc->closing || atomic_load(&f->cancelled) ||
	    state_account_next(f->svc->state, f->account, &a) != ST_OK)
		return false;
	f->account = a.id;
	begin(f);
	return true;
}

static void
done(struct pool_job *job)
{
	struct fsck_texts *f = list_entry(job, struct fsck_texts, job);

	text_view_unref(&f->view);
	if (f->wrong > 0 && !f->svc->closing)
		texts_damaged(f->svc->texts, f->account);
	if (f->wrong > 0 && !atomic_load(&f->cancelled))
		f->fn(f->arg, f->account, buf_span(&f->lines));
	if (go_on(f))
		return;
	if (!atomic_load(&f->cancelled))
		f->fn(f->arg, 0, SPAN_NONE);
	texts_free_check(f);
}

struct fsck_texts *
fsck_texts_start(struct service *svc, uint64_t account, fsck_texts_fn fn, void *arg)
{
	struct fsck_texts *f = mem_zalloc(sizeof(*f));

	f->svc = svc;
	f->only = account != 0;
	f->account = account;
	f->dir = texts_dir(svc->texts);
	f->shard = (uint16_t)svc->cf.shard;
	f->fn = fn;
	f->arg = arg;
	if (f->only) {
		begin(f);
	} else if (!go_on(f)) {
		texts_free_check(f);
		return NULL;
	}
	return f;
}

void
fsck_texts_cancel(struct fsck_texts **f)
{
	if (*f != NULL)
		atomic_store(&(*f)->cancelled, true);
	*f = NULL;
}
