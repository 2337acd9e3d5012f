/* What operations of a ticket came to, until the worker has acknowledged the answer:
 * one row a ticket, as few are under way at a time.  Of a chain there is one entry, which
 * each part replaces: how far it came (part, uid) and what all parts came to together. */
#include "storage/state/state_priv.h"

#include <string.h>

struct entry {
	uint64_t	seq;
	uint32_t	part;
	struct span	rest;		/* status and so on */
};

static bool
get_entry(struct reader *r, struct entry *e)
{
	if (reader_left(r) == 0)
		return false;
	e->seq = get_varint(r);
	e->part = get_varint32(r);
	e->rest = get_span(r);
	return !r->bad;
}

static void
put_outcome(struct buf *b, const struct state_result *r, struct span reply)
{
	put_u8(b, (uint8_t)r->status);
	put_u8(b, r->more);
	put_u16(b, r->reply_no);
	put_varint(b, r->modseq);
	put_varint(b, r->mailbox);
	put_varint(b, r->uid);
	put_span(b, reply);
}

static bool
get_outcome(struct span in, struct state_result *out)
{
	struct reader r;
	uint8_t status;

	reader_init(&r, in.p, in.len);
	status = get_u8(&r);
	out->status = (enum status)status;
	out->more = get_u8(&r) != 0;
	out->reply_no = get_u16(&r);
	out->modseq = get_varint(&r);
	out->mailbox = get_varint(&r);
	out->uid = get_varint32(&r);
	buf_add_span(&out->reply, get_span(&r));
	out->repeated = true;
	return reader_done(&r) && status <= ST_MAX;
}

/* A copy stays: once_remember() writes it again with one more. */
static enum status
load(struct apply *ap, struct key *k)
{
	struct span payload;

	key_text(k, span(ap->op->head.ticket, OP_TICKET_LEN));
	TRY(st_get(ap->s, ap->s->txn, TAB_ONCE, k, &ap->s->value, &payload));
	buf_add_span(&ap->once, payload);
	return ST_OK;
}

/* Behind the time. */
static void
begin_entries(const struct apply *ap, struct reader *r)
{
	reader_init(r, ap->once.data, ap->once.len);
	get_u64(r);
}

/* The next part of a chain goes on from what is remembered. */
static void
take_memo(struct apply *ap, uint32_t part)
{
	struct state_result *r = ap->r;

	ap->part_before = part;
	ap->uid_before = r->uid;
	buf_add_span(&ap->memo_before, buf_span(&r->reply));
	buf_clear(&r->reply);
	r->reply_no = 0;
	r->modseq = r->mailbox = r->uid = 0;
	r->more = r->repeated = false;
}

enum status
once_recall(struct apply *ap, bool *known)
{
	const struct op_head *h = &ap->op->head;
	struct entry e;
	struct reader r;
	struct key k;
	size_t n = 0, bytes = 0;
	enum status st;

	if (h->seq == 0)
		return ST_OK;
	st = load(ap, &k);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	begin_entries(ap, &r);
	while (get_entry(&r, &e)) {
		if (e.seq == h->seq) {
			if (!get_outcome(e.rest, ap->r))
				return st_damaged(ap->s, TAB_ONCE, key_span(&k));
			*known = h->part != e.part + 1 || !ap->r->more;
			if (!*known)
				take_memo(ap, e.part);
			return ST_OK;
		}
		if (e.seq > h->acked) {
			n++;
			bytes += e.rest.len;
		}
	}
	if (!reader_done(&r))
		return st_damaged(ap->s, TAB_ONCE, key_span(&k));
	if (n >= ONCE_MAX || bytes >= ONCE_BYTES) {
		ap->r->status = ST_LIMIT;
		ap->forgettable = true;
	}
	return ST_OK;
}

enum status
once_remember(struct apply *ap)
{
	const struct op_head *h = &ap->op->head;
	struct buf *b = &ap->s->out, one = { 0 };
	struct entry e;
	struct reader r;
	struct key k;

	if (h->seq == 0 || ap->forgettable)
		return ST_OK;
	b = st_put_start(ap->s);
	put_u64(b, (uint64_t)h->time_ms);
	if (ap->once.len > 0) {
		begin_entries(ap, &r);
		while (get_entry(&r, &e)) {
			if (e.seq <= h->acked || e.seq == h->seq)
				continue;
			put_varint(b, e.seq);
			put_varint(b, e.part);
			put_span(b, e.rest);
		}
	}
	put_outcome(&one, ap->r, buf_span(ap->memo.len > 0 ? &ap->memo : &ap->r->reply));
	put_varint(b, h->seq);
	put_varint(b, h->part);
	put_span(b, buf_span(&one));
	buf_fini(&one);
	key_text(&k, span(h->ticket, OP_TICKET_LEN));
	return st_put(ap->s, TAB_ONCE, &k);
}

enum status
state_remembered(struct state *s, const unsigned char ticket[OP_TICKET_LEN], uint64_t seq,
    struct state_result *out, uint32_t *part)
{
	struct buf value = { 0 };
	struct span payload;
	struct entry e;
	struct reader r;
	struct key k;
	enum status st;

	key_text(&k, span(ticket, OP_TICKET_LEN));
	st = st_get(s, NULL, TAB_ONCE, &k, &value, &payload);
	if (st == ST_OK) {
		reader_init(&r, payload.p, payload.len);
		get_u64(&r);
		while (get_entry(&r, &e) && e.seq != seq)
			;
		st = r.bad || e.seq != seq ? ST_NOT_FOUND : ST_OK;
		*part = e.part;
	}
	if (st == ST_OK && !get_outcome(e.rest, out))
		st = st_damaged(s, TAB_ONCE, key_span(&k));
	buf_fini(&value);
	return st;
}

/* Removes the old ones of up to `rows` tickets, from the one named on. */
enum status
apply_once_purge(struct apply *ap)
{
	const struct op_once_purge *p = &ap->op->u.once_purge;
	uint32_t rows = p->rows > OP_ROWS || p->rows == 0 ? OP_ROWS : p->rows;
	struct engine_cursor *c = NULL;
	struct buf dead = { 0 };
	struct span key, payload;
	struct reader r;
	enum status st;

	TRY(engine_cursor_open(ap->s->e, ap->s->txn, TAB_ONCE, SPAN_NONE, &c));
	engine_cursor_seek(c, span(p->from, OP_TICKET_LEN));
	for (uint32_t n = 0; (st = st_next(ap->s, TAB_ONCE, c, &key, &payload)) == ST_OK; n++) {
		if (n == rows) {
			memcpy(ap->r->next, key.p, OP_TICKET_LEN);
			ap->r->more = true;
			break;
		}
		reader_init(&r, payload.p, payload.len);
		if ((int64_t)get_u64(&r) < p->before_ms)
			buf_add_span(&dead, key);
	}
	engine_cursor_close(&c);
	if (st == ST_NOT_FOUND)
		st = ST_OK;
	for (size_t i = 0; st == ST_OK && i < dead.len; i += OP_TICKET_LEN)
		st = engine_del(ap->s->txn, TAB_ONCE, span(dead.data + i, OP_TICKET_LEN));
	buf_fini(&dead);
	return st;
}
