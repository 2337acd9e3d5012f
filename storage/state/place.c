/* Messages that come from another store, or out of a backup, with the uids that they had there,
 * and a mailbox that takes the UIDVALIDITY of the one it was.
 *
 * A client that knows (UIDVALIDITY, uid) from there must find the same message under it, so:
 * uids only rise, and a mailbox gets another's UIDVALIDITY only when the account never gave it
 * out itself, nor took it before.  Those that an account gives out itself lie above the second it
 * was made in; what is taken lies below and rises, or above all that were given out. */
#include "storage/state/read_priv.h"

#define UID_MAX		(UINT32_MAX / 2)	/* what is taken leaves room for as many */
#define MODSEQ_MAX	((uint64_t)1 << 62)

/* The highest one that was taken from elsewhere and lies below the account's own. */
static enum status
last_taken(struct apply *ap, struct key *k, uint32_t *last)
{
	struct span payload;
	enum status st;

	*last = 0;
	key_1(k, ap->a->id);
	st = st_get(ap->s, ap->s->txn, TAB_PLACED, k, &ap->s->value, &payload);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	if (payload.len != 4)
		return st_damaged(ap->s, TAB_PLACED, key_span(k));
	*last = get_be32(payload.p);
	return ST_OK;
}

static uint32_t
first_own(const struct rec_account *a)
{
	int64_t s = a->created_ms / 1000;

	return s > 0 && s < UINT32_MAX / 2 ? (uint32_t)s + 1 : 1;
}

static enum status
take(struct apply *ap, struct mbox *m, const struct op_uidvalidity *p)
{
	struct rec_account *a = &ap->a->rec;
	struct key k;
	uint32_t last;

	TRY(last_taken(ap, &k, &last));
	if (p->uidvalidity > a->uidvalidity) {
		a->uidvalidity = p->uidvalidity;
	} else if (p->uidvalidity <= last || p->uidvalidity >= first_own(a)) {
		return refuse(ap, ST_EXISTS);
	} else {
		put_u32(st_put_start(ap->s), p->uidvalidity);
		TRY(st_put(ap->s, TAB_PLACED, &k));
	}
	m->rec.uidvalidity = p->uidvalidity;
	if (m->rec.uidnext < p->uidnext)
		m->rec.uidnext = p->uidnext;
	m->rec.highestmodseq = a->mailbox_modseq = ap_modseq(ap);
	m->dirty = ap->a->dirty = true;
	return mchange_add(ap, m->id, &(struct rec_mchange){ .kind = CHANGE_UPDATED });
}

enum status
apply_uidvalidity(struct apply *ap)
{
	const struct op_uidvalidity *p = &ap->op->u.uidvalidity;
	struct mbox *m;

	TRY(ap_mbox(ap, p->mailbox, &m));
	if (m == NULL)
		return ST_OK;
	ap->r->mailbox = m->id;
	if (m->rec.highestmodseq != p->if_modseq)
		return refuse(ap, ST_CONFLICT);
	if (p->uidvalidity == 0 || p->uidvalidity > UID_MAX || p->uidnext > UID_MAX)
		return refuse(ap, ST_LIMIT);
	return take(ap, m, p);
}

enum status
place_judge(struct apply *ap, const struct mbox *m, uint64_t items, struct uidset *at)
{
	const struct op_append *p = &ap->op->u.append;
	struct reader r;

	if (ap->op->kind != OP_APPEND_PLACED)
		return ST_OK;
	reader_init(&r, p->uids.p, p->uids.len);
	if (!uidset_decode(at, &r, STORE_RANGES_MAX) || !reader_done(&r) ||
	    uidset_count(at) != items || p->modseq > MODSEQ_MAX)
		return ST_SYNTAX;
	if (uidset_at(at, items - 1) > UID_MAX)
		return ST_LIMIT;
	return m == NULL || uidset_next(at, 0) >= m->rec.uidnext ? ST_OK : ST_CONFLICT;
}

void
place_begin(struct apply *ap)
{
	struct rec_account *a = &ap->a->rec;

	if (ap->op->kind == OP_APPEND_PLACED && a->modseq < ap->op->u.append.modseq)
		a->modseq = ap->op->u.append.modseq;
}

/* ---- reading ---- */

static enum status
sum_of(struct state *s, uint64_t account, uint64_t message, struct buf *value,
    struct rec_message *m)
{
	struct span payload;
	struct key k;
	enum status st;

	key_2(&k, account, message);
	st = st_get(s, NULL, TAB_MESSAGE, &k, value, &payload);
	if (st == ST_OK && !rec_message_get(payload, m))
		st = st_damaged(s, TAB_MESSAGE, key_span(&k));
	return st;
}

enum status
state_sums(struct state *s, uint64_t account, uint64_t mailbox, const struct uidset *uids,
    size_t budget, uint32_t *resume_uid, struct buf *out)
{
	struct walk w = { .s = s, .account = account, .mailbox = mailbox, .uids = uids };
	struct buf value = { 0 };
	struct rec_message m;
	struct rec_index x;
	size_t start = out->len;
	uint32_t uid;
	enum status st;

	TRY(read_live_mailbox(s, account, mailbox, &w.last));
	st = walk_open(&w, *resume_uid);
	*resume_uid = 0;
	while (st == ST_OK && (st = walk_next(&w, &uid, &x)) == ST_OK) {
		if (out->len - start >= budget) {
			*resume_uid = uid;
			break;
		}
		st = sum_of(s, account, x.message, &value, &m);
		if (st == ST_NOT_FOUND) {
			st = ST_OK;		/* it went while we looked */
			continue;
		}
		if (st == ST_OK)
			put_store_sum(out, &(struct store_sum){ uid,
			    span(m.sha256, sizeof(m.sha256)) });
	}
	engine_cursor_close(&w.c);
	buf_fini(&value);
	return st == ST_NOT_FOUND ? ST_OK : st;
}
