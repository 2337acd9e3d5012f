/* Lines and literals of IMAP commands. */
#include "common/proto/imap_reader.h"

#include "common/util/mem.h"

void
imap_reader_init(struct imap_reader *r, size_t max_line)
{
	*r = (struct imap_reader){ .max_line = max_line };
}

void
imap_reader_fini(struct imap_reader *r)
{
	buf_fini_secret(&r->text);
}

void
imap_reader_next(struct imap_reader *r)
{
	/* It may have held a password. */
	buf_fini_secret(&r->text);
	*r = (struct imap_reader){ .max_line = r->max_line };
}

/* The line just read ends in "{n}", "{n+}" or one of them behind "~". */
static bool
line_literal(const struct imap_reader *r, struct imap_literal *lit)
{
	const char *p = r->text.data;
	size_t end = r->text.len, from;
	bool plus;

	if (end <= r->line_start || p[--end] != '}')
		return false;
	plus = end > r->line_start && p[end - 1] == '+';
	if (plus)
		end--;
	for (from = end; from > r->line_start && ascii_isdigit(p[from - 1]); from--)
		;
	if (from == end || from == r->line_start || p[from - 1] != '{')
		return false;
	lit->sync = !plus;
	lit->binary = from - 1 > r->line_start && p[from - 2] == '~';
	/* A number that does not fit is larger than any limit. */
	if (!span_u64(span(p + from, end - from), &lit->size))
		lit->size = UINT64_MAX;
	return true;
}

static enum imap_read
read_line(struct imap_reader *r, struct buf *in)
{
	const char *nl = NULL;
	size_t n;

	if (in->len > r->scanned)
		nl = memchr(in->data + r->scanned, '\n', in->len - r->scanned);
	if (nl == NULL) {
		r->scanned = in->len;
		return in->len + r->line_bytes > r->max_line + 2 ? IMAP_READ_TOO_LONG : IMAP_READ_MORE;
	}
	n = (size_t)(nl - in->data);
	r->scanned = 0;
	r->line_start = r->text.len;
	if (n + r->line_bytes > r->max_line + 1)
		return IMAP_READ_TOO_LONG;
	r->line_bytes += n;
	buf_add(&r->text, in->data, n > 0 && nl[-1] == '\r' ? n - 1 : n);
	buf_drop(in, n + 1);
	if (!line_literal(r, &r->literal))
		return IMAP_READ_COMMAND;
	buf_add(&r->text, "\r\n", 2);
	return IMAP_READ_LITERAL;
}

size_t
imap_reader_ready(const struct imap_reader *r, const struct buf *in)
{
	return r->left < in->len ? (size_t)r->left : in->len;
}

void
imap_reader_took(struct imap_reader *r, struct buf *in, size_t n)
{
	buf_drop(in, n);
	r->left -= n;
}

static enum imap_read
read_literal(struct imap_reader *r, struct buf *in)
{
	size_t n = imap_reader_ready(r, in);

	if (r->mode == IMAP_READER_STREAM && n > 0)
		return IMAP_READ_BYTES;
	if (r->mode == IMAP_READER_KEEP)
		buf_add(&r->text, in->data, n);
	imap_reader_took(r, in, n);
	if (r->left > 0)
		return IMAP_READ_MORE;
	if (r->mode == IMAP_READER_STREAM) {
		buf_clear(&r->text);
		r->line_bytes = 0;
		r->mode = IMAP_READER_LINE;
		return IMAP_READ_STREAMED;
	}
	r->mode = IMAP_READER_LINE;
	return read_line(r, in);
}

enum imap_read
imap_reader_read(struct imap_reader *r, struct buf *in)
{
	return r->mode == IMAP_READER_LINE ? read_line(r, in) : read_literal(r, in);
}

static void
begin_literal(struct imap_reader *r, enum imap_reader_mode mode)
{
	r->mode = mode;
	r->left = r->literal.size;
}

void
imap_reader_keep(struct imap_reader *r)
{
	begin_literal(r, IMAP_READER_KEEP);
}

void
imap_reader_stream(struct imap_reader *r)
{
	begin_literal(r, IMAP_READER_STREAM);
}

void
imap_reader_skip(struct imap_reader *r)
{
	r->skipped = true;
	begin_literal(r, IMAP_READER_SKIP);
}
