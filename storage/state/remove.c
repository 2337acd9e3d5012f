/* What a POP3 session deletes: messages named one by one, in several mailboxes, all in one
 * operation.  They go, get a flag, or move to one mailbox. */
#include "storage/state/state_priv.h"

#include "common/util/mem.h"

#define REMOVE_MAILBOXES_MAX 1024u

struct part {
	struct mbox	*m;
	struct uidset	uids;		/* that are there */
};

struct removal {
	struct part	*parts;
	size_t		n;
	uint64_t	count, bytes;
};

static void
removal_fini(struct removal *r)
{
	for (size_t i = 0; i < r->n; i++)
		uidset_fini(&r->parts[i].uids);
	mem_free(&r->parts);
}

/* One mailbox's share; nothing of one that is gone. */
static enum status
take_part(struct apply *ap, struct removal *rm, const struct store_uids *u)
{
	struct part *part = &rm->parts[rm->n];
	struct uidset asked = { 0 };
	struct mbox *m;
	struct reader r;
	enum status st;

	*part = (struct part){ 0 };
	for (size_t i = 0; i < rm->n; i++)
		if (rm->parts[i].m->id == u->mailbox)
			return refuse(ap, ST_SYNTAX);
	reader_init(&r, u->uids.p, u->uids.len);
	if (!uidset_decode(&asked, &r, STORE_RANGES_MAX) || !reader_done(&r)) {
		uidset_fini(&asked);
		return refuse(ap, ST_SYNTAX);
	}
	st = st_mbox(ap->s, ap->a, u->mailbox, &m);
	if (st == ST_OK && m->rec.deleted_ms == 0) {
		part->m = m;
		rm->n++;
		st = uidmap_among(ap->s, ap->a, m, STATE_ALL, &asked, STORE_REMOVE_MAX, &part->uids);
		rm->count += uidset_count(&part->uids);
	}
	uidset_fini(&asked);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
take_parts(struct apply *ap, struct removal *rm)
{
	struct span what = ap->op->u.remove.what;
	struct store_uids u;
	struct reader r;
	size_t n = 0;

	reader_init(&r, what.p, what.len);
	while (get_store_uids(&r, &u))
		n++;
	if (!reader_done(&r))
		return refuse(ap, ST_SYNTAX);
	if (n > REMOVE_MAILBOXES_MAX)
		return refuse(ap, ST_LIMIT);
	rm->parts = mem_array(n + 1, sizeof(*rm->parts));
	reader_init(&r, what.p, what.len);
	while (ap->r->status == ST_OK && get_store_uids(&r, &u))
		TRY(take_part(ap, rm, &u));
	if (ap->r->status == ST_OK && rm->count > STORE_REMOVE_MAX)
		return refuse(ap, ST_LIMIT);
	return ST_OK;
}

/* The mailbox moved to; *to NULL: refused. */
static enum status
target(struct apply *ap, const struct removal *rm, struct mbox **to)
{
	struct buf path = { 0 };
	struct path_at at;
	enum status st = ST_OK;

	if (!path_clean(ap->op->u.remove.to, &path))
		st = refuse(ap, ST_SYNTAX);
	else
		st = path_find(ap->s, ap->s->txn, ap->a->id, buf_span(&path), &at);
	if (st == ST_OK && ap->r->status == ST_OK) {
		st = at.id != 0 ? ap_need(ap, at.id, RIGHT_INSERT) : ap_need_above(ap, &at);
	}
	if (st == ST_OK && ap->r->status == ST_OK) {
		if (at.id != 0)
			st = ap_mbox(ap, at.id, to);
		else if (!mailboxes_fit(ap, path_parts(at.rest)))
			st = refuse(ap, ST_LIMIT);
		else if (rm->count > 0)
			st = mailbox_make(ap, &at, MAILBOX_ROLE_NONE, to);
	}
	if (*to != NULL && rm->count > UINT32_MAX - 1 - (*to)->rec.uidnext)
		st = refuse(ap, ST_LIMIT);
	buf_fini(&path);
	return st;
}

static enum status
move_all(struct apply *ap, const struct removal *rm)
{
	struct mbox *to = NULL;
	struct uidset made = { 0 };
	enum status st = target(ap, rm, &to);

	for (size_t i = 0; st == ST_OK && ap->r->status == ST_OK && to != NULL && i < rm->n; i++) {
		struct part *p = &rm->parts[i];

		/* What is deleted out of the trash is gone. */
		st = p->m == to ? expunge_rows(ap, p->m, &p->uids) :
		    copy_rows(ap, p->m, to, &p->uids, true, &made);
	}
	if (st == ST_OK && to != NULL)
		ap->r->mailbox = to->id;
	uidset_fini(&made);
	return st;
}

static enum status
flag_one(struct apply *ap, struct mbox *m, uint32_t uid, struct flags add)
{
	struct rec_index x;

	TRY(index_load(ap->s, ap->a, m, uid, &x));
	return member_flags(ap, m, uid, &x, flags_or(x.flags, add));
}

static enum status
flag_all(struct apply *ap, const struct removal *rm)
{
	const struct op_remove *p = &ap->op->u.remove;
	struct flags add = flags_system(p->system);
	unsigned bits[KEYWORD_MAX + 1];
	enum status verdict;
	size_t n;

	TRY(keywords_bits(ap, p->keywords, rm->count > 0, bits, &n, &verdict));
	if (verdict != ST_OK)
		return refuse(ap, verdict);
	for (size_t i = 0; i < n; i++)
		if (bits[i] < KEYWORD_MAX)
			flags_set_keyword(&add, bits[i]);
	for (size_t i = 0; i < rm->n; i++)
		for (uint32_t u = 0; (u = uidset_next(&rm->parts[i].uids, u)) != 0;)
			TRY(flag_one(ap, rm->parts[i].m, u, add));
	return ST_OK;
}

static enum status
expunge_all(struct apply *ap, const struct removal *rm)
{
	for (size_t i = 0; i < rm->n; i++)
		TRY(expunge_rows(ap, rm->parts[i].m, &rm->parts[i].uids));
	return ST_OK;
}

/* What another than the owner must be allowed in each mailbox. */
static enum status
judge_parts(struct apply *ap, const struct removal *rm)
{
	static const uint32_t need[] = {
		[REMOVE_EXPUNGE] = RIGHT_DELETE_MSG | RIGHT_EXPUNGE,
		[REMOVE_FLAG] = RIGHT_WRITE | RIGHT_DELETE_MSG,
		[REMOVE_MOVE] = RIGHT_READ | RIGHT_DELETE_MSG | RIGHT_EXPUNGE
	};
	uint8_t how = ap->op->u.remove.how;

	if (!ap_foreign(ap) || how < REMOVE_EXPUNGE || how > REMOVE_MOVE)
		return ST_OK;
	for (size_t i = 0; i < rm->n && ap->r->status == ST_OK; i++)
		TRY(ap_need(ap, rm->parts[i].m->id, need[how]));
	/* \Seen is every reader's own. */
	if (how == REMOVE_FLAG && (ap->op->u.remove.system & FLAG_SEEN))
		return refuse(ap, ST_DENIED);
	return ST_OK;
}

static enum status
run(struct apply *ap, const struct removal *rm)
{
	struct store_removed reply = { .messages = (uint32_t)rm->count };

	TRY(judge_parts(ap, rm));
	if (ap->r->status != ST_OK)
		return ST_OK;
	switch (ap->op->u.remove.how) {
	case REMOVE_EXPUNGE:
		TRY(expunge_all(ap, rm));
		break;
	case REMOVE_FLAG:
		TRY(flag_all(ap, rm));
		break;
	case REMOVE_MOVE:
		TRY(move_all(ap, rm));
		break;
	default:
		return refuse(ap, ST_SYNTAX);
	}
	if (ap->r->status != ST_OK)
		return ST_OK;
	reply.modseq = ap->a->rec.modseq;
	ap_reply(ap, STORE_REMOVED, &reply);
	return ST_OK;
}

enum status
apply_remove(struct apply *ap)
{
	struct removal rm = { 0 };
	enum status st = (ap->op->u.remove.system & ~FLAG_SYSTEM_ALL) != 0 ?
	    refuse(ap, ST_SYNTAX) : take_parts(ap, &rm);

	if (st == ST_OK && ap->r->status == ST_OK)
		st = run(ap, &rm);
	removal_fini(&rm);
	return st;
}
