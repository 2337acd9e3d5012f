/* common/mime/write.h
 * Header fields as a message has them: folded to 78 columns where that is possible and to 998
 * always, words of RFC 2047 that cut no character, parameters of RFC 2231.  What is written reads
 * as what was given. */
#ifndef COMMON_MIME_WRITE_H
#define COMMON_MIME_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define MIME_LINE_WORD_MAX	990u	/* of 998, for what stands around a word */

/* "Name: value", put together piece by piece, with its line end. */
struct mime_line {
	struct buf	*out;
	size_t		column;
};
void mime_line_begin(struct mime_line *l, struct buf *out, struct span name);
/* A run without blanks, after a blank or, where it does not fit, a fold. */
void mime_line_word(struct mime_line *l, struct span word);
/* Unstructured text, UTF-8 without controls (tabs become blanks); encoded where it must be. */
void mime_line_text(struct mime_line *l, struct span text);
/* The display name of an address, UTF-8 without controls: atoms, a quoted string, or encoded. */
void mime_line_phrase(struct mime_line *l, struct span name);
/* "; name=value": value UTF-8, any bytes but controls. */
void mime_line_param(struct mime_line *l, const char *name, struct span value);
void mime_line_end(struct mime_line *l);

/* RFC 5322 3.3. */
void mime_date_put(struct buf *out, int64_t sec, int zone_min);

/* Token of RFC 2045 5.1. */
bool mime_is_token(struct span s);

#endif
