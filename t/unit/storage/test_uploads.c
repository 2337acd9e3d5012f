/* Blobs that JMAP's clients upload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "storage/state/emails.h"
#include "storage/state/schema.h"
#include "t/unit/storage/engines.h"
#include "t/unit/storage/statekit.h"

static struct kit *const k = &kit_one;

static enum status
upload(uint64_t size, uint64_t bytes_max, uint32_t count_max, uint64_t *id)
{
	struct op op = kit_op(k, OP_BLOB_PUT);
	unsigned char sha[32] = { (unsigned char)size };
	struct store_blob_is is;
	enum status st;

	op.u.blob_put = (struct op_blob_put){ size, span(sha, sizeof(sha)), 2, bytes_max,
		count_max, 10000000, 3600000 };
	st = kit_apply(k, &op);
	if (st == ST_OK) {
		kit_reply(k, STORE_BLOB_IS, &is);
		assert_true(is.expires_ms >= 10000000 && !k->r.changed);
		*id = is.id;
	}
	return st;
}

static unsigned
uploads(uint64_t id, bool *there)
{
	struct buf b = { 0 };
	struct store_blob x;
	struct reader r;
	unsigned n = 0;

	*there = false;
	OK(state_blobs(k->s, 7, SPAN_NONE, 100000, &b));
	reader_init(&r, b.data, b.len);
	for (; get_store_blob(&r, &x); n++)
		*there |= x.id == id;
	assert_true(reader_done(&r));
	buf_fini(&b);
	return n;
}

static size_t
extents(void)
{
	struct engine_cursor *c;
	size_t n = 0;
	unsigned t = 0;

	while (strcmp(state_tables[t], "extent") != 0)
		t++;
	OK(engine_cursor_open(k->e, NULL, t, SPAN_NONE, &c));
	while (engine_cursor_next(c, NULL, NULL) == ST_OK)
		n++;
	engine_cursor_close(&c);
	return n;
}

static void
uploads_make_room_for_each_other_but_within_an_hour(void **state)
{
	struct state_body body;
	struct buf locs = { 0 };
	struct op op;
	uint64_t a, b, c, account = 0, id = 0;
	size_t before = extents();
	bool there;

	IS(upload(1001, 1000, 3, &a), ST_OVER_QUOTA);
	OK(upload(600, 1000, 3, &a));
	IS(upload(500, 1000, 3, &b), ST_OVER_QUOTA);	/* a is too young to go */
	OK(upload(400, 1000, 3, &b));
	OK(state_blob_body(k->s, 7, a, &body, &locs));
	assert_true(body.stored_size == 200 && body.n_locs == 2 && body.uid == 1);
	IS(state_blob_body(k->s, 7, 4711, &body, &locs), ST_NOT_FOUND);
	IS(state_blob_body(k->s, 8, a, &body, &locs), ST_NOT_FOUND);
	assert_int_equal(uploads(b, &there), 2);
	assert_true(there && extents() == before + 2);
	k->time_ms += 3700000;
	OK(upload(300, 1000, 3, &c));			/* the oldest goes */
	assert_int_equal(uploads(a, &there), 2);
	assert_false(there);
	IS(upload(10, 0, 1, &a), ST_OVER_QUOTA);	/* c stays */
	OK(upload(10, 0, 2, &a));
	assert_int_equal(uploads(b, &there), 2);
	assert_false(there);
	IS(state_blob_expired(k->s, &account, &id, k->time_ms, 100), ST_NOT_FOUND);
	k->time_ms += 10000001;
	account = id = 0;
	OK(state_blob_expired(k->s, &account, &id, k->time_ms, 100));
	assert_true(account == 7);
	op = kit_op(k, OP_BLOB_PURGE);
	op.u.blob_purge.rows = 1;
	OK(kit_apply(k, &op));
	assert_true(k->r.more);
	OK(kit_apply(k, &op));
	assert_false(k->r.more);
	assert_int_equal(uploads(a, &there), 0);
	assert_int_equal(extents(), before);
	buf_fini(&locs);
}

static void
what_was_uploaded_goes_with_the_account(void **state)
{
	struct op op;
	uint64_t a;

	OK(upload(600, 0, 0, &a));
	op = kit_op(k, OP_ACCOUNT_DELETE);
	OK(kit_apply(k, &op));
	do {
		op = kit_op(k, OP_ACCOUNT_PURGE);
		OK(kit_apply(k, &op));
	} while (k->r.more);
	assert_int_equal(extents(), 0);
}

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    uploads_make_room_for_each_other_but_within_an_hour, kit_one_setup, kit_one_teardown),
		cmocka_unit_test_setup_teardown(
		    what_was_uploaded_goes_with_the_account, kit_one_setup, kit_one_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	return engines_each(run);
}
