/* Ranges in one sorted array.  Finding is by halving; adding at the end, which is
 * what scans and parsers do, costs nothing; joins of two sets walk both once. */
#include "common/mail/uidset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/util/mem.h"

void
uidset_fini(struct uidset *s)
{
	mem_free(&s->r);
	s->n = s->room = 0;
}

void
uidset_clear(struct uidset *s)
{
	s->n = 0;
}

static void
reserve(struct uidset *s, size_t n)
{
	if (n <= s->room)
		return;
	s->room = n < 8 ? 8 : n > s->room * 2 ? n : s->room * 2;
	s->r = mem_realloc_array(s->r, s->room, sizeof(s->r[0]));
}

/* Index of the first range that ends at or behind uid. */
static size_t
find(const struct uidset *s, uint32_t uid)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->r[mid].hi < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Puts `put` (n of them) in the place of the ranges from..to-1. */
static void
replace(struct uidset *s, size_t from, size_t to, const struct uidrange *put, size_t n)
{
	size_t tail = s->n - to;

	reserve(s, from + n + tail);
	if (tail > 0 && from + n != to)
		memmove(s->r + from + n, s->r + to, tail * sizeof(s->r[0]));
	if (n > 0)
		memcpy(s->r + from, put, n * sizeof(s->r[0]));
	s->n = from + n + tail;
}

void
uidset_add_range(struct uidset *s, uint32_t lo, uint32_t hi)
{
	struct uidrange new = { lo, hi };
	size_t from, to;

	assert(lo >= 1 && lo <= hi);
	if (s->n > 0 && lo > s->r[s->n - 1].hi) {
		if (lo == s->r[s->n - 1].hi + 1) {
			s->r[s->n - 1].hi = hi;
			return;
		}
		reserve(s, s->n + 1);
		s->r[s->n++] = new;
		return;
	}
	from = find(s, lo - 1);		/* a neighbour joins */
	for (to = from; to < s->n && (hi == UINT32_MAX || s->r[to].lo <= hi + 1); to++) {
		if (s->r[to].lo < new.lo)
			new.lo = s->r[to].lo;
		if (s->r[to].hi > new.hi)
			new.hi = s->r[to].hi;
	}
	replace(s, from, to, &new, 1);
}

void
uidset_add(struct uidset *s, uint32_t uid)
{
	uidset_add_range(s, uid, uid);
}

/* Takes the ranges of out over. */
static void
take(struct uidset *s, struct uidset *out)
{
	uidset_fini(s);
	*s = *out;
}

void
uidset_add_set(struct uidset *s, const struct uidset *other)
{
	struct uidset out = { 0 };
	size_t i = 0, k = 0;

	if (other->n == 0 || s == other)
		return;
	if (other->n == 1 || s->n == 0 || other->r[0].lo > s->r[s->n - 1].hi) {
		for (k = 0; k < other->n; k++)
			uidset_add_range(s, other->r[k].lo, other->r[k].hi);
		return;
	}
	reserve(&out, s->n + other->n);
	while (i < s->n || k < other->n) {
		const struct uidrange *r = k == other->n ||
		    (i < s->n && s->r[i].lo <= other->r[k].lo) ? &s->r[i++] : &other->r[k++];
		struct uidrange *last = out.n > 0 ? &out.r[out.n - 1] : NULL;

		if (last != NULL && (last->hi == UINT32_MAX || r->lo <= last->hi + 1)) {
			if (r->hi > last->hi)
				last->hi = r->hi;
		} else {
			out.r[out.n++] = *r;
		}
	}
	take(s, &out);
}

void
uidset_remove_range(struct uidset *s, uint32_t lo, uint32_t hi)
{
	struct uidrange keep[2];
	size_t from, to, n = 0;

	assert(lo >= 1 && lo <= hi);
	from = find(s, lo);
	for (to = from; to < s->n && s->r[to].lo <= hi; to++)
		;
	if (from == to)
		return;
	if (s->r[from].lo < lo)
		keep[n++] = (struct uidrange){ s->r[from].lo, lo - 1 };
	if (s->r[to - 1].hi > hi)
		keep[n++] = (struct uidrange){ hi + 1, s->r[to - 1].hi };
	replace(s, from, to, keep, n);
}

void
uidset_remove_set(struct uidset *s, const struct uidset *other)
{
	struct uidset out = { 0 };
	size_t k = 0;

	if (s == other) {
		uidset_clear(s);
		return;
	}
	if (s->n == 0 || other->n == 0)
		return;
	if (other->n == 1) {
		uidset_remove_range(s, other->r[0].lo, other->r[0].hi);
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		struct uidrange r = s->r[i];
		bool rest = true;

		while (k < other->n && other->r[k].hi < r.lo)
			k++;
		for (size_t m = k; m < other->n && other->r[m].lo <= r.hi; m++) {
			if (other->r[m].lo > r.lo)
				uidset_add_range(&out, r.lo, other->r[m].lo - 1);
			if (other->r[m].hi >= r.hi) {
				rest = false;
				break;
			}
			r.lo = other->r[m].hi + 1;
			k = m;
		}
		if (rest)
			uidset_add_range(&out, r.lo, r.hi);
	}
	take(s, &out);
}

void
uidset_intersect(struct uidset *s, const struct uidset *other)
{
	struct uidset out = { 0 };
	size_t i = 0, k = 0;

	if (s == other)
		return;
	while (i < s->n && k < other->n) {
		const struct uidrange *a = &s->r[i], *b = &other->r[k];
		uint32_t lo = a->lo > b->lo ? a->lo : b->lo;
		uint32_t hi = a->hi < b->hi ? a->hi : b->hi;

		if (lo <= hi)
			uidset_add_range(&out, lo, hi);
		if (a->hi < b->hi)
			i++;
		else
			k++;
	}
	take(s, &out);
}

void
uidset_copy(struct uidset *to, const struct uidset *from)
{
	if (to == from)
		return;
	reserve(to, from->n);
	if (from->n > 0)
		memcpy(to->r, from->r, from->n * sizeof(from->r[0]));
	to->n = from->n;
}

bool
uidset_has(const struct uidset *s, uint32_t uid)
{
	size_t i = find(s, uid);

	return i < s->n && s->r[i].lo <= uid;
}

bool
uidset_empty(const struct uidset *s)
{
	return s->n == 0;
}

bool
uidset_eq(const struct uidset *a, const struct uidset *b)
{
	return a->n == b->n &&
	    (a->n == 0 || memcmp(a->r, b->r, a->n * sizeof(a->r[0])) == 0);
}

uint64_t
uidset_count(const struct uidset *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += (uint64_t)s->r[i].hi - s->r[i].lo + 1;
	return n;
}

uint32_t
uidset_next(const struct uidset *s, uint32_t after)
{
	size_t i;

	if (after == UINT32_MAX)
		return 0;
	i = find(s, after + 1);
	if (i == s->n)
		return 0;
	return s->r[i].lo > after ? s->r[i].lo : after + 1;
}

uint32_t
uidset_at(const struct uidset *s, uint64_t index)
{
	for (size_t i = 0; i < s->n; i++) {
		uint64_t n = (uint64_t)s->r[i].hi - s->r[i].lo + 1;

		if (index < n)
			return s->r[i].lo + (uint32_t)index;
		index -= n;
	}
	return 0;
}

uint64_t
uidset_index(const struct uidset *s, uint32_t uid)
{
	uint64_t before = 0;
	size_t at = find(s, uid);

	if (at == s->n || s->r[at].lo > uid)
		return UINT64_MAX;
	for (size_t i = 0; i < at; i++)
		before += (uint64_t)s->r[i].hi - s->r[i].lo + 1;
	return before + (uid - s->r[at].lo);
}

/* Gap: from the end of the range before (0 at first) to the start; length: hi - lo. */
void
uidset_encode(const struct uidset *s, struct buf *out)
{
	uint32_t end = 0;

	put_varint(out, s->n);
	for (size_t i = 0; i < s->n; i++) {
		put_varint(out, s->r[i].lo - end);
		put_varint(out, s->r[i].hi - s->r[i].lo);
		end = s->r[i].hi;
	}
}

bool
uidset_decode(struct uidset *s, struct reader *r, size_t max_ranges)
{
	uint64_t n = get_varint(r);
	uint64_t end = 0;

	uidset_clear(s);
	/* A range takes two bytes at least: the input bounds the memory. */
	if (r->bad || n > max_ranges || n > reader_left(r) / 2) {
		r->bad = true;
		return false;
	}
	reserve(s, (size_t)n);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t gap = get_varint32(r), lo = end + gap;
		uint64_t hi = lo + get_varint32(r);

		if (r->bad || gap < (i == 0 ? 1 : 2) || hi > UINT32_MAX) {
			r->bad = true;
			uidset_clear(s);
			return false;
		}
		s->r[s->n++] = (struct uidrange){ (uint32_t)lo, (uint32_t)hi };
		end = hi;
	}
	return true;
}

void
uidset_print(const struct uidset *s, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		if (i > 0)
			buf_add_c(out, ',');
		buf_add_u64(out, s->r[i].lo);
		if (s->r[i].hi != s->r[i].lo) {
			buf_add_c(out, ':');
			buf_add_u64(out, s->r[i].hi);
		}
	}
}

/* nz-number / "*"; no sign, no leading zero, 32 bits. */
static bool
number(struct span text, uint32_t star, uint32_t *v)
{
	if (span_eq_str(text, "*")) {
		*v = star;
		return star != 0;
	}
	return text.len > 0 && text.p[0] != '0' && span_u32(text, v);
}

static int
cmp_lo(const void *a, const void *b)
{
	const struct uidrange *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Sorts and joins what stands in any order. */
static void
normalize(struct uidset *s)
{
	size_t n = 0;

	qsort(s->r, s->n, sizeof(s->r[0]), cmp_lo);
	for (size_t i = 1; i < s->n; i++) {
		if (s->r[n].hi == UINT32_MAX || s->r[i].lo <= s->r[n].hi + 1) {
			if (s->r[i].hi > s->r[n].hi)
				s->r[n].hi = s->r[i].hi;
		} else {
			s->r[++n] = s->r[i];
		}
	}
	s->n = n + 1;
}

bool
uidset_parse(struct uidset *s, struct span text, uint32_t star, size_t max_ranges)
{
	uidset_clear(s);
	for (;;) {
		struct span rest, item = text;
		bool more = span_find(text, ',') < text.len;
		bool range;
		uint32_t lo, hi;

		if (more) {
			rest = text;
			item = span_cut(&rest, ',');
			text = rest;
		}
		rest = item;
		range = span_find(item, ':') < item.len;
		if (range)
			item = span_cut(&rest, ':');
		if (!number(item, star, &lo) || (range && !number(rest, star, &hi)) ||
		    s->n >= max_ranges) {
			uidset_clear(s);
			return false;
		}
		if (!range)
			hi = lo;
		reserve(s, s->n + 1);
		s->r[s->n++] = lo <= hi ? (struct uidrange){ lo, hi } : (struct uidrange){ hi, lo };
		if (!more)
			break;
	}
	normalize(s);
	return true;
}
