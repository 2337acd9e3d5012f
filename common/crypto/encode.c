#include "common/crypto/encode.h"

#include <stdint.h>

static const char std64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void
encode64(struct span in, const char *letters, bool pad, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t left = in.len;

	while (left > 0) {
		size_t n = left < 3 ? left : 3;
		uint32_t v = (uint32_t)p[0] << 16;
		char q[4];

		if (n > 1)
			v |= (uint32_t)p[1] << 8;
		if (n > 2)
			v |= p[2];
		for (int i = 0; i < 4; i++)
			q[i] = letters[v >> (18 - 6 * i) & 63];
		if (n < 3 && pad)
			q[3] = '=';
		if (n < 2 && pad)
			q[2] = '=';
		buf_add(out, q, pad ? 4 : n + 1);
		p += n;
		left -= n;
	}
}

static int
value64(char c, const char *letters)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_isdigit(c))
		return c - '0' + 52;
	if (c == letters[62])
		return 62;
	return c == letters[63] ? 63 : -1;
}

/* in: without padding. */
static bool
decode64(struct span in, const char *letters, size_t max, struct buf *out)
{
	size_t size = in.len / 4 * 3 + (in.len % 4 > 0 ? in.len % 4 - 1 : 0);
	size_t before = out->len, n = 0;
	uint32_t v = 0;
	char *to;

	if (in.len % 4 == 1 || size > max)
		return false;
	to = buf_reserve(out, size + 1);
	for (size_t i = 0; i < in.len; i++) {
		int d = value64(in.p[i], letters);

		if (d < 0)
			return false;
		v = v << 6 | (uint32_t)d;
		if (i % 4 > 0)
			to[n++] = (char)(v >> (6 - i % 4 * 2) & 255);
	}
	/* The bits behind the last byte: other values would be a second spelling. */
	if ((in.len % 4 == 2 && (v & 15) != 0) || (in.len % 4 == 3 && (v & 3) != 0)) {
		buf_cut(out, before);
		return false;
	}
	buf_added(out, size);
	return true;
}

void
base64_encode(struct span in, struct buf *out)
{
	encode64(in, std64, true, out);
}

bool
base64_decode(struct span in, size_t max, struct buf *out)
{
	if (in.len % 4 != 0)
		return false;
	for (int i = 0; i < 2 && in.len > 0 && in.p[in.len - 1] == '='; i++)
		in.len--;
	return decode64(in, std64, max, out);
}

void
base64url_encode(struct span in, struct buf *out)
{
	encode64(in, url64, false, out);
}

bool
base64url_decode(struct span in, size_t max, struct buf *out)
{
	return decode64(in, url64, max, out);
}

void
hex_encode(struct span in, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.len; i++) {
		buf_add_c(out, digits[(unsigned char)in.p[i] >> 4]);
		buf_add_c(out, digits[in.p[i] & 15]);
	}
}

bool
hex_decode(struct span in, size_t max, struct buf *out)
{
	size_t before = out->len;

	if (in.len % 2 != 0 || in.len / 2 > max)
		return false;
	for (size_t i = 0; i < in.len; i += 2) {
		int hi = ascii_hex(in.p[i]), lo = ascii_hex(in.p[i + 1]);

		if (hi < 0 || lo < 0) {
			buf_cut(out, before);
			return false;
		}
		buf_add_c(out, (char)(hi << 4 | lo));
	}
	return true;
}
