/* Requests without a channel. */
#include "storage/client/store_priv.h"

#include "common/util/mem.h"

struct store_ask *
store_failed_ask(struct store_pool *p)
{
	struct list *n, *tmp;

	list_each(n, tmp, &p->asks) {
		struct store_ask *a = list_entry(n, struct store_ask, node);

		if (a->req == 0)
			return a;
	}
	return NULL;
}

void
store_ask_done(struct store_ask *a, enum status st, const void *msg)
{
	store_done_fn fn = a->fn;
	void *arg = a->arg;

	list_remove(&a->node);
	mem_free(&a);
	fn(arg, st, false, msg);
}

/* The socket was replaced: nobody answers any more. */
void
store_asks_lost(struct shard *sh)
{
	struct list *n, *tmp;

	list_each(n, tmp, &sh->pool->asks) {
		struct store_ask *a = list_entry(n, struct store_ask, node);

		if (a->shard == sh)
			a->req = 0;
	}
	loop_task_post(sh->pool->task);
}

static void
on_answer(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct store_ask *a = arg;
	enum status st = h->status;

	if (h->more) {
		if (a->parts && m != NULL && m->no == a->reply_no)
			a->fn(a->arg, ST_OK, true, msg);
		return;
	}
	if (st == ST_OK && (m != NULL ? m->no : 0) != a->reply_no)
		st = ST_BUG;
	store_ask_done(a, st, st == ST_OK ? msg : NULL);
}

static struct store_ask *
ask(struct store_pool *p, uint32_t shard, uint16_t no, uint16_t reply_no, const void *rq,
    store_done_fn fn, void *arg)
{
	struct store_ask *a = mem_zalloc(sizeof(*a));

	a->pool = p;
	a->shard = store_shard_get(p, shard);
	a->reply_no = reply_no;
	a->fn = fn;
	a->arg = arg;
	list_push_back(&p->asks, &a->node);
	if (a->shard->ipc != NULL && ipc_is_open(a->shard->ipc))
		a->req = ipc_request(a->shard->ipc, 0, no, rq, on_answer, a);
	else
		loop_task_post(p->task);
	return a;
}

struct store_ask *
store_ask_stats(struct store_pool *p, uint32_t shard, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_STATS, STORE_STATS_ARE, NULL, fn, arg);
}

struct store_ask *
store_ask_fsck(struct store_pool *p, uint32_t shard, const struct store_fsck *rq,
    store_done_fn fn, void *arg)
{
	struct store_ask *a = ask(p, shard, STORE_FSCK, STORE_FSCK_IS, rq, fn, arg);

	a->parts = true;
	return a;
}

struct store_ask *
store_ask_copy_make(struct store_pool *p, uint32_t shard, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_COPY_MAKE, STORE_COPY_MADE, NULL, fn, arg);
}

struct store_ask *
store_ask_copies(struct store_pool *p, uint32_t shard, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_COPIES, STORE_COPIES_ARE, NULL, fn, arg);
}

struct store_ask *
store_ask_delete(struct store_pool *p, uint32_t shard, uint64_t account, store_done_fn fn,
    void *arg)
{
	const struct store_account_delete rq = { .account = account };

	return ask(p, shard, STORE_ACCOUNT_DELETE, 0, &rq, fn, arg);
}

struct store_ask *
store_ask_undelete(struct store_pool *p, uint32_t shard, uint64_t account, store_done_fn fn,
    void *arg)
{
	const struct store_account_delete rq = { .account = account };

	return ask(p, shard, STORE_ACCOUNT_UNDELETE, 0, &rq, fn, arg);
}

struct store_ask *
store_ask_limits(struct store_pool *p, uint32_t shard, const struct store_account_limits *rq,
    store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_ACCOUNT_LIMITS, 0, rq, fn, arg);
}

struct store_ask *
store_ask_queue(struct store_pool *p, uint32_t shard, const struct store_queue *rq,
    store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_QUEUE, STORE_QUEUE_ARE, rq, fn, arg);
}

struct store_ask *
store_ask_queue_set(struct store_pool *p, uint32_t shard, const struct store_queue_set *rq,
    store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_QUEUE_SET, 0, rq, fn, arg);
}

struct store_ask *
store_ask_backup_begin(struct store_pool *p, uint32_t shard,
    const struct store_backup_begin *rq, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_BACKUP_BEGIN, STORE_BACKUP_IS, rq, fn, arg);
}

struct store_ask *
store_ask_backup_read(struct store_pool *p, uint32_t shard,
    const struct store_backup_read *rq, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_BACKUP_READ, STORE_BACKUP_DATA, rq, fn, arg);
}

struct store_ask *
store_ask_backup_end(struct store_pool *p, uint32_t shard,
    const struct store_backup_end *rq, store_done_fn fn, void *arg)
{
	return ask(p, shard, STORE_BACKUP_END, 0, rq, fn, arg);
}

void
store_ask_cancel(struct store_ask **ap)
{
	struct store_ask *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	if (a->req != 0 && a->shard->ipc != NULL)
		ipc_cancel(a->shard->ipc, a->req);
	list_remove(&a->node);
	mem_free(&a);
}
