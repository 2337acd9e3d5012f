/* authd/tickets.h
 * The logins that live and the tickets that are void.  A login has a current ticket and,
 * after a renewal, older ones that are valid until they expire; a void ticket stays on the
 * revocation list until then.  Tickets of deliveries are not kept: they live for minutes
 * and name one account that takes mail. */
#ifndef AUTHD_TICKETS_H
#define AUTHD_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/auth/ticket.h"
#include "common/util/buf.h"
#include "common/util/list.h"

#define TICKETS_KEPT 4			/* of one login: the current one and older ones */
#define REVOCATIONS_SENT 65536u		/* one answer holds no more */
#define DELIVER_TICKET_S 600

/* A worker process. */
struct ticket_holder {
	uint8_t		program;
	uint32_t	slot;
	uint64_t	generation;
};

struct login {
	struct list		in;
	struct ticket_holder	holder;
	uint64_t		account;
	uint32_t		shard;
	uint8_t			service;	/* enum auth_service */
	char			*user, *peer, *conn;
	int64_t			since_s;
	struct { unsigned char id[TICKET_ID_LEN]; int64_t expires_s; } t[TICKETS_KEPT];
	size_t			n;		/* t[n - 1] is the current one */
};

/* A ticket became void (for every stored); a login must end (for its worker). */
typedef void (*tickets_void_fn)(void *arg, const unsigned char id[TICKET_ID_LEN], uint64_t account);
typedef void (*tickets_revoked_fn)(void *arg, const struct login *l);

struct tickets_config {
	const struct ticket_keys	*keys;		/* borrowed */
	uint32_t			life_s;
	tickets_void_fn			voided;
	tickets_revoked_fn		revoked;
	void				*arg;
};

struct tickets;
struct tickets *tickets_new(const struct tickets_config *cf);
void tickets_free(struct tickets **t);
void tickets_set_life(struct tickets *t, uint32_t life_s);

struct ticket_made { unsigned char bytes[TICKET_LEN]; int64_t expires_s; };

/* A new login; of `like` account, shard, service, user, peer and conn count. */
void tickets_login(struct tickets *t, const struct ticket_holder *h, const struct login *like,
    int64_t now_s, struct ticket_made *out);
/* For the delivery of one message. */
void tickets_deliver(struct tickets *t, const struct ticket_holder *h, uint64_t account,
    uint32_t shard, int64_t now_s, struct ticket_made *out);
/* A fresh ticket for the one shown.  ST_OK; ST_DENIED (forged, void, another worker's);
 * ST_EXPIRED; ST_NOT_FOUND: valid, but of no login known here (authd was restarted): *shown
 * says whose; when the account is found to be well tickets_login() makes one. */
enum status tickets_renew(struct tickets *t, const struct ticket_holder *h, struct span ticket,
    int64_t now_s, struct ticket_made *out, struct ticket *shown);
void tickets_logout(struct tickets *t, const struct ticket_holder *h, struct span ticket,
    int64_t now_s);
/* Ends all logins that match; returns how many. */
typedef bool (*tickets_match_fn)(const struct login *l, void *arg);
size_t tickets_revoke(struct tickets *t, tickets_match_fn match, void *arg, int64_t now_s);
/* The worker is gone, and nobody will ever have its generation again. */
void tickets_holder_gone(struct tickets *t, const struct ticket_holder *h);
/* Appends the ids of void tickets that are not expired; false: there were too many, the
 * newest are given. */
bool tickets_revocations(struct tickets *t, int64_t now_s, struct buf *ids);
/* Visits the logins, oldest first; NULL: start, and the end. */
const struct login *tickets_next(const struct tickets *t, const struct login *l);
size_t tickets_count(const struct tickets *t);
size_t tickets_void_count(const struct tickets *t);

#endif
