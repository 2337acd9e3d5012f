/* common/auth/ticket.h
 * A ticket: authd's word to stored that a login (or one delivery) may act on one
 * account from one worker.  Opaque to workers; MACed with HMAC-SHA256 under a key
 * that only authd and stored hold (given by the monitor, rotated; the key's number
 * is part of the ticket). */
#ifndef COMMON_AUTH_TICKET_H
#define COMMON_AUTH_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"
#include "common/util/status.h"

#define TICKET_KEY_LEN 32
#define TICKET_ID_LEN 16
#define TICKET_GROUPS_MAX 16	/* as STORE_GROUPS_MAX */
#define TICKET_LEN 232		/* bytes on the wire, always */

struct ticket_key {
	uint32_t	number;
	unsigned char	key[TICKET_KEY_LEN];
};

/* The keys in force: the newest signs, it and the one before it verify. */
struct ticket_keys {
	struct ticket_key	now, before;	/* number 0: none */
};
void ticket_keys_rotate(struct ticket_keys *k, const struct ticket_key *fresh);

struct ticket {
	unsigned char	id[TICKET_ID_LEN];	/* random, never used again */
	uint64_t	account;
	uint32_t	shard;
	uint8_t		role;			/* one STORE_ROLE_... bit */
	uint32_t	rights;			/* RIGHT_..., for access */
	uint32_t	slot;			/* of the worker it was given to */
	uint64_t	generation;
	int64_t		expires_s;		/* wall clock */
	uint64_t	epoch;			/* generation of the authd that signed it */
	/* Whom the login may act as in ACLs beside the account itself; ids rising. */
	uint8_t		n_groups;
	uint64_t	groups[TICKET_GROUPS_MAX];
};

void ticket_sign(const struct ticket_keys *keys, const struct ticket *t,
    unsigned char out[TICKET_LEN]);
/* Checks form and MAC alone: ST_DENIED (bad MAC, unknown key, bad length). Expiry, slot,
 * generation, role and revocation are the caller's. */
enum status ticket_verify(const struct ticket_keys *keys, struct span in, struct ticket *t);

#endif
