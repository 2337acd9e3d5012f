/* common/auth/auth_client.h
 * Client of the auth helper, for workers and admind.  Never blocks.  When authd is away calls
 * wait up to AUTH_RETRY_MS for it to come back, then fail with ST_UNAVAILABLE; a
 * SASL exchange under way fails at once. */
#ifndef COMMON_AUTH_AUTH_CLIENT_H
#define COMMON_AUTH_AUTH_CLIENT_H

#include "common/auth/auth_proto.h"
#include "common/ipc/ipc.h"

#define AUTH_RETRY_MS 2500

struct auth_client;
struct auth_exchange;
struct auth_lookup;

/* revoked: this login's ticket is void: end its connection. */
typedef void (*auth_revoked_fn)(void *arg, const struct auth_revoked *r);
struct auth_client *auth_client_new(struct loop *l, auth_revoked_fn revoked, void *arg);
/* authd works by other settings from now on. */
void auth_client_on_changed(struct auth_client *c, void (*changed)(void *arg));
void auth_client_free(struct auth_client **c);
/* A (new) socket to authd; takes fd over. */
void auth_client_set(struct auth_client *c, int fd);

/* What happened: a challenge (answer with auth_exchange_step), granted, or failed; after
 * the last two the exchange is gone.  Structs are borrowed. */
struct auth_result {
	enum status			st;
	const struct auth_challenge	*challenge;	/* not NULL: goes on */
	const struct auth_granted	*granted;
	const struct auth_failure	*failure;	/* may be NULL with a failed st */
};
typedef void (*auth_done_fn)(void *arg, const struct auth_result *r);
struct auth_exchange *auth_exchange_start(struct auth_client *c, const struct auth_start *start,
    auth_done_fn fn, void *arg);
void auth_exchange_step(struct auth_exchange *x, struct span data);
/* Client said "*", or went away: no callback any more. */
void auth_exchange_cancel(struct auth_exchange **x);

typedef void (*auth_mechanisms_fn)(void *arg, enum status st, struct span names);
struct auth_lookup *auth_mechanisms(struct auth_client *c, uint8_t flags, auth_mechanisms_fn fn, void *arg);
typedef void (*auth_rcpt_fn)(void *arg, enum status st, const struct auth_rcpt_is *is);
struct auth_lookup *auth_rcpt(struct auth_client *c, const struct auth_rcpt *rq, auth_rcpt_fn fn, void *arg);
typedef void (*auth_renew_fn)(void *arg, enum status st, const struct auth_renewed *r);
struct auth_lookup *auth_renew(struct auth_client *c, struct span ticket, auth_renew_fn fn, void *arg);
typedef void (*auth_who_fn)(void *arg, enum status st, struct span found);
struct auth_lookup *auth_who(struct auth_client *c, const struct auth_who *rq, auth_who_fn fn, void *arg);
/* admind's requests.  result: also with a failed status, when authd gave a reason.  Not asked
 * again when authd ends meanwhile: then nobody knows what it did. */
typedef void (*auth_admin_fn)(void *arg, enum status st, struct span result);
struct auth_lookup *auth_admin(struct auth_client *c, const struct auth_admin *rq, auth_admin_fn fn, void *arg);
void auth_lookup_cancel(struct auth_lookup **l);
void auth_logout(struct auth_client *c, struct span ticket);

#endif
