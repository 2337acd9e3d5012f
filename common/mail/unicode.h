/* common/mail/unicode.h
 * The little that addresses and names need of Unicode; the door to libunistring. */
#ifndef COMMON_MAIL_UNICODE_H
#define COMMON_MAIL_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

bool unicode_is_utf8(struct span s);
/* Well-formed UTF-8 without control characters (C0, DEL, C1), line and paragraph
 * separators; blanks (any Unicode white space) only when they are allowed. */
bool unicode_is_clean(struct span s, bool blanks);
/* Appends the NFC form, in lower case when asked.  false, out as it was: no UTF-8. */
bool unicode_nfc(struct span s, bool lower, struct buf *out);
/* Appends a character as UTF-8.  false: it is none. */
bool unicode_put(struct buf *out, uint32_t c);
/* Decodes a domain label without its "xn--" (RFC 3492); appends UTF-8.  false, out as it
 * was: malformed, or nothing in it needed the encoding. */
bool punycode_decode(struct span label, struct buf *out);

#endif
