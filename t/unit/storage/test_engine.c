/* The engine's contract, over each engine that is built in. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
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
#include "common/util/fd.h"
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
static struct engine_opts opts = { .tables = tables, .n_tables = N_TABLES, .small = true };

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
	char key[ENGINE_KEY_MAX + 1] = { 0 };
	char *big = mem_alloc(1 << 20);

	memset(key, 'k', sizeof(key));
	memset(big, 'b', 1 << 20);
	assert_int_equal(engine_begin(e, &t), ST_OK);
	assert_int_equal(engine_put(t, ROWS, span(key, sizeof(key)), SPAN_LIT("")), ST_LIMIT);
	assert_int_equal(engine_put(t, ROWS, SPAN_LIT(""), SPAN_LIT("")), ST_LIMIT);
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

/* The engine writes the rows to the table while it is walked. */
static void
what_is_written_meanwhile_is_not_met_behind_the_place(void **state)
{
	struct engine *e = open_ok(&opts);

	for (uint32_t n = 1; n < 20000; n += 2000) {
		put_rows(e, n, n + 2000, 64);
		for (uint32_t i = 0; i < 1000; i++) {
			uint32_t at = n + 1 + i * 997 % 1999;
			struct engine_cursor *c;
			struct span k, v;
			char mem[4];

			assert_int_equal(engine_cursor_open(e, NULL, ROWS, SPAN_NONE, &c), ST_OK);
			engine_cursor_seek(c, key32(mem, at));
			assert_int_equal(engine_cursor_prev(c, &k, &v), ST_OK);
			assert_int_equal(get_be32(k.p), at - 1);
			engine_cursor_close(&c);
		}
	}
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
delete_but_each(struct engine *e, uint32_t from, uint32_t to, uint32_t each)
{
	struct engine_txn *t;
	char k[4];

	assert_int_equal(engine_begin(e, &t), ST_OK);
	for (uint32_t i = from; i < to; i++)
		if (i % each != 0)
			assert_int_equal(engine_del(t, ROWS, key32(k, i)), ST_OK);
	assert_int_equal(engine_commit(&t), ST_OK);
}

static void
compact_all(struct engine *e, struct span prefix, struct engine_compacted *did)
{
	struct buf at = { 0 };
	enum status st;

	memset(did, 0, sizeof(*did));
	assert_int_equal(engine_checkpoint(e), ST_OK);	/* what was committed is in the pages */
	while ((st = engine_compact(e, ROWS, prefix, &at, did)) == ST_OK || st == ST_UNAVAILABLE)
		;
	assert_int_equal(st, ST_NOT_FOUND);
	buf_fini(&at);
}

static void
compaction_and_numbers_work_on_a_live_engine(void **state)
{
	struct engine *e = open_ok(&opts);
	struct engine_compacted did;
	struct engine_stats st;

	put_rows(e, 0, 5000, 64);
	delete_but_each(e, 0, 5000, 8);
	compact_all(e, SPAN_NONE, &did);
	assert_true((did.freed > 10 && did.closed > 0) || opts.kind == ENGINE_LMDB);
	assert_int_equal(count_rows(e, SPAN_NONE), 625);
	compact_all(e, SPAN_NONE, &did);
	assert_int_equal(did.closed, 0);
	engine_stats(e, &st);
	assert_int_equal(st.commits, 2);
	assert_true(st.log_bytes > 5000 * 64);
	assert_int_equal(engine_close(&e), ST_OK);
}

static void
compaction_leaves_rows_of_other_prefixes_and_full_pages_alone(void **state)
{
	struct engine *e = open_ok(&opts);
	struct engine_compacted did;

	put_rows(e, 0, 1u << 17, 40);		/* keys 00 00.. and 00 01.. */
	delete_but_each(e, 0, 1u << 16, 8);
	compact_all(e, span("\0\1", 2), &did);
	assert_int_equal(did.freed, 0);
	compact_all(e, span("\0\0", 2), &did);
	assert_true(did.freed > 300 || opts.kind == ENGINE_LMDB);
	assert_int_equal(count_rows(e, span("\0\0", 2)), (1u << 16) / 8);
	assert_int_equal(count_rows(e, span("\0\1", 2)), 1u << 16);
	assert_int_equal(engine_close(&e), ST_OK);
}

static off_t
table_size(void)
{
	char path[160];
	struct stat sb;

	snprintf(path, sizeof(path), "%s/rows.db", dir);
	return stat(path, &sb) == 0 ? sb.st_size : 0;
}

static void
pages_that_are_free_go_back_to_the_file_system(void **state)
{
	struct engine *e = open_ok(&opts);
	struct engine_compacted did;
	uint64_t pages = 0;
	off_t before;

	put_rows(e, 0, 20000, 64);
	assert_int_equal(engine_shrink(e, ROWS, &pages), ST_OK);
	assert_int_equal(pages, 0);
	delete_but_each(e, 0, 20000, 8);
	compact_all(e, SPAN_NONE, &did);
	assert_int_equal(engine_checkpoint(e), ST_OK);
	before = table_size();
	assert_int_equal(engine_shrink(e, ROWS, &pages), ST_OK);
	assert_int_equal(engine_checkpoint(e), ST_OK);
	if (opts.kind == ENGINE_BDB) {
		assert_true(pages > 300);
		assert_true(table_size() * 3 < before);
	}
	assert_int_equal(count_rows(e, SPAN_NONE), 2500);
	assert_int_equal(engine_shrink(e, ROWS, &pages), ST_OK);
	assert_int_equal(pages, 0);
	assert_int_equal(engine_close(&e), ST_OK);
	e = open_ok(&opts);
	assert_int_equal(count_rows(e, SPAN_NONE), 2500);
	assert_int_equal(engine_close(&e), ST_OK);
}

struct shrinker {
	struct engine	*e;
	bool		stop;		/* atomic */
	uint64_t	pages;
	enum status	st;
};

static void *
shrink_on(void *arg)
{
	struct shrinker *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE) && s->st == ST_OK) {
		uint64_t n;

		s->st = engine_shrink(s->e, ROWS, &n);
		if (s->st == ST_UNAVAILABLE)
			s->st = ST_OK;
		s->pages += n;
	}
	return NULL;
}

/* Were the writer ever the one that loses, put_rows() would say so. */
static void
the_writer_goes_on_and_never_loses_while_a_table_is_made_smaller(void **state)
{
	unsigned rounds = getenv("MANSIO_FULL") != NULL ? 200 : 12;
	struct engine *e = open_ok(&opts);
	struct shrinker s = { .e = e };
	struct engine_compacted did;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, shrink_on, &s), 0);
	for (unsigned i = 0; i < rounds; i++) {
		for (uint32_t at = 0; at < 6000; at += 250)
			put_rows(e, at, at + 250, 64 + i % 3 * 16);
		for (uint32_t at = 0; at < 6000; at += 500)
			delete_but_each(e, at, at + 500, 8);
		assert_int_equal(count_rows(e, SPAN_NONE), 750);
		if (i % 3 == 0)
			compact_all(e, SPAN_NONE, &did);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(s.st, ST_OK);
	assert_int_equal(count_rows(e, SPAN_NONE), 750);
	assert_int_equal(engine_close(&e), ST_OK);
	e = open_ok(&opts);
	assert_int_equal(count_rows(e, SPAN_NONE), 750);
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

/* ---- keys at and behind the length that an engine may keep apart ---- */

#define LONG_KEYS 600

struct long_key {
	char	b[ENGINE_KEY_MAX];
	size_t	len;
};

static int
by_key(const void *a, const void *b)
{
	const struct long_key *x = a, *y = b;

	return span_cmp(span(x->b, x->len), span(y->b, y->len));
}

/* Many share their first 511 bytes, or all but one of them. */
static size_t
make_long_keys(struct long_key *k)
{
	size_t n = 0;

	for (unsigned i = 0; i < LONG_KEYS; i++) {
		k[i].len = 500 + i % 60;
		memset(k[i].b, 'k', sizeof(k[i].b));
		if (i % 3 == 0)
			k[i].b[510 - i % 5] = (char)(i * 7);
		for (size_t j = 511; j < k[i].len; j++)
			k[i].b[j] = (char)(i * 31 + j * (i % 2));
	}
	qsort(k, LONG_KEYS, sizeof(*k), by_key);
	for (unsigned i = 0; i < LONG_KEYS; i++)
		if (n == 0 || by_key(&k[n - 1], &k[i]) != 0)
			k[n++] = k[i];
	return n;
}

static void
walk_long(struct engine *e, struct engine_txn *t, const struct long_key *k, size_t n, unsigned odd)
{
	struct engine_cursor *c;
	struct span key, v;
	size_t i;

	assert_int_equal(engine_cursor_open(e, t, ROWS, SPAN_NONE, &c), ST_OK);
	for (i = 0; i < n; i++) {
		if (odd && i % 2 == 0)
			continue;
		assert_int_equal(engine_cursor_next(c, &key, &v), ST_OK);
		assert_true(span_eq(key, span(k[i].b, k[i].len)));
		assert_int_equal(get_be32(v.p), i);
	}
	assert_int_equal(engine_cursor_next(c, &key, &v), ST_NOT_FOUND);
	while (i-- > 0) {
		if (odd && i % 2 == 0)
			continue;
		assert_int_equal(engine_cursor_prev(c, &key, &v), ST_OK);
		assert_true(span_eq(key, span(k[i].b, k[i].len)));
		assert_int_equal(get_be32(v.p), i);
	}
	assert_int_equal(engine_cursor_prev(c, &key, &v), ST_NOT_FOUND);
	for (i = odd ? 1 : 0; i < n; i += 13 + odd) {
		engine_cursor_seek(c, span(k[i].b, k[i].len));
		assert_int_equal(engine_cursor_next(c, &key, &v), ST_OK);
		assert_int_equal(get_be32(v.p), i);
		engine_cursor_seek(c, span(k[i].b, k[i].len));
		assert_int_equal(engine_cursor_prev(c, &key, &v), i > odd ? ST_OK : ST_NOT_FOUND);
		if (i > odd)
			assert_int_equal(get_be32(v.p), i - 1 - odd);
	}
	engine_cursor_close(&c);
}

static void
long_keys_keep_the_order_of_their_bytes(void **state)
{
	struct long_key *k = mem_array(LONG_KEYS, sizeof(*k));
	struct engine *e = open_ok(&opts);
	struct engine_txn *t;
	struct buf v = { 0 };
	size_t n = make_long_keys(k);
	char mem[4];

	assert_true(n > LONG_KEYS / 2);
	assert_int_equal(engine_begin(e, &t), ST_OK);
	for (size_t j = 0, i = 0; j < n; j++, i = (i + 307) % n) {
		assert_int_equal(engine_insert(t, ROWS, span(k[i].b, k[i].len), SPAN_LIT("?")), ST_OK);
		assert_int_equal(engine_insert(t, ROWS, span(k[i].b, k[i].len), SPAN_LIT("?")),
		    ST_EXISTS);
		assert_int_equal(engine_put(t, ROWS, span(k[i].b, k[i].len), key32(mem, (uint32_t)i)),
		    ST_OK);
	}
	walk_long(e, t, k, n, 0);
	assert_int_equal(engine_commit(&t), ST_OK);
	walk_long(e, NULL, k, n, 0);
	assert_int_equal(engine_begin(e, &t), ST_OK);
	for (size_t i = 0; i < n; i += 2) {
		assert_int_equal(engine_del(t, ROWS, span(k[i].b, k[i].len)), ST_OK);
		assert_int_equal(engine_del(t, ROWS, span(k[i].b, k[i].len)), ST_NOT_FOUND);
	}
	walk_long(e, t, k, n, 1);
	assert_int_equal(engine_commit(&t), ST_OK);
	assert_int_equal(engine_close(&e), ST_OK);
	e = open_ok(&opts);
	walk_long(e, NULL, k, n, 1);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(engine_get(e, NULL, ROWS, span(k[i].b, k[i].len), &v),
		    i % 2 == 0 ? ST_NOT_FOUND : ST_OK);
		assert_true(i % 2 == 0 || get_be32(v.data) == i);
	}
	assert_int_equal(engine_close(&e), ST_OK);
	buf_fini(&v);
	mem_free(&k);
}

static void
it_grows_while_others_read(void **state)
{
	struct engine *e = open_ok(&opts);
	struct engine_cursor *c;
	struct span k, v;
	uint32_t n = 0;

	put_rows(e, 0, 10, 64);
	assert_int_equal(engine_cursor_open(e, NULL, ROWS, SPAN_NONE, &c), ST_OK);
	assert_int_equal(engine_cursor_next(c, &k, &v), ST_OK);
	for (uint32_t i = 10; i < 50; i++)
		put_rows(e, i, i + 1, 700000);
	for (n = 1; engine_cursor_next(c, &k, &v) == ST_OK; n++)
		assert_int_equal(get_be32(k.p), n);
	engine_cursor_close(&c);
	assert_true(n >= 10);
	assert_int_equal(count_rows(e, SPAN_NONE), 50);
	assert_int_equal(engine_close(&e), ST_OK);
	e = open_ok(&opts);
	assert_int_equal(count_rows(e, SPAN_NONE), 50);
	assert_int_equal(engine_close(&e), ST_OK);
}

static void
a_folder_of_another_engine_is_refused_and_left_alone(void **state)
{
	struct engine_opts other = opts;
	struct engine *e = open_ok(&opts);
	enum engine_kind kind;

	put_rows(e, 0, 10, 5);
	assert_int_equal(engine_close(&e), ST_OK);
	assert_true(engine_made_by(dir, &kind));
	assert_int_equal(kind, opts.kind);
	other.kind = opts.kind == ENGINE_BDB ? ENGINE_LMDB : ENGINE_BDB;
	assert_int_equal(engine_open(dir, &other, &e), ST_UNSUPPORTED);
	assert_null(e);
	e = open_ok(&opts);
	assert_int_equal(count_rows(e, SPAN_NONE), 10);
	assert_int_equal(engine_close(&e), ST_OK);
}

/* ---- LMDB: the machine goes down ---- */

#define BOOT_A "aaaaaaaa-0000-0000-0000-000000000000"
#define BOOT_B "bbbbbbbb-0000-0000-0000-000000000000"
#define PAGE 4096u

static void
slurp(const char *name, char **data, size_t *len)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_true(fd_slurp_path(path, 1u << 30, data, len));
}

static void
spill(const char *name, const char *data, size_t len)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0 && fd_write_full(fd, data, len));
	close(fd);
}

/* Each page is as it was when synced, or as it is, or what was never written reads as zeros. */
static void
mix_pages(const char *old, size_t old_len, char *is, size_t len, unsigned seed)
{
	for (size_t at = 0; at < len; at += PAGE) {
		seed = seed * 1103515245 + 12345;
		if (seed >> 16 & 1)
			continue;
		if (at + PAGE <= old_len)
			memcpy(is + at, old + at, PAGE);
		else
			memset(is + at, 0, len - at < PAGE ? len - at : PAGE);
	}
}

/* Rows change in place: what the checkpoint refers to would be written over. */
static void
turn_rows(struct engine *e, uint32_t n, uint32_t round)
{
	struct engine_txn *t;
	char k[4], v[64];

	assert_int_equal(engine_begin(e, &t), ST_OK);
	for (uint32_t i = 0; i < n; i++) {
		memset(v, 'a' + (int)((i + round) % 26), sizeof(v));
		assert_int_equal(engine_put(t, ROWS, key32(k, i), span(v, sizeof(v))), ST_OK);
	}
	assert_int_equal(engine_put(t, META, SPAN_LIT("applied"), key32(k, round)), ST_OK);
	assert_int_equal(engine_commit(&t), ST_OK);
}

static void
rows_are_of(struct engine *e, uint32_t n, uint32_t round)
{
	struct engine_cursor *c;
	struct span key, v;
	uint32_t i = 0;

	assert_int_equal(applied(e), round);
	assert_int_equal(engine_cursor_open(e, NULL, ROWS, SPAN_NONE, &c), ST_OK);
	for (; engine_cursor_next(c, &key, &v) == ST_OK; i++) {
		assert_int_equal(get_be32(key.p), i);
		assert_int_equal(v.p[0], 'a' + (int)((i + round) % 26));
	}
	engine_cursor_close(&c);
	assert_int_equal(i, n);
}

static void
after_power_loss_it_opens_at_the_last_checkpoint(void **state)
{
	struct engine_opts o = opts;
	char *old, *is, *mixed, *cp;
	size_t old_len, len, cp_len;
	struct engine *e;

	o.manual = true;
	o.boot_id = BOOT_A;
	e = open_ok(&o);
	for (uint32_t round = 1; round < 8; round++)
		turn_rows(e, 2000, round);
	assert_int_equal(engine_checkpoint(e), ST_OK);
	slurp("data.mdb", &old, &old_len);
	for (uint32_t round = 8; round < 30; round++)
		turn_rows(e, 2000, round);
	slurp("data.mdb", &is, &len);
	slurp("checkpoint", &cp, &cp_len);
	assert_int_equal(engine_close(&e), ST_OK);

	mixed = mem_alloc(len);
	for (unsigned seed = 0; seed < 40; seed++) {
		memcpy(mixed, is, len);
		mix_pages(old, old_len, mixed, len, seed);
		run("rm -rf", dir, "/*");
		spill("data.mdb", mixed, len);
		spill("checkpoint", cp, cp_len);
		o.boot_id = BOOT_B;
		e = open_ok(&o);
		rows_are_of(e, 2000, 7);
		/* A second loss before anything was written, or behind it. */
		for (uint32_t round = 8; round < 8 + seed % 3; round++)
			turn_rows(e, 2000, round);
		assert_int_equal(engine_close(&e), ST_OK);
		o.boot_id = BOOT_A;
		e = open_ok(&o);
		rows_are_of(e, 2000, 7 + seed % 3);
		assert_int_equal(engine_close(&e), ST_OK);
	}
	/* Killed, not gone down: the last commit. */
	run("rm -rf", dir, "/*");
	spill("data.mdb", is, len);
	spill("checkpoint", cp, cp_len);
	o.boot_id = BOOT_A;
	e = open_ok(&o);
	rows_are_of(e, 2000, 29);
	assert_int_equal(engine_close(&e), ST_OK);
	mem_free(&old);
	mem_free(&is);
	mem_free(&cp);
	mem_free(&mixed);
}

/* Killed, opened again and written on, the machine goes down: what the process before had as
 * its checkpoint must not be what is gone back to. */
static void
a_killed_process_leaves_no_checkpoint_that_is_written_over(void **state)
{
	struct engine_opts o = opts;
	char *data, *cp;
	size_t len, cp_len;
	struct engine *e;

	o.manual = true;
	o.boot_id = BOOT_A;
	e = open_ok(&o);
	for (uint32_t round = 1; round < 6; round++)
		turn_rows(e, 500, round);
	slurp("data.mdb", &data, &len);
	slurp("checkpoint", &cp, &cp_len);
	assert_int_equal(engine_close(&e), ST_OK);
	spill("data.mdb", data, len);		/* as if the close had not been */
	spill("checkpoint", cp, cp_len);
	mem_free(&data);
	mem_free(&cp);
	e = open_ok(&o);
	rows_are_of(e, 500, 5);
	for (uint32_t round = 6; round < 20; round++)
		turn_rows(e, 500, round);
	slurp("data.mdb", &data, &len);
	slurp("checkpoint", &cp, &cp_len);
	assert_int_equal(engine_close(&e), ST_OK);
	spill("data.mdb", data, len);
	spill("checkpoint", cp, cp_len);
	o.boot_id = BOOT_B;
	e = open_ok(&o);
	rows_are_of(e, 500, 5);
	assert_int_equal(engine_close(&e), ST_OK);
	mem_free(&data);
	mem_free(&cp);
}

static void
without_a_whole_checkpoint_it_must_be_rebuilt(void **state)
{
	struct engine *e = open_ok(&opts);
	char *data, *cp;
	size_t len, cp_len;

	put_rows(e, 0, 3000, 64);
	assert_int_equal(engine_close(&e), ST_OK);
	slurp("data.mdb", &data, &len);
	slurp("checkpoint", &cp, &cp_len);
	for (size_t i = 0; i < cp_len; i += 997) {
		cp[i] ^= 4;
		spill("checkpoint", cp, cp_len);
		assert_int_equal(engine_open(dir, &opts, &e), ST_CORRUPT);
		cp[i] ^= 4;
	}
	spill("checkpoint", cp, cp_len / 2);
	assert_int_equal(engine_open(dir, &opts, &e), ST_CORRUPT);
	run("rm", dir, "/checkpoint");
	assert_int_equal(engine_open(dir, &opts, &e), ST_CORRUPT);
	spill("checkpoint", cp, cp_len);
	spill("data.mdb", data, len / 2 / PAGE * PAGE);
	assert_int_equal(engine_open(dir, &opts, &e), ST_CORRUPT);
	spill("data.mdb", data, len);
	e = open_ok(&opts);
	assert_int_equal(count_rows(e, SPAN_NONE), 3000);
	assert_int_equal(engine_close(&e), ST_OK);
	mem_free(&data);
	mem_free(&cp);
}

static int
test_kind(enum engine_kind kind)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(committed_rows_are_there_and_aborted_ones_are_not),
		T(tables_keep_the_pages_they_were_made_with),
		T(long_values_and_keys_at_the_limit_come_back),
		T(long_keys_keep_the_order_of_their_bytes),
		T(a_cursor_walks_its_prefix_both_ways_and_seeks),
		T(what_is_written_meanwhile_is_not_met_behind_the_place),
		T(a_transaction_sees_its_own_changes_while_it_walks),
		T(it_grows_while_others_read),
		T(after_kill_9_it_opens_at_a_committed_position),
		T(a_hot_copy_opens_with_what_was_committed),
		T(compaction_and_numbers_work_on_a_live_engine),
		T(compaction_leaves_rows_of_other_prefixes_and_full_pages_alone),
		T(pages_that_are_free_go_back_to_the_file_system),
		T(the_writer_goes_on_and_never_loses_while_a_table_is_made_smaller),
		T(a_missing_folder_is_not_called_damage),
		T(a_folder_of_another_engine_is_refused_and_left_alone),
	};
	const struct CMUnitTest bdb[] = {
		T(a_damaged_page_is_reported_and_the_tables_are_set_aside),
	};
	const struct CMUnitTest lmdb[] = {
		T(after_power_loss_it_opens_at_the_last_checkpoint),
		T(a_killed_process_leaves_no_checkpoint_that_is_written_over),
		T(without_a_whole_checkpoint_it_must_be_rebuilt),
	};
	int bad;

	opts.kind = kind;
	bad = cmocka_run_group_tests_name(engine_kind_name(kind), tests, NULL, NULL);
	if (kind == ENGINE_BDB)
		return bad + cmocka_run_group_tests(bdb, NULL, NULL);
	return bad + cmocka_run_group_tests(lmdb, NULL, NULL);
}

int
main(void)
{
	int bad;

	/* The damage done here is meant: its messages would be noise. */
	log_set_level(LOG_LEVEL_FATAL);
	bad = test_kind(ENGINE_BDB);
	if (engine_kind_built(ENGINE_LMDB))
		bad += test_kind(ENGINE_LMDB);
	return bad;
}
