/* Operations that bring bodies: appended, placed, uploaded, delivered. */
#include "storage/service/ops_priv.h"

#define APPEND_BYTES	(1u << 20)	/* of items in one operation, without the last */
#define UPLOAD_HOLD_MS	3600000		/* RFC 8620 §6: not deleted within an hour */

/* ST_UNAVAILABLE: the chunks were taken by an earlier process, or never sent. */
static enum status
count_pieces(const struct channel *c, const struct store_append_item *it, uint32_t *pieces)
{
	const struct stage *sg;

	*pieces = 1;
	if (it->stage == 0)
		return ST_OK;
	sg = table_get_u64(&c->stages, it->stage);
	if (sg == NULL)
		return ST_UNAVAILABLE;
	*pieces = (uint32_t)(sg->locs.len / sizeof(struct journal_loc));
	if (sg->status != ST_OK)
		return sg->status;
	if (*pieces == 0 || (sg->total > 0 && sg->total != sg->bytes))
		return ST_SYNTAX;
	return *pieces > OP_PIECES_MAX ? ST_LIMIT : ST_OK;
}

/* Asked again after the process that took its chunks ended: it may have happened there.
 * An append of nothing is always refused, but not when the number is remembered. */
static void
ask_memory(struct request *rq, const struct store_append *msg)
{
	rq->recall = true;
	rq->op.kind = OP_APPEND;
	rq->op.u.append = (struct op_append){ .path = msg->path };
}

static uint64_t
count_items(struct span items)
{
	struct store_append_item it;
	struct reader r;
	uint64_t n = 0;

	reader_init(&r, items.p, items.len);
	while (get_store_append_item(&r, &it))
		n++;
	return n;
}

/* One item of the message as the operation has it. */
static enum status
add_item(struct request *rq, const struct store_append_item *it)
{
	struct op_append_item to = { it->flags, it->received_s, it->received_zone, it->size,
	    it->sha256, it->list, it->structure, it->columns, it->thread_keys, it->subject_hash,
	    it->stage, 0, it->message, it->thread };
	enum status st;

	if (rq->chan->ticket.role == STORE_ROLE_DELIVER)
		to.message = to.thread = 0;
	st = count_pieces(rq->chan, it, &to.pieces);

	if (st == ST_OK)
		put_op_append_item(&rq->items, &to);
	return st;
}

/* The annotations of n items from rq->items_at on, which the operation has for its own. */
static enum status
take_annotations(struct request *rq, const struct store_append *msg, uint32_t n)
{
	uint32_t before = (uint32_t)count_items(span_sub(msg->items, 0, rq->items_at));
	struct store_annotation a;
	struct reader r;

	buf_clear(&rq->uids);
	reader_init(&r, msg->annotations.p, msg->annotations.len);
	while (get_store_annotation(&r, &a)) {
		if (a.uid <= before || a.uid > before + n)
			continue;
		a.uid -= before;
		put_store_annotation(&rq->uids, &a);
	}
	if (!reader_done(&r))
		return ST_SYNTAX;
	if (rq->uids.len == 0)
		return ST_OK;
	rq->op.kind = rq->stages ? OP_STAGE_APPEND_ANNOTATED : OP_APPEND_ANNOTATED;
	rq->op.u.append.annotations = buf_span(&rq->uids);
	rq->op.u.append.carried = msg->carried;
	return ST_OK;
}

/* Into several mailboxes by id: always whole. */
static enum status
prepare_into(struct request *rq, const struct store_append *msg, uint32_t n, bool all)
{
	if (!all || n * (msg->into.len / 8) > OP_ROWS)
		return ST_LIMIT;
	rq->rows = n * (uint32_t)(msg->into.len / 8);
	rq->op.kind = OP_APPEND_INTO;
	rq->op.u.append = (struct op_append){ .keywords = msg->keywords,
	    .items = buf_span(&rq->items), .into = msg->into, .if_email = msg->if_email };
	return ST_OK;
}

enum status
op_prepare_append(struct request *rq, const struct store_append *msg)
{
	const struct span left = span_sub(msg->items, rq->items_at, msg->items.len);
	bool deliver = rq->chan->ticket.role == STORE_ROLE_DELIVER;
	struct store_append_item it;
	struct reader r;
	uint32_t n = 0;

	if (rq->all_staged) {
		rq->op.kind = OP_STAGE_COMMIT;
		return ST_OK;
	}
	if (!journal_has_room(rq->svc->journal, rq->body.len))
		return ST_NO_SPACE;
	buf_clear(&rq->items);
	reader_init(&r, left.p, left.len);
	while (n < rq->svc->cf.op_rows && (n == 0 || left.len - reader_left(&r) < APPEND_BYTES) &&
	    get_store_append_item(&r, &it)) {
		enum status st = add_item(rq, &it);

		if (st == ST_UNAVAILABLE && msg->seq != 0 && !rq->stages) {
			ask_memory(rq, msg);
			return ST_OK;
		}
		if (st != ST_OK)
			return st;
		n++;
	}
	if (r.bad)
		return ST_SYNTAX;
	if (deliver && (n != 1 || reader_left(&r) > 0 || msg->into.len > 0))
		return ST_DENIED;
	if (msg->into.len > 0)
		return prepare_into(rq, msg, n, reader_left(&r) == 0);
	rq->rows = n;
	rq->items_to = rq->items_at + (left.len - reader_left(&r));
	rq->ends = reader_left(&r) == 0;
	if (!rq->ends && !rq->stages) {
		if (msg->replace_uid != 0 ||
		    count_items(msg->items) > rq->svc->cf.whole_messages)
			return ST_LIMIT;
		if (op_is_remembered(rq, msg->seq)) {
			ask_memory(rq, msg);
			return ST_OK;
		}
		op_start_staging(rq);
	}
	rq->last = !rq->stages;
	rq->op.kind = rq->stages ? OP_STAGE_APPEND : OP_APPEND;
	rq->op.u.append = (struct op_append){ .path = msg->path, .make = deliver && msg->make,
	    .keywords = msg->keywords, .items = buf_span(&rq->items),
	    .replace_mailbox = deliver ? 0 : msg->replace_mailbox,
	    .replace_uid = deliver ? 0 : msg->replace_uid };
	return deliver ? ST_OK : take_annotations(rq, msg, n);
}

enum status
op_prepare_place(struct request *rq, const struct store_place *msg)
{
	struct store_append_item it;
	struct reader r;
	enum status st = ST_OK;
	uint32_t n = 0;

	if (!journal_has_room(rq->svc->journal, rq->body.len))
		return ST_NO_SPACE;
	buf_clear(&rq->items);
	reader_init(&r, msg->items.p, msg->items.len);
	while (st == ST_OK && n < OP_ROWS && get_store_append_item(&r, &it)) {
		st = add_item(rq, &it);
		n++;
	}
	if (st == ST_OK && !reader_done(&r))
		st = r.bad ? ST_SYNTAX : ST_LIMIT;
	if (st == ST_UNAVAILABLE && msg->seq != 0) {
		const struct store_append again = { .path = msg->path };

		ask_memory(rq, &again);
		return ST_OK;
	}
	rq->rows = n;
	rq->op.kind = OP_APPEND_PLACED;
	rq->op.u.append = (struct op_append){ .path = msg->path, .keywords = msg->keywords,
	    .items = buf_span(&rq->items), .annotations = msg->annotations, .carried = true,
	    .uids = msg->uids, .modseq = msg->modseq };
	return st;
}

enum status
op_prepare_blob_put(struct request *rq, const struct store_blob_put *msg)
{
	const struct service_conf *cf = &rq->svc->cf;
	const struct store_append_item it = { .stage = msg->stage };
	uint32_t pieces;
	enum status st;

	if (msg->stage == 0 && msg->body.len == 0)
		return ST_SYNTAX;
	if (!journal_has_room(rq->svc->journal, rq->body.len))
		return ST_NO_SPACE;
	st = count_pieces(rq->chan, &it, &pieces);
	if (st == ST_UNAVAILABLE && msg->seq != 0) {
		ask_memory(rq, &(struct store_append){ .path = SPAN_NONE });
		return ST_OK;
	}
	rq->op.kind = OP_BLOB_PUT;
	rq->op.u.blob_put = (struct op_blob_put){ msg->size, msg->sha256, pieces,
	    cf->upload_bytes, cf->uploads, (int64_t)cf->upload_s * 1000, UPLOAD_HOLD_MS };
	return st;
}

/* The bodies as the operation has them. */
static enum status
add_delivered(struct request *rq, const struct store_deliver *msg)
{
	struct store_append_item it;
	uint32_t stages[STORE_DELIVER_BODIES];
	struct reader r;
	uint32_t n = 0;
	enum status st = ST_OK;

	buf_clear(&rq->items);
	reader_init(&r, msg->bodies.p, msg->bodies.len);
	while (st == ST_OK && get_store_append_item(&r, &it)) {
		if (n == STORE_DELIVER_BODIES)
			return ST_LIMIT;
		for (uint32_t i = 0; i < n && it.stage != 0; i++)
			if (stages[i] == it.stage)
				return ST_SYNTAX;
		stages[n++] = it.stage;
		it.message = it.thread = 0;
		st = add_item(rq, &it);
	}
	if (st == ST_OK && !reader_done(&r))
		return ST_SYNTAX;
	return st;
}

enum status
op_prepare_deliver(struct request *rq, const struct store_deliver *msg)
{
	const struct service_conf *cf = &rq->svc->cf;
	enum status st;

	if (!journal_has_room(rq->svc->journal, rq->body.len))
		return ST_NO_SPACE;
	st = add_delivered(rq, msg);
	if (st == ST_UNAVAILABLE && msg->seq != 0) {
		ask_memory(rq, &(struct store_append){ .path = SPAN_NONE });
		return ST_OK;
	}
	rq->rows = STORE_DELIVER_BODIES;
	rq->op.kind = msg->of_uid != 0 ? OP_DELIVER_OF : OP_DELIVER;
	rq->op.u.deliver = (struct op_deliver){ msg->keywords, buf_span(&rq->items), msg->places,
	    msg->keys, msg->queue, cf->sieve_keys, cf->queue_max, cf->queue_bytes,
	    msg->of_mailbox, msg->of_uid, msg->flags_add, msg->flags_remove };
	return st;
}
