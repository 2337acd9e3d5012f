/* common/mail/state_change.h
 * What push tells of an account (RFC 8620 §7.1): which types have which state now. */
#ifndef COMMON_MAIL_STATE_CHANGE_H
#define COMMON_MAIL_STATE_CHANGE_H

#include <stdint.h>

#include "common/json/writer.h"
#include "common/util/span.h"

/* In the order of their bits: 1 << type. */
enum push_type { PUSH_TYPE_EMAIL, PUSH_TYPE_MAILBOX, PUSH_TYPE_THREAD, PUSH_TYPE_DELIVERY, PUSH_TYPE_QUOTA,
	PUSH_TYPE_N };
#define PUSH_ALL ((1u << PUSH_TYPE_N) - 1)
/* "Email", ... */
const char *push_type_name(enum push_type t);
/* As a bit; 0: none that there is. */
unsigned push_type_bit(struct span name);

/* Members of the open object: those of a StateChange with the types whose bits are set.
 * account: its id as clients see it; quota: the state of quotas, which no modseq is. */
void state_change_put(struct json_writer *w, struct span account,
    const uint64_t states[PUSH_TYPE_N], uint64_t incarnation, struct span quota,
    unsigned types);

#endif
