/* common/out/out_proto.h
 * What is asked of outd, the only program that connects outwards, over common/ipc: by
 * authd, and by the stored of each shard.
 *
 * Of authd: where it goes stands in outd's own configuration: a request names the URL only so that two
 * processes between which a reload is under way notice it; another URL than the configured one is
 * refused (ST_CONFLICT).  ST_OK: the server answered 200, see `fetched`; any other status comes
 * with `failed`.
 *
 * Of stored: a message for a subscriber of Web Push, at the URL that the subscriber named, see `push`. */
#ifndef COMMON_OUT_OUT_PROTO_H
#define COMMON_OUT_OUT_PROTO_H

#include "common/ipc/message.h"

#define OUT_PROTO_MAJOR 1
#define OUT_PROTO_MINOR 0
#define OUT_URL_MAX 4096u
#define OUT_TOKEN_MAX 12288u
#define OUT_BODY_MAX (256u << 10)	/* of an answer, whatever the configuration says */

enum { OUT_PEER_AUTHD = 1, OUT_PEER_STORED = 2 };

enum out_no { OUT_KEYS = 1, OUT_INTROSPECT = 2, OUT_FETCHED = 3, OUT_FAILED = 4,
	OUT_PUSH = 5, OUT_PUSHED = 6 };

/* keys -> fetched: the key set at oauth jwks-url. */
struct out_keys { struct span url; };
/* introspect -> fetched: what oauth introspection-url says of a token (RFC 7662). */
struct out_introspect { struct span url, token; };
struct out_fetched {
	struct span	body;		/* secret: it may tell of a user */
	int64_t		max_age_s;	/* how long it may be kept; -1: the server did not say */
};
/* push -> pushed: one POST of a JSON text (RFC 8620 §7.2), encrypted when there are keys (RFC 8291),
 * signed when outd has a key for that (RFC 8292).  Where the server answered, whatever it was, the
 * status is ST_OK; else `failed`: ST_SYNTAX: url or keys are none that can be used, ST_DENIED: its
 * address is not public; ST_UNAVAILABLE: try again later. */
#define OUT_PUSH_TEXT_MAX 3993u		/* WEBPUSH_TEXT_MAX */
#define OUT_PUSH_KEY_MAX 65u
struct out_push {
	struct span	url;
	struct span	p256dh, auth;		/* bytes, not text; empty: no keys */
	struct span	text;
	uint32_t	ttl_s;
};
struct out_pushed {
	uint32_t	status;			/* of HTTP */
	uint32_t	retry_after_s;		/* 0: not said */
};
struct out_failed { struct span why; };	/* one line, for the log and mansioctl status */

extern const struct ipc_protocol out_protocol;

#endif
