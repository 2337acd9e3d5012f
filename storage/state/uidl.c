/* POP3 unique-ids that messages brought along from another server: a row for each
 * membership that has one.  It goes with the membership, and along when that is moved. */
#include "storage/state/state_priv.h"

static enum status
get(struct apply *ap, struct mbox *m, uint32_t uid, struct key *k, struct span *text)
{
	key_uid(k, ap->a->id, m->id, uid);
	return st_get(ap->s, ap->s->txn, TAB_UIDL, k, &ap->s->value, text);
}

enum status
uidl_drop(struct apply *ap, struct mbox *m, uint32_t uid)
{
	struct span text;
	struct key k;
	enum status st;

	if (ap->a->rec.uidls == 0)
		return ST_OK;
	st = get(ap, m, uid, &k, &text);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	ap->a->rec.uidls--;
	ap->a->dirty = true;
	return st_del(ap->s, TAB_UIDL, &k);
}

static enum status
put(struct apply *ap, struct mbox *m, uint32_t uid, struct span text)
{
	struct span old;
	struct key k;
	enum status st;

	if (text.len == 0)
		return uidl_drop(ap, m, uid);
	st = get(ap, m, uid, &k, &old);
	if (st == ST_NOT_FOUND) {
		ap->a->rec.uidls++;
		ap->a->dirty = true;
	} else {
		TRY(st);
	}
	buf_add_span(st_put_start(ap->s), text);
	return st_put(ap->s, TAB_UIDL, &k);
}

enum status
uidl_move(struct apply *ap, struct mbox *from, uint32_t uid, struct mbox *to, uint32_t new_uid)
{
	struct buf copy = { 0 };
	struct span text;
	struct key k;
	enum status st;

	if (ap->a->rec.uidls == 0)
		return ST_OK;
	st = get(ap, from, uid, &k, &text);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	buf_add_span(&copy, text);
	st = put(ap, to, new_uid, buf_span(&copy));
	buf_fini(&copy);
	return st;
}

/* How many there are, or that the list is malformed. */
static bool
list_good(struct span list, size_t *n)
{
	struct store_uidl u;
	struct reader r;

	*n = 0;
	reader_init(&r, list.p, list.len);
	while (get_store_uidl(&r, &u))
		++*n;
	return reader_done(&r);
}

static enum status
put_all(struct apply *ap, struct mbox *m, struct span list, const struct uidset *there)
{
	struct store_uidl u;
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (get_store_uidl(&r, &u))
		if (uidset_has(there, u.uid))
			TRY(put(ap, m, u.uid, u.text));
	return ST_OK;
}

enum status
apply_uidl_put(struct apply *ap)
{
	const struct op_uidl_put *p = &ap->op->u.uidl_put;
	const struct uidrange every = { 1, UINT32_MAX };
	const struct uidset all = { (struct uidrange *)(uintptr_t)&every, 1, 1 };
	struct uidset there = { 0 };
	struct mbox *m;
	enum status st;
	size_t n;

	if (!list_good(p->list, &n))
		return refuse(ap, ST_SYNTAX);
	if (n > OP_ROWS)
		return refuse(ap, ST_LIMIT);
	TRY(ap_mbox(ap, p->mailbox, &m));
	if (m == NULL)
		return ST_OK;
	ap->r->mailbox = m->id;
	st = uidmap_among(ap->s, ap->a, m, STATE_ALL, &all, UINT64_MAX, &there);
	if (st == ST_OK)
		st = put_all(ap, m, p->list, &there);
	uidset_fini(&there);
	return st;
}

enum status
state_uidls(struct state *s, uint64_t account, uint64_t mailbox, uint32_t limit,
    size_t budget, uint32_t *resume_uid, struct buf *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_account a;
	struct key prefix, from;
	enum status st;

	TRY(st_read_account(s, NULL, account, &a));
	if (a.deleted_ms != 0)
		return ST_NOT_FOUND;
	if (a.uidls == 0) {
		*resume_uid = 0;
		return ST_OK;
	}
	key_2(&prefix, account, mailbox);
	key_uid(&from, account, mailbox, *resume_uid);
	TRY(engine_cursor_open(s->e, NULL, TAB_UIDL, key_span(&prefix), &c));
	engine_cursor_seek(c, key_span(&from));
	*resume_uid = 0;
	while ((st = st_next(s, TAB_UIDL, c, &key, &payload)) == ST_OK) {
		const struct store_uidl u = { get_be32(key.p + 16), payload };

		if (out->len >= budget || limit-- == 0) {
			*resume_uid = u.uid;
			break;
		}
		put_store_uidl(out, &u);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}
