#include "outd/launcher.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/fd_pass.h"
#include "common/worker/launch.h"

struct run {
	pid_t		pid;		/* 0: free */
	uint32_t	id;
	int		input;		/* the writing end; -1: ended */
	uint64_t	end_ms;
	bool		late;
};

struct launcher {
	int		fd;
	const char	*program;
	struct run	runs[LAUNCH_RUNS_MAX];
};

/* The program -------------------------------------------------------------------- */

/* Between fork and exec. */
static void
become(const struct launcher *x, char *const argv[], const int fds[3], pid_t parent)
{
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", "LC_ALL=C",
	    "HOME=/", NULL };
	const struct rlimit no_core = { 0, 0 };

	/* a group of its own, to be killed with all that it starts */
	if (setsid() < 0 || !launch_become(parent, fds[0], fds[2], fds[2]) || chdir("/") != 0)
		_exit(126);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	execve(x->program, argv, env);
	_exit(127);
}

/* Orders ------------------------------------------------------------------------- */

static struct run *
find(struct launcher *x, uint32_t id)
{
	for (size_t i = 0; i < LAUNCH_RUNS_MAX; i++)
		if (x->runs[i].pid != 0 && x->runs[i].id == id)
			return &x->runs[i];
	return NULL;
}

static void
answer(struct launcher *x, uint32_t id, uint32_t how, uint32_t code)
{
	const struct launch_answer a = { id, how, code };

	(void)!send(x->fd, &a, sizeof(a), MSG_NOSIGNAL);
}

/* "-oi\0-f\0...": the last byte is NUL. */
static bool
split(const struct launcher *x, char *args, size_t len, char *argv[LAUNCH_ARGS_MAX + 2])
{
	const char *slash = strrchr(x->program, '/');
	size_t n = 0;

	argv[n++] = (char *)(slash != NULL ? slash + 1 : x->program);
	for (size_t at = 0; at < len; at += strlen(args + at) + 1) {
		if (n > LAUNCH_ARGS_MAX)
			return false;
		argv[n++] = args + at;
	}
	argv[n] = NULL;
	return len > 0 && args[len - 1] == '\0';
}

static void
start(struct launcher *x, const struct launch_order *o, char *args, size_t len, int fds[3])
{
	char *argv[LAUNCH_ARGS_MAX + 2];
	pid_t parent = getpid(), pid = -1;
	struct run *r = NULL;

	for (size_t i = 0; i < LAUNCH_RUNS_MAX && r == NULL; i++)
		if (x->runs[i].pid == 0)
			r = &x->runs[i];
	if (r != NULL && split(x, args, len, argv))
		pid = fork();
	if (pid == 0)
		become(x, argv, fds, parent);
	if (pid > 0) {
		*r = (struct run){ pid, o->id, fds[1],
		    clock_mono_ms() + (uint64_t)o->time_s * 1000, false };
		fds[1] = -1;
	} else {
		answer(x, o->id, LAUNCH_EXITED, 126);
	}
}

static void
end_run(struct run *r)
{
	if (kill(-r->pid, SIGKILL) != 0)
		(void)kill(r->pid, SIGKILL);	/* its group is not there yet */
}

/* false: outd is gone. */
static bool
take_order(struct launcher *x)
{
	static union { struct launch_order o; char room[sizeof(struct launch_order) + LAUNCH_BYTES]; } u;
	int fds[3];
	ssize_t n = fd_receive(x->fd, &u, sizeof(u), fds, 3, MSG_DONTWAIT);
	struct run *r;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n < (ssize_t)sizeof(u.o))
		return false;
	r = find(x, u.o.id);
	if (u.o.what == LAUNCH_RUN && fds[2] >= 0 && r == NULL)
		start(x, &u.o, u.room + sizeof(u.o), (size_t)n - sizeof(u.o), fds);
	else if (u.o.what == LAUNCH_END_INPUT && r != NULL)
		fd_close(&r->input);
	else if (u.o.what == LAUNCH_KILL && r != NULL)
		end_run(r);
	for (int i = 0; i < 3; i++)
		fd_close(&fds[i]);
	return true;
}

/* The process ---------------------------------------------------------------------- */

static void
reap(struct launcher *x)
{
	pid_t pid;
	int ws;

	while ((pid = waitpid(-1, &ws, WNOHANG)) > 0)
		for (size_t i = 0; i < LAUNCH_RUNS_MAX; i++) {
			struct run *r = &x->runs[i];

			if (r->pid != pid)
				continue;
			answer(x, r->id, r->late ? LAUNCH_LATE : WIFEXITED(ws) ? LAUNCH_EXITED : LAUNCH_KILLED,
			    WIFEXITED(ws) ? (uint32_t)WEXITSTATUS(ws) : 0);
			fd_close(&r->input);
			r->pid = 0;
		}
}

/* Ends those whose time is over; when the next one's is, -1: never. */
static int64_t
judge_time(struct launcher *x)
{
	uint64_t now = clock_mono_ms();
	int64_t next = -1;

	for (size_t i = 0; i < LAUNCH_RUNS_MAX; i++) {
		struct run *r = &x->runs[i];
		int64_t left = r->end_ms > now ? (int64_t)(r->end_ms - now) : 0;

		if (r->pid == 0 || r->late)
			continue;
		if (left == 0) {
			r->late = true;
			end_run(r);
		} else if (next < 0 || left < next) {
			next = left;
		}
	}
	return next;
}

static void
serve(void *arg, int orders, const sigset_t *waiting)
{
	struct launcher *x = arg;
	struct pollfd p = { .fd = orders, .events = POLLIN };

	x->fd = orders;
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (!launch_up(orders))
		return;
	for (;;) {
		int64_t left = judge_time(x);
		struct timespec ts = { left / 1000, left % 1000 * 1000000 };

		if (ppoll(&p, 1, left >= 0 ? &ts : NULL, waiting) > 0 && !take_order(x))
			break;
		reap(x);
	}
	for (size_t i = 0; i < LAUNCH_RUNS_MAX; i++)
		if (x->runs[i].pid != 0)
			end_run(&x->runs[i]);
}

int
launcher_start(const char *program)
{
	struct launcher x = { .fd = -1, .program = program };
	int fd = launch_start(serve, &x);

	if (fd >= 0 && !fd_nonblock(fd))
		fd_close(&fd);
	return fd;
}
