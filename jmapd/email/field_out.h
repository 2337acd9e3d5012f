/* jmapd/email/field_out.h
 * Header fields as a message has them, out of what JMAP clients give (RFC 8621 §4.1.2): folded to 78
 * columns where that is possible and to 998 always, words of RFC 2047 that cut no character,
 * parameters of RFC 2231.  What is written reads as what was given (header.h).
 *
 * All return false, with nothing written, for a value that is of the wrong type or that no field
 * can hold; *why says what is wrong with it then. */
#ifndef JMAPD_EMAIL_FIELD_OUT_H
#define JMAPD_EMAIL_FIELD_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json/json.h"
#include "common/util/arena.h"
#include "common/util/buf.h"
#include "jmapd/email/header.h"

/* A field whose value is of this form; with p->all one for each of an array.  null writes none. */
bool field_out(struct buf *out, struct arena *a, const struct header_property *p,
    const struct json *value, const char **why);

/* "Name: value" of a structured field that is put together here, with its line end. */
struct field_line {
	struct buf	*out;
	size_t		column;
};
void field_line_begin(struct field_line *l, struct buf *out, struct span name);
/* A run without blanks, after a blank or, where it does not fit, a fold. */
void field_line_word(struct field_line *l, struct span word);
/* "; name=value": value UTF-8, any bytes but controls. */
void field_line_param(struct field_line *l, const char *name, struct span value);
void field_line_end(struct field_line *l);

/* RFC 5322 3.3. */
void field_date_put(struct buf *out, int64_t sec, int zone_min);
/* A Date of RFC 8620 §1.4; false: not one. */
bool field_date_read(struct span text, int64_t *sec, int *zone_min);

/* Token of RFC 2045 5.1. */
bool field_is_token(struct span s);
/* No controls; UTF-8 is what JSON has anyway. */
bool field_is_clean(struct span s);

#endif
