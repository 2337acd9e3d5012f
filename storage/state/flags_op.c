/* STORE and EXPUNGE.  An operation changes at most OP_ROWS messages; larger sets are cut
 * by the service (state_first_uids()). */
#include "storage/state/state_priv.h"

#define MEMO_BYTES (1u << 20)	/* as a field of an answer may have */

bool
chain_part_fits(const struct apply *ap)
{
	const struct op_head *h = &ap->op->head;

	return h->seq == 0 || h->part <= 1 || h->part == ap->part_before + 1;
}

bool
chain_memo_fits(const struct apply *ap, const struct uidset *uids)
{
	return ap->op->head.part == 0 ||
	    ap->memo_before.len + uids->n * 10 + 64 <= MEMO_BYTES;
}

/* Adds the uids in a field of the answer so far to those of this part; out is put in its
 * place in the answer that is remembered. */
static void
merge(struct span before, const struct uidset *part, struct buf *out)
{
	struct uidset all = { 0 };
	struct reader r;

	reader_init(&r, before.p, before.len);
	if (before.len > 0)
		(void)uidset_decode(&all, &r, SIZE_MAX);
	uidset_add_set(&all, part);
	uidset_encode(&all, out);
	uidset_fini(&all);
}

struct change {
	uint8_t		how;
	struct flags	flags;		/* to add, remove or set */
	uint64_t	unchanged_since;
	struct buf	rows;
	struct uidset	modified;
	bool		keywords;	/* one of the rows has any */
	bool		foreign;	/* see change_shown() */
	uint32_t	rights;
};

static struct flags
changed_flags(const struct change *c, struct flags old)
{
	switch (c->how) {
	case FLAGS_ADD:
		return flags_or(old, c->flags);
	case FLAGS_REMOVE:
		return flags_without(old, c->flags);
	default:
		return c->flags;
	}
}

/* What another's reader sees and may change: *shown to the new flags.  Only what his rights
 * cover changes; \Seen is his own. */
static struct flags
change_shown(const struct change *c, struct flags shown)
{
	struct flags want = changed_flags(c, shown);
	unsigned mask = rights_flags(c->rights) | (c->rights & RIGHT_SEEN ? FLAG_SEEN : 0);
	struct flags all = { { UINT64_MAX, UINT64_MAX } };
	struct flags may = flags_system(mask);

	if (c->rights & RIGHT_WRITE)
		may = flags_or(may, flags_without(all, flags_system(FLAG_SYSTEM_ALL)));
	return flags_or(flags_without(shown, may), flags_without(want, flags_without(all, may)));
}

static struct flags
with_seen(struct flags f, bool seen)
{
	f = flags_without(f, flags_system(FLAG_SEEN));
	return seen ? flags_or(f, flags_system(FLAG_SEEN)) : f;
}

static enum status
change_one(struct apply *ap, struct mbox *m, uint32_t uid, struct change *c)
{
	struct rec_index x;
	struct store_row row;
	struct flags flags, shown;
	uint64_t own = 0;
	bool seen = false;

	TRY(index_load(ap->s, ap->a, m, uid, &x));
	if (c->foreign)
		TRY(reader_get(ap, m->id, uid, &seen, &own));
	if (x.modseq > c->unchanged_since || own > c->unchanged_since) {
		uidset_add(&c->modified, uid);
		return ST_OK;
	}
	if (c->foreign) {
		shown = change_shown(c, with_seen(x.flags, seen));
		seen = (flags_get_system(shown) & FLAG_SEEN) != 0;
		flags = with_seen(shown, (flags_get_system(x.flags) & FLAG_SEEN) != 0);
		TRY(reader_set(ap, m->id, uid, seen));
		TRY(reader_get(ap, m->id, uid, &seen, &own));
	} else {
		flags = shown = changed_flags(c, x.flags);
	}
	TRY(member_flags(ap, m, uid, &x, flags));
	row = (struct store_row){ .uid = uid, .flags = shown,
		.modseq = own > x.modseq ? own : x.modseq };
	put_store_row(&c->rows, &row, ROW_FLAGS);
	c->keywords = c->keywords || flags_has_keywords(x.flags);
	return ST_OK;
}

static void
remember_modified(struct apply *ap, const struct uidset *refused)
{
	const struct ipc_message *m = ipc_find(&store_protocol, STORE_FLAGS_ARE);
	struct store_flags_are before = { 0 }, now = { .modseq = ap->a->rec.modseq };
	struct buf modified = { 0 };

	if (ap->op->head.part == 0)
		return;
	ap->r->more = !ap->op->head.last;
	if (ap->memo_before.len > 0)
		(void)ipc_decode(m, buf_span(&ap->memo_before), &before);
	merge(before.modified, refused, &modified);
	now.modified = buf_span(&modified);
	ipc_encode(m, &now, &ap->memo);
	buf_fini(&modified);
}

void
chain_answer(struct apply *ap, const struct buf *rows, const struct uidset *refused,
    struct span keywords)
{
	struct store_flags_are reply = { .modseq = ap->a->rec.modseq, .rows = buf_span(rows),
		.keywords = keywords };
	struct buf modified = { 0 };

	remember_modified(ap, refused);
	uidset_encode(refused, &modified);
	reply.modified = buf_span(&modified);
	ap_reply(ap, STORE_FLAGS_ARE, &reply);
	buf_fini(&modified);
}

static enum status
change_all(struct apply *ap, struct mbox *m, const struct uidset *uids, struct change *c)
{
	ap->r->mailbox = m->id;
	for (uint32_t u = 0; (u = uidset_next(uids, u)) != 0;)
		TRY(change_one(ap, m, u, c));
	/* also old ones: another session may have added them since the asker heard of any */
	chain_answer(ap, &c->rows, &c->modified, c->keywords ? buf_span(&ap->a->keywords) : SPAN_NONE);
	return ST_OK;
}

bool
chain_named(struct apply *ap, struct span in, struct uidset *asked)
{
	struct reader r;

	reader_init(&r, in.p, in.len);
	if (!uidset_decode(asked, &r, STORE_RANGES_MAX) || !reader_done(&r))
		return false;
	ap->r->uid = asked->n > 0 ? asked->r[asked->n - 1].hi : ap->uid_before;
	return true;
}

/* One of them may be changed under the condition: what none takes makes no keyword known. */
static enum status
any_passes(struct apply *ap, struct mbox *m, const struct uidset *uids, uint64_t unchanged_since,
    bool *any)
{
	struct rec_index x;

	*any = unchanged_since == UINT64_MAX && !uidset_empty(uids);
	if (unchanged_since == UINT64_MAX)
		return ST_OK;
	for (uint32_t u = 0; !*any && (u = uidset_next(uids, u)) != 0;) {
		TRY(index_load(ap->s, ap->a, m, u, &x));
		*any = x.modseq <= unchanged_since;
	}
	return ST_OK;
}

/* RFC 4314 §4: STORE fails when none of what is named may be changed. */
static enum status
judge_flags(struct apply *ap, struct mbox *m, struct change *c, struct span *keywords)
{
	const struct op_flags *p = &ap->op->u.flags;
	unsigned may;

	c->foreign = ap_foreign(ap);
	TRY(ap_rights(ap, m->id, &c->rights));
	may = rights_flags(c->rights) | (c->rights & RIGHT_SEEN ? FLAG_SEEN : 0);
	if (!(c->rights & RIGHT_WRITE))
		*keywords = SPAN_NONE;
	if (may == 0 || ((p->system != 0 || p->keywords.len > 0) && (p->system & may) == 0 &&
	    keywords->len == 0))
		return refuse(ap, c->rights & RIGHT_LOOKUP ? ST_DENIED : ST_NOT_FOUND);
	return ST_OK;
}

static enum status
store(struct apply *ap, struct mbox *m, const struct uidset *uids)
{
	const struct op_flags *p = &ap->op->u.flags;
	struct change c = { .how = p->how, .unchanged_since = p->unchanged_since,
		.flags = flags_system(p->system) };
	struct span keywords = p->keywords;
	unsigned bits[KEYWORD_MAX + 1];
	enum status st, verdict;
	size_t n;
	bool any;

	TRY(judge_flags(ap, m, &c, &keywords));
	if (ap->r->status != ST_OK)
		return ST_OK;
	TRY(any_passes(ap, m, uids, p->unchanged_since, &any));
	TRY(keywords_bits(ap, keywords, p->how != FLAGS_REMOVE && any, bits, &n, &verdict));
	if (verdict != ST_OK)
		return refuse(ap, verdict);
	for (size_t i = 0; i < n; i++)
		if (bits[i] < KEYWORD_MAX)
			flags_set_keyword(&c.flags, bits[i]);
	st = change_all(ap, m, uids, &c);
	buf_fini(&c.rows);
	uidset_fini(&c.modified);
	return st;
}

enum status
apply_flags(struct apply *ap)
{
	const struct op_flags *p = &ap->op->u.flags;
	struct uidset asked = { 0 }, uids = { 0 };
	struct mbox *m = NULL;
	enum status st;

	if (!chain_part_fits(ap))
		st = refuse(ap, ST_UNAVAILABLE);
	else if (!chain_named(ap, p->uids, &asked) || p->how < FLAGS_ADD || p->how > FLAGS_REPLACE ||
	    (p->system & ~FLAG_SYSTEM_ALL) != 0)
		st = refuse(ap, ST_SYNTAX);
	else
		st = ap_mbox(ap, p->mailbox, &m);
	if (m != NULL) {
		st = uidmap_among(ap->s, ap->a, m, STATE_ALL, &asked, OP_ROWS, &uids);
		if (st == ST_OK && (uidset_count(&uids) > OP_ROWS || !chain_memo_fits(ap, &uids)))
			st = refuse(ap, ST_LIMIT);
		else if (st == ST_OK)
			st = store(ap, m, &uids);
	}
	uidset_fini(&asked);
	uidset_fini(&uids);
	return st;
}

static void
remember_expunged(struct apply *ap, const struct uidset *uids)
{
	const struct ipc_message *m = ipc_find(&store_protocol, STORE_EXPUNGED);
	struct store_expunged before = { 0 }, now = { .modseq = ap->a->rec.modseq };
	struct buf all = { 0 };

	if (ap->op->head.part == 0)
		return;
	ap->r->more = !ap->op->head.last;
	if (ap->memo_before.len > 0)
		(void)ipc_decode(m, buf_span(&ap->memo_before), &before);
	merge(before.uids, uids, &all);
	now.uids = buf_span(&all);
	ipc_encode(m, &now, &ap->memo);
	buf_fini(&all);
}

enum status
expunge_rows(struct apply *ap, struct mbox *m, const struct uidset *uids)
{
	for (uint32_t u = 0; (u = uidset_next(uids, u)) != 0;)
		TRY(expunge_one(ap, m, u));
	return ST_OK;
}

static enum status
expunge_all(struct apply *ap, struct mbox *m, const struct uidset *uids)
{
	struct store_expunged reply = { 0 };
	struct buf b = { 0 };

	ap->r->mailbox = m->id;
	TRY(expunge_rows(ap, m, uids));
	uidset_encode(uids, &b);
	reply.modseq = ap->a->rec.modseq;
	reply.uids = buf_span(&b);
	ap_reply(ap, STORE_EXPUNGED, &reply);
	buf_fini(&b);
	remember_expunged(ap, uids);
	return ST_OK;
}

enum status
apply_expunge(struct apply *ap)
{
	const struct op_expunge *p = &ap->op->u.expunge;
	struct uidset asked = { 0 }, uids = { 0 };
	struct mbox *m = NULL;
	enum status st;

	if (!chain_part_fits(ap))
		st = refuse(ap, ST_UNAVAILABLE);
	else if (!chain_named(ap, p->uids, &asked))
		st = refuse(ap, ST_SYNTAX);
	else
		st = ap_mbox(ap, p->mailbox, &m);
	if (m != NULL)
		st = ap_need(ap, m->id, RIGHT_EXPUNGE);
	if (m != NULL && st == ST_OK && ap->r->status == ST_OK) {
		st = uidmap_among(ap->s, ap->a, m, STATE_DELETED, &asked, OP_ROWS, &uids);
		if (st == ST_OK && (uidset_count(&uids) > OP_ROWS || !chain_memo_fits(ap, &uids)))
			st = refuse(ap, ST_LIMIT);
		else if (st == ST_OK)
			st = expunge_all(ap, m, &uids);
	}
	uidset_fini(&asked);
	uidset_fini(&uids);
	return st;
}
