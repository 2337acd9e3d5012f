/* jmapd/core/query.h
 * What all /query and /queryChanges methods share (RFC 8620 §5.5, §5.6). */
#ifndef JMAPD_CORE_QUERY_H
#define JMAPD_CORE_QUERY_H

#include "jmapd/core/args.h"

#define JMAP_FILTER_DEPTH	16u	/* operators within operators */
#define JMAP_FILTER_TERMS	256u	/* conditions and operators of a filter */
#define JMAP_SORT_MAX		16u

struct jmap_query {
	const struct json	*filter;	/* NULL: everything */
	const struct json	*sort;		/* array of Comparators, or NULL */
	int64_t			position;
	struct span		anchor;		/* p NULL: position counts */
	int64_t			anchor_offset;
	uint64_t		limit;		/* UINT64_MAX: none was given */
	bool			calculate_total;
};

/* Reads them; read your own arguments and call jmap_args_end() then. */
void jmap_query_args(struct jmap_call *c, struct jmap_query *q);
/* Which part of `total` results is wanted.  anchor_at: the anchor's place in them, SIZE_MAX:
 * not among them (the call is over then with anchorNotFound: false). */
bool jmap_query_window(struct jmap_call *c, const struct jmap_query *q, size_t total,
    size_t anchor_at, size_t *from, size_t *count);
/* The answer's head up to the open list of ids: write them as strings, then end.  max: the
 * server's own limit, when it cut the client's; 0: it did not. */
void jmap_query_begin(struct jmap_call *c, const struct jmap_query *q, struct span state,
    bool can_calculate_changes, size_t from, size_t total, uint64_t max);
void jmap_query_end(struct jmap_call *c);

struct jmap_query_changes {
	const struct json	*filter, *sort;
	struct span		since;
	uint64_t		max;		/* UINT64_MAX: any number */
	struct span		up_to;		/* p NULL: the whole list */
	bool			calculate_total;
};
void jmap_query_changes_args(struct jmap_call *c, struct jmap_query_changes *q);

/* A filter is an operator (AND, OR, NOT over conditions) or a condition of the type's own. */
enum jmap_operator { JMAP_CONDITION, JMAP_AND, JMAP_OR, JMAP_NOT };
/* Judges the whole tree: known operators, arrays of objects, depth and number of terms.
 * false: the call is over (unsupportedFilter, invalidArguments). */
bool jmap_filter_check(struct jmap_call *c, const struct json *filter);
/* For a checked filter. */
enum jmap_operator jmap_filter_operator(const struct json *filter, const struct json **conditions);

/* What is wrong with a condition: NULL: nothing, "": it has a member that there is not. */
typedef const char *(*jmap_condition_check_fn)(const struct json *condition);
/* jmap_filter_check(), and of each condition; has: what one of that type may have, "mailboxes has
 * parentId, ...".  false: the call is over. */
bool jmap_filter_check_all(struct jmap_call *c, const struct json *filter,
    jmap_condition_check_fn check, const char *has);
typedef bool (*jmap_condition_fn)(const struct json *condition, void *arg);
/* Of a checked filter, or NULL, which all matches. */
bool jmap_filter_matches(const struct json *filter, jmap_condition_fn fn, void *arg);

struct jmap_comparator {
	struct span	property;
	bool		descending;
	struct span	collation;	/* p NULL: the server's own */
	const struct json *more;	/* the comparator, for members of the type's own */
};
/* Reads one of q->sort; false: the call is over. */
bool jmap_comparator(struct jmap_call *c, const struct json *sort, size_t i,
    struct jmap_comparator *cmp);

/* Sorts by a few properties in the server's own collation. */
struct jmap_sort {
	size_t	by;			/* place in the list of properties */
	bool	descending;
};
/* All of sort; what: "mailboxes are sorted by sortOrder, ...".  false: the call is over. */
bool jmap_sort_read(struct jmap_call *c, const struct json *sort, const char *const properties[],
    size_t n, const char *what, struct jmap_sort out[JMAP_SORT_MAX], size_t *count);

#endif
