/* Subscriptions of push, with a process in the place of outd that answers as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/json/json.h"
#include "common/mail/object_id.h"
#include "common/out/out_proto.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/push.h"
#include "storage/state/push.h"
#include "t/unit/storage/rig.h"

#define ACCOUNT	101u
#define URL	"https://push.example.net/x"

static struct rig rig;
static struct store *chan;
static struct {
	struct ipc	*ipc;
	struct buf	text, url;	/* of the last push */
	unsigned	n;
	uint32_t	answer;		/* status of HTTP; 0: outd could not */
} outd;

static void
on_push(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h, const void *msg,
    void *arg)
{
	const struct out_push *p = msg;
	struct out_pushed is = { outd.answer, 0 };
	struct out_failed failed = { SPAN_LIT("no") };

	assert_int_equal(m->no, OUT_PUSH);
	buf_clear(&outd.text);
	buf_add_span(&outd.text, p->text);
	buf_clear(&outd.url);
	buf_add_span(&outd.url, p->url);
	outd.n++;
	if (outd.answer == 0)
		ipc_reply(ipc, h, ST_UNAVAILABLE, OUT_FAILED, &failed);
	else
		ipc_reply(ipc, h, ST_OK, OUT_PUSHED, &is);
}

static void
on_closed(struct ipc *ipc, void *arg)
{
}

static void
connect_outd(void)
{
	struct ipc_config cf = { .loop = rig.loop, .protocol = &out_protocol, .peer = "stored",
	    .allowed = OUT_PEER_STORED, .request = on_push, .closed = on_closed };
	int sv[2];

	ipc_free(&outd.ipc);
	assert_true(fd_socketpair(sv));
	outd.ipc = ipc_new(&cf, sv[0]);
	service_outd(rig.svc, sv[1]);
}

static int
set_up(void **state)
{
	memset(&outd, 0, sizeof(outd));
	outd.answer = 201;
	rig_init(&rig);
	rig.cf.push_interval_s = rig.cf.push_spread_ms = 0;
	rig_start(&rig);
	chan = rig_channel(&rig, ACCOUNT, NULL, NULL);
	connect_outd();
	return 0;
}

static int
tear_down(void **state)
{
	store_close(&chan);
	rig_fini(&rig);
	ipc_free(&outd.ipc);
	buf_fini(&outd.text);
	buf_fini(&outd.url);
	return 0;
}

/* Waits for push number n. */
static void
wait_push(unsigned n)
{
	while (outd.n < n)
		loop_once(rig.loop, true);
	assert_int_equal(outd.n, n);
}

struct done {
	bool			over;
	enum status		st;
	struct store_push_is	is;
};

static void
on_set(void *arg, enum status st, bool more, const void *msg)
{
	struct done *d = arg;

	d->over = true;
	d->st = st;
	if (st == ST_OK && msg != NULL)
		d->is = *(const struct store_push_is *)msg;
}

static struct done
set(uint8_t how, uint64_t id, uint8_t what, const struct store_push *p)
{
	struct buf b = { 0 };
	struct store_push_set rq = { .how = how, .id = id, .what = what };
	struct done d = { 0 };

	if (p != NULL)
		put_store_push(&b, p);
	rq.push = buf_span(&b);
	store_do_push_set(chan, &rq, on_set, &d);
	while (!d.over)
		loop_once(rig.loop, true);
	buf_fini(&b);
	return d;
}

static uint64_t
subscribe(const char *types)
{
	struct store_push p = { .device = SPAN_LIT("device"), .url = SPAN_LIT(URL),
	    .types = span_str(types) };
	struct done d = set(PUSH_CREATE, 0, 0, &p);

	assert_int_equal(d.st, ST_OK);
	assert_in_range(d.is.expires_s, clock_wall_s() + 29 * 86400, clock_wall_s() + 30 * 86400 + 60);
	return d.is.id;
}

/* A member of the last push. */
static void
member(const char *object, const char *key, char out[80])
{
	struct json_doc *doc = NULL;
	const struct json *v;
	struct span s;

	assert_int_equal(json_parse(buf_span(&outd.text), 10000, &doc), ST_OK);
	v = json_root(doc);
	if (object != NULL)
		v = json_member(json_member(v, "changed"), object);
	out[0] = '\0';
	if (json_get_string(v, key, &s))
		snprintf(out, 80, "%.*s", (int)s.len, s.p);
	json_free(&doc);
}

/* Returns the code that was pushed, as its client would. */
static enum status
verify(uint64_t id)
{
	struct store_push p = { 0 };
	char code[80];

	member(NULL, "verificationCode", code);
	p.code = span_str(code);
	return set(PUSH_UPDATE, id, PUSH_CODE, &p).st;
}

static void
deliver(void)
{
	struct answer a = { 0 };

	assert_int_equal(rig_append(&rig, chan, "INBOX", SPAN_LIT("Subject: x\r\n\r\nbody\r\n"), &a),
	    ST_OK);
	answer_fini(&a);
}

static void
nothing_but_a_code_is_pushed_until_it_comes_back(void **state)
{
	struct store_push wrong = { .code = SPAN_LIT("guess") };
	struct buf id = { 0 };
	uint64_t sub;
	char text[80];

	sub = subscribe("");
	wait_push(1);
	assert_true(span_eq_str(buf_span(&outd.url), URL));
	member(NULL, "@type", text);
	assert_string_equal(text, "PushVerification");
	object_id_put(&id, OBJECT_PUSH, sub);
	member(NULL, "pushSubscriptionId", text);
	assert_string_equal(text, buf_cstr(&id));
	member(NULL, "verificationCode", text);
	assert_int_equal(strlen(text), STORE_PUSH_CODE);
	deliver();
	assert_int_equal(set(PUSH_UPDATE, sub, PUSH_CODE, &wrong).st, ST_DENIED);
	rig_run(&rig, 50);
	assert_int_equal(outd.n, 1);
	assert_int_equal(verify(sub), ST_OK);
	deliver();
	wait_push(2);
	member(NULL, "@type", text);
	assert_string_equal(text, "StateChange");
	member("u65", "Email", text);
	assert_string_not_equal(text, "");
	member("u65", "EmailDelivery", text);
	assert_string_not_equal(text, "");
	buf_fini(&id);
}

static void
each_hears_of_its_types_alone(void **state)
{
	struct store_flags rq = { .how = FLAGS_ADD, .system = FLAG_SEEN,
	    .unchanged_since = UINT64_MAX };
	struct answer a = { 0 };
	uint64_t sub = subscribe("EmailDelivery Thread");
	struct buf uids = { 0 };
	char text[80];

	wait_push(1);
	assert_int_equal(verify(sub), ST_OK);
	deliver();
	wait_push(2);
	member("u65", "EmailDelivery", text);
	assert_string_not_equal(text, "");
	member("u65", "Email", text);
	assert_string_equal(text, "");
	assert_int_equal(rig_open(&rig, chan, "INBOX", &a), ST_OK);
	rq.mailbox = a.u.opened.mailbox;
	uidset_encode(&a.uids, &uids);
	rq.uids = buf_span(&uids);
	rig_expect(STORE_FLAGS_ARE);
	store_do_flags(chan, &rq, rig_done, &a);
	rig_wait(&rig, &a, 2);
	assert_int_equal(a.st, ST_OK);
	rig_run(&rig, 50);
	assert_int_equal(outd.n, 2);		/* a read message was not delivered */
	buf_fini(&uids);
	answer_fini(&a);
}

static void
what_the_push_service_does_not_know_goes(void **state)
{
	uint64_t sub = subscribe(""), account = 0;

	wait_push(1);
	assert_int_equal(verify(sub), ST_OK);
	outd.answer = 410;
	deliver();
	wait_push(2);
	while (state_push_next(service_state(rig.svc), &account) == ST_OK) {
		account = 0;
		loop_once(rig.loop, true);
	}
	assert_int_equal(set(PUSH_DESTROY, sub, 0, NULL).st, ST_NOT_FOUND);
}

static void
they_end_with_what_they_were_made_with(void **state)
{
	uint64_t sub = subscribe(""), account = 0;

	wait_push(1);
	assert_int_equal(verify(sub), ST_OK);
	service_ticket_void(rig.svc, SPAN_NONE, 0, ACCOUNT + 1);
	rig_run(&rig, 50);
	assert_int_equal(state_push_next(service_state(rig.svc), &account), ST_OK);
	service_ticket_void(rig.svc, SPAN_NONE, 0, ACCOUNT);
	do {
		account = 0;
		loop_once(rig.loop, true);
	} while (state_push_next(service_state(rig.svc), &account) == ST_OK);
}

static void
what_could_not_be_sent_waits(void **state)
{
	struct buf stats = { 0 };
	uint64_t sub = subscribe("");

	wait_push(1);
	assert_int_equal(verify(sub), ST_OK);
	outd.answer = 503;
	deliver();
	wait_push(2);
	deliver();
	rig_run(&rig, 50);
	assert_int_equal(outd.n, 2);		/* not before some seconds */
	service_stats(rig.svc, &stats);
	assert_non_null(strstr(buf_cstr(&stats), "push_failed=1\n"));
	buf_fini(&stats);
}

static void
there_are_so_many_and_no_more(void **state)
{
	struct store_push p = { .url = SPAN_LIT(URL) }, nowhere = { .device = SPAN_LIT("d") };
	uint64_t first = subscribe("");

	for (unsigned i = 1; i < 20; i++)
		(void)subscribe("");
	assert_int_equal(set(PUSH_CREATE, 0, 0, &p).st, ST_LIMIT);
	assert_int_equal(set(PUSH_DESTROY, first, 0, NULL).st, ST_OK);
	assert_int_equal(set(PUSH_CREATE, 0, 0, &nowhere).st, ST_SYNTAX);
	(void)subscribe("");
	assert_int_equal(set(PUSH_DESTROY, 4711, 0, NULL).st, ST_NOT_FOUND);
}

static void
on_pushes(void *arg, enum status st, bool more, const void *msg)
{
	struct buf *out = arg;

	assert_int_equal(st, ST_OK);
	buf_add_span(out, ((const struct store_pushes_are *)msg)->list);
}

static void
nobody_is_told_where_to(void **state)
{
	uint64_t sub = subscribe("Email");
	struct buf list = { 0 };
	struct store_push p;
	struct reader r;

	wait_push(1);
	store_do_pushes(chan, on_pushes, &list);
	while (list.len == 0)
		loop_once(rig.loop, true);
	reader_init(&r, list.data, list.len);
	assert_true(get_store_push(&r, &p));
	assert_true(p.id == sub);
	assert_true(span_eq_str(p.types, "Email") && span_eq_str(p.device, "device"));
	assert_int_equal(p.url.len + p.p256dh.len + p.auth.len + p.code.len, 0);
	assert_false(p.verified);
	assert_false(get_store_push(&r, &p));
	buf_fini(&list);
}

static void
they_outlive_the_process(void **state)
{
	uint64_t sub = subscribe("");
	char text[80];

	wait_push(1);
	assert_int_equal(verify(sub), ST_OK);
	rig_stop(&rig);
	rig_start(&rig);
	connect_outd();
	deliver();
	assert_int_equal(set(PUSH_UPDATE, sub, PUSH_TYPES, &(struct store_push){ 0 }).st, ST_OK);
	while (outd.n < 2)
		loop_once(rig.loop, true);
	member("u65", "Mailbox", text);
	assert_string_not_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(nothing_but_a_code_is_pushed_until_it_comes_back), T(each_hears_of_its_types_alone),
		T(what_the_push_service_does_not_know_goes), T(what_could_not_be_sent_waits),
		T(they_end_with_what_they_were_made_with),
		T(there_are_so_many_and_no_more), T(nobody_is_told_where_to),
		T(they_outlive_the_process),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
