/* The engine's contract over Berkeley DB. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/bytes.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/engine/engine.h"

/* Berkeley DB does not free what an environment held that panicked. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libdb-";
}

enum { META, ROWS, N_TABLES };
static const char *const tables[] = { "meta", "rows" };
static const struct engine_opts opts = { .tables = tables, .n_tables = N_TABLES,
    .small = true };

static char dir[128];

static void
run(const char *what, const char *path, const char *tail)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "%s %s%s", what, path, tail);
	assert_int_equal(system(cmd), 0);
}

static int
setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/mansio-engine-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int
teardown(void **state)
{
	run("rm -rf", dir, "*");
	return 0;
}

static struct engine *
open_ok(const struct engine_opts *o)
{
	struct engine *e;

	assert_int_equal(engine_open(dir, o, &e), ST_OK);
	return e;
}

static struct span
key32(char mem[4], uint32_t n)
{
	put_be32(mem, n);
	return span(mem, 4);
}

static void
put_rows(struct engine *e, uint32_t from, uint32_t to, size_t len)
{
	struct engine_txn *t;
	char k[4], *v = mem_zalloc(len);

	assert_int_equal(engine_begin(e, &t), ST_OK);
	for (uint32_t i = from; i < to; i++) {
		memset(v, 'a' + (int)(i % 26), len);
		assert_int_equal(engine_put(t, ROWS, key32(k, i), span(v, len)), ST_OK);
	}
	put_be32(v, to);
	assert_int_equal(engine_put(t, META, SPAN_LIT("applied"), span(v, 4)), ST_OK);
	assert_int_equal(engine_commit(&t), ST_OK);
	mem_free(&v);
}

static uint32_t
applied(struct engine *e)
{
	struct buf v = { 0 };
	uint32_t n = 0;
	enum status st = engine_get(e, NULL, META, SPAN_LIT("applied"), &v);

	if (st == ST_OK)
		n = get_be32(v.data);
	else
		assert_int_equal(st, ST_NOT_FOUND);
	buf_fini(&v);
	return n;
}

static uint32_t
count_rows(struct engine *e, struct span prefix)
{
	struct engine_cursor *c;
	struct span k, v;
	uint32_t n = 0;

	assert_int_equal(engine_cursor_open(e, NULL, ROWS, prefix, &c), ST_OK);
	while (engine_cursor_next(c, &k, &v) == ST_OK)
		n++;
	engine_cursor_close(&c);
	return n;
}

static void
committed_rows_are_there_and_aborted_ones_are_not(void **state)
{
	struct engine *e = open_ok(&opts);
	struct engine_txn *t;
	struct buf v = { 0 };
	char k[4];

	put_rows(e, 0, 10, 5);
	assert_int_equal(engine_begin(e, &t), ST_OK);
	assert_int_equal(engine_put(t, ROWS, key32(k, 10), SPAN_LIT("x")), ST_OK);
	assert_int_equal(engine_del(t, ROWS, key32(k, 3)), ST_OK);
	assert_int_equal(engine_del(t, ROWS, key32(k, 77)), ST_NOT_FOUND);
	assert_int_equal(engine_insert(t, ROWS, key32(k, 4), SPAN_LIT("x")), ST_EXISTS);
	assert_int_equal(engine_get(e, t, ROWS, key32(k, 10), &v), ST_OK);
	assert_int_equal(engine_get(e, t, ROWS, key32(k, 3), NULL), ST_NOT_FOUND);
	engine_abort(&t);
	assert_null(t);
	assert_int_equal(engine_get(e, NULL, ROWS, key32(k, 10), &v), ST_NOT_FOUND);
	assert_int_equal(engine_get(e, NULL, ROWS, key32(k, 3), &v), ST_OK);
	assert_true(span_eq_str(buf_span(&v), "ddddd"));
	assert_int_equal(engine_get(e, NULL, ROWS, key32(k, 3), NULL), ST_OK);
	buf_fini(&v);
	assert_int_equal(engine_close(&e), ST_OK);

	e = open_ok(&opts);
	assert_int_equal(applied(e), 10);
	assert_int_equal(count_rows(e, SPAN_NONE), 10);
	assert_int_equal(engine_close(&e), ST_OK);
}

static void
long_values_and_keys_at_the_limit_come_back(void **state)
{
	struct engine *e = open_ok(&opts);
	struct engine_txn *t;
	struct engine_cursor *c;
	struct buf v = { 0 };
	struct span k, val;
	char key[ENGINE_KEY_MAX + 1];
	char *big = mem_alloc(1 << 20);

	memset(key, 'k', sizeof(key));
	memset(big, 'b', 1 << 20);
	assert_int_equal(engine_begin(e, &t), ST_OK);
	assert_int_equal(engine_put(t, ROWS, span(key, sizeof(key)), SPAN_LIT("")), ST_LIMIT);
	assert_int_equal(engine_put(t, ROWS, span(key, ENGINE_KEY_MAX),
	    span(big, 1 << 20)), ST_OK);
	assert_int_equal(engine_put(t, ROWS, SPAN_LIT("a"), SPAN_LIT("")), ST_OK);
	assert_int_equal(engine_commit(&t), ST_OK);
	assert_int_equal(engine_get(e, NULL, ROWS, span(key, ENGINE_KEY_MAX), &v), ST_OK);
	assert_int_equal(v.len, 1 << 20);
	assert_int_equal(engine_cursor_open(e, NULL, ROWS, SPAN_NONE, &c), ST_OK);
	assert_int_equal(engine_cursor_next(c, &k, &val), ST_OK);
	assert_int_equal(val.len, 0);
	assert_int_equal(engine_cursor_next(c, &k, &val), ST_OK);
	assert_int_equal(k.len, ENGINE_KEY_MAX);
	assert_int_equal(val.len, 1 << 20);
	assert_int_equal(engine_cursor_next(c, &k, &val), ST_NOT_FOUND);
	assert_int_equal(engine_cursor_prev(c, &k, &val), ST_OK);
	assert_int_equal(val.len, 1 << 20);
	assert_memory_equal(val.p, big, 1 << 20);
	assert_int_equal(engine_cursor_prev(c, &k, &val), ST_OK);
	assert_true(span_eq_str(k, "a"));
	engine_cursor_close(&c);
	buf_fini(&v);
	mem_free(&big);
	assert_int_equal(engine_close(&e), ST_OK);
}

static void
a_cursor_walks_its_prefix_both_ways_and_seeks(void **state)
{
	struct engine *e = open_ok(&opts);
	struct engine_cursor *c;
	struct span k, v;
	char mem[4], prefix[3];

	put_rows(e, 1, 2000, 64);
	put_be32(mem, 0x100);
	memcpy(prefix, mem, 3);
	assert_int_equal(count_rows(e, span(prefix, 3)), 256);
	assert_int_equal(count_rows(e, SPAN_NONE), 1999);

	assert_int_equal(engine_cursor_open(e, NULL, ROWS, span(prefix, 3), &c), ST_OK);
	engine_cursor_seek_end(c);
	for (uint32_t i = 0x1ff; i >= 0x100; i--) {
		assert_int_equal(engine_cursor_prev(c, &k, &v), ST_OK);
		assert_int_equal(get_be32(k.p), i);
	}
	assert_int_equal(engine_cursor_prev(c, &k, &v), ST_NOT_FOUND);
	assert_int_equal(engine_cursor_next(c, &k, &v), ST_OK);
	assert_int_equal(get_be32(k.p), 0x100);

	engine_cursor_seek(c, key32(mem, 0x150));
	assert_int_equal(engine_cursor_next(c, &k, &v), ST_OK);
	assert_int_equal(get_be32(k.p), 0x150);
	assert_int_equal(engine_cursor_next(c, &k, &v), ST_OK);
	assert_int_equal(engine_cursor_prev(c, &k, &v), ST_OK);
	assert_int_equal(get_be32(k.p), 0x150);
	assert_int_equal(engine_cursor_next(c, &k, &v), ST_OK);
	assert_int_equal(get_be32(k.p), 0x151);
	engine_cursor_seek(c, key32(mem, 0x200));
	assert_int_equal(engine_cursor_next(c, &k, &v), ST_NOT_FOUND);
	assert_int_equal(engine_cursor_prev(c, &k, &v), ST_OK);
	assert_int_equal(get_be32(k.p), 0x1ff);
	engine_cursor_seek(c, key32(mem, 1));
	assert_int_equal(engine_cursor_next(c, &k, &v), ST_OK);
	assert_int_equal(get_be32(k.p), 0x100);
	engine_cursor_close(&c);

	assert_int_equal(engine_cursor_open(e, NULL, ROWS, SPAN_NONE, &c), ST_OK);
	engine_cursor_seek_end(c);
	for (uint32_t i = 1999; i > 0; i--) {
		assert_int_equal(engine_cursor_prev(c, &k, &v), ST_OK);
		assert_int_equal(get_be32(k.p), i);
	}
	assert_int_equal(engine_cursor_prev(c, &k, &v), ST_NOT_FOUND);
	engine_cursor_close(&c);
	assert_int_equal(engine_close(&e), ST_OK);
}

static void
a_transaction_sees_its_own_changes_while_it_walks(void **state)
{
	struct engine *e = open_ok(&opts);
	struct engine_txn *t;
	struct engine_cursor *c;
	struct span k, v;
	uint32_t seen = 0;
	char mem[4];

	put_rows(e, 0, 300, 64);
	assert_int_equal(engine_begin(e, &t), ST_OK);
	assert_int_equal(engine_cursor_open(e, t, ROWS, SPAN_NONE, &c), ST_OK);
	while (engine_cursor_next(c, &k, &v) == ST_OK) {
		uint32_t n = get_be32(k.p);

		/* Each takes itself and its successor away. */
		assert_int_equal(n, seen++ * 2);
		assert_int_equal(engine_del(t, ROWS, k), ST_OK);
		assert_int_equal(engine_del(t, ROWS, key32(mem, n + 1)), ST_OK);
	}
	assert_int_equal(seen, 150);
	engine_cursor_close(&c);
	/* Committed rows are still whole for nobody but this thread's transaction. */
	assert_int_equal(engine_commit(&t), ST_OK);
	assert_int_equal(count_rows(e, SPAN_NONE), 0);
	assert_int_equal(engine_close(&e), ST_OK);
}

static void
after_kill_9_it_opens_at_a_committed_position(void **state)
{
	struct engine *e;
	uint32_t at;
	pid_t pid = fork();
	int wstatus;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (engine_open(dir, &opts, &e) != ST_OK)
			_exit(1);
		put_rows(e, 0, 500, 64);
		if (engine_checkpoint(e) != ST_OK)
			_exit(1);
		for (uint32_t i = 500; i < 3000; i += 100)
			put_rows(e, i, i + 100, 64);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &wstatus, 0), pid);
	assert_true(WIFSIGNALED(wstatus));
	e = open_ok(&opts);
	at = applied(e);
	assert_in_range(at, 500, 3000);
	assert_int_equal(at % 100, 0);
	assert_int_equal(count_rows(e, SPAN_NONE), at);
	assert_int_equal(engine_close(&e), ST_OK);
}

static void
flip_bytes(const char *name)
{
	char path[160];
	struct stat sb;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0 && fstat(fd, &sb) == 0);
	for (off_t off = 4096 + 100; off < sb.st_size; off += 4096) {
		char b;

		assert_int_equal(pread(fd, &b, 1, off), 1);
		b ^= 1;
		assert_int_equal(pwrite(fd, &b, 1, off), 1);
	}
	close(fd);
}

static void
a_damaged_page_is_reported_and_the_tables_are_set_aside(void **state)
{
	struct engine *e = open_ok(&opts);
	struct engine_txn *t;
	struct buf v = { 0 };
	struct stat sb;
	char k[4], *name = NULL;

	put_rows(e, 0, 1000, 64);
	assert_int_equal(engine_close(&e), ST_OK);
	flip_bytes("rows.db");

	e = open_ok(&opts);
	assert_int_equal(engine_get(e, NULL, ROWS, key32(k, 500), &v), ST_CORRUPT);
	assert_true(engine_failed(e));
	assert_int_equal(engine_begin(e, &t), ST_CORRUPT);
	assert_int_equal(engine_get(e, NULL, META, SPAN_LIT("applied"), &v), ST_CORRUPT);
	assert_int_equal(engine_checkpoint(e), ST_CORRUPT);
	assert_int_equal(engine_close(&e), ST_CORRUPT);

	assert_int_equal(engine_set_aside(dir, &name), ST_OK);
	assert_int_equal(stat(name, &sb), 0);
	mem_free(&name);
	e = open_ok(&opts);
	assert_int_equal(applied(e), 0);
	assert_int_equal(engine_close(&e), ST_OK);
	buf_fini(&v);
}

static void
a_hot_copy_opens_with_what_was_committed(void **state)
{
	struct engine_opts copy = opts;
	struct engine *e = open_ok(&opts);
	char home[64], dest[80];

	put_rows(e, 0, 700, 64);
	assert_int_equal(engine_checkpoint(e), ST_OK);
	put_rows(e, 700, 1500, 64);
	snprintf(home, sizeof(home), "%.60s", dir);
	snprintf(dest, sizeof(dest), "%s-copy", home);
	assert_int_equal(engine_hot_copy(e, dest), ST_OK);
	put_rows(e, 1500, 1600, 64);
	/* A second copy replaces the first. */
	assert_int_equal(engine_hot_copy(e, dest), ST_OK);
	put_rows(e, 1600, 1700, 64);
	assert_int_equal(engine_close(&e), ST_OK);

	copy.copy = true;
	snprintf(dir, sizeof(dir), "%s-copy", home);
	e = open_ok(&copy);
	assert_int_equal(applied(e), 1600);
	assert_int_equal(count_rows(e, SPAN_NONE), 1600);
	put_rows(e, 1600, 1650, 64);
	assert_int_equal(engine_close(&e), ST_OK);
	e = open_ok(&opts);
	assert_int_equal(applied(e), 1650);
	assert_int_equal(engine_close(&e), ST_OK);
	snprintf(dir, sizeof(dir), "%s", home);
}

static void
compaction_and_numbers_work_on_a_live_engine(void **state)
{
	struct engine *e = open_ok(&opts);
	struct engine_stats st;
	struct engine_txn *t;
	uint64_t freed;
	char k[4];

	put_rows(e, 0, 5000, 64);
	assert_int_equal(engine_begin(e, &t), ST_OK);
	for (uint32_t i = 0; i < 5000; i++)
		if (i % 8 != 0)
			assert_int_equal(engine_del(t, ROWS, key32(k, i)), ST_OK);
	assert_int_equal(engine_commit(&t), ST_OK);
	assert_int_equal(engine_compact(e, ROWS, SPAN_NONE, SPAN_NONE, &freed), ST_OK);
	assert_true(freed > 10);
	assert_int_equal(count_rows(e, SPAN_NONE), 625);
	engine_stats(e, &st);
	assert_int_equal(st.commits, 2);
	assert_true(st.log_bytes > 5000 * 64);
	assert_int_equal(engine_close(&e), ST_OK);
}

static void
a_missing_folder_is_not_called_damage(void **state)
{
	struct engine *e;

	run("rmdir", dir, "");
	assert_int_equal(engine_open(dir, &opts, &e), ST_NOT_FOUND);
	assert_null(e);
}

/* What a table was made with it keeps: rows that fit no page of one size are found with the
 * other. */
static void
rows_fill(struct engine *e, uint32_t from, uint32_t to)
{
	char value[3000], mem[4];
	struct engine_txn *txn;

	assert_int_equal(engine_begin(e, &txn), ST_OK);
	for (uint32_t i = from; i < to; i++) {
		memset(value, (int)(i & 255), sizeof(value));
		assert_int_equal(engine_put(txn, ROWS, key32(mem, i), span(value, i % sizeof(value))),
		    ST_OK);
	}
	assert_int_equal(engine_commit(&txn), ST_OK);
}

static void
rows_look(struct engine *e, uint32_t n)
{
	struct engine_cursor *c;
	struct span key, value;
	uint32_t i = 0;

	assert_int_equal(engine_cursor_open(e, NULL, ROWS, SPAN_NONE, &c), ST_OK);
	for (; engine_cursor_next(c, &key, &value) == ST_OK; i++) {
		assert_int_equal(get_be32(key.p), i);
		assert_int_equal(value.len, i % 3000);
		assert_true(value.len == 0 || (unsigned char)value.p[value.len - 1] == (i & 255));
	}
	assert_int_equal(i, n);
	while (engine_cursor_prev(c, &key, NULL) == ST_OK)
		assert_int_equal(get_be32(key.p), --i);
	assert_int_equal(i, 0);
	engine_cursor_close(&c);
}

static void
tables_keep_the_pages_they_were_made_with(void **state)
{
	static const uint32_t large[N_TABLES] = { [ROWS] = 16384 };
	struct engine_opts other = opts;

	other.page_bytes = large;
	for (int first = 0; first < 2; first++) {
		struct engine *e = open_ok(first == 0 ? &opts : &other);

		rows_fill(e, 0, 2000);
		assert_int_equal(engine_close(&e), ST_OK);
		e = open_ok(first == 0 ? &other : &opts);
		rows_look(e, 2000);
		rows_fill(e, 2000, 2500);
		rows_look(e, 2500);
		assert_int_equal(engine_close(&e), ST_OK);
		run("rm -rf", dir, "/*");
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(committed_rows_are_there_and_aborted_ones_are_not),
		T(tables_keep_the_pages_they_were_made_with),
		T(long_values_and_keys_at_the_limit_come_back),
		T(a_cursor_walks_its_prefix_both_ways_and_seeks),
		T(a_transaction_sees_its_own_changes_while_it_walks),
		T(after_kill_9_it_opens_at_a_committed_position),
		T(a_damaged_page_is_reported_and_the_tables_are_set_aside),
		T(a_hot_copy_opens_with_what_was_committed),
		T(compaction_and_numbers_work_on_a_live_engine),
		T(a_missing_folder_is_not_called_damage),
	};

	/* The damage done here is meant: its messages would be noise. */
	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
