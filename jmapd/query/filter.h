/* jmapd/query/filter.h
 * A filter of Email/query (RFC 8621 §4.4.1) as a tree, and its judgement of an email of a mirror.
 *
 * What stands in the mirror is judged at once.  What must be looked up (texts, header fields,
 * attachments) is a search program of its own, in which neighbours are put together; until it
 * has run, it is unknown. */
#ifndef JMAPD_QUERY_FILTER_H
#define JMAPD_QUERY_FILTER_H

#include "common/json/json.h"
#include "common/mail/search.h"
#include "common/util/arena.h"
#include "common/util/buf.h"
#include "jmapd/mirror/rows.h"

enum filter_op {
	FILTER_ALL, FILTER_AND, FILTER_OR, FILTER_NOT,
	FILTER_IN, FILTER_IN_OTHER, FILTER_BEFORE, FILTER_AFTER, FILTER_MIN_SIZE, FILTER_MAX_SIZE,
	FILTER_THREAD_ALL, FILTER_THREAD_SOME, FILTER_KEYWORD,
	FILTER_ATTACHMENT, FILTER_TEXT
};

/* What of an email a filter or a sort looks at that may change. */
enum { FILTER_ON_KEYWORDS = 1, FILTER_ON_MAILBOXES = 2, FILTER_ON_THREADS = 4 };

enum filter_answer { FILTER_NO, FILTER_YES, FILTER_UNKNOWN };

enum { FILTER_NOT_FOUND = 1, FILTER_FOUND = 2 };
struct filter_node {
	enum filter_op		op;
	struct filter_node	*first, *next;
	uint64_t		*ids;		/* mailboxes, and their boxes in the mirror */
	uint32_t		*boxes;
	size_t			n_ids;
	int64_t			number;
	struct span		keyword;
	struct flags		mask;		/* of the keyword: filter_bind() */
	struct table		threads;	/* those that were judged: 1 no, 2 yes */
	struct search_node	*search;	/* of TEXT */
	struct search_program	program;	/* of TEXT and ATTACHMENT */
	unsigned		lookup;		/* their number among them */
	const struct table	*found;		/* by email, FILTER_FOUND or NOT_FOUND; none: not known yet */
};

struct filter {
	struct filter_node	*root;
	struct filter_node	**lookups;
	unsigned		n_lookups;
	unsigned		depends;	/* FILTER_ON_... */
	struct buf		key;		/* two filters with the same key are the same */
};

/* json: checked by jmap_filter_check(), or NULL.  Memory is the arena's and the filter's.
 * false: *type is the error's, why a sentence. */
bool filter_compile(struct filter *f, const struct json *json, struct arena *a, const char **type,
    struct buf *why);
void filter_fini(struct filter *f);
/* Before emails are judged, whenever the mirror may have changed. */
void filter_bind(struct filter *f, const struct mirror *m);
enum filter_answer filter_judge(struct filter *f, const struct mirror *m, const struct row *row);

/* The operands of a string (RFC 8621 §4.4.1): words, and phrases in quotes.  false: no more. */
bool filter_word(struct span *text, struct buf *word);

/* All or any of the emails of row's thread have one of the bits. */
bool filter_thread_all(const struct rows *r, const struct row *row, struct flags mask);
bool filter_thread_some(const struct rows *r, const struct row *row, struct flags mask);
static inline bool
filter_has(struct flags f, struct flags mask)
{
	return (f.w[0] & mask.w[0]) != 0 || (f.w[1] & mask.w[1]) != 0;
}

#endif
