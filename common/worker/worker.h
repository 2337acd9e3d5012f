/* common/worker/worker.h
 * What every process of a pool does, so that a daemon's main.c is a few lines: takes
 * hello, configuration, certificates, listeners and sockets from its control socket,
 * drops what rights it has left, sandboxes itself, accepts and serves, reloads,
 * drains, exits.  Ends at once when its parent's socket closes. */
#ifndef COMMON_WORKER_WORKER_H
#define COMMON_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/auth/auth_client.h"
#include "common/conf/settings.h"
#include "common/net/conn.h"
#include "common/net/loop.h"
#include "common/net/tls.h"
#include "common/util/log.h"
#include "common/worker/control_proto.h"

struct worker;

/* A listener as this worker sees it. */
struct worker_listener {
	const struct conf_listener	*conf;		/* its section, of the newest configuration */
	const char			*address;
};

struct worker_ops {
	const char	*program;		/* "imapd", for the log */
	const char	*alpn;			/* as struct tls_conf has it; NULL: ignored */
	/* What a client is told whose address has too many connections, with its line end;
	 * behind implicit TLS it is told nothing. */
	const char	*too_many;
	/* A connection was accepted; takes fd over.  peer: text of the client's address.
	 * Ends with worker_conn_closed(). */
	void (*accept)(struct worker *w, const struct worker_listener *l, int fd,
	    const char *peer, void *arg);
	/* Last chance to open what the sandbox will not let: character set tables.  NULL:
	 * nothing. */
	void (*prepare)(struct worker *w, void *arg);
	/* A new configuration or certificates are in force (also once before `accept`). */
	void (*configured)(struct worker *w, void *arg);
	/* The admin's scripts and lists came (common/worker/rules.h), `configured` follows: take blob
	 * over, which is on the heap.  NULL: not used. */
	void (*rules)(struct worker *w, char *blob, size_t len, void *arg);
	/* A socket to stored of that shard came; take fd over.  NULL: not used. */
	void (*store)(struct worker *w, uint32_t shard, int fd, void *arg);
	/* authd was started anew and knows no login: renew their tickets soon, so that it can
	 * list and end them.  NULL: there are none. */
	void (*auth_anew)(struct worker *w, void *arg);
	/* Drain: say goodbye to idle clients; more_s until the end. */
	void (*drain)(struct worker *w, uint32_t more_s, void *arg);
	/* A login's ticket was taken back: end its connection.  NULL: not used. */
	void (*revoked)(struct worker *w, const struct auth_revoked *r, void *arg);
	/* The loop has ended: free what is left. */
	void (*stopped)(struct worker *w, void *arg);
	void		*arg;
};

/* Runs the worker; returns the exit code. */
int worker_main(const struct worker_ops *ops);

struct loop *worker_loop(struct worker *w);
const struct mansio_conf *worker_conf(struct worker *w);
struct auth_client *worker_auth(struct worker *w);
struct tls_ctx *worker_tls(struct worker *w);	/* NULL: no certificate configured */
/* The public key that pushes are signed with, as base64url; "": they are not. */
const char *worker_push_key(struct worker *w);
/* The daemon counts its connections here; the pool's limit and drain rest on it. */
void worker_conn_opened(struct worker *w);
void worker_conn_closed(struct worker *w, const struct net_ip *peer);
/* A connection id, unique over all processes and time, as in the logs: at most 20 bytes. */
void worker_conn_id(struct worker *w, char id[24]);
uint64_t worker_generation(const struct worker *w);

#endif
