/* Records and operations that are not as they should be, or of an earlier version. */
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
a_damaged_record_is_named(void **state)
{
	static const char bad[] = "\x01garbage";
	struct engine_txn *t;
	struct buf b = { 0 }, value = { 0 };
	struct state_account a;
	unsigned char key[8];
	unsigned table;

	for (table = 0; strcmp(state_tables[table], "account") != 0; table++)
		;
	put_be64(key, 7);
	OK(engine_get(k->e, NULL, table, span(key, 8), &value));
	OK(engine_begin(k->e, &t));
	OK(engine_put(t, table, span(key, 8), span(bad, sizeof(bad))));
	OK(engine_commit(&t));
	IS(state_account(k->s, 7, &a), ST_CORRUPT);
	state_damage(k->s, &b);
	assert_string_equal(buf_cstr(&b), "account 0000000000000007");
	OK(engine_begin(k->e, &t));
	OK(engine_put(t, table, span(key, 8), buf_span(&value)));
	OK(engine_commit(&t));
	buf_fini(&b);
	buf_fini(&value);
}

static void
the_check_finds_what_does_not_add_up(void **state)
{
	static const char *const tables[] = { "mindex", "uidmap", "message", "extent", "thread",
		"mboxname", "mailbox" };

	OK(kit_append(k, "INBOX", 2, 10, 0, NULL, 5));
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		struct buf report = { 0 }, key = { 0 }, value = { 0 };
		struct engine_cursor *c;
		struct engine_txn *t;
		struct span a, b;
		uint64_t wrong;
		unsigned table;

		for (table = 0; strcmp(state_tables[table], tables[i]) != 0; table++)
			;
		OK(engine_cursor_open(k->e, NULL, table, SPAN_NONE, &c));
		OK(engine_cursor_next(c, &a, &b));
		buf_add_span(&key, a);
		buf_add_span(&value, b);
		engine_cursor_close(&c);
		OK(engine_begin(k->e, &t));
		OK(engine_del(t, table, buf_span(&key)));
		OK(engine_commit(&t));
		OK(state_check(k->s, &report, &wrong));
		assert_true(wrong > 0);
		OK(engine_begin(k->e, &t));
		OK(engine_put(t, table, buf_span(&key), buf_span(&value)));
		OK(engine_commit(&t));
		buf_fini(&report);
		buf_fini(&key);
		buf_fini(&value);
	}
}

static void
malformed_operations_are_refused(void **state)
{
	struct op op = kit_op(k, OP_MAILBOX_RENAME), back;
	struct buf b = { 0 };

	op.u.mailbox_rename.from = SPAN_LIT("a");
	op.u.mailbox_rename.to = SPAN_LIT("b");
	op_encode(&op, &b);
	for (size_t n = 0; n < b.len; n++)
		assert_false(op_decode(&back, span(b.data, n)));
	assert_true(op_decode(&back, buf_span(&b)));
	assert_true(span_eq_str(back.u.mailbox_rename.to, "b"));
	b.data[0] = 2;
	assert_false(op_decode(&back, buf_span(&b)));
	b.data[0] = OP_VERSION;
	b.data[1] = 99;
	assert_false(op_decode(&back, buf_span(&b)));
	op = kit_op(k, OP_EXPUNGE);
	op.u.expunge.mailbox = kit_mailbox(k, "INBOX");
	op.u.expunge.uids = SPAN_LIT("\x05junk");
	IS(kit_apply(k, &op), ST_SYNTAX);
	buf_fini(&b);
}

/* ---- records of earlier versions ---- */

/* As it was before URLs that authorize and annotations of messages. */
static void
put_old_account(struct buf *b, const struct rec_account *r)
{
	const uint64_t first[] = { r->modseq, r->horizon, r->mail_modseq, r->mailbox_modseq,
		r->thread_modseq };
	const uint64_t rest[] = { r->bytes, r->messages, r->mailboxes, r->kept_bytes,
		r->bytes_limit, r->messages_limit, r->mailboxes_limit, (uint64_t)r->created_ms,
		(uint64_t)r->deleted_ms };

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		put_u64(b, first[i]);
	put_u32(b, r->uidvalidity);
	put_u8(b, r->keywords);
	put_u8(b, r->purged);
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		put_u64(b, rest[i]);
	put_varint(b, r->uidls);
	put_varint(b, r->metadata_bytes);
	put_u8(b, r->stage);
}

static void
account_records_of_earlier_versions_are_read(void **state)
{
	struct rec_account r = { .modseq = 9, .horizon = 1, .uidvalidity = 7, .keywords = 3,
		.bytes = 1000, .messages = 2, .uidls = 300, .metadata_bytes = 20, .stage = true,
		.thread_modseq = 6, .delivery_modseq = 6 };
	struct rec_account got;
	struct buf old = { 0 }, b = { 0 };

	put_old_account(&old, &r);
	memset(&got, 0xff, sizeof(got));
	assert_true(rec_account_get(buf_span(&old), &got));
	assert_true(got.modseq == 9 && got.uidls == 300 && got.stage);
	assert_true(got.urls_reset == 0 && got.urls_told == 0);
	assert_true(got.annotation_bytes == 0 && got.annotation_others == 0);
	assert_true(got.annlog_rows == 0 && got.annlog_bytes == 0);
	assert_true(got.delivery_modseq == 6);
	/* and written so where nothing new is in it */
	rec_account_put(&b, &r);
	assert_true(span_eq(buf_span(&b), buf_span(&old)));

	r.urls_reset = r.urls_told = 8;
	buf_clear(&b);
	rec_account_put(&b, &r);
	assert_true(rec_account_get(buf_span(&b), &got));
	assert_true(got.urls_reset == 8 && got.urls_told == 8 && got.annotation_bytes == 0);
	r.annlog_rows = 5;
	r.urls_reset = r.urls_told = 0;
	buf_clear(&b);
	rec_account_put(&b, &r);
	assert_true(rec_account_get(buf_span(&b), &got));
	assert_true(got.urls_told == 0 && got.annlog_rows == 5 && got.delivery_modseq == 6);
	r.thread_modseq = 8;
	r.annlog_rows = 0;
	buf_clear(&b);
	rec_account_put(&b, &r);
	assert_true(rec_account_get(buf_span(&b), &got));
	assert_true(got.annlog_rows == 0 && got.thread_modseq == 8 && got.delivery_modseq == 6);
	buf_fini(&old);
	buf_fini(&b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, kit_one_setup, kit_one_teardown)

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		T(account_records_of_earlier_versions_are_read),
		T(a_damaged_record_is_named),
		T(the_check_finds_what_does_not_add_up),
		T(malformed_operations_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	return engines_each(run);
}
