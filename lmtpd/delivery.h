/* lmtpd/delivery.h
 * One recipient of one message: who it is, whether there is room, and the way of the
 * text into the mailbox.  Knows nothing of the connection that the message comes from. */
#ifndef LMTPD_DELIVERY_H
#define LMTPD_DELIVERY_H

#include "common/util/log.h"
#include "filter/dsn.h"
#include "filter/kept.h"
#include "lmtpd/session.h"

struct delivery;

/* The message beside its text. */
struct letter {
	const char	*from;		/* envelope sender */
	const char	*auth;		/* AUTH=, as it was written; NULL: none */
	bool		utf8;		/* SMTPUTF8 was said */
	struct dsn	dsn;		/* what is the same for all recipients; spans stay as l does */
	const struct kept *kept;	/* for scripts and reports; NULL: there are none */
};

struct delivery_ops {
	/* What delivery_check() had to ask is known: delivery_status(). */
	void (*checked)(struct delivery *d, void *arg);
	/* Room again after delivery_busy(). */
	void (*room)(void *arg);
	/* The store has said what became of the message: delivery_status().  Once, never from
	 * inside a function of this header. */
	void (*done)(struct delivery *d, void *arg);
};

/* address: as the client wrote it; conn: id of the connection; they are copied.  log and ops
 * are borrowed. */
struct delivery *delivery_new(struct lmtpd *l, struct span address, const char *conn,
    const struct log_ctx *log, const struct delivery_ops *ops, void *arg);
/* NOTIFY (0: not given) and ORCPT (empty: not given) of this recipient. */
void delivery_wishes(struct delivery *d, uint8_t notify, struct span orcpt);
/* A report may be due: the header of the message is needed. */
bool delivery_reports(const struct delivery *d);
/* Who it is, and room for so many octets (0: not told).  true: the verdict is there. */
bool delivery_check(struct delivery *d, uint64_t size);
/* A message of this envelope sender starts. */
void delivery_begin(struct delivery *d, const char *from, uint64_t size);
void delivery_feed(struct delivery *d, struct span text);
/* The store has not taken enough yet: feed no more until `room`. */
bool delivery_busy(const struct delivery *d);
/* The text is complete: scripts are run, if there are any; `done` follows, until when all of l
 * stays. */
void delivery_finish(struct delivery *d, const struct letter *l);
/* The text is not to be delivered: this is what became of it. */
void delivery_give_up(struct delivery *d, enum status st);

enum status delivery_status(const struct delivery *d);
/* Mail rules refuse the message with this text, its lines parted by "\n"; NULL: they do not. */
const char *delivery_refusal(const struct delivery *d);
const char *delivery_address(const struct delivery *d);
/* The event's one line. */
void delivery_log(const struct delivery *d, const char *from);
void delivery_free(struct delivery **d);

#endif
