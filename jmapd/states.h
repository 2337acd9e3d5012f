/* jmapd/states.h
 * What push tells (RFC 8620 §7.1): the states of an account's types, and which of them are news to
 * a client.  All streams and WebSockets of a login ask the store once. */
#ifndef JMAPD_STATES_H
#define JMAPD_STATES_H

#include "common/mail/state_change.h"
#include "jmapd/server.h"

/* What a client knows, or the store says; of quotas store_quota_mark(). */
struct jmap_known {
	uint64_t	states[PUSH_TYPE_N];
	uint64_t	incarnation;
};

/* A client that waits; zeroed but for what is marked. */
struct jmap_sub {
	struct list		in;
	struct jmap_session	*session;
	unsigned		types;		/* yours: which of them, as bits */
	bool			resumes;	/* yours: `known` is what it knew; else it knows all */
	struct jmap_known	known;
	bool			began;
	/* yours: something of its types changed.  What is pushed by jmap_sub_put() is known then. */
	void			(*news)(struct jmap_sub *sub);
};
/* news() follows, later, also at once for one that resumes. */
void jmap_sub_begin(struct jmap_session *s, struct jmap_sub *sub);
/* Harmless on one that did not begin. */
void jmap_sub_end(struct jmap_sub *sub);
/* Appends the StateChange of what is news to it; false: there is none.  push_state: with the
 * member pushState (RFC 8887 §4.3.5.1). */
bool jmap_sub_put(struct jmap_sub *sub, bool push_state, struct buf *out);

/* All the states in one word: ids of events, pushState. */
void jmap_known_put(const struct jmap_known *k, struct buf *out);
bool jmap_known_parse(struct span text, struct jmap_known *k);
void jmap_states_free(struct jmap_session *s);

#endif
