/* What clients are told of a shard, as text: of the fixtures in t/data/shards, by the release that
 * made them and by this one.  Only by what state.h offers. */
#ifndef T_UNIT_STORAGE_SHARD_DUMP_H
#define T_UNIT_STORAGE_SHARD_DUMP_H

#include "storage/state/state.h"

#define SHARD_COLUMNS_VERSION 2

/* ids: of the accounts, in order. */
void shard_dump(struct state *s, const uint64_t *ids, size_t n, struct buf *out);

#endif
