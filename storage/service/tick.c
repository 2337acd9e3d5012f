/* The tick: what waits becomes records, one write, one sync in the journal's thread; when
 * it is durable the next tick is written first, so that the disk works while the
 * operations of this one are applied and answered.
 *
 * Accounts take turns.  Requests of one account keep their order; those refused without
 * an operation stand in the tick as well, so that answers keep it too. */
#include "storage/service/service_priv.h"

#include <stdalign.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/push.h"
#include "storage/service/queue.h"
#include "storage/service/record.h"

#define RECORD_SLACK 256	/* header, padding, head of the operation */
#define CHANGE_RECORDS 2048	/* of one change at most, for its room: bodies and operation */
#define ROW_BYTES 1024		/* what a row that is changed takes of a budget: about 20 us */

void
tick_queue(struct request *rq)
{
	struct account *a = rq->account;

	list_push_back(&a->queue, &rq->node);
	if (a->ready.next == NULL)
		list_push_back(&rq->svc->ready, &a->ready);
	loop_task_post(rq->svc->tick_task);
}

/* Before all others of its account. */
static void
queue_first(struct request *rq)
{
	struct account *a = rq->account;

	list_push_front(&a->queue, &rq->node);
	if (a->ready.next == NULL)
		list_push_back(&rq->svc->ready, &a->ready);
	loop_task_post(rq->svc->tick_task);
}

static struct request *
own(struct service *svc, const struct op *op,
    void (*done)(struct request *rq, const struct state_result *res))
{
	struct request *rq = mem_zalloc(sizeof(*rq));

	rq->svc = svc;
	rq->account = account_get(svc, op->head.account);
	rq->op = *op;
	rq->prepared = true;
	rq->last = true;
	rq->done = done;
	return rq;
}

void
tick_own(struct service *svc, const struct op *op,
    void (*done)(struct request *rq, const struct state_result *res))
{
	tick_queue(own(svc, op, done));
}

void
tick_repair(struct service *svc, uint64_t account, struct span rows,
    void (*done)(struct request *rq, const struct state_result *res))
{
	struct op op = { .kind = OP_REPAIR };
	struct request *rq = own(svc, &op, done);

	rq->op.head.account = account;
	buf_add_span(&rq->items, rows);
	rq->op.u.repair.rows = buf_span(&rq->items);
	queue_first(rq);
	list_remove(&rq->account->ready);
	list_push_front(&svc->ready, &rq->account->ready);
}

void
tick_own_bodies(struct service *svc, struct op *op, struct buf *moves, struct buf *bodies,
    void (*done)(struct request *rq, const struct state_result *res))
{
	struct request *rq = own(svc, op, done);

	rq->items = *moves;
	rq->body = *bodies;
	*moves = *bodies = (struct buf){ 0 };
	rq->op.u.relocate.moves = buf_span(&rq->items);
	rq->rows = 64;
	tick_queue(rq);
}

void
tick_own_for(struct service *svc, const struct op *op,
    void (*done)(struct request *rq, const struct state_result *res), void *arg)
{
	struct request *rq = own(svc, op, done);

	rq->own = arg;
	rq->rows = OP_ROWS;
	tick_queue(rq);
}

static void
stage_ended(struct request *rq, const struct state_result *res)
{
	struct service *svc = rq->svc;

	rq->account->staging = false;
	if (svc->closing || svc->dead)
		return;
	if (res->status != ST_OK)	/* the account takes no changes until it went */
		chores_wanted(svc);
	else if (res->more)
		tick_stage_end(svc, rq->op.head.account);
}

void
tick_stage_end(struct service *svc, uint64_t account)
{
	const struct op op = { .kind = OP_STAGE_END, .head.account = account,
		.u.stage_end.rows = svc->cf.op_rows };
	struct request *rq = own(svc, &op, stage_ended);

	rq->rows = svc->cf.op_rows;
	rq->blocks = true;
	rq->account->staging = true;
	queue_first(rq);
}

/* Building ------------------------------------------------------------------------ */

static enum status
add_body(struct request *rq, struct span body)
{
	const struct journal_what what = { JOURNAL_BODY, 0, rq->account->id };
	struct iovec iov = { (void *)(uintptr_t)body.p, body.len };
	struct journal_loc loc;
	enum status st = journal_add(rq->svc->journal, &what, &iov, 1, NULL, &loc);

	if (st == ST_OK)
		buf_add(&rq->locs, &loc, sizeof(loc));
	return st;
}

/* The items of a request that brings messages; false: it does not. */
static bool
items_in(const struct request *rq, struct span *items)
{
	union {
		struct store_append	append;
		struct store_place	place;
		struct store_deliver	deliver;
	} msg;

	if (rq->m == NULL || (rq->m->no != STORE_APPEND && rq->m->no != STORE_PLACE &&
	    rq->m->no != STORE_DELIVER) || ipc_decode(rq->m, buf_span(&rq->body), &msg) != ST_OK)
		return false;
	*items = rq->m->no == STORE_PLACE ? msg.place.items :
	    rq->m->no == STORE_DELIVER ? msg.deliver.bodies : msg.append.items;
	if (rq->stages)
		*items = span_sub(*items, rq->items_at, rq->items_to - rq->items_at);
	return true;
}

/* Those that are written again. */
static enum status
add_moved(struct request *rq)
{
	enum status st = ST_OK;
	struct reader r;

	reader_init(&r, rq->body.data, rq->body.len);
	while (st == ST_OK && reader_left(&r) > 0)
		st = add_body(rq, get_span(&r));
	return st;
}

static enum status
add_staged(struct request *rq, uint32_t no)
{
	struct stage *sg = rq->chan != NULL ? table_get_u64(&rq->chan->stages, no) : NULL;

	if (sg == NULL)
		return ST_UNAVAILABLE;
	stage_uncount(rq->account, sg);
	buf_add_span(&rq->locs, buf_span(&sg->locs));
	return ST_OK;
}

static enum status
add_upload(struct request *rq)
{
	struct store_blob_put msg;

	if (ipc_decode(rq->m, buf_span(&rq->body), &msg) != ST_OK)
		return ST_BUG;
	return msg.stage != 0 ? add_staged(rq, msg.stage) : add_body(rq, msg.body);
}

/* The bodies of an append, or where they were staged. */
static enum status
add_bodies(struct request *rq)
{
	struct store_append_item it;
	struct reader r;
	struct span items = SPAN_NONE;
	enum status st = ST_OK;

	buf_clear(&rq->locs);
	if (rq->op.kind == OP_RELOCATE)
		return add_moved(rq);
	if (rq->op.kind == OP_BLOB_PUT)
		return add_upload(rq);
	if (rq->recall || rq->op.kind == OP_STAGE_COMMIT || !items_in(rq, &items))
		return ST_OK;
	reader_init(&r, items.p, items.len);
	while (st == ST_OK && get_store_append_item(&r, &it)) {
		if (it.stage == 0) {
			st = add_body(rq, it.body);
			continue;
		}
		st = add_staged(rq, it.stage);
	}
	return st;
}

static enum status
add_op(struct request *rq)
{
	const struct journal_what what = { JOURNAL_OP, 0, rq->op.head.account };
	struct iovec iov;
	enum status st = add_bodies(rq);

	if (st != ST_OK)
		return st;
	buf_clear(&rq->op_bytes);
	record_op_head(&rq->op_bytes, (const void *)rq->locs.data,
	    rq->locs.len / sizeof(struct journal_loc));
	op_encode(&rq->op, &rq->op_bytes);
	iov = (struct iovec){ rq->op_bytes.data, rq->op_bytes.len };
	return journal_add(rq->svc->journal, &what, &iov, 1, &rq->lsn, NULL);
}

static enum status
add_chunk(struct request *rq)
{
	const struct journal_what what = { JOURNAL_CHUNK, 0, rq->account->id };
	struct store_stage msg;
	struct journal_loc loc;
	struct iovec iov;
	enum status st;

	if (rq->chan == NULL || rq->stage == NULL || rq->stage->status != ST_OK)
		return rq->stage != NULL ? rq->stage->status : ST_CANCELLED;
	if (ipc_decode(rq->m, buf_span(&rq->body), &msg) != ST_OK)
		return ST_BUG;
	iov = (struct iovec){ (void *)(uintptr_t)msg.data.p, msg.data.len };
	st = journal_add(rq->svc->journal, &what, &iov, 1, NULL, &loc);
	if (st == ST_OK) {
		buf_add(&rq->stage->locs, &loc, sizeof(loc));
		rq->chan->peer->staged += msg.data.len;
	}
	return st;
}

/* ST_LIMIT: not in this tick. */
static enum status
add_request(struct request *rq, bool *wait)
{
	struct service *svc = rq->svc;
	enum status st = ST_OK;

	rq->lsn = 0;
	if (rq->done == NULL && rq->m != NULL && !journal_can_change(svc->journal))
		return ST_NO_SPACE;
	if (rq->is_chunk) {
		if (rq->chan != NULL && rq->chan->peer->staged >= PEER_TICK_STAGE) {
			*wait = true;
			return ST_OK;
		}
		return add_chunk(rq);
	}
	if (!rq->prepared)
		st = op_prepare(rq, wait);
	if (st != ST_OK || *wait)
		return st;
	rq->op.head.time_ms = service_stamp(svc);
	service_limits(svc, &rq->op.head);
	return add_op(rq);
}

/* Takes from one account until its budget or the tick's is used.  false: the tick is
 * full. */
static bool
take_from(struct service *svc, struct account *a, size_t *used)
{
	size_t start = *used;

	while (!a->blocked && !list_empty(&a->queue)) {
		struct request *rq = list_entry(a->queue.next, struct request, node);
		bool wait = false;
		size_t size = op_size(rq) + RECORD_SLACK;
		uint32_t before = journal_tick_count(svc->journal);
		enum status st;

		if (*used > start && *used - start + size > svc->cf.account_tick_bytes)
			return true;
		if (*used > 0 && *used + size > svc->cf.tick_bytes)
			return false;
		/* A change is several records, bodies and operation: all of them in this
		 * segment, or in the next one. */
		if (!journal_tick_room(svc->journal, CHANGE_RECORDS, 2 * size) && before > 0)
			return false;
		st = add_request(rq, &wait);
		if (wait)
			return true;
		if (st == ST_LIMIT && before > 0)
			return false;	/* what fits into no tick is refused alone in one */
		rq->status = st;
		*used += size + (size_t)rq->rows * ROW_BYTES;
		list_remove(&rq->node);
		list_push_back(&svc->tick, &rq->node);
		rq->in_tick = true;
		if ((rq->lsn != 0 && !rq->last) || rq->stages)
			rq->blocks = true;
		a->blocked = rq->blocks;
	}
	return true;
}

static void
add_outcomes(struct service *svc)
{
	const struct journal_what what = { JOURNAL_OUTCOME, 0, 0 };
	struct iovec iov = { svc->outcomes.data, svc->outcomes.len };

	if (svc->outcomes.len > 0)
		(void)journal_add(svc->journal, &what, &iov, 1, NULL, NULL);
}

static void
collect(struct service *svc)
{
	struct list *n, *tmp, again;
	size_t used = 0;
	bool room = true;

	list_each(n, tmp, &svc->peers)
		list_entry(n, struct peer, node)->staged = 0;
	list_init(&again);
	while (room && !list_empty(&svc->ready)) {
		struct account *a = list_entry(svc->ready.next, struct account, ready);

		list_remove(&a->ready);
		room = take_from(svc, a, &used);
		if (!list_empty(&a->queue))
			list_push_back(&again, &a->ready);
	}
	/* Who did not get a turn is first in the next tick. */
	while (!list_empty(&again)) {
		n = again.next;
		list_remove(n);
		list_push_back(&svc->ready, n);
	}
}

static void
refuse_tick(struct service *svc, enum status st)
{
	struct list *n, *tmp;

	list_each(n, tmp, &svc->tick) {
		struct request *rq = list_entry(n, struct request, node);

		if (rq->status == ST_OK)
			rq->status = st;
		if (rq->stage != NULL)
			rq->stage->status = st;
	}
}

static void settle(struct service *svc, struct list *done, const struct journal_pos *pos);

/* Takes the whole list away from svc. */
static void
take_tick(struct service *svc, struct list *done)
{
	list_init(done);
	while (!list_empty(&svc->tick)) {
		struct list *n = svc->tick.next;

		list_remove(n);
		list_push_back(done, n);
	}
}

static void
settle_refused(struct service *svc)
{
	struct list done;

	take_tick(svc, &done);
	settle(svc, &done, NULL);
}

static bool
nothing_to_add(const struct service *svc)
{
	struct list *n, *tmp;

	list_each(n, tmp, &svc->ready) {
		if (!list_entry(n, struct account, ready)->blocked)
			return false;
	}
	return true;
}

static void
on_flushed(int fd, unsigned events, void *arg);

/* Builds and writes a tick of what waits. */
static void
build(struct service *svc)
{
	enum status st;

	if (svc->dead || svc->closing || svc->hold || journal_flush_running(svc->journal) ||
	    nothing_to_add(svc))
		return;
	journal_tick_begin(svc->journal);
	add_outcomes(svc);
	collect(svc);
	st = journal_tick_write(svc->journal, NULL);
	buf_clear(&svc->outcomes);
	if (st == ST_UNAVAILABLE) {
		service_die(svc, "the journal cannot be written", st);
		return;
	}
	if (st != ST_OK) {
		LOG(NULL, WARN, "store.full", KV_UINT("shard", svc->cf.shard));
		refuse_tick(svc, st);
		settle_refused(svc);
		return;
	}
	svc->n_ticks++;
	journal_flush_start(svc->journal);
	if (!journal_flush_running(svc->journal))	/* refusals alone */
		settle_refused(svc);
}

void
tick_start(struct service *svc)
{
	if (svc->flush_io == NULL && !svc->dead)
		svc->flush_io = loop_io_new(svc->loop, journal_flush_fd(svc->journal), LOOP_READ,
		    on_flushed, svc);
	peers_go_on(svc);
	build(svc);
}

/* Applying -------------------------------------------------------------------------- */

static enum status
apply_all(struct service *svc, struct list *done, const struct journal_pos *pos)
{
	struct list *n, *tmp;
	enum status st = ST_OK;
	bool open = false;

	list_each(n, tmp, done) {
		struct request *rq = list_entry(n, struct request, node);

		if (rq->lsn == 0 || rq->status != ST_OK)
			continue;
		if (!open) {
			st = state_begin(svc->state);
			if (st != ST_OK)
				return st;
			open = true;
		}
		st = state_apply(svc->state, &rq->op, (const void *)rq->locs.data,
		    rq->locs.len / sizeof(struct journal_loc), &rq->res);
		if (st != ST_OK) {
			state_abort(svc->state);
			return st;
		}
		svc->n_ops++;
	}
	return open ? state_commit(svc->state, pos) : ST_OK;
}

static void
keep_outcomes(struct service *svc, const struct list *done)
{
	for (const struct list *n = done->next; n != done; n = n->next) {
		const struct request *rq = list_entry(n, struct request, node);
		struct outcome o;

		if (rq->lsn == 0 || rq->status != ST_OK)
			continue;
		o = outcome_of(rq->lsn, &rq->res);
		outcome_put(&svc->outcomes, &o);
	}
}

/* Uids of earlier parts and this one, as one answer. */
static void
merge_expunged(struct request *rq)
{
	const struct ipc_message *m = ipc_find(&store_protocol, STORE_EXPUNGED);
	struct store_expunged is;
	struct uidset part = { 0 };
	struct reader r;

	if (rq->res.reply_no != STORE_EXPUNGED || ipc_decode(m, buf_span(&rq->res.reply), &is) != ST_OK)
		return;
	reader_init(&r, is.uids.p, is.uids.len);
	if (uidset_decode(&part, &r, SIZE_MAX))
		uidset_add_set(&rq->merged, &part);
	uidset_fini(&part);
	if (!rq->last)
		return;
	buf_clear(&rq->uids);
	uidset_encode(&rq->merged, &rq->uids);
	is.uids = buf_span(&rq->uids);
	{
		struct buf whole = { 0 };

		ipc_encode(m, &is, &whole);
		buf_fini(&rq->res.reply);
		rq->res.reply = whole;
	}
}

static void
answer_result(struct request *rq)
{
	alignas(max_align_t) char msg[IPC_STRUCT_MAX];
	const struct ipc_message *m;
	const struct state_result *res = &rq->res;

	if (res->status != ST_OK || res->reply_no == 0) {
		request_answer(rq, res->status, 0, NULL);
		return;
	}
	m = ipc_find(&store_protocol, res->reply_no);
	if (m == NULL || ipc_decode(m, buf_span(&res->reply), msg) != ST_OK) {
		LOG(NULL, ERROR, "store.reply", KV_UINT("message", res->reply_no));
		request_answer(rq, ST_BUG, 0, NULL);
		return;
	}
	if (rq->last)
		request_answer(rq, ST_OK, m->no, msg);
	else if (m->no == STORE_FLAGS_ARE && rq->chan != NULL && !rq->chan->revoked)
		ipc_reply_more(rq->chan->peer->ipc, &rq->head, m->no, msg);
}

/* A part of a chain is done; the rest goes on first of its account. */
static bool
goes_on(struct request *rq)
{
	if (rq->last || rq->res.status != ST_OK || rq->chan == NULL)
		return false;
	if (rq->op.kind == OP_FLAGS || rq->op.kind == OP_ANNOTATE)
		answer_result(rq);
	rq->part++;
	rq->chain_from = rq->chain_to;
	rq->items_at = rq->items_to;
	rq->all_staged = rq->ends;
	state_result_fini(&rq->res);
	rq->res = (struct state_result){ 0 };
	rq->in_tick = false;
	list_remove(&rq->node);
	queue_first(rq);
	return true;
}

/* Told when a mark is passed, and again only when it was left before. */
static void
tell_quota(struct request *rq)
{
	const struct state_result *res = &rq->res;
	struct account *a = table_get_u64(&rq->svc->accounts, rq->op.head.account);
	const struct store_quota_near near = { res->used_after };
	struct list *n, *tmp;
	bool passed = false;

	for (size_t i = 0; i < ARRAY_LEN(rq->svc->cf.quota_warn); i++) {
		uint8_t mark = rq->svc->cf.quota_warn[i];

		passed |= mark > 0 && res->used_before < mark && res->used_after >= mark;
	}
	if (!passed || res->repeated)
		return;
	LOG(NULL, WARN, "quota.near", KV_UINT("account", rq->op.head.account),
	    KV_UINT("percent", res->used_after));
	if (a == NULL)
		return;
	list_each(n, tmp, &a->channels) {
		struct channel *c = list_entry(n, struct channel, node);

		if (c->ticket.role == STORE_ROLE_ACCESS && !channel_foreign(c) && !c->revoked)
			ipc_note(c->peer->ipc, c->no, STORE_QUOTA_NEAR, &near);
	}
}

/* Where a message of the delivery is; false: nowhere. */
static bool
delivered_at(const struct request *rq, uint64_t message, struct store_delivered_place *at)
{
	struct store_delivered is;
	struct reader r;

	if (message == 0 || ipc_decode(ipc_find(&store_protocol, STORE_DELIVERED),
	    buf_span(&rq->res.reply), &is) != ST_OK)
		return false;
	reader_init(&r, is.places.p, is.places.len);
	while (get_store_delivered_place(&r, at))
		if (at->message == message)
			return true;
	return false;
}

/* Each body has places of its own. */
static void
take_delivered(struct request *rq, struct span items)
{
	struct span messages = buf_span(&rq->res.messages);
	struct store_delivered_place at;
	struct store_append_item it;
	struct reader r;

	reader_init(&r, items.p, items.len);
	for (const char *from = items.p; messages.len >= 8 && get_store_append_item(&r, &it);
	    from = (const char *)r.p) {
		if (delivered_at(rq, get_be64(messages.p), &at))
			texts_take(rq->svc->texts, rq->account->id,
			    span(from, (size_t)((const char *)r.p - from)),
			    span_sub(messages, 0, 8), at.mailbox, at.uid);
		messages = span_sub(messages, 8, messages.len);
	}
}

/* The texts that came along with the items of this part. */
static void
take_texts(struct request *rq)
{
	struct span items;

	if (rq->m == NULL || rq->m->no == STORE_PLACE || rq->res.messages.len == 0 ||
	    !items_in(rq, &items))
		return;
	if (rq->m->no == STORE_DELIVER)
		take_delivered(rq, items);
	else
		texts_take(rq->svc->texts, rq->account->id, items, buf_span(&rq->res.messages),
		    rq->res.mailbox, rq->stages ? 0 : rq->res.uid);
}

static void
tell(struct request *rq)
{
	struct service *svc = rq->svc;

	tell_quota(rq);

	if (rq->res.changed && !rq->res.repeated && rq->op.kind != OP_DIR_WRITE)
		note_dirty(svc, rq);
	push_note(svc, &rq->op, &rq->res);
	queue_note(svc, &rq->op);
	events_note(rq);
	if (rq->op.kind == OP_DIR_WRITE && rq->res.status == ST_OK)
		note_dir(svc, &rq->res);
	if (rq->op.kind == OP_MAILBOX_DELETE || rq->op.kind == OP_ACCOUNT_DELETE ||
	    rq->op.kind == OP_MAILBOX_SET)
		chores_wanted(svc);
}

static void
settle_one(struct request *rq)
{
	if (rq->blocks)
		rq->account->blocked = rq->blocks = false;
	if (rq->recall && rq->status == ST_OK && rq->res.status != ST_OK)
		rq->res.status = ST_UNAVAILABLE;
	if (rq->lsn != 0 && rq->status == ST_OK) {
		if (rq->op.kind == OP_EXPUNGE)
			merge_expunged(rq);
		if (rq->res.status == ST_OK)
			take_texts(rq);
		tell(rq);
		if (goes_on(rq))
			return;
	}
	/* Committed or given up: what is left of it goes first. */
	if (rq->stages)
		tick_stage_end(rq->svc, rq->account->id);
	if (rq->done != NULL) {
		rq->res.status = rq->status != ST_OK ? rq->status : rq->res.status;
		rq->done(rq, &rq->res);
	} else if (rq->chan != NULL) {
		if (rq->status != ST_OK || rq->is_chunk) {
			request_answer(rq, rq->status, 0, NULL);
		} else {
			rq->last = true;
			answer_result(rq);
		}
	}
	request_free(rq);
}

static void
settle(struct service *svc, struct list *done, const struct journal_pos *pos)
{
	enum status st = pos != NULL ? apply_all(svc, done, pos) : ST_OK;

	if (st != ST_OK) {
		svc->set_aside = st == ST_CORRUPT;
		service_die(svc, "the applied state cannot be changed", st);
	} else if (pos != NULL) {
		keep_outcomes(svc, done);
		packing_wanted(svc);
	}
	while (!list_empty(done)) {
		struct request *rq = list_entry(done->next, struct request, node);

		list_remove(&rq->node);
		if (svc->dead)
			request_free(rq);
		else
			settle_one(rq);
	}
}

static void
flushed(struct service *svc, bool go_on)
{
	struct journal_pos pos;
	struct list done;
	enum status st = journal_flush_done(svc->journal, &pos);

	if (st == ST_UNAVAILABLE) {
		service_die(svc, "the journal cannot be synced", st);
		return;
	}
	if (st != ST_OK) {
		LOG(NULL, WARN, "store.full", KV_UINT("shard", svc->cf.shard));
		refuse_tick(svc, st);
	}
	take_tick(svc, &done);
	if (go_on)
		build(svc);
	settle(svc, &done, st == ST_OK ? &pos : NULL);
	if (go_on && !list_empty(&svc->ready))
		loop_task_post(svc->tick_task);
}

static void
on_flushed(int fd, unsigned events, void *arg)
{
	struct service *svc = arg;

	if (!svc->dead && journal_flush_running(svc->journal))
		flushed(svc, true);
}

void
tick_finish_all(struct service *svc)
{
	if (!svc->dead && journal_flush_running(svc->journal))
		flushed(svc, false);
}
