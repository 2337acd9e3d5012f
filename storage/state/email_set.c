/* Emails changed by id, each for itself: keywords of all their visible memberships, mailboxes, or all
 * of them go.  Large requests are cut into operations, which are the parts of a chain: the answer is
 * remembered as it grows. */
#include "storage/state/state_priv.h"

#include "common/util/mem.h"

struct place {
	struct mbox	*m;
	uint32_t	uid;
	struct rec_index x;
	bool		visible, goes;
};

struct email {
	const struct store_email_item *it;
	struct flags	add, remove;		/* as the account's bits */
	struct place	*p;
	size_t		n;
	struct mbox	**to;			/* new ones */
	size_t		n_to;
	struct flags	derived;		/* of the visible ones */
	size_t		visible, going;
};

struct setting {
	unsigned	bits[KEYWORD_MAX + 1];	/* UINT32_MAX: no such keyword, and none can be made */
	size_t		n_bits;
	struct table	seen;			/* messages of earlier items */
	struct buf	outcomes;
};

static void
email_fini(struct email *e)
{
	mem_free(&e->p);
	mem_free(&e->to);
}

/* ---- what it is ---- */

static enum status
load_places(struct apply *ap, struct email *e)
{
	struct message *msg = &ap->s->msg;
	size_t n = msg->members.len / MEMBER_BYTES;
	bool any = false;

	e->p = mem_array(n + 1, sizeof(e->p[0]));
	for (size_t i = 0; i < n; i++) {
		struct rec_member at = rec_member(buf_span(&msg->members), i);
		struct place *p = &e->p[e->n];

		TRY(st_mbox(ap->s, ap->a, at.mailbox, &p->m));
		if (p->m->rec.deleted_ms != 0)
			continue;
		p->uid = at.uid;
		TRY(index_load(ap->s, ap->a, p->m, at.uid, &p->x));
		p->visible = (flags_get_system(p->x.flags) & FLAG_DELETED) == 0;
		p->goes = false;
		e->n++;
		if (!p->visible)
			continue;
		e->visible++;
		if (!any)
			e->derived = p->x.flags;
		else if (!(flags_get_system(p->x.flags) & FLAG_SEEN))
			e->derived = flags_without(e->derived, flags_system(FLAG_SEEN));
		e->derived = flags_or(e->derived,
		    flags_without(p->x.flags, flags_system(FLAG_SEEN)));
		any = true;
	}
	return ST_OK;
}

static bool
has(struct span ids, uint64_t id)
{
	for (size_t i = 0; i < ids.len; i += 8)
		if (get_be64(ids.p + i) == id)
			return true;
	return false;
}

static bool
is_in(const struct email *e, uint64_t mailbox)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->p[i].visible && e->p[i].m->id == mailbox)
			return true;
	for (size_t i = 0; i < e->n_to; i++)
		if (e->to[i]->id == mailbox)
			return true;
	return false;
}

/* A mailbox that it is in from now on.  *verdict */
static enum status
take_target(struct apply *ap, struct email *e, uint64_t id, enum status *verdict)
{
	struct mbox *m;
	enum status st;

	if (is_in(e, id))
		return ST_OK;
	st = st_mbox(ap->s, ap->a, id, &m);
	if (st == ST_NOT_FOUND || (st == ST_OK && m->rec.deleted_ms != 0)) {
		*verdict = ST_SYNTAX;
		return ST_OK;
	}
	TRY(st);
	if (m->rec.uidnext >= UINT32_MAX - 1)
		*verdict = ST_LIMIT;
	else
		e->to[e->n_to++] = m;
	return ST_OK;
}

/* Which memberships go, and which mailboxes come. */
static enum status
find_targets(struct apply *ap, struct email *e, enum status *verdict)
{
	const struct store_email_item *it = e->it;
	bool replace = it->mailboxes_how == EMAIL_REPLACE;

	if (it->mailboxes_how == EMAIL_KEEP)
		return ST_OK;
	if (it->mailboxes_add.len / 8 > MEMBERS_MAX) {
		*verdict = ST_LIMIT;
		return ST_OK;
	}
	e->to = mem_array(it->mailboxes_add.len / 8 + 1, sizeof(e->to[0]));
	for (size_t i = 0; i < it->mailboxes_add.len && *verdict == ST_OK; i += 8)
		TRY(take_target(ap, e, get_be64(it->mailboxes_add.p + i), verdict));
	for (size_t i = 0; i < e->n; i++) {
		uint64_t id = e->p[i].m->id;

		e->p[i].goes = e->p[i].visible && (replace ? !has(it->mailboxes_add, id) :
		    has(it->mailboxes_remove, id) && !has(it->mailboxes_add, id));
		e->going += e->p[i].goes;
	}
	if (*verdict == ST_OK && e->going == e->visible && e->n_to == 0)
		*verdict = ST_SYNTAX;
	return ST_OK;
}

/* The one that a new membership comes from: one that goes, moved; else a copy of the first. */
static struct place *
source(const struct email *e, size_t i, bool *moves)
{
	struct place *first = NULL;

	*moves = false;
	for (size_t j = 0; j < e->n; j++) {
		struct place *p = &e->p[j];

		if (first == NULL && p->visible)
			first = p;
		if (p->goes && i-- == 0) {
			*moves = true;
			return p;
		}
	}
	return first;
}

static enum status
annotations_fit(struct apply *ap, const struct place *from, bool *fit)
{
	struct uidset one = { 0 };
	enum status st;

	uidset_add(&one, from->uid);
	st = annotations_judge_copy(ap, from->m, &one, 1, RIGHT_ALL);
	*fit = ap->r->status == ST_OK;
	ap->r->status = ST_OK;
	uidset_fini(&one);
	return st;
}

static void
judge_room(struct apply *ap, struct email *e, enum status *verdict)
{
	struct message *msg = &ap->s->msg;
	uint64_t more = e->n_to > e->going ? e->n_to - e->going : 0;

	if (msg->members.len / MEMBER_BYTES + e->n_to > MEMBERS_MAX)
		*verdict = ST_LIMIT;
	else if (more > 0 && !quota_fits(ap, more * msg->rec.size, more))
		*verdict = ST_OVER_QUOTA;
}

/* ---- what it becomes ---- */

static struct flags
changed(const struct email *e, struct flags f)
{
	struct flags hidden = flags_system(FLAG_DELETED);

	switch (e->it->keywords_how) {
	case EMAIL_PATCH:
		return flags_or(flags_without(f, e->remove), e->add);
	case EMAIL_REPLACE:
		return flags_or(e->add, flags_without(f, flags_without(f, hidden)));
	default:
		return f;
	}
}

static enum status
add_places(struct apply *ap, struct email *e)
{
	struct message *msg = &ap->s->msg;
	uint32_t made;
	bool moves, fit;

	for (size_t i = 0; i < e->n_to; i++) {
		struct place *from = source(e, i, &moves);
		struct rec_index x = from->x;

		x.flags = changed(e, e->derived);
		TRY(member_add(ap, e->to[i], msg, &x, &made));
		/* JMAP knows nothing of annotations: it does not fail for want of their room. */
		TRY(annotations_fit(ap, from, &fit));
		if (fit || moves)
			TRY(annotations_copy(ap, from->m, from->uid, e->to[i], made, RIGHT_ALL));
		if (moves)
			TRY(uidl_move(ap, from->m, from->uid, e->to[i], made));
	}
	return ST_OK;
}

static enum status
change_place(struct apply *ap, const struct email *e, struct place *p)
{
	return p->visible ? member_flags(ap, p->m, p->uid, &p->x, changed(e, p->x.flags)) : ST_OK;
}

static enum status
update(struct apply *ap, struct email *e)
{
	struct message *msg = &ap->s->msg;

	/* First added, then taken away: the message is never gone in between. */
	TRY(add_places(ap, e));
	for (size_t i = 0; i < e->n; i++) {
		struct place *p = &e->p[i];

		if (p->goes)
			TRY(member_remove(ap, p->m, p->uid, &p->x, msg));
		else
			TRY(change_place(ap, e, p));
	}
	return e->n_to > 0 || e->going > 0 ? message_save(ap->s, ap->a, msg) : ST_OK;
}

static enum status
destroy(struct apply *ap, struct email *e)
{
	struct message *msg = &ap->s->msg;

	for (size_t i = 0; i < e->n; i++)
		TRY(member_remove(ap, e->p[i].m, e->p[i].uid, &e->p[i].x, msg));
	return message_save(ap->s, ap->a, msg);
}

/* The request's bits as the account's; false: one is none. */
static bool
translate(const struct setting *q, struct flags f, struct flags *out)
{
	bool good = true;

	*out = flags_system(flags_get_system(f));
	for (size_t i = 0; i < KEYWORD_MAX; i++) {
		if (!flags_has_keyword(f, (unsigned)i))
			continue;
		if (i < q->n_bits && q->bits[i] < KEYWORD_MAX)
			flags_set_keyword(out, q->bits[i]);
		else
			good = false;
	}
	return good;
}

static enum status
set_one(struct apply *ap, struct setting *q, struct email *e, enum status *verdict)
{
	const struct store_email_item *it = e->it;
	enum status st;

	if (table_put_u64(&q->seen, it->message, ap) != NULL) {
		*verdict = ST_CONFLICT;
		return ST_OK;
	}
	st = message_load(ap->s, ap->a, it->message, &ap->s->msg);
	if (st == ST_OK)
		st = load_places(ap, e);
	if (st == ST_NOT_FOUND || (st == ST_OK && e->visible == 0)) {
		*verdict = ST_NOT_FOUND;
		return ST_OK;
	}
	TRY(st);
	if (it->how == EMAIL_DESTROY)
		return destroy(ap, e);
	(void)translate(q, it->keywords_remove, &e->remove);	/* who has it? */
	if (!translate(q, it->keywords_add, &e->add))
		*verdict = ST_LIMIT;
	if (*verdict == ST_OK)
		TRY(find_targets(ap, e, verdict));
	if (*verdict == ST_OK)
		judge_room(ap, e, verdict);
	return *verdict == ST_OK ? update(ap, e) : ST_OK;
}

/* ---- all of them ---- */

/* How many, and whether a keyword may have to be made. */
static bool
count(struct span items, size_t *n, bool *adds)
{
	struct store_email_item it;
	struct reader r;

	*n = 0;
	*adds = false;
	reader_init(&r, items.p, items.len);
	while (get_store_email_item(&r, &it)) {
		++*n;
		*adds |= it.keywords_how != EMAIL_KEEP && flags_has_keywords(it.keywords_add);
	}
	return reader_done(&r);
}

/* A name that does not fit any more costs those alone that add it. */
static enum status
find_bits(struct apply *ap, struct setting *q, bool adds)
{
	struct span names = ap->op->u.email_set.keywords;
	enum status verdict;

	TRY(keywords_bits(ap, names, adds, q->bits, &q->n_bits, &verdict));
	if (verdict == ST_LIMIT)
		TRY(keywords_bits(ap, names, false, q->bits, &q->n_bits, &verdict));
	return verdict != ST_OK ? refuse(ap, verdict) : ST_OK;
}

static enum status
set_all(struct apply *ap, struct setting *q)
{
	struct span items = ap->op->u.email_set.items;
	struct store_email_item it;
	struct reader r;
	enum status st = ST_OK;

	reader_init(&r, items.p, items.len);
	while (st == ST_OK && get_store_email_item(&r, &it)) {
		struct email e = { .it = &it };
		enum status verdict = ST_OK;

		st = set_one(ap, q, &e, &verdict);
		put_u8(&q->outcomes, (uint8_t)verdict);
		email_fini(&e);
	}
	return st;
}

/* With what the parts before came to. */
static void
answer(struct apply *ap, const struct setting *q, uint64_t old_email)
{
	struct store_email_set_is before = { 0 }, is = { .old_email = old_email,
		.email = ap->a->rec.mail_modseq, .modseq = ap->a->rec.modseq };
	struct buf all = { 0 };

	if (ap->memo_before.len > 0 && ipc_decode(ipc_find(&store_protocol, STORE_EMAIL_SET_IS),
	    buf_span(&ap->memo_before), &before) == ST_OK) {
		is.old_email = before.old_email;
		buf_add_span(&all, before.outcomes);
	}
	buf_add_span(&all, buf_span(&q->outcomes));
	is.outcomes = buf_span(&all);
	ap->r->uid = (uint32_t)all.len;
	if (ap->op->head.part != 0)
		ap->r->more = !ap->op->head.last;
	ap_reply(ap, STORE_EMAIL_SET_IS, &is);
	buf_fini(&all);
}

enum status
apply_email_set(struct apply *ap)
{
	const struct op_email_set *p = &ap->op->u.email_set;
	struct setting q = { .n_bits = 0 };
	uint64_t old_email = ap->a->rec.mail_modseq;
	size_t n;
	bool adds;
	enum status st = ST_OK;

	if (!chain_part_fits(ap))
		return refuse(ap, ST_UNAVAILABLE);
	if (!count(p->items, &n, &adds))
		return refuse(ap, ST_SYNTAX);
	if (n > OP_ROWS || ap->uid_before + n > STORE_EMAIL_SET_MAX)
		return refuse(ap, ST_LIMIT);
	if (ap->op->head.part <= 1 && p->if_email != 0 && p->if_email != old_email)
		return refuse(ap, ST_CONFLICT);
	st = find_bits(ap, &q, adds);
	if (st == ST_OK && ap->r->status == ST_OK)
		st = set_all(ap, &q);
	if (st == ST_OK && ap->r->status == ST_OK)
		answer(ap, &q, old_email);
	table_fini(&q.seen, NULL, NULL);
	buf_fini(&q.outcomes);
	return st;
}
