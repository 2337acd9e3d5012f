/* The text of the parts passes through a window; a match is taken as soon as what is to be shown behind
 * it is there. */
#include "jmapd/query/snippet.h"

#include "common/mime/charset.h"
#include "common/mime/field.h"
#include "common/mime/parser.h"
#include "common/mime/text.h"
#include "common/util/mem.h"

#define WINDOW	8192u		/* bytes of text that are looked through at once */
#define BEHIND	512u		/* are kept of them at least, for what lies across */
#define BEFORE	80u		/* octets shown in front of a match */

struct snippet {
	const struct snippet_words *w;
	struct mime_parser	*parser;
	struct mime_text_part	part;
	struct arena		arena;
	struct buf		text;		/* the window */
	struct buf		subject, preview;
	bool			subject_found, preview_found;
	size_t			behind;		/* bytes that a match and what is shown of it have */
};

/* ---- words ---- */

static void
count_words(const struct search_node *n, struct snippet_words *w, bool fill)
{
	if (n->op == SEARCH_NOT)
		return;
	if (n->op == SEARCH_SUBJECT || n->op == SEARCH_TEXT) {
		if (fill)
			w->subject[w->n_subject] = n->text;
		w->n_subject++;
	}
	if (n->op == SEARCH_BODY || n->op == SEARCH_TEXT) {
		if (fill)
			w->body[w->n_body] = n->text;
		w->n_body++;
	}
	for (const struct search_node *c = n->first; c != NULL; c = c->next)
		count_words(c, w, fill);
}

static void
walk_filter(const struct filter_node *n, struct snippet_words *w, bool fill)
{
	if (n->op == FILTER_NOT)
		return;
	if (n->op == FILTER_TEXT)
		count_words(n->search, w, fill);
	for (const struct filter_node *c = n->first; c != NULL; c = c->next)
		walk_filter(c, w, fill);
}

void
snippet_words(const struct filter *f, struct arena *a, struct snippet_words *w)
{
	*w = (struct snippet_words){ 0 };
	walk_filter(f->root, w, false);
	w->subject = arena_array(a, w->n_subject + 1, sizeof(*w->subject));
	w->body = arena_array(a, w->n_body + 1, sizeof(*w->body));
	w->n_subject = w->n_body = 0;
	walk_filter(f->root, w, true);
}

/* ---- marks ---- */

/* Bytes of the character at p; 1 for what is none. */
static size_t
character(struct span s, size_t at)
{
	unsigned char c = (unsigned char)s.p[at];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

	return at + n > s.len ? 1 : n;
}

/* The text mapped character by character, and where each of its bytes comes from. */
struct mapped {
	struct buf	text;
	uint32_t	*from;		/* of each byte, and behind the last */
};

static void
map(struct span text, struct mapped *m)
{
	size_t room = 0;

	*m = (struct mapped){ 0 };
	for (size_t at = 0; at < text.len; ) {
		size_t n = character(text, at), before = m->text.len;

		mime_casemap(span_sub(text, at, n), &m->text);
		if (m->text.len + 1 > room) {
			room = m->text.len * 2 + 64;
			m->from = mem_realloc_array(m->from, room, sizeof(*m->from));
		}
		for (size_t i = before; i < m->text.len; i++)
			m->from[i] = (uint32_t)at;
		at += n;
		m->from[m->text.len] = (uint32_t)at;
	}
}

/* marks: a byte for each of the text.  Returns where the first match begins, SIZE_MAX: none. */
static size_t
find_marks(struct span text, const struct span *words, size_t n, unsigned char *marks)
{
	size_t first = SIZE_MAX;
	struct mapped m;

	map(text, &m);
	for (size_t i = 0; i < n; i++) {
		struct span left = buf_span(&m.text), word = words[i];
		const char *hit;

		while (word.len > 0 && left.len >= word.len &&
		    (hit = memmem(left.p, left.len, word.p, word.len)) != NULL) {
			size_t at = (size_t)(hit - m.text.data), from = m.from[at];
			size_t to = m.from[at + word.len - 1];

			to += character(text, to);
			memset(marks + from, 1, to - from);
			first = from < first ? from : first;
			left = span_sub(buf_span(&m.text), at + word.len, SIZE_MAX);
		}
	}
	buf_fini(&m.text);
	mem_free(&m.from);
	return first;
}

/* What is shown of a character: line ends are blanks. */
static struct span
shown(struct span c)
{
	switch (c.p[0]) {
	case '&':
		return SPAN_LIT("&amp;");
	case '<':
		return SPAN_LIT("&lt;");
	case '>':
		return SPAN_LIT("&gt;");
	default:
		return (unsigned char)c.p[0] < ' ' ? SPAN_LIT(" ") : c;
	}
}

/* Where to begin so that at most BEFORE octets are shown in front of a match. */
static size_t
begin_of(struct span text, size_t match)
{
	size_t at = match, octets = 0, word = match;

	while (at > 0) {
		size_t before = at - 1;

		while (before > 0 && ((unsigned char)text.p[before] & 0xc0) == 0x80)
			before--;
		octets += shown(span_sub(text, before, at - before)).len;
		if (octets > BEFORE)
			return word;
		at = before;
		if ((unsigned char)text.p[at] <= ' ')
			word = at + 1;
	}
	return 0;
}

#define OPEN SPAN_LIT("<mark>")
#define CLOSE SPAN_LIT("</mark>")

bool
snippet_mark(struct span text, const struct span *words, size_t n, size_t max, struct buf *out)
{
	unsigned char *marks = mem_zalloc(text.len + 1);
	size_t first = find_marks(text, words, n, marks), start = out->len, next;
	bool marked = false, blank = true;

	for (size_t at = max > 0 && first != SIZE_MAX ? begin_of(text, first) : 0;
	    first != SIZE_MAX && at < text.len; at = next) {
		struct span c = span_sub(text, at, character(text, at)), s = shown(c);
		size_t need = s.len + (marks[at] && !marked ? OPEN.len : 0) +
		    (marks[at] ? CLOSE.len : 0) + (!marks[at] && marked ? CLOSE.len : 0);

		next = at + c.len;
		if (s.len == 1 && s.p[0] == ' ' && blank && !marks[at])
			continue;
		if (max > 0 && out->len - start + need > max)
			break;
		blank = s.len == 1 && s.p[0] == ' ';
		if (marks[at] != marked)
			buf_add_span(out, marks[at] ? OPEN : CLOSE);
		marked = marks[at];
		buf_add_span(out, s);
	}
	if (marked)
		buf_add_span(out, CLOSE);
	mem_free(&marks);
	return first != SIZE_MAX;
}

/* ---- the message ---- */

/* A match too near to the window's end waits for what comes behind it. */
static void
look(struct snippet *s, bool last)
{
	struct span text = buf_span(&s->text);
	unsigned char *marks;
	size_t first;

	if (s->preview_found || text.len == 0 || (!last && text.len < WINDOW + s->behind))
		return;
	marks = mem_zalloc(text.len + 1);
	first = find_marks(text, s->w->body, s->w->n_body, marks);
	mem_free(&marks);
	if (first != SIZE_MAX && (last || first + s->behind <= text.len)) {
		s->preview_found = snippet_mark(text, s->w->body, s->w->n_body, SNIPPET_MAX,
		    &s->preview);
		buf_cut(&s->preview, span_trim(buf_span(&s->preview)).len);
		buf_fini(&s->text);
		return;
	}
	/* of the rest so much that a match keeps what lies in front of it */
	if (!last)
		buf_drop(&s->text, first == SIZE_MAX ? text.len - s->behind : begin_of(text, first));
}

static void
take_subject(struct snippet *s, struct span block)
{
	struct mime_field f;
	struct buf line = { 0 }, text = { 0 };

	if (!mime_field_find(block, "Subject", &f))
		return;
	mime_unfold(f.value, &line);
	mime_words_decode(buf_span(&line), &text);
	s->subject_found = snippet_mark(span_trim(buf_span(&text)), s->w->subject,
	    s->w->n_subject, 0, &s->subject);
	buf_fini(&line);
	buf_fini(&text);
}

static bool
on_header(void *arg, uint32_t i, struct span block)
{
	struct snippet *s = arg;
	size_t n;
	const struct mime_part *part = &mime_parser_parts(s->parser, &n)[i];
	struct span type = SPAN_NONE, subtype = SPAN_NONE, coding = SPAN_NONE;
	struct mime_params params;
	struct mime_field f;
	bool given;

	if (part->parent == MIME_NONE)
		take_subject(s, block);
	if (part->kind != MIME_LEAF || s->w->n_body == 0 || s->preview_found)
		return false;
	arena_reset(&s->arena);
	given = mime_field_find(block, "Content-Type", &f) &&
	    mime_content_type(&s->arena, f.value, &type, &subtype, &params);
	if (!mime_text_is(given, part->in_digest, type))
		return false;
	if (mime_field_find(block, "Content-Transfer-Encoding", &f))
		coding = mime_unfold_arena(&s->arena, f.value);
	mime_text_begin(&s->part, given ? type : SPAN_NONE, subtype, given ? &params : NULL, coding);
	return true;
}

static bool
on_body(void *arg, uint32_t i, struct span data)
{
	struct snippet *s = arg;

	(void)i;
	if (!s->part.runs)
		return false;
	if (s->preview_found)
		return true;
	mime_text_feed(&s->part, data, &s->text);
	look(s, false);
	return true;
}

/* The texts of two parts are not one. */
static void
on_end(void *arg, uint32_t i)
{
	struct snippet *s = arg;

	(void)i;
	if (!s->part.runs)
		return;
	mime_text_end(&s->part, &s->text);
	look(s, true);
	buf_clear(&s->text);
}

static const struct mime_parser_ops ops = { on_header, on_body, on_end };

struct snippet *
snippet_new(const struct snippet_words *w)
{
	struct snippet *s = mem_zalloc(sizeof(*s));

	s->w = w;
	s->behind = BEHIND;
	for (size_t i = 0; i < w->n_body; i++) {
		if (w->body[i].len + BEHIND > s->behind)
			s->behind = w->body[i].len + BEHIND;
	}
	s->parser = mime_parser_new(&ops, s);
	return s;
}

void
snippet_free(struct snippet **sp)
{
	struct snippet *s = *sp;

	if (s == NULL)
		return;
	mime_text_fini(&s->part);
	mime_parser_free(&s->parser);
	arena_fini(&s->arena);
	buf_fini(&s->text);
	buf_fini(&s->subject);
	buf_fini(&s->preview);
	mem_free(sp);
}

void
snippet_feed(struct snippet *s, struct span raw)
{
	while (raw.len > 0) {
		struct span piece = span_sub(raw, 0, WINDOW);

		mime_parser_feed(s->parser, piece.p, piece.len);
		raw = span_sub(raw, piece.len, SIZE_MAX);
	}
}

void
snippet_finish(struct snippet *s)
{
	mime_parser_finish(s->parser);
}

bool
snippet_subject(const struct snippet *s, struct buf *out)
{
	if (s->subject_found)
		buf_add_span(out, buf_span(&s->subject));
	return s->subject_found;
}

bool
snippet_preview(const struct snippet *s, struct buf *out)
{
	if (s->preview_found)
		buf_add_span(out, buf_span(&s->preview));
	return s->preview_found;
}
