/* COPY and MOVE: new memberships of the same message, whole or not at all. */
#include "storage/state/state_priv.h"

/* Who is not the owner carries the flags that his rights in the target let him set; what
 * others have seen stays as it was. */
static struct flags
carried(struct flags f, uint32_t rights)
{
	unsigned system = flags_get_system(f);

	if (rights & RIGHT_WRITE)
		f = flags_without(f, flags_system(FLAG_SYSTEM_ALL));
	else
		f = flags_system(0);
	return flags_or(f, flags_system(system & (rights_flags(rights) | FLAG_SEEN)));
}

static enum status
carry_seen(struct apply *ap, struct mbox *from, uint32_t uid, struct mbox *to, uint32_t made)
{
	uint64_t modseq;
	bool seen;

	TRY(reader_get(ap, from->id, uid, &seen, &modseq));
	return seen ? reader_set(ap, to->id, made, true) : ST_OK;
}

static enum status
copy_one(struct apply *ap, struct mbox *from, struct mbox *to, uint32_t uid, bool move,
    uint32_t rights, uint32_t *made)
{
	struct message *msg = &ap->s->msg;
	struct rec_index x, copy;

	TRY(index_load(ap->s, ap->a, from, uid, &x));
	TRY(message_load(ap->s, ap->a, x.message, msg));
	copy = x;
	if (ap_foreign(ap))
		copy.flags = carried(x.flags, rights);
	/* First added, then taken away: the message is never gone in between. */
	TRY(member_add(ap, to, msg, &copy, made));
	TRY(annotations_copy(ap, from, uid, to, *made, rights));
	if (move) {
		TRY(uidl_move(ap, from, uid, to, *made));
		TRY(member_remove(ap, from, uid, &x, msg));
	}
	TRY(message_save(ap->s, ap->a, msg));
	return ap_foreign(ap) && (rights & RIGHT_SEEN) && ap->op->kind != OP_STAGE_COPY ? carry_seen(ap, from, uid, to, *made) : ST_OK;
}

enum status
copy_rows(struct apply *ap, struct mbox *from, struct mbox *to, const struct uidset *uids,
    bool move, struct uidset *made)
{
	uint32_t new_uid, rights;

	TRY(ap_rights(ap, to->id, &rights));
	for (uint32_t u = 0; (u = uidset_next(uids, u)) != 0;) {
		TRY(copy_one(ap, from, to, u, move, rights, &new_uid));
		uidset_add(made, new_uid);
	}
	return ST_OK;
}

/* What a copy adds to the quota, and whether a message is in too many places already. */
static enum status
judge(struct apply *ap, struct mbox *from, const struct uidset *uids)
{
	struct message *msg = &ap->s->msg;
	struct rec_index x;
	uint64_t bytes = 0;

	for (uint32_t u = 0; (u = uidset_next(uids, u)) != 0;) {
		TRY(index_load(ap->s, ap->a, from, u, &x));
		TRY(message_load(ap->s, ap->a, x.message, msg));
		if (msg->members.len / MEMBER_BYTES >= MEMBERS_MAX)
			return refuse(ap, ST_LIMIT);
		bytes += x.size;
	}
	if (!quota_fits(ap, bytes, uidset_count(uids)))
		return refuse(ap, ST_OVER_QUOTA);
	return ST_OK;
}

static enum status
judge_annotations(struct apply *ap, struct mbox *from, struct mbox *to, const struct uidset *uids)
{
	uint32_t rights;

	TRY(ap_rights(ap, to->id, &rights));
	return annotations_judge_copy(ap, from, uids, 1, rights);
}

static enum status
copy_existing(struct apply *ap, struct mbox *from, struct mbox *to, const struct uidset *uids)
{
	bool move = ap->op->u.copy.move;
	struct store_copied reply = { .target = to->id, .uidvalidity = to->rec.uidvalidity };
	struct uidset made = { 0 };
	struct buf a = { 0 }, b = { 0 };
	enum status st = ST_OK;

	if (uidset_count(uids) > OP_ROWS_WHOLE ||
	    uidset_count(uids) > UINT32_MAX - 1 - to->rec.uidnext)
		return refuse(ap, ST_LIMIT);
	if (!move)
		TRY(judge(ap, from, uids));
	if (!move && ap->r->status == ST_OK)
		TRY(judge_annotations(ap, from, to, uids));
	if (ap->r->status != ST_OK)
		return ST_OK;
	ap->r->mailbox = to->id;
	ap->r->uid = uidset_empty(uids) ? 0 : to->rec.uidnext;
	st = copy_rows(ap, from, to, uids, move, &made);
	uidset_encode(uids, &a);
	uidset_encode(&made, &b);
	reply.from = buf_span(&a);
	reply.to = buf_span(&b);
	reply.modseq = ap->a->rec.modseq;
	if (st == ST_OK)
		ap_reply(ap, STORE_COPIED, &reply);
	buf_fini(&a);
	buf_fini(&b);
	uidset_fini(&made);
	return st;
}

static enum status
copy(struct apply *ap, const struct uidset *asked, struct span target)
{
	struct uidset uids = { 0 };
	struct mbox *from, *to;
	struct path_at at;
	enum status st;

	TRY(ap_mbox(ap, ap->op->u.copy.mailbox, &from));
	if (from == NULL)
		return ST_OK;
	TRY(ap_need(ap, from->id, RIGHT_READ |
	    (ap->op->u.copy.move ? RIGHT_DELETE_MSG | RIGHT_EXPUNGE : 0)));
	if (ap->r->status != ST_OK)
		return ST_OK;
	TRY(path_find(ap->s, ap->s->txn, ap->a->id, target, &at));
	if (at.id == 0)
		return refuse(ap, ST_NOT_FOUND);
	TRY(ap_need(ap, at.id, RIGHT_INSERT));
	if (ap->r->status != ST_OK)
		return ST_OK;
	TRY(ap_mbox(ap, at.id, &to));
	if (to == NULL)
		return ST_OK;
	st = uidmap_among(ap->s, ap->a, from, STATE_ALL, asked, OP_ROWS_WHOLE, &uids);
	if (st == ST_OK)
		st = copy_existing(ap, from, to, &uids);
	uidset_fini(&uids);
	return st;
}

enum status
apply_copy(struct apply *ap)
{
	const struct op_copy *p = &ap->op->u.copy;
	struct uidset asked = { 0 };
	struct buf target = { 0 };
	struct reader r;
	enum status st;

	reader_init(&r, p->uids.p, p->uids.len);
	if (uidset_decode(&asked, &r, STORE_RANGES_MAX) && reader_done(&r) &&
	    path_clean(p->to, &target))
		st = copy(ap, &asked, buf_span(&target));
	else
		st = refuse(ap, ST_SYNTAX);
	uidset_fini(&asked);
	buf_fini(&target);
	return st;
}
