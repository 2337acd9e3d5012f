/* front/front.h
 * What the workers have alike that clients log in to, to work on what the store keeps.  Here is the
 * set-up of such a worker, and of its sessions what does not depend on the protocol: the
 * connection, its TLS, the login with its ticket, what is counted, and the end.  The protocol has the
 * words; it gives a table of functions.  jmapd, where a login is no connection, has but the set-up
 * from here.
 *
 * A protocol's server begins with FRONT(front) and its session with FRONT_SESSION(base): their
 * fields are the protocol's own then, and &s->base is what these functions take. */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "common/auth/sasl_session.h"
#include "common/conf/settings.h"
#include "common/net/conn.h"
#include "common/util/list.h"
#include "common/util/log.h"
#include "common/worker/counts.h"
#include "common/worker/worker.h"
#include "storage/client/store.h"

struct front;
struct front_session;

enum front_why {
	FRONT_EXPIRED,		/* the ticket could not be renewed */
	FRONT_REVOKED,		/* the login was taken back */
	FRONT_DRAIN		/* the worker goes: for who is between two commands */
};

struct front_ops {
	/* As struct worker_ops has them. */
	const char	*program, *alpn, *too_many;
	/* Names of events for the log; idle, garbled: NULL: not worth a line. */
	const char	*ev_connect, *ev_tls, *ev_tls_failed, *ev_idle, *ev_garbled,
			*ev_too_many_connections;
	/* Opens what the sandbox will not let.  NULL: nothing. */
	void (*prepare)(void);
	/* Once, before all that follows: the fields are set.  NULL: nothing. */
	void (*init)(struct front *f);
	/* A new configuration or certificates are in force; once before accept().  Mechanisms are
	 * asked for anew behind it. */
	void (*configured)(struct front *f, const struct mansio_conf *conf);
	/* As struct worker_ops has it.  NULL: they are of no use here. */
	void (*rules)(struct front *f, char *blob, size_t len);
	/* Takes fd over.  id, peer: to be copied. */
	void (*accept)(struct front *f, int fd, const char *id, const char *peer,
	    const struct conf_listener *listener);
	/* Frees what the protocol's server has beside it; no session of front's is left.  NULL:
	 * nothing. */
	void (*fini)(struct front *f);
	/* For a protocol whose sessions are its own: instead of what front_drain() and the others do
	 * with those here.  NULL: they do. */
	void (*drain)(struct front *f);
	void (*revoked)(struct front *f, const struct auth_revoked *r);
	void (*renew)(struct front *f);

	/* ---- of a session ---- */
	/* For front_on_data(): takes a line, or whatever comes as one piece.  false: more bytes are
	 * needed. */
	bool (*take)(struct front_session *s);
	/* authd was asked for mechanisms and has answered, or is away.  NULL: nothing waits. */
	void (*mechanisms)(struct front_session *s);
	/* Behind the TLS handshake.  NULL: nothing. */
	void (*secured)(struct front_session *s);
	/* The login's ticket is this one from now on. */
	void (*renewed)(struct front_session *s, struct span ticket);
	/* Says why, if the protocol has a word for it, and ends the session. */
	void (*bye)(struct front_session *s, enum front_why why);
	/* It ends: frees what is the protocol's, but not s itself.  The login is there still. */
	void (*ended)(struct front_session *s);
};

#define FRONT_FIELDS							\
	const struct front_ops	*ops;					\
	struct worker		*worker;	/* NULL: in a test */	\
	struct loop		*loop;					\
	struct auth_client	*auth;					\
	struct tls_ctx		*tls;		/* NULL: no certificate */	\
	struct store_pool	*stores;				\
	struct list		sessions;				\
	struct counts		counts;					\
	bool			draining;				\
	struct login_mechanisms	mechanisms;				\
	/* A session is gone; may be NULL. */				\
	void			(*closed)(void *arg, const struct net_ip *peer);	\
	void			*arg;
/* What all sessions of a worker share. */
struct front { FRONT_FIELDS };
#define FRONT(name) union { struct front name; struct { FRONT_FIELDS }; }

#define FRONT_SESSION_FIELDS						\
	struct list		node;					\
	struct front		*front;					\
	struct conn		*conn;					\
	struct log_ctx		log;					\
	char			id[24];					\
	char			peer[NET_IP_STR];			\
	bool			clear_ok;	/* passwords may travel in clear text */	\
	bool			starttls;	/* offered on this listener */	\
	bool			eof, ending;				\
	bool			busy;		/* for front_on_data(): a command has not answered yet */	\
	struct loop_timer	*timer;		/* of the login, then the protocol's */	\
	struct sasl_session	sasl;					\
	struct login		login;					\
	char			*user;		/* NULL: not logged in */	\
	uint64_t		account;				\
	uint32_t		bad_commands, failed_logins;
struct front_session { FRONT_SESSION_FIELDS };
#define FRONT_SESSION(name) union { struct front_session name; struct { FRONT_SESSION_FIELDS }; }

/* ---- the worker ---- */

/* A daemon's main(); f: zeroed, lives for ever. */
int front_main(const struct front_ops *ops, struct front *f);
/* What front_main() does before a configuration comes; f: zeroed but for closed and arg. */
void front_init(struct front *f, const struct front_ops *ops, struct loop *loop,
    struct auth_client *auth);
void front_configured(struct front *f, const struct mansio_conf *conf, struct tls_ctx *tls);
/* Says goodbye to those between two commands; others follow at the end of theirs. */
void front_drain(struct front *f);
/* Ends the sessions that used a ticket taken back. */
void front_revoked(struct front *f, const struct auth_revoked *r);
/* Renews all tickets, soon. */
void front_renew(struct front *f);
/* Frees all sessions and what was asked. */
void front_fini(struct front *f);

/* ---- a session ---- */

/* Makes the connection of a session that is on the heap and zeroed: takes fd over, begins to ask
 * for mechanisms.  conn_ops: with s as their argument; on_timer: of s->timer, which is not set. */
void front_session_open(struct front_session *s, struct front *f, int fd, const char *id,
    const char *peer, const struct conf_listener *listener, const struct conn_ops *conn_ops,
    const struct sasl_ops *sasl_ops, void (*on_timer)(void *arg));
/* Sends what was said, then closes and frees. */
void front_session_end(struct front_session *s);
/* Something may have been left in the connection: look again in the next round. */
void front_session_kick(struct front_session *s);

/* Passwords may be asked for. */
static inline bool
front_may_login(const struct front_session *s)
{
	return conn_tls(s->conn) != NULL || s->clear_ok;
}
static inline bool
front_may_starttls(const struct front_session *s)
{
	return s->starttls && conn_tls(s->conn) == NULL;
}
/* Behind the positive answer to STARTTLS. */
void front_start_tls(struct front_session *s);
/* "no", or the version, for the log. */
const char *front_tls_name(const struct front_session *s);

/* The login is the session's from now on, its ticket kept fresh; false: the account has `most`
 * connections already, the ticket was given back. */
bool front_enter(struct front_session *s, const struct auth_granted *g, uint32_t most);
/* Nothing of the login is left, if there is one. */
void front_leave(struct front_session *s);

/* For struct conn_ops: data and eof are for protocols that set s->busy. */
void front_on_data(struct conn *c, void *arg);
void front_on_eof(struct conn *c, void *arg);
void front_on_secured(struct conn *c, void *arg);
void front_on_closed(struct conn *c, enum conn_end why, void *arg);

#endif
