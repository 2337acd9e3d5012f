/* A shard's folder that nobody serves, opened and proved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "storage/service/offline.h"
#include "t/unit/storage/rig.h"

static struct rig rig;
static struct answer a;
static unsigned char before[32];
static char scratch[160], why[200];

static int
set_up(void **state)
{
	struct store *s;

	rig_init(&rig);
	rig_start(&rig);
	snprintf(scratch, sizeof(scratch), "%s/scratch", rig.dir);
	s = rig_channel(&rig, 17, NULL, NULL);
	for (int i = 0; i < 10; i++)
		assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	assert_int_equal(state_hash(service_state(rig.svc), 17, before), ST_OK);
	store_close(&s);
	return 0;
}

static int
tear_down(void **state)
{
	rig_fini(&rig);
	answer_fini(&a);
	return 0;
}

static enum status
open_it(struct offline **o, bool in_place)
{
	const struct offline_opts opts = { .dir = rig.dir, .scratch = in_place ? NULL : scratch };

	return offline_open(&opts, o, why);
}

static void
root_is_as_before(struct offline *o)
{
	unsigned char root[32];

	assert_int_equal(state_hash(offline_state(o), 17, root), ST_OK);
	assert_memory_equal(root, before, 32);
}

static void
a_folder_that_is_served_is_left_alone(void **state)
{
	struct offline *o;

	assert_int_equal(open_it(&o, false), ST_CONFLICT);
	assert_int_equal(open_it(&o, true), ST_CONFLICT);
	assert_null(o);
	assert_string_not_equal(why, "");
}

static void
a_folder_without_a_shard_is_none(void **state)
{
	struct offline_opts opts = { .dir = "/nonexistent" };
	struct offline *o;

	assert_int_equal(offline_open(&opts, &o, why), ST_NOT_FOUND);
}

static void
it_has_the_root_that_the_server_had(void **state)
{
	struct offline *o;

	rig_stop(&rig);
	for (int in_place = 0; in_place < 2; in_place++) {
		assert_int_equal(open_it(&o, in_place), ST_OK);
		root_is_as_before(o);
		assert_non_null(offline_journal(o));
		assert_false(offline_rebuilt(o));
		offline_close(&o);
	}
	assert_int_equal(access(scratch, F_OK), -1);
}

static void
what_is_said_names_each_root(void **state)
{
	struct offline_fsck how = { .roots = false };
	struct buf out = { 0 };
	struct offline *o;
	uint64_t wrong;

	rig_stop(&rig);
	assert_int_equal(open_it(&o, false), ST_OK);
	assert_int_equal(offline_fsck(o, &how, &out, &wrong), ST_OK);
	assert_int_equal(wrong, 0);
	how.bodies = true;
	buf_clear(&out);
	assert_int_equal(offline_fsck(o, &how, &out, &wrong), ST_OK);
	assert_int_equal(wrong, 0);
	assert_non_null(strstr(buf_cstr(&out), "account 0000000000000011 root "));
	assert_non_null(strstr(buf_cstr(&out), "\naccounts 1 root "));
	buf_clear(&out);
	how.json = true;
	assert_int_equal(offline_fsck(o, &how, &out, &wrong), ST_OK);
	assert_non_null(strstr(buf_cstr(&out), "\"account\":\"0000000000000011\""));
	buf_fini(&out);
	offline_close(&o);
}

static void
a_lost_or_damaged_database_is_made_anew_from_the_journal(void **state)
{
	struct offline *o;
	char cmd[512];

	rig_stop(&rig);
	snprintf(cmd, sizeof(cmd), "for f in '%s'/db/*; do dd if=/dev/zero of=$f bs=4096 "
	    "count=2 conv=notrunc 2>/dev/null; done", rig.dir);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(open_it(&o, false), ST_OK);
	assert_true(offline_rebuilt(o));
	root_is_as_before(o);
	offline_close(&o);
	snprintf(cmd, sizeof(cmd), "rm -r '%s'/db", rig.dir);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(open_it(&o, false), ST_OK);
	assert_false(offline_rebuilt(o));
	root_is_as_before(o);
	offline_close(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_folder_that_is_served_is_left_alone),
		T(a_folder_without_a_shard_is_none),
		T(it_has_the_root_that_the_server_had),
		T(what_is_said_names_each_root),
		T(a_lost_or_damaged_database_is_made_anew_from_the_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
