/* New messages, each in several mailboxes at once: the first takes them as an append does, the
 * others get a membership more. */
#include "storage/state/state_priv.h"

#include "common/util/mem.h"

struct into {
	struct mbox	**m;
	size_t		n;
};

/* ST_NOT_FOUND: one of them is not there. */
static enum status
find_all(struct apply *ap, struct into *to)
{
	struct span ids = ap->op->u.append.into;

	if (ids.len == 0 || ids.len % 8 != 0)
		return refuse(ap, ST_SYNTAX);
	if (ids.len / 8 > MEMBERS_MAX)
		return refuse(ap, ST_LIMIT);
	to->m = mem_array(ids.len / 8, sizeof(to->m[0]));
	for (size_t i = 0; i < ids.len && ap->r->status == ST_OK; i += 8) {
		TRY(ap_mbox(ap, get_be64(ids.p + i), &to->m[to->n]));
		for (size_t j = 0; j < to->n; j++)
			if (to->m[j] == to->m[to->n])
				return refuse(ap, ST_SYNTAX);
		to->n++;
	}
	return ST_OK;
}

static enum status
judge(struct apply *ap, const struct into *to)
{
	const struct append_totals t = append_totals(ap->op->u.append.items);
	uint64_t if_email = ap->op->u.append.if_email;

	if (!t.good)
		return ST_SYNTAX;
	if (t.pieces != ap->n_locs)
		return ST_BUG;
	if (if_email != 0 && if_email != ap->a->rec.mail_modseq)
		return ST_CONFLICT;
	if (t.items > OP_ROWS || t.items * to->n > OP_ROWS)
		return ST_LIMIT;
	for (size_t i = 0; i < to->n; i++)
		if (t.items > UINT32_MAX - 1 - to->m[i]->rec.uidnext)
			return ST_LIMIT;
	return quota_fits(ap, t.bytes * to->n, t.items * to->n) ? ST_OK : ST_OVER_QUOTA;
}

/* A message of the first mailbox, in all others as well. */
static enum status
spread(struct apply *ap, const struct into *to, uint64_t message, uint32_t uid)
{
	struct message *msg = &ap->s->msg;
	struct rec_index x;
	uint32_t made;

	TRY(index_load(ap->s, ap->a, to->m[0], uid, &x));
	TRY(message_load(ap->s, ap->a, message, msg));
	for (size_t i = 1; i < to->n; i++)
		TRY(member_add(ap, to->m[i], msg, &x, &made));
	return message_save(ap->s, ap->a, msg);
}

static enum status
append_all(struct apply *ap, const struct into *to, const unsigned *bits, size_t n_bits)
{
	struct store_appended reply = { .mailbox = to->m[0]->id,
		.uidvalidity = to->m[0]->rec.uidvalidity, .old_email = ap->a->rec.mail_modseq };
	struct uidset uids = { 0 };
	struct buf b = { 0 }, ids = { 0 };
	uint32_t uid = 0;
	enum status st = append_rows(ap, to->m[0], bits, n_bits, NULL, &uids);

	for (size_t i = 0; st == ST_OK && i < ap->r->messages.len; i += 8) {
		uid = uidset_next(&uids, uid);
		st = spread(ap, to, get_be64(ap->r->messages.data + i), uid);
		put_u64(&ids, ap->s->msg.id);
		put_u64(&ids, ap->s->msg.rec.thread);
	}
	uidset_encode(&uids, &b);
	reply.uids = buf_span(&b);
	reply.ids = buf_span(&ids);
	reply.modseq = ap->modseq;
	if (st == ST_OK)
		ap_reply(ap, STORE_APPENDED, &reply);
	buf_fini(&b);
	buf_fini(&ids);
	uidset_fini(&uids);
	return st;
}

enum status
apply_append_into(struct apply *ap)
{
	unsigned bits[KEYWORD_MAX + 1];
	struct into to = { 0 };
	enum status st = find_all(ap, &to), verdict;
	size_t n;

	if (st == ST_OK && ap->r->status == ST_OK)
		ap->r->status = judge(ap, &to);
	if (st == ST_OK && ap->r->status == ST_OK) {
		st = keywords_bits(ap, ap->op->u.append.keywords, true, bits, &n, &verdict);
		if (st == ST_OK)
			ap->r->status = verdict;
	}
	if (st == ST_OK && ap->r->status == ST_OK)
		st = append_all(ap, &to, bits, n);
	mem_free(&to.m);
	return st;
}
