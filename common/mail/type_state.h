/* common/mail/type_state.h
 * The state of a type as JMAP clients see it (RFC 8620 §1.6.2): up to which change of the account
 * somebody knows.  "12ab", "12ab.7f", "12ab-3": hex digits of the modseq, and of `after` and of the
 * incarnation where they are not 0. */
#ifndef COMMON_MAIL_TYPE_STATE_H
#define COMMON_MAIL_TYPE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

struct type_state {
	uint64_t	modseq;
	uint64_t	after;		/* of the next change, objects up to this one are known */
	uint64_t	incarnation;	/* of the shard; 0: the first */
};
void type_state_put(struct type_state s, struct buf *out);
/* false: no text that type_state_put() makes. */
bool type_state_parse(struct span text, struct type_state *s);

#endif
