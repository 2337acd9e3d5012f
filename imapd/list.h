/* imapd/list.h
 * Parts of LIST and STATUS that other commands show too. */
#ifndef IMAPD_LIST_H
#define IMAPD_LIST_H

#include "imapd/session.h"

/* Reads "(MESSAGES UNSEEN ...)"; bits for imap_put_status(). */
unsigned imap_args_status(struct imap_session *s, struct imap_args *a);
/* The STATUS line of a mailbox. */
void imap_put_status(struct imap_session *s, const struct store_mailbox *m, unsigned items);
/* "* LIST (attributes) "/" path", without CRLF; attributes: of "" or " \\X \\Y". */
void imap_put_list(struct imap_session *s, const char *what, const char *attributes,
    struct span path);
/* " \\Drafts", or "". */
const char *imap_use_attribute(enum mailbox_role role);
/* After ENABLE IMAP4rev2: tells the mailbox's name where the client wrote it otherwise, or
 * always (RFC 9051 §6.3.9.7).  given: as the client wrote it, in UTF-8. */
void imap_put_oldname(struct imap_session *s, struct span path, struct span given, bool always);

#endif
