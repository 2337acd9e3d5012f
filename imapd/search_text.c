/* Text of a message for substring search. */
#include "imapd/search_text.h"

#include "common/mime/charset.h"
#include "common/mime/field.h"
#include "common/mime/html.h"

/* "Name: value" CRLF for each field, encoded words decoded. */
static void
add_header(struct span block, struct buf *out)
{
	struct buf plain = { 0 };
	struct mime_field field;

	while (mime_field_next(&block, &field)) {
		struct buf line = { 0 };

		buf_add_span(&plain, field.name);
		buf_add_str(&plain, ": ");
		mime_unfold(field.value, &line);
		mime_words_decode(buf_span(&line), &plain);
		buf_add_str(&plain, "\r\n");
		buf_fini(&line);
	}
	mime_casemap(buf_span(&plain), out);
	buf_fini(&plain);
}

static struct span
param(struct mime_seq params, const char *want)
{
	struct span name, value;

	while (mime_seq_param(&params, &name, &value)) {
		if (span_caseeq_str(name, want))
			return value;
	}
	return SPAN_NONE;
}

static void
add_text(struct span bytes, const struct mime_part_view *part, struct buf *out)
{
	struct buf plain = { 0 }, utf8 = { 0 }, text = { 0 };
	struct mime_decoder d;
	struct mime_html *html;

	mime_decoder_init(&d, part->coding);
	mime_decoder_feed(&d, bytes, &plain);
	mime_decoder_done(&d, &plain);
	mime_decoder_fini(&d);
	mime_charset_utf8(param(part->params, "charset"), buf_span(&plain), &utf8);
	buf_fini(&plain);
	if (span_caseeq_str(part->subtype, "html")) {
		html = mime_html_new();
		mime_html_feed(html, buf_span(&utf8), &text);
		mime_html_done(html, &text);
		mime_html_free(&html);
		mime_casemap(buf_span(&text), out);
	} else {
		mime_casemap(buf_span(&utf8), out);
	}
	buf_add_str(out, "\r\n");
	buf_fini(&text);
	buf_fini(&utf8);
}

void
search_text(struct span raw, const struct mime_structure *st, struct buf *header,
    struct buf *body)
{
	for (uint32_t i = 0; i < st->parts; i++) {
		struct mime_part_view part;

		mime_structure_part(st, i, &part);
		add_header(span_sub(raw, (size_t)part.at.header_start, (size_t)part.at.header_len),
		    i == 0 ? header : body);
		if (part.at.kind == MIME_LEAF && span_caseeq_str(part.type, "text"))
			add_text(span_sub(raw, (size_t)part.at.body_start, (size_t)part.at.body_len),
			    &part, body);
	}
}
