/* The program itself: started as the monitor starts it, its children execute it anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/auth/auth_client.h"
#include "common/conf/settings.h"
#include "common/crypto/random.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "common/worker/control_proto.h"
#include "fake_store.h"

#define PROGRAM "authd/authd"

static struct {
	struct loop		*loop;
	struct fake_store	store;
	struct ipc		*control, *admin;
	bool			ready, answered, gone;
	enum status		st;
	struct ticket_keys	keys;
	struct ticket		ticket;
	pid_t			pid;
} w;

static void
on_control(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	assert_int_equal(m->no, CONTROL_READY);
	w.ready = true;
}

static void
on_gone(struct ipc *ipc, void *arg)
{
	w.gone = true;
}

static void
on_late(void *arg)
{
	fail_msg("no answer in time");
}

static void
wait_for(bool *what)
{
	struct loop_timer *t = loop_timer_new(w.loop, on_late, NULL);

	loop_timer_set(t, 20000);
	while (!*what)
		loop_once(w.loop, true);
	loop_timer_free(&t);
}

static bool as_root;

static void
give_config(void)
{
	static const uint8_t with_pam[] = { CONF_BACKEND_INTERNAL, CONF_BACKEND_PAM };
	struct mansio_conf *c = conf_new_default();
	struct buf b = { 0 };
	int fd;

	c->auth.hash_memory_bytes = 64 << 10;
	c->auth.hash_passes = 1;
	if (as_root) {
		c->auth.backends = (struct conf_enums){ with_pam, 2 };
		c->pam.as_root = true;
		c->users.auth = "nobody";
	}
	conf_effective_encode(c, &b);
	fd = fd_sealed("conf", b.data, b.len);
	assert_true(fd >= 0);
	ipc_note_fd(w.control, 0, CONTROL_CONFIG, &(struct control_config){ 1 }, fd);
	close(fd);
	buf_fini(&b);
	conf_free(&c);
}

static void
start(void)
{
	struct ipc_config cf = { .protocol = &control_protocol, .peer = "authd",
	    .allowed = CONTROL_CHILD, .fds = true, .request = on_control, .closed = on_gone };
	struct ticket_key key = { .number = 7 };
	int sv[2], fd;

	w.loop = w.store.loop = loop_new();
	assert_true(fd_socketpair(sv));
	w.pid = fork();
	assert_true(w.pid >= 0);
	if (w.pid == 0) {
		dup2(sv[1], CONTROL_FD);
		fd_cloexec(CONTROL_FD, false);
		execl(PROGRAM, "authd", (char *)NULL);
		_exit(127);
	}
	close(sv[1]);
	cf.loop = w.loop;
	w.control = ipc_new(&cf, sv[0]);
	random_bytes(key.key, sizeof(key.key));
	ticket_keys_rotate(&w.keys, &key);
	ipc_note(w.control, 0, CONTROL_HELLO, &(struct control_hello){ .program = PROGRAM_AUTHD,
	    .generation = 1 });
	ipc_note_fd(w.control, 0, CONTROL_LOG, &(struct control_log){ LOG_SINK_STDERR, LOG_LEVEL_ERROR },
	    STDERR_FILENO);
	give_config();
	ipc_note(w.control, 0, CONTROL_TICKET_KEY, &(struct control_ticket_key){ key.number,
	    span(key.key, sizeof(key.key)) });
	fd = fake_store_connect(&w.store);
	ipc_note_fd(w.control, 0, CONTROL_SERVER, &(struct control_server){ PROGRAM_STORED,
	    CONTROL_SHARD_SYSTEM }, fd);
	close(fd);
	ipc_note(w.control, 0, CONTROL_START, NULL);
	wait_for(&w.ready);
}

static int
peer(uint8_t program)
{
	int sv[2];

	assert_true(fd_socketpair(sv));
	ipc_note_fd(w.control, 0, CONTROL_PEER, &(struct control_peer){ program, 3, 9 }, sv[0]);
	close(sv[0]);
	return sv[1];
}

static void
on_admin(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	w.st = h->status;
	w.answered = true;
}

static void
on_auth(void *arg, const struct auth_result *r)
{
	w.st = r->st;
	w.answered = true;
	if (r->granted != NULL)
		assert_int_equal(ticket_verify(&w.keys, r->granted->ticket, &w.ticket), ST_OK);
}

/* How many processes below pid there are of this user (0) or of others. */
static unsigned
below(pid_t pid, bool root)
{
	char path[64], line[4096] = "";
	unsigned n = 0;
	struct stat st;
	char *at = line;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld", (long)pid);
	if (stat(path, &st) != 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "Uid:", 4) == 0)
			n = (atol(line + 4) == 0) == root;
	if (f != NULL)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
	f = fopen(path, "r");
	line[0] = '\0';
	if (f == NULL || fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	if (f != NULL)
		fclose(f);
	for (long child; (child = strtol(at, &at, 10)) > 0;)
		n += below((pid_t)child, root);
	return n;
}

static void
end(void)
{
	int status;

	ipc_free(&w.control);
	assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fake_store_fini(&w.store);
	loop_free(&w.loop);
	memset(&w, 0, sizeof(w));
}

static void
of_the_helper_only_what_asks_pam_is_root(void **state)
{
	if (access(PROGRAM, X_OK) != 0 || geteuid() != 0) {
		print_message("skipped: %s is not built, or this is not root\n", PROGRAM);
		skip();
	}
	as_root = true;
	start();
	as_root = false;
	/* the spawner and its four children; authd and those that hash */
	for (int i = 0; i < 100 && below(w.pid, true) < 5; i++)
		usleep(20000);
	assert_int_equal(below(w.pid, true), 5);
	assert_true(below(w.pid, false) >= 2);
	end();
}

static void
the_program_serves_and_ends_with_its_parent(void **state)
{
	struct auth_admin rq = { SPAN_LIT("account-add"),
	    SPAN_LIT("{\"address\":\"a@b.example\",\"password\":\"pw\"}") };
	struct auth_start s = { .mechanism = SPAN_LIT("PLAIN"), .service = AUTH_IMAP,
	    .flags = AUTH_TLS | AUTH_IR, .initial = SPAN_LIT("\0a@b.example\0pw") };
	struct ipc_config cf = { .protocol = &auth_protocol, .peer = "authd" };
	struct auth_client *imap;

	if (access(PROGRAM, X_OK) != 0) {
		print_message("skipped: %s is not built\n", PROGRAM);
		skip();
	}
	start();
	cf.loop = w.loop;
	w.admin = ipc_new(&cf, peer(PROGRAM_ADMIND));
	ipc_request(w.admin, 0, AUTH_ADMIN, &rq, on_admin, NULL);
	wait_for(&w.answered);
	assert_int_equal(w.st, ST_OK);
	imap = auth_client_new(w.loop, NULL, NULL);
	auth_client_set(imap, peer(PROGRAM_IMAPD));
	w.answered = false;
	(void)auth_exchange_start(imap, &s, on_auth, NULL);
	wait_for(&w.answered);
	assert_int_equal(w.st, ST_OK);
	assert_int_equal(w.ticket.slot, 3);
	assert_int_equal(w.ticket.generation, 9);
	ipc_free(&w.admin);
	auth_client_free(&imap);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_program_serves_and_ends_with_its_parent),
		cmocka_unit_test(of_the_helper_only_what_asks_pam_is_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
