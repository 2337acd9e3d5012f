/* The outgoing queue: entries that deliveries make, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "t/unit/storage/sievekit.h"

static struct kit kit, *k = &kit;

static int
set_up(void **state)
{
	kit_open(k);
	k->seq = 1;
	OK(kit_account(k, 7));
	return 0;
}

static uint64_t
send(uint8_t kind, bool keep)
{
	struct delivery d = { 0 };

	delivery_body(&d, 100, 'a');
	if (keep)
		delivery_at(&d, "INBOX", false);
	delivery_queue(&d, kind, "you@there.test");
	OK(delivery_run(k, &d));
	assert_int_not_equal(delivered_entry(k, 0), 0);
	return delivered_entry(k, 0);
}

static struct store_queue_entry
entry(uint64_t id)
{
	static struct buf row;
	struct store_queue_entry e;

	buf_fini(&row);
	OK(state_queue_entry(k->s, 7, id, &row, &e));
	return e;
}

/* The ids in their order. */
static unsigned
order(struct state_queue_at *out, unsigned max)
{
	struct state_queue_at at = { 0 };
	unsigned n = 0;

	while (state_queue_next(k->s, &at) == ST_OK) {
		assert_true(n < max);
		out[n++] = at;
	}
	return n;
}

static void
an_entry_shares_the_body_with_the_message(void **state)
{
	uint64_t id = send(QUEUE_REDIRECT, true);
	struct store_queue_entry e = entry(id);
	struct state_body body;
	struct buf locs = { 0 };

	assert_true(e.account == 7 && e.kind == QUEUE_REDIRECT && e.size == 100);
	assert_true(e.created_ms == e.next_ms && e.taken_ms == 0 && e.attempts == 0);
	assert_true(span_eq_str(e.env.from, "me@here.test") && e.answer.len == 0);
	assert_int_equal(kit_rows(k, "extent"), 1);
	OK(state_queue_body(k->s, 7, id, &body, &locs));
	assert_int_equal(body.n_locs, 1);
	OK(kit_expunge(k, kit_mailbox(k, "INBOX"), ""));
	OK(state_queue_body(k->s, 7, id, &body, &locs));
	OK(queue_set(k, QUEUE_TAKE, id, 0, 0, NULL));
	OK(queue_set(k, QUEUE_DONE, id, 1, 0, NULL));
	IS(state_queue_body(k->s, 7, id, &body, &locs), ST_NOT_FOUND);
	assert_int_equal(kit_rows(k, "queue") + kit_rows(k, "queuemsg") +
	    kit_rows(k, "queuedue"), 0);
	assert_int_equal(kit_rows(k, "extent"), 1);
	buf_fini(&locs);
	kit_end(k);
}

static void
what_is_only_sent_gives_its_body_up_when_it_was(void **state)
{
	uint64_t id = send(QUEUE_VACATION, false);

	assert_int_equal(kit_rows(k, "message"), 0);
	assert_int_equal(kit_rows(k, "extent"), 1);
	assert_false(k->r.changed);
	OK(queue_set(k, QUEUE_TAKE, id, 0, 0, NULL));
	assert_int_equal(k->r.uid, 1);
	OK(queue_set(k, QUEUE_DONE, id, 1, 0, NULL));
	assert_int_equal(kit_rows(k, "extent"), 0);
	kit_end(k);
}

static void
who_takes_an_entry_has_it_alone(void **state)
{
	uint64_t id = send(QUEUE_REDIRECT, false);

	OK(queue_set(k, QUEUE_TAKE, id, 0, 0, NULL));
	assert_int_equal(k->r.uid, 1);
	assert_true(entry(id).taken_ms != 0);
	IS(queue_set(k, QUEUE_TAKE, id, 0, 0, NULL), ST_CONFLICT);
	IS(queue_set(k, QUEUE_DONE, id, 2, 0, NULL), ST_CONFLICT);
	OK(queue_set(k, QUEUE_LATER, id, 1, k->time_ms + 60000, NULL));
	assert_true(span_eq_str(entry(id).answer, "451 not now"));
	IS(queue_set(k, QUEUE_DONE, id, 1, 0, NULL), ST_CONFLICT);	/* it is not taken */
	OK(queue_set(k, QUEUE_TAKE, id, 0, 0, NULL));
	assert_int_equal(k->r.uid, 2);
	IS(queue_set(k, QUEUE_LATER, id, 1, 0, NULL), ST_CONFLICT);
	OK(queue_set(k, QUEUE_DONE, id, 0, 0, NULL));			/* the admin's word */
	IS(queue_set(k, QUEUE_TAKE, id, 0, 0, NULL), ST_NOT_FOUND);
	IS(queue_set(k, 9, id, 0, 0, NULL), ST_NOT_FOUND);
	kit_end(k);
}

static void
entries_are_in_the_order_of_their_time_and_taken_ones_at_the_end(void **state)
{
	struct state_queue_at at[4];
	uint64_t a = send(QUEUE_REDIRECT, false), b = send(QUEUE_NOTIFY, false);
	uint64_t c = send(QUEUE_REJECT, true);

	assert_int_equal(order(at, 4), 3);
	assert_true(at[0].id == a && at[1].id == b && at[2].id == c);
	assert_true(at[0].account == 7 && at[0].due_ms == entry(a).next_ms);
	OK(queue_set(k, QUEUE_TAKE, a, 0, 0, NULL));
	OK(queue_set(k, QUEUE_TAKE, b, 0, 0, NULL));
	OK(queue_set(k, QUEUE_LATER, b, 1, k->time_ms + 1000000, NULL));
	assert_int_equal(order(at, 4), 3);
	assert_true(at[0].id == c && at[1].id == b && at[2].id == a);
	assert_true(at[2].due_ms == QUEUE_DUE_TAKEN);
	OK(queue_set(k, QUEUE_LATER, a, 1, -5, NULL));
	assert_int_equal(order(at, 4), 3);
	assert_true(at[2].id == a && at[2].due_ms == QUEUE_DUE_TAKEN - 1);
	kit_end(k);
}

static void
while_rows_are_staged_an_entry_is_sent_and_does_not_come_back(void **state)
{
	uint64_t id = send(QUEUE_REDIRECT, true);

	k->stages = true;
	k->head.part = 1;
	OK(kit_copy(k, kit_mailbox(k, "INBOX"), "1", "Sent", false));
	k->stages = false;
	k->head.part = 0;
	OK(queue_set(k, QUEUE_TAKE, id, 0, 0, NULL));
	IS(queue_set(k, QUEUE_RETURN, id, 1, 0, NULL), ST_UNAVAILABLE);
	OK(queue_set(k, QUEUE_LATER, id, 1, 5000, NULL));
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	kit_close(k);
}

static void
recipients_who_have_it_are_left_out_the_next_time(void **state)
{
	uint64_t id = send(QUEUE_REDIRECT, false);
	struct store_queue_rcpt to;
	struct store_queue_entry e;
	struct reader r;

	OK(queue_set(k, QUEUE_TAKE, id, 0, 0, NULL));
	IS(queue_set(k, QUEUE_LATER, id, 1, 0, "bad\naddress"), ST_SYNTAX);
	OK(queue_set(k, QUEUE_LATER, id, 1, 0, "other@there.test"));
	e = entry(id);
	reader_init(&r, e.env.rcpts.p, e.env.rcpts.len);
	assert_true(get_store_queue_rcpt(&r, &to) && span_eq_str(to.address, "other@there.test"));
	kit_end(k);
}

static void
what_comes_back_is_a_message_in_the_inbox(void **state)
{
	uint64_t id, message;
	struct store_appended is;
	struct store_row row;
	int64_t then;

	id = send(QUEUE_REDIRECT, false);
	then = entry(id).created_ms;
	k->head.bytes_max = 10;			/* it was accepted: no quota keeps it out */
	k->time_ms += 5 * 86400000ll;
	OK(queue_set(k, QUEUE_TAKE, id, 0, 0, NULL));
	OK(queue_set(k, QUEUE_RETURN, id, 1, 0, NULL));
	kit_reply(k, STORE_APPENDED, &is);
	assert_true(is.mailbox == kit_mailbox(k, "INBOX") && k->r.mailbox == is.mailbox);
	assert_int_equal(k->r.uid, 1);
	row = kit_row(k, is.mailbox, 1);
	assert_true(row.size == 100 && row.received_s == then / 1000);
	message = get_be64(k->r.messages.data);
	assert_true(row.message == message);
	assert_int_equal(kit_rows(k, "queue") + kit_rows(k, "queuemsg") +
	    kit_rows(k, "queuedue"), 0);
	assert_int_equal(kit_rows(k, "extent"), 1);
	IS(queue_set(k, QUEUE_RETURN, id, 1, 0, NULL), ST_NOT_FOUND);
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	kit_end(k);
}

static void
a_queue_that_is_full_keeps_redirects_in_the_inbox(void **state)
{
	struct delivery d = { .queue_max = 2 };

	(void)send(QUEUE_REDIRECT, false);
	delivery_body(&d, 100, 'a');
	delivery_body(&d, 100, 'b');
	delivery_queue(&d, QUEUE_NOTIFY, "one@there.test");
	put_store_queue_new(&d.queue, &(struct store_queue_new){ .kind = QUEUE_VACATION,
		.body = 1, .env.rcpts = span("\x06" "x@test\0\0", 9) });
	delivery_queue(&d, QUEUE_REDIRECT, "three@there.test");
	OK(delivery_run(k, &d));
	assert_int_not_equal(delivered_entry(k, 0), 0);
	assert_int_equal(delivered_entry(k, 1), 0);
	assert_int_equal(delivered_entry(k, 2), 0);
	assert_int_equal(delivered_places(k), 1);
	assert_int_equal(delivered(k, 0).how, PLACED_INBOX);
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	d = (struct delivery){ .queue_bytes = 250 };
	delivery_body(&d, 100, 'c');
	delivery_queue(&d, QUEUE_REDIRECT, "four@there.test");
	OK(delivery_run(k, &d));
	assert_int_equal(delivered_entry(k, 0), 0);
	assert_int_equal(kit_rows(k, "queue"), 2);
	kit_end(k);
}

static void
the_list_tells_all_in_parts(void **state)
{
	uint64_t account = 0, id = 0, ids[3], n = 0;
	struct store_queue_entry e;
	struct buf out = { 0 };
	struct reader r;

	IS(state_queue_list(k->s, &account, &id, false, 1, &out), ST_NOT_FOUND);
	for (unsigned i = 0; i < 3; i++)
		ids[i] = send(QUEUE_REDIRECT, false);
	account = id = 0;
	while (state_queue_list(k->s, &account, &id, false, 1, &out) == ST_OK) {
		reader_init(&r, out.data, out.len);
		assert_true(get_store_queue_entry(&r, &e) && reader_done(&r));
		assert_true(e.id == ids[n++] && e.account == 7 && e.extent == 0);
		buf_clear(&out);
	}
	assert_int_equal(n, 3);
	account = 8;
	id = 0;
	IS(state_queue_list(k->s, &account, &id, true, 1000, &out), ST_NOT_FOUND);
	buf_fini(&out);
	kit_end(k);
}

static void
entries_go_with_the_account(void **state)
{
	struct op op;
	uint64_t id = send(QUEUE_REDIRECT, true), other = send(QUEUE_NOTIFY, false);

	op = kit_op(k, OP_ACCOUNT_DELETE);
	OK(kit_apply(k, &op));
	OK(queue_set(k, QUEUE_TAKE, id, 0, 0, NULL));
	OK(queue_set(k, QUEUE_RETURN, id, 1, 0, NULL));
	op = kit_op(k, OP_ACCOUNT_PURGE);
	OK(kit_apply(k, &op));
	IS(queue_set(k, QUEUE_TAKE, other, 0, 0, NULL), ST_NOT_FOUND);
	assert_int_equal(kit_rows(k, "queue") + kit_rows(k, "queuemsg") +
	    kit_rows(k, "queuedue") + kit_rows(k, "extent"), 0);
	kit_end(k);
}

static void
a_shard_that_begins_anew_sends_again_what_must_arrive_and_nothing_else(void **state)
{
	uint64_t redirect = send(QUEUE_REDIRECT, false);
	struct state_queue_at at[2];
	struct op op;

	(void)send(QUEUE_VACATION, true);
	(void)send(QUEUE_NOTIFY, false);
	op = kit_op(k, OP_INCARNATE);
	op.head.account = 0;
	OK(kit_apply(k, &op));
	assert_int_equal(order(at, 2), 1);
	assert_true(at[0].id == redirect);
	assert_int_equal(kit_rows(k, "queuemsg"), 1);
	assert_int_equal(kit_rows(k, "extent"), 2);
	kit_end(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_entry_shares_the_body_with_the_message, set_up),
		cmocka_unit_test_setup(what_is_only_sent_gives_its_body_up_when_it_was, set_up),
		cmocka_unit_test_setup(who_takes_an_entry_has_it_alone, set_up),
		cmocka_unit_test_setup(
		    entries_are_in_the_order_of_their_time_and_taken_ones_at_the_end, set_up),
		cmocka_unit_test_setup(
		    while_rows_are_staged_an_entry_is_sent_and_does_not_come_back, set_up),
		cmocka_unit_test_setup(recipients_who_have_it_are_left_out_the_next_time, set_up),
		cmocka_unit_test_setup(what_comes_back_is_a_message_in_the_inbox, set_up),
		cmocka_unit_test_setup(a_queue_that_is_full_keeps_redirects_in_the_inbox, set_up),
		cmocka_unit_test_setup(the_list_tells_all_in_parts, set_up),
		cmocka_unit_test_setup(entries_go_with_the_account, set_up),
		cmocka_unit_test_setup(
		    a_shard_that_begins_anew_sends_again_what_must_arrive_and_nothing_else, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
