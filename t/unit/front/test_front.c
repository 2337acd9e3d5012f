/* Sessions of a protocol that takes lines and says nothing, without authd and without a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util/fd.h"
#include "common/util/mem.h"
#include "front/front.h"

#define SESSIONS 3

struct session {
	FRONT_SESSION(base);
	int	no;
};

static struct front front;
static struct loop *loop;
static struct session *s[SESSIONS];
static int client[SESSIONS];
static int taken, ended, closed, byes[FRONT_DRAIN + 1];

static bool
take(struct front_session *base)
{
	struct buf *in = conn_in(base->conn);
	const char *nl = memchr(in->data, '\n', in->len);

	if (nl == NULL)
		return false;
	taken++;
	base->busy = in->data[0] == 'w';	/* a command that waits */
	buf_drop(in, (size_t)(nl - in->data) + 1);
	return true;
}

static void
on_renewed(struct front_session *base, struct span ticket)
{
}

static void
on_bye(struct front_session *base, enum front_why why)
{
	byes[why]++;
	if (why != FRONT_DRAIN || !base->busy)
		front_session_end(base);
}

static void
on_ended(struct front_session *base)
{
	ended++;
}

static void
on_session_closed(void *arg, const struct net_ip *peer)
{
	closed++;
}

static void
on_timer(void *arg)
{
}

static const struct front_ops ops = {
	.ev_connect = "test.connect", .ev_tls = "test.tls", .ev_tls_failed = "test.tls-failed",
	.ev_too_many_connections = "test.too-many", .take = take, .renewed = on_renewed,
	.bye = on_bye, .ended = on_ended
};
static const struct conn_ops conn_ops = {
	.data = front_on_data, .eof = front_on_eof, .secured = front_on_secured,
	.closed = front_on_closed
};
static const struct sasl_ops sasl_ops = { .service = AUTH_IMAP };

static int
setup(void **state)
{
	const struct conf_listener listener = { .head.name = "test", .cleartext_login = true };
	int sv[2];

	loop = loop_new();
	front = (struct front){ .closed = on_session_closed };
	front_init(&front, &ops, loop, auth_client_new(loop, NULL, NULL));
	taken = ended = closed = 0;
	memset(byes, 0, sizeof(byes));
	for (int i = 0; i < SESSIONS; i++) {
		assert_true(fd_socketpair(sv));
		client[i] = sv[1];
		s[i] = mem_zalloc(sizeof(*s[i]));
		s[i]->no = i;
		front_session_open(&s[i]->base, &front, sv[0], "1", "::1", &listener, &conn_ops,
		    &sasl_ops, on_timer);
	}
	return 0;
}

static int
teardown(void **state)
{
	front_fini(&front);
	assert_int_equal(closed, SESSIONS);
	assert_int_equal(ended, SESSIONS);
	auth_client_free(&front.auth);
	for (int i = 0; i < SESSIONS; i++)
		fd_close(&client[i]);
	loop_once(loop, false);
	loop_free(&loop);
	return 0;
}

static void
spin(void)
{
	for (int i = 0; i < 20; i++)
		loop_once(loop, false);
}

static void
say(int i, const char *text)
{
	assert_int_equal(send(client[i], text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
	spin();
}

static bool
enter(int i, uint64_t account, uint32_t most)
{
	const struct auth_granted g = { .ticket = SPAN_LIT("t"), .user = SPAN_LIT("u@x"),
	    .account = account };

	return front_enter(&s[i]->base, &g, most);
}

static void
what_comes_behind_a_command_waits_for_it(void **state)
{
	say(0, "a\nwait\nb\nc");
	assert_int_equal(taken, 2);
	say(0, "\n");
	assert_int_equal(taken, 2);
	s[0]->busy = false;
	front_session_kick(&s[0]->base);
	spin();
	assert_int_equal(taken, 4);
}

static void
who_sends_no_more_ends_with_his_last_command(void **state)
{
	say(0, "wait\nhalf a");
	assert_int_equal(shutdown(client[0], SHUT_WR), 0);
	spin();
	assert_int_equal(ended, 0);
	s[0]->busy = false;
	front_session_kick(&s[0]->base);
	spin();
	assert_int_equal(ended, 1);
	assert_int_equal(taken, 1);
}

static void
an_account_has_as_many_connections_as_it_may(void **state)
{
	assert_true(enter(0, 7, 2));
	assert_true(enter(1, 7, 2));
	assert_false(enter(2, 7, 2));
	assert_null(s[2]->user);
	assert_string_equal(s[0]->user, "u@x");
	assert_ptr_equal(s[0]->log.user, s[0]->user);
	front_leave(&s[0]->base);
	assert_null(s[0]->user);
	assert_null(s[0]->log.user);
	front_leave(&s[0]->base);
	assert_true(enter(2, 7, 2));
	assert_false(enter(0, 7, 2));
	front_session_end(&s[1]->base);
	assert_true(enter(0, 7, 2));
}

static void
a_login_taken_back_ends_the_sessions_of_its_account(void **state)
{
	static const char id[TICKET_ID_LEN];

	assert_true(enter(0, 7, 9));
	assert_true(enter(1, 8, 9));
	front_revoked(&front, &(struct auth_revoked){ 7, span(id, sizeof(id)) });
	assert_int_equal(byes[FRONT_REVOKED], 0);
	front_revoked(&front, &(struct auth_revoked){ 7, SPAN_NONE });
	assert_int_equal(byes[FRONT_REVOKED], 1);
	assert_int_equal(ended, 1);
	assert_true(s[0]->ending && !s[1]->ending && !s[2]->ending);
}

static void
a_worker_that_goes_says_so_to_all(void **state)
{
	say(1, "wait\n");
	front_drain(&front);
	assert_true(front.draining);
	assert_int_equal(byes[FRONT_DRAIN], SESSIONS);
	assert_int_equal(ended, SESSIONS - 1);
	assert_false(s[1]->ending);
}

static void
fields_are_those_of_the_base(void **state)
{
	assert_ptr_equal(s[1]->conn, s[1]->base.conn);
	assert_ptr_equal(s[1]->front, &front);
	assert_int_equal(list_entry(&s[1]->base, struct session, base)->no, 1);
	assert_true(front_may_login(&s[1]->base));
	assert_false(front_may_starttls(&s[1]->base));
	assert_string_equal(front_tls_name(&s[1]->base), "no");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(what_comes_behind_a_command_waits_for_it),
		T(who_sends_no_more_ends_with_his_last_command),
		T(an_account_has_as_many_connections_as_it_may),
		T(a_login_taken_back_ends_the_sessions_of_its_account),
		T(a_worker_that_goes_says_so_to_all),
		T(fields_are_those_of_the_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
