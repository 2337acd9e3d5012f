#include "common/net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define ACCEPTS_A_ROUND 16
#define STARVED_MS 200

/* ---- binding ---- */

static socklen_t
to_sockaddr(const struct net_addr *a, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (a->ip.family == NET_IP4) {
		struct sockaddr_in *in = (void *)ss;

		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip.b, 4);
		return sizeof(*in);
	}
	if (a->ip.family == NET_IP6) {
		struct sockaddr_in6 *in6 = (void *)ss;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		memcpy(&in6->sin6_addr, a->ip.b, 16);
		return sizeof(*in6);
	} else {
		struct sockaddr_un *un = (void *)ss;

		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, a->path, sizeof(a->path));
		return sizeof(*un);
	}
}

static bool
set_on(int fd, int level, int option)
{
	const int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

static bool
set_tcp_options(int fd, bool ip6)
{
	return set_on(fd, SOL_SOCKET, SO_REUSEADDR) && set_on(fd, SOL_SOCKET, SO_KEEPALIVE) &&
	    set_on(fd, IPPROTO_TCP, TCP_NODELAY) &&
	    (!ip6 || set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY));
}

/* Removes the socket of a server that is gone.  Anything else in its place stays,
 * and makes bind() fail. */
static void
remove_stale(const struct net_addr *a, const struct sockaddr_storage *ss, socklen_t len)
{
	struct stat st;
	int fd;

	if (lstat(a->path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const void *)ss, len) != 0 && errno == ECONNREFUSED)
		(void)unlink(a->path);
	fd_close(&fd);
}

static bool
bind_unix(int fd, const struct net_addr *a, const struct listener_opts *opts,
    const struct sockaddr_storage *ss, socklen_t len)
{
	mode_t mode = opts->mode != 0 ? opts->mode : 0660;
	mode_t before;
	bool ok;

	remove_stale(a, ss, len);
	/* Nobody else gets in between bind() and chmod(). */
	before = umask(0177);
	ok = bind(fd, (const void *)ss, len) == 0;
	umask(before);
	if (!ok)
		return false;
	if (opts->uid != (uid_t)-1 || opts->gid != (gid_t)-1)
		ok = chown(a->path, opts->uid, opts->gid) == 0;
	return ok && chmod(a->path, mode) == 0;
}

bool
listener_bind(const struct net_addr *a, const struct listener_opts *opts, int *fdp)
{
	struct sockaddr_storage ss;
	socklen_t len = to_sockaddr(a, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool ok;

	if (fd < 0)
		return false;
	if (a->ip.family == NET_UNIX)
		ok = bind_unix(fd, a, opts, &ss, len);
	else
		ok = set_tcp_options(fd, a->ip.family == NET_IP6) &&
		    bind(fd, (const void *)&ss, len) == 0;
	if (!ok || listen(fd, opts->backlog > 0 ? opts->backlog : 1024) != 0) {
		fd_close(&fd);
		return false;
	}
	*fdp = fd;
	return true;
}

bool
listener_addr(int fd, struct net_addr *a)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	memset(a, 0, sizeof(*a));
	if (getsockname(fd, (void *)&ss, &len) != 0)
		return false;
	a->ip = net_ip_of((void *)&ss, &a->port);
	if (a->ip.family == NET_UNIX) {
		const struct sockaddr_un *un = (const void *)&ss;

		memcpy(a->path, un->sun_path, sizeof(a->path) - 1);
	}
	return a->ip.family != NET_NONE;
}

/* ---- accepting ---- */

struct listener {
	struct loop_io		*io;
	struct loop_timer	*starved;
	listener_fn		 fn;
	void			*arg;
	bool			 paused;
	bool			 busy, freed;	/* freed while busy: by fn */
};

static void
on_rest(void *arg)
{
	struct listener *ln = arg;

	loop_io_set(ln->io, ln->paused ? 0 : LOOP_READ);
}

/* Level-triggered: an accept that keeps failing would spin. */
static void
rest(struct listener *ln, int error)
{
	LOG(NULL, WARN, "accept.failed", KV_ERRNO(error), KV_INT("pause_ms", STARVED_MS));
	loop_io_set(ln->io, 0);
	loop_timer_set(ln->starved, STARVED_MS);
}

static bool
is_transient(int error)
{
	/* Errors of a connection that died while it waited (accept(2)). */
	return error == ECONNABORTED || error == EINTR || error == EPROTO ||
	    error == ENETDOWN || error == ENETUNREACH || error == EHOSTDOWN ||
	    error == EHOSTUNREACH || error == ENOPROTOOPT || error == EOPNOTSUPP ||
	    error == ENONET || error == ETIMEDOUT;
}

static void
on_ready(int fd, unsigned events, void *arg)
{
	struct listener *ln = arg;

	ln->busy = true;
	for (int i = 0; i < ACCEPTS_A_ROUND && !ln->freed && !ln->paused; i++) {
		struct sockaddr_storage ss = { 0 };
		socklen_t len = sizeof(ss);
		int client = accept4(fd, (void *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct net_ip peer;
		uint16_t port;

		if (client < 0) {
			if (is_transient(errno))
				continue;
			if (errno != EAGAIN)
				rest(ln, errno);
			break;
		}
		peer = net_ip_of((void *)&ss, &port);
		ln->fn(client, &peer, port, ln->arg);
	}
	ln->busy = false;
	if (ln->freed)
		mem_free(&ln);
}

struct listener *
listener_new(struct loop *l, int fd, listener_fn fn, void *arg)
{
	struct listener *ln = mem_zalloc(sizeof(*ln));

	ln->fn = fn;
	ln->arg = arg;
	ln->starved = loop_timer_new(l, on_rest, ln);
	ln->io = loop_io_new(l, fd, LOOP_READ, on_ready, ln);
	return ln;
}

void
listener_pause(struct listener *ln)
{
	ln->paused = true;
	loop_io_set(ln->io, 0);
}

void
listener_resume(struct listener *ln)
{
	ln->paused = false;
	if (!loop_timer_is_set(ln->starved))
		loop_io_set(ln->io, LOOP_READ);
}

void
listener_free(struct listener **lp)
{
	struct listener *ln = *lp;

	if (ln == NULL)
		return;
	*lp = NULL;
	loop_io_free(&ln->io);
	loop_timer_free(&ln->starved);
	ln->freed = true;
	if (!ln->busy)
		mem_free(&ln);
}
