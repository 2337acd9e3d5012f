/* common/mail/search.h
 * A search as a tree, shared by the protocols, and its judgement of one message.
 *
 * A message is judged with what is at hand; the answer may be "unknown", and then
 * more is brought (search_program.needs): rows, then columns or the LIST blob, then the
 * bytes (search_scan.h).  With all at hand there is always an answer. */
#ifndef COMMON_MAIL_SEARCH_H
#define COMMON_MAIL_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mail/flags.h"
#include "common/mail/uidset.h"
#include "common/mime/columns.h"
#include "common/mime/summary.h"
#include "common/util/arena.h"
#include "common/util/span.h"

enum search_op {
	SEARCH_ALL, SEARCH_AND, SEARCH_OR, SEARCH_NOT,
	SEARCH_FUZZY,				/* one operand; the same answer as it */
	SEARCH_UIDS, SEARCH_SEQS,
	SEARCH_ANNOTATION,			/* becomes a set: who searches fills uids */
	SEARCH_RECENT,
	SEARCH_FLAG, SEARCH_KEYWORD, SEARCH_MODSEQ,
	SEARCH_BEFORE, SEARCH_ON, SEARCH_SINCE, SEARCH_LARGER, SEARCH_SMALLER,
	SEARCH_OLDER, SEARCH_YOUNGER,		/* number: seconds before now; see search_prepare */
	SEARCH_SAVED_BEFORE, SEARCH_SAVED_ON, SEARCH_SAVED_SINCE,
	SEARCH_EMAIL_ID, SEARCH_THREAD_ID,
	SEARCH_SENT_BEFORE, SEARCH_SENT_ON, SEARCH_SENT_SINCE,
	SEARCH_ATTACHMENT,			/* mime_list.has_attachment */
	SEARCH_ADDRESS, SEARCH_SUBJECT, SEARCH_HEADER, SEARCH_BODY, SEARCH_TEXT
};

/* Which of the values (RFC 5257) are looked at; NIL: those that match have none. */
enum {
	SEARCH_ANNOTATION_PRIVATE = 1, SEARCH_ANNOTATION_SHARED = 2, SEARCH_ANNOTATION_NIL = 4
};

#define SEARCH_DEPTH_MAX 50
#define SEARCH_KEYS_MAX 1000

/* How text is compared (RFC 4790, RFC 5051). */
enum search_collation { SEARCH_UNICODE_CASEMAP, SEARCH_ASCII_CASEMAP, SEARCH_OCTET };
/* Appends what is compared of UTF-8 text. */
void search_map(enum search_collation c, struct span utf8, struct buf *out);

struct search_node {
	enum search_op		op;
	struct search_node	*first, *next;	/* operands */
	struct span		set;		/* sequence-set as written; see uids */
	struct uidset		uids;		/* filled by the owner before judging */
	unsigned		flag;		/* FLAG_..., SEARCH_ANNOTATION_... */
	struct span		name;		/* of a header, keyword, entry */
	int			bit;		/* of the keyword; -1: not known */
	enum mime_addr_list	list;		/* of SEARCH_ADDRESS */
	struct span		text;		/* mapped by the collation */
	uint64_t		number;		/* size, modseq, id, seconds */
	int64_t			when;		/* of OLDER and YOUNGER, seconds UTC */
	int32_t			day;		/* since 1970-01-01 */
	unsigned		slot;		/* of HEADER, BODY, TEXT: index of its hit */
};

enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_UNKNOWN };
enum {
	SEARCH_HAS_ROW = 1, SEARCH_HAS_LIST = 2, SEARCH_HAS_TEXT = 4,
	SEARCH_HAS_COLUMNS = 8,		/* beside LIST */
	SEARCH_HAS_IDS = 16,		/* of the row: ids, date saved */
	SEARCH_HAS_PLAIN = 32		/* hits say all of BODY and TEXT, and nothing of HEADER */
};
/* Where the text was found. */
enum { SEARCH_HIT_HEADER = 1, SEARCH_HIT_BODY = 2 };

struct search_message {
	unsigned		has;
	uint32_t		uid;
	bool			recent;
	unsigned		flags;			/* system */
	const struct flags	*all_flags;		/* keywords by bit */
	uint64_t		modseq, size, email, thread;
	int64_t			received_s, saved_s;
	int32_t			received_day;		/* in its own zone */
	const struct mime_list	*list;
	const struct span	*columns;		/* MIME_COLUMNS of them; those asked for */
	/* Of the text keys, by slot.  Without SEARCH_HAS_TEXT only hits count. */
	const unsigned char	*hits;
};

/* A tree, ready to be used for many messages. */
struct search_program {
	struct search_node	*root;
	enum search_collation	collation;
	unsigned		needs;		/* SEARCH_HAS_... that it may come to ask for */
	uint32_t		columns;	/* bits 1 << enum mime_column; 0: they are no help */
	bool			sets;		/* some key is judged without a row */
	bool			fuzzy;
	unsigned		n_nodes, n_slots;
	struct search_node	**slots;
};
/* root and collation are set; the rest is filled here.  now_s: for OLDER and YOUNGER.  Memory is
 * the arena's. */
void search_prepare(struct search_program *p, int64_t now_s, struct arena *a);
/* Bits of keywords out of a list of names (put_store_keyword's form is the caller's business). */
void search_resolve_keywords(struct search_program *p, int (*bit)(void *arg, struct span name),
    void *arg);
/* Frees the uid sets; nodes are their arena's. */
void search_fini(struct search_program *p);

enum search_answer search_judge(const struct search_program *p, const struct search_message *m);
/* 1..100: how well a message that matches does so (RFC 6203 §4): where its text was found. */
unsigned search_relevancy(const struct search_program *p, const struct search_message *m);
/* Calls fn for every node. */
void search_each(struct search_node *n, void (*fn)(struct search_node *n, void *arg), void *arg);
/* needle is mapped; "" is in everything. */
bool search_contains(struct span text, struct span needle);
/* A field's value as it is searched in: unfolded, encoded words decoded, mapped. */
void search_add_value(enum search_collation c, struct span value, struct buf *out);

#endif
