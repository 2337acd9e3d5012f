/* common/mime/address.h
 * Address lists: RFC 5322 3.4 with its obsolete forms (routes, comments anywhere, empty
 * elements), groups, RFC 6532 UTF-8; anything else is read as well as it goes. */
#ifndef COMMON_MIME_ADDRESS_H
#define COMMON_MIME_ADDRESS_H

#include <stdbool.h>

#include "common/util/arena.h"
#include "common/util/span.h"

/* The shapes are those of IMAP's ENVELOPE.  p NULL is NIL.  Text is that of the message with
 * quotes, comments and folding removed; encoded words stay: mime_words_decode() reads them. */
enum mime_addr_kind {
	MIME_ADDR_MAILBOX,		/* name, route, local, domain ("" when it has none) */
	MIME_ADDR_GROUP,		/* local is the group's name; members follow */
	MIME_ADDR_GROUP_END
};
struct mime_addr {
	enum mime_addr_kind	kind;
	struct span		name;	/* display name, or the comment behind the address */
	struct span		route;	/* "@a,@b" */
	struct span		local, domain;
	/* The name was (partly) in quotes: what looks like an encoded word there is none (RFC 2047
	 * 5).  Not kept in blobs. */
	bool			quoted;
};
#define MIME_ADDR_MAX 2000		/* entries of one field; further ones are ignored */

/* *v is the arena's.  Returns how many. */
size_t mime_addresses(struct arena *a, struct span value, struct mime_addr **v);

#endif
