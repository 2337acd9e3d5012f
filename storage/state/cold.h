/* storage/state/cold.h
 * What is kept of a message that no operation looks at: its columns in their groups, and the LIST
 * and STRUCTURE blobs.  They lie under its home membership.
 *
 * A delivery writes one row with all of them ("fresh").  Behind a block of PACK_UIDS uids that is complete
 * they are put together by kind ("packs", pack.h), outside of the journal: it is the same content,
 * and what an operation does never depends on it.  Databases of before have a row in a
 * table of its own for each kind.
 *
 *	fresh	account, mailbox, uid			COLD_KINDS times put_span(): a kind's row
 *	pack	account, mailbox, kind u8, block u32	pack.h; block: uid / PACK_UIDS
 *		account, mailbox, 255, block		u32 whose messages are there still, u32 whose rows are
 *							in the packs: bits as in a pack
 *
 * A group's row: u8 version, u8 n, n times u16 length, the bytes, as in the blob it comes from. */
#ifndef STORAGE_STATE_COLD_H
#define STORAGE_STATE_COLD_H

#include "storage/state/pack.h"
#include "storage/state/state_priv.h"

enum { COLD_LIST = STORE_COLUMN_GROUPS, COLD_STRUCTURE, COLD_KINDS, COLD_HEAD = 255 };

void key_pack(struct key *k, uint64_t account, uint64_t mailbox, uint8_t kind, uint32_t block);

/* The kind's row in a fresh one; false: damaged.  *row empty: there is none. */
bool cold_in_fresh(struct span payload, unsigned kind, struct span *row);

/* The packs of a block, before one of its LIST kind is opened; appended. */
enum status cold_before(struct state *s, struct engine_txn *txn, uint64_t account,
    uint64_t mailbox, uint32_t block, struct buf *out);

/* A block's pack that stays open. */
struct cold_slot {
	bool		known, there;	/* of the block named */
	uint64_t	mailbox;
	uint32_t	block;
	struct pack	pack;
	struct buf	packed;
};

/* Rows of one kind, one after the other, mostly of neighbours. */
struct cold {
	struct state	*s;
	uint64_t	account;
	unsigned	kind;
	struct cold_slot here, away;
	struct buf	value;
};
/* Of a membership that is its message's home, or else by way of the message; false: it was looked
 * for in vain, only that way is left.  *payload empty: there is none; it lives until the next
 * call. */
enum status cold_find(struct cold *c, uint64_t mailbox, uint32_t uid, uint64_t message,
    bool maybe_home, struct span *payload);
void cold_fini(struct cold *c);

#endif
