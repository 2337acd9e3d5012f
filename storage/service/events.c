/* Whose mailboxes may name a script for events of IMAP (RFC 6785): looked up when the first of an
 * account's own channels is attached, kept as long as it has channels, and told to all of them in the
 * moment in which it becomes so. */
#include "storage/service/service_priv.h"

#include "storage/state/sieve.h"

static bool
concerns(const struct channel *c)
{
	return c->ticket.role == STORE_ROLE_ACCESS && !channel_foreign(c);
}

enum status
events_judge(const struct channel *c, bool *any)
{
	struct account *a = c->account;
	enum status st = ST_OK;

	*any = false;
	if (!concerns(c))
		return ST_OK;
	if (!a->events_known)
		st = state_event_any(c->peer->svc->state, a->id, &a->events);
	a->events_known = st == ST_OK;
	*any = a->events;
	return st;
}

/* Does the operation give a mailbox the entry? */
static bool
sets_one(const struct request *rq)
{
	const struct op_metadata *p = &rq->op.u.metadata;
	struct store_metadata e;
	struct reader r;

	if (rq->op.kind != OP_METADATA_NOTED || rq->res.status != ST_OK || p->mailbox == 0)
		return false;
	reader_init(&r, p->entries.p, p->entries.len);
	while (get_store_metadata(&r, &e))
		if (e.given && span_eq_str(e.name, STORE_EVENT_ENTRY))
			return true;
	return false;
}

void
events_note(const struct request *rq)
{
	struct account *a = rq->account;
	struct list *n, *tmp;

	if (a->events || !sets_one(rq))
		return;
	a->events = a->events_known = true;
	list_each(n, tmp, &a->channels) {
		struct channel *c = list_entry(n, struct channel, node);

		if (c->attached && !c->revoked && concerns(c))
			ipc_note(c->peer->ipc, c->no, STORE_EVENTS, NULL);
	}
}
