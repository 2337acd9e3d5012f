/* common/out/out_proto.h
 * What is asked of outd, the only program that connects outwards, over common/ipc.  One socket,
 * authd's.
 *
 * Where it goes stands in outd's own configuration: a request names the URL only so that two
 * processes between which a reload is under way notice it; another URL than the configured one is
 * refused (ST_CONFLICT).  ST_OK: the server answered 200, see `fetched`; any other status comes
 * with `failed`. */
#ifndef COMMON_OUT_OUT_PROTO_H
#define COMMON_OUT_OUT_PROTO_H

#include "common/ipc/message.h"

#define OUT_PROTO_MAJOR 1
#define OUT_PROTO_MINOR 0
#define OUT_URL_MAX 4096u
#define OUT_TOKEN_MAX 12288u
#define OUT_BODY_MAX (256u << 10)	/* of an answer, whatever the configuration says */

enum { OUT_PEER_AUTHD = 1 };

enum out_no { OUT_KEYS = 1, OUT_INTROSPECT = 2, OUT_FETCHED = 3, OUT_FAILED = 4 };

/* keys -> fetched: the key set at oauth jwks-url. */
struct out_keys { struct span url; };
/* introspect -> fetched: what oauth introspection-url says of a token (RFC 7662). */
struct out_introspect { struct span url, token; };
struct out_fetched {
	struct span	body;		/* secret: it may tell of a user */
	int64_t		max_age_s;	/* how long it may be kept; -1: the server did not say */
};
struct out_failed { struct span why; };	/* one line, for the log and mansioctl status */

extern const struct ipc_protocol out_protocol;

#endif
