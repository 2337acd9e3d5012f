/* t/fuzz/transfer/read_twice.h
 * Feeds a reader of imports and judges what it says. */
#ifndef T_FUZZ_TRANSFER_READ_TWICE_H
#define T_FUZZ_TRANSFER_READ_TWICE_H

#include "common/transfer/transfer.h"

typedef bool (*read_fn)(const struct transfer_source *source, const struct transfer_ops *ops,
    void *arg);
/* In large pieces and in small ones: whatever is in it, messages are begun and ended in turn, and how
 * the bytes were split on their way makes no difference. */
void read_twice(read_fn fn, const uint8_t *data, size_t size);

#endif
