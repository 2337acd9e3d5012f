/* Blocks as bytes.  Numbers are big-endian. */
#include "storage/search/text_priv.h"

#include "common/compress/zstd.h"
#include "common/util/bytes.h"
#include "common/util/mem.h"

#define FILE_MAGIC	"MANSIOTX"

void
text_docs_fini(struct text_docs *d)
{
	mem_free(&d->v);
	buf_fini(&d->header);
	buf_fini(&d->body);
	*d = (struct text_docs){ 0 };
}

bool
text_docs_add(struct text_docs *d, uint64_t message, uint8_t version, bool cut,
    struct span header, struct span body)
{
	if (header.len > TEXT_DOC_MAX || body.len > TEXT_DOC_MAX - header.len ||
	    d->n == TEXT_DOCS_MAX || d->header.len + header.len > TEXT_BLOCK_MAX ||
	    d->body.len + body.len > TEXT_BLOCK_MAX)
		return false;
	if (d->n == d->room) {
		d->room = d->room > 0 ? d->room * 2 : 8;
		d->v = mem_realloc_array(d->v, d->room, sizeof(*d->v));
	}
	d->v[d->n++] = (struct text_doc){ .message = message, .version = version, .cut = cut,
		.header_at = (uint32_t)d->header.len, .header_len = (uint32_t)header.len,
		.body_at = (uint32_t)d->body.len, .body_len = (uint32_t)body.len };
	buf_add_span(&d->header, header);
	buf_add_span(&d->body, body);
	return true;
}

void
text_file_header(struct buf *out, uint16_t shard, uint64_t account)
{
	size_t at = out->len;

	buf_add(out, FILE_MAGIC, 8);
	put_u32(out, TEXT_FILE_VERSION);
	put_u32(out, shard);
	put_u64(out, account);
	while (out->len - at < TEXT_FILE_HEADER - 4)
		put_u8(out, 0);
	put_u32(out, crc32c(0, out->data + at, TEXT_FILE_HEADER - 4));
}

bool
text_file_header_good(struct span bytes, uint16_t shard, uint64_t account)
{
	struct buf want = { 0 };
	bool good;

	text_file_header(&want, shard, account);
	good = bytes.len >= want.len && memcmp(bytes.p, want.data, want.len) == 0;
	buf_fini(&want);
	return good;
}

void
text_head_put(struct buf *out, const struct text_head *h)
{
	size_t at = out->len;

	buf_add(out, TEXT_BLOCK_MAGIC, 4);
	put_u32(out, h->length);
	put_u32(out, h->docs);
	put_u32(out, h->meta_len);
	put_u32(out, h->filter_len);
	put_u32(out, h->header_len);
	put_u32(out, h->header_raw);
	put_u32(out, h->body_len);
	put_u32(out, h->body_raw);
	put_u32(out, h->meta_crc);
	put_u32(out, h->header_crc);
	put_u32(out, h->body_crc);
	put_u64(out, h->at);
	put_u64(out, h->from);
	put_u32(out, 0);
	put_u32(out, crc32c(0, out->data + at, TEXT_HEAD_BYTES - 4));
}

bool
text_head_get(struct span bytes, uint64_t at, struct text_head *h)
{
	struct reader r;

	if (bytes.len < TEXT_HEAD_BYTES ||
	    get_be32(bytes.p + TEXT_HEAD_BYTES - 4) != crc32c(0, bytes.p, TEXT_HEAD_BYTES - 4))
		return false;
	reader_init(&r, bytes.p, TEXT_HEAD_BYTES);
	if (!span_eq_str(get_raw(&r, 4), TEXT_BLOCK_MAGIC))
		return false;
	h->length = get_u32(&r);
	h->docs = get_u32(&r);
	h->meta_len = get_u32(&r);
	h->filter_len = get_u32(&r);
	h->header_len = get_u32(&r);
	h->header_raw = get_u32(&r);
	h->body_len = get_u32(&r);
	h->body_raw = get_u32(&r);
	h->meta_crc = get_u32(&r);
	h->header_crc = get_u32(&r);
	h->body_crc = get_u32(&r);
	h->at = get_u64(&r);
	h->from = get_u64(&r);
	return h->at == at && h->from <= at && h->from >= TEXT_FILE_HEADER && h->docs > 0 &&
	    h->docs <= TEXT_DOCS_MAX && h->meta_len <= TEXT_META_MAX &&
	    h->filter_len <= TEXT_FILTER_MAX && (h->filter_len & (h->filter_len - 1)) == 0 &&
	    h->header_raw <= TEXT_BLOCK_MAX && h->body_raw <= TEXT_BLOCK_MAX &&
	    h->header_len <= 2 * TEXT_BLOCK_MAX && h->body_len <= 2 * TEXT_BLOCK_MAX &&
	    h->length == TEXT_HEAD_BYTES + h->meta_len + h->filter_len + h->header_len + h->body_len;
}

static void
put_meta(struct buf *out, const struct text_doc *d)
{
	put_u64(out, d->message);
	put_u8(out, d->version);
	put_u8(out, d->cut);
	put_varint(out, d->header_len);
	put_varint(out, d->body_len);
}

bool
text_meta_get(const struct text_head *h, struct span meta, struct text_doc *v)
{
	struct reader r;
	uint64_t header = 0, body = 0;

	reader_init(&r, meta.p, meta.len);
	for (uint32_t i = 0; i < h->docs; i++) {
		struct text_doc *d = &v[i];

		*d = (struct text_doc){ .message = get_u64(&r), .version = get_u8(&r) };
		d->cut = get_u8(&r) != 0;
		d->header_len = get_varint32(&r);
		d->body_len = get_varint32(&r);
		d->header_at = (uint32_t)header;
		d->body_at = (uint32_t)body;
		header += d->header_len;
		body += d->body_len;
		if (r.bad || header > h->header_raw || body > h->body_raw)
			return false;
	}
	return reader_done(&r) && header == h->header_raw && body == h->body_raw;
}

/* An empty text takes no bytes. */
static void
pack(struct buf *out, struct span text, uint32_t *len, uint32_t *crc)
{
	size_t at = out->len;

	if (text.len > 0)
		zstd_compress(text, TEXT_LEVEL, NULL, out);
	*len = (uint32_t)(out->len - at);
	*crc = crc32c(0, out->data + at, *len);
}

bool
text_unpack(struct span stored, uint32_t crc, uint32_t raw, struct buf *out)
{
	uint64_t size;

	buf_clear(out);
	if (crc32c(0, stored.p, stored.len) != crc)
		return false;
	if (raw == 0)
		return stored.len == 0;
	return zstd_content_size(stored, &size) && size == raw &&
	    zstd_decompress(stored, raw, NULL, out) == ST_OK;
}

void
text_block_put(struct buf *out, const struct text_docs *d, size_t from, size_t to, uint64_t at,
    uint64_t replaces, struct text_head *h)
{
	const struct text_doc *first = &d->v[from], *last = &d->v[to - 1];
	struct span header = span_sub(buf_span(&d->header), first->header_at,
	    last->header_at + last->header_len - first->header_at);
	struct span body = span_sub(buf_span(&d->body), first->body_at,
	    last->body_at + last->body_len - first->body_at);
	struct buf rest = { 0 };
	size_t packed;

	*h = (struct text_head){ .docs = (uint32_t)(to - from), .header_raw = (uint32_t)header.len,
	    .body_raw = (uint32_t)body.len, .at = at, .from = replaces };
	for (size_t i = from; i < to; i++)
		put_meta(&rest, &d->v[i]);
	h->meta_len = (uint32_t)rest.len;
	text_filter_make(header, body, &rest);
	packed = rest.len;
	h->filter_len = (uint32_t)packed - h->meta_len;
	h->meta_crc = crc32c(0, rest.data, packed);
	pack(&rest, header, &h->header_len, &h->header_crc);
	pack(&rest, body, &h->body_len, &h->body_crc);
	h->length = (uint32_t)(TEXT_HEAD_BYTES + rest.len);
	text_head_put(out, h);
	buf_add_span(out, buf_span(&rest));
	buf_fini(&rest);
}
