/* common/mail/annotation.h
 * Names of the annotations of messages (RFC 5257 §3.2.1). */
#ifndef COMMON_MAIL_ANNOTATION_H
#define COMMON_MAIL_ANNOTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/span.h"

#define ANNOTATION_PART_DEPTH_MAX 100u

/* "/comment": begins with "/", no empty part, ASCII without NUL, "*" and "%". */
bool annotation_entry_valid(struct span entry);
/* The same with "*" and "%". */
bool annotation_pattern_valid(struct span pattern);
bool annotation_is_pattern(struct span entry);

/* "/1.2/comment" is of the part 1.2.  ANNOTATION_PART_BAD: begins with a digit, but is no part
 * specifier.  parts: ANNOTATION_PART_DEPTH_MAX of them. */
enum annotation_of { ANNOTATION_MESSAGE, ANNOTATION_PART, ANNOTATION_PART_BAD };
enum annotation_of annotation_of(struct span entry, uint32_t *parts, size_t *n);

/* What may be set: an entry that is specified, or a vendor's; a flag of a part is "0" or "1". */
bool annotation_settable(struct span entry);
bool annotation_value_fits(struct span entry, struct span value);

#endif
