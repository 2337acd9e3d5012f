/* storage/api/store_sieve.h
 * What the store keeps for Sieve: scripts, keys that are remembered for a time (duplicate,
 * vacation), and the delivery of a message as one operation.  The store knows no Sieve: scripts are
 * bytes to it, and what is delivered where was worked out by the worker. */
#ifndef STORAGE_API_STORE_SIEVE_H
#define STORAGE_API_STORE_SIEVE_H

#include "storage/api/store_queue.h"
#include "storage/api/store_types.h"

/* ---- scripts ---- */

#define STORE_SCRIPT_NAME_MAX	512u		/* bytes */
#define STORE_SCRIPT_MAX	(1u << 20)	/* bytes of one; configuration lowers it */
#define STORE_SCRIPTS_MAX	1000u		/* of an account; configuration lowers it */

/* RFC 5804 §1.6: UTF-8, 1..STORE_SCRIPT_NAME_MAX bytes, no control characters, no line or
 * paragraph separator. */
bool script_name_valid(struct span name);

struct store_script {
	uint64_t	id;
	struct span	name;
	bool		active;
	uint32_t	size;		/* bytes of the text */
	uint64_t	modseq;		/* of its last change */
	int64_t		changed_ms;
	struct span	sha256;		/* 32 bytes, of the text */
};
void put_store_script(struct buf *b, const struct store_script *s);
bool get_store_script(struct reader *r, struct store_script *s);

/* ---- keys ---- */

/* A key is known from the moment that a delivery remembers it until its time is over. */
#define STORE_SIEVE_KEY		32u		/* bytes; a hash */
#define STORE_SIEVE_KEYS_ASKED	64u		/* of one request, or conditions of one delivery */
#define STORE_SIEVE_REMEMBER_MAX	31708800u	/* seconds: 367 days */
enum sieve_key_kind {
	SIEVE_KEY_DUPLICATE = 1, SIEVE_KEY_VACATION = 2,
	/* Of a delivery alone, and always known: SHA-256 of the text of the script that is active;
	 * all 0: none is.  So whoever knows it from before need not ask. */
	SIEVE_KEY_SCRIPT = 3
};

struct store_sieve_key {
	uint8_t		kind;		/* enum sieve_key_kind */
	struct span	key;		/* STORE_SIEVE_KEY bytes */
};
void put_store_sieve_key(struct buf *b, const struct store_sieve_key *k);
bool get_store_sieve_key(struct reader *r, struct store_sieve_key *k);

/* A condition of a delivery: what the script relied on, and what is to be remembered with it. */
struct store_deliver_key {
	uint8_t		kind;
	struct span	key;
	bool		known;		/* it was known; else it was not */
	uint64_t	remember_s;	/* known from now on for so long; 0: as it is */
};
void put_store_deliver_key(struct buf *b, const struct store_deliver_key *k);
bool get_store_deliver_key(struct reader *r, struct store_deliver_key *k);

/* ---- delivery ---- */

#define STORE_DELIVER_BODIES	64u		/* of one delivery: at most */
#define STORE_DELIVER_BYTES	(3u << 20)	/* of all bodies' items: what is larger is staged */
#define STORE_DELIVER_PLACES	64u
#define STORE_DELIVER_QUEUE	64u

/* Where a body goes.  The first of these that is there when the operation is applied: the mailbox
 * `mailbox`; the one that has `role`; the one at `path`; the one at `path`, made if `create` (with
 * the role, when no other has it); INBOX.  What is 0 or empty is passed over.  Two places that turn
 * out to be the same mailbox are one membership of a body, with the flags of both. */
struct store_deliver_place {
	uint8_t		body;		/* which, from 0 */
	uint64_t	mailbox;
	uint8_t		role;		/* enum mailbox_role */
	struct span	path;
	bool		create;
	bool		subscribe;	/* what is made for it is subscribed */
	struct flags	flags;		/* keyword k: the k-th name of the request's list */
};
void put_store_deliver_place(struct buf *b, const struct store_deliver_place *p);
bool get_store_deliver_place(struct reader *r, struct store_deliver_place *p);

/* What became of a place, in the order of the places. */
enum { PLACED_AS_ASKED = 0, PLACED_MADE = 1, PLACED_INBOX = 2 };
struct store_delivered_place {
	uint8_t		how;		/* PLACED_INBOX: nothing that was asked for could be */
	uint64_t	mailbox;
	uint32_t	uidvalidity, uid;
	uint64_t	message, thread;
};
void put_store_delivered_place(struct buf *b, const struct store_delivered_place *p);
bool get_store_delivered_place(struct reader *r, struct store_delivered_place *p);

/* ---- events (RFC 6785) ---- */

/* The annotation of a mailbox (RFC 5464) that names the script. */
#define STORE_EVENT_ENTRY	"/shared/imapsieve/script"

struct store_event_row {
	uint32_t	uid;
	uint64_t	modseq;		/* of its last change */
	struct flags	flags;		/* as they are */
	/* By the change that was asked for, where it changed them: else as they are, and none. */
	struct flags	before, changed;
};
void put_store_event_row(struct buf *b, const struct store_event_row *row);
bool get_store_event_row(struct reader *r, struct store_event_row *row);

#endif
