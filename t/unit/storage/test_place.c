/* Messages and mailboxes that come from elsewhere with the numbers they had there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

static int
setup(void **state)
{
	kit_open(k);
	return kit_account(k, 7) == ST_OK && kit_create(k, "Box") == ST_OK ? 0 : -1;
}

static int
teardown(void **state)
{
	kit_end(k);
	k->place = NULL;
	k->place_modseq = 0;
	return 0;
}

static enum status
place(const char *path, unsigned n, const char *uids)
{
	enum status st;

	k->place = uids;
	st = kit_append(k, path, n, 100, FLAG_SEEN, "$Kept", 0);
	k->place = NULL;
	return st;
}

static struct store_mailbox
line(const char *path)
{
	struct buf out = { 0 };
	struct store_mailbox m;
	struct reader r;
	uint32_t resume = 0;

	OK(state_mailboxes(k->s, 7, span_str(path), 1 << 20, &resume, &out));
	reader_init(&r, out.data, out.len);
	assert_true(get_store_mailbox(&r, &m));
	buf_fini(&out);
	m.path = SPAN_NONE;
	return m;
}

static void
uids_are(const char *path, const char *want)
{
	struct uidset set = { 0 };
	struct buf text = { 0 };

	OK(state_uids(k->s, 7, kit_mailbox(k, path), STATE_ALL, &set));
	uidset_print(&set, &text);
	assert_string_equal(buf_cstr(&text), want);
	buf_fini(&text);
	uidset_fini(&set);
}

static enum status
validity(const char *path, uint64_t if_modseq, uint32_t value, uint32_t uidnext)
{
	struct op op = kit_op(k, OP_UIDVALIDITY);

	op.u.uidvalidity = (struct op_uidvalidity){ kit_mailbox(k, path), if_modseq, value,
	    uidnext };
	return kit_apply(k, &op);
}

static void
messages_keep_the_uids_they_had(void **state)
{
	struct store_appended is;
	struct uidset uids = { 0 };
	struct reader r;

	OK(place("Box", 3, "5,9,200000"));
	kit_reply(k, STORE_APPENDED, &is);
	reader_init(&r, is.uids.p, is.uids.len);
	assert_true(uidset_decode(&uids, &r, 10));
	assert_int_equal(uidset_at(&uids, 2), 200000);
	uidset_fini(&uids);
	uids_are("Box", "5,9,200000");
	assert_int_equal(line("Box").uidnext, 200001);
	assert_int_equal(line("Box").messages, 3);
	OK(kit_append(k, "Box", 1, 10, 0, NULL, 0));
	uids_are("Box", "5,9,200000:200001");
}

static void
uids_only_rise(void **state)
{
	OK(kit_append(k, "Box", 3, 10, 0, NULL, 0));
	IS(place("Box", 1, "3"), ST_CONFLICT);
	IS(place("Box", 2, "2,9"), ST_CONFLICT);
	IS(place("Box", 2, "9"), ST_SYNTAX);
	IS(place("Box", 1, "9:10"), ST_SYNTAX);
	IS(place("Box", 1, "4000000000"), ST_LIMIT);
	IS(place("Nowhere", 1, "4"), ST_NOT_FOUND);
	assert_int_equal(line("Box").uidnext, 4);
	OK(place("Box", 1, "4"));
	uids_are("Box", "1:4");
}

static void
who_knew_them_elsewhere_sees_them_as_changed(void **state)
{
	k->place_modseq = 1000000;
	OK(place("Box", 1, "7"));
	assert_true(line("Box").highestmodseq > 1000000);
	k->place_modseq = 10;
	OK(place("Box", 1, "8"));
	assert_int_equal(line("Box").highestmodseq, 1000002);
	k->place_modseq = UINT64_MAX;
	IS(place("Box", 1, "9"), ST_SYNTAX);
}

static void
a_mailbox_takes_a_uidvalidity_that_the_account_never_used(void **state)
{
	uint32_t own = line("Box").uidvalidity, first = line("INBOX").uidvalidity;

	OK(place("Box", 1, "7"));
	IS(validity("Box", 1, 77, 20), ST_CONFLICT);
	IS(validity("Box", line("Box").highestmodseq, own, 20), ST_EXISTS);
	IS(validity("Box", line("Box").highestmodseq, first, 20), ST_EXISTS);
	IS(validity("Box", line("Box").highestmodseq, 0, 20), ST_LIMIT);
	IS(validity("Box", line("Box").highestmodseq, UINT32_MAX, 20), ST_LIMIT);
	OK(validity("Box", line("Box").highestmodseq, 77, 20));
	assert_int_equal(line("Box").uidvalidity, 77);
	assert_int_equal(line("Box").uidnext, 20);
	/* Taken ones rise too, also when the mailbox that took one is gone. */
	OK(kit_delete(k, "Box"));
	OK(kit_create(k, "Box"));
	assert_true(line("Box").uidvalidity > own);
	IS(validity("Box", line("Box").highestmodseq, 77, 1), ST_EXISTS);
	IS(validity("Box", line("Box").highestmodseq, 76, 1), ST_EXISTS);
	OK(validity("Box", line("Box").highestmodseq, 78, 1));
	assert_int_equal(line("Box").uidnext, 1);
	/* One above all is the account's last one from then on. */
	OK(validity("Box", line("Box").highestmodseq, own + 1000, 1));
	OK(kit_create(k, "Next"));
	assert_int_equal(line("Next").uidvalidity, own + 1001);
}

static void
sums_tell_what_is_where(void **state)
{
	struct uidset all = { 0 };
	struct buf out = { 0 };
	struct store_sum s;
	struct reader r;
	uint32_t resume = 0;

	OK(place("Box", 3, "5,9,11"));
	uidset_add_range(&all, 6, 100);
	OK(state_sums(k->s, 7, kit_mailbox(k, "Box"), &all, 1, &resume, &out));
	assert_int_equal(resume, 11);
	OK(state_sums(k->s, 7, kit_mailbox(k, "Box"), &all, 1 << 20, &resume, &out));
	assert_int_equal(resume, 0);
	reader_init(&r, out.data, out.len);
	assert_true(get_store_sum(&r, &s));
	assert_int_equal(s.uid, 9);
	assert_int_equal(s.sha256.len, 32);
	assert_true(get_store_sum(&r, &s));
	assert_int_equal(s.uid, 11);
	assert_false(get_store_sum(&r, &s));
	assert_false(r.bad);
	IS(state_sums(k->s, 7, 4711, &all, 1, &resume, &out), ST_NOT_FOUND);
	buf_fini(&out);
	uidset_fini(&all);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(messages_keep_the_uids_they_had),
		T(uids_only_rise),
		T(who_knew_them_elsewhere_sees_them_as_changed),
		T(a_mailbox_takes_a_uidvalidity_that_the_account_never_used),
		T(sums_tell_what_is_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
