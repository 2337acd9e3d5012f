/* A segment is a run of rows that are equal in all that was looked at; segments within one
 * lie on a stack, which is as deep as keys are equal, not as rows are many. */
#include "storage/client/order.h"

#include <string.h>

#include "common/util/bytes.h"
#include "common/util/clock.h"
#include "common/util/mem.h"

#define SMALL	16u		/* rows that insertion sorts sooner */
#define MEDIUM	1024u		/* and merging, sooner than radix */
#define LOOK	4096u		/* rows between two looks at the clock */
#define BY_LENGTH UINT32_MAX	/* instead of a depth: texts that differ in zeros at the end */

struct pair {
	uint64_t	key;
	uint32_t	row;
};

enum phase { LOADING, SORTING, SCANNING };

struct segment {
	size_t		lo, hi, at;	/* at: how far the phase is */
	uint64_t	differ;		/* bits in which the keys do */
	uint32_t	depth;		/* bytes of the text before these, or BY_LENGTH */
	uint32_t	len;		/* of the first row's text */
	uint16_t	c;		/* key */
	uint8_t		pass;
	uint8_t		phase;
	bool		rising, longer, uneven;		/* texts go on behind these bytes, differ in length */
	bool		elsewhere;	/* the rows are in the other array */
};

struct order {
	struct order_keys	k;
	struct pair		*pairs, *other;
	struct segment		*stack;
	size_t			depth, room;
	uint32_t		looked;		/* rows since the last look at the clock */
};

static void
push(struct order *o, size_t lo, size_t hi, size_t c, uint32_t depth)
{
	if (o->depth == o->room) {
		o->room = o->room > 0 ? o->room * 2 : 16;
		o->stack = mem_realloc_array(o->stack, o->room, sizeof(*o->stack));
	}
	o->stack[o->depth++] = (struct segment){ .lo = lo, .hi = hi, .at = lo, .c = (uint16_t)c,
	    .depth = depth, .rising = true };
}

struct order *
order_new(const struct order_keys *k)
{
	struct order *o = mem_zalloc(sizeof(*o));

	o->k = *k;
	o->pairs = mem_array(k->n + 1, sizeof(*o->pairs));
	o->other = mem_array(k->n + 1, sizeof(*o->other));
	for (size_t i = 0; i < k->n; i++)
		o->pairs[i].row = (uint32_t)i;
	if (k->n > 1 && k->nc > 0)
		push(o, 0, k->n, 0, 0);
	return o;
}

void
order_free(struct order **op)
{
	struct order *o = *op;

	if (o == NULL)
		return;
	mem_free(&o->pairs);
	mem_free(&o->other);
	mem_free(&o->stack);
	mem_free(op);
}

size_t
order_at(const struct order *o, size_t i)
{
	return o->pairs[i].row;
}

static uint64_t
eight(const char *p, size_t len)
{
	char b[8] = { 0 };

	if (len >= 8)
		return get_be64(p);
	memcpy(b, p, len);
	return get_be64(b);
}

/* The key of a row in its segment; notes what else its text has. */
static uint64_t
load(const struct order *o, struct segment *s, uint32_t row, bool first)
{
	size_t k = row * o->k.nc + s->c;
	uint64_t key = o->k.prefix[k];

	if (o->k.is_text[s->c]) {
		const struct order_text *t = &o->k.text[k];

		if (first)
			s->len = t->len;
		s->uneven |= t->len != s->len;
		if (s->depth == BY_LENGTH)
			key = t->len;
		else if (s->depth > 0)
			key = t->len > s->depth ?
			    eight(o->k.texts + t->at + s->depth, t->len - s->depth) : 0;
		s->longer |= s->depth != BY_LENGTH && t->len > s->depth + 8;
	}
	return o->k.reverse[s->c] ? ~key : key;
}

static bool
time_over(struct order *o, size_t rows, uint64_t until_us)
{
	o->looked += (uint32_t)(rows < LOOK ? rows : LOOK);
	if (o->looked < LOOK)
		return false;
	o->looked = 0;
	return clock_mono_us() >= until_us;
}

static void
load_some(struct order *o, struct segment *s)
{
	size_t end = s->hi - s->at > LOOK ? s->at + LOOK : s->hi;

	for (size_t i = s->at; i < end; i++) {
		struct pair *p = &o->pairs[i];

		p->key = load(o, s, p->row, i == s->lo);
		s->differ |= p->key ^ o->pairs[s->lo].key;
		s->rising &= i == s->lo || p->key >= p[-1].key;
	}
	s->at = end;
	if (end == s->hi) {
		s->at = s->lo;
		s->phase = s->rising ? SCANNING : SORTING;
	}
}

static void
insert(struct pair *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct pair x = v[i];
		size_t j = i;

		for (; j > 0 && x.key < v[j - 1].key; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

static void
merge(struct pair *v, size_t n, struct pair *room)
{
	for (size_t i = 0; i < n; i += SMALL)
		insert(v + i, n - i < SMALL ? n - i : SMALL);
	for (size_t width = SMALL; width < n; width *= 2) {
		for (size_t lo = 0; lo + width < n; lo += 2 * width) {
			size_t hi = lo + 2 * width < n ? lo + 2 * width : n;
			size_t i = 0, j = lo + width, k = lo;

			if (v[j - 1].key <= v[j].key)
				continue;
			memcpy(room, v + lo, width * sizeof(*v));
			while (i < width && j < hi)
				v[k++] = v[j].key < room[i].key ? v[j++] : room[i++];
			memcpy(v + k, room + i, (width - i) * sizeof(*v));
		}
	}
}

/* By one byte, into the other array. */
static void
radix_pass(struct order *o, struct segment *s)
{
	struct pair *from = (s->elsewhere ? o->other : o->pairs) + s->lo;
	struct pair *to = (s->elsewhere ? o->pairs : o->other) + s->lo;
	size_t n = s->hi - s->lo, at = 0, counts[256] = { 0 };
	unsigned shift = s->pass * 8u;

	for (size_t i = 0; i < n; i++)
		counts[from[i].key >> shift & 255]++;
	for (unsigned b = 0; b < 256; b++) {
		size_t here = counts[b];

		counts[b] = at;
		at += here;
	}
	for (size_t i = 0; i < n; i++)
		to[counts[from[i].key >> shift & 255]++] = from[i];
	s->elsewhere = !s->elsewhere;
}

static void
sort_some(struct order *o, struct segment *s)
{
	if (s->hi - s->lo <= MEDIUM) {
		merge(o->pairs + s->lo, s->hi - s->lo, o->other + s->lo);
		s->pass = 8;
	}
	while (s->pass < 8 && (s->differ >> s->pass * 8u & 255) == 0)
		s->pass++;
	if (s->pass < 8) {
		radix_pass(o, s);
		s->pass++;
	} else {
		if (s->elsewhere)
			memcpy(o->pairs + s->lo, o->other + s->lo,
			    (s->hi - s->lo) * sizeof(*o->pairs));
		s->phase = SCANNING;
	}
}

/* The same text in all of a run, as the subject of a thread: eight bytes at a time would only
 * find that out more slowly. */
static bool
all_equal(const struct order *o, const struct segment *s, size_t lo, size_t hi)
{
	const struct order_text *a = &o->k.text[o->pairs[lo].row * o->k.nc + s->c];

	if (hi - lo > LOOK)
		return false;
	for (size_t i = lo + 1; i < hi; i++) {
		const struct order_text *b = &o->k.text[o->pairs[i].row * o->k.nc + s->c];

		if (a->len != b->len || memcmp(o->k.texts + a->at, o->k.texts + b->at, a->len) != 0)
			return false;
	}
	return true;
}

/* Pushes what is to be done in a run of rows with the same key.  s is gone after it. */
static bool
go_deeper(struct order *o, const struct segment *s, size_t lo, size_t hi)
{
	bool text = o->k.is_text[s->c];

	if (text && s->longer && s->depth == 0)
		text = !all_equal(o, s, lo, hi);
	if (text && s->longer)
		push(o, lo, hi, s->c, s->depth + 8);
	else if (text && s->uneven && s->depth != BY_LENGTH)
		push(o, lo, hi, s->c, BY_LENGTH);
	else if (s->c + 1u < o->k.nc)
		push(o, lo, hi, s->c + 1u, 0);
	else
		return false;
	return true;
}

/* Finds the next run of more than one row; false: none is left. */
static bool
scan_some(struct order *o, struct segment *s)
{
	while (s->at < s->hi) {
		size_t lo = s->at, hi = lo + 1;

		while (hi < s->hi && o->pairs[hi].key == o->pairs[lo].key)
			hi++;
		s->at = hi;
		if (hi - lo > 1 && go_deeper(o, s, lo, hi))
			return true;
	}
	return false;
}

bool
order_run(struct order *o, uint64_t until_us)
{
	while (o->depth > 0) {
		struct segment *s = &o->stack[o->depth - 1];
		size_t rows = s->hi - s->lo;

		if (s->phase == LOADING)
			load_some(o, s);
		else if (s->phase == SORTING)
			sort_some(o, s);
		else if (!scan_some(o, s))
			o->depth--;
		if (time_over(o, rows, until_us))
			return false;
	}
	return true;
}
