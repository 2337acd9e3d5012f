#include "storage/client/copy.h"

#include "common/net/loop.h"
#include "common/util/mem.h"
#include "storage/client/packer.h"

#define UNANSWERED_MAX	4		/* chunks on their way */
#define STAGE		1		/* a channel carries one message at a time */

/* A chunk on its way.  Refusals overtake those that wait for the journal. */
struct chunk {
	struct copy		*copy;
	struct store_call	*call;		/* NULL: free */
};

struct copy {
	struct copy_to		to;
	struct store		*store;
	struct loop_task	*fail;		/* reports `st` when no call is under way */
	struct packer		*packer;
	struct store_append_item item;		/* of a text that is complete */
	struct buf		out;		/* stored bytes not yet sent */
	struct store_call	*call;		/* quota or append */
	struct chunk		chunks[UNANSWERED_MAX];
	unsigned		unanswered;
	uint64_t		size, wanted;
	bool			staged, finished;
	enum status		st;
};

static void
on_fail(void *arg)
{
	struct copy *c = arg;

	c->to.done(c->to.arg, c->st);
}

static void
on_event(void *arg, enum store_event ev, uint64_t modseq)
{
	/* a ticket for one message: whatever it is, the calls under way tell */
}

struct copy *
copy_new(const struct copy_to *to)
{
	struct copy *c = mem_zalloc(sizeof(*c));

	c->to = *to;
	c->to.ticket = SPAN_NONE;
	c->fail = loop_task_new(to->loop, on_fail, c);
	c->store = store_open_idle(to->pool, to->shard, to->ticket, on_event, c);
	return c;
}

static void
forget_message(struct copy *c)
{
	store_cancel(&c->call);
	for (size_t i = 0; i < UNANSWERED_MAX; i++)
		store_cancel(&c->chunks[i].call);
	c->unanswered = 0;
	if (c->staged)
		store_stage_free(c->store, STAGE);
	c->staged = c->finished = false;
	packer_free(&c->packer);
	buf_fini(&c->out);
	c->st = ST_OK;
}

void
copy_free(struct copy **cp)
{
	struct copy *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	forget_message(c);
	store_close(&c->store);
	loop_task_free(&c->fail);
	mem_free(&c);
}

static void
on_quota(void *arg, enum status st, bool more, const void *msg)
{
	struct copy *c = arg;
	const struct store_quota_is *q = msg;

	c->call = NULL;
	if (st == ST_OK && ((q->bytes_limit > 0 && q->bytes + c->wanted > q->bytes_limit) ||
	    (q->messages_limit > 0 && q->messages >= q->messages_limit)))
		st = ST_OVER_QUOTA;
	c->to.done(c->to.arg, st);
}

void
copy_check(struct copy *c, uint64_t size)
{
	c->wanted = size;
	c->call = store_do_quota(c->store, on_quota, c);
}

void
copy_begin(struct copy *c, struct span prefix, uint64_t size)
{
	forget_message(c);
	c->wanted = size;
	/* Nobody shares bodies: what is this copy's own packs better with the rest of it. */
	c->packer = packer_new(0);
	packer_feed(c->packer, prefix, &c->out);
}

static void on_chunk(void *arg, enum status st, bool more, const void *msg);

static struct chunk *
free_chunk(struct copy *c)
{
	size_t i = 0;

	while (c->chunks[i].call != NULL)
		i++;
	c->chunks[i].copy = c;
	return &c->chunks[i];
}

static void
send_chunks(struct copy *c, size_t keep)
{
	while (c->out.len > keep && c->unanswered < UNANSWERED_MAX && c->st == ST_OK) {
		size_t n = c->out.len < STORE_CHUNK_MAX ? c->out.len : STORE_CHUNK_MAX;
		struct store_stage rq = { STAGE, 0, span(c->out.data, n) };
		struct chunk *k = free_chunk(c);

		c->staged = true;
		c->unanswered++;
		k->call = store_do_stage(c->store, &rq, on_chunk, k);
		buf_drop(&c->out, n);
	}
}

static void append(struct copy *c);

static void
on_chunk(void *arg, enum status st, bool more, const void *msg)
{
	struct chunk *k = arg;
	struct copy *c = k->copy;

	k->call = NULL;
	c->unanswered--;
	if (st != ST_OK && c->st == ST_OK)
		c->st = st;
	if (c->st != ST_OK) {
		buf_fini(&c->out);
		/* an append under way knows better: it may have happened */
		if (c->finished && c->unanswered == 0 && c->call == NULL)
			c->to.done(c->to.arg, c->st);
		else if (!c->finished)
			c->to.room(c->to.arg);
		return;
	}
	if (!c->finished) {
		send_chunks(c, STORE_INLINE_MAX);
		c->to.room(c->to.arg);
		return;
	}
	send_chunks(c, 0);
	if (c->out.len == 0 && c->call == NULL)
		append(c);
}

void
copy_feed(struct copy *c, struct span text)
{
	packer_feed(c->packer, text, &c->out);
	if (c->st != ST_OK)
		buf_clear(&c->out);	/* refused: the rest is only counted */
	else
		send_chunks(c, STORE_INLINE_MAX);
}

bool
copy_busy(const struct copy *c)
{
	return c->unanswered == UNANSWERED_MAX && c->out.len > STORE_CHUNK_MAX;
}

static void
on_append(void *arg, enum status st, bool more, const void *msg)
{
	struct copy *c = arg;

	c->call = NULL;
	c->to.done(c->to.arg, st);
}

static void
append(struct copy *c)
{
	struct store_append rq = { .path = SPAN_LIT("INBOX") };
	struct store_append_item it = c->item;
	struct buf items = { 0 };

	if (c->staged)
		it.stage = STAGE;
	else
		it.body = buf_span(&c->out);
	put_store_append_item(&items, &it);
	rq.items = buf_span(&items);
	c->call = store_do_append(c->store, &rq, on_append, c);
	buf_fini(&items);
}

void
copy_finish(struct copy *c)
{
	packer_finish(c->packer, &c->out, &c->item);
	c->size = c->item.size;
	c->finished = true;
	if (c->st == ST_OK && (c->staged || c->out.len > STORE_INLINE_MAX))
		send_chunks(c, 0);
	if (c->st != ST_OK && c->unanswered == 0)
		loop_task_post(c->fail);
	else if (c->unanswered == 0)
		append(c);
}

const struct store_quota_is *
copy_use(const struct copy *c)
{
	return store_told_use(c->store);
}

uint64_t
copy_size(const struct copy *c)
{
	return c->size;
}
