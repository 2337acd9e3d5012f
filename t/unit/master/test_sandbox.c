/* What a process can still do after it gave its rights up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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
	const char *paths[] = { profile == SANDBOX_OUT ? "/etc" : folder };
	int ws;
	pid_t pid = fork();

	if (pid == 0) {
		if (!sandbox_apply(profile, paths, profile == SANDBOX_STORED || profile == SANDBOX_OUT))
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

static int
out_files(void)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/x", folder);
	if (!try_open("/etc/passwd", O_RDONLY))
		return 1;
	if (try_open("/etc/mansio-sandbox-never", O_CREAT | O_RDWR))
		return 2;
	if (try_open(path, O_CREAT | O_RDWR))
		return 3;
	return try_open("/proc/self/status", O_RDONLY) ? 4 : 0;
}

/* A name server that says 192.0.2.7 to all. */
static int names = -1;
static struct sockaddr_in names_at;

static void
answer_name(void)
{
	static const unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7 };
	unsigned char m[512 + sizeof(record)];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(names, m, 512, 0, (struct sockaddr *)&from, &len);
	size_t end = 12;

	if (n < 17)
		return;
	while (end < (size_t)n && m[end] != 0)
		end += m[end] + 1u;
	end += 5;
	m[2] = 0x81;
	m[3] = 0x80;
	m[7] = m[end - 3] == 1;		/* an A record alone */
	m[10] = m[11] = 0;
	memcpy(m + end, record, sizeof(record));
	(void)sendto(names, m, end + (m[7] ? sizeof(record) : 0), 0, (struct sockaddr *)&from, len);
}

static void *
resolve(void *arg)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	struct sockaddr_in a;
	bool *good = arg;

	/* outd's threads read resolv.conf; here the server is ours */
	res_init();
	_res.nscount = 1;
	_res.nsaddr_list[0] = names_at;
	if (getaddrinfo("keys.mansio.test", "443", &hints, &list) != 0)
		return NULL;
	memcpy(&a, list->ai_addr, sizeof(a));
	*good = a.sin_addr.s_addr == htonl(0xc0000207);
	freeaddrinfo(list);
	return NULL;
}

static int
out_resolves(void)
{
	pthread_t t;
	bool good = false;

	if (pthread_create(&t, NULL, resolve, &good) != 0)
		return 1;
	pthread_join(t, NULL);
	return good ? 0 : 2;
}

static int
out_connects(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(1) };

	if (fd < 0)
		return 1;
	/* nobody is there, and that is what we are told */
	return connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0 && errno == ECONNREFUSED ? 0 : 2;
}

#ifndef MANSIO_SANITIZERS
static int
out_calls(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return 1;
	if (listen(fd, 1) == 0)		/* takes a port that is free */
		return 7;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || socket(AF_PACKET, SOCK_RAW, 0) >= 0)
		return 2;
	if (fork() >= 0)
		return 3;
	if (kill(getppid(), 0) == 0)
		return 4;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return 5;
	execl("/bin/true", "true", (char *)NULL);
	return errno == EPERM || errno == EACCES ? 0 : 6;
}

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

static void
outd_reads_what_it_may_and_changes_nothing(void **state)
{
	assert_int_equal(inside(SANDBOX_OUT, out_files), 0);
}

static void
outd_resolves_names_and_connects(void **state)
{
	socklen_t len = sizeof(names_at);
	pid_t server;

	names_at = (struct sockaddr_in){ .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	names = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(names, (struct sockaddr *)&names_at, sizeof(names_at)), 0);
	assert_int_equal(getsockname(names, (struct sockaddr *)&names_at, &len), 0);
	server = fork();
	assert_true(server >= 0);
	if (server == 0)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (server == 0)
		answer_name();
	assert_int_equal(inside(SANDBOX_OUT, out_resolves), 0);
	assert_int_equal(inside(SANDBOX_OUT, out_connects), 0);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(names);
}

static void
outd_listens_nowhere_and_makes_no_process_and_no_code(void **state)
{
#ifdef MANSIO_SANITIZERS
	print_message("seccomp is off in builds with sanitizers; the production build proves it\n");
#else
	assert_int_equal(inside(SANDBOX_OUT, out_calls), 0);
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
		cmocka_unit_test(outd_reads_what_it_may_and_changes_nothing),
		cmocka_unit_test(outd_resolves_names_and_connects),
		cmocka_unit_test(outd_listens_nowhere_and_makes_no_process_and_no_code),
	};
	int r;

	log_set_level(LOG_LEVEL_ERROR);
	if (mkdtemp(folder) == NULL)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return r;
}
