#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "storage/state/schema.h"
#include "t/unit/storage/engines.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

static void
expect_list(const char *want)
{
	struct buf b = { 0 }, text = { 0 };
	uint32_t resume = 0;
	struct store_mailbox m;
	struct reader r;

	while (resume != UINT32_MAX)	/* in small pieces */
		OK(state_mailboxes(k->s, k->account, SPAN_NONE, 1, &resume, &b));
	reader_init(&r, b.data, b.len);
	while (get_store_mailbox(&r, &m)) {
		buf_add_span(&text, m.path);
		if (m.id == 0)
			buf_add_c(&text, '?');
		if (m.subscribed)
			buf_add_c(&text, '*');
		if (m.has_children)
			buf_add_c(&text, '+');
		buf_add_c(&text, ' ');
	}
	assert_string_equal(buf_cstr(&text), want);
	buf_fini(&b);
	buf_fini(&text);
}

static void
expect_uids(uint64_t mailbox, enum state_which which, const char *want)
{
	struct uidset s = { 0 };
	struct buf b = { 0 };

	struct uidset marks[STATE_DELETED + 1] = { 0 };

	OK(state_uids(k->s, k->account, mailbox, which, &s));
	uidset_print(&s, &b);
	assert_string_equal(buf_cstr(&b), want);
	OK(state_marks(k->s, k->account, mailbox, marks));
	assert_true(uidset_eq(&marks[which], &s));
	for (unsigned i = STATE_ALL; i <= STATE_DELETED; i++)
		uidset_fini(&marks[i]);
	uidset_fini(&s);
	buf_fini(&b);
}

static void
an_account_starts_with_its_default_mailboxes(void **state)
{
	IS(kit_account(k, 7), ST_EXISTS);
	expect_list("Drafts* INBOX* Sent* Trash* ");
	assert_int_equal(kit_line(k, "Drafts").role, MAILBOX_ROLE_DRAFTS);
	assert_int_equal(kit_line(k, "inbox").role, MAILBOX_ROLE_INBOX);
	assert_true(kit_line(k, "INBOX").id >> 48 == 3);
	assert_int_equal(kit_line(k, "INBOX").uidnext, 1);
	k->account = 8;
	IS(kit_create(k, "A"), ST_NOT_FOUND);
	assert_true(kit_mailbox(k, "INBOX") == 0);
}

static void
create_makes_superiors_and_refuses_what_is_there_or_no_name(void **state)
{
	char deep[100] = "a", longname[300];

	OK(kit_create(k, "A/B/C"));
	assert_true(k->r.changed && k->r.mailbox == kit_mailbox(k, "A/B/C"));
	expect_list("A+ A/B+ A/B/C Drafts* INBOX* Sent* Trash* ");
	IS(kit_create(k, "A/B"), ST_EXISTS);
	assert_false(k->r.changed);
	IS(kit_create(k, "Inbox"), ST_EXISTS);
	OK(kit_create(k, "iNBox/Sub"));
	assert_true(kit_mailbox(k, "INBOX/Sub") != 0);
	IS(kit_create(k, ""), ST_SYNTAX);
	IS(kit_create(k, "/x"), ST_SYNTAX);
	IS(kit_create(k, "x/"), ST_SYNTAX);
	IS(kit_create(k, "x//y"), ST_SYNTAX);
	IS(kit_create(k, "x\ny"), ST_SYNTAX);
	IS(kit_create(k, "\xff"), ST_SYNTAX);
	for (int i = 0; i < 20; i++)
		strcat(deep, "/a");
	IS(kit_create(k, deep), ST_SYNTAX);
	memset(longname, 'n', 256);
	longname[256] = '\0';
	IS(kit_create(k, longname), ST_SYNTAX);
	k->head.mailboxes_max = 9;
	IS(kit_create(k, "New/Two"), ST_LIMIT);
	OK(kit_create(k, "New"));
}

static void
delete_refuses_parents_and_inbox_and_keeps_subscriptions(void **state)
{
	uint32_t validity;

	OK(kit_create(k, "A/B"));
	OK(kit_subscribe(k, "A/B", true));
	validity = kit_line(k, "A/B").uidvalidity;
	IS(kit_delete(k, "A"), ST_CONFLICT);
	IS(kit_delete(k, "inbox"), ST_DENIED);
	IS(kit_delete(k, "nope"), ST_NOT_FOUND);
	OK(kit_append(k, "A/B", 3, 100, 0, NULL, 0));
	OK(kit_delete(k, "A/B"));
	assert_false(k->r.more);
	expect_list("A A/B?* Drafts* INBOX* Sent* Trash* ");
	OK(kit_create(k, "A/B"));
	assert_true(kit_line(k, "A/B").uidvalidity > validity);
	assert_int_equal(kit_line(k, "A/B").messages, 0);
	OK(kit_subscribe(k, "A/B", false));
	expect_list("A+ A/B Drafts* INBOX* Sent* Trash* ");
}

static void
a_large_mailbox_goes_in_steps_but_leaves_the_quota_at_once(void **state)
{
	struct state_work w;
	struct state_account a;
	struct op op;
	uint64_t m;
	int64_t oldest;
	int steps = 0;

	OK(kit_create(k, "Big"));
	OK(kit_append(k, "Big", 2300, 10, 0, NULL, 0));
	m = kit_mailbox(k, "Big");
	OK(kit_delete(k, "Big"));
	assert_true(k->r.more);
	assert_true(kit_mailbox(k, "Big") == 0);
	OK(state_account(k->s, 7, &a));
	assert_true(a.messages == 0 && a.bytes == 0);
	kit_check(k);
	op = kit_op(k, OP_HISTORY_PURGE);	/* does not overtake it */
	op.u.history_purge.before_ms = k->time_ms;
	do
		OK(kit_apply(k, &op));
	while (k->r.more);
	assert_true(state_history_oldest(k->s, 7, &oldest) == ST_OK);
	kit_reopen(k);
	for (; state_work_next(k->s, NULL, &w) == ST_OK; steps++) {
		assert_true(w.account == 7 && w.mailbox == m);
		op = kit_op(k, OP_MAILBOX_PURGE);
		op.u.mailbox_purge.mailbox = w.mailbox;
		OK(kit_apply(k, &op));
		assert_int_equal(k->r.more, steps == 0);
	}
	assert_int_equal(steps, 2);
	OK(state_account(k->s, 7, &a));
	assert_true(a.kept_bytes == 13000);	/* the first step is forgotten already */
	do {
		op = kit_op(k, OP_HISTORY_PURGE);
		op.u.history_purge.before_ms = k->time_ms;
		OK(kit_apply(k, &op));
	} while (k->r.more);
	IS(state_history_oldest(k->s, 7, &oldest), ST_NOT_FOUND);
	OK(state_account(k->s, 7, &a));
	assert_true(a.kept_bytes == 0);
}

static void
rename_moves_the_children_along(void **state)
{
	uint64_t c;

	OK(kit_create(k, "A/B/C"));
	c = kit_mailbox(k, "A/B/C");
	OK(kit_append(k, "A/B/C", 1, 10, 0, NULL, 0));
	IS(kit_rename(k, "A", "A/X"), ST_CONFLICT);
	IS(kit_rename(k, "A", "Sent"), ST_EXISTS);
	IS(kit_rename(k, "nope", "X"), ST_NOT_FOUND);
	OK(kit_rename(k, "A/B", "New/Place"));
	expect_list("A Drafts* INBOX* New+ New/Place+ New/Place/C Sent* Trash* ");
	assert_true(kit_mailbox(k, "New/Place/C") == c);
	assert_int_equal(kit_line(k, "New/Place/C").messages, 1);
	IS(kit_rename(k, "New", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19"), ST_LIMIT);
	OK(kit_rename(k, "New", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18"));
}

static void
renaming_inbox_moves_its_messages_and_leaves_it(void **state)
{
	OK(kit_append(k, "", 3, 10, FLAG_SEEN, NULL, 0));
	OK(kit_create(k, "INBOX/Child"));
	OK(kit_rename(k, "INBOX", "Old"));
	assert_int_equal(kit_line(k, "INBOX").messages, 0);
	assert_int_equal(kit_line(k, "INBOX").uidnext, 4);
	assert_int_equal(kit_line(k, "Old").messages, 3);
	assert_true(kit_mailbox(k, "INBOX/Child") != 0);
	expect_uids(kit_mailbox(k, "Old"), STATE_ALL, "1:3");
}

static void
append_gives_uids_and_rows_and_counts(void **state)
{
	struct store_appended a;
	struct state_known known = { 0 };
	struct store_opened o;
	struct buf u = { 0 }, w = { 0 };
	struct store_row x;
	uint64_t in = kit_mailbox(k, "INBOX");

	OK(kit_append(k, "INBOX", 2, 100, 0, "$Work", 0));
	kit_reply(k, STORE_APPENDED, &a);
	assert_true(a.mailbox == in && a.modseq == k->r.modseq && k->r.uid == 1);
	OK(kit_append(k, "INBOX", 1, 50, FLAG_SEEN | FLAG_DELETED, NULL, 0));
	assert_int_equal(k->r.uid, 3);
	assert_int_equal(kit_line(k, "INBOX").messages, 3);
	assert_int_equal(kit_line(k, "INBOX").unseen, 2);
	assert_int_equal(kit_line(k, "INBOX").deleted, 1);
	assert_int_equal(kit_line(k, "INBOX").recent, 3);
	assert_true(kit_line(k, "INBOX").bytes == 250);
	x = kit_row(k, in, 2);
	assert_true(x.size == 100 && x.received_s == 1600000001 && x.received_zone == 60);
	assert_true(flags_has_keyword(x.flags, 0) && x.saved_s > 1700000000 && x.thread != 0);
	OK(state_open_mailbox(k->s, 7, in, &known, &o, &u, &w));
	state_known_fini(&known);
	assert_true(o.mailbox == in && o.uidnext == 4 && o.unseen_first == 1);
	assert_true(o.highestmodseq == k->r.modseq && o.keywords.len == 6);
	expect_uids(in, STATE_UNSEEN, "1:2");
	expect_uids(in, STATE_DELETED, "3");
	buf_fini(&u);
	buf_fini(&w);
}

static void
append_refuses_without_a_trace(void **state)
{
	struct op op;
	struct state_account before, after;

	OK(state_account(k->s, 7, &before));
	IS(kit_append(k, "nope", 1, 10, 0, "$New", 0), ST_NOT_FOUND);
	IS(kit_append(k, "INBOX", 1, 10, 0, "bad keyword", 0), ST_SYNTAX);
	IS(kit_append(k, "INBOX", 0, 10, 0, NULL, 0), ST_SYNTAX);
	k->head.bytes_max = 99;
	IS(kit_append(k, "INBOX", 10, 10, 0, NULL, 0), ST_OVER_QUOTA);
	k->head.bytes_max = 0;
	k->head.messages_max = 9;
	IS(kit_append(k, "INBOX", 10, 10, 0, NULL, 0), ST_OVER_QUOTA);
	op = kit_op(k, OP_ACCOUNT_LIMITS);
	op.u.account_limits.messages = 10;
	OK(kit_apply(k, &op));
	OK(state_account(k->s, 7, &after));
	assert_true(before.modseq == after.modseq && after.messages == 0);
	OK(kit_append(k, "INBOX", 10, 10, 0, NULL, 0));
	IS(kit_append(k, "INBOX", 1, 10, 0, NULL, 0), ST_OVER_QUOTA);
}

static void
an_append_takes_what_it_replaces_along(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX");
	struct state_account a;

	OK(kit_append(k, "INBOX", 2, 90, 0, NULL, 0));
	k->head.messages_max = 2;
	k->head.bytes_max = 200;
	k->replace_mailbox = in;
	k->replace_uid = 3;
	IS(kit_append(k, "INBOX", 1, 90, 0, NULL, 0), ST_CONFLICT);
	k->replace_uid = 2;
	IS(kit_append(k, "nope", 1, 90, 0, NULL, 0), ST_NOT_FOUND);
	IS(kit_append(k, "INBOX", 1, 111, 0, NULL, 0), ST_OVER_QUOTA);
	IS(kit_append(k, "INBOX", 2, 10, 0, NULL, 0), ST_OVER_QUOTA);
	k->replace_mailbox = 999;
	IS(kit_append(k, "INBOX", 1, 10, 0, NULL, 0), ST_CONFLICT);
	k->replace_mailbox = in;
	OK(kit_append(k, "Drafts", 1, 110, 0, NULL, 0));
	assert_true(k->r.changed && k->r.n_touched == 2);
	IS(kit_append(k, "Drafts", 1, 10, 0, NULL, 0), ST_CONFLICT);
	OK(state_account(k->s, 7, &a));
	assert_true(a.messages == 2 && a.bytes == 200);
	assert_int_equal(kit_line(k, "INBOX").messages, 1);
	/* a lowered limit does not stop what takes no more room */
	k->head.messages_max = 1;
	k->head.bytes_max = 50;
	k->replace_uid = 1;
	OK(kit_append(k, "INBOX", 1, 80, 0, NULL, 0));
	assert_int_equal(kit_line(k, "INBOX").uidnext, 4);
	k->replace_uid = 0;
	kit_check(k);
}

static enum op_kind annotate_as = OP_METADATA_NOTED;

static enum status
annotate(uint64_t mailbox, uint64_t who, const char *name, const char *value, unsigned n)
{
	struct op op = kit_op(k, annotate_as);
	struct buf list = { 0 };
	char text[300];
	enum status st;

	for (unsigned i = 0; i < n; i++) {
		struct store_metadata e = { .given = value != NULL, .value = span_str(value) };

		snprintf(text, sizeof(text), i == 0 ? "%s" : "%s/%u", name, i);
		e.name = span_str(text);
		put_store_metadata(&list, &e);
	}
	op.head.who = who;
	op.u.metadata = (struct op_metadata){ mailbox, buf_span(&list) };
	st = kit_apply(k, &op);
	buf_fini(&list);
	return st;
}

/* "name=value name=value" of what a reader sees. */
static const char *
annotations(uint64_t mailbox, uint64_t reader, const char *names, uint8_t depth, uint32_t max)
{
	static char text[4096];
	struct store_metadata_get rq = { .mailbox = mailbox, .depth = depth, .max_size = max };
	struct buf wanted = { 0 }, out = { 0 };
	struct span rest = span_str(names);
	struct store_metadata e;
	struct reader r;
	size_t len = 0;

	while (rest.p != NULL)
		put_span(&wanted, span_cut(&rest, ' '));
	rq.names = buf_span(&wanted);
	text[0] = '\0';
	do {
		uint32_t resume = 0;

		buf_clear(&out);
		OK(state_metadata(k->s, 7, reader, &rq, 1, &resume, &out));
		reader_init(&r, out.data, out.len);
		while (get_store_metadata(&r, &e))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s=%.*s%s ",
			    (int)e.name.len, e.name.p, (int)e.value.len, e.value.p,
			    e.given ? "" : "?");
		rq.from = resume;
	} while (rq.from != 0);
	buf_fini(&wanted);
	buf_fini(&out);
	return text;
}

static void
annotations_belong_to_a_mailbox_and_a_reader(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), work;
	static char big[STORE_METADATA_VALUE_MAX + 2];

	OK(kit_share(k, "INBOX", 8, RIGHT_LOOKUP | RIGHT_READ));
	OK(annotate(in, 7, "/shared/comment", "ours", 1));
	OK(annotate(in, 7, "/private/comment", "mine", 3));
	OK(annotate(in, 8, "/private/comment", "other's", 1));
	OK(annotate(0, 7, "/private/x", "account", 1));
	assert_string_equal(annotations(in, 7, "/shared/comment /private/comment", 0, 100),
	    "/shared/comment=ours /private/comment=mine ");
	assert_string_equal(annotations(in, 8, "/private", 255, 100), "/private/comment=other's ");
	assert_string_equal(annotations(in, 7, "/private/comment", 1, 3),
	    "/private/comment=? /private/comment/1=? /private/comment/2=? ");
	assert_string_equal(annotations(0, 7, "/private", 1, 100), "/private/x=account ");
	assert_string_equal(annotations(0, 8, "/private /shared", 255, 100), "");
	IS(annotate(in, 7, "/shared/Comment", "x", 1), ST_SYNTAX);
	IS(annotate(in, 7, "/other/comment", "x", 1), ST_SYNTAX);
	IS(annotate(in, 7, "/shared/a//b", "x", 1), ST_SYNTAX);
	IS(annotate(in, 7, "/shared/a/", "x", 1), ST_SYNTAX);
	IS(annotate(in, 7, "/shared/a*", "x", 1), ST_SYNTAX);
	IS(annotate(999, 7, "/shared/a", "x", 1), ST_NOT_FOUND);
	IS(annotate(in, 7, "/shared/a", "x", STORE_METADATA_ENTRIES_MAX + 1), ST_LIMIT);
	OK(annotate(in, 7, "/shared/a", "x", STORE_METADATA_ENTRIES_MAX));
	OK(annotate(in, 7, "/shared/b", "x", STORE_METADATA_MAX - STORE_METADATA_ENTRIES_MAX - 1));
	IS(annotate(in, 7, "/shared/c", "x", 1), ST_LIMIT);
	OK(annotate(in, 7, "/shared/b", "changed", 1));
	OK(annotate(in, 7, "/shared/b", NULL, 1));
	OK(annotate(in, 7, "/shared/c", "x", 1));
	memset(big, 'x', sizeof(big) - 1);
	IS(annotate(in, 8, "/private/y", big, 1), ST_SYNTAX);
	big[STORE_METADATA_VALUE_MAX] = '\0';
	OK(kit_create(k, "Work"));
	work = kit_mailbox(k, "Work");
	OK(annotate(work, 7, "/shared/y", big, 50));
	OK(annotate(work, 7, "/private/y", big, 63));
	IS(annotate(0, 7, "/private/y", big, 15), ST_OVER_QUOTA);
	kit_check(k);
	/* they follow a mailbox, INBOX's are copied, and they go with it */
	OK(kit_rename(k, "Work", "Play"));
	assert_string_equal(annotations(kit_mailbox(k, "Play"), 7, "/shared/y", 0, 0),
	    "/shared/y=? ");
	OK(kit_delete(k, "Play"));
	OK(annotate(0, 7, "/private/y", big, 15));
	OK(kit_rename(k, "INBOX", "Old"));
	assert_string_equal(annotations(kit_mailbox(k, "Old"), 8, "/private", 255, 100),
	    "/private/comment=other's ");
	assert_string_equal(annotations(in, 8, "/private", 255, 100), "/private/comment=other's ");
	kit_check(k);
}

/* "path:name,name path:name" of what changed after a modseq; "?" : and perhaps more. */
static const char *
noted_since(uint64_t since, uint32_t rows)
{
	static char text[1024];
	struct state_touched t;
	struct reader r, names;
	size_t len = 0;

	text[0] = '\0';
	OK(state_touched(k->s, 7, since, rows, &t));
	reader_init(&r, t.noted.data, t.noted.len);
	while (r.p < r.end) {
		struct span path = get_span(&r), list = get_span(&r);

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s:", (int)path.len,
		    path.len > 0 ? path.p : "");
		reader_init(&names, list.p, list.len);
		while (names.p < names.end) {
			struct span name = get_span(&names);

			len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s%s",
			    (int)name.len, name.p, names.p < names.end ? "," : " ");
		}
		assert_false(names.bad);
	}
	assert_false(r.bad);
	if (t.not_noted)
		(void)snprintf(text + len, sizeof(text) - len, "?");
	state_touched_fini(&t);
	return text;
}

static void
changed_annotations_are_in_the_history_for_those_who_may_know(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), low, before;

	OK(kit_create(k, "Work"));
	OK(kit_create(k, "Work/Low"));
	low = kit_mailbox(k, "Work/Low");
	OK(kit_share(k, "INBOX", 8, RIGHT_LOOKUP | RIGHT_READ | RIGHT_WRITE));
	before = k->r.modseq;
	assert_string_equal(noted_since(before, 100), "");
	OK(annotate(low, 7, "/shared/a", "x", 2));
	assert_true(k->r.modseq > before && k->r.mailbox == low && !k->r.own_only);
	OK(annotate(0, 7, "/private/b", "x", 1));
	assert_true(k->r.own_only);
	OK(annotate(in, 8, "/private/c", "x", 1));
	OK(annotate(in, 8, "/shared/c", "x", 1));
	OK(annotate(low, 7, "/shared/a", NULL, 1));
	assert_string_equal(noted_since(before, 100), "Work/Low:/shared/a,/shared/a/1 :/private/b "
	    "INBOX:/shared/c Work/Low:/shared/a ");
	assert_string_equal(noted_since(before, 2),
	    "Work/Low:/shared/a,/shared/a/1 :/private/b ?");
	assert_string_equal(noted_since(k->r.modseq, 100), "");
	/* a refused one is none, and a deleted mailbox has none */
	before = k->r.modseq;
	IS(annotate(in, 8, "/shared/a/", "x", 1), ST_SYNTAX);
	assert_int_equal(k->r.modseq, before);
	OK(annotate(low, 7, "/private/d", "x", 1));
	OK(kit_delete(k, "Work/Low"));
	assert_string_equal(noted_since(before, 100), "");
	/* as journals tell it from before there was a note */
	annotate_as = OP_METADATA;
	before = k->r.modseq;
	OK(annotate(in, 7, "/shared/e", "x", 1));
	annotate_as = OP_METADATA_NOTED;
	assert_int_equal(k->r.modseq, before);
	assert_string_equal(noted_since(before, 100), "");
	kit_check(k);
}

static void
flags_change_only_what_changes(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), modseq;
	struct store_flags_are f;
	char name[20];

	OK(kit_append(k, "INBOX", 5, 10, 0, NULL, 0));
	modseq = k->r.modseq;
	OK(kit_flags(k, in, "2:4,9", FLAGS_ADD, FLAG_SEEN, "$A", UINT64_MAX));
	kit_reply(k, STORE_FLAGS_ARE, &f);
	assert_true(f.modseq == modseq + 1 && f.keywords.len > 0);
	assert_int_equal(kit_line(k, "INBOX").unseen, 2);
	OK(kit_flags(k, in, "2:4", FLAGS_ADD, FLAG_SEEN, NULL, UINT64_MAX));
	assert_false(k->r.changed);
	assert_true(k->r.modseq == modseq + 1);
	OK(kit_flags(k, in, "1:3", FLAGS_REPLACE, FLAG_DELETED, NULL, modseq));
	kit_reply(k, STORE_FLAGS_ARE, &f);
	assert_memory_equal(f.modified.p, "\x01\x02\x01", 3);	/* 2:3 */
	expect_uids(in, STATE_DELETED, "1");
	assert_true(kit_row(k, in, 1).modseq == modseq + 2 && kit_row(k, in, 2).modseq == modseq + 1);
	OK(kit_flags(k, in, "2", FLAGS_REMOVE, FLAG_SEEN, "$A", UINT64_MAX));
	assert_false(flags_any(kit_row(k, in, 2).flags));
	OK(kit_flags(k, in, "2", FLAGS_REMOVE, 0, "$Unknown", UINT64_MAX));
	IS(kit_flags(k, in + 1000, "2", FLAGS_ADD, 0, NULL, UINT64_MAX), ST_NOT_FOUND);
	IS(kit_flags(k, in, "2", 9, 0, NULL, UINT64_MAX), ST_SYNTAX);
	for (int i = 1; i < KEYWORD_MAX; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		OK(kit_flags(k, in, "1", FLAGS_ADD, 0, name, UINT64_MAX));
	}
	IS(kit_flags(k, in, "1", FLAGS_ADD, 0, "$TooMany", UINT64_MAX), ST_LIMIT);
	OK(kit_flags(k, in, "1", FLAGS_ADD, 0, "$a", UINT64_MAX));
	assert_true(flags_has_keyword(kit_row(k, in, 1).flags, 0));
}

static void
sets_are_cut_to_what_one_operation_may_change(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX");
	struct uidrange r = { 2, UINT32_MAX };
	const struct uidset among = { &r, 1, 1 };
	struct uidset out = { 0 };

	OK(kit_append(k, "INBOX", 2500, 10, 0, NULL, 0));
	IS(kit_flags(k, in, "1:1001", FLAGS_ADD, FLAG_SEEN, NULL, UINT64_MAX), ST_LIMIT);
	OK(state_first_uids(k->s, 7, in, STATE_ALL, &among, OP_ROWS, &out));
	assert_true(out.n == 1 && out.r[0].lo == 2 && out.r[0].hi == 1001);
	OK(kit_flags(k, in, "2:1001", FLAGS_ADD, FLAG_SEEN, NULL, UINT64_MAX));
	assert_int_equal(k->r.uid, 1001);
	expect_uids(in, STATE_UNSEEN, "1,1002:2500");
	uidset_fini(&out);
}

static void
expunge_takes_the_deleted_ones_alone(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX");
	struct state_account a;

	OK(kit_append(k, "INBOX", 5, 10, 0, NULL, 0));
	OK(kit_flags(k, in, "2,4", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, in, "1:3"));
	expect_uids(in, STATE_ALL, "1,3:5");
	OK(kit_expunge(k, in, "1:3"));
	assert_false(k->r.changed);
	OK(state_account(k->s, 7, &a));
	assert_true(a.messages == 4 && a.bytes == 40 && a.kept_bytes == 10);
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	assert_int_equal(k->r.uid, 6);
}

static void
copies_get_new_uids_and_carry_flags_and_ids(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), tr = kit_mailbox(k, "Trash");
	struct state_account a;
	struct store_copied c;
	struct store_cache e = { 0 };
	struct uidrange one = { 1, 9 };
	const struct uidset s = { &one, 1, 1 };
	struct state_bodies *bodies;
	struct state_body body;
	struct buf b = { 0 };
	uint32_t resume = 0;
	struct reader r;

	OK(kit_append(k, "INBOX", 2, 10, FLAG_FLAGGED, "$W", 0));
	OK(kit_copy(k, in, "2,7", "Trash", false));
	kit_reply(k, STORE_COPIED, &c);
	assert_true(c.target == tr && k->r.uid == 1 && c.uidvalidity == kit_line(k, "Trash").uidvalidity);
	assert_true(kit_row(k, tr, 1).message == kit_row(k, in, 2).message);
	assert_true(kit_row(k, tr, 1).thread == kit_row(k, in, 2).thread);
	assert_true(flags_eq(kit_row(k, tr, 1).flags, kit_row(k, in, 2).flags));
	OK(state_account(k->s, 7, &a));
	assert_true(a.messages == 3 && a.bytes == 30);
	OK(kit_copy(k, in, "1:2", "INBOX", false));
	expect_uids(in, STATE_ALL, "1:4");
	OK(kit_copy(k, in, "1:2", "INBOX", true));
	expect_uids(in, STATE_ALL, "3:6");
	OK(kit_copy(k, in, "3:6", "Trash", true));
	assert_int_equal(k->r.n_touched, 2);
	assert_int_equal(kit_line(k, "Trash").messages, 5);
	assert_int_equal(kit_line(k, "INBOX").messages, 0);
	IS(kit_copy(k, tr, "1", "nope", false), ST_NOT_FOUND);
	k->head.messages_max = 5;
	IS(kit_copy(k, tr, "1", "Sent", false), ST_OVER_QUOTA);
	OK(kit_copy(k, tr, "1", "Sent", true));
	/* Cold rows and the body are found from the copy. */
	OK(state_caches(k->s, 7, tr, &s, CACHE_LIST | CACHE_STRUCTURE, 1, &resume, &b));
	reader_init(&r, b.data, b.len);
	assert_true(get_store_cache(&r, &e));
	assert_true(span_eq_str(e.list, "list") && span_eq_str(e.structure, "structure"));
	assert_true(resume == 3 && e.uid == 2);
	OK(state_bodies_open(k->s, 7, tr, &s, 3, &bodies));
	for (uint32_t uid = 3; uid <= 5; uid++) {
		OK(state_bodies_next(bodies, &body, &b));
		assert_true(body.uid == uid && body.n_locs == 1 && body.stored_size == 100);
	}
	IS(state_bodies_next(bodies, &body, &b), ST_NOT_FOUND);
	state_bodies_close(&bodies);
	IS(state_bodies_open(k->s, 7, 999, &s, 3, &bodies), ST_NOT_FOUND);
	buf_fini(&b);
}

/* Where the bodies of uids 1..n lie; 0: not there. */
static void
offsets(uint64_t mailbox, uint32_t n, uint32_t *at)
{
	struct uidrange one = { 1, n };
	const struct uidset s = { &one, 1, 1 };
	struct state_bodies *bodies;
	struct state_body body;
	struct buf b = { 0 };
	enum status st;

	memset(at, 0, (n + 1) * sizeof(*at));
	OK(state_bodies_open(k->s, 7, mailbox, &s, 1, &bodies));
	while ((st = state_bodies_next(bodies, &body, &b)) == ST_OK) {
		const struct journal_loc *loc = (const void *)b.data;

		assert_true(body.uid <= n && body.n_locs == 1 && loc->offset != 0);
		at[body.uid] = loc->offset;
	}
	IS(st, ST_NOT_FOUND);
	state_bodies_close(&bodies);
	buf_fini(&b);
}

static void
bodies_are_found_in_whatever_order_they_lie(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), tr = kit_mailbox(k, "Trash");
	uint32_t at[62], copied[62];
	char uid[12];

	OK(kit_account(k, 8));
	for (unsigned i = 0; i < 60; i++) {
		/* of another account between: none, a few, many */
		k->account = 8;
		for (unsigned n = i < 20 ? 0 : i < 40 ? 3 : 20; n > 0; n--)
			OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
		k->account = 7;
		OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	}
	offsets(in, 60, at);
	for (unsigned i = 60; i >= 1; i--) {
		assert_true(at[i] > at[i - 1]);
		snprintf(uid, sizeof(uid), "%u", i % 2 == 1 ? i : 62 - i);
		OK(kit_copy(k, in, uid, "Trash", false));
	}
	offsets(tr, 60, copied);
	for (unsigned i = 60; i >= 1; i--)
		assert_int_equal(copied[61 - i], at[i % 2 == 1 ? i : 62 - i]);
	OK(kit_flags(k, in, "2,10:30,60", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, in, "1:60"));
	memcpy(copied, at, sizeof(copied));
	offsets(in, 60, at);
	for (unsigned i = 1; i <= 60; i++)
		assert_int_equal(at[i],
		    i == 2 || i == 60 || (i >= 10 && i <= 30) ? 0 : copied[i]);
}

static void
name_uids(struct buf *what, uint64_t mailbox, uint32_t lo, uint32_t hi)
{
	struct uidset set = { 0 };
	struct buf b = { 0 };

	uidset_add_range(&set, lo, hi);
	uidset_encode(&set, &b);
	put_store_uids(what, &(struct store_uids){ mailbox, buf_span(&b) });
	uidset_fini(&set);
	buf_fini(&b);
}

static enum status
remove_named(uint8_t how, unsigned system, const char *to, struct buf *what)
{
	struct op op = kit_op(k, OP_REMOVE);

	op.u.remove = (struct op_remove){ how, (uint8_t)system, SPAN_NONE, span_str(to),
	    buf_span(what) };
	return kit_apply(k, &op);
}

static void
what_is_named_goes_from_all_mailboxes_at_once(void **state)
{
	struct store_removed is;
	struct buf what = { 0 };
	uint64_t inbox, box;

	OK(kit_create(k, "Box"));
	OK(kit_append(k, "INBOX", 5, 10, 0, NULL, 0));
	OK(kit_append(k, "Box", 5, 10, 0, NULL, 0));
	inbox = kit_mailbox(k, "INBOX");
	box = kit_mailbox(k, "Box");
	name_uids(&what, inbox, 2, 3);
	name_uids(&what, box, 4, 9);
	name_uids(&what, 123456, 1, 1);		/* gone meanwhile */
	OK(remove_named(REMOVE_EXPUNGE, 0, "", &what));
	kit_reply(k, STORE_REMOVED, &is);
	assert_int_equal(is.messages, 4);
	assert_int_equal(kit_line(k, "INBOX").messages, 3);
	assert_int_equal(kit_line(k, "Box").messages, 3);
	OK(remove_named(REMOVE_EXPUNGE, 0, "", &what));
	kit_reply(k, STORE_REMOVED, &is);
	assert_int_equal(is.messages, 0);
	kit_check(k);
	buf_fini(&what);
}

static void
what_is_named_gets_a_flag_or_moves(void **state)
{
	struct store_removed is;
	struct buf what = { 0 };
	uint64_t inbox = kit_mailbox(k, "INBOX");

	OK(kit_append(k, "INBOX", 4, 10, 0, NULL, 0));
	name_uids(&what, inbox, 1, 2);
	OK(remove_named(REMOVE_FLAG, FLAG_SEEN, "", &what));
	assert_int_equal(flags_get_system(kit_row(k, inbox, 1).flags), FLAG_SEEN);
	assert_int_equal(flags_get_system(kit_row(k, inbox, 3).flags), 0);
	assert_int_equal(kit_line(k, "INBOX").unseen, 2);
	OK(remove_named(REMOVE_MOVE, 0, "Gone/by POP3", &what));
	kit_reply(k, STORE_REMOVED, &is);
	assert_int_equal(is.messages, 2);
	assert_int_equal(kit_line(k, "INBOX").messages, 2);
	assert_int_equal(kit_line(k, "Gone/by POP3").messages, 2);
	/* out of the mailbox itself it is gone */
	buf_clear(&what);
	name_uids(&what, kit_mailbox(k, "Gone/by POP3"), 1, 2);
	OK(remove_named(REMOVE_MOVE, 0, "Gone/by POP3", &what));
	assert_int_equal(kit_line(k, "Gone/by POP3").messages, 0);
	IS(remove_named(REMOVE_MOVE, 0, "", &what), ST_SYNTAX);
	IS(remove_named(9, 0, "", &what), ST_SYNTAX);
	name_uids(&what, inbox, 1, 1);
	name_uids(&what, inbox, 1, 1);
	IS(remove_named(REMOVE_EXPUNGE, 0, "", &what), ST_SYNTAX);
	kit_check(k);
	buf_fini(&what);
}

static enum status
give_uidl(uint64_t mailbox, uint32_t uid, const char *text)
{
	struct op op = kit_op(k, OP_UIDL_PUT);
	struct buf list = { 0 };
	enum status st;

	put_store_uidl(&list, &(struct store_uidl){ uid, span_str(text) });
	op.u.uidl_put = (struct op_uidl_put){ mailbox, buf_span(&list) };
	st = kit_apply(k, &op);
	buf_fini(&list);
	return st;
}

static void
uidls_are(uint64_t mailbox, uint32_t from, uint32_t limit, uint32_t resume, const char *want)
{
	struct buf list = { 0 }, text = { 0 };
	struct store_uidl u;
	struct reader r;
	uint32_t at = from;

	OK(state_uidls(k->s, k->account, mailbox, limit, 1 << 20, &at, &list));
	assert_int_equal(at, resume);
	reader_init(&r, list.data, list.len);
	while (list.len > 0 && get_store_uidl(&r, &u))
		buf_addf(&text, "%u=%.*s ", (unsigned)u.uid, (int)u.text.len, u.text.p);
	assert_string_equal(buf_cstr(&text), want);
	buf_fini(&list);
	buf_fini(&text);
}

static void
unique_ids_go_and_move_with_their_messages(void **state)
{
	uint64_t inbox = kit_mailbox(k, "INBOX"), box;
	struct buf what = { 0 };

	OK(kit_create(k, "Box"));
	box = kit_mailbox(k, "Box");
	OK(kit_append(k, "INBOX", 5, 10, 0, NULL, 0));
	uidls_are(inbox, 0, 100, 0, "");
	OK(give_uidl(inbox, 2, "old-2"));
	OK(give_uidl(inbox, 3, "old-3"));
	OK(give_uidl(inbox, 4, "old-4"));
	OK(give_uidl(inbox, 9, "nobody"));
	IS(give_uidl(inbox, 2, "a blank"), ST_SYNTAX);
	IS(give_uidl(4711, 2, "x"), ST_NOT_FOUND);
	uidls_are(inbox, 1, 100, 0, "2=old-2 3=old-3 4=old-4 ");
	uidls_are(inbox, 3, 1, 4, "3=old-3 ");
	OK(give_uidl(inbox, 3, "other"));
	OK(give_uidl(inbox, 4, ""));
	uidls_are(inbox, 0, 100, 0, "2=old-2 3=other ");
	OK(kit_copy(k, inbox, "2:3", "Box", true));
	uidls_are(inbox, 0, 100, 0, "");
	uidls_are(box, 0, 100, 0, "1=old-2 2=other ");
	kit_check(k);
	name_uids(&what, box, 1, 1);
	OK(remove_named(REMOVE_EXPUNGE, 0, "", &what));
	uidls_are(box, 0, 100, 0, "2=other ");
	kit_check(k);
	buf_fini(&what);
}

/* What columns tell of one walk: "1a 2b? " for uids, letters, and unknown ones. */
static void
columns_tell(uint64_t mailbox, uint32_t want, uint8_t version, unsigned fields, const char *tell)
{
	const struct uidrange range = { 1, 100 };
	const struct uidset s = { (struct uidrange *)(uintptr_t)&range, 1, 1 };
	struct store_columns_row row;
	struct state_columns *c;
	struct buf b = { 0 }, got = { 0 };
	uint32_t resume;
	struct reader r;

	OK(state_columns_open(k->s, k->account, mailbox, &s, want, version, fields, 0, &c));
	do {
		buf_clear(&b);
		OK(state_columns_next(c, 1, true, &b, &resume));
		reader_init(&r, b.data, b.len);
		while (get_store_columns_row(&r, &row, fields, want)) {
			buf_addf(&got, "%u", row.uid);
			if (fields != 0)
				assert_int_equal(row.row.uid, row.uid);
			for (uint32_t w = want, i = 0; w != 0 && row.known; w &= w - 1, i++) {
				assert_int_equal(row.col[i].len, 2);
				assert_int_equal(row.col[i].p[0], __builtin_ctz(w));
				if (i == 0)
					buf_add_c(&got, row.col[i].p[1]);
				else
					assert_int_equal(row.col[i].p[1], got.data[got.len - 1]);
			}
			buf_add_str(&got, row.known ? " " : "? ");
		}
		assert_true(reader_done(&r));
	} while (resume != 0);
	state_columns_close(&c);
	assert_string_equal(buf_cstr(&got), tell);
	buf_fini(&b);
	buf_fini(&got);
}

static void
columns_are_found_wherever_the_message_has_its_home(void **state)
{
	uint64_t inbox, other;

	inbox = kit_mailbox(k, "INBOX");
	OK(kit_create(k, "Other"));
	other = kit_mailbox(k, "Other");
	OK(kit_append(k, "Other", 1, 100, 0, NULL, 0));
	OK(kit_append(k, "INBOX", 3, 100, 0, NULL, 0));
	OK(kit_copy(k, inbox, "2:3", "Other", false));
	columns_tell(inbox, 0x1, 2, 0, "1a 2b 3c ");
	columns_tell(inbox, 0x1e0181, 2, ROW_FLAGS | ROW_SIZE, "1a 2b 3c ");
	columns_tell(other, 0x1, 2, 0, "1a 2b 3c ");
	columns_tell(other, 0x1e0102, 2, ROW_IDS, "1a 2b 3c ");
	columns_tell(inbox, 0x1, 3, 0, "1? 2? 3? ");
	columns_tell(inbox, 0, 2, ROW_FLAGS, "1 2 3 ");
	OK(kit_flags(k, inbox, "2", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, inbox, "2"));
	columns_tell(inbox, 0x2, 2, 0, "1a 3c ");
	columns_tell(other, 0x2, 2, 0, "1a 2b 3c ");
}

#define T(name) cmocka_unit_test_setup_teardown(name, kit_one_setup, kit_one_teardown)

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		T(an_account_starts_with_its_default_mailboxes),
		T(create_makes_superiors_and_refuses_what_is_there_or_no_name),
		T(delete_refuses_parents_and_inbox_and_keeps_subscriptions),
		T(a_large_mailbox_goes_in_steps_but_leaves_the_quota_at_once),
		T(rename_moves_the_children_along),
		T(renaming_inbox_moves_its_messages_and_leaves_it),
		T(append_gives_uids_and_rows_and_counts),
		T(append_refuses_without_a_trace),
		T(an_append_takes_what_it_replaces_along),
		T(annotations_belong_to_a_mailbox_and_a_reader),
		T(changed_annotations_are_in_the_history_for_those_who_may_know),
		T(flags_change_only_what_changes),
		T(sets_are_cut_to_what_one_operation_may_change),
		T(expunge_takes_the_deleted_ones_alone),
		T(copies_get_new_uids_and_carry_flags_and_ids),
		T(bodies_are_found_in_whatever_order_they_lie),
		T(columns_are_found_wherever_the_message_has_its_home),
		T(what_is_named_goes_from_all_mailboxes_at_once),
		T(what_is_named_gets_a_flag_or_moves),
		T(unique_ids_go_and_move_with_their_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	return engines_each(run);
}
