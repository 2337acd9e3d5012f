/* From a request to the operation that the journal holds. */
#include "storage/service/service_priv.h"

#include <stdalign.h>

#include "common/util/mem.h"

union any {
	struct store_create		create;
	struct store_delete		delete;
	struct store_rename		rename;
	struct store_subscribe		subscribe;
	struct store_append		append;
	struct store_flags		flags;
	struct store_expunge		expunge;
	struct store_copy		copy;
	struct store_dir_write		dir_write;
	struct store_account_delete	account_delete;
	struct store_account_limits	account_limits;
	struct store_remove		remove;
	struct store_uidl_put		uidl_put;
	struct store_metadata_set	metadata;
	max_align_t			align;
	char				room[IPC_STRUCT_MAX];
};

uint64_t
op_size(const struct request *rq)
{
	return rq->body.len + rq->items.len;
}

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

static enum status
prepare_append(struct request *rq, const struct store_append *msg)
{
	struct store_append_item it;
	struct reader r;
	unsigned n = 0;
	bool deliver = rq->chan->ticket.role == STORE_ROLE_DELIVER;

	if (!journal_has_room(rq->svc->journal, rq->body.len))
		return ST_NO_SPACE;
	buf_clear(&rq->items);
	reader_init(&r, msg->items.p, msg->items.len);
	while (get_store_append_item(&r, &it)) {
		struct op_append_item to = { it.flags, it.received_s, it.received_zone, it.size,
		    it.sha256, it.list, it.structure, it.columns, it.thread_keys, it.subject_hash,
		    it.stage, 0 };
		enum status st = count_pieces(rq->chan, &it, &to.pieces);

		if (st == ST_UNAVAILABLE && msg->seq != 0) {
			ask_memory(rq, msg);
			return ST_OK;
		}
		if (st != ST_OK)
			return st;
		put_op_append_item(&rq->items, &to);
		n++;
	}
	if (r.bad)
		return ST_SYNTAX;
	if (deliver && n != 1)
		return ST_DENIED;
	rq->op.kind = OP_APPEND;
	rq->op.u.append = (struct op_append){ msg->path, deliver && msg->make, msg->keywords,
	    buf_span(&rq->items), deliver ? 0 : msg->replace_mailbox,
	    deliver ? 0 : msg->replace_uid };
	return ST_OK;
}

/* A set that names many messages is cut into operations by what is there now; so all
 * earlier changes of the channel must be visible. */
static enum status
cut(struct request *rq, uint64_t mailbox, struct span uids, enum state_which which, bool *wait)
{
	struct uidset set = { 0 }, some = { 0 };
	struct reader r;
	enum status st = ST_OK;
	bool all = which == STATE_DELETED && uids.len == 0;

	reader_init(&r, uids.p, uids.len);
	if (!all && (!uidset_decode(&set, &r, STORE_RANGES_MAX) || !reader_done(&r)))
		return ST_SYNTAX;
	rq->last = true;
	if (!all && !rq->chain && uidset_count(&set) <= OP_ROWS) {
		buf_clear(&rq->uids);
		uidset_encode(&set, &rq->uids);
		uidset_fini(&set);
		return ST_OK;
	}
	if (rq->chan->answered + 1 < rq->after) {
		uidset_fini(&set);
		*wait = true;
		return ST_OK;
	}
	rq->chain = true;
	if (all)
		uidset_add_range(&set, 1, UINT32_MAX);
	if (rq->chain_from > 0)
		uidset_remove_range(&set, 1, rq->chain_from);
	st = state_first_uids(rq->svc->state, rq->account->id, mailbox, which, &set, OP_ROWS + 1,
	    &some);
	if (st == ST_OK && uidset_count(&some) > OP_ROWS) {
		uint32_t top = uidset_at(&some, OP_ROWS);

		uidset_remove_range(&some, top, UINT32_MAX);
		rq->chain_from = top - 1;
		rq->last = false;
	}
	buf_clear(&rq->uids);
	uidset_encode(&some, &rq->uids);
	uidset_fini(&set);
	uidset_fini(&some);
	return service_judge(rq->svc, st, "cut");
}

static enum status
prepare_flags(struct request *rq, const struct store_flags *msg, bool *wait)
{
	enum status st = cut(rq, msg->mailbox, msg->uids, STATE_ALL, wait);

	rq->op.kind = OP_FLAGS;
	rq->op.u.flags = (struct op_flags){ msg->mailbox, buf_span(&rq->uids), msg->how,
	    msg->system, msg->keywords, msg->unchanged_since };
	return st;
}

static enum status
prepare_expunge(struct request *rq, const struct store_expunge *msg, bool *wait)
{
	enum status st = cut(rq, msg->mailbox, msg->uids, STATE_DELETED, wait);

	rq->op.kind = OP_EXPUNGE;
	rq->op.u.expunge = (struct op_expunge){ msg->mailbox, buf_span(&rq->uids) };
	return st;
}

static void
admin_target(struct request *rq, uint64_t account)
{
	rq->op.head.account = account;
	rq->op.head.who = 0;
}

static enum status
prepare(struct request *rq, const union any *msg, bool *wait)
{
	struct op *op = &rq->op;

	switch (rq->m->no) {
	case STORE_CREATE:
		op->kind = OP_MAILBOX_CREATE;
		op->u.mailbox_create = (struct op_mailbox_create){ msg->create.path,
		    msg->create.role };
		return ST_OK;
	case STORE_DELETE:
		op->kind = OP_MAILBOX_DELETE;
		op->u.mailbox_delete = (struct op_mailbox_delete){ msg->delete.path };
		return ST_OK;
	case STORE_RENAME:
		op->kind = OP_MAILBOX_RENAME;
		op->u.mailbox_rename = (struct op_mailbox_rename){ msg->rename.from,
		    msg->rename.to };
		return ST_OK;
	case STORE_SUBSCRIBE:
		op->kind = OP_SUBSCRIBE;
		op->u.subscribe = (struct op_subscribe){ msg->subscribe.path,
		    msg->subscribe.on };
		return ST_OK;
	case STORE_APPEND:
		return prepare_append(rq, &msg->append);
	case STORE_FLAGS:
		return prepare_flags(rq, &msg->flags, wait);
	case STORE_EXPUNGE:
		return prepare_expunge(rq, &msg->expunge, wait);
	case STORE_COPY:
		op->kind = OP_COPY;
		op->u.copy = (struct op_copy){ msg->copy.mailbox, msg->copy.uids, msg->copy.to,
		    msg->copy.move };
		return ST_OK;
	case STORE_REMOVE:
		op->kind = OP_REMOVE;
		op->u.remove = (struct op_remove){ msg->remove.how, msg->remove.system,
		    msg->remove.keywords, msg->remove.to, msg->remove.what };
		return ST_OK;
	case STORE_UIDL_PUT:
		op->kind = OP_UIDL_PUT;
		op->u.uidl_put = (struct op_uidl_put){ msg->uidl_put.mailbox,
		    msg->uidl_put.list };
		return ST_OK;
	case STORE_METADATA_SET:
		op->kind = OP_METADATA;
		op->u.metadata = (struct op_metadata){ msg->metadata.mailbox,
		    msg->metadata.entries };
		return ST_OK;
	case STORE_DIR_WRITE:
		op->kind = OP_DIR_WRITE;
		op->u.dir_write = (struct op_dir_write){ msg->dir_write.steps };
		return ST_OK;
	case STORE_ACCOUNT_DELETE:
	case STORE_ACCOUNT_UNDELETE:
		op->kind = rq->m->no == STORE_ACCOUNT_DELETE ? OP_ACCOUNT_DELETE :
		    OP_ACCOUNT_UNDELETE;
		admin_target(rq, msg->account_delete.account);
		return ST_OK;
	case STORE_ACCOUNT_LIMITS:
		op->kind = OP_ACCOUNT_LIMITS;
		op->u.account_limits = (struct op_account_limits){ msg->account_limits.bytes,
		    msg->account_limits.messages, msg->account_limits.mailboxes };
		admin_target(rq, msg->account_limits.account);
		return ST_OK;
	default:
		return ST_BUG;
	}
}

enum status
op_prepare(struct request *rq, bool *wait)
{
	union any msg;
	enum status st;

	if (rq->chan == NULL)
		return ST_CANCELLED;
	if (ipc_decode(rq->m, buf_span(&rq->body), &msg) != ST_OK)
		return ST_BUG;
	rq->last = true;
	rq->op.head.account = rq->account->id;
	rq->op.head.who = rq->chan->ticket.account;
	rq->op.head.seq = rq->op.head.acked = 0;
	st = prepare(rq, &msg, wait);
	/* Parts of a chain but the last are done again after a crash: the same once more.
	 * seq and acked stand first in every change. */
	if (rq->last && rq->chan->ticket.role != 0) {
		rq->op.head.seq = msg.create.seq;
		rq->op.head.acked = msg.create.acked;
	}
	return st;
}
