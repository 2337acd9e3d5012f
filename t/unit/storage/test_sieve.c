/* Scripts, keys and deliveries through the service: who may ask for what, bodies that are staged, and
 * what is there after kill -9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/digest.h"
#include "common/util/clock.h"
#include "storage/service/service_priv.h"
#include "storage/state/queue.h"
#include "t/unit/storage/sieverig.h"

static enum status
put_script(struct store *s, const char *name, struct span text, bool activate)
{
	const struct store_script_set rq = { .how = SCRIPT_PUT, .name = span_str(name),
		.text = text, .activate = activate };

	expect(STORE_SCRIPT_SET_IS);
	store_do_script_set(s, &rq, on_done, NULL);
	return wait_for();
}

static enum status
get_script(struct store *s, const char *name, struct span sum, struct store_script_is *is)
{
	const struct store_script_get rq = { span_str(name), sum };
	enum status st;

	expect(STORE_SCRIPT_IS);
	store_do_script(s, &rq, on_done, NULL);
	st = wait_for();
	if (st == ST_OK)
		reply(is);
	return st;
}

static void
a_delivery_reads_scripts_and_changes_none(void **state)
{
	struct store_scripts_are are;
	struct store_script_is is;
	struct store_script one;
	unsigned char sum[SHA256_LEN];
	struct reader r;

	struct store_metadata_get note = { .names = SPAN_NONE };
	struct buf names = { 0 };

	put_span(&names, SPAN_LIT("/shared/comment"));
	note.names = buf_span(&names);
	expect(STORE_METADATA_IS);
	store_do_metadata_get(lmtp, &note, on_done, NULL);
	OK(wait_for());
	buf_fini(&names);
	OK(put_script(user, "main", SPAN_LIT("keep;"), true));
	OK(get_script(lmtp, "", SPAN_NONE, &is));
	assert_true(span_eq_str(is.text, "keep;") && !is.same);
	reader_init(&r, is.script.p, is.script.len);
	assert_true(get_store_script(&r, &one) && reader_done(&r));
	assert_true(span_eq_str(one.name, "main") && one.active && one.size == 5);
	sha256(SPAN_LIT("keep;"), sum);
	OK(get_script(lmtp, "main", span(sum, sizeof(sum)), &is));
	assert_true(is.same && is.text.len == 0);
	IS(get_script(lmtp, "other", SPAN_NONE, &is), ST_NOT_FOUND);
	IS(put_script(lmtp, "main", SPAN_LIT("discard;"), true), ST_DENIED);
	expect(STORE_SCRIPTS_ARE);
	store_do_scripts(lmtp, on_done, NULL);
	IS(wait_for(), ST_DENIED);
	expect(STORE_SCRIPTS_ARE);
	store_do_scripts(user, on_done, NULL);
	OK(wait_for());
	reply(&are);
	assert_true(are.bytes == 5 && are.count_limit == rig.cf.scripts &&
	    are.size_limit == rig.cf.script_bytes && are.bytes_limit == rig.cf.scripts_bytes);
}

static void
scripts_as_large_as_they_may_be_travel_whole(void **state)
{
	static char text[(128u << 10) + 1];
	struct store_script_room room = { SPAN_LIT("big"), sizeof(text) };
	struct store_script_is is;

	memset(text, 'k', sizeof(text));
	expect(0);
	store_do_script_room(user, &room, on_done, NULL);
	IS(wait_for(), ST_OVER_QUOTA);
	IS(put_script(user, "big", span(text, sizeof(text)), false), ST_OVER_QUOTA);
	room.size--;
	expect(0);
	store_do_script_room(user, &room, on_done, NULL);
	OK(wait_for());
	OK(put_script(user, "big", span(text, sizeof(text) - 1), false));
	OK(get_script(user, "big", SPAN_NONE, &is));
	assert_true(span_eq(is.text, span(text, sizeof(text) - 1)));
}

static void
a_delivery_goes_to_its_places_and_into_the_queue(void **state)
{
	struct state_queue_at at = { 0 };
	struct store_delivered_place p;
	struct store_delivered is;
	struct order o = { 0 };
	struct reader r;

	assert_false(known(lmtp, 'v'));
	rig_item(&o.bodies, SPAN_LIT("Subject: mail\r\n\r\n"), 0, flags_system(0));
	rig_item(&o.bodies, SPAN_LIT("Subject: answer\r\n\r\n"), 0, flags_system(0));
	order_place(&o, 0, "INBOX");
	order_place(&o, 0, "Lists/C");
	order_answer(&o, 1, 'v');
	order_send(lmtp, &o);
	OK(wait_for());
	reply(&is);
	reader_init(&r, is.places.p, is.places.len);
	assert_true(get_store_delivered_place(&r, &p) && p.uid == 1 && p.how == PLACED_AS_ASKED);
	assert_true(get_store_delivered_place(&r, &p) && p.uid == 1 && p.how == PLACED_MADE);
	assert_true(reader_done(&r) && is.queued.len == 8);
	OK(state_queue_next(service_state(rig.svc), &at));
	assert_true(at.account == 17 && at.id == get_be64(is.queued.p));
	assert_true(known(lmtp, 'v'));
	assert_int_equal(messages_in("INBOX"), 1);
	assert_int_equal(messages_in("Lists/C"), 1);
	rig_item(&o.bodies, SPAN_LIT("Subject: mail\r\n\r\n"), 0, flags_system(0));
	rig_item(&o.bodies, SPAN_LIT("Subject: answer\r\n\r\n"), 0, flags_system(0));
	order_place(&o, 0, "INBOX");
	order_answer(&o, 1, 'v');
	order_send(lmtp, &o);
	IS(wait_for(), ST_CONFLICT);
	assert_int_equal(messages_in("INBOX"), 1);
}

static void
bodies_that_were_staged_are_delivered_each_once(void **state)
{
	struct order o = { 0 };

	stage(lmtp, 1, 'a', 100000);
	stage(lmtp, 2, 'b', 70000);
	stage(lmtp, 1, 'a', 100000);
	rig_item(&o.bodies, SPAN_LIT("one"), 1, flags_system(0));
	rig_item(&o.bodies, SPAN_LIT("two"), 2, flags_system(0));
	order_place(&o, 0, "INBOX");
	order_place(&o, 1, "Copies");
	order_send(lmtp, &o);
	OK(wait_for());
	store_stage_free(lmtp, 1);
	store_stage_free(lmtp, 2);
	rig_item(&o.bodies, SPAN_LIT("one"), 7, flags_system(0));	/* never staged */
	order_place(&o, 0, "INBOX");
	order_send(lmtp, &o);
	IS(wait_for(), ST_UNAVAILABLE);
	stage(lmtp, 3, 'c', 100000);
	rig_item(&o.bodies, SPAN_LIT("one"), 3, flags_system(0));
	rig_item(&o.bodies, SPAN_LIT("two"), 3, flags_system(0));
	order_place(&o, 0, "INBOX");
	order_place(&o, 1, "INBOX");
	order_send(lmtp, &o);
	IS(wait_for(), ST_SYNTAX);
	assert_int_equal(messages_in("INBOX"), 1);
	assert_int_equal(messages_in("Copies"), 1);
}

static void
the_text_of_each_body_is_found_where_it_is(void **state)
{
	struct store_delivered_place a, b;
	struct store_delivered is;
	struct order o = { 0 };
	struct reader r;

	put_with_text(&o.bodies, "apples");
	put_with_text(&o.bodies, "answer");
	put_with_text(&o.bodies, "bananas");
	order_place(&o, 2, "INBOX");
	order_place(&o, 0, "Lists");
	order_answer(&o, 1, 'v');
	order_send(lmtp, &o);
	OK(wait_for());
	reply(&is);
	reader_init(&r, is.places.p, is.places.len);
	assert_true(get_store_delivered_place(&r, &a) && get_store_delivered_place(&r, &b));
	expect_found(a.mailbox, "bananas", true);
	expect_found(a.mailbox, "apples", false);
	expect_found(b.mailbox, "apples", true);
}

static void
what_is_remembered_goes_when_its_time_is_over(void **state)
{
	const struct store_deliver_key k = { .kind = SIEVE_KEY_DUPLICATE, .remember_s = 1,
		.key = SPAN_LIT("0123456789abcdef0123456789abcdef") };
	uint64_t end = clock_mono_ms() + 60000;
	struct order o = { 0 };
	struct state_account a;
	unsigned round = 0;

	put_store_deliver_key(&o.keys, &k);
	order_send(lmtp, &o);
	OK(wait_for());
	OK(state_account(service_state(rig.svc), 17, &a));
	assert_int_equal(a.sieve_keys, 1);
	while (a.sieve_keys > 0) {
		if (clock_mono_ms() > end)
			fail_msg("it stays");
		if (round++ % 64 == 0)		/* it comes soon, if it is not asked for again */
			chores_wanted(rig.svc);
		rig_run(&rig, 50);
		OK(state_account(service_state(rig.svc), 17, &a));
	}
}

static void
a_delivery_under_way_when_the_store_is_killed_happens_once(void **state)
{
	struct order o = { 0 };

	for (unsigned i = 0; i < 4; i++) {
		char letter = (char)('a' + i);

		rig_item(&o.bodies, SPAN_LIT("mail"), 0, flags_system(0));
		rig_item(&o.bodies, SPAN_LIT("answer"), 0, flags_system(0));
		order_place(&o, 0, "INBOX");
		order_answer(&o, 1, letter);
		order_through_a_kill(&o, i, letter, "INBOX", i + 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_delivery_reads_scripts_and_changes_none,
		    set_up_here, tear_down),
		cmocka_unit_test_setup_teardown(scripts_as_large_as_they_may_be_travel_whole,
		    set_up_here, tear_down),
		cmocka_unit_test_setup_teardown(a_delivery_goes_to_its_places_and_into_the_queue,
		    set_up_here, tear_down),
		cmocka_unit_test_setup_teardown(the_text_of_each_body_is_found_where_it_is,
		    set_up_here, tear_down),
		cmocka_unit_test_setup_teardown(what_is_remembered_goes_when_its_time_is_over,
		    set_up_here, tear_down),
		cmocka_unit_test_setup_teardown(bodies_that_were_staged_are_delivered_each_once,
		    set_up_here, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_delivery_under_way_when_the_store_is_killed_happens_once, set_up_apart,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
