/* storage/client/store against a scripted service at the other end of the socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/ipc/ipc.h"
#include "common/util/bytes.h"
#include "common/util/fd.h"
#include "common/util/mem.h"
#include "storage/client/store.h"

#define SEEN_MAX 64

struct seen {
	uint16_t	no;
	uint32_t	chan;
	uint64_t	seq, acked;
	char		ticket[16];
};

struct fake {
	struct loop		*loop;
	struct store_pool	*pool;
	struct ipc		*ipc;
	struct seen		 seen[SEEN_MAX];
	unsigned		 n_seen;
	struct ipc_head		 last;		/* of the request seen last */
	bool			 hold;		/* answer nothing but attach */
	bool			 hold_attach;
	struct ipc_head		 attach;
	enum status		 attach_st;
	/* what the client heard */
	unsigned		 done, parts, events[3];
	enum status		 st;
	uint64_t		 modseq;
	struct store		*s;
	struct store_call	*call;
};

static void
answer(struct fake *f, const struct ipc_message *m, const struct ipc_head *h)
{
	const struct store_created created = { 5, 6, 7 };
	const struct store_rows_are rows = { .rows = SPAN_LIT("xx") };

	switch (m->no) {
	case STORE_CREATE:
		ipc_reply(f->ipc, h, ST_OK, STORE_CREATED, &created);
		break;
	case STORE_ROWS:
		ipc_reply_more(f->ipc, h, STORE_ROWS_ARE, &rows);
		ipc_reply(f->ipc, h, ST_OK, STORE_ROWS_ARE, &rows);
		break;
	case STORE_QUOTA:	/* a wrong answer */
		ipc_reply(f->ipc, h, ST_OK, STORE_CREATED, &created);
		break;
	default:
		ipc_reply(f->ipc, h, ST_OK, 0, NULL);
	}
}

static void
on_request(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct fake *f = arg;
	struct seen *seen = &f->seen[f->n_seen++];

	assert_true(f->n_seen < SEEN_MAX);
	*seen = (struct seen){ .no = m->no, .chan = h->chan };
	f->last = *h;
	if (m->no == STORE_CREATE || m->no == STORE_APPEND) {
		seen->seq = ((const struct store_create *)msg)->seq;
		seen->acked = ((const struct store_create *)msg)->acked;
	}
	if (m->no == STORE_ATTACH || m->no == STORE_RENEW) {
		struct span t = ((const struct store_attach *)msg)->ticket;
		const struct store_attached is = { 1, 1, 42, 0 };

		memcpy(seen->ticket, t.p, t.len < 15 ? t.len : 15);
		f->attach = *h;
		if (f->hold_attach)
			return;
		if (m->no == STORE_RENEW || f->attach_st != ST_OK)
			ipc_reply(ipc, h, f->attach_st, 0, NULL);
		else
			ipc_reply(ipc, h, ST_OK, STORE_ATTACHED, &is);
		return;
	}
	if (!f->hold)
		answer(f, m, h);
}

static void
connect_fake(struct fake *f)
{
	const struct ipc_config cf = { .loop = f->loop, .protocol = &store_protocol,
		.peer = "client", .allowed = STORE_ROLE_ACCESS | STORE_ROLE_ADMIN,
		.request = on_request, .arg = f };
	int sv[2];

	assert_true(fd_socketpair(sv));
	ipc_free(&f->ipc);
	f->ipc = ipc_new(&cf, sv[0]);
	store_pool_set(f->pool, 3, sv[1]);
}

static void
run(struct fake *f)
{
	for (int i = 0; i < 12; i++)
		loop_once(f->loop, false);
}

static void
on_event(void *arg, enum store_event ev, uint64_t modseq)
{
	struct fake *f = arg;

	f->events[ev]++;
	f->modseq = modseq;
}

static void
on_done(void *arg, enum status st, bool more, const void *msg)
{
	struct fake *f = arg;

	if (more) {
		f->parts++;
		return;
	}
	f->done++;
	f->st = st;
	assert_true(st == ST_OK || msg == NULL);
}

static int
setup(void **state)
{
	struct fake *f = mem_zalloc(sizeof(*f));

	f->loop = loop_new();
	f->pool = store_pool_new(f->loop);
	f->s = store_open_channel(f->pool, 3, SPAN_LIT("ticket1"), on_event, f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fake *f = *state;

	store_close(&f->s);
	run(f);
	ipc_free(&f->ipc);
	store_pool_free(&f->pool);
	loop_free(&f->loop);
	mem_free(&f);
	return 0;
}

static const struct store_create create = { .path = SPAN_LIT("A") };
static const struct store_rows rows = { .mailbox = 1, .fields = ROW_FLAGS };

static void
calls_made_before_the_socket_came_are_sent_after_the_attach(void **state)
{
	struct fake *f = *state;

	store_do_create(f->s, &create, on_done, f);
	store_do_rows(f->s, &rows, on_done, f);
	run(f);
	assert_int_equal(f->done, 0);
	connect_fake(f);
	run(f);
	assert_int_equal(f->n_seen, 3);
	assert_int_equal(f->seen[0].no, STORE_ATTACH);
	assert_string_equal(f->seen[0].ticket, "ticket1");
	assert_int_equal(f->seen[1].no, STORE_CREATE);
	assert_int_equal(f->seen[1].seq, 1);
	assert_int_equal(f->seen[2].no, STORE_ROWS);
	assert_int_equal(f->done, 2);
	assert_int_equal(f->parts, 1);
	assert_int_equal(f->st, ST_OK);
	assert_int_equal(f->events[STORE_EV_LOST], 0);
}

static void
an_idle_channel_attaches_with_its_first_change_and_does_not_wait(void **state)
{
	struct fake *f = *state;
	struct store *s;

	connect_fake(f);
	s = store_open_idle(f->pool, 3, SPAN_LIT("ticket2"), on_event, f);
	run(f);
	assert_int_equal(f->n_seen, 1);
	assert_string_equal(f->seen[0].ticket, "ticket1");
	store_close(&s);
	run(f);
	assert_int_equal(f->n_seen, 1);
	s = store_open_idle(f->pool, 3, SPAN_LIT("ticket2"), on_event, f);
	f->hold_attach = true;
	store_do_create(s, &create, on_done, f);
	run(f);
	assert_int_equal(f->n_seen, 3);
	assert_string_equal(f->seen[1].ticket, "ticket2");
	assert_int_equal(f->seen[2].no, STORE_CREATE);
	assert_int_equal(f->seen[2].chan, f->seen[1].chan);
	assert_int_equal(f->seen[2].seq, 1);
	store_close(&s);
	run(f);
}

/* The account is being made, or the service could not say. */
static void
what_came_before_the_channel_was_there_goes_again(void **state)
{
	const struct store_attached is = { 1, 1, 42, 0 };
	struct fake *f = *state;
	struct store *s;

	connect_fake(f);
	s = store_open_idle(f->pool, 3, SPAN_LIT("ticket2"), on_event, f);
	run(f);
	f->hold = f->hold_attach = true;
	store_do_create(s, &create, on_done, f);
	run(f);
	ipc_reply(f->ipc, &f->last, ST_DENIED, 0, NULL);
	run(f);
	assert_int_equal(f->done, 0);
	ipc_reply(f->ipc, &f->attach, ST_OK, STORE_ATTACHED, &is);
	run(f);
	assert_int_equal(f->n_seen, 4);
	assert_int_equal(f->seen[3].no, STORE_CREATE);
	assert_int_equal(f->seen[3].seq, 1);
	/* now it is an answer */
	ipc_reply(f->ipc, &f->last, ST_DENIED, 0, NULL);
	run(f);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->st, ST_DENIED);
	store_close(&s);
	run(f);
}

static void
a_refused_ticket_ends_what_went_with_it(void **state)
{
	struct fake *f = *state;
	struct store *s;

	connect_fake(f);
	s = store_open_idle(f->pool, 3, SPAN_LIT("ticket2"), on_event, f);
	run(f);
	f->hold = f->hold_attach = true;
	store_do_create(s, &create, on_done, f);
	run(f);
	ipc_reply(f->ipc, &f->attach, ST_NOT_FOUND, 0, NULL);
	ipc_reply(f->ipc, &f->last, ST_DENIED, 0, NULL);
	run(f);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->st, ST_NOT_FOUND);
	store_close(&s);
	run(f);
}

static void
a_change_is_asked_again_with_its_number_and_a_read_fails(void **state)
{
	struct fake *f = *state;

	connect_fake(f);
	run(f);
	f->hold = true;
	store_do_create(f->s, &create, on_done, f);
	store_do_create(f->s, &create, on_done, f);
	store_do_rows(f->s, &rows, on_done, f);
	run(f);
	assert_int_equal(f->n_seen, 4);
	ipc_free(&f->ipc);
	run(f);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->st, ST_UNAVAILABLE);
	f->hold = false;
	f->n_seen = 0;
	connect_fake(f);
	run(f);
	assert_int_equal(f->n_seen, 3);
	assert_int_equal(f->seen[1].seq, 1);
	assert_int_equal(f->seen[2].seq, 2);
	assert_int_equal(f->seen[2].acked, 0);
	assert_int_equal(f->done, 3);
	assert_int_equal(f->st, ST_OK);
	assert_int_equal(f->events[STORE_EV_LOST], 1);
	assert_int_equal(f->modseq, 42);
	store_do_create(f->s, &create, on_done, f);
	run(f);
	assert_int_equal(f->seen[3].seq, 3);
	assert_int_equal(f->seen[3].acked, 2);
}

static void
changes_of_the_ticket_before_go_first_and_under_it(void **state)
{
	struct fake *f = *state;

	connect_fake(f);
	run(f);
	f->hold = true;
	store_do_create(f->s, &create, on_done, f);
	run(f);
	store_renew(f->s, SPAN_LIT("ticket2"));
	store_do_create(f->s, &create, on_done, f);
	run(f);
	assert_int_equal(f->seen[2].no, STORE_RENEW);
	f->hold = false;
	f->n_seen = 0;
	connect_fake(f);
	run(f);
	assert_int_equal(f->n_seen, 4);
	assert_string_equal(f->seen[0].ticket, "ticket1");
	assert_int_equal(f->seen[1].seq, 1);
	assert_int_equal(f->seen[2].no, STORE_RENEW);
	assert_string_equal(f->seen[2].ticket, "ticket2");
	assert_int_equal(f->seen[3].seq, 2);
	assert_int_equal(f->done, 2);
	f->n_seen = 0;
	connect_fake(f);
	run(f);
	assert_string_equal(f->seen[0].ticket, "ticket2");
}

static void
a_watch_is_set_again_and_notes_reach_their_channel(void **state)
{
	const struct store_watch watch = { true };
	const struct store_dirty dirty = { 99, 98, 97, 96 };
	struct fake *f = *state;

	connect_fake(f);
	store_do_watch(f->s, &watch, on_done, f);
	run(f);
	f->n_seen = 0;
	connect_fake(f);
	run(f);
	assert_int_equal(f->n_seen, 2);
	assert_int_equal(f->seen[1].no, STORE_WATCH);
	ipc_note(f->ipc, f->last.chan + 7, STORE_DIRTY, &dirty);
	run(f);
	assert_int_equal(f->events[STORE_EV_DIRTY], 0);
	ipc_note(f->ipc, f->last.chan, STORE_DIRTY, &dirty);
	run(f);
	assert_int_equal(f->events[STORE_EV_DIRTY], 1);
	assert_int_equal(f->modseq, 99);
	assert_int_equal(store_noted(f->s)->email, 98);
	assert_int_equal(store_noted(f->s)->mailbox, 97);
	assert_int_equal(store_noted(f->s)->thread, 96);
	ipc_note(f->ipc, f->last.chan, STORE_REVOKED, NULL);
	run(f);
	assert_int_equal(f->events[STORE_EV_REVOKED], 1);
	f->done = 0;
	store_do_create(f->s, &create, on_done, f);
	assert_int_equal(f->done, 0);
	run(f);
	assert_int_equal(f->st, ST_DENIED);
}

static void
a_refused_ticket_fails_every_call_until_it_is_renewed(void **state)
{
	struct fake *f = *state;

	f->attach_st = ST_EXPIRED;
	connect_fake(f);
	store_do_create(f->s, &create, on_done, f);
	run(f);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->st, ST_EXPIRED);
	f->attach_st = ST_OK;
	store_renew(f->s, SPAN_LIT("ticket2"));
	store_do_create(f->s, &create, on_done, f);
	run(f);
	assert_int_equal(f->done, 2);
	assert_int_equal(f->st, ST_OK);
}

static void
a_chunk_of_a_body_that_began_elsewhere_fails(void **state)
{
	const struct store_stage chunk = { .stage = 1, .data = SPAN_LIT("x") };
	struct fake *f = *state;

	connect_fake(f);
	store_do_stage(f->s, &chunk, on_done, f);
	run(f);
	assert_int_equal(f->st, ST_OK);
	connect_fake(f);
	run(f);
	f->n_seen = 0;
	store_do_stage(f->s, &chunk, on_done, f);
	run(f);
	assert_int_equal(f->n_seen, 0);
	assert_int_equal(f->st, ST_UNAVAILABLE);
	store_stage_free(f->s, 1);
	store_do_stage(f->s, &chunk, on_done, f);
	run(f);
	assert_int_equal(f->n_seen, 1);
	assert_int_equal(f->st, ST_OK);
}

static void
a_cancelled_call_and_a_closed_channel_are_never_heard_of(void **state)
{
	struct fake *f = *state;
	struct store_call *c;

	connect_fake(f);
	c = store_do_create(f->s, &create, on_done, f);
	store_cancel(&c);
	run(f);
	c = store_do_create(f->s, &create, on_done, f);
	loop_once(f->loop, false);
	store_cancel(&c);
	store_do_rows(f->s, &rows, on_done, f);
	store_close(&f->s);
	run(f);
	assert_int_equal(f->done, 0);
	assert_int_equal(f->parts, 0);
}

static void
close_in_part(void *arg, enum status st, bool more, const void *msg)
{
	struct fake *f = arg;

	f->done++;
	store_close(&f->s);
}

static void
a_callback_may_close_its_channel(void **state)
{
	struct fake *f = *state;

	connect_fake(f);
	store_do_rows(f->s, &rows, close_in_part, f);
	run(f);
	assert_int_equal(f->done, 1);
}

static void
an_answer_of_the_wrong_kind_is_a_bug_not_a_value(void **state)
{
	struct fake *f = *state;

	connect_fake(f);
	store_do_quota(f->s, on_done, f);
	run(f);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->st, ST_BUG);
}

static void
a_request_of_the_admin_needs_no_channel_and_waits_for_nobody(void **state)
{
	struct fake *f = *state;
	struct store_ask *a;

	store_ask_delete(f->pool, 3, 17, on_done, f);
	assert_int_equal(f->done, 0);	/* not from inside the call */
	run(f);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->st, ST_UNAVAILABLE);
	connect_fake(f);
	store_ask_delete(f->pool, 3, 17, on_done, f);
	store_ask_stats(f->pool, 3, on_done, f);	/* answered by a status alone */
	run(f);
	assert_int_equal(f->done, 3);
	assert_int_equal(f->st, ST_BUG);
	/* the service goes while it is asked, and another comes in its place */
	f->hold = true;
	store_ask_undelete(f->pool, 3, 17, on_done, f);
	run(f);
	ipc_free(&f->ipc);
	run(f);
	assert_int_equal(f->done, 4);
	assert_int_equal(f->st, ST_UNAVAILABLE);
	connect_fake(f);
	store_ask_undelete(f->pool, 3, 17, on_done, f);
	run(f);
	f->st = ST_OK;
	connect_fake(f);
	run(f);
	assert_int_equal(f->done, 5);
	assert_int_equal(f->st, ST_UNAVAILABLE);
	a = store_ask_undelete(f->pool, 3, 17, on_done, f);
	store_ask_cancel(&a);
	run(f);
	assert_int_equal(f->done, 5);
	store_ask_undelete(f->pool, 3, 17, on_done, f);	/* freed with the pool */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_made_before_the_socket_came_are_sent_after_the_attach),
		TEST(an_idle_channel_attaches_with_its_first_change_and_does_not_wait),
		TEST(what_came_before_the_channel_was_there_goes_again),
		TEST(a_refused_ticket_ends_what_went_with_it),
		TEST(a_change_is_asked_again_with_its_number_and_a_read_fails),
		TEST(changes_of_the_ticket_before_go_first_and_under_it),
		TEST(a_watch_is_set_again_and_notes_reach_their_channel),
		TEST(a_refused_ticket_fails_every_call_until_it_is_renewed),
		TEST(a_chunk_of_a_body_that_began_elsewhere_fails),
		TEST(a_cancelled_call_and_a_closed_channel_are_never_heard_of),
		TEST(a_callback_may_close_its_channel),
		TEST(an_answer_of_the_wrong_kind_is_a_bug_not_a_value),
		TEST(a_request_of_the_admin_needs_no_channel_and_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
