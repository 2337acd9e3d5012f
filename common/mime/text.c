#include "common/mime/text.h"

bool
mime_text_field(struct span *block, struct buf *line)
{
	struct mime_field f;

	if (!mime_field_next(block, &f))
		return false;
	buf_clear(line);
	buf_add_span(line, f.name);
	buf_add(line, ": ", 2);
	mime_words_decode(f.value, line);
	buf_add_c(line, '\n');
	return true;
}

bool
mime_text_is(bool given, bool in_digest, struct span type)
{
	if (!given)		/* RFC 2045 5.2, RFC 2046 5.1.5 */
		return !in_digest;
	return span_caseeq_str(type, "text") || span_caseeq_str(type, "multipart");
}

void
mime_text_begin(struct mime_text_part *t, struct span type, struct span subtype,
    const struct mime_params *params, struct span coding)
{
	struct span charset = SPAN_NONE;

	for (size_t i = 0; params != NULL && i < params->n && charset.len == 0; i++) {
		if (span_eq_str(params->v[i].name, "charset"))
			charset = params->v[i].value;
	}
	coding = span_trim(coding);
	mime_decoder_init(&t->decoder, mime_coding_parse(span_sub(coding, 0, span_find(coding, ';'))));
	t->charset = mime_charset_new(charset);
	if (span_caseeq_str(type, "text") && span_caseeq_str(subtype, "html"))
		t->html = mime_html_new();
	t->n_decoded = 0;
	t->runs = true;
}

static void
step(struct mime_text_part *t, struct buf *out)
{
	if (t->html != NULL)
		mime_html_feed(t->html, buf_span(&t->utf8), out);
	t->n_decoded += t->decoded.len;
	buf_clear(&t->decoded);
	buf_clear(&t->utf8);
}

/* Where HTML is read the charset's text is no end yet. */
static struct buf *
plain(struct mime_text_part *t, struct buf *out)
{
	return t->html != NULL ? &t->utf8 : out;
}

void
mime_text_feed(struct mime_text_part *t, struct span data, struct buf *out)
{
	mime_decoder_feed(&t->decoder, data, &t->decoded);
	mime_charset_feed(t->charset, buf_span(&t->decoded), plain(t, out));
	step(t, out);
}

void
mime_text_end(struct mime_text_part *t, struct buf *out)
{
	mime_decoder_done(&t->decoder, &t->decoded);
	mime_charset_feed(t->charset, buf_span(&t->decoded), plain(t, out));
	mime_charset_done(t->charset, plain(t, out));
	step(t, out);
	if (t->html != NULL)
		mime_html_done(t->html, out);
	mime_decoder_fini(&t->decoder);
	mime_charset_free(&t->charset);
	mime_html_free(&t->html);
	t->runs = false;
}

void
mime_text_fini(struct mime_text_part *t)
{
	if (t->runs)
		mime_decoder_fini(&t->decoder);
	mime_charset_free(&t->charset);
	mime_html_free(&t->html);
	buf_fini(&t->decoded);
	buf_fini(&t->utf8);
	t->runs = false;
}
