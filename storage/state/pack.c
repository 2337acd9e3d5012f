#include "storage/state/pack.h"

#include <string.h>

#include "common/compress/zstd.h"
#include "common/util/bytes.h"

#define LEVEL 6		/* made once, behind everybody's requests */

enum { AS_IT_IS, FRAME, FRAME_BEHIND };

static void
add_bytes(struct buf *out, uint8_t how, struct span raw)
{
	out->data[0] = (char)how;
	buf_add_span(out, raw);
}

void
pack_put(struct buf *out, const struct span rows[PACK_UIDS], enum pack_how how,
    struct span before)
{
	struct buf raw = { 0 }, packed = { 0 }, head = { 0 };
	uint32_t which = 0;

	for (unsigned i = 0; i < PACK_UIDS; i++) {
		if (rows[i].p == NULL)
			continue;
		which |= (uint32_t)1 << i;
		buf_add_span(&raw, rows[i]);
	}
	put_u8(&head, AS_IT_IS);
	put_u32(&head, which);
	for (unsigned i = 0; i < PACK_UIDS; i++)
		if (rows[i].p != NULL)
			put_varint(&head, rows[i].len);
	if (raw.len > PACK_RAW_MAX)
		how = PACK_PLAIN;
	if (how == PACK_QUICK)
		zstd_compress_quick(buf_span(&raw), LEVEL, &packed);
	else if (how == PACK_BEHIND)
		zstd_compress_behind(before, buf_span(&raw), LEVEL, &packed);
	else if (how == PACK_DENSE)
		zstd_compress(buf_span(&raw), LEVEL, NULL, &packed);
	if (how != PACK_PLAIN && packed.len < raw.len)
		add_bytes(&head, how == PACK_BEHIND ? FRAME_BEHIND : FRAME, buf_span(&packed));
	else
		add_bytes(&head, AS_IT_IS, buf_span(&raw));
	buf_add_span(out, buf_span(&head));
	buf_fini(&head);
	buf_fini(&raw);
	buf_fini(&packed);
}

bool
pack_needs_before(struct span payload)
{
	return payload.len > 0 && payload.p[0] == FRAME_BEHIND;
}

static bool
unpack(struct pack *p, uint8_t how, struct span bytes, size_t size, struct span before)
{
	p->all = bytes;
	if (how == AS_IT_IS)
		return bytes.len == size;
	if (how == FRAME && zstd_decompress(bytes, size, NULL, &p->raw) != ST_OK)
		return false;
	if (how == FRAME_BEHIND && zstd_decompress_behind(before, bytes, size, &p->raw) != ST_OK)
		return false;
	p->all = buf_span(&p->raw);
	return how <= FRAME_BEHIND && p->raw.len == size;
}

bool
pack_open(struct pack *p, struct span payload, struct span before)
{
	struct reader r;
	uint32_t which;
	uint64_t len[PACK_UIDS];
	uint8_t how;
	size_t size = 0, at = 0;

	buf_clear(&p->raw);
	memset(p->rows, 0, sizeof(p->rows));
	reader_init(&r, payload.p, payload.len);
	how = get_u8(&r);
	which = get_u32(&r);
	for (unsigned i = 0; i < PACK_UIDS; i++) {
		len[i] = which >> i & 1 ? get_varint(&r) : 0;
		if (len[i] > PACK_BYTES_MAX - size)
			return false;
		size += (size_t)len[i];
	}
	if (r.bad || !unpack(p, how, get_raw(&r, reader_left(&r)), size, before))
		return false;
	for (unsigned i = 0; i < PACK_UIDS; i++) {
		p->rows[i] = which >> i & 1 ? span_sub(p->all, at, (size_t)len[i]) : SPAN_NONE;
		at += (size_t)len[i];
	}
	return true;
}

void
pack_fini(struct pack *p)
{
	buf_fini(&p->raw);
	*p = (struct pack){ .all = SPAN_NONE };
}
