/* Shards that earlier schemas made, t/data/shards/N.tar.gz: opened, upgraded while they serve, and made
 * anew from their journals; each time what clients are told is what the release that made them
 * told, and everything adds up. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/state/upgrade.h"
#include "t/unit/storage/engines.h"
#include "t/unit/storage/rig.h"
#include "t/unit/storage/shard_dump.h"

static const uint64_t accounts[] = { 17, 18 };
#define N_ACCOUNTS 2

static struct rig rig;

/* The fixture's folder becomes the rig's. */
static void
unpack(unsigned schema)
{
	const char *src = getenv("srcdir");
	char cmd[600];

	rig_init(&rig);
	snprintf(cmd, sizeof(cmd), "tar -xzf '%.300s/t/data/shards/%u.tar.gz' -C '%.100s'",
	    src != NULL ? src : "..", schema, rig.dir);
	assert_int_equal(system(cmd), 0);
	rig.cf.segment_bytes = 1u << 20;
	/* They were made long ago, and nothing of them is to go. */
	rig.cf.undelete_s = rig.cf.history_s = 0x7fffffff;
}

static void
read_dump(struct buf *out)
{
	char path[160], *data;
	size_t len;

	snprintf(path, sizeof(path), "%.120s/dump", rig.dir);
	assert_true(fd_slurp_path(path, 1u << 20, &data, &len));
	buf_add(out, data, len);
	mem_free(&data);
}

static void
roots(unsigned char out[N_ACCOUNTS][32])
{
	for (size_t i = 0; i < N_ACCOUNTS; i++)
		assert_int_equal(state_hash(service_state(rig.svc), accounts[i], out[i]), ST_OK);
}

static void
is_as_it_was(void)
{
	struct buf was = { 0 }, is = { 0 }, report = { 0 };
	uint64_t wrong;

	read_dump(&was);
	shard_dump(service_state(rig.svc), accounts, N_ACCOUNTS, &is);
	assert_string_equal(buf_cstr(&is), buf_cstr(&was));
	assert_int_equal(state_check(service_state(rig.svc), &report, &wrong), ST_OK);
	if (wrong != 0)
		fail_msg("%s", buf_cstr(&report));
	buf_fini(&was);
	buf_fini(&is);
	buf_fini(&report);
}

static void
until_upgraded(void)
{
	uint64_t end = clock_mono_ms() + 20000;
	struct state_schema sc;

	for (;;) {
		state_schema(service_state(rig.svc), &sc);
		if (sc.complete == SCHEMA_VERSION)
			return;
		assert_true(clock_mono_ms() < end);
		loop_once(rig.loop, true);
	}
}

static void
one_schema(unsigned schema)
{
	unsigned char before[N_ACCOUNTS][32], after[N_ACCOUNTS][32];
	struct state_schema sc;
	char cmd[200];

	unpack(schema);
	rig.cf.engine = ENGINE_BDB;		/* which made them */
	rig_start(&rig);
	state_schema(service_state(rig.svc), &sc);
	assert_int_equal(sc.complete, schema);
	is_as_it_was();
	roots(before);
	until_upgraded();
	is_as_it_was();
	roots(after);
	assert_memory_equal(before, after, sizeof(before));
	rig_stop(&rig);
	rig_start(&rig);
	state_schema(service_state(rig.svc), &sc);
	assert_int_equal(sc.complete, SCHEMA_VERSION);
	is_as_it_was();
	rig_stop(&rig);

	/* With what the database was made from alone, by either engine. */
	snprintf(cmd, sizeof(cmd), "rm -r '%.120s'/db*", rig.dir);
	assert_int_equal(system(cmd), 0);
	rig.cf.engine = engines_kind();
	rig_start(&rig);
	is_as_it_was();
	roots(after);
	assert_memory_equal(before, after, sizeof(before));
	rig_fini(&rig);
}

static void
a_shard_of_each_earlier_schema_is_upgraded_and_rebuilt_to_what_it_was(void **state)
{
	for (unsigned schema = 1; schema < SCHEMA_VERSION; schema++)
		one_schema(schema);
}

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_shard_of_each_earlier_schema_is_upgraded_and_rebuilt_to_what_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	log_set_level(LOG_LEVEL_WARN);
	return engines_each(run);
}
