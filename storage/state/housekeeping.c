#include "storage/state/housekeeping.h"

#include "storage/state/read_priv.h"

#define YOUNG_MAX 16u		/* rows looked at behind the first that is too young */

enum status
state_mailbox_next(struct state *s, uint64_t account, uint64_t after, unsigned max,
    struct state_mailbox_brief *m)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mailbox rec;
	struct key k;
	enum status st;

	*m = (struct state_mailbox_brief){ .id = after };
	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_MAILBOX, key_span(&k), &c));
	key_2(&k, account, after + 1);
	engine_cursor_seek(c, key_span(&k));
	while ((st = st_next(s, TAB_MAILBOX, c, &key, &payload)) == ST_OK) {
		if (!rec_mailbox_get(payload, &rec)) {
			st = st_damaged(s, TAB_MAILBOX, key);
			break;
		}
		m->id = get_be64(key.p + 8);
		m->role = rec.role;
		m->messages = rec.messages;
		if (rec.deleted_ms == 0)
			break;
		if (--max == 0) {
			st = ST_LIMIT;
			break;
		}
	}
	engine_cursor_close(&c);
	return st;
}

enum status
state_saved_before(struct state *s, uint64_t account, uint64_t mailbox, int64_t before_s,
    unsigned max, struct uidset *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_index x;
	uint32_t last;
	unsigned young = 0;
	struct key k;
	enum status st = ST_OK;

	TRY(read_live_mailbox(s, account, mailbox, &last));
	key_2(&k, account, mailbox);
	TRY(engine_cursor_open(s->e, NULL, TAB_MINDEX, key_span(&k), &c));
	while (max-- > 0 && young < YOUNG_MAX &&
	    (st = st_next(s, TAB_MINDEX, c, &key, &payload)) == ST_OK) {
		uint32_t uid = get_be32(key.p + 16);

		if (uid > last)
			break;
		if (!rec_index_get(payload, &x)) {
			st = st_damaged(s, TAB_MINDEX, key);
			break;
		}
		if (x.saved_s < before_s)
			uidset_add(out, uid);
		else
			young++;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
state_history_at(struct state *s, uint64_t account, uint64_t modseq, int64_t *time_ms)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_history h;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_HISTORY, key_span(&k), &c));
	key_2(&k, account, modseq);
	engine_cursor_seek(c, key_span(&k));
	st = st_next(s, TAB_HISTORY, c, &key, &payload);
	if (st == ST_OK && !rec_history_get(payload, &h))
		st = st_damaged(s, TAB_HISTORY, key);
	if (st == ST_OK)
		*time_ms = h.time_ms;
	engine_cursor_close(&c);
	return st;
}

/* Takes away what came into the mailbox too long ago.  Which that is, the operation says; that it
 * is still so, and that the mailbox is still what the rule is for, is judged here. */
static enum status
take_old(struct apply *ap, struct mbox *m, const struct uidset *uids)
{
	const struct op_retention *p = &ap->op->u.retention;
	struct rec_index x;

	for (uint32_t u = 0; (u = uidset_next(uids, u)) != 0;) {
		TRY(index_load(ap->s, ap->a, m, u, &x));
		if (x.saved_s < p->before_s) {
			ap->r->mailbox = m->id;
			TRY(expunge_one(ap, m, u));
		}
		if (u == UINT32_MAX)
			break;
	}
	return ST_OK;
}

enum status
apply_retention(struct apply *ap)
{
	const struct op_retention *p = &ap->op->u.retention;
	struct uidset asked = { 0 }, uids = { 0 };
	struct mbox *m = NULL;
	struct reader r;
	enum status st = ST_OK;

	reader_init(&r, p->uids.p, p->uids.len);
	if (!uidset_decode(&asked, &r, STORE_RANGES_MAX) || !reader_done(&r))
		st = refuse(ap, ST_SYNTAX);
	else
		st = ap_mbox(ap, p->mailbox, &m);
	if (m != NULL && p->role != MAILBOX_ROLE_NONE && m->rec.role != p->role)
		st = refuse(ap, ST_CONFLICT);
	if (m != NULL && st == ST_OK && ap->r->status == ST_OK) {
		st = uidmap_among(ap->s, ap->a, m, STATE_ALL, &asked, OP_ROWS, &uids);
		if (st == ST_OK && uidset_count(&uids) > OP_ROWS)
			st = refuse(ap, ST_LIMIT);
		else if (st == ST_OK)
			st = take_old(ap, m, &uids);
	}
	uidset_fini(&asked);
	uidset_fini(&uids);
	return st;
}
