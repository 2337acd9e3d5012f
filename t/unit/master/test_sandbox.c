/* What a process can still do after it gave its rights up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util/log.h"
#include "common/worker/sandbox.h"

static char folder[] = "/tmp/mansio-sandbox.XXXXXX";

/* Runs fn in a process of its own behind that sandbox: its exit code, or 128 + signal. */
static int
inside(enum sandbox_profile profile, int (*fn)(void))
{
	const char *paths[] = { folder };
	int ws;
	pid_t pid = fork();

	if (pid == 0) {
		if (!sandbox_apply(profile, paths, profile == SANDBOX_STORED ? 1 : 0))
			_exit(99);
		_exit(fn());
	}
	assert_true(pid > 0);
	waitpid(pid, &ws, 0);
	return WIFSIGNALED(ws) ? 128 + WTERMSIG(ws) : WEXITSTATUS(ws);
}

static int
try_open(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int
worker_files(void)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/x", folder);
	if (try_open("/etc/passwd", O_RDONLY))
		return 1;
	if (try_open(path, O_CREAT | O_RDWR))
		return 2;
	return mkdir("/tmp/never", 0700) == 0 ? 3 : 0;
}

static int
store_files(void)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/x", folder);
	if (!try_open(path, O_CREAT | O_RDWR))
		return 1;
	if (unlink(path) != 0)
		return 2;
	if (try_open("/etc/passwd", O_RDONLY))
		return 3;
	return try_open("/tmp/mansio-sandbox-never", O_CREAT | O_RDWR) ? 4 : 0;
}

static int
helper_files(void)
{
	if (!try_open("/etc/passwd", O_RDONLY))
		return 1;
	return try_open("/tmp/mansio-sandbox-never", O_CREAT | O_RDWR) ? 2 : 0;
}

#ifndef MANSIO_SANITIZERS
static int
worker_calls(void)
{
	int sv[2];

	if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
		return 1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0)
		return 2;
	if (fork() >= 0)
		return 3;
	if (kill(getppid(), 0) == 0)
		return 4;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return 5;
	if (syscall(SYS_pidfd_open, getppid(), 0) >= 0)
		return 6;
	execl("/bin/true", "true", (char *)NULL);
	return errno == EPERM || errno == EACCES ? 0 : 7;
}

static int
worker_abort(void)
{
	abort();
}

static int
worker_ptrace(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
	return 0;
}
#endif

static void
a_worker_has_no_files(void **state)
{
	assert_int_equal(inside(SANDBOX_WORKER, worker_files), 0);
}

static void
stored_has_its_own_folder_and_nothing_else(void **state)
{
	assert_int_equal(inside(SANDBOX_STORED, store_files), 0);
}

static void
a_helper_reads_and_does_not_write(void **state)
{
	assert_int_equal(inside(SANDBOX_HELPER, helper_files), 0);
}

static void
a_worker_makes_no_socket_no_process_and_no_code(void **state)
{
#ifdef MANSIO_SANITIZERS
	print_message("seccomp is off in builds with sanitizers; the production build proves it\n");
#else
	assert_int_equal(inside(SANDBOX_WORKER, worker_calls), 0);
	assert_int_equal(inside(SANDBOX_WORKER, worker_abort), 128 + SIGABRT);
	assert_int_equal(inside(SANDBOX_WORKER, worker_ptrace), 128 + SIGSYS);
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_has_no_files),
		cmocka_unit_test(stored_has_its_own_folder_and_nothing_else),
		cmocka_unit_test(a_helper_reads_and_does_not_write),
		cmocka_unit_test(a_worker_makes_no_socket_no_process_and_no_code),
	};
	int r;

	log_set_level(LOG_LEVEL_ERROR);
	if (mkdtemp(folder) == NULL)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return r;
}
