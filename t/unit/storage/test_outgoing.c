/* The outgoing queue on its way, with a process in the place of outd that answers as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/out/out_proto.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/client/body.h"
#include "storage/service/queue.h"
#include "storage/state/queue.h"
#include "t/unit/storage/rig.h"

#define ACCOUNT	17u
#define TEXT	"Subject: on its way\r\n\r\nbody\r\n"
#define OK(expr) assert_int_equal((expr), ST_OK)

/* What outd says of a message. */
enum say { SAY_SENT, SAY_LATER, SAY_REFUSED, SAY_UNKNOWN, SAY_NOTHING, SAY_MIXED, SAY_SYNTAX,
	GO_BEFORE, GO_BEHIND };	/* go: the socket closes, before or behind the last byte */

struct letter {
	struct ipc_head		head;
	struct body_reader	*reader;
	uint32_t		credit;
	enum say		say;
};

static struct rig rig;
static struct store *user, *lmtp;
static struct {
	struct ipc	*ipc;
	struct letter	letters[64];
	unsigned	n, open, most_open;	/* letters that came; not answered */
	unsigned	n_rcpts;		/* of the last one */
	char		first[100];
	struct buf	text;			/* of the last one */
	enum say	say[8];			/* of letter 0, 1 ...; the last one of all further ones */
	bool		bad;
} outd;

static void connect_outd(void);

/* outd ------------------------------------------------------------------------------- */

static void
answer(struct letter *l)
{
	static const uint8_t how[] = { [SAY_SENT] = OUT_SENT, [SAY_LATER] = OUT_LATER,
	    [SAY_REFUSED] = OUT_REFUSED, [SAY_UNKNOWN] = OUT_LATER, [SAY_MIXED] = OUT_SENT };
	struct out_submitted is = { .how = how[l->say], .why = SPAN_LIT("kit: so it is"),
	    .unsent = l->say == SAY_LATER || l->say == SAY_REFUSED };
	struct out_result r = { is.how, is.why };
	struct buf results = { 0 };

	outd.open--;
	for (unsigned i = 0; i < outd.n_rcpts; i++) {
		if (l->say == SAY_MIXED && i > 0)
			r.how = OUT_LATER;
		put_out_result(&results, &r);
	}
	is.results = buf_span(&results);
	ipc_reply(outd.ipc, &l->head, ST_OK, OUT_SUBMITTED, &is);
	buf_fini(&results);
}

static void
want(struct letter *l, uint32_t bytes)
{
	const struct out_submit_wants w = { bytes };

	l->credit += bytes;
	ipc_reply_more(outd.ipc, &l->head, OUT_SUBMIT_WANTS, &w);
}

static void
go_away(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(outd.letters); i++)
		body_reader_free(&outd.letters[i].reader);
	outd.open = 0;
	ipc_free(&outd.ipc);
}

static void
on_submit(struct letter *l, const struct ipc_head *h, const struct out_submit *m)
{
	static const struct out_failed failed = { SPAN_LIT("kit: not understood") };
	struct out_recipient to;
	struct reader r;

	l->head = *h;
	body_reader_free(&l->reader);
	l->reader = body_reader_new(0, 0);
	l->say = outd.say[outd.n < 7 ? outd.n : 7];
	outd.n_rcpts = 0;
	reader_init(&r, m->recipients.p, m->recipients.len);
	while (get_out_recipient(&r, &to))
		if (outd.n_rcpts++ == 0)
			snprintf(outd.first, sizeof(outd.first), "%.*s", (int)to.address.len, to.address.p);
	assert_int_equal(m->account, ACCOUNT);
	outd.n++;
	if (++outd.open > outd.most_open)
		outd.most_open = outd.open;
	if (l->say == SAY_REFUSED || l->say == SAY_LATER) {
		answer(l);
	} else if (l->say == SAY_SYNTAX) {
		outd.open--;
		ipc_reply(outd.ipc, h, ST_SYNTAX, OUT_FAILED, &failed);
	} else if (l->say == GO_BEFORE) {
		go_away();
	} else if (l->say != SAY_NOTHING) {
		buf_clear(&outd.text);
		want(l, 1000);		/* little at a time: credit counts */
	}
}

static void
on_body(struct letter *l, const struct out_submit_body *b)
{
	assert_true(b->bytes.len <= l->credit);
	l->credit -= (uint32_t)b->bytes.len;
	outd.bad |= b->bad;
	OK(body_reader_feed(l->reader, b->bytes, &outd.text));
	if (!b->last && l->credit == 0)
		want(l, 70000);
	else if (b->last && l->say == GO_BEHIND)
		go_away();
	else if (b->last)
		answer(l);
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h, const void *msg,
    void *arg)
{
	if (m->no == OUT_SUBMIT) {
		on_submit(&outd.letters[outd.n], h, msg);
		return;
	}
	assert_int_equal(m->no, OUT_SUBMIT_BODY);
	for (unsigned i = 0; i < outd.n; i++)
		if (outd.letters[i].head.chan == h->chan && outd.letters[i].reader != NULL) {
			on_body(&outd.letters[i], msg);
			return;
		}
	fail();
}

static void
on_closed(struct ipc *ipc, void *arg)
{
	go_away();
}

static void
connect_outd(void)
{
	struct ipc_config cf = { .loop = rig.loop, .protocol = &out_protocol, .peer = "stored",
	    .allowed = OUT_PEER_QUEUE, .request = on_request, .closed = on_closed };
	int sv[2];

	assert_true(fd_socketpair(sv));
	outd.ipc = ipc_new(&cf, sv[0]);
	service_outd_submit(rig.svc, sv[1]);
}

/* The store -------------------------------------------------------------------------- */

static void
on_event(void *arg, enum store_event ev, uint64_t modseq)
{
}

static struct store *
channel(uint8_t role)
{
	unsigned char bytes[TICKET_LEN];
	struct ticket t = rig_ticket(&rig, ACCOUNT);

	t.role = role;
	return store_open_channel(rig.pool, RIG_SHARD, rig_sign(&rig, &t, bytes), on_event, NULL);
}

static void
start(void)
{
	rig_start(&rig);
	user = channel(STORE_ROLE_ACCESS);
	lmtp = channel(STORE_ROLE_DELIVER);
}

static void
stop(void)
{
	store_close(&user);
	store_close(&lmtp);
	rig_stop(&rig);
	go_away();
}

static int
set_up(void **state)
{
	memset(&outd, 0, sizeof(outd));
	rig_init(&rig);
	rig.more_roles = STORE_ROLE_ADMIN;
	rig.cf.queue_retry_s = 0;
	start();
	return 0;
}

static int
tear_down(void **state)
{
	stop();
	rig_fini(&rig);
	buf_fini(&outd.text);
	return 0;
}

static void
on_done(void *arg, enum status st, bool more, const void *msg)
{
	*(enum status *)arg = st;
}

/* to: addresses with commas. */
static void
deliver(uint8_t kind, const char *to, struct span text)
{
	struct buf bodies = { 0 }, queue = { 0 }, rcpts = { 0 };
	struct store_queue_new q = { .kind = kind, .env.from = SPAN_LIT("me@here.test") };
	struct store_deliver rq = { 0 };
	struct span rest = span_str(to);
	enum status st = ST_BUG;

	while (rest.p != NULL)
		put_store_queue_rcpt(&rcpts, &(struct store_queue_rcpt){ .address = span_cut(&rest, ',') });
	q.env.rcpts = buf_span(&rcpts);
	put_store_queue_new(&queue, &q);
	rig_item(&bodies, text, 0, flags_system(0));
	rq.bodies = buf_span(&bodies);
	rq.queue = buf_span(&queue);
	store_do_deliver(lmtp, &rq, on_done, &st);
	buf_fini(&bodies);
	buf_fini(&queue);
	buf_fini(&rcpts);
	while (st == ST_BUG)
		loop_once(rig.loop, true);
	OK(st);
}

static unsigned
in_inbox(void)
{
	struct answer a = { 0 };
	unsigned n;

	OK(rig_open(&rig, user, "INBOX", &a));
	n = (unsigned)uidset_count(&a.uids);
	answer_fini(&a);
	return n;
}

static unsigned
queued(void)
{
	struct store_queue_entry e;
	struct buf list = { 0 };
	uint64_t account = 0, id = 0;
	struct reader r;
	unsigned n = 0;

	(void)state_queue_list(rig.svc->state, &account, &id, false, 1 << 20, &list);
	reader_init(&r, list.data, list.len);
	while (get_store_queue_entry(&r, &e))
		n++;
	buf_fini(&list);
	return n;
}

/* Until the queue is empty. */
static void
wait_empty(void)
{
	while (queued() > 0) {
		if (outd.ipc == NULL)
			connect_outd();
		loop_once(rig.loop, true);
	}
}

/* The only entry. */
static struct store_queue_entry
entry(struct buf *list)
{
	struct store_queue_entry e;
	uint64_t account = 0, id = 0;
	struct reader r;

	buf_clear(list);
	OK(state_queue_list(rig.svc->state, &account, &id, false, 1 << 20, list));
	reader_init(&r, list->data, list->len);
	assert_true(get_store_queue_entry(&r, &e) && reader_done(&r));
	return e;
}

/* Sending ------------------------------------------------------------------------------ */

static void
an_entry_leaves_as_it_is_and_is_gone(void **state)
{
	connect_outd();
	deliver(QUEUE_REDIRECT, "you@there.test,her@there.test", SPAN_LIT(TEXT));
	wait_empty();
	assert_int_equal(outd.n, 1);
	assert_int_equal(outd.n_rcpts, 2);
	assert_string_equal(outd.first, "you@there.test");
	assert_true(span_eq_str(buf_span(&outd.text), TEXT));
	assert_int_equal(in_inbox(), 0);
}

static void
a_large_one_goes_in_pieces_as_they_are_asked_for(void **state)
{
	struct buf text = { 0 };
	unsigned x = 1;

	while (text.len < 60000) {	/* what does not compress; as long as a body in one request may be */
		x = x * 1103515245u + 12345u;
		buf_addf(&text, "%08x\r\n", x);
	}
	connect_outd();
	deliver(QUEUE_REDIRECT, "you@there.test", buf_span(&text));
	wait_empty();
	assert_true(span_eq(buf_span(&outd.text), buf_span(&text)));
	assert_false(outd.bad);
	buf_fini(&text);
}

static void
what_waits_goes_when_outd_comes(void **state)
{
	deliver(QUEUE_NOTIFY, "you@there.test", SPAN_LIT(TEXT));
	rig_run(&rig, 20);
	assert_int_equal(queued(), 1);
	connect_outd();
	wait_empty();
	assert_int_equal(outd.n, 1);
}

/* One entry of each kind against what outd says, each time it is asked: how often it goes out, and
 * where it is in the end. */
static const struct {
	uint8_t		kind;
	enum say	say[3];
	unsigned	times, inbox;
} table[] = {
	{ QUEUE_REDIRECT, { SAY_LATER, SAY_LATER, SAY_SENT }, 3, 0 },
	{ QUEUE_VACATION, { SAY_LATER, SAY_LATER, SAY_SENT }, 3, 0 },
	{ QUEUE_REDIRECT, { SAY_UNKNOWN, SAY_UNKNOWN, SAY_SENT }, 3, 0 },
	{ QUEUE_VACATION, { SAY_UNKNOWN, SAY_SENT, SAY_SENT }, 1, 0 },
	{ QUEUE_NOTIFY, { SAY_UNKNOWN, SAY_SENT, SAY_SENT }, 1, 0 },
	{ QUEUE_REJECT, { SAY_LATER, SAY_UNKNOWN, SAY_SENT }, 2, 0 },
	{ QUEUE_REDIRECT, { SAY_REFUSED, SAY_SENT, SAY_SENT }, 1, 1 },
	{ QUEUE_REDIRECT, { SAY_LATER, SAY_REFUSED, SAY_SENT }, 2, 1 },
	{ QUEUE_VACATION, { SAY_REFUSED, SAY_SENT, SAY_SENT }, 1, 0 },
	{ QUEUE_REDIRECT, { SAY_SYNTAX, SAY_SENT, SAY_SENT }, 1, 1 },
	{ QUEUE_REJECT, { SAY_SYNTAX, SAY_SENT, SAY_SENT }, 1, 0 },
	/* outd dies */
	{ QUEUE_REDIRECT, { GO_BEFORE, GO_BEFORE, SAY_SENT }, 3, 0 },
	{ QUEUE_VACATION, { GO_BEFORE, GO_BEFORE, SAY_SENT }, 3, 0 },
	{ QUEUE_REDIRECT, { GO_BEHIND, GO_BEHIND, SAY_SENT }, 3, 0 },
	{ QUEUE_VACATION, { GO_BEHIND, SAY_SENT, SAY_SENT }, 1, 0 },
};

static void
redirects_are_never_lost_and_all_else_is_never_sent_twice(void **state)
{
	unsigned inbox = 0;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		outd.n = 0;
		for (unsigned k = 0; k < 8; k++)
			outd.say[k] = table[i].say[k < 3 ? k : 2];
		if (outd.ipc == NULL)
			connect_outd();
		deliver(table[i].kind, "you@there.test", SPAN_LIT(TEXT));
		wait_empty();
		inbox += table[i].inbox;
		if (outd.n != table[i].times || in_inbox() != inbox)
			fail_msg("case %zu: %u times, %u in INBOX", i, outd.n, in_inbox());
	}
}

static void
who_has_it_does_not_get_it_again(void **state)
{
	outd.say[0] = SAY_MIXED;
	connect_outd();
	deliver(QUEUE_REDIRECT, "you@there.test,her@there.test", SPAN_LIT(TEXT));
	wait_empty();
	assert_int_equal(outd.n, 2);
	assert_int_equal(outd.n_rcpts, 1);
	assert_string_equal(outd.first, "her@there.test");
}

/* Restarts ------------------------------------------------------------------------------- */

static void
what_was_under_way_when_the_store_ended(void **state)
{
	static const struct { uint8_t kind; unsigned times; } cases[] = {
		{ QUEUE_REDIRECT, 2 }, { QUEUE_VACATION, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		outd.n = 0;
		outd.say[0] = SAY_NOTHING;
		connect_outd();
		deliver(cases[i].kind, "you@there.test", SPAN_LIT(TEXT));
		while (outd.n < 1)
			loop_once(rig.loop, true);
		stop();
		start();
		outd.say[0] = SAY_SENT;
		connect_outd();
		wait_empty();
		assert_int_equal(outd.n, cases[i].times);
		assert_int_equal(in_inbox(), 0);
		go_away();
	}
}

static void
what_is_due_later_is_so_after_a_restart(void **state)
{
	struct buf list = { 0 };
	struct store_queue_entry e;

	stop();
	rig.cf.queue_retry_s = 3600;
	start();
	outd.say[0] = SAY_LATER;
	connect_outd();
	deliver(QUEUE_REDIRECT, "you@there.test", SPAN_LIT(TEXT));
	while (outd.n < 1 || (e = entry(&list)).taken_ms != 0)
		loop_once(rig.loop, true);
	assert_in_range(e.next_ms, clock_wall_ms() + 3500000, clock_wall_ms() + 3600000);
	assert_true(span_eq_str(e.answer, "kit: so it is"));
	stop();
	start();
	connect_outd();
	rig_run(&rig, 50);
	assert_int_equal(outd.n, 1);
	assert_int_equal(queued(), 1);
	buf_fini(&list);
}

/* Limits ----------------------------------------------------------------------------------- */

static void
what_is_too_old_is_given_up(void **state)
{
	stop();
	rig.cf.redirect_expiry_s = rig.cf.answer_expiry_s = 0;
	start();
	connect_outd();
	deliver(QUEUE_REDIRECT, "you@there.test", SPAN_LIT(TEXT));
	deliver(QUEUE_VACATION, "you@there.test", SPAN_LIT(TEXT));
	wait_empty();
	assert_int_equal(outd.n, 0);
	assert_int_equal(in_inbox(), 1);
}

static void
an_account_sends_so_many_in_a_day(void **state)
{
	struct buf list = { 0 };
	struct store_queue_entry e;

	stop();
	rig.cf.queue_account_day = 2;
	start();
	connect_outd();
	for (int i = 0; i < 3; i++)
		deliver(QUEUE_VACATION, "you@there.test", SPAN_LIT(TEXT));
	while (queued() > 1 || (e = entry(&list)).answer.len == 0)
		loop_once(rig.loop, true);
	assert_int_equal(outd.n, 2);
	assert_int_equal(e.next_ms % 86400000, 0);
	assert_true(e.next_ms > clock_wall_ms() - 1000);
	buf_fini(&list);
}

static void
no_more_are_under_way_than_may_be(void **state)
{
	stop();
	rig.cf.queue_flights = 4;
	start();
	for (int i = 0; i < 12; i++)
		deliver(QUEUE_REDIRECT, "you@there.test", SPAN_LIT(TEXT));
	connect_outd();
	wait_empty();
	assert_int_equal(outd.n, 12);
	assert_true(outd.most_open <= 2);	/* of one account half of them */
}

/* The admin ---------------------------------------------------------------------------------- */

static enum status
set(uint64_t id, uint8_t how)
{
	const struct store_queue_set rq = { ACCOUNT, id, how };
	enum status st = ST_BUG;

	(void)store_ask_queue_set(rig.pool, RIG_SHARD, &rq, on_done, &st);
	while (st == ST_BUG)
		loop_once(rig.loop, true);
	return st;
}

static void
on_list(void *arg, enum status st, bool more, const void *msg)
{
	struct buf *list = arg;

	if (st == ST_OK)
		buf_add_span(list, ((const struct store_queue_are *)msg)->entries);
	else
		buf_add_str(list, "none");
}

static void
the_admin_sees_entries_and_decides(void **state)
{
	struct buf list = { 0 }, told = { 0 };
	struct store_queue rq = { 0 };
	struct store_queue_entry e, same;
	struct reader r;

	stop();
	rig.cf.queue_retry_s = 3600;
	start();
	outd.say[0] = SAY_LATER;
	outd.say[1] = SAY_NOTHING;
	connect_outd();
	deliver(QUEUE_REDIRECT, "you@there.test", SPAN_LIT(TEXT));
	while (outd.n < 1 || (e = entry(&list)).taken_ms != 0)
		loop_once(rig.loop, true);
	(void)store_ask_queue(rig.pool, RIG_SHARD, &rq, on_list, &told);
	while (told.len == 0)
		loop_once(rig.loop, true);
	reader_init(&r, told.data, told.len);
	assert_true(get_store_queue_entry(&r, &same) && reader_done(&r));
	assert_true(same.id == e.id && same.account == ACCOUNT && span_eq(same.answer, e.answer));
	assert_int_equal(set(e.id + 1, QUEUE_LATER), ST_NOT_FOUND);
	OK(set(e.id, QUEUE_LATER));
	while (outd.n < 2)
		loop_once(rig.loop, true);
	assert_int_equal(set(e.id, QUEUE_LATER), ST_CONFLICT);	/* it is being sent */
	go_away();
	while ((e = entry(&list)).taken_ms != 0)
		loop_once(rig.loop, true);
	OK(set(e.id, QUEUE_RETURN));
	assert_int_equal(queued(), 0);
	assert_int_equal(in_inbox(), 1);
	deliver(QUEUE_VACATION, "you@there.test", SPAN_LIT(TEXT));
	OK(set(entry(&list).id, QUEUE_DONE));
	assert_int_equal(queued(), 0);
	buf_clear(&told);
	(void)store_ask_queue(rig.pool, RIG_SHARD, &rq, on_list, &told);
	while (told.len == 0)
		loop_once(rig.loop, true);
	assert_string_equal(buf_cstr(&told), "none");
	buf_fini(&list);
	buf_fini(&told);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_entry_leaves_as_it_is_and_is_gone),
		TEST(a_large_one_goes_in_pieces_as_they_are_asked_for),
		TEST(what_waits_goes_when_outd_comes),
		TEST(redirects_are_never_lost_and_all_else_is_never_sent_twice),
		TEST(who_has_it_does_not_get_it_again),
		TEST(what_was_under_way_when_the_store_ended),
		TEST(what_is_due_later_is_so_after_a_restart),
		TEST(what_is_too_old_is_given_up),
		TEST(an_account_sends_so_many_in_a_day),
		TEST(no_more_are_under_way_than_may_be),
		TEST(the_admin_sees_entries_and_decides),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
