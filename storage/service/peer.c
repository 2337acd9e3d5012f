/* Sockets and the channels on them: what is asked is judged here, then goes to the tick
 * (tick.c) or to the reads (reads.c). */
#include "storage/service/service_priv.h"

#include <stdio.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/queue.h"

#define WORKER_ROLES (STORE_ROLE_ACCESS | STORE_ROLE_DELIVER)

struct account *
account_get(struct service *svc, uint64_t id)
{
	struct account *a = table_get_u64(&svc->accounts, id);

	if (a == NULL) {
		a = mem_zalloc(sizeof(*a));
		a->id = id;
		list_init(&a->channels);
		list_init(&a->queue);
		table_put_u64(&svc->accounts, id, a);
	}
	a->refs++;
	return a;
}

void
account_unref(struct service *svc, struct account *a)
{
	if (--a->refs > 0)
		return;
	list_remove(&a->ready);
	table_del_u64(&svc->accounts, a->id);
	mem_free(&a);
}

/* Requests ------------------------------------------------------------------------- */

struct request *
request_new(struct channel *c, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg)
{
	struct request *rq = mem_zalloc(sizeof(*rq));
	unsigned char *tail = rq->op.head.ticket + OP_TICKET_LEN - 8;

	rq->svc = c->peer->svc;
	rq->chan = c;
	rq->account = account_get(rq->svc, c->account->id);
	rq->m = m;
	rq->head = *h;
	if (m->size > 0)
		ipc_encode(m, msg, &rq->body);
	/* What the channel was attached with when it asked: a renewal may come first. */
	memcpy(rq->op.head.ticket, c->ticket.id, OP_TICKET_LEN);
	/* The same ticket counts its changes anew on each of its channels. */
	if (c->undeleted)
		put_be64(tail, get_be64(tail) ^ STORE_UNDELETED);
	if (channel_foreign(c)) {
		put_be64(tail, get_be64(tail) ^ c->account->id);
		memcpy(rq->groups, c->groups, c->groups_len);
		rq->op.head.groups = span(rq->groups, c->groups_len);
	}
	rq->counted = rq->body.len + sizeof(*rq);
	c->peer->queued += rq->counted;
	rq->svc->held += rq->counted;
	list_push_back(&c->requests, &rq->chan_node);
	return rq;
}

static void
request_leave(struct request *rq)
{
	if (rq->chan == NULL)
		return;
	list_remove(&rq->chan_node);
	rq->chan->peer->queued -= rq->counted;
	if (rq->chan->peer->paused && rq->chan->peer->queued < QUEUED_MAX / 2)
		loop_task_post(rq->svc->tick_task);
	rq->chan = NULL;
	rq->stage = NULL;
}

void
request_free(struct request *rq)
{
	struct service *svc = rq->svc;

	request_leave(rq);
	svc->held -= rq->counted;
	list_remove(&rq->node);
	if (rq->m != NULL && (rq->m->flags & IPC_MSG_SECRET) != 0)
		buf_fini_secret(&rq->body);
	if (rq->op.kind == OP_URL_KEY) {
		buf_fini_secret(&rq->op_bytes);
		buf_fini_secret(&rq->items);
	}
	buf_fini(&rq->body);
	buf_fini(&rq->op_bytes);
	buf_fini(&rq->items);
	buf_fini(&rq->locs);
	buf_fini(&rq->uids);
	uidset_fini(&rq->merged);
	uidset_fini(&rq->set);
	state_changes_fini(&rq->changes);
	state_columns_close(&rq->columns);
	text_find_free(&rq->find);
	state_result_fini(&rq->res);
	account_unref(svc, rq->account);
	mem_free(&rq);
}

static void
run_waiting(struct channel *c)
{
	while (!list_empty(&c->waiting)) {
		struct request *rq = list_entry(c->waiting.next, struct request, node);

		if (rq->after > c->answered)
			return;
		list_remove(&rq->node);
		read_begin(rq);
	}
}

void
request_answer(struct request *rq, enum status st, uint16_t no, const void *msg)
{
	struct channel *c = rq->chan;

	if (c == NULL)
		return;
	if (c->revoked)
		ipc_reply(c->peer->ipc, &rq->head, ST_DENIED, 0, NULL);
	else
		ipc_reply(c->peer->ipc, &rq->head, st, st == ST_OK ? no : 0,
		    st == ST_OK ? msg : NULL);
	if (rq->change) {
		c->answered++;
		run_waiting(c);
	}
}

/* Channels -------------------------------------------------------------------------- */

struct channel *
channel_new(struct peer *p, uint32_t no, struct account *a)
{
	struct channel *c = mem_zalloc(sizeof(*c));

	c->peer = p;
	c->no = no;
	c->account = a;
	list_init(&c->waiting);
	list_init(&c->requests);
	list_push_back(&a->channels, &c->node);
	return c;
}

void
channel_end(struct channel *c)
{
	struct service *svc = c->peer->svc;
	struct list *n, *tmp;

	list_each(n, tmp, &c->requests) {
		struct request *rq = list_entry(n, struct request, chan_node);
		bool change = rq->change;

		request_leave(rq);
		if (!change)
			read_drop(rq);
		/* Nobody waits, and it has not begun: who attaches, asks and detaches without end
		 * must not fill the memory until the next tick. */
		else if (!rq->in_tick && !rq->stages)
			request_free(rq);
	}
	table_fini(&c->stages, stage_free, c->account);
	if (c->no != 0)
		table_del_u64(&c->peer->channels, c->no);
	list_remove(&c->node);
	account_unref(svc, c->account);
	mem_wipe(&c->ticket, sizeof(c->ticket));
	mem_free(&c);
}

void
channel_revoke(struct channel *c)
{
	if (c->revoked)
		return;
	c->revoked = true;
	c->watching = false;
	if (c->attached)
		ipc_note(c->peer->ipc, c->no, STORE_REVOKED, NULL);
}

void
note_dirty(struct service *svc, const struct request *rq)
{
	struct account *a = table_get_u64(&svc->accounts, rq->op.head.account);
	const struct store_dirty dirty = { rq->res.modseq, rq->res.email_modseq,
	    rq->res.mailbox_modseq, rq->res.thread_modseq, rq->res.script_modseq };
	struct list *n, *tmp;

	if (a == NULL)
		return;
	list_each(n, tmp, &a->channels) {
		struct channel *c = list_entry(n, struct channel, node);

		if (c == rq->chan || !c->watching || c->told || c->revoked ||
		    c->ticket.expires_s <= clock_wall_s() || !share_tells(c, rq))
			continue;
		c->told = true;
		svc->n_dirty++;
		ipc_note(c->peer->ipc, c->no, STORE_DIRTY, &dirty);
	}
}

void
note_dir(struct service *svc, const struct state_result *res)
{
	struct store_dir_dirty dirty = { res->modseq, buf_span(&res->keys) };
	struct list *n, *tmp;

	if (res->keys.len > 65536)
		dirty.keys = SPAN_NONE;
	list_each(n, tmp, &svc->peers) {
		struct peer *p = list_entry(n, struct peer, node);

		if (p->dir_watch)
			ipc_note(p->ipc, 0, STORE_DIR_DIRTY, &dirty);
	}
}

/* Dispatch -------------------------------------------------------------------------- */

static uint32_t
email_set_rights(const struct store_email_set *msg)
{
	struct store_email_item it;
	struct reader r;
	uint32_t need = 0;

	reader_init(&r, msg->items.p, msg->items.len);
	while (get_store_email_item(&r, &it)) {
		if (it.how == EMAIL_DESTROY)
			need |= RIGHT_DELETE_MSG | RIGHT_EXPUNGE;
		if (it.keywords_how != EMAIL_KEEP)
			need |= RIGHT_WRITE;
		if (it.mailboxes_how != EMAIL_KEEP)
			need |= RIGHT_READ | RIGHT_INSERT | RIGHT_DELETE_MSG | RIGHT_EXPUNGE;
	}
	return need;
}

static uint32_t
mailbox_set_rights(const struct store_mailbox_set *msg)
{
	uint32_t need = RIGHT_LOOKUP;

	if (msg->how == MAILBOX_SET_CREATE)
		return RIGHT_CREATE;
	if (msg->how == MAILBOX_SET_DESTROY)
		return RIGHT_DELETE_MAILBOX |
		    (msg->remove_emails ? RIGHT_DELETE_MSG | RIGHT_EXPUNGE : 0);
	if (msg->fields & (MAILBOX_CHANGED_NAME | MAILBOX_CHANGED_PARENT))
		need |= RIGHT_CREATE | RIGHT_DELETE_MAILBOX;
	if (msg->fields & MAILBOX_CHANGED_ROLE)
		need |= RIGHT_CREATE;
	return need;
}

static uint32_t
deliver_rights(const struct store_deliver *msg)
{
	uint32_t need = msg->queue.len > 0 ? RIGHT_POST : 0;

	if (msg->of_uid == 0)
		return need | RIGHT_INSERT;
	if (msg->places.len > 0)
		need |= RIGHT_INSERT;
	if (flags_any(msg->flags_add) || flags_any(msg->flags_remove))
		need |= RIGHT_WRITE;
	return need | RIGHT_READ;
}

/* The rights that a request needs of an access ticket. */
static uint32_t
rights_needed(const struct ipc_message *m, const void *msg)
{
	switch (m->no) {
	case STORE_LIST: case STORE_TOUCHED: return RIGHT_LOOKUP;
	case STORE_CREATE: return RIGHT_CREATE;
	case STORE_DELETE: return RIGHT_DELETE_MAILBOX;
	case STORE_RENAME: return RIGHT_CREATE | RIGHT_DELETE_MAILBOX;
	case STORE_OPEN: case STORE_ROWS: case STORE_CACHE: case STORE_BODY:
	case STORE_CHANGES: case STORE_COLUMNS: case STORE_TEXT_FIND: return RIGHT_READ;
	case STORE_STAGE: return RIGHT_INSERT;
	case STORE_APPEND:
		return RIGHT_INSERT | (((const struct store_append *)msg)->replace_uid != 0 ?
		    RIGHT_DELETE_MSG | RIGHT_EXPUNGE : 0);
	case STORE_FLAGS: return RIGHT_WRITE;
	case STORE_EXPUNGE: return RIGHT_EXPUNGE;
	case STORE_SHARED: return RIGHT_LOOKUP;
	case STORE_ACL: case STORE_ACL_SET: return RIGHT_ADMIN;
	case STORE_UIDLS: case STORE_ANNOTATIONS: case STORE_ANNOTATED: return RIGHT_READ;
	case STORE_ANNOTATE: return RIGHT_READ;
	case STORE_METADATA_GET: case STORE_METADATA_SET: return RIGHT_LOOKUP | RIGHT_READ;
	case STORE_UIDL_PUT: return RIGHT_WRITE;
	case STORE_PUSHES: case STORE_PUSH_SET: return RIGHT_LOOKUP | RIGHT_READ;
	case STORE_SUMS: return RIGHT_READ;
	case STORE_SCRIPTS: case STORE_SCRIPT: case STORE_SCRIPT_ROOM: case STORE_SIEVE_KEYS:
		return RIGHT_LOOKUP | RIGHT_READ;
	case STORE_SCRIPT_SET: return RIGHT_ADMIN;
	case STORE_EVENT: return RIGHT_READ;
	case STORE_DELIVER: return deliver_rights(msg);
	case STORE_PLACE: case STORE_UIDVALIDITY: return RIGHT_INSERT | RIGHT_ADMIN;
	case STORE_QUOTA_SET: return RIGHT_QUOTA;
	case STORE_STATES: case STORE_MAILBOX_CHANGES: return RIGHT_LOOKUP;
	case STORE_BLOB_PUT: return RIGHT_INSERT;
	case STORE_BLOB_READ: case STORE_BLOBS: return RIGHT_READ;
	case STORE_EMAIL_SET: return email_set_rights(msg);
	case STORE_MAILBOX_SET: return mailbox_set_rights(msg);
	case STORE_EMAILS: case STORE_EMAIL_CHANGES: return RIGHT_LOOKUP | RIGHT_READ;
	case STORE_URL_KEY_MAKE: case STORE_URL_SIGN: return RIGHT_LOOKUP | RIGHT_READ;
	case STORE_REMOVE:
		switch (((const struct store_remove *)msg)->how) {
		case REMOVE_FLAG: return RIGHT_WRITE;
		case REMOVE_MOVE: return RIGHT_READ | RIGHT_INSERT | RIGHT_EXPUNGE;
		default: return RIGHT_EXPUNGE;
		}
	case STORE_RESTORE: return RIGHT_ADMIN | RIGHT_DELETE_MSG | RIGHT_EXPUNGE;
	case STORE_UNDELETE: return RIGHT_READ | RIGHT_INSERT;
	case STORE_COPY:
		return RIGHT_READ | RIGHT_INSERT |
		    (((const struct store_copy *)msg)->move ? RIGHT_EXPUNGE : 0);
	default: return 0;
	}
}

/* What a channel that reads what was deleted may be asked for. */
static bool
undeleted_may(uint16_t no)
{
	switch (no) {
	case STORE_LIST: case STORE_OPEN: case STORE_ROWS: case STORE_CACHE: case STORE_COLUMNS:
	case STORE_MARKS: case STORE_BODY: case STORE_CHANGES: case STORE_COPY: case STORE_WATCH:
	case STORE_TOUCHED: case STORE_ANNOTATIONS: case STORE_ANNOTATED: case STORE_TEXT_FIND:
	case STORE_METADATA_GET:
		return true;
	default:
		return false;
	}
}

static enum status
judge(struct channel *c, const struct ipc_message *m, const void *msg)
{
	uint32_t need = rights_needed(m, msg);
	enum status st = channel_judge(c);

	if (st != ST_OK || c->ticket.role == 0)
		return st;
	if ((m->no == STORE_PLACE || m->no == STORE_UIDVALIDITY) &&
	    !(c->peer->roles & STORE_ROLE_ADMIN))
		return ST_DENIED;
	if (m->no == STORE_DELIVER && ((const struct store_deliver *)msg)->of_uid != 0 &&
	    c->ticket.role != STORE_ROLE_ACCESS)
		return ST_DENIED;
	if ((m->allowed & c->ticket.role) == 0) {
		LOG(NULL, WARN, "ticket.role", KV_STR("peer", c->peer->name),
		    KV_UINT("account", c->ticket.account), KV_STR("message", m->name));
		return ST_DENIED;
	}
	if (c->ticket.role == STORE_ROLE_ACCESS && (need & ~c->ticket.rights) != 0)
		return ST_DENIED;
	if (c->undeleted && !undeleted_may(m->no))
		return ST_DENIED;
	return channel_foreign(c) ? share_judge(c, m) : ST_OK;
}

static void
queue_change(struct channel *c, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg)
{
	struct request *rq = request_new(c, m, h, msg);

	rq->change = true;
	rq->after = ++c->made;
	tick_queue(rq);
}

static void
queue_read(struct channel *c, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg)
{
	struct request *rq = request_new(c, m, h, msg);

	rq->after = c->made;
	if (rq->after > c->answered)
		list_push_back(&c->waiting, &rq->node);
	else
		read_begin(rq);
}

static void
answer_stats(struct peer *p, const struct ipc_head *h)
{
	struct buf b = { 0 };
	struct store_stats_are are;

	service_stats(p->svc, &b);
	are.text = buf_span(&b);
	ipc_reply(p->ipc, h, ST_OK, STORE_STATS_ARE, &are);
	buf_fini(&b);
}

static void
copy_made(void *arg, enum status st, uint32_t number)
{
	const struct store_copy_made made = { number };
	struct request *rq = arg;

	request_answer(rq, st, STORE_COPY_MADE, &made);
	request_free(rq);
}

static void
make_copy(struct channel *c, const struct ipc_message *m, const struct ipc_head *h)
{
	struct request *rq = request_new(c, m, h, NULL);

	rq->busy = true;
	copies_make(rq->svc, copy_made, rq);
}

static void
answer_copies(struct peer *p, const struct ipc_head *h)
{
	struct store_copies_are are;
	struct copy_info *list;
	struct buf b = { 0 };
	size_t n;

	copies_list(p->svc, &list, &n);
	for (size_t i = 0; i < n && i < STORE_COPIES_MAX; i++) {
		const struct store_copy_entry e = { list[i].number, list[i].made_ms,
			list[i].pos.lsn, list[i].incarnation, list[i].bytes, list[i].pins };

		put_store_copy_entry(&b, &e);
	}
	are.list = buf_span(&b);
	ipc_reply(p->ipc, h, ST_OK, STORE_COPIES_ARE, &are);
	buf_fini(&b);
	mem_free(&list);
}

static void
dispatch(struct peer *p, struct channel *c, const struct ipc_message *m,
    const struct ipc_head *h, const void *msg)
{
	enum status st = judge(c, m, msg);

	if (st != ST_OK) {
		ipc_reply(p->ipc, h, st, 0, NULL);
		return;
	}
	switch (m->no) {
	case STORE_WATCH:
		c->watching = ((const struct store_watch *)msg)->on;
		break;
	case STORE_STAGE:
		stage_chunk(c, m, h, msg);
		return;
	case STORE_STAGE_DROP:
		stage_drop(c, msg);
		break;
	case STORE_LEASE:
		st = lease_judge(c, msg);
		break;
	case STORE_DIR_WATCH:
		p->dir_watch = true;
		break;
	case STORE_STATS:
		answer_stats(p, h);
		return;
	case STORE_FSCK:
		fsck_start(p, h, msg);
		return;
	case STORE_QUEUE:
		queue_list(p, h, msg);
		return;
	case STORE_QUEUE_SET:
		queue_set(p, h, msg);
		return;
	case STORE_COPY_MAKE:
		make_copy(c, m, h);
		return;
	case STORE_COPIES:
		answer_copies(p, h);
		return;
	case STORE_BACKUP_BEGIN:
		backup_begin(request_new(c, m, h, msg), msg);
		return;
	case STORE_BACKUP_READ:
		backup_read(request_new(c, m, h, msg), msg);
		return;
	case STORE_BACKUP_END:
		backup_end(p, ((const struct store_backup_end *)msg)->copy);
		break;
	default:
		if (read_is(m->no))
			queue_read(c, m, h, msg);
		else
			queue_change(c, m, h, msg);
		return;
	}
	ipc_reply(p->ipc, h, st, 0, NULL);
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct peer *p = arg;
	struct channel *c = p->zero;

	p->svc->n_requests++;
	if (p->svc->dead) {
		ipc_reply(ipc, h, ST_UNAVAILABLE, 0, NULL);
		return;
	}
	if (m->no == STORE_ATTACH) {
		channel_attach(p, m, h, msg);
		return;
	}
	if ((m->allowed & WORKER_ROLES) != 0)
		c = table_get_u64(&p->channels, h->chan);
	if (c == NULL || (c != p->zero && !c->attached)) {
		ipc_reply(ipc, h, ST_DENIED, 0, NULL);
		return;
	}
	c->told = false;
	if (m->no == STORE_DETACH) {
		channel_end(c);
		ipc_reply(ipc, h, ST_OK, 0, NULL);
	} else if (m->no == STORE_RENEW) {
		channel_renew(p, c, h, msg);
	} else {
		dispatch(p, c, m, h, msg);
	}
	if (p->queued > QUEUED_MAX && !p->paused) {
		p->paused = true;
		ipc_pause(ipc, true);
	}
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct peer *p = arg;

	peer_free(&p);
}

static void
on_drained(struct ipc *ipc, void *arg)
{
	struct peer *p = arg;

	loop_task_post(p->svc->reads_task);
}

void
peers_go_on(struct service *svc)
{
	struct list *n, *tmp;

	list_each(n, tmp, &svc->peers) {
		struct peer *p = list_entry(n, struct peer, node);

		if (p->paused && p->queued < QUEUED_MAX / 2) {
			p->paused = false;
			ipc_pause(p->ipc, false);	/* may end the peer */
		}
	}
}

void
service_peer(struct service *svc, int fd, unsigned roles, const char *name,
    uint32_t slot, uint64_t generation)
{
	struct peer *p = mem_zalloc(sizeof(*p));
	const struct ipc_config cf = { .loop = svc->loop, .protocol = &store_protocol,
		.peer = p->name, .allowed = roles, .request = on_request, .closed = on_closed,
		.drained = on_drained, .arg = p };

	p->svc = svc;
	p->roles = roles;
	p->slot = slot;
	p->generation = generation;
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->zero = channel_new(p, 0, account_get(svc, 0));
	p->ipc = ipc_new(&cf, fd);
	list_push_back(&svc->peers, &p->node);
}

void
peer_free(struct peer **pp)
{
	struct peer *p = *pp;
	size_t pos = 0;
	void *v;

	*pp = NULL;
	fsck_peer_gone(p);
	backup_end(p, 0);
	while (table_next(&p->channels, &pos, NULL, &v))
		channel_end(v);
	channel_end(p->zero);
	table_fini(&p->channels, NULL, NULL);
	list_remove(&p->node);
	ipc_free(&p->ipc);
	mem_free(&p);
}
