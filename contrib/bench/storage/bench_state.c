/* What an operation costs when it is applied, and what a SELECT and its rows cost:
 * state over the engine, without journal and sockets.
 *
 *	bench_state DIR [MESSAGES] [BATCH]
 *
 * Times are of the applying thread alone, on the CPU.  DIR is an empty folder.  BATCH operations share a transaction, as in a tick.
 * MANSIO_ENGINE=lmdb: with that engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/util/mem.h"
#include "contrib/bench/storage/engine_env.h"
#include "storage/state/state.h"

#define ACCOUNTS 100u

static struct state *s;
static uint64_t lsn;
static unsigned batch = 16, in_batch;

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
must(enum status st, const char *what)
{
	if (st == ST_OK)
		return;
	fprintf(stderr, "bench_state: %s: %s\n", what, status_name(st));
	exit(1);
}

static void
finish(void)
{
	const struct journal_pos pos = { .lsn = lsn, .segment = 1 };

	if (in_batch > 0)
		must(state_commit(s, &pos), "commit");
	in_batch = 0;
}

static void
apply(const struct op *op, const struct journal_loc *locs, size_t n)
{
	static struct state_result r;
	struct buf b = { 0 };
	struct op back;

	if (in_batch == 0)
		must(state_begin(s), "begin");
	op_encode(op, &b);
	if (!op_decode(&back, buf_span(&b)))
		must(ST_BUG, "decode");
	must(state_apply(s, &back, locs, n, &r), "apply");
	must(r.status, "verdict");
	buf_fini(&b);
	lsn++;
	if (++in_batch == batch)
		finish();
}

static struct op
make(enum op_kind kind, uint64_t account, bool once)
{
	struct op op = { .kind = kind, .head = { .account = account, .who = account,
		.time_ms = 1700000000000 + (int64_t)lsn } };
	static uint64_t tickets;

	if (once) {
		put_be64(op.head.ticket, ++tickets * 0x9e3779b97f4a7c15u);
		op.head.seq = 1;
	}
	return op;
}

static void
append(uint64_t account, uint64_t n)
{
	static char list[400], structure[300];
	unsigned char sha[32] = { 1 }, keys[16];
	struct op op = make(OP_APPEND, account, true);
	const struct journal_loc loc = { 1 + (uint32_t)(n >> 16), (uint32_t)n << 12, 2000 };
	struct buf b = { 0 };
	struct op_append_item it = { .received_s = 1700000000, .size = 5000,
		.sha256 = span(sha, 32), .list = span(list, sizeof(list)),
		.structure = span(structure, sizeof(structure)),
		.thread_keys = span(keys, 16), .subject_hash = n / 4, .pieces = 1 };

	put_be64(keys, n * 0x9e3779b97f4a7c15u);
	put_be64(keys + 8, n / 4 * 0xc2b2ae3d27d4eb4fu);
	put_op_append_item(&b, &it);
	op.u.append = (struct op_append){ SPAN_LIT("INBOX"), true, SPAN_NONE, buf_span(&b) };
	apply(&op, &loc, 1);
	buf_fini(&b);
}

static void
flag(uint64_t account, uint64_t mailbox, uint32_t uid, unsigned sys, bool once)
{
	struct op op = make(OP_FLAGS, account, once);
	struct uidset set = { 0 };
	struct buf b = { 0 };

	uidset_add(&set, uid);
	uidset_encode(&set, &b);
	op.u.flags = (struct op_flags){ mailbox, buf_span(&b), FLAGS_ADD, (uint8_t)sys,
		SPAN_NONE, UINT64_MAX };
	apply(&op, NULL, 0);
	uidset_fini(&set);
	buf_fini(&b);
}

static void
say(const char *what, double start, uint64_t n)
{
	printf("%-28s %8.1f us\n", what, (now_us() - start) / (double)n);
}

static void
read_one(uint64_t mailbox, uint32_t messages)
{
	struct uidrange every = { 1, UINT32_MAX };
	const struct uidset all = { &every, 1, 1 };
	struct state_known known = { 0 };
	struct store_opened o;
	struct buf a = { 0 }, b = { 0 };
	uint32_t resume = 0;
	double t = now_us();

	must(state_open_mailbox(s, ACCOUNTS + 1, mailbox, &known, &o, &a, &b), "open");
	printf("open of %u messages:", messages);
	say("", t, 1);
	buf_clear(&a);
	t = now_us();
	must(state_rows(s, ACCOUNTS + 1, mailbox, &all, ROW_FLAGS, SIZE_MAX, &resume, &a), "rows");
	printf("flags of all of them:");
	say("", t, 1);
	buf_fini(&a);
	buf_fini(&b);
	state_known_fini(&known);
}

int
main(int argc, char **argv)
{
	const struct engine_opts o = { .kind = engine_from_env(), .tables = state_tables,
	    .n_tables = state_n_tables, .page_bytes = state_page_bytes, .cache_bytes = 256u << 20 };
	uint32_t messages = argc > 2 ? (uint32_t)atoi(argv[2]) : 50000;
	uint64_t mailbox;
	struct engine *e;
	struct op op;
	double t;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_state DIR [MESSAGES] [BATCH]\n");
		return 2;
	}
	if (argc > 3)
		batch = (unsigned)atoi(argv[3]) > 0 ? (unsigned)atoi(argv[3]) : 1;
	must(engine_open(argv[1], &o, &e), "engine");
	must(state_open(e, 1, &s), "state");
	for (uint64_t a = 1; a <= ACCOUNTS + 1; a++) {
		op = make(OP_ACCOUNT_CREATE, a, false);
		apply(&op, NULL, 0);
	}
	printf("%u operations in a transaction\n", batch);
	t = now_us();
	for (uint32_t i = 0; i < messages; i++)
		append(1 + i % ACCOUNTS, i);
	finish();
	say("append, 100 accounts in turn", t, messages);
	t = now_us();
	for (uint32_t i = 0; i < messages; i++)
		append(ACCOUNTS + 1, i);
	finish();
	say("append, one account", t, messages);
	must(state_find_mailbox(s, ACCOUNTS + 1, SPAN_LIT("INBOX"), &mailbox), "find");
	t = now_us();
	for (uint32_t i = 0; i < messages; i++)
		flag(ACCOUNTS + 1, mailbox, 1 + (uint32_t)(i * 7919ull % messages), FLAG_SEEN, true);
	finish();
	say("flag, with a ticket each", t, messages);
	t = now_us();
	for (uint32_t i = 0; i < messages; i++)
		flag(ACCOUNTS + 1, mailbox, 1 + (uint32_t)(i * 7919ull % messages), FLAG_FLAGGED,
		    false);
	finish();
	say("flag, not remembered", t, messages);
	read_one(mailbox, messages);
	state_close(&s);
	must(engine_close(&e), "close");
	engine_disk(argv[1]);
	return 0;
}
