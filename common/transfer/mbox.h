/* common/transfer/mbox.h
 * Mailbox files: messages behind "From " lines, with a '>' before each line that would be taken
 * for one (mboxrd), LF at the end of lines.
 *
 * What goes with a message stands in front of its own header, in fields that mail readers know
 * (Status, X-Status, X-Keywords, X-UID, X-IMAPbase), led by one that tells how many they are and
 * what became of the line ends:
 *
 *	X-Mansio-Mbox: 1 FIELDS FORM END RECEIVED ZONE
 *
 * FIELDS: that many lines of ours follow.  FORM: L, CRLF was written as LF; R, bytes as they are.
 * END: C, the message ends with a line end; O, it does not, and one was added.  RECEIVED: seconds
 * since 1970 UTC; ZONE: minutes east.  Reading takes them out again; from files of others it takes
 * the same fields, wherever they stand in a header. */
#ifndef COMMON_TRANSFER_MBOX_H
#define COMMON_TRANSFER_MBOX_H

#include "common/transfer/transfer.h"

/* Appends the "From " line and the fields.  *marks: where in out the two letters FORM and END
 * stand, with a blank between, to be written over when it turns out that they are others.
 * base: the first message of its file, which tells m->uidvalidity and m->uidnext. */
void mbox_begin(const struct transfer_message *m, bool raw, bool base, struct buf *out,
    size_t *marks);
/* Behind the text: l is what it was written with. */
void mbox_end(const struct transfer_lines *l, struct buf *out);

/* Reads all of it.  false: no message is in it, though it is not empty. */
bool mbox_read(const struct transfer_source *source, const struct transfer_ops *ops, void *arg);

#endif
