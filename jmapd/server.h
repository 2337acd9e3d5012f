/* jmapd/server.h
 * What all connections of this worker share, and the way of a request: its path names a resource,
 * its credentials a login, the login an account. */
#ifndef JMAPD_SERVER_H
#define JMAPD_SERVER_H

#include "common/conf/settings.h"
#include "common/http/http.h"
#include "common/util/table.h"
#include "front/front.h"
#include "jmapd/account.h"
#include "jmapd/core/method.h"

struct jmap_server {
	FRONT(front);
	const struct conf_jmap	*conf;		/* replaced on reload */
	struct http_server	http;
	struct http_conf	http_conf;
	struct jmap_limits	limits;
	struct jmap_host	host;
	struct table		logins;		/* jmap_session by the keyed hash of credentials */
	struct list		all_sessions;	/* also those that are over */
	unsigned char		key[32];
};

extern const struct front_ops jmap_front;

/* Of a connection. */
struct jmap_conn {
	bool		clear_ok;	/* passwords may travel in clear text */
	uint32_t	failed;		/* logins */
};

/* ---- logins: jmapd/login.c ---- */

/* Credentials that were found good, and what those who show them do at the moment. */
struct jmap_session {
	struct list		in;
	struct jmap_server	*srv;
	unsigned char		key[32];
	bool			listed;		/* found by its key */
	struct jmap_account	*account;	/* NULL: being asked */
	struct auth_exchange	*exchange;
	struct list		waiting;
	struct list		exchanges;	/* under way */
	struct jmap_watch	watch;
	unsigned		requests, uploads, pushes;	/* under way */
	struct jmap_states	*states;	/* NULL: nobody waits for changes */
	uint64_t		served;
	struct log_ctx		log;
	char			peer[NET_IP_STR], conn[24];
};

/* What waits for a login: a member of who waits. */
struct jmap_login_wait {
	struct list		in;
	struct http_request	*rq;
	/* session: its account is held for the callee, who releases it; NULL: rq was answered. */
	void			(*done)(void *arg, struct jmap_session *session);
	void			*arg;
};
/* Judges the request's Authorization.  done is called once, perhaps before this returns. */
void jmap_login(struct jmap_server *srv, struct http_request *rq, struct jmap_login_wait *wait);
/* The client went away. */
void jmap_login_cancel(struct jmap_login_wait *wait);
void jmap_sessions_revoked(struct jmap_server *srv, const struct auth_revoked *r);
void jmap_sessions_renew(struct jmap_server *srv);
void jmap_sessions_fini(struct jmap_server *srv);

/* ---- resources ---- */

/* A request to a resource, logged in where it has to be. */
struct jmap_exchange {
	struct list			in_session;
	struct jmap_server		*srv;
	struct http_request		*rq;
	const struct jmap_resource	*resource;
	struct span			rest;		/* of the path, behind the resource's */
	struct jmap_session		*session;	/* its account is held */
	struct jmap_login_wait		wait;
	void				*state;		/* the resource's; see ended */
	/* When set: runs once, when the exchange is over: answered, or its client is gone; frees
	 * state. */
	void				(*ended)(struct jmap_exchange *x);
	/* Its login was taken back: ends it, with a word where there is one.  NULL: the answer says so,
	 * or breaks off. */
	void				(*cut)(struct jmap_exchange *x);
};
struct jmap_resource {
	const char	*path;		/* with an ending "/": all below it, too */
	const char	*methods;	/* for Allow: "GET, HEAD" */
	bool		login;
	void		(*run)(struct jmap_exchange *x);
};
extern const struct jmap_resource jmap_resources[];

/* Its login was taken back: answers so, or breaks the answer off. */
void jmap_exchange_cut(struct jmap_exchange *x);
/* Of an exchange that is to end later all but its memory: it is of no login any more. */
void jmap_exchange_forget(struct jmap_exchange *x);
/* The exchange is over: answer rq first. */
void jmap_exchange_done(struct jmap_exchange *x);
/* Answers with a problem of RFC 7807 that is no request-level error of JMAP, and ends. */
void jmap_exchange_problem(struct jmap_exchange *x, unsigned code, const char *title,
    const char *detail);
/* The same with a limit's name (RFC 8620 §3.6.1). */
void jmap_exchange_limit(struct jmap_exchange *x, unsigned code, const char *limit,
    const char *detail);
/* Whether the first step of x->rest names the account of the login; else answers 404.  *rest:
 * what stands behind it. */
bool jmap_exchange_account(struct jmap_exchange *x, struct span *rest);

void jmap_api(struct jmap_exchange *x);
void jmap_session_resource(struct jmap_exchange *x);
void jmap_upload(struct jmap_exchange *x);
void jmap_download(struct jmap_exchange *x);
void jmap_events(struct jmap_exchange *x);
void jmap_websocket(struct jmap_exchange *x);
/* Whether one more stream of events or WebSocket may be; else answers. */
bool jmap_push_allowed(struct jmap_exchange *x);

#endif
