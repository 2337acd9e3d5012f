/* common/json/pointer.h
 * JSON Pointers (RFC 6901) with the "*" of RFC 8620 §3.7, which maps the rest over the items of an
 * array and flattens: evaluated on JSON text, in one pass over it for each step, without
 * building anything of it. */
#ifndef COMMON_JSON_POINTER_H
#define COMMON_JSON_POINTER_H

#include <stdbool.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define JSON_POINTER_STEPS	16u

/* Appends the value as JSON text.  text: valid JSON, no blanks between (as json_writer makes
 * it).  false: the pointer is none, has too many steps, or something it names is not there;
 * out may have got rests then. */
bool json_pointer(struct span text, struct span pointer, struct buf *out);
/* Appends the step with ~0 and ~1 undone; false: another ~. */
bool json_pointer_unescape(struct span step, struct buf *out);

#endif
