/* First byte: where the rest is cut.  The rest is a client's bytes: however they were cut the
 * same commands must come; and a string that is read, written and read again is the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/proto/imap_reader.h"
#include "common/proto/managesieve.h"

#define LINE_MAX_	200
#define LITERAL_MAX_	4000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
again(struct span s, struct buf *out)
{
	struct buf b = { 0 };
	struct span back;

	managesieve_put_string(&b, s);
	buf_add_span(out, buf_span(&b));
	if (!managesieve_parse_string(b.data, b.len, &back) || !span_eq(back, s))
		abort();
	buf_fini(&b);
}

static void
command(struct buf *text, struct buf *out)
{
	struct managesieve_command c;
	struct span word = managesieve_word(buf_span(text)), s;
	struct buf copy = { 0 };
	const char *why;

	buf_add_span(&copy, buf_span(text));
	why = managesieve_parse(text->data, text->len, &c);
	if (c.word.len != word.len || (why == NULL && c.word.len == 0))
		abort();
	buf_add_span(out, c.word);
	buf_add_str(out, why != NULL ? why : "");
	for (size_t i = 0; why == NULL && i < c.n; i++) {
		if (c.args[i].is_number)
			buf_add_u64(out, c.args[i].number);
		else
			again(c.args[i].text, out);
	}
	if (managesieve_parse_string(copy.data, copy.len, &s))
		again(s, out);
	buf_fini(&copy);
}

/* false: the stream is lost. */
static bool
take(struct imap_reader *r, struct buf *in, struct buf *out)
{
	for (;;) {
		switch (imap_reader_read(r, in)) {
		case IMAP_READ_MORE:
			return true;
		case IMAP_READ_COMMAND:
			if (r->skipped)
				buf_add_str(out, "skipped");
			else
				command(&r->text, out);
			imap_reader_next(r);
			break;
		case IMAP_READ_LITERAL:
			if (r->literal.size > LITERAL_MAX_)
				imap_reader_skip(r);
			else
				imap_reader_keep(r);
			break;
		default:
			return false;
		}
	}
}

static void
feed(struct span a, struct span b, struct buf *out)
{
	struct imap_reader r;
	struct buf in = { 0 };

	imap_reader_init(&r, LINE_MAX_);
	buf_add_span(&in, a);
	if (take(&r, &in, out)) {
		buf_add_span(&in, b);
		take(&r, &in, out);
	}
	imap_reader_fini(&r);
	buf_fini(&in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf whole = { 0 }, parts = { 0 };
	struct span in;
	size_t cut;

	if (len < 1)
		return 0;
	in = span(data + 1, len - 1);
	cut = in.len > 0 ? data[0] % in.len : 0;
	feed(in, SPAN_NONE, &whole);
	feed(span_sub(in, 0, cut), span_sub(in, cut, in.len), &parts);
	if (!span_eq(buf_span(&whole), buf_span(&parts)))
		abort();
	buf_fini(&whole);
	buf_fini(&parts);
	return 0;
}
