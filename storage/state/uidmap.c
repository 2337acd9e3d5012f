/* Which uids of a mailbox there are, are unseen, are \Deleted: bitmaps of 256 uids.
 * Sequence numbers, SELECT and cutting sets into operations read no message rows. */
#include "storage/state/state_priv.h"

#include <string.h>

enum { BITS_PRESENT, BITS_UNSEEN, BITS_DELETED };

static bool
get_bit(const unsigned char *bits, uint32_t i)
{
	return (bits[i / 8] >> i % 8 & 1) != 0;
}

enum status
uidmap_flush(struct state *s, struct acct *a, struct mbox *m)
{
	struct key k;

	if (!m->block_dirty)
		return ST_OK;
	m->block_dirty = false;
	key_uid(&k, a->id, m->id, m->block_no);
	if (m->block.present == 0)
		return st_del_any(s, TAB_UIDMAP, &k);
	rec_block_put(st_put_start(s), &m->block);
	return st_put(s, TAB_UIDMAP, &k);
}

enum status
uidmap_load(struct state *s, struct acct *a, struct mbox *m, uint32_t block)
{
	struct span payload;
	struct key k;
	enum status st;

	if (m->block_here && m->block_no == block)
		return ST_OK;
	TRY(uidmap_flush(s, a, m));
	m->block_here = false;
	key_uid(&k, a->id, m->id, block);
	st = st_get(s, s->txn, TAB_UIDMAP, &k, &s->value, &payload);
	if (st == ST_NOT_FOUND)
		memset(&m->block, 0, sizeof(m->block));
	else if (st != ST_OK)
		return st;
	else if (!rec_block_get(payload, &m->block))
		return st_damaged(s, TAB_UIDMAP, key_span(&k));
	m->block_here = true;
	m->block_no = block;
	return ST_OK;
}

/* Sets a bit; keeps both counts that go with it. */
static void
set_bit(unsigned char *bits, uint32_t i, bool on, uint16_t *count, uint32_t *total)
{
	if (get_bit(bits, i) == on)
		return;
	bits[i / 8] ^= (unsigned char)(1u << i % 8);
	if (on) {
		++*count;
		++*total;
	} else {
		--*count;
		--*total;
	}
}

/* Octets of the \Deleted ones, for RFC 9208 §4.1.4. */
static enum status
count_deleted(struct state *s, struct acct *a, struct mbox *m, uint32_t uid, bool deleted)
{
	struct rec_index x;

	if (get_bit(m->block.bits[BITS_DELETED], uid % BLOCK_UIDS) == deleted)
		return ST_OK;
	TRY(index_load(s, a, m, uid, &x));
	if (deleted)
		m->rec.deleted_bytes += x.size;
	else
		m->rec.deleted_bytes -= x.size;
	return ST_OK;
}

enum status
uidmap_set(struct state *s, struct acct *a, struct mbox *m, uint32_t uid,
    const struct flags *flags)
{
	unsigned sys = flags != NULL ? flags_get_system(*flags) : 0;
	uint32_t i = uid % BLOCK_UIDS;
	struct rec_block *b = &m->block;

	TRY(uidmap_load(s, a, m, uid / BLOCK_UIDS));
	TRY(count_deleted(s, a, m, uid, (sys & FLAG_DELETED) != 0));
	set_bit(b->bits[BITS_PRESENT], i, flags != NULL, &b->present, &m->rec.messages);
	set_bit(b->bits[BITS_UNSEEN], i, flags != NULL && !(sys & FLAG_SEEN), &b->unseen,
	    &m->rec.unseen);
	set_bit(b->bits[BITS_DELETED], i, (sys & FLAG_DELETED) != 0, &b->deleted,
	    &m->rec.deleted);
	m->block_dirty = m->dirty = true;
	return ST_OK;
}

void
uidmap_bits(const unsigned char *bits, uint32_t block, uint32_t lo, uint32_t hi,
    struct uidset *out)
{
	uint32_t base = block * BLOCK_UIDS;
	uint32_t i = lo > base ? lo - base : 0;
	uint32_t end = hi - base >= BLOCK_UIDS ? BLOCK_UIDS : hi - base + 1;

	while (i < end) {
		uint32_t from;

		if (bits[i / 8] == 0) {
			i = (i | 7) + 1;
			continue;
		}
		if (!get_bit(bits, i)) {
			i++;
			continue;
		}
		from = i;
		while (i < end && (i % 8 == 0 && bits[i / 8] == 0xff && i + 8 <= end))
			i += 8;
		while (i < end && get_bit(bits, i))
			i++;
		uidset_add_range(out, base + from, base + i - 1);
	}
}

enum status
uidmap_among(struct state *s, struct acct *a, struct mbox *m, enum state_which which,
    const struct uidset *among, uint64_t max, struct uidset *out)
{
	uint32_t last = m->rec.uidnext - 1;

	for (size_t i = 0; i < among->n && among->r[i].lo <= last; i++) {
		uint32_t lo = among->r[i].lo;
		uint32_t hi = among->r[i].hi < last ? among->r[i].hi : last;

		for (uint32_t b = lo / BLOCK_UIDS; b <= hi / BLOCK_UIDS; b++) {
			TRY(uidmap_load(s, a, m, b));
			uidmap_bits(m->block.bits[which], b, lo, hi, out);
			if (m->block.present > 0 && uidset_count(out) > max)
				return ST_OK;
		}
	}
	return ST_OK;
}
