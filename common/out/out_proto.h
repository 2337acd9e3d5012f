/* common/out/out_proto.h
 * What is asked of outd, the only program that connects outwards, over common/ipc: by
 * authd, and by the stored of each shard.
 *
 * Of authd: where it goes stands in outd's own configuration: a request names the URL only so that two
 * processes between which a reload is under way notice it; another URL than the configured one is
 * refused (ST_CONFLICT).  ST_OK: the server answered 200, see `fetched`; any other status comes
 * with `failed`.
 *
 * Of stored: a message for a subscriber of Web Push, at the URL that the subscriber named, see `push`;
 * and, in the role that sends mail, a message to hand over, see `submit`. */
#ifndef COMMON_OUT_OUT_PROTO_H
#define COMMON_OUT_OUT_PROTO_H

#include "common/ipc/message.h"
#include "common/util/bytes.h"

#define OUT_PROTO_MAJOR 1
#define OUT_PROTO_MINOR 0
#define OUT_URL_MAX 4096u
#define OUT_TOKEN_MAX 12288u
#define OUT_BODY_MAX (256u << 10)	/* of an answer, whatever the configuration says */

enum { OUT_PEER_AUTHD = 1, OUT_PEER_STORED = 2, OUT_PEER_QUEUE = 4 };	/* QUEUE: stored, of the role submit */

enum out_no { OUT_KEYS = 1, OUT_INTROSPECT = 2, OUT_FETCHED = 3, OUT_FAILED = 4,
	OUT_PUSH = 5, OUT_PUSHED = 6,
	OUT_SUBMIT = 460, OUT_SUBMIT_BODY = 461, OUT_SUBMIT_WANTS = 462, OUT_SUBMITTED = 463 };

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

/* submit -> wants... -> submitted: one message to the configured relay or program.  Its channel is the
 * sender's number for it, above 0 and of one message at a time.  Where it goes stands in outd's
 * configuration; not a byte of the body is asked for before its envelope was accepted.  After each
 * `wants` so many more bytes of the body may come, in `submit-body` notes of the same channel, in the form
 * in which the store keeps it (storage/client/body.h).  All of them having come, or `bad`, the note says `last`.  A socket that closes before that ends the message unsent.
 * Status ST_OK whatever became of it; else it was not begun: ST_UNAVAILABLE: nothing is configured, or
 * the configuration is changing; ST_LIMIT: OUT_SUBMITS_MAX are under way; ST_SYNTAX: an address that is none. */
#define OUT_SUBMITS_MAX 256u
#define OUT_SUBMIT_RECIPIENTS_MAX 100u
#define OUT_ADDRESS_MAX 320u		/* SMTP_PATH_MAX */
#define OUT_ENVID_MAX 100u		/* RFC 3461 §4.4, as xtext */
#define OUT_ORCPT_MAX 500u		/* §4.2: "rfc822;xtext" */
#define OUT_RECIPIENTS_BYTES (OUT_SUBMIT_RECIPIENTS_MAX * (OUT_ADDRESS_MAX + OUT_ORCPT_MAX + 16u))
#define OUT_SUBMIT_PART 65536u		/* of a body in one note */
#define OUT_WHY_MAX 256u

enum out_ret { OUT_RET_NONE, OUT_RET_FULL, OUT_RET_HDRS };
enum out_by { OUT_BY_NONE, OUT_BY_NOTIFY, OUT_BY_RETURN };	/* RFC 2852 */
enum { OUT_NOTIFY_NEVER = 1, OUT_NOTIFY_SUCCESS = 2, OUT_NOTIFY_FAILURE = 4, OUT_NOTIFY_DELAY = 8 };

struct out_submit {
	uint64_t	account, entry;		/* for the log */
	struct span	from;			/* "": the null sender */
	struct span	recipients;		/* put_out_recipient()... */
	struct span	envid;			/* xtext; "": none */
	uint8_t		ret;			/* enum out_ret */
	uint8_t		by;			/* enum out_by */
	bool		by_trace;
	int64_t		by_s;			/* from now on */
	uint64_t	size;			/* bytes of the message */
	struct span	sha256;			/* of them; 32 bytes */
	bool		utf8;			/* it came as SMTPUTF8, or has UTF-8 in its header */
	bool		eight_bit;		/* it has bytes above 127 */
};
struct out_recipient {
	struct span	address;
	struct span	orcpt;			/* "rfc822;" and xtext; "": none */
	uint8_t		notify;			/* OUT_NOTIFY_* or-ed; 0: not said */
};
void put_out_recipient(struct buf *out, const struct out_recipient *r);
/* false at the end, or with r->bad. */
bool get_out_recipient(struct reader *r, struct out_recipient *to);

struct out_submit_body {
	struct span	bytes;
	bool		last;
	bool		bad;			/* it cannot be read: it is not sent */
};
struct out_submit_wants { uint32_t bytes; };

enum out_how { OUT_SENT = 1, OUT_LATER = 2, OUT_REFUSED = 3 };
struct out_submitted {
	uint8_t		how;		/* SENT: to one recipient at least */
	bool		unsent;		/* it is known that nobody got it; never with SENT */
	struct span	results;	/* put_out_result()..., of each recipient in order; "": `how` is of all */
	struct span	why;		/* one line, also for users: "relay.example: 550 5.1.1 no such user" */
};
struct out_result {
	uint8_t		how;
	struct span	why;
};
void put_out_result(struct buf *out, const struct out_result *r);
bool get_out_result(struct reader *r, struct out_result *to);

struct out_failed { struct span why; };	/* one line, for the log and mansioctl status */

extern const struct ipc_protocol out_protocol;

#endif
