/* lmtpd/known.h
 * Recipients of the last seconds: who they are, how full their account is, and tickets that
 * authd gave ahead for those who get many messages, so that RCPT need not wait for anybody.
 *
 * A ticket is for one message and is given away once.  All is forgotten when authd says that
 * something of its directory changed, and after KNOWN_MS in any case.  What is said of room is no
 * promise: the store judges when the message is there. */
#ifndef LMTPD_KNOWN_H
#define LMTPD_KNOWN_H

#include "common/auth/auth_proto.h"
#include "storage/api/store_proto.h"

#define KNOWN_MS	15000u
#define KNOWN_MAX	4096u		/* addresses, and accounts */

struct known;

struct known *known_new(void);
void known_free(struct known **k);
void known_forget(struct known *k);

/* What authd answered, with its spares.  address: as the client wrote it. */
void known_add(struct known *k, struct span address, const struct auth_rcpt_is *is, uint64_t now_ms);
/* How many spares to ask for with a question about this address. */
uint8_t known_wants(const struct known *k, struct span address, uint64_t now_ms);
/* A spare, as if authd had answered now; *is has its ticket in ticket[], the rest is borrowed
 * until the next call.  false: ask. */
bool known_take(struct known *k, struct span address, uint64_t now_ms,
    unsigned char ticket[TICKET_LEN], struct auth_rcpt_is *is);

/* The account's use before a message of that many bytes, which it has now; NULL: unknown. */
void known_use(struct known *k, uint64_t account, const struct store_quota_is *use, uint64_t bytes,
    uint64_t now_ms);
/* There is plenty: no need to ask. */
bool known_has_room(const struct known *k, uint64_t account, uint64_t bytes, uint64_t now_ms);

#endif
