/* storage/engine/lmdb_checkpoint.h
 * The file beside LMDB's that says what its last checkpoint was: "MANSIOLM", version u32, page bytes
 * u32, transaction u64, boot id (36 bytes, zeros: not known), 4 zeros, the meta page, CRC-32C u32
 * of all before. */
#ifndef STORAGE_ENGINE_LMDB_CHECKPOINT_H
#define STORAGE_ENGINE_LMDB_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define LMDB_BOOT_ID_LEN	36u
#define LMDB_PAGE_MAX		65536u
#define LMDB_CHECKPOINT_MAX	(64u + LMDB_PAGE_MAX + 4u)

struct lmdb_checkpoint {
	uint64_t	transaction;
	struct span	boot_id, meta;		/* borrowed; meta: a page */
};
/* false: not whole. */
bool lmdb_checkpoint_parse(struct span file, struct lmdb_checkpoint *cp);
void lmdb_checkpoint_put(struct buf *out, const struct lmdb_checkpoint *cp);

#endif
