/* common/proto/imap_search.h
 * The arguments of SEARCH, SORT, THREAD and ESEARCH (RFC 3501 §6.4.4, RFC 4731, 5032, 5182,
 * 5256, 5257, 5267, 5957, 6203, 7162 §3.1.5, 8474, 8514, 9394) as a search tree and what is to
 * be told of its result.  Nodes and strings are the arguments' arena's. */
#ifndef COMMON_PROTO_IMAP_SEARCH_H
#define COMMON_PROTO_IMAP_SEARCH_H

#include "common/mail/search.h"
#include "common/proto/imap_args.h"

enum {
	IMAP_RETURN_MIN = 1, IMAP_RETURN_MAX = 2, IMAP_RETURN_ALL = 4, IMAP_RETURN_COUNT = 8,
	IMAP_RETURN_SAVE = 16, IMAP_RETURN_PARTIAL = 32, IMAP_RETURN_CONTEXT = 64,
	IMAP_RETURN_UPDATE = 128, IMAP_RETURN_RELEVANCY = 256
};

/* Extensions that can be switched off: their words are unknown then. */
enum {
	IMAP_SEARCH_RES = 1, IMAP_SEARCH_WITHIN = 2, IMAP_SEARCH_CONTEXT = 4,
	IMAP_SEARCH_PARTIAL = 8, IMAP_SEARCH_FUZZY = 16, IMAP_SEARCH_SAVEDATE = 32,
	IMAP_SEARCH_OBJECTID = 64, IMAP_SEARCH_CONDSTORE = 128, IMAP_SEARCH_EXTENDED = 256,
	IMAP_SEARCH_DISPLAY = 512, IMAP_SEARCH_ORDEREDSUBJECT = 1024,
	IMAP_SEARCH_REFERENCES = 2048, IMAP_SEARCH_FILTERS_KEY = 4096,
	IMAP_SEARCH_UID_BOUNDS = 8192,	/* UIDAFTER, UIDBEFORE */
	IMAP_SEARCH_UPDATE_ITEMS = 16384,	/* behind UPDATE, RFC 5465 §7 */
	IMAP_SEARCH_ANNOTATION = 32768
};

/* "1:100", or "-1:-100" from the end; "100:1" is the same (RFC 9394 §4). */
struct imap_partial {
	bool		from_end;
	uint32_t	lo, hi;
};

enum imap_sort_key {
	IMAP_SORT_ARRIVAL, IMAP_SORT_CC, IMAP_SORT_DATE, IMAP_SORT_FROM, IMAP_SORT_SIZE,
	IMAP_SORT_SUBJECT, IMAP_SORT_TO, IMAP_SORT_DISPLAY_FROM, IMAP_SORT_DISPLAY_TO,
	IMAP_SORT_RELEVANCY, IMAP_SORT_ANNOTATION, IMAP_SORT_KEYS
};
#define IMAP_SORT_ENTRIES 8u	/* annotations among the criteria */
#define IMAP_SORT_MAX (IMAP_SORT_KEYS + IMAP_SORT_ENTRIES)
struct imap_sort_criterion {
	enum imap_sort_key	key;
	bool			reverse;
	struct span		entry;		/* of IMAP_SORT_ANNOTATION */
	bool			shared;
};

enum imap_thread_by { IMAP_THREAD_ORDEREDSUBJECT, IMAP_THREAD_REFERENCES };

#define IMAP_UPDATE_ITEMS_MAX 4096u	/* bytes of update_items */
#define IMAP_SEARCH_FILTERS 16u	/* FILTER keys in one search */
struct imap_search_filter {
	struct span	name;
	struct span	at;		/* "FILTER name" in the text */
};

struct imap_search {
	unsigned		off;		/* given: IMAP_SEARCH_... that are not there */
	enum search_collation	collation;	/* given */
	bool			no_charset;	/* given: UTF8=ACCEPT is on, RFC 9755 §3 */
	bool			extended;	/* RETURN stood there */
	unsigned		wants;		/* IMAP_RETURN_... */
	struct imap_partial	partial;
	struct span		update_items;	/* "(" fetch-att ... ")"; empty: none */
	bool			bad_charset;
	struct span		charset;	/* as given; empty: none */
	struct imap_search_filter filters[IMAP_SEARCH_FILTERS];	/* in the text's order */
	size_t			n_filters;
	bool			modseq;		/* the MODSEQ key is used */
	bool			fuzzy;
	struct search_node	*root;
	/* SORT; a criterion that was there before is left out: it decides nothing */
	struct imap_sort_criterion criteria[IMAP_SORT_MAX];
	size_t			n_criteria;
	enum imap_thread_by	thread;
};

/* [SP "RETURN" SP "(" ... ")"] [SP "CHARSET" SP charset] 1*(SP search-key) */
void imap_search_parse(struct imap_args *a, struct imap_search *s);
/* [SP "RETURN" SP "(" ... ")"] SP "(" criteria ")" SP charset 1*(SP search-key) */
void imap_sort_parse(struct imap_args *a, struct imap_search *s);
/* SP algorithm SP charset 1*(SP search-key) */
void imap_thread_parse(struct imap_args *a, struct imap_search *s);
/* Is the text search-key *(SP search-key), in UTF-8 (RFC 5466 §3.2)? */
bool imap_search_criteria(struct span text, struct arena *arena, unsigned off);
/* "1:100" / "-1:-100" */
void imap_args_partial_range(struct imap_args *a, struct imap_partial *p);

#endif
