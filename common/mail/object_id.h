/* common/mail/object_id.h
 * Ids as clients see them (RFC 8474, RFC 8620 §1.2): a letter for the kind, then the
 * number in lower-case hex without leading zeros. */
#ifndef COMMON_MAIL_OBJECT_ID_H
#define COMMON_MAIL_OBJECT_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define OBJECT_MAILBOX	'F'
#define OBJECT_EMAIL	'M'
#define OBJECT_THREAD	'T'
#define OBJECT_PUSH	'P'
#define OBJECT_ACCOUNT	'u'

void object_id_put(struct buf *out, char kind, uint64_t id);
/* false: not an id of this kind, so nothing has it. */
bool object_id_parse(struct span text, char kind, uint64_t *id);
/* objectid = 1*255(ALPHA / DIGIT / "_" / "-"): what may stand where an id is asked for. */
bool object_id_syntax(struct span text);

#endif
