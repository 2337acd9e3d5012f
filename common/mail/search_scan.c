/* The message is taken apart as the digest does it; what comes out waits as segments until
 * the needles were compared with it. */
#include "common/mail/search_scan.h"

#include <assert.h>
#include <string.h>

#include "common/mime/digest.h"
#include "common/mime/parser.h"
#include "common/mime/text.h"
#include "common/util/mem.h"
#include "common/util/table.h"

#define LOOK_BYTES (64u << 10)	/* compared in one call of search_scan_look(), roughly */
#define NO_CHAIN UINT32_MAX

enum segment_kind { SEGMENT_HEADER, SEGMENT_BODY, SEGMENT_FIELD };

struct segment {
	enum segment_kind	kind;
	size_t			from, len;	/* in the window */
	uint32_t		chain;		/* of a field: first slot that asks for it */
};

struct search_scan {
	const struct search_program *p;
	struct mime_parser	*parser;
	struct mime_digest	*digest;	/* NULL: no LIST blob wanted */
	struct mime_digest_result result;
	struct arena		arena;
	unsigned char		*hits;
	unsigned		left;		/* slots without a hit */
	bool			texts;		/* some key looks beyond named fields */
	bool			header_over, finished;
	size_t			overlap;	/* of the body's windows */
	/* HEADER keys by the name in lower case: index + 1 of the first, then by next_slot. */
	struct table		names;
	uint32_t		*next_slot;

	struct buf		window, body;	/* body: text of the parts that was not taken over */
	struct segment		*segments;
	size_t			n, room, at;	/* at: the one that is looked into */
	unsigned		slot;		/* the next to look for in it */

	/* the text part that runs */
	struct mime_text_part	part;
	struct buf		plain;
};

/* ---- what comes out of the message ---- */

static struct segment *
add_segment(struct search_scan *s, enum segment_kind kind)
{
	if (s->n == s->room) {
		s->room = s->room > 0 ? s->room * 2 : 16;
		s->segments = mem_realloc_array(s->segments, s->room, sizeof(*s->segments));
	}
	s->segments[s->n] = (struct segment){ kind, s->window.len, 0, NO_CHAIN };
	return &s->segments[s->n++];
}

static void
lower_name(struct span name, struct buf *out)
{
	buf_clear(out);
	for (size_t i = 0; i < name.len; i++)
		buf_add_c(out, ascii_lower(name.p[i]));
}

/* Named fields, for the HEADER keys that want them. */
static void
add_fields(struct search_scan *s, struct span block)
{
	struct mime_field f;
	struct buf name = { 0 };

	if (s->names.count == 0)
		return;
	while (mime_field_next(&block, &f)) {
		struct segment *seg;
		uintptr_t first;

		lower_name(f.name, &name);
		first = (uintptr_t)table_get(&s->names, buf_span(&name));
		if (first == 0)
			continue;
		seg = add_segment(s, SEGMENT_FIELD);
		seg->chain = (uint32_t)(first - 1);
		search_add_value(s->p->collation, f.value, &s->window);
		seg->len = s->window.len - seg->from;
	}
	buf_fini(&name);
}

static void
add_header(struct search_scan *s, struct span block, struct buf *out)
{
	struct buf line = { 0 };

	while (mime_text_field(&block, &line))
		search_map(s->p->collation, buf_span(&line), out);
	buf_fini(&line);
}

static bool
start_text(struct search_scan *s, struct span block, bool in_digest)
{
	struct mime_field f;
	struct span type = SPAN_NONE, subtype = SPAN_NONE, coding = SPAN_NONE;
	struct mime_params params;
	bool given = mime_field_find(block, "Content-Type", &f) &&
	    mime_content_type(&s->arena, f.value, &type, &subtype, &params);

	if (!mime_text_is(given, in_digest, type))
		return false;
	if (mime_field_find(block, "Content-Transfer-Encoding", &f))
		coding = mime_unfold_arena(&s->arena, f.value);
	mime_text_begin(&s->part, given ? type : SPAN_NONE, subtype, given ? &params : NULL,
	    coding);
	return true;
}

static bool
on_header(void *arg, uint32_t i, struct span block)
{
	struct search_scan *s = arg;
	size_t n;
	const struct mime_part *parts = mime_parser_parts(s->parser, &n), *part = &parts[i];
	bool root = part->parent == MIME_NONE, starts;

	if (root) {
		add_fields(s, block);
		s->header_over = true;
	}
	if (!s->texts)
		return false;
	if (root) {
		struct segment *seg = add_segment(s, SEGMENT_HEADER);

		add_header(s, block, &s->window);
		seg->len = s->window.len - seg->from;
	} else if (parts[part->parent].kind == MIME_MESSAGE) {
		add_header(s, block, &s->body);
	}
	if (part->kind != MIME_LEAF)
		return false;
	arena_reset(&s->arena);
	starts = start_text(s, block, part->in_digest);
	return starts;
}

static void
text_out(struct search_scan *s)
{
	search_map(s->p->collation, buf_span(&s->plain), &s->body);
	buf_clear(&s->plain);
}

static bool
on_body(void *arg, uint32_t i, struct span data)
{
	struct search_scan *s = arg;

	if (!s->part.runs)
		return false;
	mime_text_feed(&s->part, data, &s->plain);
	text_out(s);
	return true;
}

static void
on_end(void *arg, uint32_t i)
{
	struct search_scan *s = arg;

	if (!s->part.runs)
		return;
	mime_text_end(&s->part, &s->plain);
	text_out(s);
	buf_add_c(&s->body, '\n');
}

static const struct mime_parser_ops ops = { on_header, on_body, on_end };

/* ---- looking ---- */

/* A field's slots are a chain; texts are looked for by all of them. */
static bool
looks_into(const struct search_node *n, enum segment_kind kind)
{
	return kind == SEGMENT_HEADER ? n->op == SEARCH_TEXT :
	    n->op == SEARCH_TEXT || n->op == SEARCH_BODY;
}

static void
look_for(struct search_scan *s, unsigned slot, const struct segment *seg)
{
	const struct search_node *n = s->p->slots[slot];

	if (s->hits[slot] != 0 ||
	    !search_contains(span_sub(buf_span(&s->window), seg->from, seg->len), n->text))
		return;
	s->hits[slot] = seg->kind == SEGMENT_BODY ? SEARCH_HIT_BODY : SEARCH_HIT_HEADER;
	s->left--;
}

/* The end of a segment: on to the next. */
static void
next_segment(struct search_scan *s)
{
	s->slot = 0;
	s->at++;
	if (s->at < s->n && s->segments[s->at].kind == SEGMENT_FIELD)
		s->slot = s->segments[s->at].chain;
}

static void
take_body(struct search_scan *s)
{
	struct segment *seg;

	if (s->body.len == 0)
		return;
	seg = add_segment(s, SEGMENT_BODY);
	seg->len = s->body.len;
	buf_add_span(&s->window, buf_span(&s->body));
}

/* All was looked at: keeps the end of the body's text for needles that lie across. */
static void
clear_window(struct search_scan *s)
{
	s->n = s->at = 0;
	s->slot = 0;
	buf_clear(&s->window);
	if (s->body.len > s->overlap)
		buf_drop(&s->body, s->body.len - s->overlap);
}

bool
search_scan_look(struct search_scan *s)
{
	size_t budget = LOOK_BYTES;

	while (s->at < s->n && s->left > 0) {
		const struct segment *seg = &s->segments[s->at];
		size_t cost = seg->len + 64;

		if (seg->kind == SEGMENT_FIELD) {
			look_for(s, s->slot, seg);
			s->slot = s->next_slot[s->slot];
			if (s->slot == NO_CHAIN)
				next_segment(s);
		} else if (s->slot == s->p->n_slots) {
			next_segment(s);
			continue;
		} else {
			if (looks_into(s->p->slots[s->slot], seg->kind))
				look_for(s, s->slot, seg);
			else
				cost = 16;
			s->slot++;
		}
		if (cost >= budget)
			return false;
		budget -= cost;
	}
	clear_window(s);
	return true;
}

/* ---- outside ---- */

static void
begin_window(struct search_scan *s)
{
	s->slot = s->n > 0 && s->segments[0].kind == SEGMENT_FIELD ? s->segments[0].chain : 0;
}

void
search_scan_feed(struct search_scan *s, struct span raw)
{
	assert(raw.len <= SEARCH_SCAN_PIECE && s->n == 0);
	if (s->digest != NULL)
		mime_digest_feed(s->digest, raw.p, raw.len);
	mime_parser_feed(s->parser, raw.p, raw.len);
	take_body(s);
	begin_window(s);
}

void
search_scan_finish(struct search_scan *s)
{
	assert(s->n == 0 && !s->finished);
	s->finished = true;
	mime_parser_finish(s->parser);
	if (s->digest != NULL)
		mime_digest_finish(s->digest, &s->result);
	take_body(s);
	begin_window(s);
}

const unsigned char *
search_scan_hits(const struct search_scan *s)
{
	return s->hits;
}

bool
search_scan_enough(const struct search_scan *s)
{
	return s->digest == NULL && (s->left == 0 || (!s->texts && s->header_over));
}

bool
search_scan_list(struct search_scan *s, struct mime_list *l)
{
	return s->digest != NULL && s->finished && mime_list_read(s->result.list, l) == ST_OK;
}

static void
add_slot(struct search_scan *s, unsigned i)
{
	const struct search_node *n = s->p->slots[i];
	struct buf name = { 0 };
	uintptr_t before;

	s->next_slot[i] = NO_CHAIN;
	if (n->op != SEARCH_HEADER) {
		s->texts = true;
		if (n->text.len > s->overlap + 1)
			s->overlap = n->text.len - 1;
		return;
	}
	lower_name(n->name, &name);
	before = (uintptr_t)table_get(&s->names, buf_span(&name));
	if (before != 0)
		s->next_slot[i] = (uint32_t)(before - 1);
	table_put(&s->names, buf_span(&name), (void *)(uintptr_t)(i + 1));	/* number, no pointer */
	buf_fini(&name);
}

struct search_scan *
search_scan_new(const struct search_program *p, bool list)
{
	struct search_scan *s = mem_zalloc(sizeof(*s));

	s->p = p;
	s->left = p->n_slots;
	s->hits = mem_zalloc(p->n_slots + 1);
	s->next_slot = mem_array(p->n_slots + 1, sizeof(*s->next_slot));
	for (unsigned i = 0; i < p->n_slots; i++)
		add_slot(s, i);
	/* The empty needle is in every text, also where there is none. */
	for (unsigned i = 0; i < p->n_slots; i++) {
		if (p->slots[i]->text.len == 0 && p->slots[i]->op != SEARCH_HEADER) {
			s->hits[i] = SEARCH_HIT_BODY;
			s->left--;
		}
	}
	s->parser = mime_parser_new(&ops, s);
	if (list)
		s->digest = mime_digest_new(0);
	return s;
}

void
search_scan_free(struct search_scan **sp)
{
	struct search_scan *s = *sp;

	if (s == NULL)
		return;
	mime_text_fini(&s->part);
	mime_parser_free(&s->parser);
	mime_digest_free(&s->digest);
	arena_fini(&s->arena);
	table_fini(&s->names, NULL, NULL);
	buf_fini(&s->window);
	buf_fini(&s->body);
	buf_fini(&s->plain);
	mem_free(&s->segments);
	mem_free(&s->next_slot);
	mem_free(&s->hits);
	mem_free(sp);
}
