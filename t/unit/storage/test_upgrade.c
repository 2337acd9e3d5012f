/* Records of earlier schemas: read, renewed piece by piece, and a newer database refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/digest.h"
#include "common/util/mem.h"
#include "storage/state/schema.h"
#include "storage/state/upgrade.h"
#include "t/unit/storage/statekit.h"

static struct kit kit, *const k = &kit;

static int
setup(void **state)
{
	kit_open(k);
	OK(kit_account(k, 7));
	return 0;
}

static int
teardown(void **state)
{
	kit_close(k);
	return 0;
}

static void
some_mail(void)
{
	OK(kit_create(k, "Work"));
	for (unsigned i = 0; i < 20; i++)
		OK(kit_append(k, i % 3 == 0 ? "Work" : "INBOX", 10, 100 + i,
		    i % 2 == 0 ? FLAG_SEEN : 0, NULL, i % 5));
	OK(kit_copy(k, kit_mailbox(k, "INBOX"), "1:20", "Work", false));
	OK(kit_flags(k, kit_mailbox(k, "INBOX"), "5:60", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, kit_mailbox(k, "INBOX"), "1:99"));
}

/* As the first release wrote them. */
static void
message_put_1(struct buf *b, const struct rec_message *r)
{
	put_u64(b, r->extent);
	put_u64(b, r->thread);
	put_varint(b, r->size);
	put_u64(b, r->subject_hash);
	buf_add(b, r->sha256, sizeof(r->sha256));
	put_u64(b, (uint64_t)r->received_s);
	put_u64(b, (uint64_t)r->saved_s);
	put_u16(b, (uint16_t)r->received_zone);
	put_u64(b, r->home_mailbox);
	put_u32(b, r->home_uid);
	put_u64(b, r->gone_modseq);
	put_span(b, r->thread_keys);
	put_span(b, r->members);
}

static void
value_end(struct buf *b, struct span key)
{
	put_u32(b, crc32c(crc32c(0, key.p, key.len), b->data, b->len));
}

/* There was no such list then. */
static void
forget_kept(struct engine_txn *txn)
{
	struct buf keys = { 0 };
	struct engine_cursor *c;
	struct span key, value;
	struct reader r;

	OK(engine_cursor_open(k->e, NULL, TAB_UNDEL, SPAN_NONE, &c));
	while (engine_cursor_next(c, &key, &value) == ST_OK)
		put_span(&keys, key);
	engine_cursor_close(&c);
	reader_init(&r, keys.data, keys.len);
	while (keys.len > 0 && r.p < r.end)
		OK(engine_del(txn, TAB_UNDEL, get_span(&r)));
	buf_fini(&keys);
}

/* The rows of a table as they were before; how many. */
static unsigned
age_messages(void)
{
	struct buf rows = { 0 }, b = { 0 };
	struct engine_cursor *c;
	struct engine_txn *txn;
	struct span key, value, payload;
	struct rec_message m;
	struct reader r;
	unsigned n = 0;

	OK(engine_cursor_open(k->e, NULL, TAB_MESSAGE, SPAN_NONE, &c));
	for (; engine_cursor_next(c, &key, &value) == ST_OK; n++) {
		assert_true(rec_open(TAB_MESSAGE, key, value, &payload));
		assert_true(rec_message_get(payload, &m));
		buf_clear(&b);
		put_u8(&b, 1);
		message_put_1(&b, &m);
		value_end(&b, key);
		put_span(&rows, key);
		put_span(&rows, buf_span(&b));
	}
	engine_cursor_close(&c);
	OK(engine_begin(k->e, &txn));
	reader_init(&r, rows.data, rows.len);
	for (unsigned i = 0; i < n; i++) {
		key = get_span(&r);
		OK(engine_put(txn, TAB_MESSAGE, key, get_span(&r)));
	}
	OK(engine_del(txn, TAB_META, SPAN_LIT("schema")));
	forget_kept(txn);
	OK(engine_commit(&txn));
	buf_fini(&rows);
	buf_fini(&b);
	return n;
}

static unsigned
old_messages(void)
{
	struct engine_cursor *c;
	struct span key, value;
	unsigned n = 0;

	OK(engine_cursor_open(k->e, NULL, TAB_MESSAGE, SPAN_NONE, &c));
	while (engine_cursor_next(c, &key, &value) == ST_OK)
		n += value.p[0] == 1;
	engine_cursor_close(&c);
	return n;
}

static void
old_records_are_read_and_renewed_across_restarts(void **state)
{
	unsigned char before[32], after[32];
	struct state_schema sc;
	unsigned n, left, pieces = 0;
	bool more = true;

	some_mail();
	OK(state_hash(k->s, 7, before));
	n = age_messages();
	assert_true(n >= 200);
	assert_int_equal(old_messages(), n);
	kit_reopen(k);
	state_schema(k->s, &sc);
	assert_int_equal(sc.complete, 1);
	assert_int_equal(sc.written, SCHEMA_VERSION);
	OK(state_hash(k->s, 7, after));
	assert_memory_equal(before, after, 32);
	kit_check(k);

	/* What changes is renewed with it. */
	OK(kit_flags(k, kit_mailbox(k, "Work"), "1", FLAGS_ADD, FLAG_DELETED, NULL, UINT64_MAX));
	OK(kit_expunge(k, kit_mailbox(k, "Work"), "1"));
	assert_int_equal(old_messages(), n - 1);
	OK(state_hash(k->s, 7, before));

	for (left = n - 1; more; pieces++) {
		OK(state_upgrade(k->s, 2000, &more));
		assert_true(old_messages() < left || left == 0 || !more);
		left = old_messages();
		if (pieces % 4 == 0)
			kit_reopen(k);
		OK(state_hash(k->s, 7, after));
		assert_memory_equal(before, after, 32);
	}
	assert_true(pieces > 8);
	assert_int_equal(left, 0);
	state_schema(k->s, &sc);
	assert_int_equal(sc.complete, SCHEMA_VERSION);
	kit_reopen(k);
	state_schema(k->s, &sc);
	assert_int_equal(sc.complete, SCHEMA_VERSION);
	OK(state_upgrade(k->s, 2000, &more));
	assert_false(more);
	/* Row by row what a replay makes. */
	kit_check(k);
}

static void
a_damaged_record_is_passed_over(void **state)
{
	struct engine_cursor *c;
	struct engine_txn *txn;
	struct buf key = { 0 }, value = { 0 };
	struct span a, b;
	unsigned n;
	bool more = true;

	some_mail();
	n = age_messages();
	OK(engine_cursor_open(k->e, NULL, TAB_MESSAGE, SPAN_NONE, &c));
	for (unsigned i = 0; i < n / 2; i++)
		OK(engine_cursor_next(c, &a, &b));
	buf_add_span(&key, a);
	buf_add_span(&value, b);
	engine_cursor_close(&c);
	value.data[9] ^= 1;
	OK(engine_begin(k->e, &txn));
	OK(engine_put(txn, TAB_MESSAGE, buf_span(&key), buf_span(&value)));
	OK(engine_commit(&txn));
	kit_reopen(k);
	while (more)
		OK(state_upgrade(k->s, 4000, &more));
	assert_int_equal(old_messages(), 1);
	buf_fini(&key);
	buf_fini(&value);
}

static void
a_newer_database_is_refused_and_left_alone(void **state)
{
	struct rec_schema newer = { .written = SCHEMA_VERSION + 1, .complete = 1 };
	const struct span key = SPAN_LIT("schema");
	struct engine_txn *txn;
	struct buf b = { 0 }, kept = { 0 };
	struct state *s;

	OK(engine_get(k->e, NULL, TAB_META, key, &kept));
	rec_start(&b);
	rec_schema_put(&b, &newer);
	rec_end(&b, TAB_META, key);
	OK(engine_begin(k->e, &txn));
	OK(engine_put(txn, TAB_META, key, buf_span(&b)));
	OK(engine_commit(&txn));
	state_close(&k->s);
	assert_int_equal(state_open(k->e, 3, &s), ST_UNSUPPORTED);
	assert_null(s);
	OK(engine_begin(k->e, &txn));
	OK(engine_put(txn, TAB_META, key, buf_span(&kept)));
	OK(engine_commit(&txn));
	OK(state_open(k->e, 3, &k->s));
	buf_fini(&b);
	buf_fini(&kept);
}

static void
same_message(const struct rec_message *a, const struct rec_message *b)
{
	assert_true(a->extent == b->extent && a->thread == b->thread && a->size == b->size);
	assert_true(a->subject_hash == b->subject_hash && a->received_s == b->received_s);
	assert_true(a->saved_s == b->saved_s && a->received_zone == b->received_zone);
	assert_true(a->home_mailbox == b->home_mailbox && a->home_uid == b->home_uid);
	assert_true(a->gone_modseq == b->gone_modseq);
	assert_memory_equal(a->sha256, b->sha256, 32);
	assert_true(span_eq(a->thread_keys, b->thread_keys) && span_eq(a->members, b->members));
}

static void
a_message_comes_back_as_it_was_written_in_both_forms(void **state)
{
	static const uint64_t ids[] = { 0, 1, (uint64_t)3 << 48 | 99, UINT64_MAX };
	static const int64_t times[] = { 0, -1, 1700000000, INT64_MIN, INT64_MAX };
	struct buf members = { 0 };

	put_rec_member(&members, (struct rec_member){ (uint64_t)3 << 48 | 99, 7 });
	put_rec_member(&members, (struct rec_member){ 5, UINT32_MAX });
	for (unsigned i = 0; i < 4 * 5 * 8; i++) {
		struct rec_message m = { .extent = ids[i % 4], .thread = ids[(i + 1) % 4],
		    .size = ids[i % 3], .subject_hash = ids[i / 20 % 4], .received_s = times[i % 5],
		    .saved_s = times[(i + i / 5) % 5], .received_zone = -720,
		    .home_mailbox = ids[i / 20 % 4], .home_uid = i % 2 != 0 ? 7 : UINT32_MAX,
		    .gone_modseq = ids[i % 4], .thread_keys = span("12345678", i % 2 * 8),
		    .members = span(members.data, i % 3 * MEMBER_BYTES) }, is;
		struct buf b = { 0 };
		struct span payload, key = SPAN_LIT("key");

		memset(m.sha256, (int)i, sizeof(m.sha256));
		rec_start(&b);
		rec_message_put(&b, &m);
		rec_end(&b, TAB_MESSAGE, key);
		assert_true(rec_open(TAB_MESSAGE, key, buf_span(&b), &payload));
		assert_true(rec_message_get(payload, &is));
		same_message(&m, &is);
		buf_clear(&b);
		put_u8(&b, 1);
		message_put_1(&b, &m);
		value_end(&b, key);
		assert_true(rec_open(TAB_MESSAGE, key, buf_span(&b), &payload));
		assert_true(rec_message_get(payload, &is));
		same_message(&m, &is);
		b.data[0] = 3;
		assert_false(rec_open(TAB_MESSAGE, key, buf_span(&b), &payload));
		buf_fini(&b);
	}
	buf_fini(&members);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_message_comes_back_as_it_was_written_in_both_forms),
		T(old_records_are_read_and_renewed_across_restarts),
		T(a_damaged_record_is_passed_over),
		T(a_newer_database_is_refused_and_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
