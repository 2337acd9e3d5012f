/* imapd/search_text.h
 * What BODY and TEXT look at: a message's header and the text of its parts, decoded,
 * in UTF-8 and case-mapped.  HTML counts as the text that it shows. */
#ifndef IMAPD_SEARCH_TEXT_H
#define IMAPD_SEARCH_TEXT_H

#include "common/mime/summary.h"
#include "common/util/buf.h"

/* st: of raw.  Appends to header and body. */
void search_text(struct span raw, const struct mime_structure *st, struct buf *header,
    struct buf *body);

#endif
