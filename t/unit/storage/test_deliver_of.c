/* What events of IMAP ask, and deliveries that are about a message that is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "storage/state/emails.h"
#include "t/unit/storage/sievekit.h"

static struct kit kit, *k = &kit;
static uint64_t inbox;

/* One message, \Flagged and with a keyword, of which the others are not. */
static int
set_up(void **state)
{
	kit_open(k);
	k->seq = 1;
	OK(kit_account(k, 7));
	OK(kit_append(k, "INBOX", 1, 100, FLAG_FLAGGED, "word", 5));
	inbox = kit_mailbox(k, "INBOX");
	return 0;
}

static struct delivery
about(uint64_t mailbox, uint32_t uid)
{
	return (struct delivery){ .of_mailbox = mailbox, .of_uid = uid };
}

static void
at(struct delivery *d, uint8_t body, const char *path, struct flags flags)
{
	put_store_deliver_place(&d->places, &(struct store_deliver_place){ .body = body,
		.path = span_str(path), .create = true, .flags = flags });
}

static struct flags
word(unsigned n)
{
	struct flags f = flags_system(0);

	flags_set_keyword(&f, n);
	return f;
}

static struct span
names(struct delivery *d, const char *one, const char *two)
{
	put_store_keyword(&d->keywords, span_str(one));
	if (two != NULL)
		put_store_keyword(&d->keywords, span_str(two));
	return buf_span(&d->keywords);
}

static void
expect_untouched(void)
{
	struct store_row row = kit_row(k, inbox, 1);

	assert_int_equal(flags_get_system(row.flags), FLAG_FLAGGED);
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	assert_int_equal(kit_line(k, "INBOX").deleted, 0);
	assert_int_equal(kit_rows(k, "queue"), 0);
	assert_int_equal(kit_rows(k, "message"), 1);
	assert_int_equal(kit_mailbox(k, "New"), 0);
	assert_false(key_known(k, SIEVE_KEY_DUPLICATE, 'd'));
	assert_false(k->r.changed);
}

/* A bit of everything, that a refusal has to leave undone. */
static void
want_all(struct delivery *d)
{
	at(d, 0, "New", flags_system(0));
	delivery_queue(d, QUEUE_REDIRECT, "you@there.test");
	delivery_key(d, SIEVE_KEY_DUPLICATE, 'd', false, 3600);
	d->flags_add = flags_system(FLAG_DELETED);
}

static void
its_places_are_copies_with_uids_of_their_own(void **state)
{
	struct delivery d = about(inbox, 1);
	struct store_row from = kit_row(k, inbox, 1), row;
	struct store_delivered_place a, b;

	names(&d, "other", NULL);
	at(&d, 0, "Archive/2026", flags_or(flags_system(FLAG_SEEN), word(0)));
	at(&d, 0, "INBOX", flags_system(FLAG_ANSWERED));	/* where it is */
	OK(delivery_run(k, &d));
	a = delivered(k, 0);
	b = delivered(k, 1);
	assert_true(a.how == PLACED_MADE && a.mailbox == kit_mailbox(k, "Archive/2026") &&
	    a.uid == 1);
	assert_true(b.how == PLACED_AS_ASKED && b.mailbox == inbox && b.uid == 2);
	assert_true(a.message == from.message && b.message == from.message &&
	    a.thread == from.thread);
	row = kit_row(k, a.mailbox, 1);
	assert_true(row.message == from.message && row.size == 100 &&
	    row.received_s == 1600000000 && row.received_zone == 60);
	assert_int_equal(flags_get_system(row.flags), FLAG_SEEN);
	assert_true(flags_has_keyword(row.flags, 1) && !flags_has_keyword(row.flags, 0));
	assert_true(flags_eq(kit_row(k, inbox, 2).flags, flags_system(FLAG_ANSWERED)));
	row = kit_row(k, inbox, 1);
	assert_true(flags_eq(row.flags, from.flags) && row.modseq == from.modseq);
	assert_int_equal(kit_rows(k, "message"), 1);
	assert_int_equal(kit_rows(k, "extent"), 1);
	assert_int_equal(k->r.messages.len, 0);		/* its text is there */
	kit_end(k);
}

static void
its_flags_where_it_is_change_by_what_goes_and_what_comes(void **state)
{
	struct delivery d = about(inbox, 1);
	uint64_t modseq = kit_row(k, inbox, 1).modseq;
	struct store_row row;

	names(&d, "word", "other");
	d.flags_remove = flags_or(flags_system(FLAG_FLAGGED | FLAG_DRAFT), word(0));
	d.flags_add = flags_or(flags_system(FLAG_SEEN | FLAG_DELETED), word(1));
	OK(delivery_run(k, &d));
	row = kit_row(k, inbox, 1);
	assert_int_equal(flags_get_system(row.flags), FLAG_SEEN | FLAG_DELETED);
	assert_true(!flags_has_keyword(row.flags, 0) && flags_has_keyword(row.flags, 1));
	assert_true(row.modseq > modseq && k->r.changed);
	assert_true(kit_line(k, "INBOX").unseen == 0 && kit_line(k, "INBOX").deleted == 1);
	assert_int_equal(delivered_places(k), 0);
	modseq = row.modseq;
	d = about(inbox, 1);
	d.flags_add = flags_system(FLAG_SEEN);		/* it has it */
	OK(delivery_run(k, &d));
	assert_int_equal(kit_row(k, inbox, 1).modseq, modseq);
	assert_false(k->r.changed);
	d = about(inbox, 1);			/* nothing but what is remembered */
	delivery_key(&d, SIEVE_KEY_DUPLICATE, 'd', false, 3600);
	OK(delivery_run(k, &d));
	assert_true(key_known(k, SIEVE_KEY_DUPLICATE, 'd') && !k->r.changed);
	d = about(inbox, 1);			/* what goes and comes at once is there */
	d.flags_add = d.flags_remove = flags_system(FLAG_ANSWERED);
	OK(delivery_run(k, &d));
	assert_true(flags_get_system(kit_row(k, inbox, 1).flags) & FLAG_ANSWERED);
	kit_end(k);
}

static void
what_is_sent_is_the_same_body_and_outlives_the_message(void **state)
{
	struct delivery d = about(inbox, 1);
	uint64_t one, two, message = kit_row(k, inbox, 1).message;
	struct store_row row;

	delivery_queue(&d, QUEUE_REDIRECT, "you@there.test");
	delivery_queue(&d, QUEUE_REDIRECT, "her@there.test");
	OK(delivery_run(k, &d));
	one = delivered_entry(k, 0);
	two = delivered_entry(k, 1);
	assert_true(one != 0 && two != 0 && one != two);
	assert_int_equal(kit_rows(k, "extent"), 1);
	kit_check(k);
	OK(kit_flags(k, inbox, "1", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, inbox, "1"));
	OK(queue_set(k, QUEUE_DONE, one, 0, 0, NULL));
	OK(queue_set(k, QUEUE_RETURN, two, 0, 0, NULL));
	row = kit_row(k, inbox, 2);
	assert_true(row.message != message && row.size == 100 && row.received_s == 1600000000);
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	assert_int_equal(kit_rows(k, "extent"), 1);
	assert_int_equal(kit_rows(k, "queue"), 0);
	kit_end(k);
}

static void
other_bodies_are_numbered_behind_it(void **state)
{
	struct delivery d = about(inbox, 1);
	uint64_t message = kit_row(k, inbox, 1).message;
	struct store_delivered_place a, b;

	delivery_body(&d, 30, 'b');
	at(&d, 1, "Edited", flags_system(FLAG_SEEN));
	at(&d, 0, "Edited", flags_system(0));
	d.flags_add = flags_system(FLAG_DELETED);
	OK(delivery_run(k, &d));
	a = delivered(k, 0);
	b = delivered(k, 1);
	assert_true(a.message != message && b.message == message && a.mailbox == b.mailbox);
	assert_int_equal(kit_row(k, a.mailbox, a.uid).size, 30);
	assert_int_equal(kit_row(k, b.mailbox, b.uid).size, 100);
	assert_int_equal(k->r.messages.len, 8);
	assert_true(get_be64(k->r.messages.data) == a.message);
	assert_int_equal(kit_rows(k, "extent"), 2);
	kit_end(k);
}

static void
a_message_that_is_gone_is_not_found_and_nothing_is_done(void **state)
{
	struct delivery d = about(inbox, 2);

	want_all(&d);
	IS(delivery_run(k, &d), ST_NOT_FOUND);
	expect_untouched();
	d = about(4711, 1);
	want_all(&d);
	IS(delivery_run(k, &d), ST_NOT_FOUND);
	expect_untouched();
	OK(kit_create(k, "Gone"));
	d = about(kit_mailbox(k, "Gone"), 1);
	OK(kit_copy(k, inbox, "1", "Gone", false));
	OK(kit_delete(k, "Gone"));
	want_all(&d);
	IS(delivery_run(k, &d), ST_NOT_FOUND);
	expect_untouched();
	d = about(inbox, 1);
	want_all(&d);
	OK(kit_flags(k, inbox, "1", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, inbox, "1"));
	IS(delivery_run(k, &d), ST_NOT_FOUND);
	assert_int_equal(kit_rows(k, "queue"), 0);
	kit_end(k);
}

static void
what_is_not_so_any_more_and_who_is_not_the_owner_change_nothing(void **state)
{
	struct delivery d = about(inbox, 1);

	want_all(&d);
	delivery_key(&d, SIEVE_KEY_DUPLICATE, 'e', true, 0);
	IS(delivery_run(k, &d), ST_CONFLICT);
	expect_untouched();
	OK(kit_share(k, "INBOX", 9, RIGHT_ALL));
	d = about(inbox, 1);
	want_all(&d);
	d.who = 9;
	IS(delivery_run(k, &d), ST_DENIED);
	expect_untouched();
	kit_end(k);
}

static void
copies_count_for_the_quota_and_flags_do_not(void **state)
{
	struct delivery d = about(inbox, 1);

	k->head.bytes_max = 250;
	want_all(&d);
	at(&d, 0, "Sent", flags_system(0));
	IS(delivery_run(k, &d), ST_OVER_QUOTA);
	expect_untouched();
	k->head.bytes_max = 50;			/* it is over it already */
	d = about(inbox, 1);
	d.flags_add = flags_system(FLAG_SEEN);
	delivery_queue(&d, QUEUE_NOTIFY, "you@there.test");
	OK(delivery_run(k, &d));
	k->head.bytes_max = 0;
	k->head.messages_max = 2;
	d = about(inbox, 1);
	at(&d, 0, "Sent", flags_system(0));
	OK(delivery_run(k, &d));
	d = about(inbox, 1);
	at(&d, 0, "Sent", flags_system(0));
	IS(delivery_run(k, &d), ST_OVER_QUOTA);
	kit_end(k);
}

static void
where_the_queue_is_full_it_stays(void **state)
{
	struct delivery d = about(inbox, 1);

	delivery_queue(&d, QUEUE_NOTIFY, "me@there.test");
	delivery_queue(&d, QUEUE_NOTIFY, "you@there.test");
	d.queue_max = 1;
	d.flags_add = flags_system(FLAG_DELETED);
	OK(delivery_run(k, &d));
	assert_true(delivered_entry(k, 0) != 0 && delivered_entry(k, 1) == 0);
	assert_int_equal(flags_get_system(kit_row(k, inbox, 1).flags),
	    FLAG_FLAGGED | FLAG_DELETED);
	OK(kit_flags(k, inbox, "1", FLAGS_REMOVE, FLAG_DELETED, NULL, UINT64_MAX));
	d = about(inbox, 1);
	delivery_body(&d, 30, 'b');
	delivery_queue(&d, QUEUE_REDIRECT, "you@there.test");
	at(&d, 1, "New", flags_system(0));
	d.queue_max = 1;
	d.flags_add = flags_system(FLAG_DELETED | FLAG_SEEN);
	OK(delivery_run(k, &d));
	assert_int_equal(delivered_places(k), 1);
	assert_true(delivered_entry(k, 0) == 0);
	assert_int_equal(flags_get_system(kit_row(k, inbox, 1).flags), FLAG_FLAGGED | FLAG_SEEN);
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	assert_int_equal(kit_line(k, "New").messages, 1);
	kit_end(k);
}

static void
keywords_that_find_no_room_are_left_out_and_the_others_are_not(void **state)
{
	struct delivery d = about(inbox, 1);
	struct store_row row;
	struct buf all = { 0 };
	char name[16];

	names(&d, "gone", "also-gone");		/* what is taken away takes none */
	d.flags_remove = flags_or(word(0), word(1));
	OK(delivery_run(k, &d));
	OK(state_keywords(k->s, 7, 1, &all));
	assert_true(all.len == 0 && !k->r.changed);
	buf_fini(&all);
	d = about(inbox, 1);
	for (unsigned i = 1; i < KEYWORD_MAX; i++) {
		snprintf(name, sizeof(name), "word%u", i);
		OK(kit_append(k, "Sent", 1, 10, 0, name, 0));
	}
	names(&d, "one-more", "word5");
	put_store_keyword(&d.keywords, SPAN_LIT("word"));
	put_store_keyword(&d.keywords, SPAN_LIT("not-known"));
	d.flags_add = flags_or(flags_or(word(0), word(1)), flags_system(FLAG_SEEN));
	d.flags_remove = flags_or(word(2), word(3));
	at(&d, 0, "Archive", flags_or(word(0), word(1)));
	OK(delivery_run(k, &d));
	row = kit_row(k, inbox, 1);
	assert_true(flags_eq(row.flags, flags_or(word(5), flags_system(FLAG_FLAGGED | FLAG_SEEN))));
	assert_true(flags_eq(kit_row(k, delivered(k, 0).mailbox, 1).flags, word(5)));
	kit_end(k);
}

static void
a_message_is_in_so_many_places_at_most(void **state)
{
	struct delivery d = about(inbox, 1);
	char uids[32];

	for (unsigned n = 1; n < 999; n *= 2) {
		snprintf(uids, sizeof(uids), "1:%u", n * 2 < 999 ? n : 999 - n);
		OK(kit_copy(k, inbox, uids, "INBOX", false));
	}
	assert_int_equal(kit_line(k, "INBOX").messages, 999);
	at(&d, 0, "New", flags_system(0));
	at(&d, 0, "Newer", flags_system(0));
	IS(delivery_run(k, &d), ST_LIMIT);
	assert_int_equal(kit_mailbox(k, "New"), 0);
	d = about(inbox, 1);
	at(&d, 0, "New", flags_system(0));
	OK(delivery_run(k, &d));
	d = about(inbox, 1);
	at(&d, 0, "New", flags_system(0));
	IS(delivery_run(k, &d), ST_LIMIT);
	d = about(inbox, 1);
	d.flags_add = flags_system(FLAG_SEEN);
	OK(delivery_run(k, &d));
	kit_end(k);
}

static enum status
annotate(uint64_t mailbox, size_t bytes, const char *entry)
{
	struct op op = kit_op(k, OP_ANNOTATE);
	char *value = mem_zalloc(bytes);
	struct buf list = { 0 }, set = { 0 };
	struct uidset s = { 0 };
	enum status st;

	uidset_add(&s, 1);
	uidset_encode(&s, &set);
	put_store_annotation(&list, &(struct store_annotation){ .shared = true, .given = true,
	    .entry = span_str(entry), .value = span(value, bytes) });
	op.u.annotate = (struct op_annotate){ mailbox, buf_span(&set), buf_span(&list), UINT64_MAX };
	st = kit_apply(k, &op);
	uidset_fini(&s);
	buf_fini(&set);
	buf_fini(&list);
	mem_free(&value);
	return st;
}

static void
annotations_go_along(void **state)
{
	struct delivery d = about(inbox, 1);

	OK(annotate(inbox, 10, "/comment"));
	at(&d, 0, "Archive", flags_system(0));
	at(&d, 0, "INBOX", flags_system(0));
	OK(delivery_run(k, &d));
	assert_int_equal(kit_rows(k, "annotation"), 3);
	kit_end(k);
}

static void
annotations_that_find_no_room_are_over_quota(void **state)
{
	struct delivery d = about(inbox, 1);
	size_t bytes = STORE_ANNOTATION_VALUE_MAX;
	size_t room = STORE_ANNOTATION_BYTES_MAX / (bytes + sizeof("/comment") - 1);

	if (getenv("MANSIO_FULL") == NULL) {
		kit_close(k);
		skip();
	}
	OK(annotate(inbox, bytes, "/comment"));
	/* Room for one more of them, not for two: 32 MB are written for it. */
	for (size_t n = 1; n + 1 < room; n++)
		OK(kit_copy(k, inbox, "1", "Sent", false));
	want_all(&d);
	at(&d, 0, "INBOX", flags_system(0));
	IS(delivery_run(k, &d), ST_OVER_QUOTA);
	assert_int_equal(kit_mailbox(k, "New"), 0);
	d = about(inbox, 1);
	at(&d, 0, "INBOX", flags_system(0));
	OK(delivery_run(k, &d));
	kit_end(k);
}

static void
what_makes_no_sense_is_refused(void **state)
{
	struct delivery d = about(inbox, 1);

	want_all(&d);
	d.flags_add = flags_system(0x80);
	IS(delivery_run(k, &d), ST_SYNTAX);
	expect_untouched();
	d = about(inbox, 1);
	want_all(&d);
	d.flags_remove = flags_system(0xff);
	IS(delivery_run(k, &d), ST_SYNTAX);
	d = about(inbox, 1);
	want_all(&d);
	names(&d, "no keyword", NULL);
	IS(delivery_run(k, &d), ST_SYNTAX);
	d = about(inbox, 1);
	want_all(&d);
	delivery_body(&d, 10, 'b');		/* that goes nowhere */
	IS(delivery_run(k, &d), ST_SYNTAX);
	d = about(inbox, 1);
	want_all(&d);
	at(&d, 1, "New", flags_system(0));	/* of no body */
	IS(delivery_run(k, &d), ST_SYNTAX);
	d = about(inbox, 1);
	want_all(&d);
	for (unsigned i = 0; i < STORE_DELIVER_BODIES; i++)
		delivery_body(&d, 10, 'b');
	IS(delivery_run(k, &d), ST_LIMIT);
	expect_untouched();
	kit_end(k);
}

static void
the_same_one_again_happens_once(void **state)
{
	struct delivery d = about(inbox, 1);
	struct store_delivered_place first;

	want_all(&d);
	OK(delivery_run(k, &d));
	first = delivered(k, 0);
	k->seq--;
	d = about(inbox, 1);
	want_all(&d);
	OK(delivery_run(k, &d));
	assert_true(k->r.repeated && delivered(k, 0).uid == first.uid);
	assert_int_equal(kit_line(k, "New").messages, 1);
	assert_int_equal(kit_rows(k, "queue"), 1);
	kit_end(k);
}

/* The only change of an Email since then. */
static struct store_email_change
told_since(uint64_t since)
{
	struct state_since q = { .rows = 1000, .budget = 100000, .since = since };
	struct store_email_change c, other;
	struct buf out = { 0 };
	struct reader r;

	OK(state_email_changes(k->s, 7, &q, &out));
	reader_init(&r, out.data, out.len);
	assert_true(get_store_email_change(&r, &c));
	assert_false(get_store_email_change(&r, &other));
	buf_fini(&out);
	c.members = SPAN_NONE;
	return c;
}

static void
what_jmap_asks_tells_of_a_message_that_moved_or_went(void **state)
{
	struct store_states_are before, after;
	struct store_email_change c;
	struct delivery d = about(inbox, 1);

	OK(state_states(k->s, 7, &before));
	at(&d, 0, "Archive", flags_system(0));
	d.flags_add = flags_system(FLAG_DELETED);
	OK(delivery_run(k, &d));
	c = told_since(before.modseq);
	assert_true(c.was && c.is && c.message == delivered(k, 0).message);
	OK(state_states(k->s, 7, &after));
	assert_true(after.email > before.email && after.mailbox > before.mailbox &&
	    after.delivery == before.delivery);
	before = after;
	d = about(delivered(k, 0).mailbox, 1);
	d.flags_add = flags_system(FLAG_DELETED);
	OK(delivery_run(k, &d));
	c = told_since(before.modseq);
	assert_true(c.was && !c.is);
	kit_end(k);
}

/* ---- what is asked ---- */

static struct store_event_row
event_row(uint64_t mailbox, uint32_t uid, uint64_t modseq)
{
	struct uidrange range = { uid, uid };
	const struct uidset s = { &range, 1, 1 };
	struct store_event_row row = { 0 };
	struct buf b = { 0 };
	uint32_t resume = 0;
	struct reader r;

	OK(state_event_rows(k->s, 7, mailbox, &s, modseq, 1000, &resume, &b));
	reader_init(&r, b.data, b.len);
	if (b.len > 0)
		assert_true(get_store_event_row(&r, &row) && reader_done(&r));
	buf_fini(&b);
	return row;
}

static uint64_t
modseq_after(uint8_t how, unsigned system, const char *keyword)
{
	OK(kit_flags(k, inbox, "1", how, system, keyword, UINT64_MAX));
	return kit_row(k, inbox, 1).modseq;
}

static void
a_change_is_told_with_what_was_before_it(void **state)
{
	uint64_t made = kit_row(k, inbox, 1).modseq, one, two, three;
	const struct flags first = flags_or(flags_system(FLAG_FLAGGED), word(0));
	struct store_event_row row;

	one = modseq_after(FLAGS_ADD, FLAG_SEEN, NULL);
	two = modseq_after(FLAGS_REPLACE, FLAG_DRAFT, "other");
	OK(annotate(inbox, 10, "/comment"));
	three = modseq_after(FLAGS_REMOVE, FLAG_DRAFT, NULL);
	row = event_row(inbox, 1, one);
	assert_true(row.uid == 1 && row.modseq == three && flags_eq(row.flags, word(1)));
	assert_true(flags_eq(row.before, first));
	assert_true(flags_eq(row.changed, flags_system(FLAG_SEEN)));
	row = event_row(inbox, 1, two);
	assert_true(flags_eq(row.before, flags_or(first, flags_system(FLAG_SEEN))));
	assert_true(flags_eq(row.changed, flags_or(flags_or(word(0), word(1)),
	    flags_system(FLAG_FLAGGED | FLAG_SEEN | FLAG_DRAFT))));
	row = event_row(inbox, 1, three);
	assert_true(flags_eq(row.changed, flags_system(FLAG_DRAFT)));
	/* It came then; it did not change; nobody asks; there is none. */
	row = event_row(inbox, 1, made);
	assert_true(flags_eq(row.before, row.flags) && !flags_any(row.changed));
	row = event_row(inbox, 1, two + 1);
	assert_true(flags_eq(row.before, row.flags) && !flags_any(row.changed));
	row = event_row(inbox, 1, 0);
	assert_true(flags_eq(row.before, row.flags) && !flags_any(row.changed));
	assert_int_equal(event_row(inbox, 2, two).uid, 0);
	/* So far back nobody looks. */
	for (unsigned i = 0; i < 35; i++) {
		modseq_after(FLAGS_ADD, FLAG_ANSWERED, NULL);
		modseq_after(FLAGS_REMOVE, FLAG_ANSWERED, NULL);
	}
	assert_false(flags_any(event_row(inbox, 1, three).changed));
	kit_close(k);
}

static void
an_answer_that_is_much_work_comes_in_parts(void **state)
{
	struct uidrange range = { 1, 100 };
	const struct uidset all = { &range, 1, 1 };
	struct store_event_row row;
	uint32_t resume = 0, last = 0;
	unsigned parts = 0, rows = 0;
	struct buf b = { 0 };
	struct reader r;
	uint64_t one;

	OK(kit_append(k, "INBOX", 29, 10, 0, NULL, 0));
	OK(kit_flags(k, inbox, "1:30", FLAGS_ADD, FLAG_SEEN, NULL, UINT64_MAX));
	one = kit_row(k, inbox, 30).modseq;
	for (unsigned i = 0; i < 40; i++)
		OK(kit_flags(k, inbox, "1:30", i % 2 ? FLAGS_REMOVE : FLAGS_ADD,
		    FLAG_ANSWERED, NULL, UINT64_MAX));
	do {
		buf_clear(&b);
		OK(state_event_rows(k->s, 7, inbox, &all, one, 100000, &resume, &b));
		parts++;
		reader_init(&r, b.data, b.len);
		while (get_store_event_row(&r, &row)) {
			assert_int_equal(row.uid, ++last);
			assert_true(flags_eq(row.changed, flags_system(FLAG_SEEN)));
			rows++;
		}
	} while (resume != 0);
	assert_true(rows == 30 && parts > 1);
	OK(kit_create(k, "Gone"));
	one = kit_mailbox(k, "Gone");
	OK(kit_delete(k, "Gone"));
	IS(state_event_rows(k->s, 7, one, &all, 0, 1000, &resume, &b), ST_NOT_FOUND);
	buf_fini(&b);
	kit_close(k);
}

static void
note(uint64_t mailbox, const char *name, const char *value)
{
	struct op op = kit_op(k, OP_METADATA_NOTED);
	struct buf b = { 0 };

	put_store_metadata(&b, &(struct store_metadata){ .name = span_str(name),
		.given = value != NULL, .value = span_str(value != NULL ? value : "") });
	op.u.metadata = (struct op_metadata){ mailbox, buf_span(&b) };
	OK(kit_apply(k, &op));
	buf_fini(&b);
}

static bool
any(void)
{
	bool yes;

	OK(state_event_any(k->s, 7, &yes));
	return yes;
}

static void
only_an_entry_of_a_mailbox_makes_events_possible(void **state)
{
	char path[16];

	assert_false(any());
	note(0, STORE_EVENT_ENTRY, "all");
	assert_false(any());
	for (unsigned i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "Box%02u", i);
		OK(kit_create(k, path));
		note(kit_mailbox(k, path), i % 2 ? "/shared/comment" : "/shared/z", "text");
		note(kit_mailbox(k, path), "/private/imapsieve/script", "mine");
		note(kit_mailbox(k, path), STORE_EVENT_ENTRY "/more", "no");
	}
	assert_false(any());
	note(kit_mailbox(k, "Box13"), STORE_EVENT_ENTRY, "");
	assert_true(any());
	note(kit_mailbox(k, "Box13"), STORE_EVENT_ENTRY, NULL);
	assert_false(any());
	note(kit_mailbox(k, "Box19"), STORE_EVENT_ENTRY, "rules");
	assert_true(any());
	OK(kit_delete(k, "Box19"));
	assert_false(any());
	kit_close(k);
}

static const char *
script_of(uint64_t mailbox)
{
	static char text[64];
	struct buf b = { 0 };
	bool entry;

	OK(state_event_script(k->s, 7, mailbox, &entry, &b));
	snprintf(text, sizeof(text), "%.*s", (int)b.len, b.len > 0 ? b.data : "");
	buf_fini(&b);
	return entry ? text : NULL;
}

static void
the_entry_tells_the_script_if_it_can_be_one(void **state)
{
	char big[STORE_SCRIPT_NAME_MAX + 2] = { 0 };
	struct buf b = { 0 };
	bool entry;

	assert_null(script_of(inbox));
	note(inbox, STORE_EVENT_ENTRY, "rules");
	assert_string_equal(script_of(inbox), "rules");
	note(inbox, STORE_EVENT_ENTRY, "");
	assert_string_equal(script_of(inbox), "");
	note(inbox, STORE_EVENT_ENTRY, "two\nlines");
	assert_string_equal(script_of(inbox), "");
	memset(big, 'x', sizeof(big) - 1);
	note(inbox, STORE_EVENT_ENTRY, big);
	assert_string_equal(script_of(inbox), "");
	assert_null(script_of(kit_mailbox(k, "Sent")));
	IS(state_event_script(k->s, 7, 4711, &entry, &b), ST_NOT_FOUND);
	kit_close(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(its_places_are_copies_with_uids_of_their_own, set_up),
		cmocka_unit_test_setup(its_flags_where_it_is_change_by_what_goes_and_what_comes,
		    set_up),
		cmocka_unit_test_setup(what_is_sent_is_the_same_body_and_outlives_the_message,
		    set_up),
		cmocka_unit_test_setup(other_bodies_are_numbered_behind_it, set_up),
		cmocka_unit_test_setup(a_message_that_is_gone_is_not_found_and_nothing_is_done,
		    set_up),
		cmocka_unit_test_setup(
		    what_is_not_so_any_more_and_who_is_not_the_owner_change_nothing, set_up),
		cmocka_unit_test_setup(copies_count_for_the_quota_and_flags_do_not, set_up),
		cmocka_unit_test_setup(where_the_queue_is_full_it_stays, set_up),
		cmocka_unit_test_setup(
		    keywords_that_find_no_room_are_left_out_and_the_others_are_not, set_up),
		cmocka_unit_test_setup(a_message_is_in_so_many_places_at_most, set_up),
		cmocka_unit_test_setup(annotations_go_along, set_up),
		cmocka_unit_test_setup(annotations_that_find_no_room_are_over_quota, set_up),
		cmocka_unit_test_setup(what_makes_no_sense_is_refused, set_up),
		cmocka_unit_test_setup(the_same_one_again_happens_once, set_up),
		cmocka_unit_test_setup(what_jmap_asks_tells_of_a_message_that_moved_or_went,
		    set_up),
		cmocka_unit_test_setup(a_change_is_told_with_what_was_before_it, set_up),
		cmocka_unit_test_setup(an_answer_that_is_much_work_comes_in_parts, set_up),
		cmocka_unit_test_setup(only_an_entry_of_a_mailbox_makes_events_possible, set_up),
		cmocka_unit_test_setup(the_entry_tells_the_script_if_it_can_be_one, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
