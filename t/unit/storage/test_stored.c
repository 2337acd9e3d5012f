/* The program itself, started as the monitor starts it: sandboxed, with its control socket
 * and a socket to an authd that is played here. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/auth/auth_proto.h"
#include "common/conf/settings.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/worker/control_proto.h"
#include "t/unit/storage/rig.h"

#define STORED "storage/service/stored"

static struct rig rig;
static struct ipc *control, *authd;
static bool ready, asked, hold_revocations;
static struct ipc_head asked_head;
static unsigned char void_id[TICKET_ID_LEN];
static pid_t pid;

static void
on_control(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	ready = ready || m->no == CONTROL_READY;
}

static void
answer_revocations(void)
{
	struct auth_revocations_are are = { .epoch_from = 1 };
	struct buf page = { 0 };

	buf_add(&page, void_id, sizeof(void_id));
	put_u64(&page, (uint64_t)clock_wall_s() + 600);
	are.ids = buf_span(&page);
	ipc_reply(authd, &asked_head, ST_OK, AUTH_REVOCATIONS_ARE, &are);
	buf_fini(&page);
}

static void
on_authd(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	if (m->no == AUTH_KNOWN_VOIDS)
		return;
	assert_int_equal(m->no, AUTH_REVOCATIONS);
	asked = true;
	asked_head = *h;
	if (!hold_revocations)
		answer_revocations();
}

static void
send_fd(uint16_t no, const void *msg, int fd)
{
	ipc_note_fd(control, 0, no, msg, fd);
	close(fd);
}

static void
send_config(void)
{
	const struct control_config none = { 0 };
	struct conf_errors err = { 0 };
	struct mansio_conf *conf;
	struct buf text = { 0 };

	buf_addf(&text, "state-dir = \"%s\"\n", rig.dir);
	if (!conf_parse(buf_span(&text), "test", &conf, &err))
		fail_msg("the configuration is refused");
	buf_clear(&text);
	conf_effective_encode(conf, &text);
	send_fd(CONTROL_CONFIG, &none, fd_sealed("conf", text.data, text.len));
	conf_free(&conf);
	buf_fini(&text);
}

static void
send_sockets(void)
{
	const struct ipc_config af = { .loop = rig.loop, .protocol = &auth_protocol,
		.peer = "stored", .allowed = AUTH_PEER_STORED, .request = on_authd };
	const struct control_server server = { PROGRAM_AUTHD, 0 };
	const struct control_peer peer = { PROGRAM_IMAPD, 1, 1 };
	int sv[2];

	assert_true(fd_socketpair(sv));
	ipc_free(&authd);
	authd = ipc_new(&af, sv[0]);
	send_fd(CONTROL_SERVER, &server, sv[1]);
	assert_true(fd_socketpair(sv));
	store_pool_set(rig.pool, RIG_SHARD, sv[0]);
	send_fd(CONTROL_PEER, &peer, sv[1]);
}

static void
start(void)
{
	const struct ipc_config cf = { .loop = rig.loop, .protocol = &control_protocol,
		.peer = "stored", .allowed = CONTROL_CHILD, .fds = true, .request = on_control };
	const struct control_hello hello = { PROGRAM_STORED, 0, 9, RIG_SHARD };
	const struct control_ticket_key key = { rig.keys.now.number,
		span(rig.keys.now.key, TICKET_KEY_LEN) };
	uint64_t end = clock_mono_ms() + 20000;
	int sv[2];

	assert_true(fd_socketpair(sv));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(sv[1], CONTROL_FD);
		execl(STORED, "stored", (char *)NULL);
		_exit(127);
	}
	close(sv[1]);
	ready = asked = false;
	control = ipc_new(&cf, sv[0]);
	ipc_note(control, 0, CONTROL_HELLO, &hello);
	send_config();
	ipc_note(control, 0, CONTROL_TICKET_KEY, &key);
	send_sockets();
	ipc_note(control, 0, CONTROL_START, NULL);
	while (!ready && clock_mono_ms() < end)
		loop_once(rig.loop, true);
	assert_true(ready);
}

static int
ended(void)
{
	uint64_t end = clock_mono_ms() + 20000;
	int how = 0;

	while (waitpid(pid, &how, WNOHANG) == 0) {
		if (clock_mono_ms() > end)
			fail_msg("it does not end");
		rig_run(&rig, 2);
	}
	ipc_free(&control);
	ipc_free(&authd);
	assert_true(WIFEXITED(how));
	return WEXITSTATUS(how);
}

static void
it_serves_in_its_sandbox_and_keeps_what_it_has_over_a_restart(void **state)
{
	struct store *s = rig_channel(&rig, 17, NULL, NULL);
	struct answer a = { 0 };

	start();
	assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("Subject: x\r\n\r\n"), &a), ST_OK);
	kill(pid, SIGTERM);
	assert_int_equal(ended(), 0);
	start();
	assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("Subject: x\r\n\r\n"), &a), ST_OK);
	assert_int_equal(uidset_next(&a.uids, 0), 2);
	ipc_note(control, 0, CONTROL_STOP, NULL);
	assert_int_equal(ended(), 0);
	store_close(&s);
	answer_fini(&a);
}

static void
no_ticket_is_good_until_authd_said_which_are_void(void **state)
{
	unsigned char bytes[TICKET_LEN];
	struct ticket t = rig_ticket(&rig, 18);
	struct store *s;
	struct answer a = { 0 };

	hold_revocations = true;
	start();
	memcpy(void_id, t.id, sizeof(void_id));
	s = store_open_channel(rig.pool, RIG_SHARD, rig_sign(&rig, &t, bytes), NULL, NULL);
	rig_expect(0);
	store_do_quota(s, rig_done, &a);
	rig_run(&rig, 300);
	assert_true(asked);
	assert_int_equal(a.n, 0);
	answer_revocations();
	rig_wait(&rig, &a, 1);
	assert_int_equal(a.st, ST_DENIED);
	store_close(&s);
	s = rig_channel(&rig, 18, NULL, NULL);
	store_do_quota(s, rig_done, &a);
	rig_wait(&rig, &a, 2);
	assert_int_equal(a.st, ST_OK);
	hold_revocations = false;
	/* without its parent it is not needed any more */
	ipc_free(&control);
	assert_int_equal(ended(), 1);
	store_close(&s);
	answer_fini(&a);
}

static int
setup(void **state)
{
	rig_init(&rig);
	return 0;
}

static int
teardown(void **state)
{
	rig_fini(&rig);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    it_serves_in_its_sandbox_and_keeps_what_it_has_over_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    no_ticket_is_good_until_authd_said_which_are_void, setup, teardown),
	};

	if (access(STORED, X_OK) != 0) {
		printf("skipped: %s is not built here\n", STORED);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
