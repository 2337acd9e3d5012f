/* What authd and the stores are told, and when a secret goes out.  The server asked is an address that outd refuses:
 * whoever hears of it got as far as to be sent the secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/ipc/ipc.h"
#include "common/out/out_proto.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "outd/fetch.h"
#include "outd/server.h"

#define OLD "https://127.0.0.1:1/old"
#define NEW "https://127.0.0.1:1/new"

static struct {
	struct loop	*loop;
	struct outd	*outd;
	struct ipc	*authd;
	bool		done;
	enum status	st;
	char		why[300];
} w;

static void
configure(const char *url)
{
	struct mansio_conf *conf = NULL;
	struct conf_errors e = { 0 };
	char text[300];

	snprintf(text, sizeof(text), "oauth { introspection-url = \"%s\"  client-id = me\n"
	    "client-secret-file = \"/etc/secret\" }\n", url);
	assert_true(conf_parse(span_str(text), "test", &conf, &e));
	conf_errors_fini(&e);
	outd_configure(w.outd, conf);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	fail();
}

static int
set_up(void **state)
{
	struct ipc_config cf = { .protocol = &out_protocol, .peer = "outd", .closed = on_closed };
	int sv[2];

	memset(&w, 0, sizeof(w));
	w.loop = cf.loop = loop_new();
	w.outd = outd_new(w.loop);
	assert_true(fd_socketpair(sv));
	w.authd = ipc_new(&cf, sv[0]);
	outd_connect(w.outd, PROGRAM_AUTHD, 0, sv[1]);
	return 0;
}

static int
tear_down(void **state)
{
	outd_free(&w.outd);
	ipc_free(&w.authd);
	loop_free(&w.loop);
	return 0;
}

static void
on_reply(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	const struct out_failed *f = msg;

	w.done = true;
	w.st = h->status;
	w.why[0] = '\0';
	if (m != NULL && m->no == OUT_FAILED)
		snprintf(w.why, sizeof(w.why), "%.*s", (int)f->why.len, f->why.p);
}

static const char *
ask(const char *url)
{
	struct out_introspect rq = { span_str(url), SPAN_LIT("token") };

	w.done = false;
	ipc_request(w.authd, 0, OUT_INTROSPECT, &rq, on_reply, NULL);
	while (!w.done)
		loop_once(w.loop, true);
	assert_int_not_equal(w.st, ST_OK);
	return w.why;
}

static void
tell(const char *client)
{
	struct outd_secrets s = { .client = span_str(client) };

	outd_secrets(w.outd, &s);
}

static void
another_url_is_refused(void **state)
{
	assert_string_equal(ask(OLD), "another URL is configured");
	configure(OLD);
	tell("s");
	assert_string_equal(ask(NEW), "another URL is configured");
	assert_int_equal(w.st, ST_CONFLICT);
	assert_non_null(strstr(ask(OLD), "not public"));
}

static void
a_secret_goes_to_no_server_but_its_own(void **state)
{
	configure(OLD);
	assert_string_equal(ask(OLD), "the configuration is changing");
	tell("old");
	assert_non_null(strstr(ask(OLD), "not public"));
	configure(NEW);
	assert_string_equal(ask(NEW), "the configuration is changing");
	tell("old");	/* it may well be the same */
	assert_non_null(strstr(ask(NEW), "not public"));
	configure(NEW);						/* nothing changed */
	assert_non_null(strstr(ask(NEW), "not public"));
}

/* A socket of stored's. */
static struct ipc *
join(void)
{
	struct ipc_config cf = { .protocol = &out_protocol, .peer = "outd", .loop = w.loop };
	int sv[2];

	assert_true(fd_socketpair(sv));
	outd_connect(w.outd, PROGRAM_STORED, 3, sv[1]);
	return ipc_new(&cf, sv[0]);
}

static enum status
push(struct ipc *ipc, const struct out_push *rq)
{
	w.done = false;
	ipc_request(ipc, 0, OUT_PUSH, rq, on_reply, NULL);
	while (!w.done)
		loop_once(w.loop, true);
	return w.st;
}

static void
a_push_goes_to_public_addresses_by_https(void **state)
{
	struct out_push rq = { .url = span_str(OLD), .text = SPAN_LIT("{}"), .ttl_s = 5 };
	struct ipc *stored = join();

	assert_int_equal(push(stored, &rq), ST_UNAVAILABLE);
	configure(OLD);
	tell("s");
	assert_int_equal(push(stored, &rq), ST_DENIED);
	rq.url = SPAN_LIT("http://127.0.0.1:1/");
	assert_int_equal(push(stored, &rq), ST_SYNTAX);
	rq.url = SPAN_LIT("https://127.0.0.1:1/\r\nX: y");
	assert_int_equal(push(stored, &rq), ST_SYNTAX);
	rq.url = span_str(OLD);
	rq.auth = SPAN_LIT("0123456789abcdef");		/* without the other key */
	assert_int_equal(push(stored, &rq), ST_SYNTAX);
	assert_non_null(strstr(ask(OLD), "not public"));	/* authd is served beside it */
	ipc_free(&stored);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(another_url_is_refused), T(a_secret_goes_to_no_server_but_its_own),
		T(a_push_goes_to_public_addresses_by_https),
	};

	log_set_level(LOG_LEVEL_FATAL);
	if (!fetch_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
