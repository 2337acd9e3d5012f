/* filter/event_priv.h
 * One message of an event, on its way from the store through a script and back. */
#ifndef FILTER_EVENT_PRIV_H
#define FILTER_EVENT_PRIV_H

#include "filter/event.h"

struct event_run;

/* What the runs of a block have in common; stays while one of them is under way. */
struct event_about {
	const struct events_of	*of;
	enum event_cause	cause;
	uint64_t		mailbox;
	struct span		mailbox_name;	/* UTF-8 */
	struct span		script_name;
	struct cached_script	*script;	/* NULL: the admin's */
	unsigned char		sha256[32];	/* of the user's */
	struct span		keywords;	/* store_keyword... by bit */
};

/* away: the store cannot be asked; what is left of the events is given up. */
typedef void (*event_run_done_fn)(void *arg, struct event_run *r, bool away);

/* slot: which of EVENTS_AT_ONCE.  done runs once, never from inside a function of this header. */
struct event_run *event_run_new(const struct event_about *a, unsigned slot, uint32_t uid,
    struct flags flags, struct flags changed, event_run_done_fn done, void *arg);
unsigned event_run_slot(const struct event_run *r);
void event_run_free(struct event_run **r);

#endif
