/* common/mail/mailbox_name.h
 * Names of mailboxes as all protocols share them: paths in UTF-8, NFC, parts joined
 * by "/", INBOX (also as the first part of a path) in this spelling.  IMAP shows
 * them in modified UTF-7 (RFC 3501 §5.1.3).
 *
 * Valid: 1..20 parts of 1..255 bytes each, at most 1024 in all; no control
 * characters, no part "." or ".."; no "%" and "*", which no client could name in
 * LIST. */
#ifndef COMMON_MAIL_MAILBOX_NAME_H
#define COMMON_MAIL_MAILBOX_NAME_H

#include <stdbool.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define MAILBOX_NAME_MAX	1024	/* bytes of a path */
#define MAILBOX_PART_MAX	255
#define MAILBOX_DEPTH_MAX	20
#define MAILBOX_DELIMITER	'/'

/* Makes the path of a name that a client sent as UTF-8: NFC, INBOX folded, one
 * trailing "/" taken off (RFC 3501 §6.3.3).  false, out as it was: not valid. */
bool mailbox_name_from_utf8(struct span name, struct buf *out);
/* The same from modified UTF-7.  Only the one correct encoding of a name is taken:
 * what could be written plainly must be, no empty shift, no bits left over. */
bool mailbox_name_from_utf7(struct span name, struct buf *out);
/* Appends the modified UTF-7 form of a path. */
void mailbox_name_to_utf7(struct span path, struct buf *out);
/* The bare encodings, without folding or rules about parts: for patterns.  false, out
 * as it was: malformed. */
bool mailbox_utf7_decode(struct span in, struct buf *out);

bool mailbox_name_valid(struct span path);
bool mailbox_name_is_inbox(struct span path);	/* any case */
/* The path above, or an empty span at the top. */
struct span mailbox_name_parent(struct span path);
/* true: `path` lies below `above`. */
bool mailbox_name_is_below(struct span path, struct span above);

/* LIST patterns: "%" matches anything but "/", "*" anything.  The pattern's first part
 * matches INBOX in any case (RFC 3501 §6.3.8).  Time is the product of the two
 * lengths at worst. */
bool mailbox_pattern_match(struct span pattern, struct span path);

#endif
