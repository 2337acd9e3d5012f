#include "indexd/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/fd_pass.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/launch.h"
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
	const sigset_t			*waiting;
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

	if (null < 0 || !launch_become(parent, fds[0], fds[1], null))
		_exit(126);
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
		    ppoll(&p, 1, &left, r->waiting) > 0)) {	/* an order, or nobody is there */
			(void)kill(pid, SIGKILL);
			killed = true;
		} else if (killed) {
			(void)ppoll(NULL, 0, &left, r->waiting);
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
	ssize_t n;

	do {
		n = fd_receive(r->fd, o, sizeof(*o), fds, 2, 0);
	} while (n < 0 && errno == EINTR);
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
serve(void *arg, int orders, const sigset_t *waiting)
{
	struct runner *r = arg;
	struct runner_order o;
	int fds[2];

	r->fd = orders;
	r->waiting = waiting;
	if (!confine(r) || !launch_up(orders))
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
	struct runner r = { -1, v, n, *limits, NULL };

	return launch_start(serve, &r);
}
