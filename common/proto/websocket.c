#include "common/proto/websocket.h"

#include <string.h>

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/util/bytes.h"

#define FIN		0x80u
#define RSV1		0x40u
#define RSV		0x70u
#define MASKED		0x80u
#define HEAD_MAX	14u

bool
ws_accept(struct span key, struct buf *out)
{
	struct buf raw = { 0 }, text = { 0 };
	unsigned char sum[SHA1_LEN];
	bool good = base64_decode(key, 16, &raw) && raw.len == 16;

	if (good) {
		buf_add_span(&text, key);
		buf_add_str(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
		sha1(buf_span(&text), sum);
		base64_encode(span(sum, sizeof(sum)), out);
	}
	buf_fini(&raw);
	buf_fini(&text);
	return good;
}

static bool
is_control(unsigned op)
{
	return op >= WS_CLOSE;
}

/* The head of a frame.  ST_UNAVAILABLE: it is not there yet. */
static enum status
take_head(struct ws_reader *r, const unsigned char *p, size_t len, size_t *used)
{
	uint64_t n;
	size_t at = 2;

	if (len < 2)
		return ST_UNAVAILABLE;
	n = p[1] & 0x7fu;
	at += n == 126 ? 2 : n == 127 ? 8 : 0;
	/* What is wrong already need not be waited for. */
	if ((p[1] & MASKED) == 0 || ((p[0] & 0xfu) > WS_BINARY && (p[0] & 0xfu) < WS_CLOSE) ||
	    (p[0] & 0xfu) > WS_PONG || (p[0] & RSV & ~RSV1) != 0)
		return ST_SYNTAX;
	if (len < at + 4)
		return ST_UNAVAILABLE;
	if (n == 126 && (n = get_be16(p + 2)) < 126)
		return ST_SYNTAX;
	if (n == 127 && ((n = get_be64(p + 2)) < 65536 || n >> 63 != 0))
		return ST_SYNTAX;
	r->op = p[0] & 0xfu;
	r->fin = (p[0] & FIN) != 0;
	r->left = n;
	memcpy(r->mask, p + at, 4);
	r->phase = 0;
	*used = at + 4;
	return ST_OK;
}

/* A frame that begins: may it stand here? */
static enum status
judge(struct ws_reader *r, bool rsv1)
{
	if (is_control(r->op))
		return r->fin && !rsv1 && r->left <= WS_CONTROL_MAX ? ST_OK : ST_SYNTAX;
	if ((r->op == WS_MORE) != (r->message != 0) || (rsv1 && (r->op == WS_MORE || !r->deflate)))
		return ST_SYNTAX;
	if (r->op != WS_MORE) {
		r->message = r->op;
		r->deflated = rsv1;
		r->sum = 0;
		r->began = false;
	}
	if (r->left > r->message_max - r->sum)
		return ST_LIMIT;
	r->sum += r->left;
	return ST_OK;
}

static void
unmask(struct ws_reader *r, char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)((unsigned char)p[i] ^ r->mask[r->phase++ & 3]);
}

static void
control(struct ws_reader *r, char *p, struct ws_piece *piece)
{
	unmask(r, p, (size_t)r->left);
	*piece = (struct ws_piece){ .op = (enum ws_op)r->op, .first = true, .last = true,
		.data = span(p, (size_t)r->left) };
	r->in_frame = false;
}

static void
message(struct ws_reader *r, char *p, size_t n, struct ws_piece *piece)
{
	unmask(r, p, n);
	r->left -= n;
	*piece = (struct ws_piece){ .op = (enum ws_op)r->message, .first = !r->began,
		.last = r->left == 0 && r->fin, .deflated = r->deflated, .data = span(p, n) };
	r->began = true;
	if (r->left == 0)
		r->in_frame = false;
	if (piece->last)
		r->message = 0;
}

enum status
ws_read(struct ws_reader *r, char *p, size_t len, size_t *used, struct ws_piece *piece)
{
	size_t at = 0, n;
	enum status st;

	*used = 0;
	for (;;) {
		if (!r->in_frame) {
			st = take_head(r, (const unsigned char *)p + at, len - at, &n);
			if (st == ST_OK)
				st = judge(r, ((unsigned char)p[at] & RSV1) != 0);
			if (st != ST_OK)
				return st;
			at += n;
			*used = at;
			r->in_frame = true;
		}
		if (is_control(r->op)) {
			if (len - at < r->left)
				return ST_UNAVAILABLE;
			n = (size_t)r->left;
			control(r, p + at, piece);
			break;
		}
		n = r->left < len - at ? (size_t)r->left : len - at;
		if (n == 0 && r->left > 0)
			return ST_UNAVAILABLE;
		message(r, p + at, n, piece);
		/* An empty frame in the middle of a message says nothing. */
		if (n > 0 || piece->last)
			break;
		r->began = !piece->first;
	}
	*used = at + n;
	return ST_OK;
}

bool
ws_close_code(struct span data, unsigned *code)
{
	*code = WS_NO_REASON;
	if (data.len == 0)
		return true;
	if (data.len < 2)
		return false;
	*code = get_be16(data.p);
	return (*code >= 1000 && *code <= 1003) || (*code >= 1007 && *code <= 1014) ||
	    (*code >= 3000 && *code <= 4999);
}

void
ws_put_head(struct buf *out, enum ws_op op, bool deflated, uint64_t len)
{
	put_u8(out, (uint8_t)(FIN | (deflated ? RSV1 : 0) | (unsigned)op));
	if (len < 126) {
		put_u8(out, (uint8_t)len);
	} else if (len < 65536) {
		put_u8(out, 126);
		put_u16(out, (uint16_t)len);
	} else {
		put_u8(out, 127);
		put_u64(out, len);
	}
}

void
ws_put_close(struct buf *out, unsigned code, struct span reason)
{
	reason = span_sub(reason, 0, WS_CONTROL_MAX - 2);
	ws_put_head(out, WS_CLOSE, false, reason.len + 2);
	put_u16(out, (uint16_t)code);
	buf_add_span(out, reason);
}
