/* common/auth/login.h
 * What a worker does for the logins of its clients, whatever protocol they speak: it
 * knows the mechanisms that authd offers, begins exchanges, and keeps the ticket of each
 * login fresh.  Never blocks. */
#ifndef COMMON_AUTH_LOGIN_H
#define COMMON_AUTH_LOGIN_H

#include "common/auth/auth_client.h"
#include "common/net/conn.h"
#include "common/net/loop.h"
#include "common/util/buf.h"

/* SASL mechanisms by the flags of a connection (AUTH_TLS, AUTH_CLEAR_OK). */
struct login_mechanisms {	/* zeroed but for came and arg: none known */
	struct login_asked {
		struct login_mechanisms	*m;
		struct auth_lookup	*asking;
		struct buf		names;
		bool			known;		/* names are what authd said last */
	} by[4];
	/* An answer came, or authd is away: login_mechanisms_pending() may be false now.  May be
	 * NULL. */
	void			(*came)(void *arg);
	void			*arg;
};

/* Asks for those that are not known. */
void login_mechanisms_ask(struct login_mechanisms *m, struct auth_client *c);
/* All of them, after another configuration, which may offer others; those known hold until the
 * answers come. */
void login_mechanisms_renew(struct login_mechanisms *m, struct auth_client *c);
void login_mechanisms_fini(struct login_mechanisms *m);
/* With blanks between them; EXTERNAL only for who showed a good certificate.  Borrowed;
 * empty: not known yet. */
struct span login_mechanisms_for(const struct login_mechanisms *m, const struct conn *conn,
    bool clear_ok);

/* They were asked for and have not come yet. */
bool login_mechanisms_pending(const struct login_mechanisms *m, const struct conn *conn,
    bool clear_ok);
/* This one is offered to a connection of these kinds. */
bool login_mechanisms_has(const struct login_mechanisms *m, bool tls, bool clear_ok,
    struct span name);

/* auth_exchange_start() for a client's connection: puts its TLS into `start` (flags,
 * channel binding, the certificate's names where EXTERNAL asks for them). */
struct auth_exchange *login_start(struct auth_client *c, const struct conn *conn, bool clear_ok,
    struct auth_start *start, auth_done_fn fn, void *arg);

/* A login's ticket; zeroed: none. */
struct login {
	struct auth_client	*auth;
	struct auth_lookup	*asking;
	struct loop_timer	*due;
	struct buf		ticket;
	/* ticket: the new one; empty: there is none, the login has expired. */
	void			(*renewed)(void *arg, struct span ticket);
	void			*arg;
};
void login_begin(struct login *l, struct loop *loop, struct auth_client *c,
    const struct auth_granted *g, void (*renewed)(void *arg, struct span ticket), void *arg);
/* Gives the ticket back. */
void login_end(struct login *l);
static inline struct span
login_ticket(const struct login *l)
{
	return buf_span(&l->ticket);
}
/* authd is a new one: renew soon, as the nth of those that are to be; all of them within
 * LOGIN_RENEW_S. */
#define LOGIN_RENEW_S 8
void login_renew(struct login *l, uint64_t nth);

#endif
