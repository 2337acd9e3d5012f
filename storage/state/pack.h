/* storage/state/pack.h
 * Rows of one kind of up to PACK_UIDS messages of a mailbox that follow one another, as one row: it
 * takes less room than they do, and a scan reads it at once.
 *
 * Bytes: u8 how, u32 which (bit i: the i-th of them has a row), of each row a varint of its length;
 * the rows one after the other: as they are, or one frame of zstd, or one of zstd that was made
 * behind other bytes (`before`). */
#ifndef STORAGE_STATE_PACK_H
#define STORAGE_STATE_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define PACK_UIDS	32u
#define PACK_RAW_MAX	(1u << 20)	/* more than that together is packed as it is */
#define PACK_BYTES_MAX	(15u << 20)	/* of all rows */

enum pack_how {
	PACK_PLAIN,		/* read often, and small */
	PACK_QUICK,		/* read often: frames that are unpacked in half the time */
	PACK_DENSE,
	PACK_BEHIND
};

/* rows[i].p NULL: none; their bytes together are at most PACK_BYTES_MAX. */
void pack_put(struct buf *out, const struct span rows[PACK_UIDS], enum pack_how how,
    struct span before);

struct pack {
	struct span	rows[PACK_UIDS];	/* p NULL: none */
	struct span	all;			/* their bytes */
	struct buf	raw;			/* where they lie, or in the payload */
};
/* before: asked for when needs_before.  false: not a pack.  pack is zeroed once, and may be
 * opened again. */
bool pack_needs_before(struct span payload);
bool pack_open(struct pack *p, struct span payload, struct span before);
void pack_fini(struct pack *p);

#endif
