#include "jmapd/email/pass.h"

#include <stdlib.h>
#include <string.h>

#include "common/util/mem.h"

#define PIECE 16384u

void
pass_init(struct pass *p, size_t keep_max)
{
	memset(p, 0, sizeof(*p));
	p->keep_max = keep_max;
}

static void
take_over(struct pass_take *t)
{
	mime_decoder_fini(&t->decoder);
	mime_charset_free(&t->chars);
}

void
pass_fini(struct pass *p)
{
	for (size_t i = 0; i < p->n; i++) {
		take_over(&p->v[i]);
		buf_fini(&p->v[i].out);
	}
	mem_free(&p->v);
	memset(p, 0, sizeof(*p));
}

struct pass_take *
pass_add(struct pass *p, enum pass_kind kind, uint32_t part, uint64_t start, uint64_t len)
{
	if (p->n == p->room) {
		p->room = p->room == 0 ? 8 : p->room * 2;
		p->v = mem_realloc_array(p->v, p->room, sizeof(*p->v));
	}
	p->v[p->n] = (struct pass_take){ .kind = kind, .part = part, .start = start, .len = len };
	return &p->v[p->n++];
}

static int
by_start(const void *a, const void *b)
{
	const struct pass_take *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->kind == y->kind ? 0 : x->kind < y->kind ? -1 : 1;
}

void
pass_begin(struct pass *p)
{
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), by_start);
	p->at = 0;
	p->offset = 0;
}

uint64_t
pass_end(const struct pass *p)
{
	uint64_t end = 0;

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].start + p->v[i].len > end)
			end = p->v[i].start + p->v[i].len;
	return end;
}

/* --- texts --- */

struct span
pass_cut_text(struct span text, size_t max, bool html)
{
	struct span cut = mime_utf8_cut(text, max);
	size_t tag = SIZE_MAX;
	char quote = 0;

	for (size_t i = 0; html && i < cut.len; i++) {
		char c = cut.p[i], next = i + 1 < text.len ? text.p[i + 1] : 0;

		if (tag == SIZE_MAX) {
			if (c != '<' || !(ascii_isalpha((unsigned char)next) || next == '/' ||
			    next == '!' || next == '?'))
				continue;
			tag = i;
			quote = 0;
			if (span_has_prefix(span_sub(text, i, 4), "<!--"))
				quote = '-';
		} else if (quote == '-') {
			if (c == '>' && i >= tag + 5 && cut.p[i - 1] == '-' && cut.p[i - 2] == '-')
				tag = SIZE_MAX;
		} else if (quote != 0)
			quote = c == quote ? 0 : quote;
		else if ((c == '"' || c == '\'') && cut.p[i - 1] == '=')
			quote = c;
		else if (c == '>')
			tag = SIZE_MAX;
	}
	if (html && tag != SIZE_MAX && cut.len < text.len)
		cut.len = tag;
	return cut;
}

/* Line ends become LF; a CR at the end of what came waits. */
static void
add_lines(struct pass_take *t, struct span s)
{
	for (size_t i = 0; i < s.len;) {
		size_t run;

		if (t->cr) {
			if (s.p[i] != '\n')
				buf_add_c(&t->out, '\r');
			t->cr = false;
		}
		run = span_find(span_sub(s, i, s.len), '\r');
		buf_add(&t->out, s.p + i, run);
		i += run;
		if (i < s.len) {
			t->cr = true;
			i++;
		}
	}
}

/* More came than is asked for, and a tag that is cut is found without the rest: that is only read
 * for what is wrong with it. */
static bool
has_enough(const struct pass_take *t)
{
	return t->max > 0 && t->out.len > t->max + 4;
}

static void
chars_in(struct pass_take *t, struct span content, bool last)
{
	struct buf utf8 = { 0 };

	mime_charset_feed(t->chars, content, &utf8);
	if (last)
		mime_charset_done(t->chars, &utf8);
	if (!has_enough(t))
		add_lines(t, buf_span(&utf8));
	if (last && t->cr && !has_enough(t))
		buf_add_c(&t->out, '\r');
	buf_fini(&utf8);
}

static void
take_begin(struct pass_take *t)
{
	t->begun = true;
	mime_decoder_init(&t->decoder, t->coding);
	if (t->kind != PASS_TEXT)
		return;
	t->chars = mime_charset_new(t->charset);
	t->problem = t->coding == MIME_CODING_UNKNOWN;
}

static void
take_feed(struct pass *p, struct pass_take *t, struct span raw)
{
	size_t was = t->out.len;

	if (t->kind == PASS_HEADER)
		buf_add_span(&t->out, raw);
	while (t->kind != PASS_HEADER && raw.len > 0) {
		struct span piece = span_sub(raw, 0, PIECE);
		struct buf content = { 0 };

		mime_decoder_feed(&t->decoder, piece, &content);
		t->size += content.len;
		if (t->kind == PASS_TEXT)
			chars_in(t, buf_span(&content), false);
		buf_fini(&content);
		raw = span_sub(raw, piece.len, raw.len);
	}
	p->kept += t->out.len - was;
	p->full |= p->kept > p->keep_max;
}

static void
take_end(struct pass_take *t)
{
	struct buf content = { 0 };

	if (!t->begun)
		take_begin(t);
	mime_decoder_done(&t->decoder, &content);
	t->size += content.len;
	if (t->kind == PASS_TEXT) {
		chars_in(t, buf_span(&content), true);
		t->problem |= mime_charset_problem(t->chars);
	}
	if (t->kind == PASS_TEXT && t->max > 0 && t->out.len > t->max) {
		buf_cut(&t->out, pass_cut_text(buf_span(&t->out), (size_t)t->max, t->html).len);
		t->truncated = true;
	}
	buf_fini(&content);
	take_over(t);
}

/* --- the way --- */

/* Those that start where `at` does; they have the same bytes. */
static size_t
same_place(const struct pass *p)
{
	size_t n = 1;

	while (p->at + n < p->n && p->v[p->at + n].start == p->v[p->at].start &&
	    p->v[p->at + n].len == p->v[p->at].len)
		n++;
	return n;
}

void
pass_feed(struct pass *p, struct span raw)
{
	while (p->at < p->n && !p->full) {
		struct pass_take *t = &p->v[p->at];
		size_t n = same_place(p);
		uint64_t end = t->start + t->len, skip;
		struct span piece;

		if (p->offset < t->start) {
			skip = t->start - p->offset < raw.len ? t->start - p->offset : raw.len;
			raw = span_sub(raw, (size_t)skip, raw.len);
			p->offset += skip;
		}
		if (p->offset < t->start || (raw.len == 0 && p->offset < end))
			return;
		piece = span_sub(raw, 0, end - p->offset < raw.len ? (size_t)(end - p->offset) :
		    raw.len);
		for (size_t i = 0; i < n; i++) {
			if (!t[i].begun)
				take_begin(&t[i]);
			take_feed(p, &t[i], piece);
		}
		p->offset += piece.len;
		raw = span_sub(raw, piece.len, raw.len);
		if (p->offset < end)
			return;
		for (size_t i = 0; i < n; i++)
			take_end(&t[i]);
		p->at += n;
	}
	p->offset += raw.len;
}

void
pass_finish(struct pass *p)
{
	for (; p->at < p->n; p->at++)
		take_end(&p->v[p->at]);
}

struct pass_take *
pass_find(const struct pass *p, enum pass_kind kind, uint32_t part)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].kind == kind && p->v[i].part == part)
			return &p->v[i];
	return NULL;
}
