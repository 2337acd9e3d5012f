/* common/mail/search.h
 * A search as a tree, shared by the protocols, and its judgement of one message.
 *
 * A message is judged with what is at hand; the answer may be "unknown", and then
 * more is brought (search_needs): rows, then the LIST blob, then the bytes.  With all
 * at hand there is always an answer. */
#ifndef COMMON_MAIL_SEARCH_H
#define COMMON_MAIL_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mail/uidset.h"
#include "common/mime/summary.h"
#include "common/util/span.h"

enum search_op {
	SEARCH_ALL, SEARCH_AND, SEARCH_OR, SEARCH_NOT,
	SEARCH_UIDS, SEARCH_SEQS, SEARCH_RECENT,
	SEARCH_FLAG, SEARCH_KEYWORD, SEARCH_MODSEQ,
	SEARCH_BEFORE, SEARCH_ON, SEARCH_SINCE, SEARCH_LARGER, SEARCH_SMALLER,
	SEARCH_SENT_BEFORE, SEARCH_SENT_ON, SEARCH_SENT_SINCE,
	SEARCH_ADDRESS, SEARCH_SUBJECT, SEARCH_HEADER, SEARCH_BODY, SEARCH_TEXT
};

#define SEARCH_DEPTH_MAX 50
#define SEARCH_KEYS_MAX 1000

struct search_node {
	enum search_op		op;
	struct search_node	*first, *next;	/* operands */
	struct span		set;		/* sequence-set as written; see uids */
	struct uidset		uids;		/* filled by the owner before judging */
	unsigned		flag;		/* FLAG_... */
	struct span		name;		/* of a header, keyword */
	enum mime_addr_list	list;		/* of SEARCH_ADDRESS */
	struct span		text;		/* case-mapped (mime_casemap) */
	uint64_t		number;		/* size, modseq */
	int32_t			day;		/* since 1970-01-01 */
};

enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_UNKNOWN };
enum { SEARCH_HAS_ROW = 1, SEARCH_HAS_LIST = 2, SEARCH_HAS_TEXT = 4 };

struct search_message {
	unsigned		has;
	uint32_t		uid, seq;
	bool			recent;
	unsigned		flags;			/* system */
	bool			(*keyword)(void *arg, struct span name);
	void			*arg;
	uint64_t		modseq, size;
	int32_t			received_day;		/* in its own zone */
	const struct mime_list	*list;
	struct span		header;			/* raw */
	struct span		header_text, body_text;	/* canonical: decoded, case-mapped */
};

enum search_answer search_judge(const struct search_node *n, const struct search_message *m);
/* SEARCH_HAS_... that the tree may come to ask for. */
unsigned search_needs(const struct search_node *n);
/* Calls fn for every node. */
void search_each(struct search_node *n, void (*fn)(struct search_node *n, void *arg), void *arg);
/* Frees the uid sets; nodes are their arena's. */
void search_fini(struct search_node *n);
/* needle is case-mapped; "" is in everything. */
bool search_contains(struct span text, struct span needle);

#endif
