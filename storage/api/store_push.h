/* storage/api/store_push.h
 * A subscription of push (RFC 8620 §7.2), as it is kept and as it travels. */
#ifndef STORAGE_API_STORE_PUSH_H
#define STORAGE_API_STORE_PUSH_H

#include "storage/api/store_types.h"

#define STORE_PUSH_URL_MAX	2048u
#define STORE_PUSH_DEVICE_MAX	255u
#define STORE_PUSH_KEY_MAX	65u
#define STORE_PUSH_TYPES_MAX	1024u
#define STORE_PUSH_CODE		32u		/* letters and digits */
#define STORE_PUSHES_MAX	1000u		/* of an account; configuration lowers it */

struct store_push {
	uint64_t	id;
	struct span	device;		/* deviceClientId */
	struct span	url, p256dh, auth;	/* told to nobody but outd; the keys as bytes, or empty */
	struct span	types;		/* names with blanks between; empty: all */
	struct span	code;		/* that was pushed to the URL for its client to return */
	bool		verified;	/* it did */
	int64_t		expires_s;
};
void put_store_push(struct buf *b, const struct store_push *p);
bool get_store_push(struct reader *r, struct store_push *p);

#endif
