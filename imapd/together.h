/* imapd/together.h
 * STOREs that a client sent one behind the other are at the store together, where it cannot tell
 * (RFC 9051 §5.5): they are small, unconditional and about flags, the store applies them in
 * the order in which they were sent, and they are answered in that order.  Nothing that others
 * changed is told before the last of them ended, so that numbers mean to each of them what they
 * meant to the first, and no EXPUNGE is told while one by sequence number is under way.
 *
 * The first is session->cmd, those behind it stand in session->behind.  What else was read
 * meanwhile is held until all of them were answered. */
#ifndef IMAPD_TOGETHER_H
#define IMAPD_TOGETHER_H

#include "imapd/session.h"

#define TOGETHER_MESSAGES 100u	/* of one STORE, at most: such a one is one operation of the store */

/* The command, the one under way, was sent: others may be sent behind it. */
void imap_together_begin(struct imap_cmd *cmd);
/* Another may be read now. */
bool imap_together_may(const struct imap_session *s);
/* Reads what comes next: sends it, or holds it.  false: no whole line is there yet. */
bool imap_together_read(struct imap_session *s, struct buf *in);
/* The first was answered: the next takes its place.  false: there is none. */
bool imap_together_next(struct imap_session *s);
void imap_together_free(struct imap_session *s);

/* cmd_store.c: sends the command, if it is such a STORE and all is well with it.  false: it has
 * to be alone, nothing happened. */
bool imap_store_join(struct imap_cmd *cmd);

#endif
