#include "sieve/content.h"

#include <string.h>

#include "common/mime/charset.h"
#include "common/mime/html.h"
#include "common/util/mem.h"
#include "sieve/core.h"

#define PIECE		65536u
#define WORK_BYTES	1024u		/* bytes read that make a step */

/* What was decoded of one message. */
struct kept {
	struct sieve_content	*content;	/* NULL: not yet */
	struct span		text[2];	/* by form; p NULL: not yet */
	bool			known[2], pure[2];
};
struct state {
	struct sieve_message	*message;
	bool			charged;	/* the work of taking it apart */
	struct kept		*parts;		/* one for each */
	struct span		raw;		/* the range read last */
	uint64_t		raw_from, raw_len;
	uint64_t		bytes;		/* kept in all */
};
/* Only to find the state by. */
static const struct sieve_ext owner = { .name = "" };

static struct state *
state_of(struct sieve_run *r)
{
	struct state *s = sieve_run_state(r, &owner, sizeof(*s));

	if (s->message != sieve_message(r)) {
		*s = (struct state){ .message = sieve_message(r), .bytes = s->bytes,
		    .raw_from = UINT64_MAX };
	}
	return s;
}

static enum sieve_step
unreadable(struct sieve_run *r, const struct sieve_node *n)
{
	return sieve_fail(r, n, "'%s': the body of this message cannot be looked into",
	    n->word->name);
}

enum sieve_step
sieve_parts(struct sieve_run *r, const struct sieve_node *n, const struct mime_part **parts,
    size_t *count)
{
	struct state *s = state_of(r);

	if (!s->charged && sieve_work(r, n, sieve_message_size(s->message) / WORK_BYTES) !=
	    SIEVE_NEXT)
		return SIEVE_ERROR;
	s->charged = true;
	*parts = sieve_message_parts(s->message, count);
	return *parts != NULL ? SIEVE_NEXT : unreadable(r, n);
}

uint32_t
sieve_parts_end(const struct mime_part *parts, size_t count, uint32_t i)
{
	uint32_t end = i + 1;

	while (end < count && parts[end].depth > parts[i].depth)
		end++;
	return end;
}

/* --- what a part says of itself --------------------------------------------------------------- */

/* As it stands; p NULL: none. */
static struct span
field_value(struct sieve_header *h, const char *name)
{
	struct span s = span_str(name);
	struct sieve_field *f = sieve_header_find(h, s, sieve_name_hash(s));

	return f != NULL ? f->value : SPAN_NONE;
}

/* "type/subtype" with nothing but parameters behind it. */
static bool
well_formed(struct span value, struct span type, struct span subtype)
{
	struct span head = span_trim(span_sub(value, 0, span_find(value, ';')));
	size_t slash = span_find(head, '/');

	if (span_find(head, '(') < head.len)
		return true;		/* a comment: the parser has read it */
	return slash < head.len && span_eq(span_trim(span_sub(head, 0, slash)), type) &&
	    span_eq(span_trim(span_sub(head, slash + 1, head.len - slash - 1)), subtype);
}

static void
read_type(struct sieve_run *r, struct span value, struct sieve_content *c)
{
	struct arena a = { 0 };
	struct mime_params params;
	struct span type, subtype;

	c->given = mime_content_type(&a, value, &type, &subtype, &params);
	if (c->given) {
		c->malformed = !well_formed(value, type, subtype);
		c->type = sieve_span(r, type);
		c->subtype = sieve_span(r, subtype);
		for (size_t i = 0; i < params.n && c->charset.p == NULL; i++)
			if (span_caseeq_str(params.v[i].name, "charset"))
				c->charset = sieve_span(r, params.v[i].value);
	}
	arena_fini(&a);
}

static void
read_content(struct sieve_run *r, struct sieve_header *h, bool in_digest, struct sieve_content *c)
{
	struct span coding = field_value(h, "Content-Transfer-Encoding");
	struct span type = field_value(h, "Content-Type");

	*c = (struct sieve_content){ .type = SPAN_LIT("text"), .subtype = SPAN_LIT("plain") };
	c->coding = mime_coding_parse(span_trim(span_sub(coding, 0, span_find(coding, ';'))));
	if (type.p != NULL) {
		read_type(r, type, c);
	} else if (in_digest) {
		c->type = SPAN_LIT("message");
		c->subtype = SPAN_LIT("rfc822");
	}
}

/* What is kept of part i, with its content. */
static enum sieve_step
kept_of(struct sieve_run *r, const struct sieve_node *n, uint32_t i, const struct mime_part **part,
    struct kept **kept)
{
	struct state *s = state_of(r);
	const struct mime_part *parts;
	struct sieve_header *h;
	size_t count;

	if (sieve_parts(r, n, &parts, &count) != SIEVE_NEXT)
		return SIEVE_ERROR;
	if (s->parts == NULL)
		s->parts = sieve_alloc(r, count * sizeof(*s->parts));
	*part = &parts[i];
	*kept = &s->parts[i];
	if ((*kept)->content != NULL)
		return SIEVE_NEXT;
	h = sieve_message_part_header(s->message, i);
	if (h == NULL)
		return unreadable(r, n);
	(*kept)->content = sieve_alloc(r, sizeof(*(*kept)->content));
	read_content(r, h, parts[i].in_digest, (*kept)->content);
	return SIEVE_NEXT;
}

enum sieve_step
sieve_content_of(struct sieve_run *r, const struct sieve_node *n, uint32_t i,
    const struct sieve_content **c)
{
	const struct mime_part *part;
	struct kept *k;

	if (kept_of(r, n, i, &part, &k) != SIEVE_NEXT)
		return SIEVE_ERROR;
	*c = k->content;
	return SIEVE_NEXT;
}

bool
sieve_content_is_html(const struct sieve_content *c)
{
	return (span_caseeq_str(c->type, "text") && span_caseeq_str(c->subtype, "html")) ||
	    (span_caseeq_str(c->type, "application") &&
	    span_caseeq_str(c->subtype, "xhtml+xml"));
}

/* --- bytes ----------------------------------------------------------------------------------- */

/* How much of len more may be kept. */
static uint64_t
room(struct sieve_run *r, const struct state *s, uint64_t len)
{
	uint64_t half = sieve_limits(r)->memory_bytes / 2;
	uint64_t left = s->bytes < half ? half - s->bytes : 0;

	if (len > SIEVE_CONTENT_MAX)
		len = SIEVE_CONTENT_MAX;
	return len < left ? len : left;
}

enum sieve_step
sieve_content_raw(struct sieve_run *r, const struct sieve_node *n, uint64_t from, uint64_t len,
    struct span *out)
{
	struct state *s = state_of(r);
	size_t take;
	char *p;

	if (s->raw_from == from && s->raw_len == len) {
		*out = s->raw;
		return SIEVE_NEXT;
	}
	take = (size_t)room(r, s, len);
	if (sieve_work(r, n, take / WORK_BYTES) != SIEVE_NEXT)
		return SIEVE_ERROR;
	p = arena_alloc(sieve_arena(r), take + 1);
	if (!sieve_message_read(s->message, from, p, take))
		return unreadable(r, n);
	s->bytes += take;
	s->raw = *out = span(p, take);
	s->raw_from = from;
	s->raw_len = len;
	return SIEVE_NEXT;
}

/* A leaf on its way to text. */
struct reading {
	struct mime_decoder	decoder;
	struct mime_charset	*charset;	/* NULL: it is no text */
	struct mime_html	*html;		/* NULL: not to be made text */
	struct buf		decoded, utf8, out;
	bool			pure;
};

static void
pass(struct reading *g, bool last)
{
	struct buf *text = g->html != NULL ? &g->utf8 : &g->out;

	if (g->charset == NULL) {
		buf_add_span(&g->out, buf_span(&g->decoded));
	} else {
		mime_charset_feed(g->charset, buf_span(&g->decoded), text);
		if (last)
			mime_charset_done(g->charset, text);
	}
	if (g->html != NULL) {
		mime_html_feed(g->html, buf_span(&g->utf8), &g->out);
		if (last)
			mime_html_done(g->html, &g->out);
	}
	buf_clear(&g->decoded);
	buf_clear(&g->utf8);
}

static bool
read_leaf(struct sieve_message *m, const struct mime_part *part, size_t max, struct reading *g)
{
	char *piece = mem_alloc(PIECE);
	bool ok = true;

	for (uint64_t at = 0; ok && at < part->body_len && g->out.len < max; at += PIECE) {
		size_t n = part->body_len - at < PIECE ? (size_t)(part->body_len - at) : PIECE;

		ok = sieve_message_read(m, part->body_start + at, piece, n);
		if (!ok)
			break;
		mime_decoder_feed(&g->decoder, span(piece, n), &g->decoded);
		if (at + n == part->body_len)
			mime_decoder_done(&g->decoder, &g->decoded);
		pass(g, at + n == part->body_len);
	}
	g->pure = g->charset == NULL || !mime_charset_problem(g->charset);
	mem_free(&piece);
	return ok;
}

static void
begin_reading(struct reading *g, const struct sieve_content *c, enum sieve_content_form form)
{
	bool html = sieve_content_is_html(c);

	*g = (struct reading){ 0 };
	mime_decoder_init(&g->decoder, c->coding);
	if (span_caseeq_str(c->type, "text") || html)
		g->charset = mime_charset_new(c->charset);
	if (html && form == SIEVE_CONTENT_TEXT)
		g->html = mime_html_new();
}

static void
end_reading(struct reading *g)
{
	mime_decoder_fini(&g->decoder);
	mime_charset_free(&g->charset);
	mime_html_free(&g->html);
	buf_fini(&g->decoded);
	buf_fini(&g->utf8);
	buf_fini(&g->out);
}

static enum sieve_step
decode(struct sieve_run *r, const struct sieve_node *n, const struct mime_part *part,
    enum sieve_content_form form, struct kept *k)
{
	struct state *s = state_of(r);
	size_t max = (size_t)room(r, s, SIEVE_CONTENT_MAX);
	struct reading g;
	bool ok;

	k->text[form] = span("", 0);
	k->known[form] = k->content->coding != MIME_CODING_UNKNOWN;
	if (!k->known[form])
		return SIEVE_NEXT;
	if (sieve_work(r, n, (part->body_len < 2 * (uint64_t)max ? part->body_len :
	    2 * (uint64_t)max) / WORK_BYTES) != SIEVE_NEXT)
		return SIEVE_ERROR;
	begin_reading(&g, k->content, form);
	ok = read_leaf(s->message, part, max, &g);
	k->pure[form] = g.pure;
	k->text[form] = sieve_span(r, g.charset != NULL ? mime_utf8_cut(buf_span(&g.out), max) :
	    span_sub(buf_span(&g.out), 0, max));
	s->bytes += k->text[form].len;
	end_reading(&g);
	return ok ? SIEVE_NEXT : unreadable(r, n);
}

enum sieve_step
sieve_content_leaf(struct sieve_run *r, const struct sieve_node *n, uint32_t i,
    enum sieve_content_form form, struct span *out, bool *known, bool *pure)
{
	const struct mime_part *part;
	struct kept *k;

	if (kept_of(r, n, i, &part, &k) != SIEVE_NEXT)
		return SIEVE_ERROR;
	if (k->text[form].p == NULL && decode(r, n, part, form, k) != SIEVE_NEXT)
		return SIEVE_ERROR;
	*out = k->text[form];
	*known = k->known[form];
	if (pure != NULL)
		*pure = k->pure[form];
	return SIEVE_NEXT;
}
