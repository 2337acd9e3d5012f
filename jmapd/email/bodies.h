/* jmapd/email/bodies.h
 * The bytes of several messages of one mailbox, one message after the other in rising uids, with as
 * few requests to the store as they need: small ones come together. */
#ifndef JMAPD_EMAIL_BODIES_H
#define JMAPD_EMAIL_BODIES_H

#include "common/mail/uidset.h"
#include "common/util/span.h"
#include "storage/client/store.h"

struct bodies;
struct bodies_ops {
	/* How many of its first bytes are wanted; not 0. */
	uint64_t (*wanted)(void *arg, uint32_t uid);
	void	(*data)(void *arg, uint32_t uid, struct span piece);
	/* All that is wanted of it came; not called for one that is not there or is damaged. */
	void	(*end)(void *arg, uint32_t uid);
	void	(*done)(void *arg, enum status st);
};
/* uids: copied.  ops is borrowed.  done runs later, once; bodies_free() may be called there. */
struct bodies *bodies_start(struct store *s, uint64_t mailbox, const struct uidset *uids,
    const struct bodies_ops *ops, void *arg);
/* Before the channel goes. */
void bodies_free(struct bodies **b);

#endif
