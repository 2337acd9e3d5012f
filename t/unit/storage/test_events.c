/* Events of IMAP through the service: who is told that there may be scripts for them, what is asked
 * about one, and who may say what becomes of a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "t/unit/storage/sieverig.h"

static uint64_t
mailbox_of(const char *path)
{
	struct answer a = { 0 };
	uint64_t id;

	OK(rig_open(&rig, user, path, &a));
	id = a.u.opened.mailbox;
	answer_fini(&a);
	return id;
}

static enum status
name_script(struct store *s, uint64_t mailbox, const char *name)
{
	struct store_metadata_set rq = { .mailbox = mailbox };
	struct buf b = { 0 };

	put_store_metadata(&b, &(struct store_metadata){ .name = SPAN_LIT("/shared/comment"),
		.given = true, .value = SPAN_LIT("text") });
	if (name != NULL)
		put_store_metadata(&b, &(struct store_metadata){
			.name = SPAN_LIT(STORE_EVENT_ENTRY), .given = true,
			.value = span_str(name) });
	rq.entries = buf_span(&b);
	expect(0);
	store_do_metadata_set(s, &rq, on_done, NULL);
	buf_fini(&b);
	return wait_for();
}

static void
mail_for(struct store *s, const char *path)
{
	struct answer a = { 0 };

	OK(rig_append(&rig, s, path, SPAN_LIT("Subject: x\r\n\r\n"), &a));
	answer_fini(&a);
}

static void
share_inbox(uint64_t with)
{
	const struct store_acl_set rq = { .path = SPAN_LIT("INBOX"), .kind = ACL_USER, .id = with,
		.how = ACL_REPLACE, .rights = RIGHT_ALL };

	expect(0);
	store_do_acl_set(user, &rq, on_done, NULL);
	OK(wait_for());
}

static void
the_first_entry_is_known_to_all_before_anything_is_answered(void **state)
{
	struct store *one = channel(STORE_ROLE_ACCESS), *two = channel(STORE_ROLE_ACCESS), *other;
	uint64_t inbox = mailbox_of("INBOX");

	share_inbox(18);
	other = stranger(18);
	mail_for(two, "INBOX");
	mail_for(other, "INBOX");
	OK(name_script(one, 0, "rules"));
	OK(name_script(one, inbox, NULL));
	assert_false(store_has_events(user) || store_has_events(one) || store_has_events(two));
	OK(name_script(other, inbox, "rules"));
	assert_true(store_has_events(user) && store_has_events(one) && store_has_events(two));
	assert_false(store_has_events(other) || store_has_events(lmtp));
	store_close(&other);
	store_close(&one);
	one = channel(STORE_ROLE_ACCESS);
	other = channel(STORE_ROLE_DELIVER);
	assert_false(store_has_events(one));
	mail_for(one, "INBOX");
	mail_for(other, "INBOX");
	assert_true(store_has_events(one) && !store_has_events(other));
	store_close(&user);
	store_close(&lmtp);
	store_close(&one);
	store_close(&two);
	store_close(&other);
	rig_run(&rig, 5);
	user = channel(STORE_ROLE_ACCESS);
	mail_for(user, "INBOX");
	assert_true(store_has_events(user));
}

static void
an_entry_that_is_set_while_the_store_is_away_is_known_with_the_next_answer(void **state)
{
	uint64_t inbox = mailbox_of("INBOX");

	OK(name_script(user, inbox, ""));
	assert_true(store_has_events(user));
	store_close(&user);
	rig_kill(&rig);
	user = channel(STORE_ROLE_ACCESS);
	rig_fork(&rig);
	mail_for(user, "INBOX");
	assert_true(store_has_events(user));
}

/* Counts the rows of all parts. */
static struct {
	unsigned	n, parts, changed;
	uint32_t	last;
	bool		over, entry;
	enum status	st;
	char		script[32];
} told;

static void
on_part(void *arg, enum status st, bool more, const void *msg)
{
	const struct store_event_are *are = msg;
	struct store_event_row row;
	struct reader r;

	told.over = !more;
	told.st = st;
	if (msg == NULL)
		return;
	told.parts++;
	told.entry = are->entry;
	snprintf(told.script, sizeof(told.script), "%.*s", (int)are->script.len,
	    are->script.len > 0 ? are->script.p : "");
	reader_init(&r, are->rows.p, are->rows.len);
	while (are->rows.len > 0 && get_store_event_row(&r, &row)) {
		assert_true(row.uid > told.last);
		told.last = row.uid;
		told.n++;
		told.changed += flags_get_system(row.changed) == FLAG_SEEN;
	}
	assert_false(r.bad);
}

static enum status
ask_event(struct store *s, uint64_t mailbox, uint64_t modseq, uint32_t lo, uint32_t hi)
{
	struct store_event_get rq = { .mailbox = mailbox, .modseq = modseq };
	struct uidset set = { 0 };
	struct buf uids = { 0 };

	memset(&told, 0, sizeof(told));
	uidset_add_range(&set, lo, hi);
	uidset_encode(&set, &uids);
	rq.uids = buf_span(&uids);
	store_do_event(s, &rq, on_part, NULL);
	while (!told.over)
		loop_once(rig.loop, true);
	uidset_fini(&set);
	buf_fini(&uids);
	return told.st;
}

static uint64_t
see(uint64_t mailbox, uint32_t lo, uint32_t hi)
{
	struct store_flags rq = { .mailbox = mailbox, .how = FLAGS_ADD, .system = FLAG_SEEN,
		.unchanged_since = UINT64_MAX };
	struct answer a = { 0 };
	struct uidset set = { 0 };
	struct buf uids = { 0 };
	uint64_t modseq;

	uidset_add_range(&set, lo, hi);
	uidset_encode(&set, &uids);
	rq.uids = buf_span(&uids);
	rig_expect(STORE_FLAGS_ARE);
	store_do_flags(user, &rq, rig_done, &a);
	rig_wait(&rig, &a, 1);
	OK(a.st);
	modseq = a.u.flags_are.modseq;
	uidset_fini(&set);
	buf_fini(&uids);
	answer_fini(&a);
	return modseq;
}

static void
an_event_asks_for_the_script_and_for_what_changed(void **state)
{
	uint64_t inbox = mailbox_of("INBOX"), modseq;
	struct store_append rq = { .path = SPAN_LIT("INBOX") };
	struct store *other, *few = channel_with(STORE_ROLE_ACCESS, RIGHT_LOOKUP | RIGHT_INSERT);
	struct answer a = { 0 };
	struct buf items = { 0 };

	for (unsigned i = 0; i < 990; i++)
		rig_item(&items, SPAN_LIT("x"), 0, flags_system(0));
	rq.items = buf_span(&items);
	rig_expect(STORE_APPENDED);
	store_do_append(user, &rq, rig_done, &a);
	rig_wait(&rig, &a, 1);
	OK(a.st);
	modseq = see(inbox, 2, 989);
	OK(ask_event(user, inbox, modseq, 1, 2000));
	assert_true(told.n == 990 && told.changed == 988 && told.parts > 1 && !told.entry);
	OK(name_script(user, inbox, "rules"));
	OK(ask_event(user, inbox, 0, 5, 6));
	assert_true(told.n == 2 && told.changed == 0 && told.parts == 1 && told.entry);
	assert_string_equal(told.script, "rules");
	OK(ask_event(user, inbox, modseq, 5000, 6000));
	assert_true(told.n == 0 && told.entry);
	IS(ask_event(user, inbox + 4711, modseq, 1, 1), ST_NOT_FOUND);
	share_inbox(18);
	other = stranger(18);
	IS(ask_event(other, inbox, modseq, 1, 1), ST_DENIED);
	IS(ask_event(lmtp, inbox, modseq, 1, 1), ST_DENIED);
	IS(ask_event(few, inbox, modseq, 1, 1), ST_DENIED);
	store_close(&other);
	store_close(&few);
	answer_fini(&a);
	buf_fini(&items);
}

static struct order
about(uint64_t mailbox, uint32_t uid)
{
	return (struct order){ .of_mailbox = mailbox, .of_uid = uid };
}

static enum status
try_about(struct store *s, uint64_t mailbox, bool place, bool send, bool flag)
{
	struct order o = about(mailbox, 1);

	if (place)
		order_place(&o, 0, "Copies");
	if (send)
		order_answer(&o, 0, 'v');
	if (flag)
		o.flags_add = flags_system(FLAG_DELETED);
	order_send(s, &o);
	return wait_for();
}

static void
what_becomes_of_a_message_is_for_its_owner_to_say_as_far_as_he_may(void **state)
{
	struct store *other, *reads = channel_with(STORE_ROLE_ACCESS, RIGHT_LOOKUP | RIGHT_READ);
	struct store *writes = channel_with(STORE_ROLE_ACCESS, RIGHT_READ | RIGHT_WRITE);
	uint64_t inbox = mailbox_of("INBOX");

	mail_for(user, "INBOX");
	share_inbox(18);
	other = stranger(18);
	IS(try_about(lmtp, inbox, true, false, false), ST_DENIED);
	IS(try_about(lmtp, inbox, false, false, false), ST_DENIED);
	IS(try_about(other, inbox, true, false, true), ST_DENIED);
	IS(try_about(reads, inbox, true, false, false), ST_DENIED);
	IS(try_about(reads, inbox, false, true, false), ST_DENIED);
	IS(try_about(reads, inbox, false, false, true), ST_DENIED);
	OK(try_about(reads, inbox, false, false, false));
	IS(try_about(writes, inbox, true, false, true), ST_DENIED);
	OK(try_about(writes, inbox, false, false, true));
	OK(try_about(user, inbox, true, true, true));
	IS(try_about(user, inbox, true, true, true), ST_CONFLICT);
	assert_int_equal(messages_in("Copies"), 1);
	assert_true(known(user, 'v'));
	store_close(&other);
	store_close(&reads);
	store_close(&writes);
}

static void
copies_and_new_bodies_have_their_texts(void **state)
{
	struct store_append rq = { .path = SPAN_LIT("INBOX") };
	struct store_delivered_place a, b;
	struct store_delivered is;
	struct answer got_it = { 0 };
	struct order o;
	struct reader r;
	struct buf items = { 0 };

	put_with_text(&items, "apples");
	rq.items = buf_span(&items);
	rig_expect(STORE_APPENDED);
	store_do_append(user, &rq, rig_done, &got_it);
	rig_wait(&rig, &got_it, 1);
	OK(got_it.st);
	o = about(mailbox_of("INBOX"), 1);
	put_with_text(&o.bodies, "bananas");
	order_place(&o, 0, "Copies");
	order_place(&o, 1, "Edited");
	order_send(user, &o);
	OK(wait_for());
	reply(&is);
	reader_init(&r, is.places.p, is.places.len);
	assert_true(get_store_delivered_place(&r, &a) && get_store_delivered_place(&r, &b));
	expect_found(a.mailbox, "apples", true);
	expect_found(a.mailbox, "bananas", false);
	expect_found(b.mailbox, "bananas", true);
	answer_fini(&got_it);
	buf_fini(&items);
}

static void
a_staged_body_beside_the_message_is_adopted(void **state)
{
	uint64_t inbox = mailbox_of("INBOX");
	struct order o = about(inbox, 1);

	mail_for(user, "INBOX");
	stage(user, 1, 'a', 100000);
	rig_item(&o.bodies, SPAN_LIT("edited"), 1, flags_system(0));
	order_place(&o, 1, "Edited");
	order_send(user, &o);
	OK(wait_for());
	o = about(inbox, 1);
	rig_item(&o.bodies, SPAN_LIT("edited"), 7, flags_system(0));	/* never staged */
	order_place(&o, 1, "Edited");
	order_send(user, &o);
	IS(wait_for(), ST_UNAVAILABLE);
	assert_int_equal(messages_in("Edited"), 1);
}

static void
what_was_decided_when_the_store_is_killed_is_done_once(void **state)
{
	uint64_t inbox = mailbox_of("INBOX");
	struct order o;

	mail_for(user, "INBOX");
	for (unsigned i = 0; i < 4; i++) {
		char letter = (char)('a' + i);

		o = about(inbox, 1);
		order_place(&o, 0, "Copies");
		order_answer(&o, 0, letter);
		o.flags_add = flags_system(i % 2 ? FLAG_SEEN : FLAG_FLAGGED);
		order_through_a_kill(&o, i, letter, "Copies", i + 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    the_first_entry_is_known_to_all_before_anything_is_answered, set_up_here,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    an_entry_that_is_set_while_the_store_is_away_is_known_with_the_next_answer,
		    set_up_apart, tear_down),
		cmocka_unit_test_setup_teardown(an_event_asks_for_the_script_and_for_what_changed,
		    set_up_here, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_becomes_of_a_message_is_for_its_owner_to_say_as_far_as_he_may,
		    set_up_here, tear_down),
		cmocka_unit_test_setup_teardown(copies_and_new_bodies_have_their_texts,
		    set_up_here, tear_down),
		cmocka_unit_test_setup_teardown(a_staged_body_beside_the_message_is_adopted,
		    set_up_here, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_was_decided_when_the_store_is_killed_is_done_once, set_up_apart,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
