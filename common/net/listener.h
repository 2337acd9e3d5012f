/* common/net/listener.h
 * Listening sockets: made by whoever has the right to bind, accepted from by the
 * workers that inherit them. */
#ifndef COMMON_NET_LISTENER_H
#define COMMON_NET_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/net/addr.h"
#include "common/net/loop.h"

struct listener_opts {
	int	backlog;	/* 0: 1024 */
	mode_t	mode;		/* UNIX socket; 0: 0660 */
	uid_t	uid;		/* UNIX socket; (uid_t)-1: unchanged */
	gid_t	gid;
};

/* Binds and listens: non-blocking, close-on-exec; TCP with SO_REUSEADDR, TCP_NODELAY
 * and SO_KEEPALIVE (accepted sockets inherit them), IPv6 without IPv4.  A UNIX
 * socket left by a dead server is replaced, one that answers is not (EADDRINUSE).
 * false: errno tells. */
bool listener_bind(const struct net_addr *a, const struct listener_opts *opts, int *fd);
/* What a socket was bound to (tells the port chosen for port 0). */
bool listener_addr(int fd, struct net_addr *a);

/* fd: non-blocking, close-on-exec, the callee's.  peer is borrowed for the call. */
typedef void (*listener_fn)(int fd, const struct net_ip *peer, uint16_t port, void *arg);

struct listener;
/* Accepts from fd (the caller's, open until after listener_free) at most 16
 * connections a round, so that established ones get their turn.  Without
 * descriptors it logs, waits 200 ms and goes on.  fn may free the listener. */
struct listener *listener_new(struct loop *l, int fd, listener_fn fn, void *arg);
/* Stops and restarts accepting: a full worker leaves the rest to the others. */
void listener_pause(struct listener *ln);
void listener_resume(struct listener *ln);
void listener_free(struct listener **ln);

#endif
