/* Channels to another account's mailboxes: every request is judged by the ACLs of the owner's
 * mailboxes as they stand when it is answered.  Changes are judged once more when they are
 * applied, and that verdict counts. */
#include "storage/service/service_priv.h"

#include "common/util/mem.h"

#define SHARED_LOOKED	100u		/* owners looked at for one part of an answer */

bool
channel_foreign(const struct channel *c)
{
	return c->ticket.role == STORE_ROLE_ACCESS && c->account->id != c->ticket.account;
}

struct state_asker
channel_asker(const struct channel *c)
{
	return (struct state_asker){ c->ticket.account, span(c->groups, c->groups_len) };
}

void
channel_take_groups(struct channel *c)
{
	c->groups_len = 0;
	for (size_t i = 0; i < c->ticket.n_groups; i++, c->groups_len += 8)
		put_be64(c->groups + 8 * i, c->ticket.groups[i]);
}

/* A stranger's request about what he cannot know of is refused here: it costs the owner
 * nothing, and looks the same whether the account is there. */
static enum status
has_any(struct channel *c, uint32_t any)
{
	const struct state_asker by = channel_asker(c);
	bool yes;
	enum status st = state_shares(c->peer->svc->state, c->account->id, &by, any, &yes);

	if (st != ST_OK)
		return service_judge(c->peer->svc, st, "shares");
	return yes ? ST_OK : ST_NOT_FOUND;
}

enum status
share_judge(struct channel *c, const struct ipc_message *m)
{
	switch (m->no) {
	case STORE_LIST: case STORE_OPEN: case STORE_ROWS: case STORE_CACHE: case STORE_BODY:
	case STORE_CHANGES: case STORE_COLUMNS: case STORE_MARKS: case STORE_ACL:
	case STORE_WATCH: case STORE_STAGE_DROP: case STORE_SHARED: case STORE_METADATA_GET:
	case STORE_URL_FIND: case STORE_URL_BODY:
	case STORE_ANNOTATIONS: case STORE_ANNOTATED: case STORE_TEXT_FIND:
		return ST_OK;		/* reads are judged when it is their turn */
	case STORE_STAGE:
		return has_any(c, RIGHT_INSERT);
	case STORE_CREATE: case STORE_DELETE: case STORE_RENAME: case STORE_APPEND:
	case STORE_FLAGS: case STORE_EXPUNGE: case STORE_COPY: case STORE_REMOVE:
	case STORE_ACL_SET: case STORE_METADATA_SET: case STORE_ANNOTATE:
		return has_any(c, RIGHT_ALL);
	default:
		return ST_DENIED;
	}
}

static enum status
judge_id(struct request *rq, uint64_t mailbox, uint32_t need)
{
	const struct state_asker by = channel_asker(rq->chan);
	uint32_t rights;
	enum status st = state_rights(rq->svc->state, rq->account->id, mailbox, &by, &rights);

	return st != ST_OK ? st : state_verdict(rights, need);
}

static enum status
judge_path(struct request *rq, struct span path, uint32_t need)
{
	uint64_t mailbox;
	enum status st = state_find_mailbox(rq->svc->state, rq->account->id, path, &mailbox);

	if (st == ST_OK)
		st = judge_id(rq, mailbox, need);
	/* Notes about it are his from now on, even one that it is shared with him no more. */
	if (st == ST_OK && rq->m->no == STORE_OPEN)
		rq->chan->opened = mailbox;
	return st;
}

enum status
share_read(struct request *rq, const void *msg)
{
	if (!channel_foreign(rq->chan))
		return ST_OK;
	switch (rq->m->no) {
	case STORE_OPEN:
		return judge_path(rq, ((const struct store_open *)msg)->path, RIGHT_READ);
	case STORE_ACL:
		return judge_path(rq, ((const struct store_acl_get *)msg)->path, RIGHT_ADMIN);
	case STORE_ROWS:
		return judge_id(rq, ((const struct store_rows *)msg)->mailbox, RIGHT_READ);
	case STORE_CACHE:
		return judge_id(rq, ((const struct store_cache_get *)msg)->mailbox, RIGHT_READ);
	case STORE_BODY:
		return judge_id(rq, ((const struct store_body *)msg)->mailbox, RIGHT_READ);
	case STORE_CHANGES:
		return judge_id(rq, ((const struct store_changes *)msg)->mailbox, RIGHT_READ);
	case STORE_COLUMNS:
		return judge_id(rq, ((const struct store_columns *)msg)->mailbox, RIGHT_READ);
	case STORE_MARKS:
		return ST_LIMIT;	/* \Seen is the reader's own: the rows tell */
	case STORE_METADATA_GET:
		return judge_id(rq, ((const struct store_metadata_get *)msg)->mailbox, RIGHT_READ);
	case STORE_ANNOTATIONS:
		return judge_id(rq, ((const struct store_annotations *)msg)->mailbox, RIGHT_READ);
	case STORE_ANNOTATED:
		return judge_id(rq, ((const struct store_annotated_get *)msg)->mailbox, RIGHT_READ);
	case STORE_TEXT_FIND:
		return judge_id(rq, ((const struct store_text_find *)msg)->mailbox, RIGHT_READ);
	case STORE_LIST: case STORE_SHARED:
	case STORE_URL_FIND: case STORE_URL_BODY:	/* by the URL alone */
		return ST_OK;
	default:
		return ST_DENIED;
	}
}

enum status
share_rows(struct request *rq, uint64_t mailbox, unsigned fields, struct buf *rows)
{
	struct buf own = { 0 };
	enum status st;

	if (!channel_foreign(rq->chan) || !(fields & ROW_FLAGS))
		return ST_OK;
	st = state_reader_rows(rq->svc->state, rq->account->id, mailbox,
	    rq->chan->ticket.account, fields, buf_span(rows), &own);
	buf_fini(rows);
	*rows = own;
	return st;
}

/* Does a change concern this channel of another account? */
static bool
concerns(const struct channel *c, uint64_t mailbox)
{
	const struct state_asker by = channel_asker(c);
	uint32_t rights;

	return mailbox != 0 && (mailbox == c->opened ||
	    (state_rights(c->peer->svc->state, c->account->id, mailbox, &by, &rights) == ST_OK &&
	    (rights & RIGHT_LOOKUP)));
}

bool
share_tells(const struct channel *c, const struct request *rq)
{
	const struct state_result *res = &rq->res;

	if (res->own_only)
		return c->ticket.account == rq->op.head.who;
	if (!channel_foreign(c))
		return true;
	if (concerns(c, res->mailbox))
		return true;
	for (size_t i = 0; i < res->n_touched; i++)
		if (concerns(c, res->touched[i]))
			return true;
	/* More were touched than are named: any that it has opened may be one of them. */
	return res->n_touched == STATE_TOUCHED_MAX && c->opened != 0;
}

enum status
share_list(struct service *svc, const struct state_asker *by, uint64_t *after, struct buf *out)
{
	return state_shared(svc->state, by, after, SHARED_LOOKED, out);
}
