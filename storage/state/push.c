/* Subscriptions of push (RFC 8620 §7.2): a row for each, by account and id.  They belong to devices
 * and not to mail: no modseq, no history, no part of the root. */
#include "storage/state/push.h"

#include "storage/state/state_priv.h"

static enum status
load(struct state *s, struct engine_txn *txn, uint64_t account, uint64_t id, struct buf *value,
    struct store_push *p)
{
	struct span payload;
	struct reader r;
	struct key k;

	key_2(&k, account, id);
	TRY(st_get(s, txn, TAB_PUSH, &k, value, &payload));
	reader_init(&r, payload.p, payload.len);
	if (!get_store_push(&r, p) || !reader_done(&r) || p->id != id)
		return st_damaged(s, TAB_PUSH, key_span(&k));
	return ST_OK;
}

static enum status
put(struct apply *ap, const struct store_push *p)
{
	struct key k;

	key_2(&k, ap->a->id, p->id);
	put_store_push(st_put_start(ap->s), p);
	return st_put(ap->s, TAB_PUSH, &k);
}

static void
reply(struct apply *ap, const struct store_push *p)
{
	const struct store_push_is is = { p->id, p->expires_s };

	ap_reply(ap, STORE_PUSH_IS, &is);
}

/* How many there are; expired ones, which go. */
static enum status
count(struct apply *ap, size_t *n, struct buf *expired)
{
	int64_t now_s = ap->op->head.time_ms / 1000;
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct store_push p;
	struct reader r;
	struct key prefix;
	enum status st;

	key_1(&prefix, ap->a->id);
	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_PUSH, key_span(&prefix), &c));
	while ((st = st_next(ap->s, TAB_PUSH, c, &key, &payload)) == ST_OK) {
		reader_init(&r, payload.p, payload.len);
		if (get_store_push(&r, &p) && p.expires_s <= now_s)
			put_u64(expired, get_be64(key.p + 8));
		else
			++*n;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
drop(struct apply *ap, struct span ids)
{
	struct reader r;
	struct key k;

	reader_init(&r, ids.p, ids.len);
	while (r.p != r.end) {
		key_2(&k, ap->a->id, get_u64(&r));
		TRY(st_del(ap->s, TAB_PUSH, &k));
	}
	return ST_OK;
}

static enum status
create(struct apply *ap, struct store_push *p)
{
	struct buf expired = { 0 };
	size_t n = 0;
	enum status st = count(ap, &n, &expired);

	if (st == ST_OK)
		st = drop(ap, buf_span(&expired));
	buf_fini(&expired);
	TRY(st);
	if (n >= ap->op->u.push.most)
		return refuse(ap, ST_LIMIT);
	p->id = st_new_id(ap->s);
	p->verified = false;
	reply(ap, p);
	return put(ap, p);
}

static enum status
update(struct apply *ap, struct store_push *p)
{
	const struct op_push *o = &ap->op->u.push;
	struct buf value = { 0 };
	struct store_push old;
	enum status st = load(ap->s, ap->s->txn, ap->a->id, o->id, &value, &old);

	if (st == ST_OK && (o->what & PUSH_CODE) && !span_eq(p->code, old.code)) {
		st = refuse(ap, ST_DENIED);
	} else if (st == ST_OK) {
		old.verified |= (o->what & PUSH_CODE) != 0;
		if (o->what & PUSH_EXPIRES)
			old.expires_s = p->expires_s;
		if (o->what & PUSH_TYPES)
			old.types = p->types;
		reply(ap, &old);
		st = put(ap, &old);
	}
	buf_fini_secret(&value);
	return st == ST_NOT_FOUND ? refuse(ap, ST_NOT_FOUND) : st;
}

static enum status
destroy(struct apply *ap)
{
	struct span old;
	struct key k;
	enum status st;

	key_2(&k, ap->a->id, ap->op->u.push.id);
	st = st_get(ap->s, ap->s->txn, TAB_PUSH, &k, &ap->s->value, &old);
	if (st == ST_NOT_FOUND)
		return refuse(ap, ST_NOT_FOUND);
	TRY(st);
	reply(ap, &(struct store_push){ .id = ap->op->u.push.id });
	return st_del(ap->s, TAB_PUSH, &k);
}

enum status
apply_push(struct apply *ap)
{
	const struct op_push *o = &ap->op->u.push;
	struct store_push p = { 0 };
	struct reader r;

	if (o->how == PUSH_DESTROY)
		return destroy(ap);
	reader_init(&r, o->push.p, o->push.len);
	if (!get_store_push(&r, &p) || !reader_done(&r))
		return refuse(ap, ST_SYNTAX);
	if (o->how == PUSH_CREATE && p.url.len > 0 && p.code.len == STORE_PUSH_CODE)
		return create(ap, &p);
	return o->how == PUSH_UPDATE ? update(ap, &p) : refuse(ap, ST_SYNTAX);
}

enum status
state_pushes(struct state *s, uint64_t account, struct buf *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct key prefix;
	enum status st;

	key_1(&prefix, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_PUSH, key_span(&prefix), &c));
	while ((st = st_next(s, TAB_PUSH, c, &key, &payload)) == ST_OK)
		buf_add_span(out, payload);
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_push_next(struct state *s, uint64_t *account)
{
	struct engine_cursor *c = NULL;
	struct span key;
	struct key from;
	enum status st;

	if (*account == UINT64_MAX)
		return ST_NOT_FOUND;
	key_1(&from, *account + 1);
	TRY(engine_cursor_open(s->e, NULL, TAB_PUSH, SPAN_NONE, &c));
	engine_cursor_seek(c, key_span(&from));
	st = engine_cursor_next(c, &key, NULL);
	if (st == ST_OK)
		*account = get_be64(key.p);
	engine_cursor_close(&c);
	return st;
}
