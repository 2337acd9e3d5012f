/* storage/state/deliver.h
 * What the files of a delivery share: deliver.c, and deliver_of.c of one that is about a message
 * that is there. */
#ifndef STORAGE_STATE_DELIVER_H
#define STORAGE_STATE_DELIVER_H

#include "storage/state/state_priv.h"

#define PLACES_ALL (STORE_DELIVER_PLACES + STORE_DELIVER_QUEUE)

/* A mailbox that something goes into; id 0: it is made, at this part of `paths`. */
struct target {
	uint64_t	id;
	size_t		path, path_len;
	uint8_t		role;
	bool		subscribe;
};

/* A body in a target. */
struct drop {
	unsigned	body, target;
	struct flags	flags;		/* of the request */
	uint32_t	uid;
};

struct placed {
	uint8_t		how;
	unsigned	drop;
};

struct body {
	struct op_append_item	 it;
	const struct journal_loc *locs;
	uint32_t		 uses;	/* queue entries and, once for all of them, memberships */
	bool			 dropped, there;	/* there: it is the message d->of is about */
	uint64_t		 extent, message, thread;
};

struct delivery {
	struct apply		*ap;
	struct body		 bodies[STORE_DELIVER_BODIES];
	struct target		 targets[PLACES_ALL];
	struct drop		 drops[PLACES_ALL];
	struct placed		 places[PLACES_ALL];
	struct store_queue_new	 queue[STORE_DELIVER_QUEUE];
	bool			 left_out[STORE_DELIVER_QUEUE];
	uint64_t		 queued[STORE_DELIVER_QUEUE];
	unsigned		 n_bodies, n_targets, n_drops, n_places, n_queue;
	uint64_t		 made;		/* mailboxes that are to be made */
	struct buf		 paths;
	/* Of a message that is there. */
	bool			 of;
	bool			 stays;	/* a redirect was left out */
	unsigned char		 of_sha256[32];
	struct buf		 of_keys;	/* of its thread */
};

/* Finds the message, which is body 0. */
enum status deliver_of_find(struct delivery *d);
/* When all places are found. */
enum status deliver_of_judge(struct delivery *d);
/* Its bits of the keywords; refuses what are none. */
enum status deliver_of_keywords(struct delivery *d, unsigned *bits, size_t *n);
/* New memberships, users of its body, flags. */
enum status deliver_of_write(struct delivery *d, const unsigned *bits, size_t n_bits);

#endif
