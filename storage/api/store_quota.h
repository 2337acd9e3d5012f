/* storage/api/store_quota.h
 * The state of an account's quotas as JMAP shows it (RFC 9425): what all of them were, so that what
 * changed since any state is known. */
#ifndef STORAGE_API_STORE_QUOTA_H
#define STORAGE_API_STORE_QUOTA_H

#include "storage/api/store_proto.h"

/* Of those without a limit it does not matter how much is used. */
void store_quota_state(const struct store_quota_is *q, struct buf *out);
bool store_quota_parse(struct span state, struct store_quota_is *q);
/* Another number for another state, as good as ever. */
uint64_t store_quota_mark(const struct store_quota_is *q);

#endif
