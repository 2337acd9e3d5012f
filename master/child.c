#include "master/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/worker/launch.h"

struct child {
	struct loop		*loop;
	struct child_spec	spec;
	char			*exe, *mode;
	const struct child_ops	*ops;
	struct ipc		*ipc;
	struct loop_timer	*again, *late;
	pid_t			pid;
	uint64_t		started_ms, delay_ms;
	uint64_t		generation;
	uint32_t		restarts;
	bool			ready, retired;
	void			*data;
};

/* Between fork and exec: only calls that are safe there. */
static void
become(const struct child_spec *s, char *const argv[], int control, int parent)
{
	int null;

	launch_signals();
	if (s->user.drop) {
		gid_t groups[2] = { s->user.gid, s->user.extra };

		if (setgroups(s->user.extra == (gid_t)-1 ? 1 : 2, groups) != 0 ||
		    setresgid(s->user.gid, s->user.gid, s->user.gid) != 0 ||
		    setresuid(s->user.uid, s->user.uid, s->user.uid) != 0)
			_exit(126);
	}
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(126);
	/* a high number first: control may be below 3 or null may be 3 */
	control = fcntl(control, F_DUPFD_CLOEXEC, 10);
	if (control < 0 || dup2(control, CONTROL_FD) < 0 ||
	    syscall(SYS_close_range, CONTROL_FD + 1, ~0u, 0) != 0)
		_exit(126);
	if (!sandbox_prepare_child(parent, &s->limits))
		_exit(126);
	execv(argv[0], argv);
	_exit(127);
}

static void on_closed(struct ipc *ipc, void *arg);

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct child *c = arg;

	if (m->no == CONTROL_READY) {
		c->ready = true;
		loop_timer_clear(c->late);
		if (c->ops->ready != NULL)
			c->ops->ready(c, c->ops->arg);
		return;
	}
	if (c->ops->message != NULL) {
		c->ops->message(c, m, h, msg, c->ops->arg);
		return;
	}
	ipc_refuse(ipc, h, ST_UNSUPPORTED);
}

static void
on_late(void *arg)
{
	struct child *c = arg;

	if (c->pid <= 0 || c->ready || c->retired)
		return;
	LOG(NULL, ERROR, "child.not-ready", KV_STR("program", program_name(c->spec.program)),
	    KV_UINT("slot", c->spec.slot), KV_INT("pid", c->pid));
	kill(c->pid, SIGKILL);
}

static void
run(void *arg)
{
	struct child *c = arg;
	struct ipc_config cf = { .loop = c->loop, .protocol = &control_protocol,
	    .peer = program_name(c->spec.program), .allowed = CONTROL_CHILD, .fds = true,
	    .request = on_request, .closed = on_closed, .arg = c };
	char *argv[] = { c->exe, c->mode, NULL };
	int sv[2], parent = getpid();
	pid_t pid;

	if (!fd_socketpair(sv)) {
		LOG(NULL, ERROR, "child.socket", KV_ERRNO(errno));
		loop_timer_set(c->again, CHILD_DELAY_MAX_MS);
		return;
	}
	pid = fork();
	if (pid == 0)
		become(&c->spec, argv, sv[1], parent);
	fd_close(&sv[1]);
	if (pid < 0) {
		LOG(NULL, ERROR, "child.fork", KV_ERRNO(errno));
		fd_close(&sv[0]);
		loop_timer_set(c->again, CHILD_DELAY_MAX_MS);
		return;
	}
	c->pid = pid;
	c->ready = false;
	c->started_ms = clock_mono_ms();
	if (c->spec.program != PROGRAM_STORED && c->spec.program != PROGRAM_MASTER)
		loop_timer_set(c->late, CHILD_READY_MS);
	c->ipc = ipc_new(&cf, sv[0]);
	LOG(NULL, DEBUG, "child.started", KV_STR("program", program_name(c->spec.program)),
	    KV_INT("pid", pid));
	c->ops->started(c, c->ops->arg);
}

struct child *
child_new(struct loop *l, const struct child_spec *spec, const struct child_ops *ops)
{
	struct child *c = mem_zalloc(sizeof(*c));

	c->loop = l;
	c->spec = *spec;
	c->exe = mem_strdup(spec->exe);
	c->spec.exe = c->exe;
	if (spec->mode != NULL)
		c->mode = mem_strdup(spec->mode);
	c->spec.mode = c->mode;
	c->ops = ops;
	c->again = loop_timer_new(l, run, c);
	c->late = loop_timer_new(l, on_late, c);
	loop_timer_set(c->again, 0);
	return c;
}

void
child_free(struct child **cp)
{
	struct child *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
	ipc_free(&c->ipc);
	loop_timer_free(&c->again);
	loop_timer_free(&c->late);
	mem_free(&c->exe);
	mem_free(&c->mode);
	mem_free(&c);
}

void
child_retire(struct child *c)
{
	c->retired = true;
	loop_timer_clear(c->again);
}

/* The socket closed: it is dying or broke the protocol; either way it ends.  One that was
 * told to stop is on its way. */
static void
on_closed(struct ipc *ipc, void *arg)
{
	struct child *c = arg;

	ipc_free(&c->ipc);
	c->ready = false;
	if (c->pid > 0 && !c->retired)
		kill(c->pid, SIGKILL);
}

bool
child_reaped(struct child *c, pid_t pid, int wstatus)
{
	uint64_t lived;

	if (c->pid != pid)
		return false;
	lived = clock_mono_ms() - c->started_ms;
	c->pid = 0;
	c->ready = false;
	loop_timer_clear(c->late);
	ipc_free(&c->ipc);
	if (!c->retired || WIFSIGNALED(wstatus))
		LOG(NULL, ERROR, "child.died", KV_STR("program", program_name(c->spec.program)),
		    KV_UINT("slot", c->spec.slot), KV_INT("pid", pid),
		    KV_STR("by", WIFSIGNALED(wstatus) ? "signal" : "exit"),
		    KV_INT("code", WIFSIGNALED(wstatus) ? WTERMSIG(wstatus) : WEXITSTATUS(wstatus)),
		    KV_UINT("lived_ms", lived));
	if (!c->retired) {
		if (lived >= CHILD_STEADY_MS)
			c->delay_ms = 0;
		loop_timer_set(c->again, c->delay_ms);
		c->delay_ms = c->delay_ms == 0 ? CHILD_DELAY_MS : c->delay_ms * 2;
		if (c->delay_ms > CHILD_DELAY_MAX_MS)
			c->delay_ms = CHILD_DELAY_MAX_MS;
		c->restarts++;
	}
	if (c->ops->died != NULL)
		c->ops->died(c, c->ops->arg);
	return true;
}

struct ipc *
child_ipc(struct child *c)
{
	return c->ipc;
}

const struct child_spec *
child_get_spec(const struct child *c)
{
	return &c->spec;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

bool
child_is_ready(const struct child *c)
{
	return c->ready;
}

uint32_t
child_restarts(const struct child *c)
{
	return c->restarts;
}

void
child_set_generation(struct child *c, uint64_t generation)
{
	c->generation = generation;
}

uint64_t
child_generation(const struct child *c)
{
	return c->generation;
}

void
child_set_data(struct child *c, void *data)
{
	c->data = data;
}

void *
child_data(const struct child *c)
{
	return c->data;
}

void
child_send(struct child *c, uint16_t no, const void *msg)
{
	if (c->ipc != NULL)
		ipc_note(c->ipc, 0, no, msg);
}

void
child_send_fd(struct child *c, uint16_t no, const void *msg, int fd)
{
	if (c->ipc != NULL && fd >= 0)
		ipc_note_fd(c->ipc, 0, no, msg, fd);
}
