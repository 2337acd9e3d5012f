#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "common/auth/sasl_session.h"
#include "common/util/fd.h"

/* An authd that asks once, then grants with data or fails, and a client that says what the
 * test says. */
static struct loop *loop;
static struct auth_client *client;
static struct ipc *authd;
static struct conn *conn;
static struct sasl_session x;
static struct sasl_ops ops;
static struct span data;	/* that goes with success */
static uint8_t reason;		/* 0: granted */
static struct buf asked;	/* authd's last start or step */
static struct buf heard;	/* what the protocol was called with */
static struct auth_mechanisms_are names;
static int logouts, other_end;

static void
serve(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h, const void *msg,
    void *arg)
{
	static const char ticket[TICKET_LEN];
	const struct auth_granted g = { .ticket = span(ticket, TICKET_LEN),
	    .user = SPAN_LIT("u@example.org"), .account = 7, .data = data };
	const struct auth_challenge c = { SPAN_LIT("who?") };
	const struct auth_failure f = { reason, SPAN_LIT("why") };

	buf_clear(&asked);
	if (m->no == AUTH_LOGOUT)
		logouts++;
	else if (m->no == AUTH_MECHANISMS)
		ipc_reply(ipc, h, ST_OK, AUTH_MECHANISMS_ARE, &names);
	else if (m->no == AUTH_STEP)
		buf_add_span(&asked, ((const struct auth_step *)msg)->data);
	else if (m->no == AUTH_START)
		buf_add_span(&asked, ((const struct auth_start *)msg)->mechanism);
	if (m->no == AUTH_START && !(((const struct auth_start *)msg)->flags & AUTH_IR))
		ipc_reply(ipc, h, ST_OK, AUTH_CHALLENGE, &c);
	else if (m->no == AUTH_START || m->no == AUTH_STEP)
		ipc_reply(ipc, h, reason != 0 ? ST_DENIED : ST_OK, reason != 0 ? AUTH_FAILURE :
		    AUTH_GRANTED, reason != 0 ? (const void *)&f : &g);
}

static void
on_challenge(void *arg, struct span base64)
{
	buf_addf(&heard, "+%.*s ", (int)base64.len, base64.p);
}

static void
on_granted(void *arg, const struct auth_granted *g)
{
	buf_addf(&heard, "granted %.*s %d %zu %.*s ", (int)g->user.len, g->user.p,
	    (int)g->account, g->ticket.len, (int)g->data.len, g->data.p);
}

static void
on_refused(void *arg, enum sasl_refusal why, struct span text)
{
	buf_addf(&heard, "%s (%.*s) ", sasl_refusal_text(why), (int)text.len, text.p);
}

static void
on_abandoned(void *arg, const char *text)
{
	buf_addf(&heard, "%s ", text);
}

static void
with_a_name(void *arg, struct span message, struct buf *out)
{
	buf_addf(out, "not %.*s", (int)message.len, message.p);
}

static void
on_data(struct conn *c, void *arg)
{
}

static void
on_closed(struct conn *c, enum conn_end why, void *arg)
{
}

static const struct conn_ops conn_ops = { .data = on_data, .eof = on_data, .closed = on_closed };

static int
setup(void **state)
{
	struct ipc_config cf = { .protocol = &auth_protocol, .peer = "worker",
	    .allowed = AUTH_PEER_WORKER, .request = serve };
	int sv[2];

	cf.loop = loop = loop_new();
	client = auth_client_new(loop, NULL, NULL);
	assert_true(fd_socketpair(sv));
	authd = ipc_new(&cf, sv[0]);
	auth_client_set(client, sv[1]);
	assert_true(fd_socketpair(sv));
	other_end = sv[1];
	conn = conn_new(loop, sv[0], NULL, &conn_ops, NULL);
	ops = (struct sasl_ops){ AUTH_IMAP, .challenge = on_challenge, .granted = on_granted,
	    .refused = on_refused, .abandoned = on_abandoned };
	sasl_session_init(&x, &ops, NULL, &(struct sasl_client){ client, conn, "1", "::1", true });
	data = SPAN_NONE;
	reason = 0;
	logouts = 0;
	return 0;
}

static void
spin(void)
{
	for (int i = 0; i < 30; i++)
		loop_once(loop, false);
}

static int
teardown(void **state)
{
	sasl_session_end(&x);
	conn_free(&conn);
	auth_client_free(&client);
	ipc_free(&authd);
	fd_close(&other_end);
	loop_once(loop, false);
	loop_free(&loop);
	buf_fini(&asked);
	buf_fini(&heard);
	return 0;
}

/* What the protocol was called with since. */
static void
expect(const char *what)
{
	spin();
	assert_string_equal(buf_cstr(&heard), what);
	buf_clear(&heard);
}

static void
a_mechanism_goes_step_by_step(void **state)
{
	sasl_start(&x, SPAN_LIT("x-mine"), NULL);
	expect("+d2hvPw== ");
	assert_string_equal(buf_cstr(&asked), "X-MINE");
	assert_true(sasl_answer(&x, SPAN_LIT("bWU=")));
	expect("granted u@example.org 7 232  ");
	assert_string_equal(buf_cstr(&asked), "me");
}

static void
what_makes_no_sense_ends_it(void **state)
{
	sasl_start(&x, SPAN_LIT("X"), NULL);
	expect("+d2hvPw== ");
	assert_false(sasl_answer(&x, SPAN_LIT("*")));
	expect("Authentication was cancelled ");
	sasl_start(&x, SPAN_LIT("X"), NULL);
	expect("+d2hvPw== ");
	assert_false(sasl_answer(&x, SPAN_LIT("b")));
	expect("Malformed base64 ");
}

static void
data_with_success_is_acknowledged_before_the_login(void **state)
{
	struct buf initial = { 0 };

	data = SPAN_LIT("so");
	sasl_start(&x, SPAN_LIT("X"), &initial);
	expect("+c28= ");
	assert_false(sasl_answer(&x, SPAN_NONE));
	expect("granted u@example.org 7 232  ");
	assert_int_equal(logouts, 0);
	sasl_start(&x, SPAN_LIT("X"), &initial);
	expect("+c28= ");
	assert_false(sasl_answer(&x, SPAN_LIT("*")));
	expect("Authentication was cancelled ");
	assert_int_equal(logouts, 1);
	sasl_start(&x, SPAN_LIT("X"), &initial);
	expect("+c28= ");
	sasl_session_end(&x);
	expect("");
	assert_int_equal(logouts, 2);
}

static void
a_protocol_with_a_place_for_it_gets_data_and_login_together(void **state)
{
	struct buf initial = { 0 };

	data = SPAN_LIT("so");
	ops.data_with_success = true;
	sasl_start(&x, SPAN_LIT("X"), &initial);
	expect("granted u@example.org 7 232 so ");
}

static void
who_is_refused_hears_why(void **state)
{
	reason = AUTH_WHY_DISABLED;
	assert_true(sasl_password(&x, SPAN_LIT("u"), SPAN_LIT("p")));
	expect("The account is disabled (why) ");
	reason = AUTH_WHY_PROTOCOL;
	assert_true(sasl_password(&x, SPAN_LIT("u"), SPAN_LIT("p")));
	expect("Login failed (why) ");
	assert_string_equal(buf_cstr(&asked), "PLAIN");
}

static void
a_password_that_is_too_long_is_not_asked_about(void **state)
{
	static const char much[AUTH_DATA_MAX];

	assert_false(sasl_password(&x, SPAN_LIT("u"), span(much, sizeof(much))));
	expect("Login failed () ");
	assert_int_equal(asked.len, 0);
}

static void
only_the_message_of_plain_is_made_another(void **state)
{
	ops.plain = with_a_name;
	sasl_start(&x, SPAN_LIT("plain"), NULL);
	expect("+d2hvPw== ");
	assert_true(sasl_answer(&x, SPAN_LIT("bWU=")));
	spin();
	assert_string_equal(buf_cstr(&asked), "not me");
	sasl_start(&x, SPAN_LIT("X"), NULL);
	spin();
	assert_true(sasl_answer(&x, SPAN_LIT("bWU=")));
	spin();
	assert_string_equal(buf_cstr(&asked), "me");
}

static void
passwords_are_not_shown_in_clear_text(void **state)
{
	assert_false(sasl_is_exposed(&x, SPAN_LIT("LOGIN")));
	x.client.clear_ok = false;
	assert_true(sasl_is_exposed(&x, SPAN_LIT("login")));
	assert_true(sasl_is_exposed(&x, SPAN_LIT("PLAIN")));
	assert_false(sasl_is_exposed(&x, SPAN_LIT("SCRAM-SHA-256")));
}

static void
what_was_offered_is_while_it_is_asked_for_anew(void **state)
{
	struct login_mechanisms m = { .came = NULL };

	names.names = SPAN_LIT("X-OLD PLAIN");
	login_mechanisms_ask(&m, client);
	assert_true(login_mechanisms_pending(&m, conn, true));
	assert_string_equal("", buf_cstr(&m.by[AUTH_CLEAR_OK].names));
	spin();
	assert_true(login_mechanisms_has(&m, false, true, SPAN_LIT("x-old")));
	names.names = SPAN_LIT("X-NEW PLAIN");
	login_mechanisms_renew(&m, client);
	login_mechanisms_renew(&m, client);
	assert_true(login_mechanisms_pending(&m, conn, true));
	assert_true(login_mechanisms_has(&m, false, true, SPAN_LIT("X-OLD")));
	spin();
	assert_false(login_mechanisms_pending(&m, conn, true));
	assert_false(login_mechanisms_has(&m, false, true, SPAN_LIT("X-OLD")));
	assert_true(login_mechanisms_has(&m, false, true, SPAN_LIT("X-NEW")));
	login_mechanisms_fini(&m);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_mechanism_goes_step_by_step, setup, teardown),
		cmocka_unit_test_setup_teardown(what_makes_no_sense_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(data_with_success_is_acknowledged_before_the_login,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(a_protocol_with_a_place_for_it_gets_data_and_login_together,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_refused_hears_why, setup, teardown),
		cmocka_unit_test_setup_teardown(a_password_that_is_too_long_is_not_asked_about, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(only_the_message_of_plain_is_made_another, setup, teardown),
		cmocka_unit_test_setup_teardown(passwords_are_not_shown_in_clear_text, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_offered_is_while_it_is_asked_for_anew, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
