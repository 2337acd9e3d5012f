/* HTTP/1.1 heads and chunks, WebSocket frames: byte 0 says which, and how the rest is cut.  However it
 * is cut, what comes out is the same. */
#include <stdlib.h>
#include <string.h>

#include "common/proto/http.h"
#include "common/proto/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
need(bool good)
{
	if (!good)
		abort();
}

static void
use_head(const struct http_head *h)
{
	struct span path, query, v;
	struct buf b = { 0 };
	uint64_t from, n;

	http_target(h->target, &path, &query);
	need(path.len > 0);
	(void)http_unescape(path, &b);
	(void)http_query_get(query, "a", &v);
	if (http_field(h->fields, h->n_fields, "Range", &v) && http_range(v, 1000, &from, &n) == ST_OK)
		need(n > 0 && from < 1000 && n <= 1000 - from);
	if (http_field(h->fields, h->n_fields, "If-None-Match", &v))
		(void)http_etag_matches(v, SPAN_LIT("\"x\""));
	need(h->body != HTTP_CHUNKED || http_count(h->fields, h->n_fields, "Content-Length") == 0);
	buf_fini(&b);
}

static void
heads(struct span in, size_t cut)
{
	struct http_head once, parts;
	size_t used = 0, scanned = 0, n = 0;
	unsigned code, code2 = 0;
	enum status whole = http_head_parse(in, &scanned, &once, &used, &code), st = ST_UNAVAILABLE;

	scanned = 0;
	for (size_t some = 0; st == ST_UNAVAILABLE && some < in.len;) {
		some = in.len - some < cut ? in.len : some + cut;
		st = http_head_parse(span_sub(in, 0, some), &scanned, &parts, &n, &code2);
	}
	if (whole == ST_OK) {
		need(st == ST_OK && n == used && parts.n_fields == once.n_fields &&
		    parts.body == once.body && parts.length == once.length);
		use_head(&once);
	} else if (whole == ST_SYNTAX) {
		need(code >= 400);	/* in pieces another mistake may be seen first */
	}
}

static enum status
chunks_of(struct span in, size_t cut, struct buf *out, size_t *used)
{
	struct http_chunks c = { 0 };
	size_t at = 0;

	while (at < in.len && !c.done) {
		struct span piece = span_sub(in, at, cut), data;
		size_t had = piece.len;

		do {
			enum status st = http_chunks_next(&c, &piece, &data);

			if (st != ST_OK)
				return st;
			buf_add_span(out, data);
		} while (data.len > 0);
		at += had - piece.len;
	}
	*used = at;
	return c.done ? ST_OK : ST_UNAVAILABLE;
}

static void
chunks(struct span in, size_t cut)
{
	struct buf a = { 0 }, b = { 0 };
	size_t used_a = 0, used_b = 0;
	enum status x = chunks_of(in, in.len + 1, &a, &used_a), y = chunks_of(in, cut, &b, &used_b);

	need(x == y && used_a == used_b && (x != ST_OK || span_eq(buf_span(&a), buf_span(&b))));
	buf_fini(&a);
	buf_fini(&b);
}

static enum status
frames_of(struct span in, size_t cut, struct buf *out)
{
	struct ws_reader r = { .message_max = 4096, .deflate = (in.len & 1) != 0 };
	struct buf left = { 0 };
	enum status st = ST_UNAVAILABLE;

	for (size_t at = 0; at < in.len && st == ST_UNAVAILABLE; at += cut) {
		struct ws_piece p;
		size_t used;

		buf_add_span(&left, span_sub(in, at, cut));
		while ((st = ws_read(&r, left.data, left.len, &used, &p)) == ST_OK) {
			unsigned code;

			if (p.first)
				buf_addf(out, "<%u", (unsigned)p.op);
			buf_add_span(out, p.data);
			if (p.last)
				buf_add_c(out, '>');
			if (p.op == WS_CLOSE)
				(void)ws_close_code(p.data, &code);
			buf_drop(&left, used);
		}
		buf_drop(&left, used);
	}
	buf_fini(&left);
	return st;
}

static void
frames(struct span in, size_t cut)
{
	struct buf a = { 0 }, b = { 0 };
	enum status x = frames_of(in, in.len + 1, &a), y = frames_of(in, cut, &b);

	need(x == y && (x != ST_UNAVAILABLE || span_eq(buf_span(&a), buf_span(&b))));
	buf_fini(&a);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in;
	size_t cut;

	if (len == 0)
		return 0;
	in = span(data + 1, len - 1);
	cut = 1 + (data[0] >> 2);
	switch (data[0] & 3) {
	case 0: heads(in, cut); break;
	case 1: chunks(in, cut); break;
	default: frames(in, cut); break;
	}
	return 0;
}
