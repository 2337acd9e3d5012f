/* contrib/bench/storage/bench_storage.c
 * What journal and engine cost here, beside what the disk can do: prints a table.
 *	bench_storage DIR [SECONDS]	makes and removes folders under DIR
 * MANSIO_ENGINE=lmdb: with that engine. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util/bytes.h"
#include "common/util/clock.h"
#include "common/util/mem.h"
#include "contrib/bench/storage/engine_env.h"
#include "storage/journal/journal.h"

static double seconds = 2;
static char base[200];

static void
die(const char *what)
{
	fprintf(stderr, "bench_storage: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
make_dir(const char *name)
{
	if (mkdir(name, 0700) != 0)
		die(name);
}

static bool
running(uint64_t start)
{
	return (double)(clock_mono_us() - start) < seconds * 1e6;
}

static void
print_rate(const char *what, uint64_t n, uint64_t start, const char *unit)
{
	double us = (double)(clock_mono_us() - start);

	printf("%-44s %10.0f %s/s %9.1f us\n", what, (double)n * 1e6 / us, unit, us / (double)n);
}

static void
raw_sync(bool overwrite)
{
	static char page[4096];
	int fd = open("raw", O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint64_t start, n = 0;

	if (fd < 0)
		die("raw");
	for (unsigned i = 0; overwrite && i < 4096; i++)
		if (pwrite(fd, page, sizeof(page), (off_t)i * 4096) < 0)
			die("raw");
	fsync(fd);
	for (start = clock_mono_us(); running(start); n++)
		if (pwrite(fd, page, sizeof(page), (off_t)(overwrite ? n % 4096 : n) * 4096) < 0 ||
		    fdatasync(fd) != 0)
			die("raw");
	print_rate(overwrite ? "raw: overwrite 4 KiB + fdatasync" :
	    "raw: append 4 KiB + fdatasync", n, start, "sync");
	close(fd);
	unlink("raw");
}

static void
bench_journal(unsigned records, size_t bytes, const char *what)
{
	char *body = mem_alloc(bytes);
	struct journal_what kind = { JOURNAL_BODY, 1, 1 };
	struct iovec iov = { body, bytes };
	uint64_t start, n = 0;
	struct journal *j;

	memset(body, 'x', bytes);
	make_dir("journal");
	if (journal_open("journal", NULL, NULL, NULL, &j, NULL) != ST_OK)
		die("journal");
	for (start = clock_mono_us(); running(start); n++) {
		journal_tick_begin(j);
		for (unsigned i = 0; i < records; i++)
			if (journal_add(j, &kind, &iov, 1, NULL, NULL) != ST_OK)
				break;
		if (journal_tick_write(j, NULL) != ST_OK)
			die("tick");
		journal_flush_start(j);
		if (journal_flush_done(j, NULL) != ST_OK)
			die("flush");
	}
	print_rate(what, n, start, "tick");
	journal_close(&j);
	mem_free(&body);
	if (system("rm -rf journal") != 0)
		die("rm");
}

enum { MBOX, INDEX, MESSAGE, CHANGE, N_TABLES };

/* The four rows of a delivery, as in the reference measurements. */
static void
delivery(struct engine *e, struct engine_txn *t, uint64_t n, struct buf *old)
{
	static char value[600];
	char key[16];

	put_be32(key, (uint32_t)(n % 2000));
	(void)engine_get(e, t, MBOX, span(key, 4), old);
	if (engine_put(t, MBOX, span(key, 4), span(value, 200)) != ST_OK)
		die("put");
	put_be64(key + 4, n);
	if (engine_put(t, INDEX, span(key, 12), span(value, 64)) != ST_OK ||
	    engine_put(t, MESSAGE, span(key, 12), span(value, 600)) != ST_OK ||
	    engine_put(t, CHANGE, span(key, 12), span(value, 60)) != ST_OK)
		die("put");
}

static void
bench_scan(struct engine *e)
{
	struct engine_txn *t;
	struct engine_cursor *c;
	struct span k, v;
	char key[12] = { 'S' };
	uint64_t start, n = 0, rows = 0;

	if (engine_begin(e, &t) != ST_OK)
		die("begin");
	for (uint32_t i = 0; i < 50000; i++) {
		put_be32(key + 8, i);
		if (engine_put(t, INDEX, span(key, 12), span("0123456789abcdef0123456789abcdef"
		    "0123456789abcdef0123456789abcdef", 64)) != ST_OK)
			die("put");
	}
	if (engine_commit(&t) != ST_OK)
		die("commit");
	for (start = clock_mono_us(); running(start); n++) {
		if (engine_cursor_open(e, NULL, INDEX, span(key, 8), &c) != ST_OK)
			die("cursor");
		while (engine_cursor_next(c, &k, &v) == ST_OK)
			rows++;
		engine_cursor_close(&c);
	}
	if (rows != n * 50000)
		die("rows");
	print_rate("engine: scan of 50,000 rows of 64 bytes", n, start, "scan");
}

static void
bench_engine(void)
{
	static const char *const names[] = { "mbox", "index", "message", "change" };
	struct engine_opts o = { .kind = engine_from_env(), .tables = names,
	    .n_tables = N_TABLES };
	uint64_t start, n = 0;
	struct engine *e;
	struct buf old = { 0 };

	make_dir("engine");
	if (engine_open("engine", &o, &e) != ST_OK)
		die("engine");
	for (start = clock_mono_us(); running(start); n += 64) {
		for (uint64_t i = n; i < n + 64; i++) {
			struct engine_txn *t;

			if (engine_begin(e, &t) != ST_OK)
				die("begin");
			delivery(e, t, i, &old);
			if (engine_commit(&t) != ST_OK)
				die("commit");
		}
	}
	print_rate("engine: delivery, a transaction each", n, start, "txn");
	for (start = clock_mono_us(), n = 0; running(start); n += 64) {
		struct engine_txn *t;

		if (engine_begin(e, &t) != ST_OK)
			die("begin");
		for (uint64_t i = n; i < n + 64; i++)
			delivery(e, t, i + (1ull << 40), &old);
		if (engine_commit(&t) != ST_OK)
			die("commit");
	}
	print_rate("engine: delivery, 64 in a transaction", n, start, "delivery");
	bench_scan(e);
	buf_fini(&old);
	if (engine_close(&e) != ST_OK || system("rm -rf engine") != 0)
		die("close");
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: bench_storage DIR [SECONDS]\n");
		return 2;
	}
	if (argc > 2 && atof(argv[2]) > 0)
		seconds = atof(argv[2]);
	snprintf(base, sizeof(base), "%s/bench-storage-XXXXXX", argv[1]);
	if (mkdtemp(base) == NULL || chdir(base) != 0)
		die(base);
	raw_sync(false);
	raw_sync(true);
	bench_journal(1, 5 << 10, "journal: 1 record of 5 KiB a tick");
	bench_journal(16, 5 << 10, "journal: 16 records of 5 KiB a tick");
	bench_journal(64, 200, "journal: 64 records of 200 bytes a tick");
	bench_engine();
	return chdir("/") != 0 || rmdir(base) != 0;
}
