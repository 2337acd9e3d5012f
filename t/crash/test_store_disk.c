/* The whole shard on a disk that remembers (disk.h): journal and database together.
 *
 * A script runs once and is recorded.  Then, for moments of it, the folder is made that a kill or
 * a loss of power would have left: behind every change; with every prefix of what was written and
 * not synced; with each single piece of it lost; with each block of 4 KiB lost; with random parts of it.
 * A service opens each of them, and
 *	- what was answered is there, once, and what was not is there whole or not at all, or as
 *	  far as a step in parts had come;
 *	- everything that is counted is what a recount says;
 *	- the rest of the script runs.
 * Then the disk fails while the script runs (full, an I/O error, short writes) at each change, and
 * what is left is opened in the same way.  At last bits are flipped in every file of the end.
 *
 * Without MANSIO_FULL=1 a few of all these.  With both engines. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "t/crash/disk.h"
#include "t/crash/script.h"
#include "t/unit/storage/engines.h"
#include "storage/service/service_priv.h"

#define FINISHED 42		/* exit code of a child that came to its end */
#define KILLED 43
#define REFUSED 44

/* The machine that runs, and the one that was started after a loss of power. */
static const char first_boot[] = "00000000-0000-4000-8000-000000000001";
static const char second_boot[] = "00000000-0000-4000-8000-000000000002";
static const char *boot = first_boot;
static char base[64], left[80];	/* of all folders; the one that is opened */
static unsigned char end_hash[32];	/* of the undisturbed script */
static struct shared {
	unsigned	answered;
	unsigned	changes;
	unsigned char	hash[32];
} *shared;				/* with the children */

static bool
full(void)
{
	return getenv("MANSIO_FULL") != NULL;
}

static uint32_t
mix(uint32_t x)
{
	x = (x ^ (x >> 16)) * 0x7feb352du;
	x = (x ^ (x >> 15)) * 0x846ca68bu;
	return x ^ (x >> 16);
}

/* Children ------------------------------------------------------------------------ */

typedef void (*child_fn)(void *arg);

/* What fails in the child is a signal here. */
static int
in_child(child_fn fn, void *arg)
{
	pid_t pid = fork();
	int how;

	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		fn(arg);
		_exit(FINISHED);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	return WIFEXITED(how) ? WEXITSTATUS(how) : -WTERMSIG(how);
}

static void
remove_left(void)
{
	char cmd[200];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", left);
	assert_int_equal(system(cmd), 0);
}

/* As the service is set up here: threads, small files, many checkpoints. */
static void
begin_in(const char *dir)
{
	script_begin();
	script_rig.cf.inline_io = false;
	script_rig.cf.checkpoint_bytes = 64u << 10;
	script_rig.cf.boot_id = boot;
	if (dir != NULL) {
		assert_int_equal(rmdir(script_rig.dir), 0);
		snprintf(script_rig.dir, sizeof(script_rig.dir), "%s", dir);
	}
}

struct case_of {
	unsigned	answered;
	const char	*what;
	unsigned	n;
};

/* Opens what is left and judges it.  What fails is said with the case's name. */
static void
open_left(void *arg)
{
	const struct case_of *c = arg;
	struct buf is = { 0 };
	char what[80];
	unsigned step;

	snprintf(what, sizeof(what), "%s %u", c->what, c->n);
	begin_in(left);
	if (rig_try_start(&script_rig) != ST_OK)
		fail_msg("%s: it does not open", what);
	script_settle();
	script_shape(&is);
	script_judge(buf_span(&is), c->answered, what);
	script_consistent();
	for (step = 0; step <= SCRIPT_STEPS; step++)
		if (span_eq(buf_span(&is), script_shape_after(step)))
			break;
	if (step <= SCRIPT_STEPS) {
		assert_int_equal(script_run(step, NULL), SCRIPT_STEPS);
		script_shape(&is);
		script_judge(buf_span(&is), SCRIPT_STEPS, what);
		script_consistent();
	}
	rig_stop(&script_rig);
	buf_fini(&is);
}

static void
judge_left(const char *what, unsigned n, unsigned answered)
{
	struct case_of c = { answered, what, n };
	int rc = in_child(open_left, &c);

	remove_left();
	if (rc != FINISHED)
		fail_msg("%s %u, %u steps answered: %d", what, n, answered, rc);
}

/* Recording ----------------------------------------------------------------------- */

static void
record(void)
{
	unsigned char h[32];

	begin_in(NULL);
	disk_record(script_rig.dir);
	rig_start(&script_rig);
	for (unsigned i = 0; i < SCRIPT_STEPS; i++) {
		assert_true(script_step(i));
		disk_mark(i + 1);
		script_settle();
		if (i % 5 == 4)		/* let there be a checkpoint */
			rig_run(&script_rig, 600);
	}
	script_hash(h);
	memcpy(end_hash, h, sizeof(h));
	rig_stop(&script_rig);
	disk_stop();
	script_end();
}

static bool
keep_none(unsigned i, unsigned n, unsigned block, void *arg)
{
	return false;
}

static bool
keep_prefix(unsigned i, unsigned n, unsigned block, void *arg)
{
	return i < *(unsigned *)arg;
}

static bool
lose_piece(unsigned i, unsigned n, unsigned block, void *arg)
{
	return i != *(unsigned *)arg;
}

static bool
lose_block(unsigned i, unsigned n, unsigned block, void *arg)
{
	return block != *(unsigned *)arg;
}

static bool
keep_random(unsigned i, unsigned n, unsigned block, void *arg)
{
	return (mix(*(unsigned *)arg * 7919 + i) & 1) != 0;
}

static void
lose_power(const struct disk_walk *w, disk_keep_fn keep, unsigned n, bool names, const char *what,
    unsigned answered)
{
	disk_walk_after_power_loss(w, keep, &n, names, left);
	boot = second_boot;
	judge_left(what, n, answered);
	boot = first_boot;
}

/* ---- tests ---- */

static void
killed_behind_every_change_all_that_was_answered_is_there_once(void **state)
{
	struct disk_walk *w = disk_walk_new();
	unsigned step = full() ? 1 : 1 + disk_changes() / 24, n = 0, answered = 0;

	while (disk_walk_next(w, &answered)) {
		if (++n % step != 0)
			continue;
		disk_walk_after_kill(w, left);
		judge_left("killed behind change", n, answered);
	}
	assert_true(n > 100);
	printf("%u changes\n", n);
	disk_walk_free(&w);
}

/* At moments when a sync is about to be done, or was done just now, most is at stake. */
static void
whatever_a_power_loss_leaves_all_that_was_answered_is_there_once(void **state)
{
	struct disk_walk *w = disk_walk_new();
	unsigned cases = 0, n = 0, answered = 0, seed = 1;
	unsigned step = full() ? 3 : 1 + disk_changes() / 12;

	while (disk_walk_next(w, &answered)) {
		unsigned pending = disk_walk_pending(w), blocks = disk_walk_blocks(w);
		unsigned every = full() ? 1 + pending / 4 : pending;

		if (++n % step != 0 || pending == 0)
			continue;
		lose_power(w, keep_none, n, n % 2 == 0, "power lost, all unsynced", answered);
		for (unsigned i = n % every; i < pending; i += every, cases++)
			lose_power(w, keep_prefix, i, true, "power lost behind piece", answered);
		for (unsigned i = n % every; full() && i < pending; i += every, cases++)
			lose_power(w, lose_piece, i, false, "power lost without piece", answered);
		for (unsigned i = n % blocks; i < blocks; i += full() ? 1 + blocks / 3 : blocks, cases++)
			lose_power(w, lose_block, i, true, "power lost without block", answered);
		for (unsigned i = 0; i < (full() ? 6u : 1u); i++, cases++)
			lose_power(w, keep_random, seed, seed % 2 == 0, "power lost, seed", answered), seed++;
	}
	printf("%u losses of power\n", cases);
	disk_walk_free(&w);
}

struct fault { unsigned at, times; int e; bool half, kill; };

/* Without the service's own goodbye: the process is gone. */
static void
run_with_fault(void *arg)
{
	const struct fault *f = arg;

	begin_in(left);
	assert_int_equal(mkdir(left, 0700), 0);
	disk_record(left);
	if (f->kill)
		disk_kill(f->at, KILLED);
	else
		disk_fail(f->at, f->times, f->e, f->half);
	if (rig_try_start(&script_rig) != ST_OK)
		_exit(REFUSED);
	for (unsigned i = 0; i < SCRIPT_STEPS && script_step(i); i++) {
		shared->answered = i + 1;
		script_settle();
		if (i == 9)
			rig_run(&script_rig, 260);
	}
	shared->changes = disk_changes();
	_exit(script_rig.fatal ? KILLED : FINISHED);
}

/* false: the script has not so many changes. */
static bool
with_fault(const struct fault *f, const char *what)
{
	int rc;

	remove_left();
	shared->answered = 0;
	shared->changes = 0;
	rc = in_child(run_with_fault, (void *)(uintptr_t)f);
	if (rc != FINISHED && rc != KILLED && rc != REFUSED)
		fail_msg("%s at change %u: %d", what, f->at, rc);
	judge_left(what, f->at, shared->answered);
	return rc != FINISHED || shared->changes >= f->at;
}

static void
a_disk_that_fails_at_any_change_loses_nothing_that_was_answered(void **state)
{
	static const struct {
		const char	*what;
		struct fault	f;
	} kinds[] = {
		{ "disk full", { .times = 1, .e = ENOSPC, .half = true } },
		{ "disk full for a while", { .times = 12, .e = ENOSPC } },
		{ "I/O error", { .times = 1, .e = EIO } },
		{ "I/O errors", { .times = 1000000, .e = EIO, .half = true } },
		{ "short writes", { .times = 1000000, .e = 0 } },
		{ "killed in the middle", { .kill = true } },
	};
	unsigned last = disk_changes(), cases = 0;

	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		struct fault f = kinds[k].f;
		unsigned step = full() ? 2 : 1 + last / 6;

		for (f.at = 1 + (full() ? 0 : k * 7); with_fault(&f, kinds[k].what); f.at += step) {
			cases++;
			if (f.e == 0 && !f.kill)
				break;		/* all of them are short anyway */
		}
	}
	printf("%u faults\n", cases);
}

/* Damage --------------------------------------------------------------------------- */

struct damage {
	char		path[430];
	const char	*name;
	bool		journal;
};

/* The state is what it was, at once or after the service found out that it is damaged and made
 * it anew.  A journal may refuse, and then says where. */
static void
open_damaged(void *arg)
{
	const struct damage *d = arg;
	unsigned char h[32];

	begin_in(left);
	for (unsigned attempt = 0; attempt < 3; attempt++) {
		struct buf report = { 0 };
		uint64_t wrong = 0;
		enum status st = rig_try_start(&script_rig);

		if (st != ST_OK)
			_exit(d->journal && st == ST_CORRUPT ? REFUSED : 1);
		st = state_hash(service_state(script_rig.svc), SCRIPT_ACCOUNT, h);
		if (st == ST_OK)
			st = state_check(service_state(script_rig.svc), &report, &wrong);
		if (st == ST_OK && wrong == 0) {
			assert_memory_equal(h, end_hash, sizeof(h));
			rig_stop(&script_rig);
			buf_fini(&report);
			_exit(FINISHED);
		}
		if (st == ST_OK)
			fail_msg("%s: %.*s", d->path, (int)report.len, report.data);
		/* As a read of a client's would. */
		(void)service_judge(script_rig.svc, ST_CORRUPT, "test");
		rig_stop(&script_rig);
	}
	fail_msg("%s: damaged for good", d->path);
}

typedef void (*file_fn)(const char *path, bool journal, void *arg);

static void
each_file(const char *sub, bool journal, file_fn fn, void *arg)
{
	char dir[100], path[400];
	DIR *d;
	struct dirent *e;
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/%s", left, sub);
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
			fn(path, journal, arg);
	}
	closedir(d);
}

struct names { struct buf list; };

static void
note_name(const char *path, bool journal, void *arg)
{
	struct names *n = arg;

	buf_add_c(&n->list, journal ? 'j' : 'd');
	buf_add(&n->list, path, strlen(path) + 1);
}

static void
end_picture(void)
{
	struct disk_walk *w = disk_walk_new();
	unsigned mark;

	while (disk_walk_next(w, &mark))
		;
	remove_left();
	disk_walk_after_kill(w, left);
	disk_walk_free(&w);
}

static void
flip(const char *path, uint32_t seed)
{
	struct stat st;
	char c;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	/* A byte that is something, if there is one not too far. */
	seed = mix(seed) % (uint32_t)st.st_size;
	do
		assert_int_equal(pread(fd, &c, 1, seed), 1);
	while (c == 0 && seed-- > 0);
	seed += seed == UINT32_MAX;
	c ^= 0x10;
	assert_int_equal(pwrite(fd, &c, 1, seed), 1);
	close(fd);
}

static unsigned failures;

/* Nothing is left to read but the journal. */
static void
lose_database(void)
{
	char cmd[120];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s/db'", left);
	assert_int_equal(system(cmd), 0);
}

/* seed 0: the file is gone. */
static unsigned
damage(const char *name, bool journal, uint32_t seed)
{
	struct damage d = { .journal = journal };
	int rc;

	remove_left();
	snprintf(d.path, sizeof(d.path), "%s, seed %u", name, seed);
	end_picture();
	if (seed == 0)
		assert_int_equal(unlink(name), 0);
	else
		flip(name, seed);
	if (journal && seed % 2 == 0)
		lose_database();
	rc = in_child(open_damaged, &d);
	remove_left();
	if (rc != FINISHED && rc != REFUSED)
		print_error("%s: %d\n", d.path, rc), failures++;
	return rc == REFUSED;
}

static void
every_name(struct names *n)
{
	end_picture();
	each_file("journal", true, note_name, n);
	each_file("db", false, note_name, n);
	remove_left();
}

static void
a_flipped_bit_or_a_lost_file_is_found_and_never_shown(void **state)
{
	struct names n = { { 0 } };
	unsigned refused = 0, cases = 0, files = 0;

	every_name(&n);
	for (size_t at = 0; at < n.list.len; at += strlen(n.list.data + at) + 1, files++) {
		const char *name = n.list.data + at + 1;
		bool journal = n.list.data[at] == 'j';

		/* A third of the tables at a time. */
		if (!journal && (full() || files % 3 == 0))
			refused += damage(name, journal, 0);
		if (!journal && !full() && files % 3 != 1)
			continue;
		for (uint32_t seed = 1; seed <= (full() ? 40u : journal ? 4u : 1u); seed++, cases++)
			refused += damage(name, journal, seed + files * 100);
	}
	printf("%u files, %u flips, %u refusals\n", files, cases, refused);
	buf_fini(&n.list);
	assert_int_equal(failures, 0);
}

/* ---- set up ---- */

static int
reference(void **state)
{
	snprintf(base, sizeof(base), "%s/mansio-disk-XXXXXX", getenv("TMPDIR"));
	assert_non_null(mkdtemp(base));
	snprintf(left, sizeof(left), "%s/left", base);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	    -1, 0);
	assert_true(shared != MAP_FAILED);
	begin_in(NULL);
	rig_start(&script_rig);
	script_reference();
	script_end();
	record();
	return 0;
}

static int
forget(void **state)
{
	char cmd[200];

	script_reference_free();
	disk_forget();
	munmap(shared, sizeof(*shared));
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", base);
	return system(cmd);
}

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_behind_every_change_all_that_was_answered_is_there_once),
		cmocka_unit_test(whatever_a_power_loss_leaves_all_that_was_answered_is_there_once),
		cmocka_unit_test(a_disk_that_fails_at_any_change_loses_nothing_that_was_answered),
		cmocka_unit_test(a_flipped_bit_or_a_lost_file_is_found_and_never_shown),
	};

	return cmocka_run_group_tests(tests, reference, forget);
}

int
main(void)
{
	setenv("TMPDIR", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", 0);
	/* Children end without cleaning up. */
	log_set_level(getenv("MANSIO_SHOW") != NULL ? LOG_LEVEL_INFO : LOG_LEVEL_FATAL);
	if (getenv("MANSIO_SHOW") == NULL)
		log_set_sink(LOG_SINK_FILE, open("/dev/null", O_WRONLY | O_CLOEXEC));
	return engines_each(run);
}
