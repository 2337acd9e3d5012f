/* Lines are the unit: a line is judged by its first bytes.  A line that lies whole in the fed bytes
 * is judged there; the beginning of one that does not is kept until it can be judged, and the rest
 * of an ordinary body line then passes without being kept. */
#include "common/mime/parser.h"

#include <string.h>

#include "common/mime/coding.h"
#include "common/mime/field.h"
#include "common/util/arena.h"
#include "common/util/buf.h"
#include "common/util/mem.h"

#define LINE_HEAD_MAX (2 + MIME_BOUNDARY_MAX + 64)

struct open_part {
	uint32_t	i;
	struct span	boundary;	/* empty: no multipart, or closed */
	bool		digest;
};

struct mime_parser {
	const struct mime_parser_ops *ops;
	void		*arg;
	struct mime_part *parts;
	size_t		n, room;
	struct open_part open[MIME_DEPTH_MAX];	/* the message first */
	size_t		n_open;
	bool		in_header;	/* of the innermost open part */
	bool		in_leaf;	/* the innermost is a leaf whose body runs */
	bool		wanted;		/* somebody wants that body */
	bool		passing;	/* inside an ordinary body line */
	struct buf	block;		/* header read so far */
	bool		block_full;
	struct buf	line;		/* beginning of a line not yet judged */
	uint64_t	pos;		/* bytes fed and handled */
	uint64_t	line_start;
	uint64_t	lines;		/* LF seen before line_start */
	uint64_t	header_lines_from, body_lines_from;
	uint8_t		eol_before;	/* length of the line end before line_start */
	char		eol_held[2];	/* a line end that may belong to a boundary */
	uint8_t		n_held;
	bool		cr;		/* passing: the last byte was CR, not handed on yet */
	uint64_t	line_len;	/* of the line not yet judged */
	struct arena	arena;
};

static void
open_part(struct mime_parser *p, uint64_t start, bool in_digest)
{
	struct mime_part *t;
	uint32_t i = (uint32_t)p->n;
	uint32_t up = p->n_open > 0 ? p->open[p->n_open - 1].i : MIME_NONE;

	if (p->n == p->room) {
		p->room = p->room == 0 ? 8 : p->room * 2;
		p->parts = mem_realloc_array(p->parts, p->room, sizeof(*p->parts));
	}
	t = &p->parts[p->n++];
	*t = (struct mime_part){ .parent = up, .first = MIME_NONE, .last = MIME_NONE,
	    .next = MIME_NONE, .depth = (uint32_t)p->n_open, .header_start = start,
	    .in_digest = in_digest };
	if (up != MIME_NONE) {
		struct mime_part *u = &p->parts[up];

		if (u->last == MIME_NONE)
			u->first = i;
		else
			p->parts[u->last].next = i;
		u->last = i;
	}
	p->open[p->n_open++] = (struct open_part){ .i = i };
	p->in_header = true;
	p->in_leaf = p->wanted = false;
	buf_clear(&p->block);
	p->block_full = false;
	p->n_held = 0;
}

static struct mime_part *
innermost(struct mime_parser *p)
{
	return &p->parts[p->open[p->n_open - 1].i];
}

struct mime_parser *
mime_parser_new(const struct mime_parser_ops *ops, void *arg)
{
	struct mime_parser *p = mem_zalloc(sizeof(*p));

	p->ops = ops;
	p->arg = arg;
	open_part(p, 0, false);
	return p;
}

void
mime_parser_free(struct mime_parser **p)
{
	if (*p == NULL)
		return;
	mem_free(&(*p)->parts);
	buf_fini(&(*p)->block);
	buf_fini(&(*p)->line);
	arena_fini(&(*p)->arena);
	mem_free(p);
}

/* What the header says about what is inside. */
static enum mime_kind
kind_of(struct mime_parser *p, struct span block, struct span *boundary, bool *digest)
{
	struct arena a = { 0 };
	struct mime_params params;
	struct mime_field f;
	struct span type, subtype, ct = SPAN_NONE, cte = SPAN_NONE;
	enum mime_kind kind = MIME_LEAF;
	enum mime_coding coding;

	while (mime_field_next(&block, &f)) {
		if (ct.p == NULL && span_caseeq_str(f.name, "content-type"))
			ct = f.value;
		else if (cte.p == NULL && span_caseeq_str(f.name, "content-transfer-encoding"))
			cte = f.value;
	}
	if (ct.p == NULL || !mime_content_type(&a, ct, &type, &subtype, &params)) {
		type = ct.p == NULL && innermost(p)->in_digest ? SPAN_LIT("message") : SPAN_LIT("text");
		subtype = SPAN_LIT("rfc822");
		params.n = 0;
	}
	coding = mime_coding_parse(cte);
	if (span_caseeq_str(type, "multipart")) {
		for (size_t i = 0; i < params.n; i++) {
			struct span b = params.v[i].value;

			while (b.len > 0 && (b.p[b.len - 1] == ' ' || b.p[b.len - 1] == '\t'))
				b.len--;
			if (span_eq_str(params.v[i].name, "boundary") && b.len > 0 &&
			    b.len <= MIME_BOUNDARY_MAX) {
				*boundary = arena_span(&p->arena, b);
				kind = MIME_MULTIPART;
				break;
			}
		}
		*digest = span_caseeq_str(subtype, "digest");
	} else if (span_caseeq_str(type, "message") && (span_caseeq_str(subtype, "rfc822") ||
	    span_caseeq_str(subtype, "global")) && coding != MIME_CODING_BASE64 &&
	    coding != MIME_CODING_QP)
		kind = MIME_MESSAGE;
	arena_fini(&a);
	return kind;
}

/* lines: LF before `end`. */
static void
end_header(struct mime_parser *p, uint64_t end, uint64_t lines)
{
	struct mime_part *t = innermost(p);
	struct open_part *o = &p->open[p->n_open - 1];
	enum mime_kind kind;

	t->header_len = end - t->header_start;
	t->header_lines = lines - t->header_lines;
	t->body_start = end;
	t->body_lines = lines;		/* until it ends: where it begins */
	p->in_header = false;
	kind = kind_of(p, buf_span(&p->block), &o->boundary, &o->digest);
	if (p->n_open == MIME_DEPTH_MAX || p->n == MIME_PARTS_MAX) {
		kind = MIME_LEAF;
		o->boundary = SPAN_NONE;
	}
	t->kind = kind;
	p->wanted = p->ops != NULL && p->ops->header != NULL &&
	    p->ops->header(p->arg, o->i, buf_span(&p->block)) && kind == MIME_LEAF;
	p->in_leaf = kind == MIME_LEAF;
	p->eol_before = 0;
	p->n_held = 0;
	if (kind == MIME_MESSAGE) {
		open_part(p, end, false);
		innermost(p)->header_lines = lines;
	}
}

static void
end_part(struct mime_parser *p, uint64_t end, uint64_t lines)
{
	struct mime_part *t;

	if (p->in_header)
		end_header(p, p->line_start, p->lines);
	/* That may have opened a message, which then ends here, empty. */
	if (p->in_header)
		end_header(p, p->line_start, p->lines);
	t = innermost(p);
	t->body_len = end > t->body_start ? end - t->body_start : 0;
	t->body_lines = lines > t->body_lines ? lines - t->body_lines : 0;
	if (t->kind == MIME_MULTIPART && t->first == MIME_NONE)
		t->kind = MIME_LEAF;
	if (p->ops != NULL && p->ops->end != NULL)
		p->ops->end(p->arg, p->open[p->n_open - 1].i);
	p->n_open--;
	p->in_leaf = p->wanted = false;
	p->n_held = 0;
}

/* Of which open multipart is the line a boundary?  Its place in open[], or n_open. */
static size_t
boundary_of(const struct mime_parser *p, struct span line, bool *closes)
{
	while (line.len > 0 && strchr(" \t\r", line.p[line.len - 1]) != NULL &&
	    line.p[line.len - 1] != 0)
		line.len--;
	if (line.len < 3 || line.p[0] != '-' || line.p[1] != '-')
		return p->n_open;
	line = span_sub(line, 2, line.len - 2);
	for (size_t i = p->n_open; i-- > 0;) {
		struct span b = p->open[i].boundary;

		if (b.len == 0)
			continue;
		*closes = line.len == b.len + 2 && line.p[b.len] == '-' && line.p[b.len + 1] == '-';
		if ((line.len == b.len || *closes) && memcmp(line.p, b.p, b.len) == 0)
			return i;
	}
	return p->n_open;
}

static void
hand_on(struct mime_parser *p, const char *data, size_t len)
{
	if (p->wanted && len > 0 && p->ops->body != NULL)
		p->wanted = p->ops->body(p->arg, p->open[p->n_open - 1].i, span(data, len));
}

static void
release_eol(struct mime_parser *p)
{
	if (p->n_held > 0)
		hand_on(p, p->eol_held, p->n_held);
	p->n_held = 0;
}

static void
hold_eol(struct mime_parser *p, bool cr)
{
	p->n_held = 0;
	if (cr)
		p->eol_held[p->n_held++] = '\r';
	p->eol_held[p->n_held++] = '\n';
}

/* true: it was one, and is dealt with; next_start is where the next line begins. */
static bool
boundary_line(struct mime_parser *p, struct span line, uint64_t next_start, bool lf)
{
	bool closes = false;
	size_t at = boundary_of(p, line, &closes);
	uint64_t end = p->line_start - p->eol_before;
	uint64_t lines = p->lines - (p->eol_before > 0);

	if (at == p->n_open)
		return false;
	if (!closes && p->n == MIME_PARTS_MAX)
		return false;
	while (p->n_open > at + 1)
		end_part(p, end, lines);
	if (closes)
		p->open[at].boundary = SPAN_NONE;
	else {
		open_part(p, next_start, p->open[at].digest);
		innermost(p)->header_lines = p->lines + lf;
	}
	return true;
}

static bool
belongs_to_header(struct mime_parser *p, struct span line)
{
	return line.p[0] == ' ' || line.p[0] == '\t' || mime_field_starts(line) ||
	    (p->line_start == innermost(p)->header_start &&
	    (span_has_prefix(line, "From ") || span_has_prefix(line, ">From ")));
}

/* A header line: false when the header ended before it. */
static bool
header_line(struct mime_parser *p, struct span line, uint64_t next_start)
{
	struct span text = line;
	size_t room;

	while (text.len > 0 && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
		text.len--;
	if (text.len == 0 && line.len > 0 && line.p[line.len - 1] == '\n') {
		end_header(p, next_start, p->lines + 1);
		return true;
	}
	if (!belongs_to_header(p, line)) {
		end_header(p, p->line_start, p->lines);
		return false;
	}
	room = MIME_HEADER_MAX - p->block.len;
	if (p->block_full || line.len > room) {
		/* What does not fit whole is left out, with all behind it. */
		p->block_full = true;
		return true;
	}
	buf_add_span(&p->block, line);
	return true;
}

/* A whole line, with its line end when it has one; kept: its first bytes, perhaps all. */
static void
whole_line(struct mime_parser *p, struct span kept, uint64_t len, bool lf, bool cr)
{
	uint64_t next = p->line_start + len;

	/* The line that ends a header by being none may be a boundary of that header's multipart. */
	for (bool again = true; again;) {
		if (len - lf < LINE_HEAD_MAX &&
		    boundary_line(p, span(kept.p, len - lf), next, lf)) {
			p->eol_before = (uint8_t)(lf ? 1 + cr : 0);
			goto out;
		}
		again = p->in_header;
		if (again && header_line(p, kept, next)) {
			/* the empty line belongs to the header */
			p->eol_before = (uint8_t)(lf ? 1 + cr : 0);
			if (!p->in_header || innermost(p)->header_start == next)
				p->eol_before = 0;
			goto out;
		}
	}
	if (p->in_leaf) {
		size_t eol = (size_t)(lf ? 1 + cr : 0);

		release_eol(p);
		hand_on(p, kept.p, kept.len - eol);
		if (lf)
			hold_eol(p, cr);
	}
	p->eol_before = (uint8_t)(lf ? 1 + cr : 0);
out:
	p->lines += lf;
	p->line_start = next;
}

/* Can the line that begins so still be something else than body text? */
static bool
undecided(const struct mime_parser *p, struct span s)
{
	if (p->in_header)
		return true;
	if (s.len >= 1 && s.p[0] != '-')
		return false;
	if (s.len >= 2 && s.p[1] != '-')
		return false;
	return s.len < LINE_HEAD_MAX;
}

/* The end of an ordinary body line that began in an earlier piece. */
static size_t
pass(struct mime_parser *p, const char *data, size_t len)
{
	const char *nl = memchr(data, '\n', len);
	size_t n = nl != NULL ? (size_t)(nl - data) : len;

	if (p->cr && n > 0) {
		hand_on(p, "\r", 1);
		p->cr = false;
	}
	if (n > 0 && data[n - 1] == '\r') {
		hand_on(p, data, n - 1);
		p->cr = true;
	} else
		hand_on(p, data, n);
	if (nl == NULL)
		return len;
	if (p->in_leaf)
		hold_eol(p, p->cr);
	p->eol_before = (uint8_t)(1 + p->cr);
	p->cr = p->passing = false;
	p->lines++;
	p->line_start = p->pos + n + 1;
	return n + 1;
}

/* Keeps the beginning of a line; when it is an ordinary body line, hands it on. */
static void
keep(struct mime_parser *p, const char *data, size_t len)
{
	size_t max = p->in_header ? MIME_HEADER_MAX + 1 : LINE_HEAD_MAX;
	size_t n = len;

	if (n > max - p->line.len)
		n = max - p->line.len;
	buf_add(&p->line, data, n);
	p->line_len += len;
	while (p->in_header && p->line.len >= LINE_HEAD_MAX &&
	    !belongs_to_header(p, buf_span(&p->line)))
		end_header(p, p->line_start, p->lines);
	if (undecided(p, buf_span(&p->line)))
		return;
	/* Only what was kept goes here; the rest of data is passed on behind it. */
	release_eol(p);
	p->passing = true;
	p->cr = false;
	if (p->line.data[p->line.len - 1] == '\r' && n == len) {
		hand_on(p, p->line.data, p->line.len - 1);
		p->cr = true;
	} else
		hand_on(p, p->line.data, p->line.len);
	if (n < len) {
		p->cr = data[len - 1] == '\r';
		hand_on(p, data + n, len - n - p->cr);
	}
	buf_clear(&p->line);
	p->line_len = 0;
}

/* Whole lines of a leaf that can be no boundary are handed on together.  Returns how many bytes. */
static size_t
plain_lines(struct mime_parser *p, const char *s, size_t len)
{
	const char *nl;
	size_t n = 0, eol;
	uint64_t lines = 0;

	while (n < len && s[n] != '-' && (nl = memchr(s + n, '\n', len - n)) != NULL) {
		n = (size_t)(nl - s) + 1;
		lines++;
	}
	if (n == 0)
		return 0;
	eol = n > 1 && s[n - 2] == '\r' ? 2 : 1;
	release_eol(p);
	hand_on(p, s, n - eol);
	hold_eol(p, eol == 2);
	p->eol_before = (uint8_t)eol;
	p->lines += lines;
	p->line_start = p->pos + n;
	return n;
}

void
mime_parser_feed(struct mime_parser *p, const void *data, size_t len)
{
	const char *s = data;

	while (len > 0) {
		const char *nl;
		size_t n;

		if (p->passing) {
			n = pass(p, s, len);
		} else if (p->in_leaf && !p->in_header && p->line_len == 0 &&
		    (n = plain_lines(p, s, len)) > 0) {
			/* all of them were */
		} else if ((nl = memchr(s, '\n', len)) == NULL) {
			keep(p, s, len);
			n = len;
		} else if (p->line_len > 0) {
			n = (size_t)(nl - s) + 1;
			keep(p, s, n - 1);
			if (p->passing)
				n--;		/* the line end by pass() */
			else {
				bool whole = p->line.len == p->line_len;
				bool cr = p->line.data[p->line.len - 1] == '\r' && whole;

				if (whole)
					buf_add_c(&p->line, '\n');
				whole_line(p, buf_span(&p->line), p->line_len + 1, true, cr);
				buf_clear(&p->line);
				p->line_len = 0;
			}
		} else {
			n = (size_t)(nl - s) + 1;
			whole_line(p, span(s, n), n, true, n > 1 && nl[-1] == '\r');
		}
		p->pos += n;
		s += n;
		len -= n;
	}
}

void
mime_parser_finish(struct mime_parser *p)
{
	if (p->line_len > 0)
		whole_line(p, buf_span(&p->line), p->line_len, false, false);
	if (p->cr) {
		hand_on(p, "\r", 1);
		p->cr = false;
	}
	release_eol(p);
	p->line_start = p->pos;
	while (p->n_open > 0)
		end_part(p, p->pos, p->lines);
}

const struct mime_part *
mime_parser_parts(const struct mime_parser *p, size_t *n)
{
	*n = p->n;
	return p->parts;
}

uint64_t
mime_parser_size(const struct mime_parser *p)
{
	return p->pos;
}
