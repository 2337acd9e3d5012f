/* The outgoing queue: an entry is a row, the message it sends another one (as an append has it, so
 * that it can come back), its place in the order a third; its body is an extent like any. */
#include "storage/state/queue.h"

#include "storage/state/state_priv.h"

/* ---- rows ---- */

static enum status
entry_load(struct state *s, struct engine_txn *txn, uint64_t account, uint64_t id,
    struct buf *value, struct store_queue_entry *e)
{
	struct span payload;
	struct reader r;
	struct key k;

	key_2(&k, account, id);
	TRY(st_get(s, txn, TAB_QUEUE, &k, value, &payload));
	reader_init(&r, payload.p, payload.len);
	if (!get_store_queue_entry(&r, e) || !reader_done(&r) || e->id != id ||
	    e->account != account)
		return st_damaged(s, TAB_QUEUE, key_span(&k));
	return ST_OK;
}

static int64_t
due_of(const struct store_queue_entry *e)
{
	return e->taken_ms != 0 ? QUEUE_DUE_TAKEN : e->next_ms;
}

static void
due_key(struct key *k, const struct store_queue_entry *e)
{
	key_3(k, (uint64_t)due_of(e), e->account, e->id);
}

static enum status
entry_save(struct apply *ap, const struct store_queue_entry *e)
{
	struct key k;

	due_key(&k, e);
	st_put_start(ap->s);
	TRY(st_put(ap->s, TAB_QUEUEDUE, &k));
	key_2(&k, e->account, e->id);
	put_store_queue_entry(st_put_start(ap->s), e);
	return st_put(ap->s, TAB_QUEUE, &k);
}

/* All rows of an entry, but not what it refers to. */
static enum status
entry_del(struct apply *ap, const struct store_queue_entry *e)
{
	struct key k;

	due_key(&k, e);
	TRY(st_del(ap->s, TAB_QUEUEDUE, &k));
	key_2(&k, e->account, e->id);
	TRY(st_del(ap->s, TAB_QUEUEMSG, &k));
	return st_del(ap->s, TAB_QUEUE, &k);
}

enum status
queue_drop(struct apply *ap, uint64_t account, uint64_t id)
{
	struct buf value = { 0 };
	struct store_queue_entry e;
	enum status st = entry_load(ap->s, ap->s->txn, account, id, &value, &e);

	if (st == ST_OK)
		st = entry_del(ap, &e);
	if (st == ST_OK)
		st = extent_unref(ap->s, e.extent);
	buf_fini(&value);
	return st;
}

/* Of all entries of an account; ids may be NULL, and takes those of kinds that are sent at most once. */
static enum status
walk_entries(struct apply *ap, uint64_t account, struct buf *ids, uint64_t *n, uint64_t *bytes)
{
	struct engine_cursor *c = NULL;
	struct store_queue_entry e;
	struct span key, payload;
	struct reader r;
	struct key k;
	enum status st;

	*n = *bytes = 0;
	key_1(&k, account);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_QUEUE, key_span(&k), &c));
	while ((st = st_next(ap->s, TAB_QUEUE, c, &key, &payload)) == ST_OK) {
		reader_init(&r, payload.p, payload.len);
		if (!get_store_queue_entry(&r, &e)) {
			st = st_damaged(ap->s, TAB_QUEUE, key);
			break;
		}
		if (ids != NULL && queue_once(e.kind))
			put_u64(ids, e.id);
		++*n;
		*bytes += e.size;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
queue_forget_once(struct apply *ap, uint64_t account)
{
	struct buf ids = { 0 };
	uint64_t n, bytes;
	enum status st = walk_entries(ap, account, &ids, &n, &bytes);

	for (size_t i = 0; st == ST_OK && i < ids.len; i += 8)
		st = queue_drop(ap, account, get_be64(ids.data + i));
	buf_fini(&ids);
	return st;
}

/* ---- new ones ---- */

enum status
queue_count(struct apply *ap, uint64_t *n, uint64_t *bytes)
{
	return walk_entries(ap, ap->a->id, NULL, n, bytes);
}

enum status
queue_add(struct apply *ap, const struct store_queue_new *q, const struct op_append_item *it,
    uint64_t extent, uint64_t *id)
{
	int64_t now = ap->op->head.time_ms;
	struct store_queue_entry e = { .account = ap->a->id, .id = st_new_id(ap->s),
		.kind = q->kind, .created_ms = now, .next_ms = now, .size = it->size,
		.extent = extent, .sha256 = it->sha256, .env = q->env };
	struct op_append_item kept = *it;
	struct key k;

	if (e.env.by != 0)
		e.env.by_ms += now;
	if (kept.received_s == INT64_MIN)	/* when it comes back it is the message of then */
		kept.received_s = now / 1000;
	kept.stage = kept.message = kept.thread = 0;
	*id = e.id;
	key_2(&k, e.account, e.id);
	put_op_append_item(st_put_start(ap->s), &kept);
	TRY(st_put(ap->s, TAB_QUEUEMSG, &k));
	return entry_save(ap, &e);
}

/* ---- what becomes of them ---- */

static enum status
take(struct apply *ap, struct store_queue_entry *e)
{
	struct key k;

	if (e->taken_ms != 0)
		return refuse(ap, ST_CONFLICT);
	due_key(&k, e);
	TRY(st_del(ap->s, TAB_QUEUEDUE, &k));
	/* 0 would mean that it is not. */
	e->taken_ms = ap->op->head.time_ms != 0 ? ap->op->head.time_ms : 1;
	ap->r->uid = ++e->attempts;
	return entry_save(ap, e);
}

static enum status
later(struct apply *ap, struct store_queue_entry *e)
{
	const struct op_queue *p = &ap->op->u.queue;
	struct key k;

	due_key(&k, e);
	if (p->rcpts.len > 0)
		e->env.rcpts = p->rcpts;
	if (!store_envelope_good(&e->env))
		return refuse(ap, ST_SYNTAX);
	TRY(st_del(ap->s, TAB_QUEUEDUE, &k));
	e->taken_ms = 0;
	e->next_ms = p->next_ms >= 0 && p->next_ms < QUEUE_DUE_TAKEN ? p->next_ms :
	    QUEUE_DUE_TAKEN - 1;
	e->answer = span_sub(p->answer, 0, STORE_QUEUE_ANSWER_MAX);
	return entry_save(ap, e);
}

/* INBOX, which every account has. */
static enum status
inbox(struct apply *ap, struct mbox **m)
{
	struct path_at at;

	TRY(path_find(ap->s, ap->s->txn, ap->a->id, SPAN_LIT("INBOX"), &at));
	if (at.id == 0)
		return mailbox_make(ap, &at, MAILBOX_ROLE_NONE, m);
	TRY(ap_mbox(ap, at.id, m));
	if (*m != NULL && (*m)->rec.uidnext >= UINT32_MAX - 1)
		return refuse(ap, ST_LIMIT);
	return ST_OK;
}

/* The message was accepted once: the quota has nothing to say about it. */
static enum status
give_back(struct apply *ap, const struct store_queue_entry *e)
{
	struct store_appended reply = { 0 };
	struct buf value = { 0 }, uids = { 0 };
	struct op_append_item it;
	struct uidset set = { 0 };
	struct mbox *m = NULL;
	struct span payload = SPAN_NONE;
	struct reader r;
	struct key k;
	uint32_t uid = 0;
	enum status st;

	key_2(&k, e->account, e->id);
	st = st_get(ap->s, ap->s->txn, TAB_QUEUEMSG, &k, &value, &payload);
	reader_init(&r, payload.p, payload.len);
	if (st == ST_NOT_FOUND || (st == ST_OK && !get_op_append_item(&r, &it)))
		st = st_damaged(ap->s, TAB_QUEUEMSG, key_span(&k));
	if (st == ST_OK)
		st = inbox(ap, &m);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = message_make(ap, m, &it, e->extent, 0, flags_system(0), &uid);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = entry_del(ap, e);
	if (st == ST_OK && ap->r->status == ST_OK) {
		uidset_add(&set, uid);
		uidset_encode(&set, &uids);
		reply = (struct store_appended){ m->id, m->rec.uidvalidity, buf_span(&uids),
			ap->modseq, SPAN_NONE, 0 };
		ap->r->mailbox = m->id;
		ap->r->uid = uid;
		put_u64(&ap->r->messages, ap->s->msg.id);
		ap_reply(ap, STORE_APPENDED, &reply);
	}
	uidset_fini(&set);
	buf_fini(&uids);
	buf_fini(&value);
	return st;
}

static enum status
done(struct apply *ap, const struct store_queue_entry *e)
{
	TRY(entry_del(ap, e));
	return extent_unref(ap->s, e->extent);
}

enum status
apply_queue(struct apply *ap)
{
	const struct op_queue *p = &ap->op->u.queue;
	struct buf value = { 0 };
	struct store_queue_entry e;
	enum status st = entry_load(ap->s, ap->s->txn, ap->a->id, p->id, &value, &e);

	if (st == ST_NOT_FOUND)
		st = refuse(ap, ST_NOT_FOUND);
	else if (st == ST_OK && p->how != QUEUE_TAKE && p->attempt != 0 &&
	    (e.taken_ms == 0 || p->attempt != e.attempts))
		st = refuse(ap, ST_CONFLICT);
	else if (st == ST_OK && p->how == QUEUE_TAKE)
		st = take(ap, &e);
	else if (st == ST_OK && p->how == QUEUE_LATER)
		st = later(ap, &e);
	else if (st == ST_OK && p->how == QUEUE_DONE)
		st = done(ap, &e);
	else if (st == ST_OK && p->how == QUEUE_RETURN)
		st = ap->a->rec.stage ? refuse(ap, ST_UNAVAILABLE) : give_back(ap, &e);
	else if (st == ST_OK)
		st = refuse(ap, ST_SYNTAX);
	buf_fini(&value);
	return st;
}

/* ---- reading ---- */

enum status
state_queue_next(struct state *s, struct state_queue_at *at)
{
	struct engine_cursor *c = NULL;
	struct span key;
	struct key k;
	enum status st;

	TRY(engine_cursor_open(s->e, NULL, TAB_QUEUEDUE, SPAN_NONE, &c));
	key_3(&k, (uint64_t)at->due_ms, at->account, at->id);
	k.b[k.len++] = 0;		/* right behind it */
	engine_cursor_seek(c, key_span(&k));
	st = engine_cursor_next(c, &key, NULL);
	if (st == ST_OK && key.len != 24)
		st = st_damaged(s, TAB_QUEUEDUE, key);
	if (st == ST_OK)
		*at = (struct state_queue_at){ (int64_t)get_be64(key.p), get_be64(key.p + 8),
			get_be64(key.p + 16) };
	engine_cursor_close(&c);
	return st;
}

enum status
state_queue_entry(struct state *s, uint64_t account, uint64_t id, struct buf *row,
    struct store_queue_entry *e)
{
	return entry_load(s, NULL, account, id, row, e);
}

enum status
state_queue_body(struct state *s, uint64_t account, uint64_t id, struct state_body *body,
    struct buf *locs)
{
	struct buf value = { 0 };
	struct store_queue_entry e;
	enum status st = entry_load(s, NULL, account, id, &value, &e);

	if (st == ST_OK)
		st = extent_body(s, e.extent, body, locs);
	buf_fini(&value);
	return st;
}

enum status
state_queue_list(struct state *s, uint64_t *account, uint64_t *id, bool only, size_t budget,
    struct buf *out)
{
	struct engine_cursor *c = NULL;
	struct store_queue_entry e;
	struct span key, payload;
	size_t begin = out->len;
	struct reader r;
	struct key k;
	enum status st;

	key_1(&k, *account);
	TRY(engine_cursor_open(s->e, NULL, TAB_QUEUE, only ? key_span(&k) : SPAN_NONE, &c));
	key_2(&k, *account, *id);
	k.b[k.len++] = 0;		/* right behind it */
	engine_cursor_seek(c, key_span(&k));
	while ((st = st_next(s, TAB_QUEUE, c, &key, &payload)) == ST_OK) {
		reader_init(&r, payload.p, payload.len);
		if (!get_store_queue_entry(&r, &e)) {
			st = st_damaged(s, TAB_QUEUE, key);
			break;
		}
		if (out->len > begin && out->len - begin + payload.len > budget)
			break;
		e.extent = 0;
		put_store_queue_entry(out, &e);
		*account = e.account;
		*id = e.id;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND && out->len > begin ? ST_OK : st;
}
