/* What is in memory, being written and in the tables reads as one: against an array, with
 * commits, aborts and checkpoints at random, inside of a transaction and beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/bytes.h"
#include "common/util/mem.h"
#include "storage/engine/engine.h"
#include "storage/engine/layer.h"
#include "t/unit/storage/engines.h"

#define KEYS 600u
#define OK(expr) assert_int_equal((expr), ST_OK)

static const char *const tables[] = { "one", "two" };
static uint32_t seed;

static uint32_t
random_to(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* 200 keys of each of three prefixes. */
static struct span
key_of(char mem[3], uint32_t i)
{
	mem[0] = (char)('a' + i / 200);
	mem[1] = (char)(i % 200 / 16);
	mem[2] = (char)(i % 200 % 16);
	return span(mem, 3);
}

/* 0: not there; else the value is so many bytes of it. */
struct model {
	unsigned char	is[KEYS], mine[KEYS];
};

static struct span
value_of(char mem[256], unsigned char v)
{
	memset(mem, v, v);
	return span(mem, v);
}

static void
row_is(uint32_t i, unsigned char v, struct span key, struct span value)
{
	char mem[3], bytes[256];

	assert_true(span_eq(key, key_of(mem, i)));
	assert_true(span_eq(value, value_of(bytes, v)));
}

static void
walk(struct engine *e, struct engine_txn *t, const unsigned char *m, int prefix)
{
	uint32_t lo = prefix < 0 ? 0 : (uint32_t)prefix * 200, hi = prefix < 0 ? KEYS : lo + 200;
	char p = (char)('a' + prefix), mem[3];
	uint32_t i = lo + random_to(hi - lo);
	struct engine_cursor *c;
	struct span key, value;
	unsigned steps = 1 + random_to(300);

	OK(engine_cursor_open(e, t, 1, span(&p, prefix < 0 ? 0 : 1), &c));
	engine_cursor_seek(c, key_of(mem, i));
	for (; i < hi && steps-- > 0; i += steps > 0) {
		while (i < hi && m[i] == 0)
			i++;
		if (i == hi)
			break;
		OK(engine_cursor_next(c, &key, &value));	/* stands on it */
		row_is(i, m[i], key, value);
	}
	if (i == hi)
		assert_int_equal(engine_cursor_next(c, &key, &value), ST_NOT_FOUND);
	for (; i > lo; i--) {
		while (i > lo && m[i - 1] == 0)
			i--;
		if (i == lo)
			break;
		OK(engine_cursor_prev(c, &key, &value));
		row_is(i - 1, m[i - 1], key, value);
	}
	assert_int_equal(engine_cursor_prev(c, &key, &value), ST_NOT_FOUND);
	engine_cursor_seek_end(c);
	for (i = hi; i > lo && m[i - 1] == 0; i--)
		;
	assert_int_equal(engine_cursor_prev(c, &key, &value), i > lo ? ST_OK : ST_NOT_FOUND);
	if (i > lo)
		row_is(i - 1, m[i - 1], key, value);
	engine_cursor_close(&c);
}

static void
compare(struct engine *e, struct engine_txn *t, const unsigned char *m)
{
	struct buf v = { 0 };
	char mem[3], bytes[256];

	for (unsigned n = 0; n < 20; n++) {
		uint32_t i = random_to(KEYS);

		assert_int_equal(engine_get(e, t, 1, key_of(mem, i), &v), m[i] == 0 ? ST_NOT_FOUND : ST_OK);
		assert_true(m[i] == 0 || span_eq(buf_span(&v), value_of(bytes, m[i])));
	}
	walk(e, t, m, (int)random_to(4) - 1);
	buf_fini(&v);
}

static void
change(struct engine_txn *t, struct model *m)
{
	char mem[3], bytes[256];
	uint32_t i = random_to(KEYS);
	unsigned char v = (unsigned char)(1 + random_to(255));

	switch (random_to(4)) {
	case 0:
		assert_int_equal(engine_del(t, 1, key_of(mem, i)), m->mine[i] == 0 ? ST_NOT_FOUND : ST_OK);
		m->mine[i] = 0;
		return;
	case 1:
		assert_int_equal(engine_insert(t, 1, key_of(mem, i), value_of(bytes, v)),
		    m->mine[i] == 0 ? ST_OK : ST_EXISTS);
		m->mine[i] = m->mine[i] == 0 ? v : m->mine[i];
		return;
	default:
		OK(engine_put(t, 1, key_of(mem, i), value_of(bytes, v)));
		m->mine[i] = v;
	}
}

static void
run_model(bool manual, unsigned rounds)
{
	const struct engine_opts o = { .kind = engines_kind(), .tables = tables, .n_tables = 2,
		.small = true, .manual = manual };
	struct model *m = mem_zalloc(sizeof(*m));
	char dir[] = "/tmp/mansio-recent-XXXXXX", cmd[64];
	struct engine_txn *t;
	struct engine *e;

	assert_non_null(mkdtemp(dir));
	OK(engine_open(dir, &o, &e));
	for (unsigned r = 0; r < rounds; r++) {
		OK(engine_begin(e, &t));
		for (unsigned n = random_to(r % 50 == 0 ? 400 : 30); n > 0; n--)
			change(t, m);
		compare(e, t, m->mine);
		if (manual)	/* beside the other engine's writer a reader may wait for itself */
			compare(e, NULL, m->is);
		if (random_to(5) == 0) {
			engine_abort(&t);
			memcpy(m->mine, m->is, sizeof(m->is));
		} else {
			OK(engine_commit(&t));
			memcpy(m->is, m->mine, sizeof(m->is));
		}
		compare(e, NULL, m->is);
		if (random_to(20) == 0)
			OK(engine_checkpoint(e));
		if (random_to(60) == 0) {
			OK(engine_close(&e));
			OK(engine_open(dir, &o, &e));
		}
	}
	OK(engine_close(&e));
	mem_free(&m);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	assert_int_equal(system(cmd), 0);
}

static void
rows_read_as_one_wherever_they_are(void **state)
{
	seed = 20260;
	run_model(true, 300);
}

static void
also_while_a_thread_writes_them(void **state)
{
	seed = 4711;
	run_model(false, 300);
}

static void
a_layer_that_was_emptied_is_as_new(void **state)
{
	struct layer *l = layer_new(1);
	struct span v = SPAN_LIT("value"), got;
	char k[4];

	for (unsigned round = 0; round < 3; round++) {
		assert_false(layer_used(l));
		for (uint32_t i = 0; i < 3000; i++) {
			put_be32(k, i * 2654435761u);
			layer_put(l, 0, span(k, 4), i % 3 == 0 ? NULL : &v);
		}
		assert_int_equal(layer_get(l, 0, span(k, 4), false, &got), LAYER_NONE);
		layer_commit(l);
		for (uint32_t i = 0; i < 3000; i++) {
			put_be32(k, i * 2654435761u);
			assert_int_equal(layer_get(l, 0, span(k, 4), false, &got),
			    i % 3 == 0 ? LAYER_GONE : LAYER_VALUE);
		}
		assert_int_equal(layer_rows(l), 3000);
		layer_empty(l, round == 0 ? 1u << 20 : 100000);
		assert_int_equal(layer_get(l, 0, span(k, 4), false, &got), LAYER_NONE);
		assert_null(layer_at(l, 0, SPAN_NONE));
	}
	layer_free(&l);
}

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_read_as_one_wherever_they_are),
		cmocka_unit_test(also_while_a_thread_writes_them),
		cmocka_unit_test(a_layer_that_was_emptied_is_as_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	return engines_each(run);
}
