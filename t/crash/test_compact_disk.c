/* Gaps that are closed, and tables that are made smaller, on a disk that remembers (disk.h).
 *
 * Mailboxes of an account grow in turn, one loses most of its mail.  Then the gaps are closed, a
 * piece at a time and mail between, and free pages are given back.  That is recorded, and for moments
 * of it the folder is made that a kill or a loss of power would have left.  Each of them opens at an
 * operation that was applied, with the account's hash as it was behind that one, and every row
 * agrees with the others.
 *
 * Without MANSIO_FULL=1 a few of these moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/state/compact.h"
#include "storage/state/state_priv.h"
#include "t/crash/disk.h"
#include "t/unit/storage/statekit.h"

#define OPERATIONS 4096u
#define GROWN 250u		/* messages of each mailbox */

static struct kit kit, *const k = &kit;
static char left[sizeof(((struct kit *)0)->dir)];
static unsigned char hashes[OPERATIONS][32];	/* behind each operation from `first` on */
static uint64_t first;
static struct engine_compacted did;
static uint64_t given_back;

static void
keep_hash(void)
{
	assert_true(k->lsn < OPERATIONS);
	OK(state_hash(k->s, k->account, hashes[k->lsn]));
}

static void
grow(void)
{
	OK(kit_account(k, k->account));
	OK(kit_create(k, "A"));
	OK(kit_create(k, "B"));
	for (unsigned i = 0; i < GROWN; i++) {
		OK(kit_append(k, "INBOX", 1, 100, 0, NULL, i));
		OK(kit_append(k, "A", 1, 100, FLAG_DELETED, NULL, 0));
		OK(kit_append(k, "B", 1, 100, 0, NULL, 0));
	}
	OK(kit_expunge(k, kit_mailbox(k, "A"), "1:240"));
}

static void
walk(void)
{
	struct state_compact c = { 0 };
	bool more = true;

	for (unsigned i = 0; more; i++) {
		OK(state_compact(k->s, &c, 0, &more));
		if (i % 8 != 0)
			continue;
		OK(kit_append(k, "INBOX", 1, 100, 0, NULL, 0));
		keep_hash();
		OK(state_compact_save(k->s, 1, &c));
	}
	did = c.did;
	state_compact_fini(&c);
}

static void
shrink(void)
{
	for (unsigned t = 0; t < TAB_COUNT; t++) {
		uint64_t pages;

		OK(engine_shrink(k->e, t, &pages));
		given_back += pages;
	}
}

static int
record(void **state)
{
	snprintf(left, sizeof(left), "/var/tmp/mansio-compact-left.%d", (int)getpid());
	kit_folder(k);
	disk_record(k->dir);
	kit_start(k);
	grow();
	OK(engine_checkpoint(k->e));
	first = k->lsn;
	keep_hash();
	disk_mark(1);
	walk();
	OK(engine_checkpoint(k->e));
	shrink();
	OK(kit_append(k, "B", 1, 100, 0, NULL, 0));
	keep_hash();
	OK(engine_checkpoint(k->e));
	disk_stop();
	return 0;
}

static int
forget(void **state)
{
	disk_forget();
	kit_close(k);
	return 0;
}

/* ---- what is left ---- */

/* A page that was torn is found, and what it is in made anew from a copy and the journal. */
static bool
must_be_rebuilt(void)
{
	const struct engine_opts o = { .tables = state_tables, .n_tables = state_n_tables,
		.page_bytes = state_page_bytes, .small = true, .manual = true };
	enum status st = engine_open(k->dir, &o, &k->e);

	if (st == ST_OK)
		OK(engine_close(&k->e));
	else
		assert_int_equal(st, ST_CORRUPT);
	return st != ST_OK;
}

static void
judge(bool torn)
{
	struct buf report = { 0 };
	struct journal_pos pos;
	unsigned char is[32];
	uint64_t wrong = 0;

	kit_folder(k);
	assert_int_equal(rmdir(k->dir), 0);
	memcpy(k->dir, left, sizeof(left));
	if (torn && must_be_rebuilt())
		return;
	kit_start(k);
	state_position(k->s, &pos);
	assert_true(pos.lsn >= first && pos.lsn < OPERATIONS);
	OK(state_hash(k->s, k->account, is));
	assert_memory_equal(is, hashes[pos.lsn], 32);
	OK(state_check(k->s, &report, &wrong));
	if (wrong > 0)
		fail_msg("%.*s", (int)report.len, report.data);
	buf_fini(&report);
	kit_close(k);
}

static void
judge_left(const char *what, unsigned n, bool torn)
{
	char cmd[120];
	int how;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		judge(torn);
		_exit(42);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", left);
	assert_int_equal(system(cmd), 0);
	if (!WIFEXITED(how) || WEXITSTATUS(how) != 42)
		fail_msg("%s %u: %d", what, n, how);
}

/* ---- tests ---- */

static bool
full(void)
{
	return getenv("MANSIO_FULL") != NULL;
}

static void
gaps_are_closed_and_pages_given_back(void **state)
{
	struct engine_compacted again = { 0 };
	struct state_compact c = { 0 };
	bool more = true;

	printf("%u windows, %u closed, %u pages, %u freed, %u given back, %u changes\n",
	    (unsigned)did.windows, (unsigned)did.closed, (unsigned)did.pages, (unsigned)did.freed,
	    (unsigned)given_back, disk_changes());
	assert_true(did.closed > 0 && did.freed > 10);
	assert_true(given_back > 0);
	OK(state_hash(k->s, k->account, hashes[0]));
	assert_memory_equal(hashes[k->lsn], hashes[0], 32);
	kit_check(k);
	/* Nothing came since: nothing is looked at. */
	while (more)
		OK(state_compact(k->s, &c, 0, &more));
	assert_memory_equal(&c.did, &again, sizeof(again));
	state_compact_fini(&c);
}

static bool
keep_none(unsigned i, unsigned n, unsigned block, void *arg)
{
	return false;
}

static bool
lose_block(unsigned i, unsigned n, unsigned block, void *arg)
{
	return block != *(unsigned *)arg;
}

static bool
keep_random(unsigned i, unsigned n, unsigned block, void *arg)
{
	uint32_t x = (*(unsigned *)arg * 7919 + i) * 0x7feb352du;

	return (x >> 16 & 1) != 0;
}

static void
a_kill_at_any_moment_of_it_loses_and_changes_nothing(void **state)
{
	struct disk_walk *w = disk_walk_new();
	unsigned step = full() ? 3 : 1 + disk_changes() / 16, n = 0, mark = 0;

	while (disk_walk_next(w, &mark)) {
		if (++n % step != 0 || mark == 0)
			continue;
		disk_walk_after_kill(w, left);
		judge_left("killed behind change", n, false);
	}
	disk_walk_free(&w);
}

static void
a_loss_of_power_at_any_moment_of_it_loses_nothing_that_was_synced(void **state)
{
	struct disk_walk *w = disk_walk_new();
	unsigned step = full() ? 5 : 1 + disk_changes() / 12, n = 0, mark = 0;

	while (disk_walk_next(w, &mark)) {
		unsigned pending = disk_walk_pending(w), blocks = disk_walk_blocks(w);

		if (++n % step != 0 || mark == 0 || pending == 0)
			continue;
		disk_walk_after_power_loss(w, keep_none, NULL, n % 2 == 0, left);
		judge_left("power lost, all unsynced, at change", n, false);
		disk_walk_after_power_loss(w, keep_random, &n, n % 2 == 0, left);
		judge_left("power lost, some unsynced, at change", n, true);
		for (unsigned i = n % blocks; i < blocks; i += full() ? 1 + blocks / 3 : blocks) {
			disk_walk_after_power_loss(w, lose_block, &i, true, left);
			judge_left("power lost without a block, at change", n, true);
		}
	}
	disk_walk_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gaps_are_closed_and_pages_given_back),
		cmocka_unit_test(a_kill_at_any_moment_of_it_loses_and_changes_nothing),
		cmocka_unit_test(a_loss_of_power_at_any_moment_of_it_loses_nothing_that_was_synced),
	};
	int rc;

	unsetenv("MANSIO_ENGINE");	/* LMDB has nothing to close */
	log_init("test");
	mem_keep_blocks();
	rc = cmocka_run_group_tests(tests, record, forget);
	return rc;
}
