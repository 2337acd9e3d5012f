/* Looking for needles in texts: the filters tell which blocks need not be read; the others are
 * unpacked and looked through, block by block, for the messages that are asked for. */
#include "storage/search/text_priv.h"

#include <stdlib.h>

#include "common/util/mem.h"

/* A message of a block that is asked for. */
struct claim {
	uint32_t	doc, wanted;	/* the first of its entries */
};

struct task {
	struct text_view	*v;	/* NULL: the texts are here */
	struct text_block	*b;
	struct text_docs	docs;
	struct claim		*claims;	/* by doc */
	uint32_t		n;
	uint16_t		may;	/* needles that may be in it */
};

struct text_search {
	struct text_needle	needles[TEXT_NEEDLES_MAX];
	size_t			n_needles;
	struct buf		bytes;		/* of the needles */
	uint8_t			version;
	struct text_wanted	*wanted;	/* by message */
	bool			*claimed;
	size_t			n_wanted;
	struct task		*tasks;
	size_t			n_tasks, room;
};

static int
by_message(const void *a, const void *b)
{
	const struct text_wanted *x = a, *y = b;

	if (x->message != y->message)
		return x->message < y->message ? -1 : 1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static int
by_uid(const void *a, const void *b)
{
	const struct text_wanted *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* Mostly they are in order. */
static void
sort(struct text_wanted *w, size_t n, int (*order)(const void *a, const void *b))
{
	for (size_t i = 1; i < n; i++) {
		if (order(&w[i - 1], &w[i]) > 0) {
			qsort(w, n, sizeof(*w), order);
			return;
		}
	}
}

struct text_search *
text_search_new(const struct text_needle *needles, size_t n, uint8_t version,
    struct text_wanted *wanted, size_t n_wanted)
{
	struct text_search *s = mem_zalloc(sizeof(*s));
	size_t at = 0;

	s->n_needles = n < TEXT_NEEDLES_MAX ? n : TEXT_NEEDLES_MAX;
	s->version = version;
	for (size_t i = 0; i < s->n_needles; i++)
		buf_add_span(&s->bytes, needles[i].text);
	for (size_t i = 0; i < s->n_needles; i++) {
		s->needles[i] = (struct text_needle){ needles[i].body_only,
		    span_sub(buf_span(&s->bytes), at, needles[i].text.len) };
		at += needles[i].text.len;
	}
	s->wanted = wanted;
	s->n_wanted = n_wanted;
	s->claimed = mem_array(n_wanted + 1, sizeof(*s->claimed));
	sort(wanted, n_wanted, by_message);
	return s;
}

void
text_search_free(struct text_search **sp)
{
	struct text_search *s = *sp;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_tasks; i++) {
		text_view_unref(&s->tasks[i].v);
		text_block_unref(&s->tasks[i].b);
		text_docs_fini(&s->tasks[i].docs);
		mem_free(&s->tasks[i].claims);
	}
	mem_free(&s->tasks);
	mem_free(&s->wanted);
	mem_free(&s->claimed);
	buf_fini(&s->bytes);
	mem_free(sp);
}

/* Planning -------------------------------------------------------------------------- */

/* The first entry of a message, looked for near the last one; n_wanted: none. */
static size_t
find(const struct text_search *s, uint64_t message, size_t *near)
{
	size_t lo = 0, hi = s->n_wanted, at = *near;

	if (at < s->n_wanted && s->wanted[at].message == message) {
		while (at > 0 && s->wanted[at - 1].message == message)
			at--;
		return at;
	}
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->wanted[mid].message < message)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == s->n_wanted || s->wanted[lo].message != message)
		return s->n_wanted;
	*near = lo;
	return lo;
}

static size_t
behind(const struct text_search *s, size_t first)
{
	size_t i = first;

	while (i < s->n_wanted && s->wanted[i].message == s->wanted[first].message)
		i++;
	return i;
}

/* Those of v[0..n) that are asked for and that nothing newer had.  NULL: none. */
static struct claim *
claim(struct text_search *s, const struct text_doc *v, size_t n, uint32_t *n_claims)
{
	struct claim *c = NULL;
	size_t near = 0;

	*n_claims = 0;
	for (size_t i = n; i-- > 0;) {
		size_t w = find(s, v[i].message, &near);

		if (w == s->n_wanted || s->claimed[w])
			continue;
		/* messages lie in the order they came */
		near = w > 0 ? w - 1 : 0;
		s->claimed[w] = true;
		if (v[i].version != s->version)
			continue;
		if (c == NULL)
			c = mem_array(n, sizeof(*c));
		c[(*n_claims)++] = (struct claim){ (uint32_t)i, (uint32_t)w };
	}
	for (size_t i = 0, j = *n_claims; j > 0 && i < --j; i++) {
		struct claim t = c[i];

		c[i] = c[j];
		c[j] = t;
	}
	return c;
}

static void
settle(struct text_search *s, const struct claim *c, uint32_t n, const struct text_doc *docs)
{
	const uint16_t all = (uint16_t)((1u << s->n_needles) - 1);

	for (uint32_t i = 0; i < n; i++) {
		const struct text_wanted *first = &s->wanted[c[i].wanted];
		size_t to = behind(s, c[i].wanted);
		bool known = !docs[c[i].doc].cut || (first->header | first->body) == all;

		for (size_t w = c[i].wanted; w < to; w++) {
			s->wanted[w].header = first->header;
			s->wanted[w].body = first->body;
			s->wanted[w].known = known;
			s->wanted[w].there = true;
		}
	}
}

static struct task *
add_task(struct text_search *s)
{
	if (s->n_tasks == s->room) {
		s->room = s->room > 0 ? s->room * 2 : 16;
		s->tasks = mem_realloc_array(s->tasks, s->room, sizeof(*s->tasks));
	}
	s->tasks[s->n_tasks] = (struct task){ 0 };
	return &s->tasks[s->n_tasks++];
}

void
text_search_add_docs(struct text_search *s, const struct text_docs *docs)
{
	uint32_t n;
	struct claim *c = docs->n > 0 ? claim(s, docs->v, docs->n, &n) : NULL;
	struct task *t;

	if (c == NULL)
		return;
	t = add_task(s);
	t->claims = c;
	t->n = n;
	t->may = UINT16_MAX;
	t->docs.v = mem_dup(docs->v, docs->n * sizeof(*docs->v));
	t->docs.n = t->docs.room = docs->n;
	buf_add_span(&t->docs.header, buf_span(&docs->header));
	buf_add_span(&t->docs.body, buf_span(&docs->body));
}

static void
add_block(struct text_search *s, struct text_view *v, struct text_block *b)
{
	uint16_t may = 0;
	uint32_t n;
	struct claim *c;
	struct task *t;

	if (atomic_load(&b->bad) || (c = claim(s, b->docs, b->head.docs, &n)) == NULL)
		return;
	for (size_t i = 0; i < s->n_needles; i++) {
		if (text_filter_may(span(b->filter, b->head.filter_len), s->needles[i].text))
			may |= (uint16_t)(1u << i);
	}
	if (may == 0) {
		settle(s, c, n, b->docs);
		mem_free(&c);
		return;
	}
	t = add_task(s);
	*t = (struct task){ .v = text_view_ref(v), .b = b, .claims = c, .n = n, .may = may };
	atomic_fetch_add(&b->refs, 1);
}

void
text_search_add_view(struct text_search *s, struct text_view *v)
{
	for (size_t i = v->n; i-- > 0;)
		add_block(s, v, v->blocks[i]);
}

size_t
text_search_steps(const struct text_search *s)
{
	return s->n_tasks;
}

/* Looking --------------------------------------------------------------------------- */

/* Where a message's text lies. */
struct place { size_t from, to; };

static struct place
place_of(const struct text_doc *d, bool in_header)
{
	if (in_header)
		return (struct place){ d->header_at, (size_t)d->header_at + d->header_len };
	return (struct place){ d->body_at, (size_t)d->body_at + d->body_len };
}

static void
found(struct text_search *s, const struct claim *c, size_t needle, bool in_header)
{
	const uint16_t bit = (uint16_t)(1u << needle);
	struct text_wanted *w = &s->wanted[c->wanted];

	if (in_header)
		w->header |= bit;
	else if (!(w->header & bit))
		w->body |= bit;
}

/* Marks a needle's messages: from one place where it is on to the end of that message. */
static void
look(struct text_search *s, const struct task *t, const struct text_doc *docs, size_t needle,
    bool in_header, struct span text)
{
	const struct span what = s->needles[needle].text;
	size_t at = 0;

	for (uint32_t i = 0; i < t->n;) {
		struct place p = place_of(&docs[t->claims[i].doc], in_header);
		const char *hit;

		if (at < p.from)		/* messages between that nobody asked for */
			at = p.from;
		hit = at < text.len ? memmem(text.p + at, text.len - at, what.p, what.len) : NULL;
		if (hit == NULL)
			return;
		at = (size_t)(hit - text.p);
		while (p.to < at + what.len && ++i < t->n)
			p = place_of(&docs[t->claims[i].doc], in_header);
		if (i == t->n)
			return;
		if (at < p.from)	/* across two messages, or in one that nobody asked for */
			continue;
		found(s, &t->claims[i++], needle, in_header);
		at = p.to;
	}
}

static bool
header_says_all(const struct text_search *s, const struct task *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if ((s->wanted[t->claims[i].wanted].header & t->may) != t->may)
			return false;
	}
	return true;
}

static bool
headers_matter(const struct text_search *s, const struct task *t)
{
	for (size_t i = 0; i < s->n_needles; i++) {
		if ((t->may & 1u << i) && !s->needles[i].body_only)
			return true;
	}
	return false;
}

static void
look_in(struct text_search *s, struct task *t, const struct text_doc *docs, bool in_header,
    struct span text)
{
	for (size_t i = 0; i < s->n_needles; i++) {
		if ((t->may & 1u << i) && !(in_header && s->needles[i].body_only))
			look(s, t, docs, i, in_header, text);
	}
}

bool
text_search_step(struct text_search *s, size_t step)
{
	struct task *t = &s->tasks[step];
	struct buf text = { 0 };
	bool good = true;

	if (t->v == NULL) {
		look_in(s, t, t->docs.v, true, buf_span(&t->docs.header));
		look_in(s, t, t->docs.v, false, buf_span(&t->docs.body));
		settle(s, t->claims, t->n, t->docs.v);
		return true;
	}
	if (headers_matter(s, t)) {
		good = text_block_read(t->v, t->b, &text, NULL);
		if (good)
			look_in(s, t, t->b->docs, true, buf_span(&text));
	}
	if (good && !header_says_all(s, t)) {
		good = text_block_read(t->v, t->b, NULL, &text);
		if (good)
			look_in(s, t, t->b->docs, false, buf_span(&text));
	}
	if (good)
		settle(s, t->claims, t->n, t->b->docs);
	buf_fini(&text);
	return good;
}

void
text_search_end(struct text_search *s)
{
	sort(s->wanted, s->n_wanted, by_uid);
}

struct text_wanted *
text_search_wanted(struct text_search *s, size_t *n)
{
	*n = s->n_wanted;
	return s->wanted;
}
