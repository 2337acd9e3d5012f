/* Supervision: this program starts itself as the child that is supervised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "master/child.h"

static char self[4096];

/* The child ----------------------------------------------------------------- */

struct kid {
	struct loop	*loop;
	struct ipc	*ipc;
};

static void
kid_message(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct kid *k = arg;
	struct control_load l = { (uint32_t)getpid(), 0 };

	if (m->no == CONTROL_HELLO) {
		ipc_note(ipc, 0, CONTROL_LOAD, &l);
		ipc_note(ipc, 0, CONTROL_READY, NULL);
	} else if (m->no == CONTROL_STOP) {
		loop_stop(k->loop);
	} else if (m->no == CONTROL_DRAIN) {
		abort();
	}
}

static void
kid_closed(struct ipc *ipc, void *arg)
{
	loop_stop(((struct kid *)arg)->loop);
}

static int
kid_main(void)
{
	struct kid k = { NULL, NULL };
	struct ipc_config cf = { .protocol = &control_protocol, .peer = "parent",
	    .allowed = CONTROL_PARENT, .fds = true, .request = kid_message, .closed = kid_closed,
	    .arg = &k };

	/* nothing but the control socket was left open */
	for (int fd = CONTROL_FD + 1; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && getenv("LEAK_OK") == NULL)
			abort();
	k.loop = cf.loop = loop_new();
	k.ipc = ipc_new(&cf, CONTROL_FD);
	loop_run(k.loop);
	ipc_free(&k.ipc);
	loop_free(&k.loop);
	return 0;
}

/* The parent ---------------------------------------------------------------- */

struct parent {
	struct loop		*loop;
	struct loop_signal	*chld;
	struct child		*child;
	int			started, ready, died;
	uint32_t		kid_pid;
};

static void
on_started(struct child *c, void *arg)
{
	struct parent *p = child_data(c);
	struct control_hello h = { PROGRAM_IMAPD, 1, 7, 0 };

	p->started++;
	child_send(c, CONTROL_HELLO, &h);
}

static void
on_ready(struct child *c, void *arg)
{
	((struct parent *)child_data(c))->ready++;
}

static void
on_message(struct child *c, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	if (m->no == CONTROL_LOAD)
		((struct parent *)child_data(c))->kid_pid = ((const struct control_load *)msg)->connections;
}

static void
on_died(struct child *c, void *arg)
{
	((struct parent *)child_data(c))->died++;
}

static const struct child_ops ops = { on_started, on_ready, on_message, on_died, NULL };

static void
on_chld(void *arg)
{
	struct parent *p = arg;
	int ws;
	pid_t pid;

	while ((pid = waitpid(-1, &ws, WNOHANG)) > 0)
		child_reaped(p->child, pid, ws);
}

static void
open_parent(struct parent *p)
{
	struct child_spec s = { .program = PROGRAM_IMAPD, .slot = 1, .exe = self, .mode = "--kid" };

	memset(p, 0, sizeof(*p));
	p->loop = loop_new();
	p->chld = loop_signal_new(p->loop, SIGCHLD, on_chld, p);
	p->child = child_new(p->loop, &s, &ops);
	child_set_data(p->child, p);
}

static void
close_parent(struct parent *p)
{
	child_free(&p->child);
	loop_signal_free(&p->chld);
	loop_free(&p->loop);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* Runs until *n reaches want, at most five seconds. */
static void
until(struct parent *p, const int *n, int want)
{
	uint64_t end = clock_mono_ms() + 5000;

	while (*n < want && clock_mono_ms() < end) {
		loop_once(p->loop, false);
		usleep(1000);
	}
	assert_int_equal(*n, want);
}

static void
a_killed_process_is_started_again_and_the_delay_grows(void **state)
{
	struct parent p;
	uint64_t t[6];

	open_parent(&p);
	for (int i = 1; i <= 5; i++) {
		until(&p, &p.ready, i);
		assert_int_equal(p.kid_pid, child_pid(p.child));
		assert_true(child_is_ready(p.child));
		t[i] = clock_mono_ms();
		kill(child_pid(p.child), SIGKILL);
		until(&p, &p.died, i);
		assert_false(child_is_ready(p.child));
	}
	until(&p, &p.ready, 6);
	assert_true(t[5] - t[4] >= CHILD_DELAY_MS * 4);
	assert_int_equal(child_restarts(p.child), 5);
	close_parent(&p);
}

static void
a_retired_process_stays_away(void **state)
{
	struct parent p;

	open_parent(&p);
	until(&p, &p.ready, 1);
	child_retire(p.child);
	child_send(p.child, CONTROL_STOP, NULL);
	until(&p, &p.died, 1);
	for (int i = 0; i < 100; i++) {
		loop_once(p.loop, false);
		usleep(1000);
	}
	assert_int_equal(p.started, 1);
	assert_int_equal(child_pid(p.child), 0);
	close_parent(&p);
}

static void
a_child_dies_with_its_parent(void **state)
{
	int pipefd[2];
	pid_t middle, kid = 0;

	assert_int_equal(pipe(pipefd), 0);
	middle = fork();
	if (middle == 0) {
		struct parent p;

		setenv("LEAK_OK", "1", 1);
		open_parent(&p);
		until(&p, &p.ready, 1);
		kid = child_pid(p.child);
		if (write(pipefd[1], &kid, sizeof(kid)) != sizeof(kid))
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipefd[0], &kid, sizeof(kid)), sizeof(kid));
	kill(middle, SIGKILL);
	waitpid(middle, NULL, 0);
	for (int i = 0; i < 2000 && kill(kid, 0) == 0; i++) {
		char path[64], stat[256];
		int fd;

		/* a zombie that nobody here may reap counts as dead */
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)kid);
		fd = open(path, O_RDONLY);
		stat[0] = '\0';
		if (fd >= 0) {
			ssize_t n = read(fd, stat, sizeof(stat) - 1);

			stat[n > 0 ? n : 0] = '\0';
			close(fd);
		}
		if (strstr(stat, ") Z ") != NULL) {
			kid = 0;
			break;
		}
		usleep(1000);
	}
	if (kid != 0)
		assert_int_equal(kill(kid, 0), -1);
	close(pipefd[0]);
	close(pipefd[1]);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_process_is_started_again_and_the_delay_grows),
		cmocka_unit_test(a_retired_process_stays_away),
		cmocka_unit_test(a_child_dies_with_its_parent),
	};
	ssize_t n;

	if (argc == 2 && strcmp(argv[1], "--kid") == 0)
		return kid_main();
	log_set_level(getenv("TRACE") ? LOG_LEVEL_TRACE : LOG_LEVEL_FATAL);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return 1;
	self[n] = '\0';
	return cmocka_run_group_tests(tests, NULL, NULL);
}
