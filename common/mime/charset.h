/* common/mime/charset.h
 * Any charset of mail to UTF-8, piece by piece; the door to iconv.  Nothing fails:
 * malformed input becomes U+FFFD, an unknown charset is read as UTF-8 and each byte
 * that is none as windows-1252, which is what such mail mostly is.  us-ascii and
 * iso-8859-1 with 8-bit bytes are read in that way too.  NUL is dropped. */
#ifndef COMMON_MIME_CHARSET_H
#define COMMON_MIME_CHARSET_H

#include <stdbool.h>

#include "common/util/buf.h"
#include "common/util/span.h"

/* glibc loads converters from files: call once before the sandbox closes, so that
 * the common ones are there afterwards. */
void mime_charset_preload(void);
/* Known here or to iconv. */
bool mime_charset_known(struct span name);

struct mime_charset;
/* name: as in the message, may be empty. */
struct mime_charset *mime_charset_new(struct span name);
void mime_charset_free(struct mime_charset **c);
/* Appends UTF-8 to out; a character cut at the end waits for the next piece. */
void mime_charset_feed(struct mime_charset *c, struct span in, struct buf *out);
/* End of the text: what is still held becomes U+FFFD or its windows-1252 reading. */
void mime_charset_done(struct mime_charset *c, struct buf *out);
/* Something so far was malformed, or was not what the name says (8-bit bytes of us-ascii, UTF-8 that
 * is none), or the name is not known. */
bool mime_charset_problem(const struct mime_charset *c);
/* All in one. */
void mime_charset_utf8(struct span name, struct span in, struct buf *out);
/* Without any byte above 127. */
bool mime_is_ascii(struct span s);
/* Longest prefix of s, at most max bytes, that cuts no UTF-8 sequence. */
struct span mime_utf8_cut(struct span s, size_t max);

/* i;unicode-casemap, RFC 5051 2: titlecase, then full decomposition.  Appends the
 * form whose bytes are compared.  in is UTF-8; other bytes are copied. */
void mime_casemap(struct span in, struct buf *out);

#endif
