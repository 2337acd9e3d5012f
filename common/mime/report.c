#include "common/mime/report.h"

#include <stdint.h>
#include <string.h>

#include "common/mime/charset.h"
#include "common/mime/coding.h"

#define BODY_LINE_MAX	998u		/* RFC 5322 2.1.1 */

static struct span
take_line(struct span *rest)
{
	struct span line = span_cut(rest, '\n');

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

void
mime_put_lines(struct buf *out, struct span s)
{
	while (s.len > 0) {
		buf_add_span(out, take_line(&s));
		buf_add_str(out, "\r\n");
	}
}

static bool
is_7bit(struct span s)
{
	struct span rest = s;

	while (rest.len > 0) {
		struct span line = take_line(&rest);

		if (line.len > BODY_LINE_MAX || memchr(line.p, '\r', line.len) != NULL ||
		    memchr(line.p, '\0', line.len) != NULL)
			return false;
	}
	return mime_is_ascii(s);
}

void
mime_put_text(struct buf *out, const char *type, struct span s)
{
	bool plain = s.len == 0 || is_7bit(s);

	buf_addf(out, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", type,
	    plain ? "7bit" : "quoted-printable");
	if (plain) {
		mime_put_lines(out, s);
		return;
	}
	mime_qp_lines(s, out);
	if (s.p[s.len - 1] != '\n')
		buf_add_str(out, "\r\n");
}

void
mime_put_unitext(struct buf *out, struct span rest, bool all)
{
	while (rest.len > 0) {
		unsigned char c = (unsigned char)rest.p[0];
		size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		uint32_t u = c < 0x80 ? c : c < 0xe0 ? c & 0x1f : c < 0xf0 ? c & 0xf : c & 7;

		for (size_t i = 1; i < n && i < rest.len; i++)
			u = u << 6 | ((unsigned char)rest.p[i] & 0x3f);
		if (u < 0x80 && !(all && (u <= ' ' || strchr("\\+=", (int)u) != NULL)))
			buf_add_c(out, (char)u);
		else
			buf_addf(out, "\\x{%02X}", u);
		rest = span_sub(rest, n, rest.len);
	}
}

void
mime_put_recipient(struct buf *out, const char *field, struct span address)
{
	bool ascii = mime_is_ascii(address);

	buf_addf(out, "%s: %s; ", field, ascii ? "rfc822" : "utf-8");
	if (ascii)
		buf_add_span(out, address);
	else
		mime_put_unitext(out, address, true);
	buf_add_str(out, "\r\n");
}
