/* filter/dsn.h
 * What the sender of a message wants to be told of it (RFC 3461), until when it is to be delivered
 * (RFC 2852), what of that goes on with a message that is sent on, and the reports (RFC 3464).  LMTP tells
 * the MTA what failed, which reports it: made here is only what a delivery ends with. */
#ifndef FILTER_DSN_H
#define FILTER_DSN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"
#include "storage/api/store_queue.h"

/* Of one recipient; zeroed: nothing was said. */
struct dsn {
	struct span	envid, orcpt;	/* as in the parameters; empty: none */
	uint8_t		ret, notify;	/* QUEUE_RET_..., QUEUE_NOTIFY_... */
	uint8_t		by;		/* QUEUE_BY_...; 0: no time was said */
	bool		by_over;	/* it was over when the message came */
	int64_t		by_ms;		/* the moment, of the wall clock */
	int64_t		arrived_s;
};

/* What became of the message, when it was not refused. */
struct dsn_fate {
	unsigned	passed;		/* sent on with the sender as it was */
	bool		ended;		/* besides, or instead: it is in a mailbox, discarded, or sent on by
					 * its recipient */
	bool		deaf;		/* what goes out takes no parameters along: a program sends it */
};
/* RFC 3461 §5.2.7.2: sent on to one address alone, which is as if it had been sent there. */
bool dsn_is_alias(const struct dsn_fate *f);

enum {
	DSN_DELIVERED = 1, DSN_EXPANDED = 2, DSN_RELAYED = 4, DSN_DELAYED = 8
};
/* Bits of the reports that are due, to the sender (never to the null sender). */
unsigned dsn_due(const struct dsn *d, const struct dsn_fate *f, int64_t now_ms);
/* Could one ever be due?  Then the header of the message is needed. */
bool dsn_wants(const struct dsn *d);

/* What a message that is sent on takes with it: in env, and of its recipient in *to, but the addresses.
 * orcpt: room for the ORCPT. */
void dsn_pass_on(const struct dsn *d, const struct dsn_fate *f, int64_t now_ms,
    struct store_envelope *env, struct store_queue_rcpt *to, struct buf *orcpt);

struct dsn_about {
	const char	*host;		/* this MTA */
	struct span	from, to;	/* of the envelope */
	struct span	header;		/* of the message as it came */
	bool		utf8;		/* SMTPUTF8 was said */
	int64_t		now_s;
};
/* A report, whole, from <> to about->from; action: one of the bits. */
void dsn_report(const struct dsn *d, const struct dsn_about *about, unsigned action,
    struct buf *out);

#endif
