/* authd/exchange.h
 * One SASL exchange: from `start` to `granted` or `failure`.
 *
 * The lines an operator and fail2ban count; contrib/fail2ban/mansio.conf matches the
 * first, which is stable: fields come in this order, a value that is not one plain word
 * stands in quotes with \" \\ \xHH inside, so that no name can forge a field:
 *
 *   auth.fail conn=C user=U peer=IP service=imap reason=credentials mechanism=PLAIN
 *   auth.ok   conn=C user=U peer=IP service=imap mechanism=PLAIN
 *   auth.as   conn=C user=U peer=IP service=imap as=OTHER
 *   auth.referred conn=C user=U peer=IP service=imap
 *
 * reason: credentials, expired, disabled, authorization are the client's guess or
 * mistake; cleartext, throttled, backend, protocol are not about a password. */
#ifndef AUTHD_EXCHANGE_H
#define AUTHD_EXCHANGE_H

#include "authd/authd.h"

#define EXCHANGES_MAX 16384u		/* of one worker */
#define EXCHANGE_MS (5 * 60 * 1000)	/* a client may think so long */

struct exchange;

struct exchange_grant {
	const struct found	*found;		/* who he is, or acts as */
	struct span		peer, conn, app;
	struct span		data;		/* goes with success; may be empty */
	uint8_t			service;
	bool			master;		/* a master user acts as him */
	bool			submits;	/* he submits for others (BURL) */
};
/* What came of a start or a step; head is what came with it. */
struct exchange_replies {
	void (*challenge)(void *arg, const struct ipc_head *head, struct span data);
	/* false: there is no room for him (ST_LIMIT); failed() follows. */
	bool (*granted)(void *arg, const struct ipc_head *head, const struct exchange_grant *g);
	/* ST_CANCELLED: it took too long, there is none any more. */
	void (*failed)(void *arg, const struct ipc_head *head, enum status st, uint8_t reason,
	    struct span user, struct span data);
};

/* Exchanges are told apart by head->chan. */
void exchange_start(struct exchange_owner *o, const struct ipc_head *head,
    const struct auth_start *start);
void exchange_step(struct exchange_owner *o, const struct ipc_head *head,
    const struct auth_step *step);
void exchange_cancel(struct exchange_owner *o, uint32_t chan);
/* The owner is gone. */
void exchange_free_all(struct exchange_owner *o);
/* "PLAIN SCRAM-SHA-256 ..." for a connection of these flags. */
void exchange_mechanisms(const struct authd *a, uint8_t flags, struct buf *out);

#endif
