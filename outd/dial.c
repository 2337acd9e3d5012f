#include "outd/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"

#define ADDRESSES_MAX	8u
#define ADDRESS_MS	10000u		/* one address is given so long while there are others */

/* What the thread works on: it and the dial hold it. */
struct name {
	atomic_uint		refs;
	char			*host, port[8];
	int			pipe[2];	/* a byte when it is done */
	int			error;		/* of getaddrinfo() */
	struct addrinfo		*found;
};

struct dial {
	struct loop		*loop;
	struct name		*name;
	struct loop_io		*io;
	struct loop_timer	*timer;
	const struct addrinfo	*at;		/* tried now */
	unsigned		tried;
	int			fd;
	uint64_t		end_ms;
	dial_done_fn		fn;
	void			*arg;
	char			why[160];
};

static void
name_unref(struct name *n)
{
	if (atomic_fetch_sub(&n->refs, 1) > 1)
		return;
	if (n->found != NULL)
		freeaddrinfo(n->found);
	fd_close(&n->pipe[0]);
	fd_close(&n->pipe[1]);
	mem_free(&n->host);
	mem_free(&n);
}

static void *
resolve(void *arg)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct name *n = arg;

	n->error = getaddrinfo(n->host, n->port, &hints, &n->found);
	(void)!write(n->pipe[1], "", 1);
	name_unref(n);
	return NULL;
}

void
dial_cancel(struct dial **dp)
{
	struct dial *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	loop_io_free(&d->io);
	loop_timer_free(&d->timer);
	fd_close(&d->fd);
	name_unref(d->name);
	mem_free(&d);
}

static void
finish(struct dial *d, int fd)
{
	dial_done_fn fn = d->fn;
	void *arg = d->arg;
	char why[sizeof(d->why)];

	memcpy(why, d->why, sizeof(why));
	if (fd >= 0)
		d->fd = -1;
	dial_cancel(&d);
	fn(arg, fd, why);
}

static void on_io(int fd, unsigned events, void *arg);

/* The next address that lets us begin. */
static void
try_next(struct dial *d)
{
	loop_io_free(&d->io);
	fd_close(&d->fd);
	while (d->at != NULL && d->tried < ADDRESSES_MAX) {
		const struct addrinfo *a = d->at;
		uint64_t now = loop_now_ms(d->loop), left = d->end_ms > now ? d->end_ms - now : 0;

		d->at = a->ai_next;
		d->tried++;
		d->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (d->fd >= 0 && (connect(d->fd, a->ai_addr, a->ai_addrlen) == 0 ||
		    errno == EINPROGRESS)) {
			d->io = loop_io_new(d->loop, d->fd, LOOP_WRITE, on_io, d);
			loop_timer_set(d->timer, d->at != NULL && left > ADDRESS_MS ? ADDRESS_MS : left);
			return;
		}
		snprintf(d->why, sizeof(d->why), "cannot connect: %s", strerror(errno));
		fd_close(&d->fd);
	}
	finish(d, -1);
}

static void
on_resolved(struct dial *d)
{
	if (d->name->error != 0) {
		snprintf(d->why, sizeof(d->why), "its name does not resolve: %s",
		    gai_strerror(d->name->error));
		finish(d, -1);
		return;
	}
	d->at = d->name->found;
	try_next(d);
}

static void
on_io(int fd, unsigned events, void *arg)
{
	struct dial *d = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	if (d->fd < 0) {
		on_resolved(d);
		return;
	}
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
		loop_io_free(&d->io);
		finish(d, d->fd);
		return;
	}
	snprintf(d->why, sizeof(d->why), "cannot connect: %s", strerror(error));
	try_next(d);
}

static void
on_timer(void *arg)
{
	struct dial *d = arg;

	if (d->why[0] == '\0' || d->fd >= 0)
		snprintf(d->why, sizeof(d->why), "%s", d->fd >= 0 ? "cannot connect: no answer" :
		    "its name does not resolve in time");
	if (d->fd >= 0 && loop_now_ms(d->loop) < d->end_ms)
		try_next(d);
	else
		finish(d, -1);
}

/* In a thread that nobody waits for. */
static bool
begin(struct name *n)
{
	pthread_attr_t attr;
	pthread_t t;
	bool ok;

	if (pipe2(n->pipe, O_CLOEXEC | O_NONBLOCK) != 0 || pthread_attr_init(&attr) != 0)
		return false;
	atomic_fetch_add(&n->refs, 1);
	ok = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
	    pthread_create(&t, &attr, resolve, n) == 0;
	(void)pthread_attr_destroy(&attr);
	if (!ok)
		name_unref(n);
	return ok;
}

struct dial *
dial_start(struct loop *l, const char *host, uint16_t port, uint64_t within_ms, dial_done_fn fn,
    void *arg)
{
	struct dial *d = mem_zalloc(sizeof(*d));
	struct name *n = mem_zalloc(sizeof(*n));

	atomic_init(&n->refs, 1);
	n->host = mem_strdup(host);
	n->pipe[0] = n->pipe[1] = -1;
	snprintf(n->port, sizeof(n->port), "%u", port);
	d->loop = l;
	d->name = n;
	d->fd = -1;
	d->fn = fn;
	d->arg = arg;
	d->end_ms = loop_now_ms(l) + within_ms;
	d->timer = loop_timer_new(l, on_timer, d);
	if (begin(n)) {
		d->io = loop_io_new(l, n->pipe[0], LOOP_READ, on_io, d);
		loop_timer_set(d->timer, within_ms);
	} else {
		snprintf(d->why, sizeof(d->why), "its name cannot be resolved now");
		loop_timer_set(d->timer, 0);
	}
	return d;
}
