/* storage/api/store_queue.h
 * The outgoing queue: entries that a delivery makes (store_sieve.h), as they come, as they are kept
 * and as they are told.  Whoever sends takes an entry first; of kinds that go out at most once it is
 * not given out again unless he says that it surely was not sent. */
#ifndef STORAGE_API_STORE_QUEUE_H
#define STORAGE_API_STORE_QUEUE_H

#include "storage/api/store_types.h"

enum queue_kind {
	QUEUE_REDIRECT = 1,	/* at least once; what cannot be sent goes into the INBOX */
	QUEUE_VACATION = 2, QUEUE_REJECT = 3, QUEUE_NOTIFY = 4, QUEUE_REPORT = 5,	/* at most once */
	QUEUE_KIND_MAX = QUEUE_REPORT
};
const char *queue_kind_name(uint8_t kind);	/* "redirect" */
/* At most once? */
bool queue_once(uint8_t kind);

#define STORE_QUEUE_ADDRESS_MAX	320u		/* bytes of an address, without <> */
#define STORE_QUEUE_RCPTS_MAX	32u		/* of an entry */
#define STORE_QUEUE_ORCPT_MAX	500u		/* RFC 3461 §4.2 */
#define STORE_QUEUE_ENVID_MAX	100u		/* RFC 3461 §4.4 */
#define STORE_QUEUE_NEW_BYTES	(256u << 10)	/* of all entries of one delivery */
#define STORE_QUEUE_ANSWER_MAX	512u		/* bytes of the last answer that are kept */

/* NOTIFY= of RFC 3461; 0: not given. */
enum { QUEUE_NOTIFY_NEVER = 1, QUEUE_NOTIFY_SUCCESS = 2, QUEUE_NOTIFY_FAILURE = 4,
	QUEUE_NOTIFY_DELAY = 8, QUEUE_NOTIFY_ALL = 15 };
/* RET= */
enum { QUEUE_RET_NONE = 0, QUEUE_RET_FULL = 1, QUEUE_RET_HDRS = 2 };
/* BY= of RFC 2852; 0: not given. */
enum { QUEUE_BY_NOTIFY = 1, QUEUE_BY_RETURN = 2, QUEUE_BY_TRACE = 4 };

struct store_queue_rcpt {
	struct span	address;
	uint8_t		notify;		/* QUEUE_NOTIFY_... */
	struct span	orcpt;		/* "rfc822;..." as it stands in the parameter; empty: none */
};
void put_store_queue_rcpt(struct buf *b, const struct store_queue_rcpt *p);
bool get_store_queue_rcpt(struct reader *r, struct store_queue_rcpt *p);

/* The envelope. */
struct store_envelope {
	struct span	from;		/* empty: <> */
	struct span	rcpts;		/* store_queue_rcpt..., 1..STORE_QUEUE_RCPTS_MAX */
	struct span	envid;
	uint8_t		ret;
	uint8_t		by;		/* QUEUE_BY_... */
	int64_t		by_ms;		/* until when, as time of day; new ones: milliseconds from now */
	bool		utf8, eight_bit; /* SMTPUTF8 is needed; there are octets above 127 */
};
/* All lists in it are good. */
bool store_envelope_good(const struct store_envelope *e);

/* What a delivery asks for. */
struct store_queue_new {
	uint8_t		kind;
	uint8_t		body;		/* which of the delivery's bodies, from 0 */
	struct store_envelope env;
};
void put_store_queue_new(struct buf *b, const struct store_queue_new *q);
bool get_store_queue_new(struct reader *r, struct store_queue_new *q);

/* An entry, as it lies in the table queue and as it travels. */
struct store_queue_entry {
	uint64_t	account, id;
	uint8_t		kind;
	int64_t		created_ms, next_ms;
	int64_t		taken_ms;	/* being sent since; 0: it is not */
	uint32_t	attempts;	/* times that it was taken */
	uint64_t	size;		/* raw octets of the message */
	uint64_t	extent;		/* of its body; 0 on the way to others than stored */
	struct span	sha256;		/* 32 bytes, over the raw octets */
	struct store_envelope env;
	struct span	answer;		/* the last one, one line; empty: there was none */
};
void put_store_queue_entry(struct buf *b, const struct store_queue_entry *e);
bool get_store_queue_entry(struct reader *r, struct store_queue_entry *e);

/* What becomes of an entry (OP_QUEUE); attempt: the number that `take` gave, and that all but take
 * must name while it is taken: ST_CONFLICT when it is another one; 0: the admin's word, whatever is
 * under way. */
enum queue_how {
	QUEUE_TAKE = 1,		/* being sent from now on; attempts rises; ST_CONFLICT: it is already */
	QUEUE_LATER = 2,	/* not sent (to those in rcpts; empty: to all): again at next_ms */
	QUEUE_DONE = 3,		/* sent, or given up: the entry goes */
	QUEUE_RETURN = 4,	/* the message goes into the account's INBOX, the entry goes */
	QUEUE_HOW_MAX = QUEUE_RETURN
};

#endif
