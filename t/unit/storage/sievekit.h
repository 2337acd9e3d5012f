/* Short ways to make deliveries and to change scripts and the queue in a kit. */
#ifndef T_SIEVEKIT_H
#define T_SIEVEKIT_H

#include "storage/api/store_sieve.h"
#include "storage/state/queue.h"
#include "storage/state/sieve.h"
#include "t/unit/storage/statekit.h"

/* Zeroed, then filled; delivery_run() empties it again. */
struct delivery {
	struct buf	keywords, bodies, places, keys, queue;
	uint64_t	keys_max, queue_max, queue_bytes;
	unsigned	n_bodies;
	/* Of a message that is there; uid 0: of none. */
	uint64_t	of_mailbox;
	uint32_t	of_uid;
	struct flags	flags_add, flags_remove;
	uint64_t	who;		/* asks for it; 0: the owner */
};
/* A body of so many octets, in one piece, whose digest is all `letter`. */
void delivery_body(struct delivery *d, uint64_t size, char letter);
/* Body 0 at a path. */
void delivery_at(struct delivery *d, const char *path, bool create);
void delivery_key(struct delivery *d, uint8_t kind, char letter, bool known, uint64_t remember_s);
/* Body 0 to this address. */
void delivery_queue(struct delivery *d, uint8_t kind, const char *to);
enum status delivery_run(struct kit *k, struct delivery *d);
/* Of the last delivery: what was told of place n; how many there are; the id of queue entry n. */
struct store_delivered_place delivered(struct kit *k, unsigned n);
unsigned delivered_places(struct kit *k);
uint64_t delivered_entry(struct kit *k, unsigned n);
bool key_known(struct kit *k, uint8_t kind, char letter);

enum status script_put(struct kit *k, const char *name, const char *text, bool activate);
enum status script_set(struct kit *k, uint8_t how, const char *name, const char *to);
/* The text of a script ("": the active one); NULL: it is not there.  Good until the next call. */
const char *script_text(struct kit *k, const char *name);

/* rcpts: an address, NULL: as it was. */
enum status queue_set(struct kit *k, uint8_t how, uint64_t id, uint32_t attempt, int64_t next_ms,
    const char *rcpt);
/* Rows of a table. */
unsigned kit_rows(struct kit *k, const char *table);

#endif
