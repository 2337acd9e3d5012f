/* imapd/sync.h
 * Telling a session what others changed in its mailbox. */
#ifndef IMAPD_SYNC_H
#define IMAPD_SYNC_H

#include "imapd/session.h"

/* There is something to ask the store for, or something merged that was not told. */
bool imap_sync_due(const struct imap_view *v);
/* Asks, merges, tells as much as cmd's entry lets it, then calls done.  The session may end
 * instead (the mailbox is gone). */
void imap_sync(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd));
/* Appends an untagged FETCH with a message's flags. */
void imap_put_flags_row(struct imap_session *s, const struct store_row *row, bool uid,
    bool flags, struct buf *out);
/* APPEND whose next literal is the message: true: it took the command over. */
bool imap_append_wants(struct imap_cmd *cmd);

#endif
