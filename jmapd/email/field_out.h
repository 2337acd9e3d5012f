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

/* A Date of RFC 8620 §1.4; false: not one. */
bool field_date_read(struct span text, int64_t *sec, int *zone_min);

/* No controls; UTF-8 is what JSON has anyway. */
bool field_is_clean(struct span s);

#endif
