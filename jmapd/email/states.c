#include "jmapd/email/states.h"

bool
email_states_begin(struct email_states *s, struct jmap_call *c, struct span if_in_state)
{
	struct type_state now = mirror_state(jmap_call_mirror(c), MIRROR_EMAIL), want;

	s->before = s->after = now.modseq;
	s->incarnation = now.incarnation;
	if (if_in_state.p == NULL)
		return true;
	/* Later modseqs of the account are the same state: nothing happened to Emails since. */
	if (!type_state_parse(if_in_state, &want) || want.after != 0 ||
	    want.incarnation != now.incarnation || want.modseq < now.modseq) {
		email_state_mismatch(c);
		return false;
	}
	s->condition = now.modseq;
	return true;
}

uint64_t
email_states_condition(const struct email_states *s)
{
	return s->changed ? 0 : s->condition;
}

void
email_states_add(struct email_states *s, uint64_t before, uint64_t after)
{
	if (!s->changed)
		s->before = before;
	s->after = after;
	s->changed = true;
}

void
email_state_put(const struct email_states *s, uint64_t modseq, struct buf *out)
{
	type_state_put((struct type_state){ .modseq = modseq, .incarnation = s->incarnation }, out);
}

void
email_state_mismatch(struct jmap_call *c)
{
	jmap_call_error(c, "stateMismatch", "ifInState is not the state of the Emails");
}
