/* admind with a mansioctl, a monitor and an authd of the test's own, all in one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "admind/client.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

struct world {
	struct admind	a;
	struct ipc	*ctl, *monitor, *authd;
	unsigned	answers, asked, held_n, held_max;
	enum status	last;
	char		text[4096];
	bool		closed, hold;
	struct ipc_head	held[256];
};

/* The other sides ------------------------------------------------------------- */

static void
answer_monitor(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct control_status_is st = { SPAN_LIT("ready=1\nprocess.a=pid=1 ready=1\n") };
	struct control_reload_is re = { SPAN_LIT("x.conf:3: unknown key\n") };

	if (m->no == CONTROL_STATUS)
		ipc_reply(ipc, h, ST_OK, CONTROL_STATUS_IS, &st);
	else if (m->no == CONTROL_RELOAD)
		ipc_reply(ipc, h, ST_SYNTAX, CONTROL_RELOAD_IS, &re);
}

static void
answer_authd(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct world *w = arg;
	const struct auth_admin *rq = msg;
	struct auth_admin_is is = { SPAN_LIT("{\"id\":\"0000000000000005\",\"shard\":0,"
	    "\"address\":\"a@x.org\"}") };

	if (m->no == AUTH_RCPT)
		ipc_reply(ipc, h, ST_NOT_FOUND, 0, NULL);
	if (m->no != AUTH_ADMIN)
		return;
	w->asked++;
	if (w->hold) {
		w->held[w->held_n++] = *h;
		if (w->held_n > w->held_max)
			w->held_max = w->held_n;
	} else if (span_eq_str(rq->command, "account-password")) {
		is.result = SPAN_LIT("{\"error\":\"no such account\"}");
		ipc_reply(ipc, h, ST_NOT_FOUND, AUTH_ADMIN_IS, &is);
	} else {
		ipc_reply(ipc, h, ST_OK, AUTH_ADMIN_IS, &is);
	}
}

static void
on_answer(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct world *w = arg;
	const struct admin_result *r = msg;

	w->answers++;
	w->last = h->status;
	w->text[0] = '\0';
	if (m != NULL && m->no == ADMIN_RESULT)
		snprintf(w->text, sizeof(w->text), "%.*s", (int)r->json.len, r->json.p);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	struct world *w = arg;

	w->closed = true;
}

/* One side of a socket for the test; the other is returned. */
static int
pair(struct world *w, struct ipc **side, const struct ipc_protocol *p, uint32_t allowed,
    ipc_request_fn fn, ipc_closed_fn closed)
{
	const struct ipc_config cf = { .loop = w->a.loop, .protocol = p, .peer = "test",
	    .allowed = allowed, .fds = p == &control_protocol, .request = fn, .closed = closed,
	    .arg = w };
	int sv[2];

	assert_true(fd_socketpair(sv));
	*side = ipc_new(&cf, sv[0]);
	return sv[1];
}

static int
start(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));
	struct ipc_config cf = { .protocol = &control_protocol, .peer = "monitor", .fds = true,
	    .allowed = CONTROL_PARENT };

	log_set_level(LOG_LEVEL_FATAL);
	w->a.loop = cf.loop = loop_new();
	w->a.conf = conf_new_default();
	list_init(&w->a.clients);
	w->a.auth = auth_client_new(w->a.loop, NULL, NULL);
	w->a.pool = store_pool_new(w->a.loop);
	w->a.helper.control = ipc_new(&cf, pair(w, &w->monitor, &control_protocol, CONTROL_CHILD,
	    answer_monitor, NULL));
	auth_client_set(w->a.auth, pair(w, &w->authd, &auth_protocol, AUTH_PEER_ADMIN,
	    answer_authd, NULL));
	client_start(&w->a, pair(w, &w->ctl, &admin_protocol, 0, NULL, on_closed));
	*state = w;
	return 0;
}

static int
stop(void **state)
{
	struct world *w = *state;

	client_free_all(&w->a);
	assert_int_equal(w->a.n_clients, 0);
	ipc_free(&w->ctl);
	ipc_free(&w->a.helper.control);
	ipc_free(&w->monitor);
	store_pool_free(&w->a.pool);
	auth_client_free(&w->a.auth);
	ipc_free(&w->authd);
	conf_free(&w->a.conf);
	loop_free(&w->a.loop);
	mem_free(&w);
	return 0;
}

static void
ask(struct world *w, const char *command, const char *args)
{
	struct admin_run run = { span_str(command), span_str(args) };

	ipc_request(w->ctl, 0, ADMIN_RUN, &run, on_answer, w);
}

static void
settle(struct world *w, unsigned answers)
{
	for (int i = 0; i < 2000 && w->answers < answers && !w->closed; i++)
		loop_once(w->a.loop, true);
	assert_int_equal(w->answers, answers);
}

/* Rounds without an answer to come. */
static void
turn(struct world *w)
{
	for (int i = 0; i < 100; i++)
		loop_once(w->a.loop, false);
}

/* Tests ------------------------------------------------------------------------ */

static void
a_command_passes_on_to_authd_with_its_arguments(void **state)
{
	struct world *w = *state;

	ask(w, "account-show", "{\"address\":\"a@x.org\"}");
	settle(w, 1);
	assert_int_equal(w->last, ST_OK);
	assert_non_null(strstr(w->text, "0000000000000005"));
}

static void
a_failure_keeps_authds_words(void **state)
{
	struct world *w = *state;

	ask(w, "account-password", "{\"address\":\"a@x.org\",\"password\":\"x\"}");
	settle(w, 1);
	assert_int_equal(w->last, ST_NOT_FOUND);
	assert_string_equal(w->text, "{\"error\":\"no such account\"}");
}

static void
what_is_no_command_is_refused_in_one_line(void **state)
{
	struct world *w = *state;

	ask(w, "rm", "{}");
	settle(w, 1);
	assert_int_equal(w->last, ST_UNSUPPORTED);
	assert_non_null(strstr(w->text, "rm"));
	/* authd's, but not for outsiders */
	ask(w, "ticket", "{\"address\":\"a@x.org\"}");
	settle(w, 2);
	assert_int_equal(w->last, ST_UNSUPPORTED);
	ask(w, "who", "[1]");
	settle(w, 3);
	assert_int_equal(w->last, ST_SYNTAX);
	ask(w, "who", "{\"user\":");
	settle(w, 4);
	assert_int_equal(w->last, ST_SYNTAX);
	ask(w, "mailbox-list", "{}");
	settle(w, 5);
	assert_int_equal(w->last, ST_SYNTAX);
	assert_int_equal(w->asked, 0);
}

static void
a_deleted_account_whose_shard_is_away_is_told_to_try_again(void **state)
{
	struct world *w = *state;

	ask(w, "account-delete", "{\"address\":\"a@x.org\"}");
	settle(w, 1);
	assert_int_equal(w->last, ST_UNAVAILABLE);
	assert_non_null(strstr(w->text, "run the command again"));
}

static void
status_does_not_wait_for_a_shard_that_is_away(void **state)
{
	struct world *w = *state;

	ask(w, "status", "{}");
	settle(w, 1);
	assert_int_equal(w->last, ST_OK);
	assert_non_null(strstr(w->text, "\"available\":false"));
	assert_non_null(strstr(w->text, "\"ready\":false}"));
}

static void
a_refused_reload_tells_file_and_line(void **state)
{
	struct world *w = *state;

	ask(w, "reload", "{}");
	settle(w, 1);
	assert_int_equal(w->last, ST_SYNTAX);
	assert_string_equal(w->text, "{\"error\":\"x.conf:3: unknown key\"}");
}

static void
only_so_many_commands_of_a_client_run_at_a_time(void **state)
{
	struct world *w = *state;
	const unsigned n = 3 * ADMIN_REQUESTS_MAX;

	w->hold = true;
	for (unsigned i = 0; i < n; i++)
		ask(w, "who", "{}");
	while (w->answers < n) {
		struct auth_admin_is is = { SPAN_LIT("{}") };

		turn(w);
		assert_true(w->held_n > 0);
		for (unsigned i = 0; i < w->held_n; i++)
			ipc_reply(w->authd, &w->held[i], ST_OK, AUTH_ADMIN_IS, &is);
		w->held_n = 0;
		turn(w);
	}
	assert_int_equal(w->answers, n);
	assert_int_equal(w->held_max, ADMIN_REQUESTS_MAX);
}

static void
a_client_that_goes_takes_its_commands_along(void **state)
{
	struct world *w = *state;
	struct auth_admin_is is = { SPAN_LIT("{}") };

	w->hold = true;
	ask(w, "who", "{}");
	ask(w, "status", "{}");		/* asks authd too */
	turn(w);
	assert_int_equal(w->held_n, 2);
	ipc_free(&w->ctl);
	turn(w);
	assert_int_equal(w->a.n_clients, 0);
	ipc_reply(w->authd, &w->held[0], ST_OK, AUTH_ADMIN_IS, &is);
	ipc_reply(w->authd, &w->held[1], ST_OK, AUTH_ADMIN_IS, &is);
	turn(w);
}

static void
data_without_a_command_is_answered(void **state)
{
	struct world *w = *state;
	struct admin_data d = { SPAN_LIT("x"), true };

	ipc_request(w->ctl, 5, ADMIN_DATA, &d, on_answer, w);
	settle(w, 1);
	assert_int_equal(w->last, ST_CANCELLED);
}

static void
deliver(struct world *w, uint32_t chan)
{
	struct admin_run run = { SPAN_LIT("deliver"), SPAN_LIT("{\"address\":\"a@x.org\"}") };

	ipc_request(w->ctl, chan, ADMIN_RUN, &run, on_answer, w);
}

static void
a_file_needs_a_channel_of_its_own(void **state)
{
	struct world *w = *state;

	deliver(w, 0);
	settle(w, 1);
	assert_int_equal(w->last, ST_SYNTAX);
	deliver(w, 7);
	deliver(w, 7);
	settle(w, 3);
}

static void
an_unknown_recipient_ends_the_delivery_and_its_file(void **state)
{
	struct world *w = *state;
	struct admin_data d = { SPAN_LIT("Subject: x\n\nbody\n"), false };

	deliver(w, 7);
	ipc_request(w->ctl, 7, ADMIN_DATA, &d, on_answer, w);
	settle(w, 2);
	/* the piece is answered first, then the command */
	assert_int_equal(w->last, ST_NOT_FOUND);
	assert_non_null(strstr(w->text, "no such address"));
	ipc_request(w->ctl, 7, ADMIN_DATA, &d, on_answer, w);
	settle(w, 3);
	assert_int_equal(w->last, ST_CANCELLED);
}

static void
a_file_that_comes_too_fast_is_refused(void **state)
{
	struct world *w = *state;
	struct admin_data d = { SPAN_LIT("x"), false };

	deliver(w, 7);
	ipc_request(w->ctl, 7, ADMIN_DATA, &d, on_answer, w);
	ipc_request(w->ctl, 7, ADMIN_DATA, &d, on_answer, w);
	settle(w, 3);
	assert_int_equal(w->last, ST_LIMIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_command_passes_on_to_authd_with_its_arguments),
		TEST(a_failure_keeps_authds_words),
		TEST(what_is_no_command_is_refused_in_one_line),
		TEST(a_deleted_account_whose_shard_is_away_is_told_to_try_again),
		TEST(status_does_not_wait_for_a_shard_that_is_away),
		TEST(a_refused_reload_tells_file_and_line),
		TEST(only_so_many_commands_of_a_client_run_at_a_time),
		TEST(a_client_that_goes_takes_its_commands_along),
		TEST(data_without_a_command_is_answered),
		TEST(a_file_needs_a_channel_of_its_own),
		TEST(an_unknown_recipient_ends_the_delivery_and_its_file),
		TEST(a_file_that_comes_too_fast_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
