/* Sieve scripts in the store, and keys that are remembered for a time. */
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

static uint64_t
state_now(void)
{
	struct store_states_are are;

	OK(state_states(k->s, 7, &are));
	return are.script;
}

/* "one two* ": names in their order, the active one with a star. */
static const char *
names(void)
{
	static char out[256];
	struct buf b = { 0 };
	struct store_script x;
	uint64_t state, bytes, sum = 0;
	struct reader r;
	size_t n = 0;

	OK(state_scripts(k->s, 7, &b, &state, &bytes));
	assert_true(state == state_now());
	reader_init(&r, b.data, b.len);
	out[0] = '\0';
	while (get_store_script(&r, &x)) {
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%.*s%s ", (int)x.name.len,
		    x.name.p, x.active ? "*" : "");
		sum += x.size;
		assert_true(x.modseq > 0 && x.modseq <= state);
	}
	assert_true(reader_done(&r) && sum == bytes);
	buf_fini(&b);
	return out;
}

static void
a_script_is_put_read_and_put_anew(void **state)
{
	struct store_script_set_is is;
	uint64_t id, before;

	assert_int_equal(state_now(), 0);
	OK(script_put(k, "one", "keep;", false));
	kit_reply(k, STORE_SCRIPT_SET_IS, &is);
	id = is.id;
	assert_true(is.made && is.old_state == 0 && is.state == state_now() && is.state > 0);
	assert_true(k->r.changed && k->r.script_modseq == is.state);
	assert_string_equal(script_text(k, "one"), "keep;");
	assert_null(script_text(k, "two"));
	before = is.state;
	OK(script_put(k, "one", "discard;", false));
	kit_reply(k, STORE_SCRIPT_SET_IS, &is);
	assert_true(!is.made && is.id == id && is.old_state == before && is.state > before);
	assert_string_equal(script_text(k, "one"), "discard;");
	OK(script_put(k, "empty", "", false));
	assert_string_equal(script_text(k, "empty"), "");
	assert_string_equal(names(), "empty one ");
	kit_end(k);
}

static void
whoever_knows_a_script_is_not_told_its_text_again(void **state)
{
	unsigned char sum[SHA256_LEN];
	struct store_script_get rq = { .name = SPAN_LIT("one"), .known = span(sum, sizeof(sum)) };
	struct buf script = { 0 }, text = { 0 };
	bool same;

	OK(script_put(k, "one", "keep;", false));
	sha256(SPAN_LIT("keep;"), sum);
	OK(state_script(k->s, 7, &rq, &script, &text, &same));
	assert_true(same && text.len == 0);
	OK(script_put(k, "one", "stop;", false));
	OK(state_script(k->s, 7, &rq, &script, &text, &same));
	assert_true(!same && span_eq_str(buf_span(&text), "stop;"));
	buf_fini(&script);
	buf_fini(&text);
	kit_end(k);
}

static void
one_is_active_and_it_is_never_lost(void **state)
{
	OK(script_put(k, "one", "keep;", true));
	OK(script_put(k, "two", "stop;", false));
	assert_string_equal(names(), "one* two ");
	assert_string_equal(script_text(k, ""), "keep;");
	IS(script_set(k, SCRIPT_DELETE, "one", ""), ST_DENIED);
	OK(script_set(k, SCRIPT_RENAME, "one", "three"));
	assert_string_equal(names(), "three* two ");
	OK(script_put(k, "three", "discard;", false));
	assert_string_equal(script_text(k, ""), "discard;");
	OK(script_set(k, SCRIPT_ACTIVATE, "two", ""));
	assert_string_equal(names(), "three two* ");
	IS(script_set(k, SCRIPT_ACTIVATE, "none", ""), ST_NOT_FOUND);
	assert_string_equal(names(), "three two* ");
	OK(script_set(k, SCRIPT_DELETE, "three", ""));
	OK(script_set(k, SCRIPT_ACTIVATE, "", ""));
	assert_string_equal(names(), "two ");
	assert_null(script_text(k, ""));
	OK(script_set(k, SCRIPT_DELETE, "two", ""));
	assert_string_equal(names(), "");
	assert_int_equal(kit_rows(k, "scripttext"), 0);
	kit_end(k);
}

static void
a_name_that_is_taken_is_not_given_again(void **state)
{
	uint64_t before;

	OK(script_put(k, "one", "keep;", false));
	OK(script_put(k, "two", "stop;", false));
	before = state_now();
	IS(script_set(k, SCRIPT_RENAME, "one", "two"), ST_EXISTS);
	IS(script_set(k, SCRIPT_RENAME, "none", "three"), ST_NOT_FOUND);
	IS(script_set(k, SCRIPT_RENAME, "one", ""), ST_SYNTAX);
	IS(script_set(k, SCRIPT_RENAME, "one", "a\nb"), ST_SYNTAX);
	IS(script_put(k, "a\xe2\x80\xa8" "b", "keep;", false), ST_SYNTAX);
	IS(script_put(k, "a\xc2\x85" "b", "keep;", false), ST_SYNTAX);
	IS(script_put(k, "\xff", "keep;", false), ST_SYNTAX);
	IS(script_put(k, "", "keep;", false), ST_SYNTAX);
	OK(script_set(k, SCRIPT_RENAME, "one", "one"));
	assert_true(state_now() == before && !k->r.changed);
	OK(script_set(k, SCRIPT_RENAME, "one", "\xc3\xa4 b/c"));
	assert_string_equal(script_text(k, "\xc3\xa4 b/c"), "keep;");
	kit_end(k);
}

/* The limits of script_put(): 3 scripts, 20 bytes, 50 in all. */
static void
limits_are_judged_with_what_is_replaced(void **state)
{
	const struct op_script_set limits = { .count_max = 3, .size_max = 20, .bytes_max = 50 };

	OK(script_put(k, "one", "12345678901234567890", false));
	IS(script_put(k, "two", "123456789012345678901", false), ST_OVER_QUOTA);
	OK(script_put(k, "two", "12345678901234567890", false));
	IS(script_put(k, "three", "12345678901", false), ST_OVER_QUOTA);
	OK(script_put(k, "three", "1234567890", false));
	IS(script_put(k, "four", "", false), ST_LIMIT);
	IS(state_script_room(k->s, 7, SPAN_LIT("four"), 0, &limits), ST_LIMIT);
	IS(state_script_room(k->s, 7, SPAN_LIT("three"), 11, &limits), ST_OVER_QUOTA);
	IS(state_script_room(k->s, 7, SPAN_LIT("three"), 21, &limits), ST_OVER_QUOTA);
	OK(state_script_room(k->s, 7, SPAN_LIT("three"), 10, &limits));
	IS(state_script_room(k->s, 7, SPAN_LIT("\n"), 10, &limits), ST_SYNTAX);
	OK(script_put(k, "one", "1", false));
	OK(script_put(k, "three", "12345678901234567890", false));
	assert_string_equal(names(), "one three two ");
	kit_end(k);
}

static void
a_change_that_names_another_state_does_nothing(void **state)
{
	struct op op = kit_op(k, OP_SCRIPT_SET);

	OK(script_put(k, "one", "keep;", false));
	op = kit_op(k, OP_SCRIPT_SET);
	op.u.script_set = (struct op_script_set){ .how = SCRIPT_DELETE, .name = SPAN_LIT("one"),
		.if_state = state_now() + 1 };
	IS(kit_apply(k, &op), ST_CONFLICT);
	op = kit_op(k, OP_SCRIPT_SET);
	op.u.script_set = (struct op_script_set){ .how = SCRIPT_DELETE, .name = SPAN_LIT("one"),
		.if_state = state_now() };
	OK(kit_apply(k, &op));
	kit_end(k);
}

static void
mail_does_not_change_the_state_of_scripts_and_scripts_not_that_of_mail(void **state)
{
	struct store_states_are one, two;

	OK(script_put(k, "one", "keep;", true));
	OK(state_states(k->s, 7, &one));
	OK(kit_append(k, "INBOX", 1, 10, 0, NULL, 0));
	OK(state_states(k->s, 7, &two));
	assert_true(two.script == one.script && two.email > one.email);
	OK(script_put(k, "one", "stop;", true));
	OK(state_states(k->s, 7, &one));
	assert_true(one.script > two.script && one.email == two.email &&
	    one.mailbox == two.mailbox);
	kit_end(k);
}

static void
scripts_go_with_the_account(void **state)
{
	struct op op;

	OK(script_put(k, "one", "keep;", true));
	op = kit_op(k, OP_ACCOUNT_DELETE);
	OK(kit_apply(k, &op));
	assert_null(script_text(k, ""));
	op = kit_op(k, OP_ACCOUNT_UNDELETE);
	OK(kit_apply(k, &op));
	assert_string_equal(script_text(k, ""), "keep;");
	op = kit_op(k, OP_ACCOUNT_DELETE);
	OK(kit_apply(k, &op));
	op = kit_op(k, OP_ACCOUNT_PURGE);
	OK(kit_apply(k, &op));
	assert_int_equal(kit_rows(k, "script") + kit_rows(k, "scripttext"), 0);
	kit_end(k);
}

/* ---- keys ---- */

static enum status
remember(char letter, bool known, uint64_t seconds, uint64_t max)
{
	struct delivery d = { .keys_max = max };

	delivery_key(&d, SIEVE_KEY_DUPLICATE, letter, known, seconds);
	return delivery_run(k, &d);
}

static void
a_key_is_known_until_its_time_is_over(void **state)
{
	OK(remember('a', false, 60, 0));
	assert_true(key_known(k, SIEVE_KEY_DUPLICATE, 'a'));
	assert_false(key_known(k, SIEVE_KEY_VACATION, 'a'));
	assert_false(key_known(k, SIEVE_KEY_DUPLICATE, 'b'));
	IS(remember('a', false, 60, 0), ST_CONFLICT);
	k->time_ms += 50000;
	OK(remember('a', true, 0, 0));		/* it was asked for, and stays as it is */
	k->time_ms += 10000;
	assert_false(key_known(k, SIEVE_KEY_DUPLICATE, 'a'));
	IS(remember('a', true, 0, 0), ST_CONFLICT);
	OK(remember('a', false, 60, 0));
	OK(remember('a', true, 3600, 0));	/* from the last time on */
	k->time_ms += 70000;
	assert_true(key_known(k, SIEVE_KEY_DUPLICATE, 'a'));
	assert_int_equal(kit_rows(k, "sievekey"), 1);
	kit_end(k);
}

static void
keys_whose_time_is_over_are_given_up(void **state)
{
	struct op op;
	bool some;

	OK(remember('a', false, 10, 0));
	OK(remember('b', false, 10, 0));
	OK(remember('c', false, 1000, 0));
	OK(state_sieve_keys_expired(k->s, 7, k->time_ms, &some));
	assert_false(some);
	k->time_ms += 20000;
	OK(state_sieve_keys_expired(k->s, 7, k->time_ms, &some));
	assert_true(some);
	op = kit_op(k, OP_SIEVE_KEYS_PURGE);
	op.u.sieve_keys_purge.rows = 1;
	OK(kit_apply(k, &op));
	assert_true(k->r.more && kit_rows(k, "sievekey") == 2);
	op = kit_op(k, OP_SIEVE_KEYS_PURGE);
	OK(kit_apply(k, &op));
	assert_true(!k->r.more && kit_rows(k, "sievekey") == 1);
	assert_true(key_known(k, SIEVE_KEY_DUPLICATE, 'c'));
	kit_end(k);
}

static void
of_too_many_keys_the_oldest_are_forgotten(void **state)
{
	struct state_account a;

	OK(remember('z', false, 1, 4));		/* over first, so it goes first */
	for (char c = 'a'; c < 'e'; c++)
		OK(remember(c, false, 100000, 4));
	assert_int_equal(kit_rows(k, "sievekey"), 4);
	assert_true(key_known(k, SIEVE_KEY_DUPLICATE, 'a'));
	OK(remember('e', false, 100000, 4));
	assert_false(key_known(k, SIEVE_KEY_DUPLICATE, 'a'));
	assert_true(key_known(k, SIEVE_KEY_DUPLICATE, 'b'));
	assert_true(key_known(k, SIEVE_KEY_DUPLICATE, 'e'));
	OK(state_account(k->s, 7, &a));
	assert_int_equal(a.sieve_keys, 4);
	kit_end(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_script_is_put_read_and_put_anew, set_up),
		cmocka_unit_test_setup(whoever_knows_a_script_is_not_told_its_text_again, set_up),
		cmocka_unit_test_setup(one_is_active_and_it_is_never_lost, set_up),
		cmocka_unit_test_setup(a_name_that_is_taken_is_not_given_again, set_up),
		cmocka_unit_test_setup(limits_are_judged_with_what_is_replaced, set_up),
		cmocka_unit_test_setup(a_change_that_names_another_state_does_nothing, set_up),
		cmocka_unit_test_setup(
		    mail_does_not_change_the_state_of_scripts_and_scripts_not_that_of_mail, set_up),
		cmocka_unit_test_setup(scripts_go_with_the_account, set_up),
		cmocka_unit_test_setup(a_key_is_known_until_its_time_is_over, set_up),
		cmocka_unit_test_setup(keys_whose_time_is_over_are_given_up, set_up),
		cmocka_unit_test_setup(of_too_many_keys_the_oldest_are_forgotten, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
