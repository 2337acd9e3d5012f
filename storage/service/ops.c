/* From a request to the operation that the journal holds. */
#include "storage/service/ops_priv.h"

#include <stdalign.h>

#include "common/crypto/random.h"
#include "common/util/clock.h"
#include "common/util/mem.h"
#include "storage/state/emails.h"

#define ANNOTATE_BYTES	(4u << 20)	/* of entries that one operation sets in all messages */

union any {
	struct store_create		create;
	struct store_delete		delete;
	struct store_rename		rename;
	struct store_subscribe		subscribe;
	struct store_append		append;
	struct store_flags		flags;
	struct store_annotate		annotate;
	struct store_expunge		expunge;
	struct store_copy		copy;
	struct store_dir_write		dir_write;
	struct store_account_delete	account_delete;
	struct store_account_limits	account_limits;
	struct store_remove		remove;
	struct store_uidl_put		uidl_put;
	struct store_acl_set		acl_set;
	struct store_place		place;
	struct store_uidvalidity	uidvalidity;
	struct store_metadata_set	metadata;
	struct store_quota_set		quota;
	struct store_url_key_make	url_key;
	struct store_undelete		undelete;
	struct store_email_set		email_set;
	struct store_mailbox_set	mailbox_set;
	struct store_push_set		push;
	struct store_blob_put		blob_put;
	struct store_script_set		script_set;
	struct store_deliver		deliver;
	max_align_t			align;
	char				room[IPC_STRUCT_MAX];
};

uint64_t
op_size(const struct request *rq)
{
	if (rq->stages)
		return rq->items_to - rq->items_at + rq->items.len + rq->uids.len;
	return rq->body.len + rq->items.len;
}

/* What is remembered of a change; nothing when it is not to be. */
enum status
op_remembered(struct request *rq, uint64_t seq, struct state_result *res, uint32_t *part)
{
	if (seq == 0 || rq->chan->ticket.role == 0)
		return ST_NOT_FOUND;
	return service_judge(rq->svc, state_remembered(rq->svc->state, rq->op.head.ticket, seq, res,
	    part), "remembered");
}

bool
op_is_remembered(struct request *rq, uint64_t seq)
{
	struct state_result res = { 0 };
	uint32_t part;
	enum status st = op_remembered(rq, seq, &res, &part);

	state_result_fini(&res);
	return st == ST_OK;
}

void
op_start_staging(struct request *rq)
{
	rq->stages = rq->chain = true;
	rq->account->staging = true;
}

/* The uids of a request that are there, at most max. */
static enum status
named(struct request *rq, uint64_t mailbox, struct span uids, enum state_which which,
    uint32_t max, struct uidset *out)
{
	struct uidset set = { 0 };
	struct reader r;
	enum status st;

	reader_init(&r, uids.p, uids.len);
	if (which == STATE_DELETED && uids.len == 0)
		uidset_add_range(&set, 1, UINT32_MAX);
	else
		(void)uidset_decode(&set, &r, STORE_RANGES_MAX);
	if (rq->chain_from > 0)
		uidset_remove_range(&set, 1, rq->chain_from);
	st = state_first_uids(rq->svc->state, rq->account->id, mailbox, which, &set, max, out);
	uidset_fini(&set);
	return service_judge(rq->svc, st, "cut");
}

/* A set that names many messages is cut into operations by what is there now; so all
 * earlier changes of the channel must be visible. */
static enum status
cut(struct request *rq, uint64_t mailbox, struct span uids, enum state_which which,
    uint32_t rows, bool *wait)
{
	struct uidset some = { 0 };
	struct reader r;
	enum status st;
	bool all = which == STATE_DELETED && uids.len == 0, whole;

	reader_init(&r, uids.p, uids.len);
	if (!all && (!uidset_decode(&some, &r, STORE_RANGES_MAX) || !reader_done(&r))) {
		uidset_fini(&some);
		return ST_SYNTAX;
	}
	whole = !all && !rq->chain && uidset_count(&some) <= rows;
	rq->last = true;
	if (!whole && rq->chan->answered + 1 < rq->after) {
		uidset_fini(&some);
		*wait = true;
		return ST_OK;
	}
	st = whole ? ST_OK : named(rq, mailbox, uids, which, rows + 1, &some);
	if (st == ST_OK && uidset_count(&some) > rows) {
		uint32_t top = uidset_at(&some, rows);

		uidset_remove_range(&some, top, UINT32_MAX);
		rq->chain_to = top - 1;
		rq->chain = true;
		rq->last = false;
	}
	rq->rows = (uint32_t)uidset_count(&some);
	buf_clear(&rq->uids);
	uidset_encode(&some, &rq->uids);
	uidset_fini(&some);
	return st;
}

/* Asked again after a process ended in the middle of the chain: it goes on behind the last
 * part that is remembered. */
static enum status
look_back(struct request *rq, uint64_t seq)
{
	struct state_result res = { 0 };
	struct store_flags_are flags;
	struct store_expunged expunged;
	struct reader r = { 0 };
	struct span uids = SPAN_NONE;
	uint32_t part = 0;
	enum status st;

	if (rq->asked_memory)
		return ST_OK;
	rq->asked_memory = true;
	st = op_remembered(rq, seq, &res, &part);
	if (st == ST_OK && part > 0) {
		rq->chain = true;
		rq->part = part;
		rq->chain_from = res.uid;
		rq->finished = !res.more;
		rq->memo_modseq = res.modseq;
		rq->again = res.reply_no == STORE_FLAGS_ARE;
		if (rq->again && ipc_decode(ipc_find(&store_protocol, STORE_FLAGS_ARE),
		    buf_span(&res.reply), &flags) == ST_OK)
			uids = flags.modified;
		else if (res.reply_no == STORE_EXPUNGED && ipc_decode(ipc_find(&store_protocol,
		    STORE_EXPUNGED), buf_span(&res.reply), &expunged) == ST_OK)
			uids = expunged.uids;
		reader_init(&r, uids.p, uids.len);
		if (uids.len > 0)
			(void)uidset_decode(&rq->merged, &r, SIZE_MAX);
	}
	state_result_fini(&res);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* The rows of the parts that were applied before, some in each tick.  What was refused then
 * is told with the first ones. */
static enum status
tell_again(struct request *rq, uint64_t mailbox, struct span uids, bool *wait)
{
	struct store_flags_are are = { .modseq = rq->memo_modseq };
	struct buf rows = { 0 }, keywords = { 0 }, modified = { 0 };
	struct uidset set = { 0 };
	uint32_t resume = rq->told_to + 1;
	struct reader r;
	enum status st;

	reader_init(&r, uids.p, uids.len);
	(void)uidset_decode(&set, &r, STORE_RANGES_MAX);
	uidset_remove_set(&set, &rq->merged);
	if (rq->chain_from < UINT32_MAX)
		uidset_remove_range(&set, rq->chain_from + 1, UINT32_MAX);
	if (rq->told_to == 0)
		uidset_encode(&rq->merged, &modified);
	st = state_rows(rq->svc->state, rq->account->id, mailbox, &set, ROW_FLAGS, PART_BYTES,
	    &resume, &rows);
	if (st == ST_OK)
		st = state_keywords(rq->svc->state, rq->account->id, 0, &keywords);
	are.rows = buf_span(&rows);
	are.modified = buf_span(&modified);
	are.keywords = buf_span(&keywords);
	if (st == ST_OK && !rq->chan->revoked)
		ipc_reply_more(rq->chan->peer->ipc, &rq->head, STORE_FLAGS_ARE, &are);
	rq->told_to = resume - 1;
	rq->again = st == ST_OK && resume != 0;
	*wait = true;
	loop_task_post(rq->svc->tick_task);
	uidset_fini(&set);
	buf_fini(&rows);
	buf_fini(&keywords);
	buf_fini(&modified);
	return service_judge(rq->svc, st, "rows") == ST_NOT_FOUND ? ST_OK : st;
}

/* All of it is remembered: the operation that asks for the answer. */
static enum status
ask_end(struct request *rq)
{
	struct uidset none = { 0 };

	rq->last = true;
	buf_clear(&rq->uids);
	uidset_encode(&none, &rq->uids);
	return ST_OK;
}

static enum status
prepare_flags(struct request *rq, const struct store_flags *msg, bool *wait)
{
	enum status st = look_back(rq, msg->seq);

	if (st == ST_OK && rq->again)
		return tell_again(rq, msg->mailbox, msg->uids, wait);
	if (st == ST_OK)
		st = rq->finished ? ask_end(rq) : cut(rq, msg->mailbox, msg->uids, STATE_ALL,
		    rq->svc->cf.op_rows, wait);
	rq->op.kind = OP_FLAGS;
	rq->op.u.flags = (struct op_flags){ msg->mailbox, buf_span(&rq->uids), msg->how,
	    msg->system, msg->keywords, msg->unchanged_since };
	return st;
}

/* How many messages an operation may take: by rows, and by bytes that it writes. */
static uint32_t
annotate_rows(const struct request *rq, struct span entries)
{
	struct store_annotation a;
	struct reader r;
	uint32_t n = 0, rows;

	reader_init(&r, entries.p, entries.len);
	while (get_store_annotation(&r, &a))
		n++;
	rows = rq->svc->cf.op_rows / (n > 0 ? n : 1);
	if (entries.len > ANNOTATE_BYTES / (rows > 0 ? rows : 1))
		rows = (uint32_t)(ANNOTATE_BYTES / entries.len);
	return rows > 0 ? rows : 1;
}

static enum status
prepare_annotate(struct request *rq, const struct store_annotate *msg, bool *wait)
{
	enum status st = look_back(rq, msg->seq);

	if (st == ST_OK && rq->again)
		return tell_again(rq, msg->mailbox, msg->uids, wait);
	if (st == ST_OK)
		st = rq->finished ? ask_end(rq) : cut(rq, msg->mailbox, msg->uids, STATE_ALL,
		    annotate_rows(rq, msg->entries), wait);
	rq->op.kind = OP_ANNOTATE;
	rq->op.u.annotate = (struct op_annotate){ msg->mailbox, buf_span(&rq->uids), msg->entries,
	    msg->unchanged_since };
	return st;
}

static enum status
prepare_expunge(struct request *rq, const struct store_expunge *msg, bool *wait)
{
	enum status st = look_back(rq, msg->seq);

	if (st == ST_OK)
		st = rq->finished ? ask_end(rq) :
		    cut(rq, msg->mailbox, msg->uids, STATE_DELETED, rq->svc->cf.op_rows, wait);
	rq->op.kind = OP_EXPUNGE;
	rq->op.u.expunge = (struct op_expunge){ msg->mailbox, buf_span(&rq->uids) };
	return st;
}

/* Before the first part: not too many, and not done already. */
static enum status
begin_copy(struct request *rq, const struct store_copy *msg, bool *known)
{
	uint64_t max = rq->svc->cf.whole_messages;
	struct uidset all = { 0 };
	enum status st;

	*known = op_is_remembered(rq, msg->seq);
	if (*known)
		return ST_OK;
	if (max >= UINT32_MAX)
		max = UINT32_MAX - 1;
	st = named(rq, msg->mailbox, msg->uids, STATE_ALL, (uint32_t)max + 1, &all);
	if (st == ST_OK && uidset_count(&all) > max)
		st = ST_LIMIT;
	if (st == ST_OK)
		op_start_staging(rq);
	uidset_fini(&all);
	return st;
}

static enum status
prepare_copy(struct request *rq, const struct store_copy *msg, bool *wait)
{
	struct op *op = &rq->op;
	enum status st;
	bool known = false;

	if (rq->all_staged) {
		op->kind = OP_STAGE_COMMIT;
		return ST_OK;
	}
	st = cut(rq, msg->mailbox, msg->uids, STATE_ALL, rq->svc->cf.op_rows, wait);
	if (st == ST_OK && !rq->last && !rq->stages)
		st = begin_copy(rq, msg, &known);
	/* Judged whole: also a refusal belongs into the journal. */
	if (known || st == ST_NOT_FOUND)
		st = ST_OK;
	rq->ends = rq->last;
	rq->last = !rq->stages;
	rq->chain = rq->stages;
	op->kind = rq->stages ? OP_STAGE_COPY : OP_COPY;
	op->u.copy = (struct op_copy){ msg->mailbox, rq->stages ? buf_span(&rq->uids) : msg->uids,
	    msg->to, msg->move };
	return st;
}

/* The items from the one on that is next, as many as an operation may change. */
static enum status
cut_emails(struct request *rq, const struct store_email_set *msg)
{
	struct store_email_item it;
	const char *from = NULL, *to;
	uint32_t n = 0, rows = 0, more = 0;
	struct reader r;
	enum status st = ST_OK;

	reader_init(&r, msg->items.p, msg->items.len);
	while (n < rq->chain_from && get_store_email_item(&r, &it))
		n++;
	from = to = (const char *)r.p;
	while (st == ST_OK && get_store_email_item(&r, &it)) {
		st = state_email_rows(rq->svc->state, rq->account->id, it.message, &more);
		more += 1 + (uint32_t)(it.mailboxes_add.len / 8);
		if (to > from && rows + more > rq->svc->cf.op_rows)
			break;
		rows += more;
		to = (const char *)r.p;
		n++;
	}
	if (r.bad)
		return ST_SYNTAX;
	rq->last = to == msg->items.p + msg->items.len;
	rq->chain = rq->chain || !rq->last;
	rq->chain_to = n;
	rq->rows = rows;
	rq->op.u.email_set.items = span(from, (size_t)(to - from));
	return service_judge(rq->svc, st, "email-set");
}

static enum status
prepare_email_set(struct request *rq, const struct store_email_set *msg)
{
	enum status st = look_back(rq, msg->seq);

	rq->op.kind = OP_EMAIL_SET;
	rq->op.u.email_set = (struct op_email_set){ msg->if_email, msg->keywords, SPAN_NONE };
	if (st == ST_OK && !rq->finished)
		st = cut_emails(rq, msg);
	return st;
}

static void
prepare_mailbox_set(struct request *rq, const struct store_mailbox_set *msg)
{
	rq->op.kind = OP_MAILBOX_SET;
	rq->op.u.mailbox_set = (struct op_mailbox_set){ .if_mailbox = msg->if_mailbox,
	    .mailbox = msg->mailbox, .parent = msg->parent, .how = msg->how,
	    .fields = msg->fields, .role = msg->role, .name = msg->name, .order = msg->order,
	    .subscribed = msg->subscribed, .remove_emails = msg->remove_emails };
	rq->rows = msg->how == MAILBOX_SET_DESTROY ? OP_ROWS : 0;
}

static void
prepare_script(struct request *rq, const struct store_script_set *msg)
{
	rq->op.kind = OP_SCRIPT_SET;
	rq->op.u.script_set = (struct op_script_set){ .how = msg->how, .name = msg->name,
	    .to = msg->to, .text = msg->text, .activate = msg->activate,
	    .if_state = msg->if_state };
	script_limits(&rq->svc->cf, &rq->op.u.script_set);
}

/* Out of what was deleted.  A message that moves out of it is brought back as well. */
static enum status
prepare_undelete(struct request *rq, const struct store_copy *msg)
{
	rq->op.kind = OP_UNDELETE;
	rq->op.u.undelete = (struct op_undelete){ .mailbox = msg->mailbox & ~STORE_UNDELETED,
	    .uids = msg->uids, .to = msg->to };
	rq->rows = OP_ROWS;
	return ST_OK;
}

static void
admin_target(struct request *rq, uint64_t account)
{
	rq->op.head.account = account;
	rq->op.head.who = 0;
}

/* When it ends is for the configuration to say, and what its code is for nobody. */
static enum status
prepare_push(struct request *rq, const struct store_push_set *msg)
{
	const struct service_conf *cf = &rq->svc->cf;
	int64_t most_s = clock_wall_s() + cf->push_expiry_s;
	char code[STORE_PUSH_CODE + 1];
	struct store_push p = { 0 };
	struct reader r;

	rq->op.kind = OP_PUSH;
	rq->op.u.push = (struct op_push){ msg->how, msg->id, msg->what, cf->push_max, SPAN_NONE };
	if (msg->how == PUSH_DESTROY)
		return ST_OK;
	reader_init(&r, msg->push.p, msg->push.len);
	if (!get_store_push(&r, &p) || !reader_done(&r))
		return ST_SYNTAX;
	if (cf->push_max == 0)
		return ST_DENIED;
	if (p.expires_s <= 0 || p.expires_s > most_s)
		p.expires_s = most_s;
	random_id(code, STORE_PUSH_CODE);
	if (msg->how == PUSH_CREATE)
		p.code = span(code, STORE_PUSH_CODE);
	buf_clear(&rq->items);
	put_store_push(&rq->items, &p);
	rq->op.u.push.push = buf_span(&rq->items);
	mem_wipe(code, sizeof(code));
	return ST_OK;
}

static void
prepare_url_key(struct request *rq, const struct store_url_key_make *msg)
{
	unsigned char key[STORE_URL_KEY];

	random_bytes(key, sizeof(key));
	buf_clear(&rq->items);
	buf_add(&rq->items, key, sizeof(key));
	mem_wipe(key, sizeof(key));
	rq->op.kind = OP_URL_KEY;
	rq->op.u.url_key = (struct op_url_key){ msg->path, msg->reset, buf_span(&rq->items) };
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
		return op_prepare_append(rq, &msg->append);
	case STORE_FLAGS:
		return prepare_flags(rq, &msg->flags, wait);
	case STORE_ANNOTATE:
		return prepare_annotate(rq, &msg->annotate, wait);
	case STORE_EXPUNGE:
		return prepare_expunge(rq, &msg->expunge, wait);
	case STORE_COPY:
		return rq->chan->undeleted ? prepare_undelete(rq, &msg->copy) :
		    prepare_copy(rq, &msg->copy, wait);
	case STORE_EMAIL_SET:
		return prepare_email_set(rq, &msg->email_set);
	case STORE_MAILBOX_SET:
		prepare_mailbox_set(rq, &msg->mailbox_set);
		return ST_OK;
	case STORE_BLOB_PUT:
		return op_prepare_blob_put(rq, &msg->blob_put);
	case STORE_UNDELETE:
		op->kind = OP_UNDELETE;
		op->u.undelete = (struct op_undelete){ .ids = msg->undelete.ids,
		    .to = msg->undelete.to, .make = true };
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
	case STORE_QUOTA_SET:
		op->kind = OP_ACCOUNT_LIMITS;
		op->u.account_limits = (struct op_account_limits){ msg->quota.bytes,
		    msg->quota.messages, msg->quota.mailboxes };
		return ST_OK;
	case STORE_METADATA_SET:
		op->kind = OP_METADATA_NOTED;
		op->u.metadata = (struct op_metadata){ msg->metadata.mailbox,
		    msg->metadata.entries };
		return ST_OK;
	case STORE_PUSH_SET:
		return prepare_push(rq, &msg->push);
	case STORE_SCRIPT_SET:
		prepare_script(rq, &msg->script_set);
		return ST_OK;
	case STORE_DELIVER:
		return op_prepare_deliver(rq, &msg->deliver);
	case STORE_URL_KEY_MAKE:
		prepare_url_key(rq, &msg->url_key);
		return ST_OK;
	case STORE_PLACE:
		return op_prepare_place(rq, &msg->place);
	case STORE_UIDVALIDITY:
		op->kind = OP_UIDVALIDITY;
		op->u.uidvalidity = (struct op_uidvalidity){ msg->uidvalidity.mailbox,
		    msg->uidvalidity.if_modseq, msg->uidvalidity.uidvalidity,
		    msg->uidvalidity.uidnext };
		return ST_OK;
	case STORE_ACL_SET:
		op->kind = OP_ACL_SET;
		op->u.acl_set = (struct op_acl_set){ msg->acl_set.path, msg->acl_set.kind,
		    msg->acl_set.id, msg->acl_set.negative, msg->acl_set.how,
		    msg->acl_set.rights };
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
	rq->ends = false;
	rq->op.head.account = rq->account->id;
	rq->op.head.who = rq->chan->ticket.account;
	rq->op.head.seq = rq->op.head.acked = 0;
	st = prepare(rq, &msg, wait);
	rq->op.head.part = rq->finished ? rq->part : rq->chain ? rq->part + 1 : 0;
	rq->op.head.last = rq->chain && rq->last;
	/* What is staged is remembered when it is shown.  seq and acked stand first in every
	 * change. */
	if ((!rq->stages || rq->op.kind == OP_STAGE_COMMIT) && rq->chan->ticket.role != 0) {
		rq->op.head.seq = msg.create.seq;
		rq->op.head.acked = msg.create.acked;
	}
	return st;
}
