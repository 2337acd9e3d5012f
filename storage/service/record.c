#include "storage/service/record.h"

void
record_op_head(struct buf *out, const struct journal_loc *locs, size_t n)
{
	put_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		put_u32(out, locs[i].segment);
		put_u32(out, locs[i].offset);
		put_u32(out, locs[i].length);
	}
}

bool
record_op_get(struct span payload, struct op *op, struct buf *locs, size_t *n)
{
	struct reader r;
	uint64_t pieces = 0;

	buf_clear(locs);
	reader_init(&r, payload.p, payload.len);
	*n = get_u32(&r);
	if (*n > reader_left(&r) / RECORD_LOC_BYTES)
		return false;
	for (size_t i = 0; i < *n; i++) {
		struct journal_loc loc;

		loc.segment = get_u32(&r);
		loc.offset = get_u32(&r);
		loc.length = get_u32(&r);
		buf_add(locs, &loc, sizeof(loc));
	}
	return !r.bad && op_decode(op, get_raw(&r, reader_left(&r))) &&
	    op_pieces(op, &pieces) && pieces == *n;
}

struct outcome
outcome_of(uint64_t lsn, const struct state_result *res)
{
	return (struct outcome){ lsn, res->status, res->modseq, res->mailbox, res->uid };
}

void
outcome_put(struct buf *out, const struct outcome *o)
{
	put_varint(out, o->lsn);
	put_u8(out, (uint8_t)o->status);
	put_varint(out, o->modseq);
	put_varint(out, o->mailbox);
	put_varint(out, o->uid);
}

bool
outcome_get(struct reader *r, struct outcome *o)
{
	if (reader_left(r) == 0)
		return false;
	o->lsn = get_varint(r);
	o->status = (enum status)get_u8(r);
	o->modseq = get_varint(r);
	o->mailbox = get_varint(r);
	o->uid = get_varint32(r);
	return !r->bad;
}

bool
outcome_eq(const struct outcome *a, const struct outcome *b)
{
	return a->lsn == b->lsn && a->status == b->status && a->modseq == b->modseq &&
	    a->mailbox == b->mailbox && a->uid == b->uid;
}
