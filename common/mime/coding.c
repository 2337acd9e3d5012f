#include "common/mime/coding.h"

#include <string.h>

#include "common/util/mem.h"

enum mime_coding
mime_coding_parse(struct span value)
{
	static const struct { const char *name; enum mime_coding coding; } names[] = {
		{ "7bit", MIME_CODING_7BIT }, { "8bit", MIME_CODING_8BIT },
		{ "binary", MIME_CODING_BINARY }, { "base64", MIME_CODING_BASE64 },
		{ "quoted-printable", MIME_CODING_QP }, { "7-bit", MIME_CODING_7BIT },
		{ "7bits", MIME_CODING_7BIT }, { "8-bit", MIME_CODING_8BIT }, { "8 bit", MIME_CODING_8BIT },
		{ "8bits", MIME_CODING_8BIT }, { "", MIME_CODING_7BIT }
	};

	value = span_trim(value);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (span_caseeq_str(value, names[i].name))
			return names[i].coding;
	return MIME_CODING_UNKNOWN;
}

void
mime_decoder_init(struct mime_decoder *d, enum mime_coding coding)
{
	memset(d, 0, sizeof(*d));
	d->coding = coding;
}

void
mime_decoder_fini(struct mime_decoder *d)
{
	buf_fini(&d->blanks);
}

static int
base64_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void
base64_flush(struct mime_decoder *d, struct buf *out)
{
	if (d->n >= 2)
		buf_add_c(out, (char)(d->bits >> (d->n == 2 ? 4 : d->n == 3 ? 10 : 16)));
	if (d->n >= 3)
		buf_add_c(out, (char)(d->bits >> (d->n == 3 ? 2 : 8)));
	if (d->n == 4)
		buf_add_c(out, (char)d->bits);
	d->n = 0;
	d->bits = 0;
}

/* Text behind padding is another base64 text, as senders glue them together. */
static void
base64_feed(struct mime_decoder *d, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		int v = base64_value((unsigned char)in.p[i]);

		if (in.p[i] == '=' && d->n > 1)
			base64_flush(d, out);
		if (v < 0)
			continue;
		d->bits = d->bits << 6 | (uint32_t)v;
		if (++d->n == 4)
			base64_flush(d, out);
	}
}

/* Without a branch, so that it is done for many bytes at once. */
static uint64_t
count_valid(const unsigned char *p, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += ((unsigned char)((p[i] | 32) - 'a') < 26) +
		    ((unsigned char)(p[i] - '0') < 10) + (p[i] == '+') + (p[i] == '/');
	return sum;
}

static uint64_t
decoded_bytes(uint64_t n)
{
	return n / 4 * 3 + (n % 4 == 2 ? 1 : n % 4 == 3 ? 2 : 0);
}

void
mime_base64_count(struct mime_base64_count *c, struct span in)
{
	while (in.len > 0) {
		size_t run = span_find(in, '=');

		c->n += count_valid((const unsigned char *)in.p, run);
		if (run < in.len && c->n % 4 > 1) {	/* as base64_feed() */
			c->bytes += decoded_bytes(c->n);
			c->n = 0;
		}
		run += run < in.len;
		in = span_sub(in, run, in.len - run);
	}
}

uint64_t
mime_base64_counted(const struct mime_base64_count *c)
{
	return c->bytes + decoded_bytes(c->n);
}

/* "=" and perhaps one more byte are held. */
static bool
qp_escape(struct mime_decoder *d, char c, struct buf *out)
{
	if (d->n == 1) {
		if (c == '\n') {
			d->n = 0;
			return true;
		}
		if (ascii_hex(c) >= 0 || c == '\r' || c == ' ' || c == '\t') {
			d->held[1] = c;
			d->n = 2;
			return true;
		}
	} else if (ascii_hex(d->held[1]) >= 0) {
		if (ascii_hex(c) >= 0) {
			buf_add_c(out, (char)(ascii_hex(d->held[1]) << 4 | ascii_hex(c)));
			d->n = 0;
			return true;
		}
	} else {		/* "=" blanks CRLF: a soft line break */
		if (c == ' ' || c == '\t' || c == '\r')
			return true;
		if (c == '\n') {
			d->n = 0;
			return true;
		}
	}
	buf_add(out, d->held, d->n);
	d->n = 0;
	return false;
}

#define QP_BLANKS_MAX 1024

static void
qp_feed(struct mime_decoder *d, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];

		if (d->n > 0 && qp_escape(d, c, out))
			continue;
		if ((c == ' ' || c == '\t' || c == '\r') && d->blanks.len < QP_BLANKS_MAX) {
			buf_add_c(&d->blanks, c);
			continue;
		}
		if (d->blanks.len > 0) {
			/* blanks before a line end were added on the way, RFC 2045 6.7 (3) */
			if (c == '\n') {
				if (d->blanks.data[d->blanks.len - 1] == '\r')
					buf_add_c(out, '\r');
			} else
				buf_add(out, d->blanks.data, d->blanks.len);
			buf_clear(&d->blanks);
		}
		if (c == '=') {
			d->held[0] = c;
			d->n = 1;
		} else
			buf_add_c(out, c);
	}
}

void
mime_decoder_feed(struct mime_decoder *d, struct span in, struct buf *out)
{
	if (d->coding == MIME_CODING_BASE64)
		base64_feed(d, in, out);
	else if (d->coding == MIME_CODING_QP)
		qp_feed(d, in, out);
	else
		buf_add_span(out, in);
}

void
mime_decoder_done(struct mime_decoder *d, struct buf *out)
{
	if (d->coding == MIME_CODING_BASE64)
		base64_flush(d, out);
	else if (d->n == 2 && ascii_hex(d->held[1]) >= 0)
		buf_add(out, d->held, d->n);	/* a lone "=" at the end is a soft break */
	d->n = 0;
	buf_clear(&d->blanks);
}

void
mime_base64_lines(struct span in, struct buf *out)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)in.p;

	for (size_t i = 0; i < in.len; i += 3) {
		size_t left = in.len - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
		    (left > 2 ? p[i + 2] : 0);
		char q[4] = { alphabet[v >> 18], alphabet[v >> 12 & 63],
		    left > 1 ? alphabet[v >> 6 & 63] : '=', left > 2 ? alphabet[v & 63] : '=' };

		buf_add(out, q, 4);
		if (left <= 3 || (i / 3 + 1) % 19 == 0)
			buf_add(out, "\r\n", 2);
	}
}

static bool
qp_plain(struct span in, size_t i)
{
	unsigned char c = (unsigned char)in.p[i];

	if (c == ' ' || c == '\t')
		return i + 1 < in.len && in.p[i + 1] != '\n' && in.p[i + 1] != '\r';
	return c > 32 && c < 127 && c != '=';
}

void
mime_qp_lines(struct span in, struct buf *out)
{
	size_t column = 0;

	for (size_t i = 0; i < in.len; i++) {
		bool plain = qp_plain(in, i);

		if (in.p[i] == '\n' ||
		    (in.p[i] == '\r' && i + 1 < in.len && in.p[i + 1] == '\n')) {
			if (in.p[i] == '\r')
				i++;
			buf_add(out, "\r\n", 2);
			column = 0;
			continue;
		}
		if (column + (plain ? 1 : 3) > 75) {
			buf_add(out, "=\r\n", 3);
			column = 0;
		}
		if (plain)
			buf_add_c(out, in.p[i]);
		else
			buf_addf(out, "=%02X", (unsigned char)in.p[i]);
		column += plain ? 1 : 3;
	}
}
