#include "sieve/edit.h"

#include <string.h>

#include "common/mail/unicode.h"
#include "common/mime/coding.h"
#include "common/mime/charset.h"
#include "common/mime/write.h"
#include "common/util/mem.h"

#define WORK_BYTES 256u

bool
sieve_edit_value_ok(struct span value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if ((c < 32 && c != '\t' && c != '\r' && c != '\n') || c == 127)
			return false;
	}
	return true;
}

/* On one line, in UTF-8. */
static void
one_line(struct span value, struct buf *out)
{
	struct buf utf8 = { 0 };

	if (!unicode_is_utf8(value)) {
		mime_charset_utf8(SPAN_NONE, value, &utf8);
		value = buf_span(&utf8);
	}
	value = span_trim(value);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (c == '\r' || c == '\n') {
			while (i + 1 < value.len && strchr(" \t\r\n", value.p[i + 1]) != NULL)
				i++;
			c = ' ';
		}
		buf_add_c(out, c);
	}
	buf_fini(&utf8);
}

bool
sieve_edit_field(struct span name, struct span value, struct buf *out)
{
	struct mime_line l;
	struct buf line = { 0 };

	if (!sieve_edit_value_ok(value))
		return false;
	one_line(value, &line);
	mime_line_begin(&l, out, name);
	if (line.len > 0)
		mime_line_text(&l, buf_span(&line));
	mime_line_end(&l);
	buf_fini(&line);
	return true;
}

/* --- entities -------------------------------------------------------------------------------- */

bool
sieve_edit_is_mime_field(struct span name)
{
	return span_caseeq_str(name, "MIME-Version") || span_has_caseprefix(name, "Content-");
}

void
sieve_edit_lines(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
			buf_add_c(out, '\r');
		buf_add_c(out, text.p[i]);
	}
}

struct shape {
	size_t	octets;		/* above 127, and controls */
	bool	dashes, long_lines;
};

static struct shape
shape_of(struct span text)
{
	struct shape s = { 0 };
	size_t column = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool line_end = c == '\n' || (c == '\r' && i + 1 < text.len && text.p[i + 1] == '\n');

		if (column == 0 && c == '-' && i + 1 < text.len && text.p[i + 1] == '-')
			s.dashes = true;
		s.octets += c >= 127 || (c < 32 && c != '\t' && !line_end);
		column = c == '\n' ? 0 : column + 1;
		s.long_lines = s.long_lines || column > 900;
	}
	return s;
}

void
sieve_edit_text(struct span text, struct buf *fields, struct buf *body)
{
	struct shape s;
	struct buf utf8 = { 0 }, lines = { 0 };
	const char *coding = "7bit";

	if (!unicode_is_utf8(text)) {
		mime_charset_utf8(SPAN_NONE, text, &utf8);
		text = buf_span(&utf8);
	}
	sieve_edit_lines(text, &lines);
	text = buf_span(&lines);
	s = shape_of(text);
	if (s.dashes || s.octets > text.len / 3) {
		coding = "base64";
		mime_base64_lines(text, body);
	} else if (s.octets > 0 || s.long_lines) {
		coding = "quoted-printable";
		mime_qp_lines(text, body);
	} else {
		buf_add_span(body, text);
	}
	buf_addf(fields, "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: %s\r\n", coding);
	buf_fini(&lines);
	buf_fini(&utf8);
}

/* --- headers --------------------------------------------------------------------------------- */

static void
add_lines(struct buf *out, struct span lines, bool crlf)
{
	for (size_t i = 0; i < lines.len; i++)
		if (crlf || lines.p[i] != '\r')
			buf_add_c(out, lines.p[i]);
}

static bool
ends_line(struct span s)
{
	return s.len > 0 && s.p[s.len - 1] == '\n';
}

/* What stands before the fields, and line ends as they are there. */
static bool
has_crlf(const struct sieve_field *f)
{
	return f == NULL || f->raw.len < 2 || !ends_line(f->raw) ||
	    f->raw.p[f->raw.len - 2] == '\r';
}

static void
write_header(const struct sieve_header *h, const struct sieve_header_edit *e, struct buf *out)
{
	struct span block = sieve_header_block(h);
	const struct sieve_field *f = sieve_header_fields(h);
	bool crlf = has_crlf(f);
	size_t from = f != NULL ? (size_t)(f->raw.p - block.p) : 0;

	buf_add(out, block.p, from);		/* an mbox "From " line */
	add_lines(out, e->first, crlf);
	for (; f != NULL; f = f->next) {
		size_t at = (size_t)(f->raw.p - block.p);

		buf_add(out, block.p + from, at - from);
		if (e->drop == NULL || !e->drop(e->arg, f))
			buf_add_span(out, f->raw);
		from = at + f->raw.len;
	}
	if (from > 0 && out->len > 0 && !ends_line(buf_span(out)))
		add_lines(out, SPAN_LIT("\r\n"), crlf);
	add_lines(out, e->last, crlf);
	if (from == block.len && e->has_body)
		add_lines(out, SPAN_LIT("\r\n"), crlf);	/* the body is no part of the last field */
	else
		buf_add(out, block.p + from, block.len - from);
}

struct span
sieve_edit_header(struct sieve_run *r, const struct sieve_header *h,
    const struct sieve_header_edit *e)
{
	struct buf b = { 0 };
	struct span s;

	write_header(h, e, &b);
	s = sieve_span(r, buf_span(&b));
	buf_fini(&b);
	return s;
}

enum sieve_step
sieve_edit_message_header(struct sieve_run *r, const struct sieve_node *n,
    const struct sieve_header_edit *e)
{
	struct sieve_message *m = sieve_message(r);
	struct span header = sieve_edit_header(r, sieve_message_header(m), e);

	if (sieve_work(r, n, header.len / WORK_BYTES) != SIEVE_NEXT)
		return SIEVE_ERROR;
	sieve_set_message(r, sieve_message_derive(sieve_arena(r), m, header, NULL, 0));
	return SIEVE_NEXT;
}
