/* jmapd/query/sort.h
 * The order of Email/query (RFC 8621 §4.4.2): keys out of a mirror, and texts and dates of the
 * header, which are read.  What is equal in all is ordered by id, so that the order is total. */
#ifndef JMAPD_QUERY_SORT_H
#define JMAPD_QUERY_SORT_H

#include "common/mail/search.h"
#include "common/util/buf.h"
#include "jmapd/core/query.h"
#include "jmapd/mirror/rows.h"

enum sort_by {
	SORT_RECEIVED, SORT_SIZE, SORT_KEYWORD, SORT_THREAD_ALL, SORT_THREAD_SOME, SORT_SENT,
	SORT_FROM, SORT_TO, SORT_SUBJECT
};
struct sort_key {
	enum sort_by		by;
	bool			descending;
	struct span		keyword;
	struct flags		mask;
	enum search_collation	collation;
};
struct sort {
	struct sort_key	key[JMAP_SORT_MAX];
	unsigned	n;
	bool		reads;		/* not all of it stands in the mirror */
	unsigned	depends;	/* FILTER_ON_... of filter.h */
};

/* One of the comparators; false: *type and why tell. */
bool sort_add(struct sort *s, const struct jmap_comparator *cmp, struct arena *a, const char **type,
    struct buf *why);
/* After the last: without any, the newest come first.  Appends what tells sorts apart. */
void sort_end(struct sort *s, struct buf *key);
/* Before rows are looked at, whenever the mirror may have changed. */
void sort_bind(struct sort *s, const struct mirror *m);
static inline bool
sort_is_text(const struct sort_key *k)
{
	return k->by >= SORT_FROM;
}
/* The key as a number, ascending; of SORT_SENT without a Date field that of receivedAt. */
uint64_t sort_number(const struct sort_key *k, const struct rows *r, const struct row *row);
uint64_t sort_date(int64_t s);
/* Of sorts that read nothing: below, above, or 0 when a and b are the same. */
int sort_compare(const struct sort *s, const struct rows *r, const struct row *a,
    const struct row *b);

#endif
