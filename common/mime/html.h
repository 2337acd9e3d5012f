/* common/mime/html.h
 * HTML to text, piece by piece: enough to search and to preview, no more.  Tags fall
 * away, block tags and <br> become line ends, script, style, head's title and comments are
 * dropped, entities are read, blanks run together. */
#ifndef COMMON_MIME_HTML_H
#define COMMON_MIME_HTML_H

#include "common/util/buf.h"
#include "common/util/span.h"

struct mime_html;
struct mime_html *mime_html_new(void);
void mime_html_free(struct mime_html **h);
/* in: UTF-8.  Appends UTF-8 text. */
void mime_html_feed(struct mime_html *h, struct span in, struct buf *out);
void mime_html_done(struct mime_html *h, struct buf *out);

#endif
