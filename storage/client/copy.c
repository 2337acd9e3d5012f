#include "storage/client/copy.h"

#include "common/net/loop.h"
#include "common/util/mem.h"
#include "storage/client/packer.h"
#include "storage/client/stager.h"

#define STAGE		1		/* a channel carries one message at a time */

struct copy {
	struct copy_to		to;
	struct store		*store;
	struct loop_task	*fail;		/* reports when no call is under way */
	struct packer		*packer;
	struct stager		*stager;
	struct store_append_item item;		/* of a text that is complete */
	struct store_call	*call;		/* quota or append */
	uint64_t		size, wanted;
	bool			hold;		/* no append: another request carries it */
};

static void
on_fail(void *arg)
{
	struct copy *c = arg;

	c->to.done(c->to.arg, stager_status(c->stager));
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
	stager_free(&c->stager);
	packer_free(&c->packer);
	c->hold = false;
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

static void append(struct copy *c);

static void
on_staged(void *arg, enum status st)
{
	struct copy *c = arg;

	if (st == ST_OK && !c->hold)
		append(c);
	else
		c->to.done(c->to.arg, st);
}

static void
on_room(void *arg)
{
	struct copy *c = arg;

	c->to.room(c->to.arg);
}

static const struct stager_ops stager_ops = { .room = on_room, .done = on_staged };

void
copy_begin(struct copy *c, struct span prefix, uint64_t size)
{
	forget_message(c);
	c->wanted = size;
	/* Nobody shares bodies: what is this copy's own packs better with the rest of it. */
	c->packer = packer_new(0);
	c->stager = stager_new(c->store, STAGE, &stager_ops, c);
	packer_feed(c->packer, prefix, stager_out(c->stager));
}

void
copy_feed(struct copy *c, struct span text)
{
	packer_feed(c->packer, text, stager_out(c->stager));
	stager_push(c->stager);
}

bool
copy_busy(const struct copy *c)
{
	return stager_busy(c->stager);
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

	stager_item(c->stager, &it);
	put_store_append_item(&items, &it);
	rq.items = buf_span(&items);
	c->call = store_do_append(c->store, &rq, on_append, c);
	buf_fini(&items);
}

static bool
finish(struct copy *c, bool hold)
{
	packer_finish(c->packer, stager_out(c->stager), &c->item);
	c->size = c->item.size;
	c->hold = hold;
	return stager_finish(c->stager);
}

void
copy_finish(struct copy *c)
{
	if (!finish(c, false))
		return;
	if (stager_status(c->stager) != ST_OK)
		loop_task_post(c->fail);
	else
		append(c);
}

void
copy_hold(struct copy *c)
{
	if (finish(c, true))
		loop_task_post(c->fail);
}

struct store *
copy_store(const struct copy *c)
{
	return c->store;
}

struct store_append_item
copy_item(const struct copy *c)
{
	struct store_append_item it = c->item;

	stager_item(c->stager, &it);
	return it;
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
