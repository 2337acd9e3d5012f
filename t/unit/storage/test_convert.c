/* A shard's database becomes the other engine's, and back. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/log.h"
#include "storage/service/convert.h"
#include "storage/service/copies.h"
#include "storage/service/offline.h"
#include "t/unit/storage/rig.h"

/* Berkeley DB does not free what an environment held that panicked. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libdb-";
}

static struct rig rig;
static struct answer a;
static unsigned char before[32];
static char db[160], fresh[160];

static void
hash(unsigned char out[32])
{
	assert_int_equal(state_hash(service_state(rig.svc), 17, out), ST_OK);
}

static void
append(unsigned n)
{
	struct store *s = rig_channel(&rig, 17, NULL, NULL);

	while (n-- > 0)
		assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("Subject: x\r\n\r\n"), &a), ST_OK);
	store_close(&s);
	rig_run(&rig, 1);
}

static int
set_up(void **state)
{
	rig_init(&rig);
	rig.cf.engine = ENGINE_BDB;
	snprintf(db, sizeof(db), "%s/db", rig.dir);
	snprintf(fresh, sizeof(fresh), "%s/db.convert", rig.dir);
	rig_start(&rig);
	append(20);
	hash(before);
	return 0;
}

static int
tear_down(void **state)
{
	rig_fini(&rig);
	answer_fini(&a);
	return 0;
}

static int
convert(enum engine_kind kind)
{
	char *argv[] = { (char *)(uintptr_t)"stored", (char *)(uintptr_t)"--convert",
	    (char *)(uintptr_t)engine_kind_name(kind), rig.dir, NULL };

	return convert_main(4, argv);
}

static void
root_is_as_before(void)
{
	unsigned char is[32];

	hash(is);
	assert_memory_equal(is, before, 32);
}

static bool
is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static void
there_and_back_every_root_is_the_same(void **state)
{
	static const enum engine_kind way[] = { ENGINE_LMDB, ENGINE_LMDB, ENGINE_BDB, ENGINE_LMDB };
	enum engine_kind made;

	rig_stop(&rig);
	for (size_t i = 0; i < sizeof(way) / sizeof(*way); i++) {
		assert_int_equal(convert(way[i]), 0);
		assert_true(engine_made_by(db, &made));
		assert_int_equal(made, way[i]);
		assert_false(is_there(fresh));
		rig.cf.engine = way[i];
		rig_start(&rig);
		root_is_as_before();
		append(1);
		hash(before);
		rig_stop(&rig);
	}
}

static void
a_shard_that_is_served_is_left_alone(void **state)
{
	enum engine_kind made;

	assert_int_equal(convert(ENGINE_LMDB), 1);
	assert_true(engine_made_by(db, &made));
	assert_int_equal(made, ENGINE_BDB);
	root_is_as_before();
}

static void
with_the_other_engine_configured_it_does_not_start(void **state)
{
	struct service *svc;

	rig_stop(&rig);
	rig.cf.engine = ENGINE_LMDB;
	assert_int_equal(service_open(rig.loop, &rig.cf, rig.dir, NULL, NULL, &svc), ST_UNSUPPORTED);
	assert_null(svc);
	rig.cf.engine = ENGINE_BDB;
	rig_start(&rig);
	root_is_as_before();
}

/* Killed while it copies, or between the two renames of the folders. */
static void
what_a_killed_run_left_is_no_matter(void **state)
{
	char cmd[1000];

	rig_stop(&rig);
	snprintf(cmd, sizeof(cmd), "cp -r %s %s && rm -f %s/account.db && echo x > %s/data.mdb", db, fresh,
	    fresh, fresh);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(convert(ENGINE_LMDB), 0);
	assert_false(is_there(fresh));
	snprintf(cmd, sizeof(cmd), "mkdir %s && echo x > %s/message.db", fresh, fresh);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(convert(ENGINE_LMDB), 0);
	assert_false(is_there(fresh));
	rig.cf.engine = ENGINE_LMDB;
	rig_start(&rig);
	root_is_as_before();
}

static void
what_cannot_be_read_is_not_replaced(void **state)
{
	char cmd[1000];

	rig_stop(&rig);
	snprintf(cmd, sizeof(cmd), "printf XXXXXXXX | dd of=%s/message.db bs=1 seek=8000 "
	    "conv=notrunc 2>/dev/null", db);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(convert(ENGINE_LMDB), 1);
	assert_false(is_there(fresh));
	rig_start(&rig);	/* which finds it damaged, sets it aside and makes it anew */
}

static unsigned copied;

static void
on_copy(void *arg, enum status st, uint32_t number)
{
	assert_int_equal(st, ST_OK);
	copied++;
}

static void
a_copy_of_the_other_engine_still_brings_a_lost_database_back(void **state)
{
	enum engine_kind made;
	char cmd[1000];

	copied = 0;
	copies_make(rig.svc, on_copy, NULL);
	while (copied == 0)
		loop_once(rig.loop, true);
	append(3);
	hash(before);
	rig_stop(&rig);
	snprintf(cmd, sizeof(cmd), "rm -r %s", db);
	assert_int_equal(system(cmd), 0);
	rig.cf.engine = ENGINE_LMDB;
	rig_start(&rig);
	root_is_as_before();
	assert_true(engine_made_by(db, &made));
	assert_int_equal(made, ENGINE_LMDB);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(there_and_back_every_root_is_the_same),
		T(a_shard_that_is_served_is_left_alone),
		T(with_the_other_engine_configured_it_does_not_start),
		T(what_a_killed_run_left_is_no_matter),
		T(what_cannot_be_read_is_not_replaced),
		T(a_copy_of_the_other_engine_still_brings_a_lost_database_back),
	};

	log_set_level(LOG_LEVEL_FATAL);
	if (!engine_kind_built(ENGINE_LMDB))
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
