/* Hot copies, mail that is moved and segments that are let go, on a disk that remembers (disk.h).
 *
 * Mail comes and mostly goes again; copies are made, what lives is moved, segments are released.
 * That is recorded, and for moments of it the folder is made that a kill or a loss of power would
 * have left.  Each of them opens; from the moment on when the mail was gone the account has the
 * same root, every body is readable, a recount agrees.  Then the database goes, and made anew
 * from the copies and the journal that are there it is the same once more.
 *
 * Without MANSIO_FULL=1 a few of these moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/log.h"
#include "storage/service/copies.h"
#include "storage/service/reclaim.h"
#include "t/crash/disk.h"
#include "t/unit/storage/reclaimkit.h"

#define ACCOUNT 17
#define FINISHED 42

static struct rig rig;
static struct answer a;
static struct store *s;
static char left[80];
static unsigned seed = 7;
static unsigned char want_root[32], want_bodies[32];

static bool
full(void)
{
	return getenv("MANSIO_FULL") != NULL;
}

static void
configure(void)
{
	rig.cf.segment_bytes = 64u << 10;
	rig.cf.checkpoint_bytes = 256u << 10;
	rig.cf.undelete_s = rig.cf.history_s = 0;
	rig.cf.reclaim_rate = 1u << 30;
	rig.cf.reclaim_share = 90;
}

static void
append(void)
{
	char text[9001];

	memcpy(text, "Subject: x\r\n\r\n", 14);
	for (size_t i = 14; i < sizeof(text) - 1; i++) {
		seed = seed * 1103515245 + 12345;
		text[i] = (char)('!' + (seed >> 16) % 90);
	}
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(rig_append(&rig, s, "INBOX", span_str(text), &a), ST_OK);
}

static void
expunge(const struct uidset *set)
{
	struct store_expunge rq = { .mailbox = rig_inbox(&rig, ACCOUNT) };
	struct store_flags flags = { .mailbox = rq.mailbox, .how = FLAGS_ADD,
		.system = FLAG_DELETED, .unchanged_since = UINT64_MAX };
	struct buf uids = { 0 };

	uidset_encode(set, &uids);
	rq.uids = flags.uids = buf_span(&uids);
	rig_expect(STORE_FLAGS_ARE);
	store_do_flags(s, &flags, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	rig_expect(STORE_EXPUNGED);
	store_do_expunge(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
	buf_fini(&uids);
}

static void
record(void)
{
	struct uidset set = { 0 };
	struct reclaim_counts c;

	rig_init(&rig);
	configure();
	disk_record(rig.dir);
	rig_start(&rig);
	s = rig_channel(&rig, ACCOUNT, NULL, NULL);
	for (uint32_t u = 1; u <= 20; u++) {
		append();
		if (u % 4 != 0 && u <= 16)
			uidset_add_range(&set, u, u);
	}
	expunge(&set);
	disk_mark(1);
	assert_int_equal(state_hash(service_state(rig.svc), ACCOUNT, want_root), ST_OK);
	rig_bodies(&rig, ACCOUNT, want_bodies, NULL);
	rig_forget_deleted(&rig, ACCOUNT);
	for (int i = 0; i < 4; i++)
		rig_copy(&rig);
	reclaim_counts(rig.svc, &c);
	assert_true(c.moved_pieces > 0 && c.released > 0);
	disk_stop();
	store_close(&s);
	rig_run(&rig, 1);
	rig_stop(&rig);
	uidset_fini(&set);
}

/* ---- what is left ---- */

static void
judge(bool gone)
{
	unsigned char root[32], all[32];

	assert_int_equal(rig_try_start(&rig), ST_OK);
	if (gone) {
		assert_int_equal(state_hash(service_state(rig.svc), ACCOUNT, root), ST_OK);
		assert_memory_equal(root, want_root, 32);
		rig_bodies(&rig, ACCOUNT, all, NULL);
		assert_memory_equal(all, want_bodies, 32);
	}
	rig_check(&rig);
	rig_stop(&rig);
}

static void
open_left(bool gone)
{
	char cmd[300];

	rig_init(&rig);
	configure();
	assert_int_equal(rmdir(rig.dir), 0);
	snprintf(rig.dir, sizeof(rig.dir), "%s", left);
	judge(gone);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s/db'", left);
	assert_int_equal(system(cmd), 0);
	judge(gone);
}

/* What fails in the child is a signal here. */
static void
judge_left(const char *what, unsigned n, bool gone)
{
	pid_t pid = fork();
	char cmd[200];
	int how;

	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		open_left(gone);
		_exit(FINISHED);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", left);
	assert_int_equal(system(cmd), 0);
	if (!WIFEXITED(how) || WEXITSTATUS(how) != FINISHED)
		fail_msg("%s %u: %d", what, n, how);
}

static bool
keep_none(unsigned i, unsigned n, unsigned block, void *arg)
{
	return false;
}

static bool
keep_some(unsigned i, unsigned n, unsigned block, void *arg)
{
	return ((i + *(unsigned *)arg) * 2654435761u >> 16 & 1) != 0;
}

static void
killed_while_copies_are_made_mail_is_moved_and_segments_go_nothing_is_lost(void **state)
{
	struct disk_walk *w = disk_walk_new();
	unsigned step = full() ? 3 : 1 + disk_changes() / 14, n = 0, gone = 0, cases = 0;

	while (disk_walk_next(w, &gone)) {
		if (++n % step != 0)
			continue;
		disk_walk_after_kill(w, left);
		judge_left("killed behind change", n, gone != 0);
		cases++;
	}
	printf("%u changes, %u kills\n", n, cases);
	disk_walk_free(&w);
}

static void
without_power_neither(void **state)
{
	struct disk_walk *w = disk_walk_new();
	unsigned step = full() ? 5 : 1 + disk_changes() / 8, n = 0, gone = 0, cases = 0;

	while (disk_walk_next(w, &gone)) {
		if (++n % step != 0)
			continue;
		disk_walk_after_power_loss(w, n % 2 == 0 ? keep_none : keep_some, &n, n % 3 != 0,
		    left);
		judge_left("power lost behind change", n, gone != 0);
		cases++;
	}
	printf("%u losses of power\n", cases);
	disk_walk_free(&w);
}

static int
begin(void **state)
{
	record();
	snprintf(left, sizeof(left), "%.70s-left", rig.dir);
	return 0;
}

static int
end(void **state)
{
	disk_forget();
	rig_fini(&rig);
	answer_fini(&a);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    killed_while_copies_are_made_mail_is_moved_and_segments_go_nothing_is_lost),
		cmocka_unit_test(without_power_neither),
	};

	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, begin, end);
}
