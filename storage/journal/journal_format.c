/* storage/journal/journal_format.c
 * Headers to bytes and back. */
#include "storage/journal/journal_format.h"

#include <string.h>

static const char segment_magic[8] = { 'M', 'A', 'N', 'S', 'I', 'O', 'S', 'G' };
static const char mark_magic[8] = { 'M', 'A', 'N', 'S', 'I', 'O', 'M', 'K' };

static void
block_seal(char p[JOURNAL_BLOCK])
{
	put_be32(p + JOURNAL_BLOCK - 4, crc32c(0, p, JOURNAL_BLOCK - 4));
}

static bool
block_ok(const char p[JOURNAL_BLOCK], const char magic[8])
{
	return memcmp(p, magic, 8) == 0 &&
	    get_be32(p + JOURNAL_BLOCK - 4) == crc32c(0, p, JOURNAL_BLOCK - 4);
}

void
jf_segment_put(char p[JOURNAL_BLOCK], const struct jf_segment *h)
{
	memset(p, 0, JOURNAL_BLOCK);
	memcpy(p, segment_magic, 8);
	put_be32(p + 8, h->version);
	put_be32(p + 12, h->shard);
	put_be32(p + 16, h->segment);
	put_be32(p + 20, h->bytes);
	put_be64(p + 24, h->generation);
	put_be64(p + 32, h->first_lsn);
	put_be64(p + 40, h->salt);
	put_be64(p + 48, h->first_tick);
	block_seal(p);
}

bool
jf_segment_get(const char p[JOURNAL_BLOCK], struct jf_segment *h)
{
	if (!block_ok(p, segment_magic))
		return false;
	h->version = get_be32(p + 8);
	h->shard = get_be32(p + 12);
	h->segment = get_be32(p + 16);
	h->bytes = get_be32(p + 20);
	h->generation = get_be64(p + 24);
	h->first_lsn = get_be64(p + 32);
	h->salt = get_be64(p + 40);
	h->first_tick = get_be64(p + 48);
	return h->first_lsn > 0 && h->segment > 0 &&
	    h->bytes >= JOURNAL_SEGMENT_MIN && h->bytes <= JOURNAL_SEGMENT_MAX;
}

void
jf_mark_put(char p[JOURNAL_BLOCK], const struct jf_mark *m)
{
	memset(p, 0, JOURNAL_BLOCK);
	memcpy(p, mark_magic, 8);
	put_be32(p + 8, m->version);
	put_be32(p + 12, m->shard);
	put_be64(p + 16, m->sequence);
	put_be64(p + 24, m->salt);
	put_be64(p + 32, m->durable);
	block_seal(p);
}

bool
jf_mark_get(const char p[JOURNAL_BLOCK], struct jf_mark *m)
{
	if (!block_ok(p, mark_magic))
		return false;
	m->version = get_be32(p + 8);
	m->shard = get_be32(p + 12);
	m->sequence = get_be64(p + 16);
	m->salt = get_be64(p + 24);
	m->durable = get_be64(p + 32);
	return true;
}

void
jf_record_put(char p[JOURNAL_RECORD_HDR], struct jf_record *h,
    const struct iovec *iov, int n)
{
	put_be32(p, h->length);
	put_be64(p + 8, h->lsn);
	put_be64(p + 16, h->account);
	put_be32(p + 24, h->epoch);
	p[28] = (char)h->type;
	p[29] = p[30] = p[31] = 0;
	/* The length comes first in the CRC: it is what the rest hangs on. */
	h->crc = crc32c(0, p, 4);
	h->crc = crc32c(h->crc, p + 8, JOURNAL_RECORD_HDR - 8);
	for (int i = 0; i < n; i++)
		h->crc = crc32c(h->crc, iov[i].iov_base, iov[i].iov_len);
	put_be32(p + 4, h->crc);
}

bool
jf_record_get(const char p[JOURNAL_RECORD_HDR], struct jf_record *h)
{
	h->length = get_be32(p);
	h->crc = get_be32(p + 4);
	h->lsn = get_be64(p + 8);
	h->account = get_be64(p + 16);
	h->epoch = get_be32(p + 24);
	h->type = (uint8_t)p[28];
	return h->length <= JOURNAL_RECORD_MAX && h->type >= JOURNAL_TICK &&
	    h->type <= JOURNAL_PAD && p[29] == 0 && p[30] == 0 && p[31] == 0;
}

bool
jf_record_check(const char p[JOURNAL_RECORD_HDR], const struct jf_record *h,
    const void *payload)
{
	uint32_t crc = crc32c(0, p, 4);

	crc = crc32c(crc, p + 8, JOURNAL_RECORD_HDR - 8);
	return crc32c(crc, payload, h->length) == h->crc;
}

void
jf_tick_put(char p[JOURNAL_TICK_HDR], const struct jf_tick *t)
{
	char *q = p + JOURNAL_RECORD_HDR;
	struct jf_record h = { .length = JOURNAL_TICK_HDR - JOURNAL_RECORD_HDR,
	    .lsn = t->first_lsn, .type = JOURNAL_TICK };
	struct iovec iov = { q, h.length };

	put_be64(q, t->salt);
	put_be64(q + 8, t->generation);
	put_be64(q + 16, t->tick);
	put_be64(q + 24, t->last_lsn);
	put_be64(q + 32, t->durable);
	put_be32(q + 40, t->segment);
	put_be32(q + 44, t->bytes);
	put_be32(q + 48, t->records);
	put_be32(q + 52, 0);
	jf_record_put(p, &h, &iov, 1);
}

bool
jf_tick_get(const char p[JOURNAL_TICK_HDR], struct jf_tick *t)
{
	const char *q = p + JOURNAL_RECORD_HDR;
	struct jf_record h;

	if (!jf_record_get(p, &h) || h.type != JOURNAL_TICK ||
	    h.length != JOURNAL_TICK_HDR - JOURNAL_RECORD_HDR ||
	    !jf_record_check(p, &h, q))
		return false;
	t->first_lsn = h.lsn;
	t->salt = get_be64(q);
	t->generation = get_be64(q + 8);
	t->tick = get_be64(q + 16);
	t->last_lsn = get_be64(q + 24);
	t->durable = get_be64(q + 32);
	t->segment = get_be32(q + 40);
	t->bytes = get_be32(q + 44);
	t->records = get_be32(q + 48);
	return t->first_lsn > 0 && t->records > 0 && t->last_lsn >= t->first_lsn &&
	    t->last_lsn - t->first_lsn == t->records - 1 &&
	    t->durable < t->first_lsn && t->bytes % JOURNAL_SECTOR == 0 &&
	    t->bytes > JOURNAL_TICK_HDR && t->bytes <= JOURNAL_SEGMENT_MAX;
}

uint64_t
jf_tick_padded(uint64_t n)
{
	uint64_t rest = n % JOURNAL_SECTOR;

	if (rest == 0)
		return n;
	rest = JOURNAL_SECTOR - rest;
	return n + rest + (rest < JOURNAL_RECORD_HDR ? JOURNAL_SECTOR : 0);
}

void
journal_pos_put(struct buf *b, const struct journal_pos *pos)
{
	put_u64(b, pos->lsn);
	put_u64(b, pos->tick_lsn);
	put_u32(b, pos->segment);
	put_u32(b, pos->offset);
}

void
journal_pos_get(struct reader *r, struct journal_pos *pos)
{
	pos->lsn = get_u64(r);
	pos->tick_lsn = get_u64(r);
	pos->segment = get_u32(r);
	pos->offset = get_u32(r);
}
