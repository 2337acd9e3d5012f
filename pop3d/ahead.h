/* pop3d/ahead.h
 * Stored bodies on their way to a client that fetches one message after the other: asked
 * for many at a time, since it is the question that costs, and kept as they are stored
 * until their turn.  Two batches: one being used, the next one coming.  What they may
 * hold is bounded for a session, and for all of a worker; the owner forgets it when the
 * client rests, and what came before a change in the account (ahead_stale()). */
#ifndef POP3D_AHEAD_H
#define POP3D_AHEAD_H

#include "pop3d/maildrop.h"

struct ahead_item {
	uint32_t	index;		/* in the maildrop */
	uint64_t	stored_size;
	size_t		at, len;	/* in data; shorter than stored_size: only its start */
};

struct ahead_batch {
	uint32_t		from, to;	/* indexes it speaks of; equal: none */
	bool			coming;
	enum status		status;		/* of the answer */
	struct buf		data;
	struct ahead_item	*items;		/* by index; what is missing is gone */
	size_t			n, room;
	struct store_call	*call;
	struct ahead		*of;
};

typedef void (*ahead_came_fn)(void *arg);

struct ahead {				/* zeroed: nothing */
	struct maildrop		*drop;
	struct store		*store;
	uint64_t		*total;		/* bytes held by all sessions of the worker */
	ahead_came_fn		came;		/* a batch is here; never from inside ahead_find() */
	void			*arg;
	struct ahead_batch	batch[2];
	uint32_t		next;		/* index behind the last one asked for */
	uint32_t		window;		/* messages of a batch */
	bool			watching;	/* the store tells of changes */
};

struct ahead_limits {
	uint64_t	session, worker;	/* bytes */
};

/* Looks for a message's stored bytes, and asks for them, and for those that will be wanted
 * next, as far as they are not there.
 * ST_OK: *bytes (borrowed until the next call) are its beginning, or all; *stored_size tells.
 * ST_UNAVAILABLE: not here yet; `came` follows.  ST_NOT_FOUND: it was expunged.  Others: the
 * store could not read it. */
enum status ahead_find(struct ahead *a, const struct ahead_limits *lim, uint32_t index,
    struct span *bytes, uint64_t *stored_size);
/* Its bytes are here: ahead_find() asks for nothing that it is not asked for. */
bool ahead_has(struct ahead *a, uint32_t index);
/* Messages may be gone by now: forgets all but the one that is waited for, if there is one. */
void ahead_stale(struct ahead *a, bool waits, uint32_t index);
/* Forgets all and cancels what was asked. */
void ahead_clear(struct ahead *a);

#endif
