/* Sessions on a socketpair, without authd and without a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "sieved/session.h"

static struct loop *loop;
static struct mansio_conf *conf;
static struct sieved_server srv;
static struct sieved_session *s;
static struct buf got;
static int client;

static void
on_session_closed(void *arg, const struct net_ip *peer)
{
	s = NULL;
}

static int
setup(void **state)
{
	const struct conf_listener listener = { .head.name = "sieve", .cleartext_login = true };
	int fds[2];

	loop = loop_new();
	conf = conf_new_default();
	srv = (struct sieved_server){ .closed = on_session_closed };
	front_init(&srv.front, &sieved_front, loop, auth_client_new(loop, NULL, NULL));
	front_configured(&srv.front, conf, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	client = fds[1];
	s = sieved_session_new(&srv, fds[0], "1", "test", &listener);
	return 0;
}

static int
teardown(void **state)
{
	front_fini(&srv.front);
	assert_null(s);
	auth_client_free(&srv.auth);
	conf_free(&conf);
	fd_close(&client);
	buf_fini(&got);
	loop_once(loop, false);
	loop_free(&loop);
	return 0;
}

/* Until what came holds the text. */
static void
hear(const char *text)
{
	buf_clear(&got);
	while (strstr(buf_cstr(&got), text) == NULL) {
		ssize_t n;

		loop_once(loop, true);
		n = recv(client, buf_reserve(&got, 65536), 65536, 0);
		if (n < 0 && errno == EAGAIN)
			continue;
		assert_true(n > 0);
		buf_added(&got, (size_t)n);
	}
}

static void
say(const char *text)
{
	assert_int_equal(send(client, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

static void
the_greeting_waits_for_authd_and_comes_without_it_too(void **state)
{
	say("NOOP\r\n");
	loop_once(loop, false);
	loop_once(loop, false);
	assert_false(s->greeted);
	assert_int_equal(recv(client, buf_reserve(&got, 100), 100, 0), -1);
	hear("OK \"NOOP completed\"\r\n");
	assert_non_null(strstr(buf_cstr(&got), "\"SASL\" \"\"\r\n"));
	assert_non_null(strstr(buf_cstr(&got), "\"VERSION\" \"1.0\"\r\n"));
}

static void
who_does_not_log_in_is_told_goodbye(void **state)
{
	loop_timer_set(s->timer, 1);
	hear("BYE \"Login took too long\"\r\n");
}

static void
who_says_nothing_is_told_goodbye(void **state)
{
	hear("OK \"Mansio ready\"\r\n");
	s->state = SIEVED_IN_AUTH;
	say("NOOP\r\n");
	hear("OK \"NOOP completed\"\r\n");
	assert_true(loop_timer_is_set(s->timer));
	loop_timer_set(s->timer, 1);
	hear("BYE \"Idle for too long\"\r\n");
}

static void
a_script_that_is_too_large_takes_no_memory(void **state)
{
	char some[4096];
	size_t left = 5000000;

	memset(some, '#', sizeof(some));
	hear("OK \"Mansio ready\"\r\n");
	s->state = SIEVED_IN_AUTH;
	say("PUTSCRIPT \"x\" {5000000+}\r\n");
	while (left > 0) {
		ssize_t n = send(client, some, left < sizeof(some) ? left : sizeof(some), MSG_NOSIGNAL);

		if (n > 0)
			left -= (size_t)n;
		loop_once(loop, false);
		assert_true(s->reader.text.room < 4096);
		assert_true(conn_in(s->conn)->room <= 4u << 16);
	}
	say("\r\n");
	hear("NO (QUOTA/MAXSIZE) \"The script is too large\"\r\n");
}

static void
what_the_store_says_has_its_response_code(void **state)
{
	static const struct {
		enum status	st;
		const char	*answer;
	} rows[] = {
		{ ST_NOT_FOUND, "NO (NONEXISTENT) " }, { ST_EXISTS, "NO (ALREADYEXISTS) " },
		{ ST_OVER_QUOTA, "NO (QUOTA) " }, { ST_LIMIT, "NO (QUOTA/MAXSCRIPTS) " },
		{ ST_UNAVAILABLE, "NO (TRYLATER) " }, { ST_CONFLICT, "NO (TRYLATER) " },
		{ ST_NO_SPACE, "NO (TRYLATER) " }, { ST_EXPIRED, "NO (TRYLATER) " },
		{ ST_DENIED, "NO \"Not permitted" }, { ST_BUG, "NO \"An error of the server" },
	};

	hear("OK \"Mansio ready\"\r\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		sieved_fail(s, rows[i].st);
		hear(rows[i].answer);
	}
}

static void
what_a_server_says_that_goes_down(void **state)
{
	hear("OK \"Mansio ready\"\r\n");
	front_drain(&srv.front);
	hear("BYE (TRYLATER) \"The server is going down, connect again\"\r\n");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_greeting_waits_for_authd_and_comes_without_it_too),
		T(who_does_not_log_in_is_told_goodbye),
		T(who_says_nothing_is_told_goodbye),
		T(a_script_that_is_too_large_takes_no_memory),
		T(what_the_store_says_has_its_response_code),
		T(what_a_server_says_that_goes_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
