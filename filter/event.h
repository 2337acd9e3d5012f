/* filter/event.h
 * Events of IMAP (RFC 6785): the scripts that mailboxes name are run for what a command did to
 * messages in them, each message a run of its own, a few at once.  What comes of a run is one
 * operation of the store, and no event again.
 *
 *	e = events_new(&of, done, arg);
 *	events_add(e, EVENT_COPY, mailbox, 0, &uids);
 *	events_start(e);
 *	... done(arg)
 *
 * Whatever fails on the way: what the command did stays, the messages stay, the log says what it
 * was, and the owner of a script that fails is told once. */
#ifndef FILTER_EVENT_H
#define FILTER_EVENT_H

#include "common/mail/uidset.h"
#include "common/util/log.h"
#include "filter/plan.h"

#define EVENTS_AT_ONCE	4u		/* messages of one command */
#define EVENTS_STAGES	(EVENTS_AT_ONCE * PLAN_STAGES)

enum event_cause { EVENT_APPEND, EVENT_COPY, EVENT_FLAG };

/* All of it stays until the events are freed. */
struct events_of {
	struct filter		*filter;
	struct loop		*loop;
	const struct log_ctx	*log;		/* NULL: of no session */
	struct store		*store;		/* a channel of the account, role access */
	uint64_t		account;
	const char		*user;		/* canonical address; its login */
	uint32_t		first_stage;	/* of EVENTS_STAGES numbers of that channel */
};

struct events;

/* May anything that is done in this account run a script?  Asked when the answer of the store is
 * there. */
bool events_wanted(const struct filter *f, const struct store *s);

/* Runs once, never from inside a function of this header. */
typedef void (*events_done_fn)(void *arg);

struct events *events_new(const struct events_of *of, events_done_fn done, void *arg);
/* modseq: of the change of flags; 0 of others.  uids are copied. */
void events_add(struct events *e, enum event_cause cause, uint64_t mailbox, uint64_t modseq,
    const struct uidset *uids);
void events_start(struct events *e);
/* Also in the middle: what was sent to the store is done by it, the rest is not. */
void events_free(struct events **e);

#endif
