/* jmapd/push/subscription.h
 * PushSubscription between JSON and what the store keeps (RFC 8620 §7.2). */
#ifndef JMAPD_PUSH_SUBSCRIPTION_H
#define JMAPD_PUSH_SUBSCRIPTION_H

#include "jmapd/core/args.h"
#include "storage/api/store_push.h"

/* Numbers as jmap_get_properties() gives bits. */
enum push_property {
	PUSH_P_ID, PUSH_P_DEVICE, PUSH_P_CODE, PUSH_P_EXPIRES, PUSH_P_TYPES, PUSH_P_URL, PUSH_P_KEYS,
	PUSH_PROPERTIES
};
extern const char *const push_properties[PUSH_PROPERTIES];

/* What is wrong with an object of /set: an error's type, the property (NULL: none), a sentence. */
struct push_wrong {
	const char	*type, *property;
	char		why[160];
};

/* The object of a create; what p points to is in the arena.  false: see *wrong. */
bool push_read_create(const struct json *object, struct arena *arena, struct store_push *p,
    struct push_wrong *wrong);
/* The patch of an update; *what: PUSH_CODE, PUSH_EXPIRES, PUSH_TYPES. */
bool push_read_update(const struct json *patch, struct arena *arena, struct store_push *p,
    uint8_t *what, struct push_wrong *wrong);
/* The object with the properties of the mask; never url and keys. */
void push_put(struct json_writer *w, const struct store_push *p, uint64_t mask);

#endif
