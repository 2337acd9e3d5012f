#include "authd/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authd/pool.h"
#include "common/util/fd.h"
#include "common/util/fd_pass.h"
#include "common/util/log.h"
#include "common/util/mem.h"

#define CHILDREN_MAX 256
#define DEPTH_MAX 8

enum { ORDER_START = 1, ORDER_STOP = 2 };

struct order { uint32_t what, no; };

/* The process -------------------------------------------------------------------- */

static struct { uint32_t no; pid_t pid; } children[CHILDREN_MAX];	/* no 0: free */

static void
on_child(int sig)
{
}

/* Modules start programs of their own (pam_exec, in sessions of their own): those go with
 * it.  Stopped first, so that it starts no more meanwhile. */
static void
end_child(pid_t pid, unsigned depth)
{
	char path[64], list[4096];
	ssize_t n;
	char *at = list;
	int fd;

	(void)kill(pid, SIGSTOP);
	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
	fd = depth > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	n = fd >= 0 ? read(fd, list, sizeof(list) - 1) : 0;
	fd_close(&fd);
	list[n > 0 ? n : 0] = '\0';
	for (long below; (below = strtol(at, &at, 10)) > 0;)
		end_child((pid_t)below, depth - 1);
	(void)kill(pid, SIGKILL);
}

static void
reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < CHILDREN_MAX; i++)
			if (children[i].no != 0 && children[i].pid == pid)
				children[i].no = 0;
}

static void
start(uint32_t no, int fd, int orders)
{
	sigset_t none;
	size_t i = 0;
	pid_t pid;

	while (i < CHILDREN_MAX && children[i].no != 0)
		i++;
	pid = i < CHILDREN_MAX ? fork() : -1;
	if (pid == 0) {
		(void)signal(SIGCHLD, SIG_DFL);
		(void)signal(SIGPIPE, SIG_DFL);
		sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		close(orders);
		pool_child(fd);
		_exit(0);
	}
	/* none: its other end closes, and that says all */
	if (pid > 0) {
		children[i].no = no;
		children[i].pid = pid;
	}
}

static void
obey(const struct order *o, int fd, int orders)
{
	if (o->what == ORDER_START && fd >= 0)
		start(o->no, fd, orders);
	/* 0 is no child: its pid is one of long ago, or 0, that is everybody here */
	for (size_t i = 0; i < CHILDREN_MAX && o->what == ORDER_STOP && o->no != 0; i++)
		if (children[i].no == o->no)
			end_child(children[i].pid, DEPTH_MAX);
}

/* false: authd is gone. */
static bool
take_order(int orders)
{
	struct order o;
	int fd;
	ssize_t n = fd_receive(orders, &o, sizeof(o), &fd, 1, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == sizeof(o))
		obey(&o, fd, orders);
	fd_close(&fd);
	return n == sizeof(o);
}

void
spawner_main(int fd)
{
	struct sigaction sa = { .sa_handler = on_child };
	struct rlimit none = { 0, 0 };
	struct pollfd p = { fd, POLLIN, 0 };
	sigset_t chld, open;

	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);	/* the end of authd is its end, not a signal to all */
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &chld, &open);
	sigdelset(&open, SIGCHLD);
	(void)sigaction(SIGCHLD, &sa, NULL);
	do {
		reap();
	} while ((ppoll(&p, 1, NULL, &open) < 0 && errno == EINTR) || take_order(fd));
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (children[i].no != 0)
			end_child(children[i].pid, DEPTH_MAX);
}

/* authd's side -------------------------------------------------------------------- */

struct spawner {
	pid_t		pid;
	int		fd;
	uint32_t	last;
};

static void
become(int fd, bool exec)
{
	if (fd != 3 && dup2(fd, 3) < 0)
		_exit(1);
	(void)fd_cloexec(3, false);
	(void)close_range(4, ~0u, 0);
	if (exec) {
		execl("/proc/self/exe", "authd", SPAWNER_ARG, (char *)NULL);
		_exit(127);
	}
	spawner_main(3);
	_exit(0);
}

struct spawner *
spawner_start(bool exec)
{
	struct spawner *s;
	int sv[2];
	pid_t pid;

	/* packets: an order comes whole or not at all */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) != 0)
		return NULL;
	pid = fork();
	if (pid == 0)
		become(sv[1], exec);
	close(sv[1]);
	if (pid < 0) {
		close(sv[0]);
		return NULL;
	}
	s = mem_zalloc(sizeof(*s));
	s->pid = pid;
	s->fd = sv[0];
	return s;
}

void
spawner_free(struct spawner **sp)
{
	struct spawner *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	fd_close(&s->fd);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	mem_free(&s);
}

static bool
send_order(struct spawner *s, uint32_t what, uint32_t no, int fd)
{
	struct order o = { what, no };
	const struct iovec iov = { &o, sizeof(o) };

	if (fd_send(s->fd, &iov, 1, &fd, fd >= 0 ? 1 : 0, MSG_DONTWAIT))
		return true;
	if (errno == EAGAIN && what == ORDER_START)
		return false;
	/* its rights are gone with it: the monitor starts all anew */
	LOG(NULL, FATAL, "auth.spawner", KV_ERRNO(errno));
	exit(1);
}

uint32_t
spawner_child(struct spawner *s, int fd)
{
	if (++s->last == 0)
		s->last = 1;
	return send_order(s, ORDER_START, s->last, fd) ? s->last : 0;
}

void
spawner_stop(struct spawner *s, uint32_t no)
{
	(void)send_order(s, ORDER_STOP, no, -1);
}
