/* contrib/bench/storage/bench_deliver.c
 * The store alone: durable deliveries a second, through journal and state as stored does it, without
 * sockets: a tick of operations with their bodies is written and synced by the journal's thread while the one
 * before is applied.
 *
 *	bench_deliver DIR [A_TICK] [SECONDS] [BODY] [ACCOUNTS]
 *
 * DIR is an empty folder.  MANSIO_ENGINE=lmdb: with that engine.  Bodies do not compress; columns and blobs are as large as those of
 * real mails. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "contrib/bench/storage/engine_env.h"
#include "storage/journal/journal.h"
#include "storage/service/record.h"
#include "storage/state/state.h"

#define TICK_MAX 1024u

static struct state *s;
static struct journal *j;
static unsigned a_tick = 16, accounts = 100;
static size_t body_bytes = 5 << 10;

struct made {
	struct op		op;
	struct buf		items;
	struct journal_loc	loc;
	unsigned char		keys[16];
};
static struct made ticks[2][TICK_MAX];

static double
cpu_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
must(enum status st, const char *what)
{
	if (st == ST_OK)
		return;
	fprintf(stderr, "bench_deliver: %s: %s\n", what, status_name(st));
	exit(1);
}

static struct span
columns(void)
{
	static struct buf b;

	if (b.len == 0) {
		unsigned n = store_column_groups[STORE_COLUMN_GROUPS];

		put_u8(&b, 2);
		put_u8(&b, (uint8_t)n);
		for (unsigned i = 0; i < n; i++)
			put_u16(&b, 90);
		while (b.len < 2 + n * 92)
			put_u64(&b, b.len * 0x9e3779b97f4a7c15u);
		buf_cut(&b, 2 + (size_t)n * 92);
	}
	return buf_span(&b);
}

static void
make(struct made *m, uint64_t n)
{
	static char list[700], structure[80];
	unsigned char sha[32] = { 1 };
	struct op_append_item it = { .received_s = 1700000000, .size = body_bytes,
		.sha256 = span(sha, 32), .list = span(list, sizeof(list)),
		.structure = span(structure, sizeof(structure)), .columns = columns(),
		.thread_keys = span(m->keys, 16), .subject_hash = n / 4, .pieces = 1 };

	put_be64(m->keys, n * 0x9e3779b97f4a7c15u);
	put_be64(m->keys + 8, n / 4 * 0xc2b2ae3d27d4eb4fu);
	buf_clear(&m->items);
	put_op_append_item(&m->items, &it);
	m->op = (struct op){ .kind = OP_APPEND, .head = { .account = 1 + n % accounts,
		.who = 1 + n % accounts, .time_ms = 1700000000000 + (int64_t)n, .seq = 1 } };
	put_be64(m->op.head.ticket, (n + 1) * 0x9e3779b97f4a7c15u);
	m->op.u.append = (struct op_append){ .path = SPAN_LIT("INBOX"), .make = true,
		.items = buf_span(&m->items) };
}

static void
write_tick(struct made *t, uint64_t first)
{
	static char *body;
	struct buf bytes = { 0 };

	if (body == NULL) {
		body = mem_alloc(body_bytes);
		for (size_t i = 0; i < body_bytes; i++)
			body[i] = (char)(i * 2654435761u >> 13);
	}
	journal_tick_begin(j);
	/* an empty tick moves to a segment that has room for it */
	(void)journal_tick_room(j, 2 * a_tick, a_tick * (body_bytes + 8192));
	for (unsigned i = 0; i < a_tick; i++) {
		const struct journal_what b = { JOURNAL_BODY, 0, 1 }, o = { JOURNAL_OP, 0, 1 };
		struct iovec iov = { body, body_bytes };

		make(&t[i], first + i);
		must(journal_add(j, &b, &iov, 1, NULL, &t[i].loc), "body");
		buf_clear(&bytes);
		record_op_head(&bytes, &t[i].loc, 1);
		op_encode(&t[i].op, &bytes);
		iov = (struct iovec){ bytes.data, bytes.len };
		must(journal_add(j, &o, &iov, 1, NULL, NULL), "operation");
	}
	must(journal_tick_write(j, NULL), "tick");
	journal_flush_start(j);
	buf_fini(&bytes);
}

static void
apply_tick(struct made *t, const struct journal_pos *pos)
{
	must(state_begin(s), "begin");
	for (unsigned i = 0; i < a_tick; i++) {
		struct state_result r = { 0 };

		must(state_apply(s, &t[i].op, &t[i].loc, 1, &r), "apply");
		must(r.status, "verdict");
		state_result_fini(&r);
	}
	must(state_commit(s, pos), "commit");
}

static void
make_accounts(void)
{
	struct journal_pos pos = { 0 };

	must(state_begin(s), "begin");
	for (uint64_t a = 1; a <= accounts; a++) {
		struct op op = { .kind = OP_ACCOUNT_CREATE, .head = { .account = a, .who = a,
			.time_ms = 1700000000000 } };
		struct state_result r = { 0 };

		must(state_apply(s, &op, NULL, 0, &r), "account");
		state_result_fini(&r);
	}
	must(state_commit(s, &pos), "commit");
}

static void
run(double seconds)
{
	uint64_t start = clock_mono_us(), n = 0, took;
	double cpu = cpu_us(CLOCK_PROCESS_CPUTIME_ID), own = cpu_us(CLOCK_THREAD_CPUTIME_ID);
	unsigned at = 0;

	write_tick(ticks[at], n);
	while ((double)(clock_mono_us() - start) < seconds * 1e6) {
		struct journal_pos pos;

		must(journal_flush_done(j, &pos), "flush");
		n += a_tick;
		write_tick(ticks[!at], n);
		apply_tick(ticks[at], &pos);
		at = !at;
	}
	must(journal_flush_done(j, NULL), "flush");
	took = clock_mono_us() - start;
	printf("%u a tick, bodies of %zu bytes, %u accounts: %.0f deliveries/s, %.1f us of CPU each, "
	    "%.1f of it the thread that takes them\n",
	    a_tick, body_bytes, accounts, (double)n * 1e6 / (double)took,
	    (cpu_us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)n,
	    (cpu_us(CLOCK_THREAD_CPUTIME_ID) - own) / (double)n);
}

int
main(int argc, char **argv)
{
	const struct engine_opts o = { .kind = engine_from_env(), .tables = state_tables, .n_tables = state_n_tables,
		.page_bytes = state_page_bytes, .cache_bytes = 256u << 20 };
	struct engine *e;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_deliver DIR [A_TICK] [SECONDS] [BODY] [ACCOUNTS]\n");
		return 2;
	}
	if (argc > 2 && atoi(argv[2]) > 0 && atoi(argv[2]) <= (int)TICK_MAX)
		a_tick = (unsigned)atoi(argv[2]);
	if (argc > 4 && atoi(argv[4]) > 0)
		body_bytes = (size_t)atoi(argv[4]);
	if (argc > 5 && atoi(argv[5]) > 0)
		accounts = (unsigned)atoi(argv[5]);
	if (chdir(argv[1]) != 0 || mkdir("db", 0700) != 0 || mkdir("journal", 0700) != 0) {
		fprintf(stderr, "bench_deliver: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	must(engine_open("db", &o, &e), "engine");
	must(state_open(e, 1, &s), "state");
	must(journal_open("journal", NULL, NULL, NULL, &j, NULL), "journal");
	make_accounts();
	run(argc > 3 && atof(argv[3]) > 0 ? atof(argv[3]) : 3);
	journal_close(&j);
	state_close(&s);
	must(engine_close(&e), "close");
	return 0;
}
