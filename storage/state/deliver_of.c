/* A delivery that is about a message that is there: what a script decided when an event of IMAP ran it
 * (RFC 6785).  Its places are copies, as of COPY; what is sent on uses the same body; its flags where
 * it is change as of STORE. */
#include "storage/state/deliver.h"

#include <string.h>

static enum status
load(struct delivery *d, struct mbox **m, struct rec_index *x)
{
	const struct op_deliver *p = &d->ap->op->u.deliver;

	TRY(st_mbox(d->ap->s, d->ap->a, p->of_mailbox, m));
	TRY(index_load(d->ap->s, d->ap->a, *m, p->of_uid, x));
	return message_load(d->ap->s, d->ap->a, x->message, &d->ap->s->msg);
}

static bool
flags_good(struct flags f)
{
	return (flags_get_system(f) & ~(unsigned)FLAG_SYSTEM_ALL) == 0;
}

/* As an append would have it; what lists read of it is made anew, should it come back. */
static void
take(struct delivery *d, const struct rec_index *x)
{
	struct body *b = &d->bodies[0];
	const struct rec_message *msg = &d->ap->s->msg.rec;

	memcpy(d->of_sha256, msg->sha256, sizeof(d->of_sha256));
	buf_add_span(&d->of_keys, msg->thread_keys);
	d->n_bodies = 1;
	*b = (struct body){ .there = true, .extent = msg->extent, .message = x->message,
		.thread = x->thread };
	b->it = (struct op_append_item){ .received_s = x->received_s,
		.received_zone = x->received_zone, .size = x->size,
		.sha256 = span((const char *)d->of_sha256, sizeof(d->of_sha256)),
		.thread_keys = buf_span(&d->of_keys), .subject_hash = msg->subject_hash };
}

enum status
deliver_of_find(struct delivery *d)
{
	struct apply *ap = d->ap;
	const struct op_deliver *p = &ap->op->u.deliver;
	struct rec_index x;
	struct key k;
	struct mbox *m;
	enum status st;

	if (!flags_good(p->flags_add) || !flags_good(p->flags_remove))
		return refuse(ap, ST_SYNTAX);
	TRY(ap_mbox(ap, p->of_mailbox, &m));
	if (m == NULL)
		return ST_OK;
	key_uid(&k, ap->a->id, m->id, p->of_uid);
	st = engine_get(ap->s->e, ap->s->txn, TAB_MINDEX, key_span(&k), NULL);
	if (st == ST_NOT_FOUND)
		return refuse(ap, ST_NOT_FOUND);
	TRY(st);
	TRY(load(d, &m, &x));
	take(d, &x);
	return ST_OK;
}

enum status
deliver_of_judge(struct delivery *d)
{
	const struct op_deliver *p = &d->ap->op->u.deliver;
	struct uidset one = { 0 };
	struct rec_index x;
	struct mbox *m;
	uint32_t copies = 0;
	enum status st;

	for (unsigned i = 0; i < d->n_drops; i++)
		copies += d->drops[i].body == 0;
	if (copies == 0)
		return ST_OK;
	TRY(load(d, &m, &x));
	if (d->ap->s->msg.members.len / MEMBER_BYTES + copies > MEMBERS_MAX)
		return refuse(d->ap, ST_LIMIT);
	uidset_add(&one, p->of_uid);
	st = annotations_judge_copy(d->ap, m, &one, copies, RIGHT_ALL);
	uidset_fini(&one);
	return st;
}

/* Only what is set takes room, and only when there is some. */
enum status
deliver_of_keywords(struct delivery *d, unsigned *bits, size_t *n)
{
	struct apply *ap = d->ap;
	const struct op_deliver *p = &ap->op->u.deliver;
	struct flags set = p->flags_add;
	struct buf wanted = { 0 };
	enum status st, verdict;
	struct reader r;
	struct span name;

	TRY(keywords_bits(ap, p->keywords, false, bits, n, &verdict));
	if (verdict != ST_OK)
		return refuse(ap, verdict);
	for (unsigned i = 0; i < d->n_drops; i++)
		set = flags_or(set, d->drops[i].flags);
	reader_init(&r, p->keywords.p, p->keywords.len);
	for (unsigned i = 0; i < *n && i < KEYWORD_MAX && get_store_keyword(&r, &name); i++)
		if (flags_has_keyword(set, i) && bits[i] == UINT32_MAX)
			put_store_keyword(&wanted, name);
	st = ST_OK;
	if (wanted.len > 0) {
		st = keywords_bits(ap, buf_span(&wanted), true, bits, n, &verdict);
		if (st == ST_OK)
			st = keywords_bits(ap, p->keywords, false, bits, n, &verdict);
	}
	buf_fini(&wanted);
	return st;
}

static enum status
write_copies(struct delivery *d, const unsigned *bits, size_t n_bits)
{
	struct apply *ap = d->ap;
	const struct op_deliver *p = &ap->op->u.deliver;
	struct mbox *from, *to;
	struct rec_index x;

	for (unsigned i = 0; i < d->n_drops; i++) {
		struct drop *at = &d->drops[i];

		if (at->body != 0)
			continue;
		TRY(load(d, &from, &x));
		TRY(st_mbox(ap->s, ap->a, d->targets[at->target].id, &to));
		x.flags = append_flags(at->flags, bits, n_bits);
		TRY(member_add(ap, to, &ap->s->msg, &x, &at->uid));
		TRY(annotations_copy(ap, from, p->of_uid, to, at->uid, RIGHT_ALL));
		TRY(message_save(ap->s, ap->a, &ap->s->msg));
	}
	return ST_OK;
}

static enum status
write_flags(struct delivery *d, const unsigned *bits, size_t n_bits)
{
	const struct op_deliver *p = &d->ap->op->u.deliver;
	struct flags add = append_flags(p->flags_add, bits, n_bits);
	struct rec_index x;
	struct mbox *m;

	if (d->stays)
		add = flags_without(add, flags_system(FLAG_DELETED));
	TRY(load(d, &m, &x));
	return member_flags(d->ap, m, p->of_uid, &x, flags_or(flags_without(x.flags,
	    append_flags(p->flags_remove, bits, n_bits)), add));
}

/* Copies before flags: the message is in sight all the time. */
enum status
deliver_of_write(struct delivery *d, const unsigned *bits, size_t n_bits)
{
	struct body *b = &d->bodies[0];
	uint32_t sent = 0;

	for (unsigned i = 0; i < d->n_queue; i++)
		sent += d->queue[i].body == 0 && !d->left_out[i];
	TRY(write_copies(d, bits, n_bits));
	TRY(write_flags(d, bits, n_bits));
	return sent > 0 ? extent_ref(d->ap->s, b->extent, sent, &b->it.pieces) : ST_OK;
}
