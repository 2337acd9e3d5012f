#include "sieve/edit.h"

#include <string.h>

#include "common/mail/unicode.h"
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
