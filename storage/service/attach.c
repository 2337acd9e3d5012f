/* Channels begin, with a ticket, and get new ones. */
#include "storage/service/service_priv.h"

#include "common/util/log.h"

/* Who delivers asks for it next: one answer instead of two. */
static void
tell_use(struct channel *c, struct store_attached *is)
{
	struct op_head limits = { 0 };
	struct store_quota_is q;

	service_limits(c->peer->svc, &limits);
	is->quota_told = state_quota(c->peer->svc->state, c->account->id, &limits, &q) == ST_OK;
	if (!is->quota_told)
		return;
	is->bytes = q.bytes;
	is->bytes_limit = q.bytes_limit;
	is->messages = q.messages;
	is->messages_limit = q.messages_limit;
	is->mailboxes = q.mailboxes;
	is->mailboxes_limit = q.mailboxes_limit;
}

static void
attached(struct channel *c, const struct ipc_head *h, bool idly)
{
	struct store_attached is = { .account = c->account->id,
		.incarnation = state_incarnation(c->peer->svc->state),
		.expires_s = c->ticket.expires_s };
	struct state_account sa;
	enum status st = state_account(c->peer->svc->state, c->account->id, &sa);

	if (st == ST_OK && sa.deleted_ms != 0)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		st = events_judge(c, &is.events);
	st = service_judge(c->peer->svc, st, "attach");
	if (c->revoked)
		st = ST_DENIED;
	if (st != ST_OK) {
		ipc_reply(c->peer->ipc, h, st, 0, NULL);
		channel_end(c);
		return;
	}
	is.modseq = sa.modseq;
	if (c->ticket.role == STORE_ROLE_DELIVER)
		tell_use(c, &is);
	c->attached = true;
	(idly ? ipc_reply_later : ipc_reply)(c->peer->ipc, h, ST_OK, STORE_ATTACHED, &is);
}

/* The same answer whether the owner is there, and whether he shares anything. */
static void
attached_shared(struct channel *c, const struct ipc_head *h)
{
	const struct store_attached is = { .account = c->account->id,
		.incarnation = state_incarnation(c->peer->svc->state),
		.expires_s = c->ticket.expires_s };

	c->attached = true;
	ipc_reply(c->peer->ipc, h, ST_OK, STORE_ATTACHED, &is);
}

/* One's own account as an owner, on a shard that is not its own: it is not made there. */
static void
attach_elsewhere(struct channel *c, const struct ipc_head *h)
{
	ipc_reply(c->peer->ipc, h, ST_DENIED, 0, NULL);
	channel_end(c);
}

static void
account_made(struct request *rq, const struct state_result *res)
{
	struct channel *c = rq->chan;

	if (c == NULL)
		return;
	if (res->status == ST_OK || res->status == ST_EXISTS) {
		attached(c, &rq->head, false);
		return;
	}
	ipc_reply(c->peer->ipc, &rq->head, res->status, 0, NULL);
	channel_end(c);
}

static void
make_account(struct channel *c, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg)
{
	struct request *rq = request_new(c, m, h, msg);

	rq->change = true;
	rq->prepared = true;
	rq->last = true;
	rq->done = account_made;
	buf_add_span(&rq->items, buf_span(&rq->svc->cf.folders));
	rq->op.kind = OP_ACCOUNT_CREATE;
	rq->op.head.account = c->account->id;
	rq->op.u.account_create.mailboxes = buf_span(&rq->items);
	tick_queue(rq);
}

void
channel_attach(struct peer *p, const struct ipc_message *m, const struct ipc_head *h,
    const struct store_attach *msg)
{
	struct service *svc = p->svc;
	struct state_account sa;
	struct channel *c;
	struct ticket t;
	bool shared, undeleted;
	enum status st = ST_UNAVAILABLE;

	if (p->channels.count >= CHANNELS_MAX) {
		if (!p->limit_told)
			LOG(NULL, WARN, "peer.limit", KV_STR("peer", p->name),
			    KV_UINT("slot", p->slot), KV_UINT("channels", p->channels.count));
		p->limit_told = true;
		ipc_reply(p->ipc, h, ST_LIMIT, 0, NULL);
		return;
	}
	if (h->chan == 0 || table_get_u64(&p->channels, h->chan) != NULL)
		st = ST_EXISTS;
	else if (svc->revocations_known)
		st = ticket_judge(p, msg->ticket, msg->owner != 0, &t);
	if (st != ST_OK) {
		ipc_reply(p->ipc, h, st, 0, NULL);
		return;
	}
	undeleted = msg->owner == (t.account | STORE_UNDELETED) && t.role == STORE_ROLE_ACCESS;
	shared = !undeleted && msg->owner != 0 && msg->owner != t.account;
	c = channel_new(p, h->chan, account_get(svc, shared ? msg->owner : t.account));
	c->ticket = t;
	c->undeleted = undeleted;
	channel_take_groups(c);
	table_put_u64(&p->channels, c->no, c);
	if (shared)
		attached_shared(c, h);
	else if (t.shard != svc->cf.shard)
		attach_elsewhere(c, h);
	else if (state_account(svc->state, t.account, &sa) == ST_NOT_FOUND)
		make_account(c, m, h, msg);
	else
		attached(c, h, msg->idly);
}

void
channel_renew(struct peer *p, struct channel *c, const struct ipc_head *h,
    const struct store_attach *msg)
{
	struct ticket t;
	enum status st = c->revoked ? ST_DENIED : ticket_judge(p, msg->ticket,
	    channel_foreign(c), &t);

	if (st == ST_OK && (t.account != c->ticket.account || t.role != c->ticket.role)) {
		LOG(NULL, WARN, "ticket.foreign", KV_STR("peer", p->name), KV_UINT("slot", p->slot),
		    KV_UINT("generation", p->generation), KV_UINT("account", t.account));
		st = ST_DENIED;
	}
	if (st == ST_OK) {
		c->ticket = t;
		channel_take_groups(c);
	}
	ipc_reply(p->ipc, h, st, 0, NULL);
}
