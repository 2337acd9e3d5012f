/* imapd/context.h
 * Searches whose results are kept up to date (RFC 5267 §4.3): ADDTO and REMOVEFROM.  They
 * belong to the view of the selected mailbox and end with it. */
#ifndef IMAPD_CONTEXT_H
#define IMAPD_CONTEXT_H

#include "imapd/session.h"

#define CONTEXTS_MAX		16u	/* of a session */
#define CONTEXTS_SORTED_MAX	4u	/* of them: a change sorts anew */

struct imap_contexts;
void imap_contexts_free(struct imap_contexts **c);

/* The command's tag may be used, and so may what it wants to be told of new messages; false:
 * the command was ended. */
bool imap_context_allowed(struct imap_cmd *cmd);
/* UPDATE was asked for: keeps the finding's program and result, or tells NOUPDATE. */
void imap_context_add(struct imap_cmd *cmd);
/* The message's flags changed, or it is new. */
void imap_contexts_touch(struct imap_contexts *c, uint32_t uid);
void imap_contexts_new(struct imap_contexts *c, uint32_t uid);
/* Before EXPUNGE is told. */
void imap_contexts_expunged(const struct imap_view *v, const struct uidset *uids, struct buf *out);
bool imap_contexts_due(const struct imap_contexts *c);
/* Judges what was touched, tells, then calls done; at once when there is nothing to do. */
void imap_contexts_update(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd));

#endif
