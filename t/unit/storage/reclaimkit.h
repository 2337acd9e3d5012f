/* t/unit/storage/reclaimkit.h
 * What tests of copies and of segments that are let go ask of a service (rig.h). */
#ifndef T_UNIT_STORAGE_RECLAIMKIT_H
#define T_UNIT_STORAGE_RECLAIMKIT_H

#include "t/unit/storage/rig.h"

#define PATIENCE_MS 120000u

uint64_t rig_inbox(struct rig *r, uint64_t account);
/* Every body of INBOX as it is read: SHA-256 over all of them.  count may be NULL. */
void rig_bodies(struct rig *r, uint64_t account, unsigned char out[32], unsigned *count);
/* A copy, and the round that follows it. */
void rig_copy(struct rig *r);
/* Mail that was expunged goes for good: the chores begin a second after the start, which is
 * made here. */
void rig_forget_deleted(struct rig *r, uint64_t account);
/* A recount agrees. */
void rig_check(struct rig *r);

#endif
