/* imapd/sync.h
 * Telling a session what others changed in its mailbox. */
#ifndef IMAPD_SYNC_H
#define IMAPD_SYNC_H

#include "imapd/session.h"

/* The store tells from now on when the account changes; once a login is enough. */
void imap_watch(struct imap_session *s);
/* There is something to ask the store for, or something merged that was not told. */
bool imap_sync_due(const struct imap_view *v);
/* A command ends and is not told what is due: where modseqs count, that it is to come. */
void imap_sync_later(struct imap_session *s);
/* Asks, merges, tells as much as cmd's entry lets it, then calls done.  The session may end
 * instead (the mailbox is gone). */
void imap_sync(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd));
/* The session becomes aware of modseqs, whichever command made it so: the mailbox's
 * HIGHESTMODSEQ is told then (RFC 7162 §3.1). */
void imap_condstore(struct imap_session *s);
/* ENABLE of CONDSTORE, QRESYNC, UIDONLY; adds the words that are new to out.  false: not one
 * of them. */
bool imap_sync_enable(struct imap_session *s, struct span name, struct buf *out);
/* Expunges are told as VANISHED, never as EXPUNGE. */
static inline bool
imap_vanished(const struct imap_session *s)
{
	return s->qresync || s->uidonly;
}
/* How URLs of the selected mailbox are authorized (RFC 4467), if it is one's own. */
void imap_tell_url_mechanisms(struct imap_session *s);
/* Messages that the session's own command removed: told at once. */
void imap_tell_expunged(struct imap_session *s, const struct uidset *uids);
/* "* 12 FETCH (", or "* uid UIDFETCH (". */
void imap_put_fetch_head(const struct imap_session *s, uint32_t uid, struct buf *out);
/* What happened to `uids` (NULL: to all) after `since`, before the messages are fetched.
 * vanished: those that are gone are told as VANISHED (EARLIER), but for those up to
 * `matched`.  Then done; changed: those of uids that are there and changed, the caller's. */
typedef void (*imap_earlier_fn)(struct imap_cmd *cmd, enum status st, struct uidset *changed);
void imap_earlier(struct imap_cmd *cmd, uint64_t since, const struct uidset *uids, bool vanished,
    uint32_t matched, imap_earlier_fn done);
void imap_earlier_free(struct imap_earlier **e);
/* Untagged FETCHes with UID, FLAGS and MODSEQ of those of `changed` that did after `since`,
 * then done; changed is empty then.  Waits for a client that is slow. */
void imap_tell_changed(struct imap_cmd *cmd, struct uidset *changed, uint64_t since,
    void (*done)(struct imap_cmd *cmd));
/* Appends an untagged FETCH with a message's flags. */
void imap_put_flags_row(struct imap_session *s, const struct store_row *row, bool uid,
    bool flags, struct buf *out);
/* APPEND whose next literal is the message: true: it took the command over. */
bool imap_append_wants(struct imap_cmd *cmd);

#endif
