/* imapd/beside.h
 * A FETCH that no client sent, within whatever command tells its answers: an end of a command,
 * IDLE, or none (imap_session_background()).  One at a time; it goes with that command. */
#ifndef IMAPD_BESIDE_H
#define IMAPD_BESIDE_H

#include "imapd/fetch.h"

/* Reads the items "(" ... ")" as FETCH does, UID FETCH where uid says so.  NULL: malformed. */
struct fetch *imap_beside_items(const struct imap_session *s, struct span text, bool uid,
    struct arena *arena);
/* Tells the items of uids, which are taken; then(outer) runs later, unless the session ends.  false: the
 * items are malformed, nothing happens. */
bool imap_beside_fetch(struct imap_cmd *outer, struct span items, bool uid, struct uidset *uids,
    void (*then)(struct imap_cmd *outer));
/* With the session's command. */
void imap_beside_free(struct imap_session *s);

#endif
