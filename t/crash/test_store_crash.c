/* The store service stopped at every write and every sync of a script.  What is left
 * is opened again, by kill (all that was written is there) and by power loss (what was
 * not synced is gone, or in part), with the applied state as it lay and with none:
 *
 *	- what was acknowledged is there, and what was not is there whole or not at all:
 *	  the shape of the account is that after the last answer, or after one step more, or
 *	  one that the step had on its way: a STORE (of flags, of annotations) and an EXPUNGE go
 *	  in parts, of two rows
 *	  here; a COPY, a MOVE and an APPEND never show a part;
 *	- both applied states are equal (state_hash), and equal to what it was at the last
 *	  answer unless that step is there;
 *	- the client, which still waits, asks again and finishes the script: the shape at its
 *	  end is that of a run without a fault, so nothing happened twice.
 *
 * Without MANSIO_FULL=1 every third stop is tried, and with the second engine
 * every eleventh. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "t/crash/faultio.h"
#include "t/crash/script.h"
#include "t/unit/storage/engines.h"

/* Files --------------------------------------------------------------------------- */

static void
copy_file(const char *from, const char *to)
{
	char *data;
	size_t len;
	int fd;

	assert_true(fd_slurp_path(from, 256u << 20, &data, &len));
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && fd_write_full(fd, data, len));
	close(fd);
	mem_free(&data);
}

static void
each_file(const char *dir, const char *to)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char a[512], b[512];

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(a, sizeof(a), "%s/%s", dir, e->d_name);
		if (to == NULL) {
			unlink(a);
			continue;
		}
		snprintf(b, sizeof(b), "%s/%s", to, e->d_name);
		copy_file(a, b);
	}
	if (d != NULL)
		closedir(d);
}

static void
path_of(char out[256], const char *name)
{
	snprintf(out, 256, "%s/%s", script_rig.dir, name);
}

/* Keeps, brings back, or empties the applied state. */
static void
db_save(void)
{
	char db[256], saved[256];

	path_of(db, "db");
	path_of(saved, "saved");
	mkdir(saved, 0700);
	each_file(saved, NULL);
	each_file(db, saved);
}

static void
db_restore(bool empty)
{
	char db[256], saved[256];

	path_of(db, "db");
	path_of(saved, "saved");
	each_file(db, NULL);
	if (!empty)
		each_file(saved, db);
}

/* One stop --------------------------------------------------------------------------- */

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

/* Opens what is left, compares the states, finishes the script. */
static void
check_left(struct faultio *left, unsigned answered, unsigned at,
    const unsigned char last[32], bool lost_power)
{
	unsigned char survived[32], rebuilt[32];
	struct buf is = { 0 };
	char what[32];

	script_rig.cf.io = faultio_io(left);
	script_rig.fatal = false;
	db_restore(true);
	rig_start(&script_rig);
	script_settle();
	script_hash(rebuilt);
	script_shape(&is);
	snprintf(what, sizeof(what), "stop %u", at);
	script_judge(buf_span(&is), answered, what);
	if (answered > 0 && span_eq(buf_span(&is), script_shape_after(answered)))
		assert_memory_equal(rebuilt, last, 32);
	script_consistent();
	rig_stop(&script_rig);
	db_restore(lost_power);		/* unsynced pages cannot be taken from it here */
	script_rig.fatal = false;
	rig_start(&script_rig);
	script_settle();
	script_hash(survived);
	assert_memory_equal(survived, rebuilt, 32);
	assert_int_equal(script_run(answered, NULL), SCRIPT_STEPS);
	script_shape(&is);
	script_judge(buf_span(&is), SCRIPT_STEPS, what);
	script_consistent();
	rig_stop(&script_rig);
	buf_fini(&is);
}

static void
begin(struct faultio *f)
{
	script_begin();
	script_rig.cf.io = faultio_io(f);
}

/* What the journal holds open is made before the fault can strike: a service that cannot
 * even start is the journal's own test. */
static unsigned
first_stop(struct faultio *f)
{
	return faultio_ops(f) + 1;
}

/* how: 0 kill, 1 power loss, 2 power loss with some sectors kept.  false: the script ended
 * before the stop. */
static bool
stop_at(unsigned at, unsigned how)
{
	struct faultio *f = faultio_new(), *left;
	unsigned char last[32] = { 0 };
	unsigned answered;
	bool hit;

	begin(f);
	rig_start(&script_rig);
	faultio_stop_at(f, first_stop(f) + at);
	answered = script_run(0, last);
	hit = script_rig.fatal;
	if (hit) {
		db_save();
		rig_stop(&script_rig);
		left = how == 0 ? faultio_after_kill(f) :
		    faultio_after_power_loss(f, how == 1 ? keep_none : keep_some, &at, true);
		check_left(left, answered, at, last, how > 0);
		faultio_free(&left);
	}
	script_end();
	faultio_free(&f);
	return hit;
}

static void
stopped_at_every_write_and_sync_nothing_is_lost_and_nothing_happens_twice(void **state)
{
	unsigned step = getenv("MANSIO_FULL") != NULL ? 1 : 3, stops = 0;

	/* The journal, which decides, is the same. */
	if (step > 1 && engines_kind() != ENGINE_BDB)
		step = 11;

	for (unsigned how = 0; how < 3; how++) {
		for (unsigned at = how; stop_at(at, how); at += step)
			stops++;
	}
	assert_true(stops > 20);
	printf("%u stops\n", stops);
}

static int
reference(void **state)
{
	struct faultio *f = faultio_new();

	begin(f);
	rig_start(&script_rig);
	script_reference();
	script_end();
	faultio_free(&f);
	return 0;
}

static int
forget(void **state)
{
	script_reference_free();
	return 0;
}

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    stopped_at_every_write_and_sync_nothing_is_lost_and_nothing_happens_twice),
	};

	return cmocka_run_group_tests(tests, reference, forget);
}

int
main(void)
{
	/* The journal is in memory; the database's own syncs would only take time. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	log_set_level(LOG_LEVEL_FATAL);
	if (getenv("MANSIO_FULL") == NULL)
		log_set_sink(LOG_SINK_FILE, open("/dev/null", O_WRONLY | O_CLOEXEC));
	return engines_each(run);
}
