#include "jmapd/query/sort.h"

#include "common/util/bytes.h"
#include "common/util/mem.h"
#include "jmapd/query/filter.h"

static const struct {
	const char	*name;
	enum sort_by	by;
} properties[] = {
	{ "receivedAt", SORT_RECEIVED }, { "size", SORT_SIZE }, { "hasKeyword", SORT_KEYWORD },
	{ "allInThreadHaveKeyword", SORT_THREAD_ALL },
	{ "someInThreadHaveKeyword", SORT_THREAD_SOME }, { "sentAt", SORT_SENT },
	{ "from", SORT_FROM }, { "to", SORT_TO }, { "subject", SORT_SUBJECT }
};

static const struct {
	const char		*name;
	enum search_collation	collation;
} collations[] = {
	{ "i;unicode-casemap", SEARCH_UNICODE_CASEMAP }, { "i;ascii-casemap", SEARCH_ASCII_CASEMAP },
	{ "i;octet", SEARCH_OCTET }
};

static bool
refuse(const char **type, struct buf *why, const char *kind, struct span what, const char *text)
{
	*type = kind;
	buf_addf(why, "sort: %.*s %s", (int)(what.len > 64 ? 64 : what.len), what.p, text);
	return false;
}

static bool
by_keyword(enum sort_by by)
{
	return by == SORT_KEYWORD || by == SORT_THREAD_ALL || by == SORT_THREAD_SOME;
}

bool
sort_add(struct sort *s, const struct jmap_comparator *cmp, struct arena *a, const char **type,
    struct buf *why)
{
	struct sort_key *k = &s->key[s->n];
	size_t i = 0;

	if (s->n == JMAP_SORT_MAX)
		return refuse(type, why, "unsupportedSort", cmp->property, "is one too many");
	while (i < ARRAY_LEN(properties) && !span_eq_str(cmp->property, properties[i].name))
		i++;
	if (i == ARRAY_LEN(properties))
		return refuse(type, why, "unsupportedSort", cmp->property, "is not known");
	*k = (struct sort_key){ .by = properties[i].by, .descending = cmp->descending };
	if (by_keyword(k->by)) {
		if (!json_get_string(cmp->more, "keyword", &k->keyword) || k->keyword.len == 0)
			return refuse(type, why, "invalidArguments", cmp->property,
			    "needs a keyword");
		k->keyword = arena_span(a, k->keyword);
		s->depends |= FILTER_ON_KEYWORDS |
		    (k->by != SORT_KEYWORD ? FILTER_ON_THREADS : 0);
	}
	if (cmp->collation.p != NULL) {
		for (i = 0; i < ARRAY_LEN(collations) &&
		    !span_eq_str(cmp->collation, collations[i].name); i++)
			;
		if (i == ARRAY_LEN(collations))
			return refuse(type, why, "unsupportedSort", cmp->collation,
			    "is a collation that is not known");
		k->collation = collations[i].collation;
	}
	s->reads |= k->by >= SORT_SENT;
	s->n++;
	return true;
}

void
sort_end(struct sort *s, struct buf *key)
{
	if (s->n == 0)
		s->key[s->n++] = (struct sort_key){ .by = SORT_RECEIVED, .descending = true };
	for (unsigned i = 0; i < s->n; i++) {
		put_u8(key, (uint8_t)s->key[i].by);
		put_u8(key, s->key[i].descending);
		put_u8(key, sort_is_text(&s->key[i]) ? (uint8_t)s->key[i].collation : 0);
		put_span(key, s->key[i].keyword);
	}
}

void
sort_bind(struct sort *s, const struct mirror *m)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->key[i].keyword.len > 0)
			s->key[i].mask = mirror_keyword(m, s->key[i].keyword);
	}
}

/* Seconds that may be negative, in the order of unsigned numbers. */
uint64_t
sort_date(int64_t s)
{
	return (uint64_t)s ^ UINT64_C(1) << 63;
}

uint64_t
sort_number(const struct sort_key *k, const struct rows *r, const struct row *row)
{
	switch (k->by) {
	case SORT_SIZE:
		return row->size;
	case SORT_KEYWORD:
		return filter_has(rows_flags(r, row), k->mask);
	case SORT_THREAD_ALL:
		return filter_thread_all(r, row, k->mask);
	case SORT_THREAD_SOME:
		return filter_thread_some(r, row, k->mask);
	default:
		return sort_date(row->received_s);
	}
}

int
sort_compare(const struct sort *s, const struct rows *r, const struct row *a, const struct row *b)
{
	bool descending = s->key[0].descending;

	for (unsigned i = 0; i < s->n; i++) {
		uint64_t x = sort_number(&s->key[i], r, a), y = sort_number(&s->key[i], r, b);

		if (x != y)
			return (x < y) == s->key[i].descending ? 1 : -1;
	}
	if (a->id == b->id)
		return 0;
	return (a->id < b->id) == descending ? 1 : -1;
}
