/* jmapd/email/scripts.h
 * Scripts that are run because of what a call did to Emails (imapsieve, RFC 6785): each membership in a
 * mailbox is an event of its own.  The call tells what it did, and runs them before it answers. */
#ifndef JMAPD_EMAIL_SCRIPTS_H
#define JMAPD_EMAIL_SCRIPTS_H

#include "common/util/buf.h"
#include "filter/event.h"
#include "jmapd/core/method.h"
#include "jmapd/mirror/mirror.h"

/* Zeroed: nothing. */
struct email_scripts {
	struct jmap_call	*c;
	struct buf		made;		/* u64: Emails */
	struct buf		before;		/* u64 Email, u64 mailbox: where they were */
	struct buf		changed;	/* u64: Emails */
	uint64_t		modseq;		/* of the changes */
	struct mirror_call	*fresh;
	struct events		*events;
	struct jmap_watch	watch;
	void			(*done)(void *arg);
	void			*arg;
};

/* An Email was created. */
void email_scripts_made(struct email_scripts *s, struct jmap_call *c, uint64_t id);
/* One that will be changed; in mirror_fresh()'s callback. */
void email_scripts_before(struct email_scripts *s, struct jmap_call *c, uint64_t id);
/* It was. */
void email_scripts_changed(struct email_scripts *s, struct jmap_call *c, uint64_t id,
    uint64_t modseq);
/* Runs what there is to run, then calls done.  false: nothing, at once. */
bool email_scripts_run(struct email_scripts *s, struct jmap_call *c, void (*done)(void *arg),
    void *arg);
void email_scripts_fini(struct email_scripts *s);

#endif
