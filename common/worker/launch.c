#include "common/worker/launch.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util/fd.h"

#define ORDERS 3

static const char up = 'u';

/* The process -------------------------------------------------------------------- */

static void
on_child(int sig)
{
}

static void
be(int fd, pid_t parent, launch_serve_fn serve, void *arg)
{
	struct sigaction sa = { .sa_handler = on_child };
	sigset_t chld, waiting;

	/* only its owner's socket: the other ends of the others are not its to keep open */
	if (dup2(fd, ORDERS) < 0 || close_range(ORDERS + 1, ~0u, 0) != 0)
		return;
	(void)fd_cloexec(ORDERS, true);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &chld, &waiting);
	sigdelset(&waiting, SIGCHLD);
	(void)sigaction(SIGCHLD, &sa, NULL);
	if (getppid() == parent)
		serve(arg, ORDERS, &waiting);
}

bool
launch_up(int orders)
{
	return send(orders, &up, sizeof(up), MSG_NOSIGNAL) == sizeof(up);
}

/* Its programs ------------------------------------------------------------------- */

void
launch_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

bool
launch_become(pid_t parent, int input, int output, int error)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
	    dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(error, STDERR_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0u, 0) != 0)
		return false;
	launch_signals();
	return true;
}

/* Its owner's side ---------------------------------------------------------------- */

int
launch_start(launch_serve_fn serve, void *arg)
{
	pid_t parent = getpid(), pid;
	int sv[2];
	char said;

	/* packets: an order comes whole or not at all */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		be(sv[1], parent, serve, arg);
		_exit(0);
	}
	close(sv[1]);
	if (pid < 0 || recv(sv[0], &said, sizeof(said), 0) != sizeof(said) || said != up)
		fd_close(&sv[0]);
	return sv[0];
}
