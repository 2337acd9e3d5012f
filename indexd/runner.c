#include "indexd/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/sandbox.h"

#define PROGRAM_FDS 32u

/* What programs and their libraries load. */
static const char *const loaded[] = { "/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc/ld.so.cache",
    "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/fonts", "/etc/localtime",
    "/dev/urandom", "/dev/zero" };
#define LOADED ARRAY_LEN(loaded)

struct runner {
	int				fd;
	const struct conf_extractor	*v;
	size_t				n;
	struct runner_limits		limits;
	sigset_t			open;	/* signals while it waits */
};

/* The program -------------------------------------------------------------------- */

static void
limit(int what, rlim_t most)
{
	const struct rlimit rl = { most, most };

	if (setrlimit(what, &rl) != 0)
		_exit(126);
}

/* Between fork and exec. */
static void
become(const struct runner *r, const struct conf_extractor *e, const int fds[2], pid_t parent)
{
	static char *const env[] = { "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
	    "HOME=/nonexistent", NULL };
	int null = open("/dev/null", O_WRONLY);
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || null < 0 ||
	    dup2(fds[0], STDIN_FILENO) < 0 || dup2(fds[1], STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0 || close_range(3, ~0u, 0) != 0)
		_exit(126);
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* before the limits: the filter is made in memory of ours */
	if (!sandbox_filter_program())
		_exit(126);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_NOFILE, PROGRAM_FDS);
	limit(RLIMIT_CPU, r->limits.time_s);
	limit(RLIMIT_AS, r->limits.memory_bytes);
	execve(e->argv[0], e->argv, env);
	_exit(127);
}

/* Until the program has ended, one way or the other. */
static uint32_t
wait_for(const struct runner *r, pid_t pid)
{
	uint64_t end = clock_mono_ms() + (uint64_t)r->limits.time_s * 1000;
	struct pollfd p = { r->fd, POLLIN, 0 };
	uint32_t how = RUN_FAILED;
	bool killed = false;
	int ws;

	while (waitpid(pid, &ws, WNOHANG) != pid) {
		uint64_t now = clock_mono_ms();
		struct timespec left = { .tv_nsec = 100000000 };

		if (!killed && now < end) {
			left.tv_sec = (time_t)((end - now) / 1000);
			left.tv_nsec = (long)((end - now) % 1000) * 1000000;
		} else if (!killed) {
			how = RUN_LATE;
		}
		if (!killed && (now >= end ||
		    ppoll(&p, 1, &left, &r->open) > 0)) {	/* an order, or nobody is there */
			(void)kill(pid, SIGKILL);
			killed = true;
		} else if (killed) {
			(void)ppoll(NULL, 0, &left, &r->open);
		}
	}
	if (!killed && WIFEXITED(ws) && WEXITSTATUS(ws) == 0)
		how = RUN_WELL;
	return how;
}

static uint32_t
run(const struct runner *r, uint32_t index, const int fds[2])
{
	pid_t parent = getpid(), pid = index < r->n ? fork() : -1;

	if (pid == 0)
		become(r, &r->v[index], fds, parent);
	close(fds[0]);
	close(fds[1]);
	return pid > 0 ? wait_for(r, pid) : RUN_FAILED;
}

/* The process ---------------------------------------------------------------------- */

/* false: indexd is gone. */
static bool
take_order(const struct runner *r, struct runner_order *o, int fds[2])
{
	union { struct cmsghdr h; char room[CMSG_SPACE(2 * sizeof(int))]; } u;
	struct iovec iov = { o, sizeof(*o) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.room,
	    .msg_controllen = sizeof(u.room) };
	struct cmsghdr *c;
	ssize_t n;

	fds[0] = fds[1] = -1;
	do {
		n = recvmsg(r->fd, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	c = n == sizeof(*o) ? CMSG_FIRSTHDR(&m) : NULL;
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(2 * sizeof(int)))
		memcpy(fds, CMSG_DATA(c), 2 * sizeof(int));
	return n == sizeof(*o);
}

static bool
answer(const struct runner *r, uint32_t how)
{
	const struct runner_answer a = { how };

	return send(r->fd, &a, sizeof(a), MSG_NOSIGNAL) == sizeof(a);
}

static bool
confine(const struct runner *r)
{
	const char *paths[LOADED + CONF_LIST_MAX];
	size_t n = 0;

	for (size_t i = 0; i < LOADED; i++)
		paths[n++] = loaded[i];
	for (size_t i = 0; i < r->n && i < CONF_LIST_MAX; i++)
		paths[n++] = r->v[i].argv[0];
	return sandbox_apply(SANDBOX_RUN, paths, n);
}

static void
on_child(int sig)
{
}

static void
serve(struct runner *r, pid_t parent)
{
	struct sigaction sa = { .sa_handler = on_child };
	struct runner_order o;
	sigset_t chld;
	int fds[2];

	/* only indexd's socket: its other ends are not ours to keep open */
	if (dup2(r->fd, 3) < 0 || close_range(4, ~0u, 0) != 0)
		return;
	r->fd = 3;
	(void)fd_cloexec(3, true);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &chld, &r->open);
	sigdelset(&r->open, SIGCHLD);
	(void)sigaction(SIGCHLD, &sa, NULL);
	if (getppid() != parent || !confine(r) || !answer(r, RUN_WELL))
		return;
	while (take_order(r, &o, fds)) {
		if (o.what != RUNNER_RUN || fds[0] < 0)
			continue;	/* it had ended already */
		if (!answer(r, run(r, o.index, fds)))
			return;
	}
}

int
runner_start(const struct conf_extractor *v, size_t n, const struct runner_limits *limits)
{
	struct runner r = { -1, v, n, *limits, { { 0 } } };
	struct runner_answer a = { 0 };
	pid_t parent = getpid(), pid;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		r.fd = sv[1];
		serve(&r, parent);
		_exit(0);
	}
	close(sv[1]);
	if (pid < 0 || recv(sv[0], &a, sizeof(a), 0) != sizeof(a) || a.how != RUN_WELL)
		fd_close(&sv[0]);
	return sv[0];
}
