/* Deliveries: all that becomes of a message for one recipient, in one operation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/digest.h"
#include "storage/state/emails.h"
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

static void
one_message_is_in_all_its_places(void **state)
{
	struct delivery d = { 0 };
	struct store_delivered_place a, b, c;
	struct store_row row;

	delivery_body(&d, 100, 'a');
	delivery_at(&d, "INBOX", false);
	delivery_at(&d, "Lists/C/Today", true);
	delivery_at(&d, "Lists", true);
	OK(delivery_run(k, &d));
	assert_int_equal(delivered_places(k), 3);
	a = delivered(k, 0);
	b = delivered(k, 1);
	c = delivered(k, 2);
	assert_true(a.how == PLACED_AS_ASKED && b.how == PLACED_MADE && c.how == PLACED_MADE);
	assert_true(a.message == b.message && b.message == c.message && a.thread == c.thread);
	assert_true(a.mailbox == kit_mailbox(k, "INBOX") &&
	    b.mailbox == kit_mailbox(k, "Lists/C/Today") && c.mailbox == kit_mailbox(k, "Lists"));
	assert_int_equal(a.uid, 1);
	row = kit_row(k, b.mailbox, b.uid);
	assert_true(row.message == a.message && row.thread == a.thread && row.size == 100);
	assert_int_equal(kit_rows(k, "message"), 1);
	assert_int_equal(kit_rows(k, "extent"), 1);
	assert_false(kit_line(k, "Lists/C/Today").subscribed);
	assert_int_equal(k->r.messages.len, 8);
	kit_end(k);
}

static void
places_have_flags_of_their_own_and_the_same_one_twice_has_both(void **state)
{
	struct delivery d = { 0 };
	struct store_deliver_place p = { .flags = flags_system(FLAG_SEEN) };
	struct store_delivered_place a, b;
	struct store_row row;

	delivery_body(&d, 100, 'a');
	put_store_keyword(&d.keywords, SPAN_LIT("$Label"));
	flags_set_keyword(&p.flags, 0);
	put_store_deliver_place(&d.places, &p);
	p = (struct store_deliver_place){ .path = SPAN_LIT("inbox"),
		.flags = flags_system(FLAG_FLAGGED) };
	put_store_deliver_place(&d.places, &p);
	p.path = SPAN_LIT("Sent");
	put_store_deliver_place(&d.places, &p);
	OK(delivery_run(k, &d));
	a = delivered(k, 0);
	b = delivered(k, 1);
	assert_true(a.uid == b.uid && a.mailbox == b.mailbox && a.how == PLACED_AS_ASKED);
	row = kit_row(k, a.mailbox, a.uid);
	assert_int_equal(flags_get_system(row.flags), FLAG_SEEN | FLAG_FLAGGED);
	assert_true(flags_has_keyword(row.flags, 0));
	a = delivered(k, 2);
	row = kit_row(k, a.mailbox, a.uid);
	assert_int_equal(flags_get_system(row.flags), FLAG_FLAGGED);
	assert_false(flags_has_keyword(row.flags, 0));
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	kit_end(k);
}

static void
what_is_not_there_is_in_the_inbox(void **state)
{
	struct delivery d = { 0 };
	struct store_deliver_place p = { .mailbox = 12345 };
	struct store_delivered_place at;

	OK(kit_create(k, "Gone"));
	p.mailbox = kit_mailbox(k, "Gone");
	OK(kit_delete(k, "Gone"));
	delivery_body(&d, 100, 'a');
	delivery_at(&d, "Missing", false);
	put_store_deliver_place(&d.places, &p);
	delivery_at(&d, "bad//name", true);
	p = (struct store_deliver_place){ .role = MAILBOX_ROLE_JUNK };
	put_store_deliver_place(&d.places, &p);
	OK(delivery_run(k, &d));
	for (unsigned i = 0; i < 4; i++) {
		at = delivered(k, i);
		assert_true(at.how == PLACED_INBOX && at.uid == 1 &&
		    at.mailbox == kit_mailbox(k, "INBOX"));
	}
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	kit_end(k);
}

static void
a_mailbox_that_cannot_be_made_is_no_reason_to_lose_mail(void **state)
{
	struct delivery d = { 0 };

	k->head.mailboxes_max = 6;		/* four are there */
	delivery_body(&d, 100, 'a');
	delivery_at(&d, "a/b", true);
	delivery_at(&d, "c", true);
	OK(delivery_run(k, &d));
	assert_int_equal(delivered(k, 0).how, PLACED_MADE);
	assert_int_equal(delivered(k, 1).how, PLACED_INBOX);
	assert_int_equal(kit_mailbox(k, "c"), 0);
	kit_end(k);
}

static void
ids_and_roles_find_before_names_do(void **state)
{
	struct delivery d = { 0 };
	struct store_deliver_place p = { .mailbox = kit_mailbox(k, "Trash"),
		.role = MAILBOX_ROLE_SENT, .path = SPAN_LIT("Drafts") };

	delivery_body(&d, 100, 'a');
	put_store_deliver_place(&d.places, &p);
	p.mailbox = 0;
	put_store_deliver_place(&d.places, &p);
	p.role = MAILBOX_ROLE_JUNK;
	put_store_deliver_place(&d.places, &p);
	p = (struct store_deliver_place){ .role = MAILBOX_ROLE_JUNK, .path = SPAN_LIT("Spam"),
		.create = true, .subscribe = true };
	put_store_deliver_place(&d.places, &p);
	OK(delivery_run(k, &d));
	assert_true(delivered(k, 0).mailbox == kit_mailbox(k, "Trash"));
	assert_true(delivered(k, 1).mailbox == kit_mailbox(k, "Sent"));
	assert_true(delivered(k, 2).mailbox == kit_mailbox(k, "Drafts"));
	assert_true(delivered(k, 3).mailbox == kit_mailbox(k, "Spam"));
	assert_int_equal(kit_line(k, "Spam").role, MAILBOX_ROLE_JUNK);
	assert_true(kit_line(k, "Spam").subscribed);
	delivery_body(&d, 100, 'b');
	p.path = SPAN_LIT("Other");
	put_store_deliver_place(&d.places, &p);
	OK(delivery_run(k, &d));
	assert_true(delivered(k, 0).mailbox == kit_mailbox(k, "Spam"));
	assert_int_equal(kit_mailbox(k, "Other"), 0);
	kit_end(k);
}

static void
several_bodies_go_to_places_of_their_own(void **state)
{
	struct delivery d = { 0 };
	struct store_deliver_place p = { .body = 1, .path = SPAN_LIT("Sent"),
		.flags = flags_system(FLAG_SEEN) };
	struct store_delivered_place a, b;

	delivery_body(&d, 100, 'a');
	delivery_body(&d, 30, 'b');
	delivery_at(&d, "INBOX", false);
	put_store_deliver_place(&d.places, &p);
	p = (struct store_deliver_place){ .body = 1 };
	put_store_deliver_place(&d.places, &p);
	OK(delivery_run(k, &d));
	a = delivered(k, 0);
	b = delivered(k, 1);
	assert_true(a.message != b.message && b.message == delivered(k, 2).message);
	assert_int_equal(kit_row(k, a.mailbox, a.uid).size, 100);
	assert_int_equal(kit_row(k, b.mailbox, b.uid).size, 30);
	assert_int_equal(kit_line(k, "INBOX").messages, 2);
	assert_int_equal(k->r.messages.len, 16);
	assert_int_equal(kit_rows(k, "extent"), 2);
	kit_end(k);
}

static void
a_condition_that_does_not_hold_undoes_all_of_it(void **state)
{
	struct delivery d = { 0 };

	delivery_body(&d, 100, 'a');
	delivery_at(&d, "New", true);
	delivery_queue(&d, QUEUE_VACATION, "you@there.test");
	delivery_key(&d, SIEVE_KEY_VACATION, 'v', false, 3600);
	OK(delivery_run(k, &d));
	assert_true(key_known(k, SIEVE_KEY_VACATION, 'v'));
	delivery_body(&d, 100, 'b');
	delivery_at(&d, "Newer", true);
	delivery_queue(&d, QUEUE_VACATION, "you@there.test");
	delivery_key(&d, SIEVE_KEY_DUPLICATE, 'd', false, 3600);
	delivery_key(&d, SIEVE_KEY_VACATION, 'v', false, 3600);
	IS(delivery_run(k, &d), ST_CONFLICT);
	assert_false(key_known(k, SIEVE_KEY_DUPLICATE, 'd'));
	assert_int_equal(kit_mailbox(k, "Newer"), 0);
	assert_int_equal(kit_rows(k, "queue"), 1);
	assert_int_equal(kit_rows(k, "message"), 1);
	kit_end(k);
}

static void
script_key(struct delivery *d, struct span text)
{
	unsigned char sha[32] = { 0 };

	if (text.p != NULL)
		sha256(text, sha);
	put_store_deliver_key(&d->keys, &(struct store_deliver_key){ SIEVE_KEY_SCRIPT,
		span((const char *)sha, sizeof(sha)), true, 0 });
}

static void
set_script(uint8_t how, const char *name, struct span text)
{
	struct op op = kit_op(k, OP_SCRIPT_SET);

	op.u.script_set = (struct op_script_set){ .how = how, .name = span_str(name), .text = text };
	OK(kit_apply(k, &op));
}

static void
it_may_rest_on_the_script_that_is_active(void **state)
{
	struct delivery d = { 0 };

	script_key(&d, SPAN_NONE);
	OK(delivery_run(k, &d));
	script_key(&d, SPAN_LIT("keep;"));
	IS(delivery_run(k, &d), ST_CONFLICT);
	set_script(SCRIPT_PUT, "one", SPAN_LIT("keep;"));
	script_key(&d, SPAN_NONE);
	OK(delivery_run(k, &d));
	set_script(SCRIPT_ACTIVATE, "one", SPAN_NONE);
	script_key(&d, SPAN_NONE);
	IS(delivery_run(k, &d), ST_CONFLICT);
	script_key(&d, SPAN_LIT("keep;"));
	OK(delivery_run(k, &d));
	set_script(SCRIPT_PUT, "one", SPAN_LIT("stop;"));
	script_key(&d, SPAN_LIT("keep;"));
	IS(delivery_run(k, &d), ST_CONFLICT);
	set_script(SCRIPT_ACTIVATE, "", SPAN_NONE);
	script_key(&d, SPAN_NONE);
	OK(delivery_run(k, &d));
	kit_end(k);
}

static void
without_places_it_is_discarded_and_remembered(void **state)
{
	struct delivery d = { 0 };

	OK(delivery_run(k, &d));
	assert_int_equal(delivered_places(k), 0);
	assert_false(k->r.changed);
	delivery_key(&d, SIEVE_KEY_DUPLICATE, 'd', false, 3600);
	OK(delivery_run(k, &d));
	assert_true(key_known(k, SIEVE_KEY_DUPLICATE, 'd'));
	assert_false(k->r.changed);
	kit_end(k);
}

static void
quota_is_for_all_memberships_together(void **state)
{
	struct delivery d = { 0 };

	k->head.bytes_max = 250;
	delivery_body(&d, 100, 'a');
	delivery_at(&d, "INBOX", false);
	delivery_at(&d, "Sent", false);
	delivery_at(&d, "Drafts", false);
	IS(delivery_run(k, &d), ST_OVER_QUOTA);
	delivery_body(&d, 100, 'a');
	delivery_at(&d, "INBOX", false);
	delivery_at(&d, "Sent", false);
	delivery_at(&d, "Nowhere", false);	/* INBOX, which it is in already */
	OK(delivery_run(k, &d));
	delivery_body(&d, 100, 'b');
	delivery_at(&d, "INBOX", false);
	IS(delivery_run(k, &d), ST_OVER_QUOTA);
	delivery_body(&d, 100, 'b');		/* what is only sent on takes no room */
	delivery_queue(&d, QUEUE_REDIRECT, "you@there.test");
	OK(delivery_run(k, &d));
	kit_end(k);
}

static void
the_same_delivery_again_happens_once(void **state)
{
	struct delivery d = { 0 };
	struct store_delivered_place at;
	uint64_t entry;

	delivery_body(&d, 100, 'a');
	delivery_at(&d, "INBOX", false);
	delivery_queue(&d, QUEUE_REDIRECT, "you@there.test");
	delivery_key(&d, SIEVE_KEY_DUPLICATE, 'd', false, 3600);
	OK(delivery_run(k, &d));
	at = delivered(k, 0);
	entry = delivered_entry(k, 0);
	k->seq--;
	delivery_body(&d, 100, 'a');
	delivery_at(&d, "INBOX", false);
	delivery_queue(&d, QUEUE_REDIRECT, "you@there.test");
	delivery_key(&d, SIEVE_KEY_DUPLICATE, 'd', false, 3600);
	OK(delivery_run(k, &d));
	assert_true(k->r.repeated && delivered(k, 0).uid == at.uid &&
	    delivered_entry(k, 0) == entry);
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	assert_int_equal(kit_rows(k, "queue"), 1);
	kit_end(k);
}

static void
keywords_that_find_no_room_are_left_out(void **state)
{
	struct delivery d = { 0 };
	struct store_deliver_place p = { .flags = flags_system(FLAG_SEEN) };
	struct store_delivered_place at;
	struct store_row row;
	char name[16];

	for (unsigned i = 0; i < KEYWORD_MAX; i++) {
		snprintf(name, sizeof(name), "word%u", i);
		OK(kit_append(k, "Sent", 1, 10, 0, name, 0));
	}
	delivery_body(&d, 100, 'a');
	put_store_keyword(&d.keywords, SPAN_LIT("one-more"));
	flags_set_keyword(&p.flags, 0);
	put_store_deliver_place(&d.places, &p);
	OK(delivery_run(k, &d));
	at = delivered(k, 0);
	row = kit_row(k, at.mailbox, at.uid);
	assert_true(flags_eq(row.flags, flags_system(FLAG_SEEN)));
	kit_end(k);
}

static void
what_makes_no_sense_is_refused(void **state)
{
	struct delivery d = { 0 };
	struct store_deliver_place p = { .body = 1 };

	delivery_body(&d, 100, 'a');		/* a body that goes nowhere */
	IS(delivery_run(k, &d), ST_SYNTAX);
	delivery_at(&d, "INBOX", false);	/* a place for no body */
	IS(delivery_run(k, &d), ST_SYNTAX);
	delivery_body(&d, 100, 'a');
	put_store_deliver_place(&d.places, &p);
	IS(delivery_run(k, &d), ST_SYNTAX);
	delivery_body(&d, 100, 'a');
	delivery_at(&d, "INBOX", false);
	buf_add_c(&d.places, 'x');
	IS(delivery_run(k, &d), ST_SYNTAX);
	delivery_body(&d, 100, 'a');
	for (unsigned i = 0; i <= STORE_DELIVER_PLACES; i++)
		delivery_at(&d, "INBOX", false);
	IS(delivery_run(k, &d), ST_LIMIT);
	delivery_body(&d, 100, 'a');
	for (unsigned i = 0; i <= STORE_DELIVER_QUEUE; i++)
		delivery_queue(&d, QUEUE_NOTIFY, "a@b.test");
	IS(delivery_run(k, &d), ST_LIMIT);
	delivery_body(&d, 100, 'a');
	delivery_at(&d, "INBOX", false);
	delivery_queue(&d, QUEUE_NOTIFY, "a\r\nb@b.test");
	IS(delivery_run(k, &d), ST_SYNTAX);
	assert_int_equal(kit_rows(k, "message"), 0);
	kit_end(k);
}

static void
what_jmap_asks_tells_of_a_delivery(void **state)
{
	struct state_since q = { .rows = 1000, .budget = 100000 };
	struct store_email_change c;
	struct store_states_are before;
	struct delivery d = { 0 };
	struct buf out = { 0 };
	struct reader r;

	OK(state_states(k->s, 7, &before));
	q.since = before.modseq;
	delivery_body(&d, 100, 'a');
	delivery_at(&d, "INBOX", false);
	delivery_at(&d, "Sent", false);
	OK(delivery_run(k, &d));
	OK(state_email_changes(k->s, 7, &q, &out));
	reader_init(&r, out.data, out.len);
	assert_true(get_store_email_change(&r, &c));
	assert_true(!c.was && c.is && c.message == delivered(k, 0).message);
	assert_false(get_store_email_change(&r, &c));
	buf_fini(&out);
	kit_end(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_message_is_in_all_its_places, set_up),
		cmocka_unit_test_setup(
		    places_have_flags_of_their_own_and_the_same_one_twice_has_both, set_up),
		cmocka_unit_test_setup(what_is_not_there_is_in_the_inbox, set_up),
		cmocka_unit_test_setup(a_mailbox_that_cannot_be_made_is_no_reason_to_lose_mail,
		    set_up),
		cmocka_unit_test_setup(ids_and_roles_find_before_names_do, set_up),
		cmocka_unit_test_setup(several_bodies_go_to_places_of_their_own, set_up),
		cmocka_unit_test_setup(a_condition_that_does_not_hold_undoes_all_of_it, set_up),
		cmocka_unit_test_setup(it_may_rest_on_the_script_that_is_active, set_up),
		cmocka_unit_test_setup(without_places_it_is_discarded_and_remembered, set_up),
		cmocka_unit_test_setup(quota_is_for_all_memberships_together, set_up),
		cmocka_unit_test_setup(the_same_delivery_again_happens_once, set_up),
		cmocka_unit_test_setup(keywords_that_find_no_room_are_left_out, set_up),
		cmocka_unit_test_setup(what_makes_no_sense_is_refused, set_up),
		cmocka_unit_test_setup(what_jmap_asks_tells_of_a_delivery, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
