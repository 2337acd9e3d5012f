/* common/util/table.h
 * Hash table from a number or a run of bytes to a pointer.  Keys are hashed with
 * SipHash-2-4 under a random key per process, so that outsiders cannot choose
 * colliding ones.  Byte keys are copied; values are the caller's. */
#ifndef COMMON_UTIL_TABLE_H
#define COMMON_UTIL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/span.h"

struct table_slot;
struct table {			/* zeroed: empty */
	struct table_slot	*slots;
	size_t			size, count, filled;
};

typedef void (*table_each_fn)(void *value, void *arg);

/* each may be NULL; it is called for every value, to free it. */
void table_fini(struct table *t, table_each_fn each, void *arg);
void *table_get(const struct table *t, struct span key);	/* NULL: none */
/* Returns the value that stood there before, or NULL.  value is not NULL. */
void *table_put(struct table *t, struct span key, void *value);
void *table_del(struct table *t, struct span key);
void *table_get_u64(const struct table *t, uint64_t key);
void *table_put_u64(struct table *t, uint64_t key, void *value);
void *table_del_u64(struct table *t, uint64_t key);
/* Visits all values in no order.  Start with *pos = 0; false at the end.  The table
 * may lose the visited value (and no other change) between two calls. */
bool table_next(const struct table *t, size_t *pos, struct span *key, void **value);

/* SipHash-2-4 (Aumasson, Bernstein 2012) under an explicit 16-byte key. */
uint64_t siphash24(const unsigned char key[16], const void *p, size_t len);

#endif
