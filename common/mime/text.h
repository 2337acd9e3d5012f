/* common/mime/text.h
 * What of a message is its canonical text (doc/search.md), piece by piece: the one definition, used
 * by the digest, which keeps the text, and by whoever looks into a message that streams by
 * (common/mail/search_scan.h).  What comes out is UTF-8, not mapped yet. */
#ifndef COMMON_MIME_TEXT_H
#define COMMON_MIME_TEXT_H

#include <stdbool.h>

#include "common/mime/charset.h"
#include "common/mime/coding.h"
#include "common/mime/field.h"
#include "common/mime/html.h"
#include "common/util/buf.h"
#include "common/util/span.h"

#define MIME_TEXT_VERSION 2	/* of the canonical text */

/* A line for each field of a header block, one after the other; false: no more.  line is
 * replaced. */
bool mime_text_field(struct span *block, struct buf *line);

/* A part's text while it runs; a zeroed one rests. */
struct mime_text_part {
	bool			runs;
	struct mime_decoder	decoder;
	struct mime_charset	*charset;
	struct mime_html	*html;
	struct buf		decoded, utf8;
	uint64_t		n_decoded;	/* bytes of content so far */
};
/* Is a leaf of this type (given: by a Content-Type that could be read) text?  A multipart without
 * boundary is a leaf, and text. */
bool mime_text_is(bool given, bool in_digest, struct span type);
/* The part starts.  params may be NULL; coding: the field's value, unfolded. */
void mime_text_begin(struct mime_text_part *t, struct span type, struct span subtype,
    const struct mime_params *params, struct span coding);
/* Appends what comes out of a piece. */
void mime_text_feed(struct mime_text_part *t, struct span data, struct buf *out);
/* The part is over: the rest of it. */
void mime_text_end(struct mime_text_part *t, struct buf *out);
/* Frees what it holds, whatever it was doing. */
void mime_text_fini(struct mime_text_part *t);

#endif
