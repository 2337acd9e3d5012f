/* common/mime/report.h
 * What messages that are made here have in common: texts as parts of lines of 7 bits, and the addresses
 * of reports (RFC 3464, RFC 8098, RFC 6533). */
#ifndef COMMON_MIME_REPORT_H
#define COMMON_MIME_REPORT_H

#include <stdbool.h>

#include "common/util/buf.h"
#include "common/util/span.h"

/* Its lines, each ended by CRLF. */
void mime_put_lines(struct buf *out, struct span text);
/* A part: Content-Type (type), Content-Transfer-Encoding, an empty line, the text; in quoted-printable
 * where it could not stand as it is. */
void mime_put_text(struct buf *out, const char *type, struct span text);
/* "Final-Recipient: rfc822; user@example.org" and its line end; an address that is not ASCII has the
 * type utf-8 (RFC 6533 §3).  address: without controls. */
void mime_put_recipient(struct buf *out, const char *field, struct span address);
/* Characters that are not ASCII as "\x{E4}"; all: also what xtext cannot have. */
void mime_put_unitext(struct buf *out, struct span utf8, bool all);

#endif
