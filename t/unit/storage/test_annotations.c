/* Annotations of messages (RFC 5257): whose they are, what is too much, how they go with their
 * messages, and what is remembered of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/mail/annotation.h"
#include "common/util/mem.h"
#include "storage/state/schema.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

#define OWNER 7
#define OTHER 8

static int
setup(void **state)
{
	kit_open(k);
	return kit_account(k, OWNER) == ST_OK && kit_append(k, "INBOX", 3, 10, 0, NULL, 5) == ST_OK ?
	    0 : -1;
}

static int
teardown(void **state)
{
	kit_end(k);
	return 0;
}

static void
encode_uids(const char *text, struct buf *out)
{
	struct uidset s = { 0 };

	assert_true(uidset_parse(&s, span_str(text), 0, 10000));
	uidset_encode(&s, out);
	uidset_fini(&s);
}

/* "shared:/comment=text" or "/comment=text"; without "=": it goes. */
static void
put_entry(struct buf *list, uint32_t item, const char *text)
{
	struct store_annotation a = { .uid = item };
	struct span rest = span_str(text);

	a.shared = span_has_prefix(rest, "shared:");
	if (a.shared)
		rest = span_sub(rest, 7, rest.len);
	a.given = span_find(rest, '=') < rest.len;
	a.entry = span_cut(&rest, '=');
	a.value = rest;
	put_store_annotation(list, &a);
}

static enum status
annotate_list(uint64_t who, uint64_t mailbox, const char *uids, struct buf *list, uint64_t since)
{
	struct op op = kit_op(k, OP_ANNOTATE);
	struct buf set = { 0 };
	enum status st;

	encode_uids(uids, &set);
	op.head.who = who;
	op.u.annotate = (struct op_annotate){ mailbox, buf_span(&set), buf_span(list), since };
	st = kit_apply(k, &op);
	buf_fini(&set);
	buf_fini(list);
	return st;
}

static enum status
annotate(uint64_t who, uint64_t mailbox, const char *uids, const char *a, const char *b)
{
	struct buf list = { 0 };

	put_entry(&list, 0, a);
	if (b != NULL)
		put_entry(&list, 0, b);
	return annotate_list(who, mailbox, uids, &list, UINT64_MAX);
}

static struct state_annotations
question(uint64_t reader, uint64_t mailbox, const struct uidset *uids, struct buf *names,
    struct buf *resume)
{
	return (struct state_annotations){ .mailbox = mailbox, .reader = reader, .uids = uids,
		.patterns = buf_span(names), .which = ANNOTATIONS_PRIVATE | ANNOTATIONS_SHARED,
		.max_size = 30, .part_bytes = 1, .resume = resume };
}

/* "1:/comment=text 1:shared:/comment=text" of what a reader sees, in parts of one each. */
static const char *
seen(uint64_t reader, uint64_t mailbox, const char *pattern)
{
	static char text[4096];
	struct uidrange every = { 1, UINT32_MAX };
	const struct uidset all = { &every, 1, 1 };
	struct buf out = { 0 }, names = { 0 }, resume = { 0 };
	struct state_annotations q;
	struct store_annotation a;
	struct reader r;
	size_t len = 0;

	text[0] = '\0';
	put_span(&names, span_str(pattern));
	q = question(reader, mailbox, &all, &names, &resume);
	do {
		buf_clear(&out);
		OK(state_annotations(k->s, OWNER, &q, &out));
		reader_init(&r, out.data, out.len);
		while (out.len > 0 && get_store_annotation(&r, &a))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%u:%s%.*s=%.*s%s ", a.uid,
			    a.shared ? "shared:" : "", (int)a.entry.len, a.entry.p, (int)a.value.len,
			    a.value.len > 0 ? a.value.p : "", a.given ? "" : "?");
	} while (resume.len > 0);
	buf_fini(&out);
	buf_fini(&names);
	buf_fini(&resume);
	return text;
}

/* "2:/comment 1:/x" of what changed for a reader since a modseq. */
static const char *
changed(uint64_t reader, uint64_t mailbox, uint64_t since)
{
	static char text[1024];
	struct uidrange every = { 1, UINT32_MAX };
	const struct uidset all = { &every, 1, 1 };
	const struct store_annotated_get rq = { mailbox, since, SPAN_NONE };
	struct buf out = { 0 }, resume = { 0 };
	struct store_annotated a;
	struct reader r;
	size_t len = 0;

	text[0] = '\0';
	do {
		buf_clear(&out);
		OK(state_annotated(k->s, OWNER, reader, &rq, &all, 1, &resume, &out));
		reader_init(&r, out.data, out.len);
		while (out.len > 0 && get_store_annotated(&r, &a))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%u:%.*s ", a.uid,
			    (int)a.entry.len, a.entry.p);
	} while (resume.len > 0);
	buf_fini(&out);
	buf_fini(&resume);
	return text;
}

static uint64_t
rows_of(unsigned table)
{
	struct engine_cursor *c;
	uint64_t n = 0;

	OK(engine_cursor_open(k->e, NULL, table, SPAN_NONE, &c));
	while (engine_cursor_next(c, NULL, NULL) == ST_OK)
		n++;
	engine_cursor_close(&c);
	return n;
}

static uint64_t
modseq(void)
{
	struct state_account a;

	OK(state_account(k->s, OWNER, &a));
	return a.modseq;
}

static uint64_t
row_modseq(uint64_t reader, uint64_t mailbox, uint32_t uid)
{
	struct uidrange one = { uid, uid };
	const struct uidset set = { &one, 1, 1 };
	struct buf b = { 0 }, own = { 0 };
	struct store_row row;
	uint32_t resume = 0;
	struct reader r;

	OK(state_rows(k->s, OWNER, mailbox, &set, ROW_FLAGS, 10000, &resume, &b));
	if (reader != OWNER)
		OK(state_reader_rows(k->s, OWNER, mailbox, reader, ROW_FLAGS, buf_span(&b), &own));
	else
		buf_add_span(&own, buf_span(&b));
	reader_init(&r, own.data, own.len);
	assert_true(get_store_row(&r, &row, ROW_FLAGS));
	buf_fini(&b);
	buf_fini(&own);
	return row.modseq;
}

static void
names_of_entries_are_judged(void **state)
{
	static const char *const good[] = { "/comment", "/vendor/a/b", "/1.2/comment", "/a.b" };
	static const char *const bad[] = { "", "comment", "/", "/a/", "/a//b", "/a*", "/%", "/\xc3\xa4" };
	static const char *const settable[] = { "/comment", "/altsubject", "/vendor/x", "/vendor/x/y.z",
		"/1/comment", "/1.2.3/vendor/x", "/2/flags/seen", "/2/flags/forwarded" };
	static const char *const not_settable[] = { "/flags", "/flags/seen", "/x", "/vendor", "/vendor/",
		"/1", "/1/altsubject", "/1/flags", "/1/flags/x", "/commentx" };
	uint32_t parts[ANNOTATION_PART_DEPTH_MAX];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(annotation_entry_valid(span_str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(annotation_entry_valid(span_str(bad[i])));
	for (size_t i = 0; i < ARRAY_LEN(settable); i++)
		assert_true(annotation_settable(span_str(settable[i])));
	for (size_t i = 0; i < ARRAY_LEN(not_settable); i++)
		assert_false(annotation_settable(span_str(not_settable[i])));
	IS(annotation_of(SPAN_LIT("/comment"), parts, &n), ANNOTATION_MESSAGE);
	IS(annotation_of(SPAN_LIT("/1.20/comment"), parts, &n), ANNOTATION_PART);
	assert_true(n == 2 && parts[0] == 1 && parts[1] == 20);
	IS(annotation_of(SPAN_LIT("/1./comment"), parts, &n), ANNOTATION_PART_BAD);
	IS(annotation_of(SPAN_LIT("/0/comment"), parts, &n), ANNOTATION_PART_BAD);
	IS(annotation_of(SPAN_LIT("/1x/comment"), parts, &n), ANNOTATION_PART_BAD);
	assert_false(annotation_value_fits(SPAN_LIT("/1/flags/seen"), SPAN_LIT("2")));
	assert_true(annotation_value_fits(SPAN_LIT("/1/flags/seen"), SPAN_LIT("0")));
	assert_true(annotation_value_fits(SPAN_LIT("/comment"), SPAN_LIT("2")));
}

static void
they_belong_to_a_message_and_a_reader(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), before;

	OK(annotate(OWNER, in, "1:2", "/comment=mine", "shared:/comment=ours"));
	assert_string_equal(seen(OWNER, in, "/comment"),
	    "1:shared:/comment=ours 1:/comment=mine 2:shared:/comment=ours 2:/comment=mine ");
	/* without the right to read nothing, with it one's own, with n what all see */
	IS(annotate(OTHER, in, "1", "/comment=his", NULL), ST_NOT_FOUND);
	OK(kit_share(k, "INBOX", OTHER, RIGHT_LOOKUP | RIGHT_READ));
	IS(annotate(OTHER, in, "1", "shared:/comment=his", NULL), ST_DENIED);
	IS(annotate(OTHER, in, "1", "/comment=his", "shared:/x=y"), ST_DENIED);
	before = row_modseq(OWNER, in, 1);
	OK(annotate(OTHER, in, "1", "/comment=his", NULL));
	assert_string_equal(seen(OTHER, in, "*"),
	    "1:shared:/comment=ours 1:/comment=his 2:shared:/comment=ours ");
	assert_string_equal(seen(OWNER, in, "*"),
	    "1:shared:/comment=ours 1:/comment=mine 2:shared:/comment=ours 2:/comment=mine ");
	/* it is news for him alone */
	assert_true(row_modseq(OWNER, in, 1) == before);
	assert_true(row_modseq(OTHER, in, 1) == modseq());
	assert_true(k->r.own_only);
	assert_string_equal(changed(OTHER, in, modseq() - 1), "1:/comment ");
	assert_string_equal(changed(OWNER, in, modseq() - 1), "");
	OK(kit_share(k, "INBOX", OTHER, RIGHT_LOOKUP | RIGHT_READ | RIGHT_ANNOTATE));
	OK(annotate(OTHER, in, "3", "shared:/comment=all", NULL));
	assert_true(row_modseq(OWNER, in, 3) == modseq());
	assert_string_equal(changed(OWNER, in, modseq() - 1), "3:/comment ");
	/* patterns, an empty value, one that goes, one that was not there */
	OK(annotate(OWNER, in, "3", "shared:/vendor/a/b=", "/vendor/a=x"));
	assert_string_equal(seen(OWNER, in, "/%"), "1:shared:/comment=ours 1:/comment=mine "
	    "2:shared:/comment=ours 2:/comment=mine 3:shared:/comment=all ");
	assert_string_equal(seen(OWNER, in, "/vendor/*"), "3:shared:/vendor/a/b= 3:/vendor/a=x ");
	OK(annotate(OWNER, in, "1:3", "shared:/comment", NULL));
	assert_string_equal(seen(OTHER, in, "*"), "1:/comment=his 3:shared:/vendor/a/b= ");
	before = modseq();
	OK(annotate(OWNER, in, "1:3", "shared:/comment", "/nothing"));
	assert_true(modseq() == before);
}

static void
a_change_is_judged_by_its_modseq(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), before = modseq();
	struct store_flags_are are;
	struct uidset modified = { 0 };
	struct buf list = { 0 };
	struct reader r;

	OK(annotate(OWNER, in, "2", "/comment=a", NULL));
	put_entry(&list, 0, "/comment=b");
	OK(annotate_list(OWNER, in, "1:3", &list, before));
	kit_reply(k, STORE_FLAGS_ARE, &are);
	reader_init(&r, are.modified.p, are.modified.len);
	assert_true(uidset_decode(&modified, &r, 100));
	assert_true(uidset_count(&modified) == 1 && uidset_has(&modified, 2));
	assert_string_equal(seen(OWNER, in, "*"), "1:/comment=b 2:/comment=a 3:/comment=b ");
	uidset_fini(&modified);
	/* the same value is no change */
	before = modseq();
	OK(annotate(OWNER, in, "1:3", "/comment=b", NULL));
	assert_true(modseq() == before + 1 && row_modseq(OWNER, in, 1) == before);
}

static void
what_is_malformed_or_too_much_is_refused_without_a_trace(void **state)
{
	static char big[STORE_ANNOTATION_VALUE_MAX + 20];
	uint64_t in = kit_mailbox(k, "INBOX"), before;
	struct buf list = { 0 };
	char text[64];

	IS(annotate(OWNER, in, "1", "comment=x", NULL), ST_SYNTAX);
	IS(annotate(OWNER, in, "1", "/a*=x", NULL), ST_SYNTAX);
	IS(annotate(OWNER, in, "1", "/a=x", "/a=y"), ST_SYNTAX);
	IS(annotate_list(OWNER, in, "1", &list, UINT64_MAX), ST_SYNTAX);
	IS(annotate(OWNER, 999, "1", "/a=x", NULL), ST_NOT_FOUND);
	OK(annotate(OWNER, in, "77", "/a=x", NULL));	/* nobody is there */
	before = modseq();
	for (unsigned i = 0; i <= STORE_ANNOTATIONS_MAX; i++) {
		snprintf(text, sizeof(text), "/vendor/%u=x", i);
		put_entry(&list, 0, text);
	}
	IS(annotate_list(OWNER, in, "1:3", &list, UINT64_MAX), ST_LIMIT);
	assert_true(modseq() == before);
	for (unsigned i = 0; i < STORE_ANNOTATIONS_MAX; i++) {
		snprintf(text, sizeof(text), "/vendor/%u=x", i);
		put_entry(&list, 0, text);
	}
	OK(annotate_list(OWNER, in, "1", &list, UINT64_MAX));
	IS(annotate(OWNER, in, "1:2", "/comment=x", NULL), ST_LIMIT);
	assert_string_equal(seen(OWNER, in, "/comment"), "");
	OK(annotate(OWNER, in, "1", "/comment=x", "/vendor/3"));
	OK(annotate(OWNER, in, "1", "shared:/comment=x", NULL));
	/* bytes of a side */
	memset(big, 'x', sizeof(big) - 1);
	for (unsigned i = 0; i < 5; i++) {
		int n = snprintf(big, sizeof(big), "shared:/vendor/%u=", i);

		big[n] = 'x';
		big[(unsigned)n + STORE_ANNOTATION_VALUE_MAX] = '\0';
		IS(annotate(OWNER, in, "2", big, NULL), i < 3 ? ST_OK : ST_LIMIT);
		big[(unsigned)n + STORE_ANNOTATION_VALUE_MAX] = 'x';
	}
	assert_string_equal(seen(OWNER, in, "/vendor/2"), "1:/vendor/2=x 2:shared:/vendor/2=? ");
}

static void
what_others_keep_for_themselves_is_bounded(void **state)
{
	static char big[STORE_ANNOTATION_VALUE_MAX];
	uint64_t in = kit_mailbox(k, "INBOX");
	unsigned fit = STORE_ANNOTATION_OTHERS_MAX / (3 * STORE_ANNOTATION_VALUE_MAX);
	unsigned n = 0;
	char uid[16];

	OK(kit_append(k, "INBOX", fit + 4, 10, 0, NULL, 5));
	OK(kit_share(k, "INBOX", OTHER, RIGHT_LOOKUP | RIGHT_READ));
	memset(big, 'x', sizeof(big) - 1);
	memcpy(big, "/vendor/1=", 10);
	for (uint32_t u = 1; u < fit + 4; u++) {
		enum status st = ST_OK;

		snprintf(uid, sizeof(uid), "%u", u);
		for (unsigned i = 0; i < 3 && st == ST_OK; i++) {
			big[8] = (char)('0' + i);
			st = annotate(OTHER, in, uid, big, NULL);
		}
		if (st == ST_OVER_QUOTA)
			break;
		OK(st);
		n++;
	}
	assert_true(n >= fit && n < fit + 3);
	/* the owner has room, and so has who gives some back */
	OK(annotate(OWNER, in, "1", "/comment=x", NULL));
	OK(annotate(OTHER, in, "1", "/vendor/0", NULL));
	OK(annotate(OTHER, in, "2", "/comment=y", NULL));
}

static enum status
copy_as(uint64_t who, uint64_t mailbox, const char *uids, const char *to)
{
	struct op op = kit_op(k, OP_COPY);
	struct buf set = { 0 };
	enum status st;

	encode_uids(uids, &set);
	op.head.who = who;
	op.u.copy = (struct op_copy){ mailbox, buf_span(&set), span_str(to), false };
	st = kit_apply(k, &op);
	buf_fini(&set);
	return st;
}

static void
they_come_along_and_go_with_their_messages(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), to, old;

	OK(kit_create(k, "To"));
	to = kit_mailbox(k, "To");
	OK(kit_share(k, "INBOX", OTHER, RIGHT_ALL & ~(uint32_t)RIGHT_ADMIN));
	OK(annotate(OWNER, in, "1:2", "/comment=mine", "shared:/comment=ours"));
	OK(annotate(OTHER, in, "1:3", "/comment=his", NULL));
	OK(kit_copy(k, in, "1:3", "To", false));
	assert_string_equal(seen(OWNER, to, "*"),
	    "1:shared:/comment=ours 1:/comment=mine 2:shared:/comment=ours 2:/comment=mine ");
	assert_string_equal(seen(OTHER, to, "*"), "1:shared:/comment=ours 2:shared:/comment=ours ");
	OK(kit_copy(k, in, "1", "INBOX", true));
	assert_string_equal(seen(OTHER, in, "*"),
	    "2:shared:/comment=ours 2:/comment=his 3:/comment=his 4:shared:/comment=ours ");
	/* what was taken away is remembered */
	assert_string_equal(changed(OTHER, in, modseq() - 1), "1:/comment 1:/comment ");
	/* another's copy takes his own, and the shared ones where he may set them */
	OK(kit_share(k, "To", OTHER, RIGHT_LOOKUP | RIGHT_READ | RIGHT_INSERT));
	OK(copy_as(OTHER, in, "2", "To"));
	assert_string_equal(seen(OTHER, to, "*"),
	    "1:shared:/comment=ours 2:shared:/comment=ours 4:/comment=his ");
	OK(kit_share(k, "To", OTHER, RIGHT_LOOKUP | RIGHT_READ | RIGHT_INSERT | RIGHT_ANNOTATE));
	OK(copy_as(OTHER, in, "2", "To"));
	assert_string_equal(seen(OWNER, to, "/comment"), "1:shared:/comment=ours 1:/comment=mine "
	    "2:shared:/comment=ours 2:/comment=mine 5:shared:/comment=ours ");
	OK(kit_flags(k, in, "2", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, in, "1:99"));
	assert_string_equal(seen(OTHER, in, "*"), "3:/comment=his 4:shared:/comment=ours ");
	OK(kit_rename(k, "INBOX", "Old"));
	old = kit_mailbox(k, "Old");
	assert_string_equal(seen(OWNER, in, "*"), "");
	assert_string_equal(seen(OWNER, old, "*"), "2:shared:/comment=ours 2:/comment=mine ");
	OK(kit_delete(k, "To"));
	OK(kit_delete(k, "Old"));
	IS(rows_of(TAB_ANNOTATION), 0);
}

static void
they_move_and_are_copied_in_parts_as_in_one(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), to;
	struct op op;

	OK(kit_create(k, "To"));
	to = kit_mailbox(k, "To");
	OK(annotate(OWNER, in, "1:3", "/comment=mine", "shared:/x=ours"));
	for (unsigned turn = 0; turn < 3; turn++) {
		k->stages = true;
		k->head.part = 1;
		OK(kit_copy(k, in, "1:2", "To", turn == 2));
		k->head.part = 2;
		OK(kit_copy(k, in, "3", "To", turn == 2));
		k->stages = false;
		k->head.part = 0;
		assert_string_equal(seen(OWNER, to, "*"), turn < 2 ? "" :
		    "1:shared:/x=ours 1:/comment=mine 2:shared:/x=ours 2:/comment=mine "
		    "3:shared:/x=ours 3:/comment=mine ");
		if (turn > 0) {		/* the first is taken back */
			op = kit_op(k, OP_STAGE_COMMIT);
			OK(kit_apply(k, &op));
		}
		do {
			op = kit_op(k, OP_STAGE_END);
			op.u.stage_end.rows = 1;
			OK(kit_apply(k, &op));
		} while (k->r.more);
		kit_check(k);
	}
	assert_string_equal(seen(OWNER, in, "*"), "");
	assert_string_equal(seen(OWNER, to, "/x"), "1:shared:/x=ours 2:shared:/x=ours "
	    "3:shared:/x=ours 4:shared:/x=ours 5:shared:/x=ours 6:shared:/x=ours ");
	IS(rows_of(TAB_ANNOTATION), 12);
}

/* Two messages; notes: of which item, and what. */
static enum status
append(uint64_t who, const char *a, const char *b, uint32_t item_b, bool carried, bool stage)
{
	struct op op = kit_op(k, stage ? OP_STAGE_APPEND_ANNOTATED : OP_APPEND_ANNOTATED);
	static const char sha[33] = "01234567890123456789012345678901";
	struct buf items = { 0 }, notes = { 0 };
	enum status st;

	for (unsigned i = 0; i < 2; i++)
		put_op_append_item(&items, &(struct op_append_item){ .received_s = 1600000000,
		    .size = 10, .sha256 = span(sha, 32), .list = SPAN_LIT("list"), .pieces = 1 });
	put_entry(&notes, 1, a);
	put_entry(&notes, item_b, b);
	op.head.who = who;
	op.u.append = (struct op_append){ .path = SPAN_LIT("INBOX"), .items = buf_span(&items),
		.annotations = buf_span(&notes), .carried = carried };
	st = kit_apply(k, &op);
	buf_fini(&items);
	buf_fini(&notes);
	return st;
}

static void
an_append_brings_them(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX"), before = modseq();
	struct op op;

	OK(append(OWNER, "/comment=a", "shared:/comment=b", 2, false, false));
	assert_string_equal(seen(OWNER, in, "*"), "4:/comment=a 5:shared:/comment=b ");
	assert_true(modseq() == before + 1);
	IS(append(OWNER, "/comment=a", "/comment=b", 1, false, false), ST_SYNTAX);
	IS(append(OWNER, "/comment=a", "/comment=b", 3, false, false), ST_SYNTAX);
	IS(append(OWNER, "/comment=a", "/comment=b", 0, false, false), ST_SYNTAX);
	IS(append(OWNER, "/comment=a", "/co%=b", 2, false, false), ST_SYNTAX);
	/* of another: what is not allowed is refused, or left out when it comes from elsewhere */
	OK(kit_share(k, "INBOX", OTHER, RIGHT_LOOKUP | RIGHT_READ | RIGHT_INSERT));
	IS(append(OTHER, "/comment=a", "shared:/comment=b", 2, false, false), ST_DENIED);
	OK(append(OTHER, "/comment=a", "shared:/comment=b", 2, true, false));
	assert_string_equal(seen(OTHER, in, "*"), "5:shared:/comment=b 6:/comment=a ");
	/* staged, taken back, and staged again */
	for (unsigned turn = 0; turn < 2; turn++) {
		k->head.part = 1;
		OK(append(OWNER, "/x=a", "shared:/x=b", 2, false, true));
		k->head.part = 2;
		OK(append(OWNER, "/x=c", "shared:/x=d", 2, false, true));
		k->head.part = 0;
		assert_string_equal(seen(OWNER, in, "/x"), "");
		if (turn > 0) {
			op = kit_op(k, OP_STAGE_COMMIT);
			OK(kit_apply(k, &op));
		}
		do {
			op = kit_op(k, OP_STAGE_END);
			op.u.stage_end.rows = 1;
			OK(kit_apply(k, &op));
		} while (k->r.more);
		kit_check(k);
	}
	assert_string_equal(seen(OWNER, in, "/x"), "8:/x=a 9:shared:/x=b 10:/x=c 11:shared:/x=d ");
}

static void
purge_history(int64_t before_ms)
{
	struct op op;

	do {
		op = kit_op(k, OP_HISTORY_PURGE);
		op.u.history_purge = (struct op_history_purge){ before_ms, 1 };
		OK(kit_apply(k, &op));
	} while (k->r.more);
}

static void
old_values_are_kept_as_long_as_history(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX");

	OK(kit_share(k, "INBOX", OTHER, RIGHT_LOOKUP | RIGHT_READ));
	OK(annotate(OWNER, in, "1:3", "/comment=one", "shared:/comment=two"));
	OK(annotate(OTHER, in, "1", "/comment=his", NULL));
	OK(annotate(OWNER, in, "1", "/comment=three", NULL));
	OK(kit_flags(k, in, "1", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, in, "1:99"));
	/* six that were new, one of another, one changed, three that went */
	IS(rows_of(TAB_ANNLOG), 11);
	IS(rows_of(TAB_ANNOTATION), 4);
	kit_check(k);
	k->time_ms += 1000;
	purge_history(k->time_ms);
	kit_check(k);
	IS(rows_of(TAB_ANNLOG), 0);
	IS(rows_of(TAB_ANNOTATION), 4);
}

static void
an_account_that_goes_leaves_nothing(void **state)
{
	struct op op;

	OK(annotate(OWNER, kit_mailbox(k, "INBOX"), "1:3", "/comment=x", "shared:/comment=y"));
	op = kit_op(k, OP_ACCOUNT_DELETE);
	OK(kit_apply(k, &op));
	do {
		op = kit_op(k, OP_ACCOUNT_PURGE);
		OK(kit_apply(k, &op));
	} while (k->r.more);
	IS(rows_of(TAB_ANNLOG), 0);
	IS(rows_of(TAB_ANNOTATION), 0);
}

static void
the_root_covers_them(void **state)
{
	uint64_t in = kit_mailbox(k, "INBOX");
	unsigned char before[32], is[32];

	OK(state_hash(k->s, OWNER, before));
	OK(annotate(OWNER, in, "2", "/comment=x", NULL));
	OK(state_hash(k->s, OWNER, is));
	assert_memory_not_equal(before, is, 32);
}

static void
put_back(unsigned table, struct span key, struct span value)
{
	struct engine_txn *t;

	OK(engine_begin(k->e, &t));
	if (value.p == NULL)
		OK(engine_del(t, table, key));
	else
		OK(engine_put(t, table, key, value));
	OK(engine_commit(&t));
}

static uint64_t
wrong(void)
{
	struct buf report = { 0 };
	uint64_t n = 0;
	enum status st = state_check(k->s, &report, &n);

	buf_fini(&report);
	return st != ST_OK ? 1 : n;
}

/* Each row of the two tables taken away, and the rows they stand on. */
static void
the_check_finds_what_does_not_add_up(void **state)
{
	static const unsigned tables[] = { TAB_ANNOTATION, TAB_ANNLOG, TAB_HISTORY, TAB_MAILBOX,
		TAB_ACCOUNT };
	uint64_t in = kit_mailbox(k, "INBOX");

	OK(kit_share(k, "INBOX", OTHER, RIGHT_LOOKUP | RIGHT_READ));
	OK(annotate(OTHER, in, "1", "/comment=x", NULL));
	OK(annotate(OWNER, in, "1", "shared:/comment=y", NULL));
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		struct buf keys = { 0 };
		struct engine_cursor *c;
		struct span key, value;
		struct reader r;

		OK(engine_cursor_open(k->e, NULL, tables[i], SPAN_NONE, &c));
		while (engine_cursor_next(c, &key, &value) == ST_OK) {
			put_span(&keys, key);
			put_span(&keys, value);
		}
		engine_cursor_close(&c);
		reader_init(&r, keys.data, keys.len);
		while (reader_left(&r) > 0) {
			uint64_t modseq;

			key = get_span(&r);
			value = get_span(&r);
			modseq = tables[i] == TAB_HISTORY ? get_be64(key.p + 8) : UINT64_MAX;
			/* history that nothing stands on may be missing */
			if (modseq + 2 <= k->r.modseq)
				continue;
			if (tables[i] == TAB_MAILBOX && get_be64(key.p + 8) != in)
				continue;
			put_back(tables[i], key, SPAN_NONE);
			assert_true(wrong() > 0 || tables[i] == TAB_ACCOUNT);
			put_back(tables[i], key, value);
			assert_true(wrong() == 0);
		}
		buf_fini(&keys);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_of_entries_are_judged, setup, teardown),
		cmocka_unit_test_setup_teardown(they_belong_to_a_message_and_a_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_is_judged_by_its_modseq, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_malformed_or_too_much_is_refused_without_a_trace, setup, teardown),
		cmocka_unit_test_setup_teardown(what_others_keep_for_themselves_is_bounded, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(they_come_along_and_go_with_their_messages, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(they_move_and_are_copied_in_parts_as_in_one, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(an_append_brings_them, setup, teardown),
		cmocka_unit_test_setup_teardown(old_values_are_kept_as_long_as_history, setup, teardown),
		cmocka_unit_test_setup_teardown(an_account_that_goes_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_root_covers_them, setup, teardown),
		cmocka_unit_test_setup_teardown(the_check_finds_what_does_not_add_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
