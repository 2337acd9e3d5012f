/* jmapd/core/ids.h
 * Ids and states as clients see them.  Mailboxes, messages and threads have the ids that IMAP
 * shows (common/mail/object_id.h). */
#ifndef JMAPD_CORE_IDS_H
#define JMAPD_CORE_IDS_H

#include "common/mail/object_id.h"
#include "common/util/buf.h"
#include "common/util/span.h"

#define JMAP_ID_ACCOUNT	OBJECT_ACCOUNT
#define JMAP_ID_MAX	24u		/* bytes of our own ids with their NUL */

/* Writes the id with an ending NUL and returns it as a span of out. */
struct span jmap_id(char out[JMAP_ID_MAX], char kind, uint64_t number);

/* The state of a type: the modseq of its last change, and the incarnation of its account
 * (0: the first). */
#define JMAP_STATE_MAX	48u
struct span jmap_state(char out[JMAP_STATE_MAX], uint64_t modseq, uint64_t incarnation);
/* false: no state that jmap_state() makes, so no changes can be calculated from it. */
bool jmap_state_parse(struct span text, uint64_t *modseq, uint64_t *incarnation);

#endif
