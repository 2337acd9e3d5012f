/* common/proto/imap_annotation.h
 * Annotations of messages in commands (RFC 5257 §5).  What breaks the grammar, or is no name of
 * an entry or attribute, is the arguments' error (BAD).  Lists and strings are the arena's,
 * or lie in the text. */
#ifndef COMMON_PROTO_IMAP_ANNOTATION_H
#define COMMON_PROTO_IMAP_ANNOTATION_H

#include "common/proto/imap_args.h"

#define IMAP_ANNOTATIONS_MAX	40u	/* set by one list */
#define IMAP_ANNOTATION_NAMES	64u	/* asked for by one item */
#define IMAP_ANNOTATION_NAME	255u	/* bytes */

/* "(" entry-att *(SP entry-att) ")" of STORE and APPEND. */
struct imap_annotation {
	struct span	entry, value;
	bool		shared, given;		/* given false: NIL */
};
struct imap_annotations {
	struct imap_annotation	*list;
	size_t			n;
	bool			shared;		/* one of them is */
	bool			parts;		/* one is of a body part */
	bool			too_many, not_settable, bad_value;
	size_t			longest;	/* value */
};
void imap_args_annotations(struct imap_args *a, struct imap_annotations *out);
/* It stands at a value whose literal is not there yet. */
bool imap_args_annotation_literal(struct imap_args a);

/* "(" entries SP attribs ")" of FETCH. */
enum {
	IMAP_ANNOTATION_VALUE_PRIV = 1, IMAP_ANNOTATION_VALUE_SHARED = 2,
	IMAP_ANNOTATION_SIZE_PRIV = 4, IMAP_ANNOTATION_SIZE_SHARED = 8
};
struct imap_annotation_item {
	struct span	*entries;	/* patterns among them */
	size_t		n;
	unsigned	attribs;
	bool		parts;		/* one names a body part */
};
void imap_args_annotation_item(struct imap_args *a, struct imap_annotation_item *out);

/* SP entry-match SP att-search: attribs are those of values that are searched. */
void imap_args_annotation_key(struct imap_args *a, struct span *entry, unsigned *attribs);
/* SP entry SP att-sort. */
void imap_args_annotation_sort(struct imap_args *a, struct span *entry, bool *shared);

#endif
