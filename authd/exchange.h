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
 *
 * reason: credentials, expired, disabled, authorization are the client's guess or
 * mistake; cleartext, throttled, backend, protocol are not about a password. */
#ifndef AUTHD_EXCHANGE_H
#define AUTHD_EXCHANGE_H

#include "authd/authd.h"

#define EXCHANGES_MAX 16384u		/* of one worker */
#define EXCHANGE_MS (5 * 60 * 1000)	/* a client may think so long */

struct exchange;
void exchange_start(struct peer *p, const struct ipc_head *head, const struct auth_start *start);
void exchange_step(struct peer *p, const struct ipc_head *head, const struct auth_step *step);
void exchange_cancel(struct peer *p, uint32_t chan);
/* The peer is gone. */
void exchange_free_all(struct peer *p);
/* "PLAIN SCRAM-SHA-256 ..." for a connection of these flags. */
void exchange_mechanisms(const struct authd *a, uint8_t flags, struct buf *out);

#endif
