/* jmapd/email/states.h
 * The state of Emails across the changes of one call: what it was before the first, what it is
 * after the last, and the condition (ifInState) that the first is under. */
#ifndef JMAPD_EMAIL_STATES_H
#define JMAPD_EMAIL_STATES_H

#include "jmapd/core/method.h"
#include "jmapd/mirror/mirror.h"

struct email_states {
	uint64_t	before, after;		/* modseqs */
	uint64_t	incarnation;
	uint64_t	condition;		/* 0: none */
	bool		changed;
};

/* In mirror_fresh()'s callback.  if_in_state: p NULL: none.  false: the call is over. */
bool email_states_begin(struct email_states *s, struct jmap_call *c, struct span if_in_state);
/* For the next change: the store judges it at the moment of the change; later ones of the call are
 * under none. */
uint64_t email_states_condition(const struct email_states *s);
/* A change was made. */
void email_states_add(struct email_states *s, uint64_t before, uint64_t after);
void email_state_put(const struct email_states *s, uint64_t modseq, struct buf *out);
void email_state_mismatch(struct jmap_call *c);

#endif
