/* authd/verify.h
 * Is this the password of this user?  Asks the login cache, then the back ends in their
 * order; the first that knows the user decides, app passwords have the last word.  An
 * unknown user costs the same work as a wrong password. */
#ifndef AUTHD_VERIFY_H
#define AUTHD_VERIFY_H

#include "authd/authd.h"

struct verify;
struct verify_rq {
	struct span	user, password;	/* as the client sent them */
	struct span	peer;
	uint8_t		service;
};
/* st ST_OK: found is the account; else reason (enum auth_reason) says why. */
struct verify_result {
	enum status		st;
	uint8_t			reason;
	const struct found	*found;
	struct span		app;	/* label of the app password that it was; empty: none */
};
/* The verify is gone after it.  Never runs inside verify_start(). */
typedef void (*verify_done_fn)(void *arg, const struct verify_result *r);
struct verify *verify_start(struct authd *a, const struct verify_rq *rq, verify_done_fn fn,
    void *arg);
void verify_cancel(struct verify **v);

#endif
