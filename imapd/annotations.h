/* imapd/annotations.h
 * Annotations of messages (RFC 5257) between commands and the store. */
#ifndef IMAPD_ANNOTATIONS_H
#define IMAPD_ANNOTATIONS_H

#include "common/proto/imap_annotation.h"
#include "common/util/buf.h"
#include "common/util/table.h"

/* Why a list that was read well is refused ("NO [ANNOTATE TOOBIG] ..."); NULL: it is not. */
const char *imap_annotations_refusal(const struct imap_annotations *l);
/* As a request of the store has them; uid: 0, or which of the items.  fresh: what is NIL is left
 * out, as there is nothing before it. */
void imap_annotations_put(const struct imap_annotations *l, uint32_t uid, bool fresh,
    struct buf *out);
/* Has the message every part that is named?  structure: its blob; an unknown one passes. */
bool imap_annotations_parts_there(const struct imap_annotations *l, struct span structure);

/* Which annotations others changed in the selected mailbox, on their way to the client. */
struct imap_annotated {
	uint64_t	since;		/* changes up to it are told */
	struct buf	own;		/* modseqs of our own changes behind it, u64 */
	struct buf	changed;	/* store_annotated... */
	struct table	kept;		/* their uids and entries */
};
struct imap_annotated *imap_annotated_new(uint64_t since);
void imap_annotated_free(struct imap_annotated **a);
/* Our own change. */
void imap_annotated_own(struct imap_annotated *a, uint64_t modseq);
/* Forgets what was kept. */
void imap_annotated_clear(struct imap_annotated *a);
/* Keeps what others changed, of a part of an answer, unless that is too much to name. */
void imap_annotated_keep(struct imap_annotated *a, struct span entries);
/* "ANNOTATION (/comment)" of what is kept of a message; nothing when there is none. */
void imap_annotated_put(const struct imap_annotated *a, uint32_t uid, struct buf *out);
/* All was told up to this modseq. */
void imap_annotated_told(struct imap_annotated *a, uint64_t modseq);

/* What a request must ask for, so that the item can be told. */
unsigned imap_annotation_which(const struct imap_annotation_item *it);
/* "ANNOTATION (/comment (value.priv NIL))", of the rows of one message that were asked for;
 * nothing when it has none. */
void imap_annotation_tell(const struct imap_annotation_item *it, struct span rows,
    struct buf *out);
/* Has it every part that is asked for by name? */
bool imap_annotation_parts_there(const struct imap_annotation_item *it, struct span structure);

#endif
