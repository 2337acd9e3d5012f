#include "jmapd/email/adding.h"

#include "common/util/mem.h"
#include "storage/client/packer.h"

#define AHEAD	4	/* chunks that the store has not taken yet */

struct chunk {
	struct adding		*adding;
	struct store_call	*call;		/* NULL: free */
};

struct adding {
	struct jmap_account	*account;
	const struct adding_ops	*ops;
	void			*arg;
	struct packer		*packer;
	struct buf		stored;		/* not staged yet */
	uint32_t		stage;		/* 0: none */
	struct chunk		chunks[AHEAD];	/* under way */
	unsigned		pending;
	struct store_call	*call;		/* the append */
	bool			whole;		/* all was fed: the append follows the chunks */
	struct buf		mailboxes, keywords, items;
	uint64_t		if_email, size;
};

struct adding *
adding_new(struct jmap_account *a, const struct adding_ops *ops, void *arg)
{
	struct adding *ad = mem_zalloc(sizeof(*ad));

	ad->account = jmap_account_hold(a);
	ad->ops = ops;
	ad->arg = arg;
	ad->packer = packer_new(0);
	for (size_t i = 0; i < AHEAD; i++)
		ad->chunks[i].adding = ad;
	return ad;
}

void
adding_free(struct adding **adp)
{
	struct adding *ad = *adp;

	if (ad == NULL)
		return;
	if (ad->account->store != NULL) {
		for (size_t i = 0; i < AHEAD; i++)
			store_cancel(&ad->chunks[i].call);
		store_cancel(&ad->call);
		if (ad->stage != 0)
			store_stage_free(ad->account->store, ad->stage);
	}
	packer_free(&ad->packer);
	buf_fini(&ad->stored);
	buf_fini(&ad->mailboxes);
	buf_fini(&ad->keywords);
	buf_fini(&ad->items);
	jmap_account_release(&ad->account);
	mem_free(adp);
}

bool
adding_full(const struct adding *ad)
{
	return ad->pending == AHEAD;
}

uint64_t
adding_size(const struct adding *ad)
{
	return packer_size(ad->packer);
}

static void
fail(struct adding *ad, enum status st)
{
	for (size_t i = 0; i < AHEAD && ad->account->store != NULL; i++)
		store_cancel(&ad->chunks[i].call);
	ad->ops->done(ad->arg, st, NULL);
}

/* --- the append --- */

static void
on_appended(void *arg, enum status st, bool more, const void *msg)
{
	struct adding *ad = arg;
	const struct store_appended *a = msg;
	struct added added = { .size = ad->size };

	if (more)
		return;
	ad->call = NULL;
	if (st == ST_OK && (a == NULL || a->ids.len < 16))
		st = ST_BUG;
	if (st != ST_OK) {
		fail(ad, st);
		return;
	}
	added.message = get_be64(a->ids.p);
	added.thread = get_be64(a->ids.p + 8);
	added.old_email = a->old_email;
	added.email = a->modseq;
	ad->ops->done(ad->arg, ST_OK, &added);
}

static void
append(struct adding *ad)
{
	struct store_append rq = { .keywords = buf_span(&ad->keywords),
	    .items = buf_span(&ad->items), .into = buf_span(&ad->mailboxes),
	    .if_email = ad->if_email };

	if (ad->account->store == NULL)
		fail(ad, ST_UNAVAILABLE);
	else
		ad->call = store_do_append(ad->account->store, &rq, on_appended, ad);
}

/* --- chunks --- */

static void stage(struct adding *ad);

static void
on_staged(void *arg, enum status st, bool more, const void *msg)
{
	struct chunk *chunk = arg;
	struct adding *ad = chunk->adding;
	bool was_full = adding_full(ad);

	if (more)
		return;
	chunk->call = NULL;
	ad->pending--;
	if (st != ST_OK) {
		fail(ad, st);
		return;
	}
	stage(ad);
	if (ad->whole && ad->pending == 0)
		append(ad);
	else if (!ad->whole && was_full && !adding_full(ad))
		ad->ops->drained(ad->arg);
}

/* Gives the store whole chunks, or all that there is. */
static void
stage(struct adding *ad)
{
	struct store_stage rq = { .stage = ad->stage };

	for (size_t i = 0; i < AHEAD && ad->account->store != NULL && ad->stage != 0; i++) {
		if (ad->chunks[i].call != NULL)
			continue;
		if (ad->stored.len == 0 || (!ad->whole && ad->stored.len < STORE_CHUNK_MAX))
			break;
		rq.data = span_sub(buf_span(&ad->stored), 0, STORE_CHUNK_MAX);
		ad->chunks[i].call = store_do_stage(ad->account->store, &rq, on_staged,
		    &ad->chunks[i]);
		ad->pending++;
		buf_drop(&ad->stored, rq.data.len);
	}
}

void
adding_feed(struct adding *ad, struct span raw)
{
	packer_feed(ad->packer, raw, &ad->stored);
	if (ad->stored.len > STORE_INLINE_MAX && ad->stage == 0)
		ad->stage = jmap_account_stage(ad->account);
	stage(ad);
}

void
adding_finish(struct adding *ad, const struct adding_to *to)
{
	struct store_append_item it;

	packer_finish(ad->packer, &ad->stored, &it);
	if (ad->stored.len > STORE_INLINE_MAX && ad->stage == 0)
		ad->stage = jmap_account_stage(ad->account);
	ad->size = it.size;
	ad->if_email = to->if_email;
	buf_add_span(&ad->mailboxes, to->mailboxes);
	buf_add_span(&ad->keywords, to->keywords);
	it.flags = to->flags;
	it.received_s = to->received_s;
	it.stage = ad->stage;
	if (ad->stage == 0)
		it.body = buf_span(&ad->stored);
	if (it.list.len > STORE_CACHE_MAX)
		it.list = SPAN_NONE;
	if (it.structure.len > STORE_CACHE_MAX)
		it.structure = SPAN_NONE;
	put_store_append_item(&ad->items, &it);
	ad->whole = true;
	stage(ad);
	if (ad->pending == 0)
		append(ad);
}
