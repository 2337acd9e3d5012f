#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/fd_pass.h"

static int sv[2];

static int
setup(void **state)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv);
}

static int
teardown(void **state)
{
	fd_close(&sv[0]);
	fd_close(&sv[1]);
	return 0;
}

static void
say(size_t n_fds)
{
	const struct iovec iov[2] = { { (void *)"or", 2 }, { (void *)"der", 3 } };
	int pipes[2];

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_true(fd_send(sv[0], iov, 2, pipes, n_fds, 0));
	close(pipes[0]);
	close(pipes[1]);
}

static void
descriptors_come_with_their_packet_and_work(void **state)
{
	char got[16];
	int fds[2];

	say(2);
	assert_int_equal(fd_receive(sv[1], got, sizeof(got), fds, 2, 0), 5);
	assert_memory_equal(got, "order", 5);
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(fds[0], got, sizeof(got)), 1);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

static void
a_packet_without_them_has_none(void **state)
{
	int fds[2] = { 7, 8 };
	char got[16];

	say(0);
	assert_int_equal(fd_receive(sv[1], got, sizeof(got), fds, 2, 0), 5);
	assert_int_equal(fds[0], -1);
	assert_int_equal(fds[1], -1);
	assert_int_equal(fd_receive(sv[1], got, sizeof(got), fds, 2, MSG_DONTWAIT), -1);
}

static void
too_few_and_too_many_are_none_and_are_closed(void **state)
{
	int before = dup(sv[0]), after, fds[3];
	char got[16];

	close(before);
	say(2);
	assert_int_equal(fd_receive(sv[1], got, sizeof(got), fds, 3, 0), 5);
	assert_int_equal(fds[0], -1);
	say(2);
	assert_int_equal(fd_receive(sv[1], got, sizeof(got), fds, 1, 0), 5);
	assert_int_equal(fds[0], -1);
	after = dup(sv[0]);
	assert_int_equal(after, before);
	close(after);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(descriptors_come_with_their_packet_and_work, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(a_packet_without_them_has_none, setup, teardown),
		cmocka_unit_test_setup_teardown(too_few_and_too_many_are_none_and_are_closed, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
