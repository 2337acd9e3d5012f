/* Hot copies of a running store: made, verified, kept, and what they are good for. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/copies.h"
#include "storage/service/copy_files.h"
#include "t/unit/storage/rig.h"

#define ACCOUNT 17

static struct rig rig;
static struct answer a;
static struct store *s;

static int
setup(void **state)
{
	rig_init(&rig);
	rig.cf.segment_bytes = 256u << 10;
	a = (struct answer){ 0 };
	rig_start(&rig);
	s = rig_channel(&rig, ACCOUNT, NULL, NULL);
	return 0;
}

static int
teardown(void **state)
{
	store_close(&s);
	rig_run(&rig, 1);
	rig_fini(&rig);
	answer_fini(&a);
	return 0;
}

static void
append(unsigned n)
{
	char text[128];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "Subject: %u\r\n\r\n%u\r\n", i, i * 7919);
		assert_int_equal(rig_append(&rig, s, "INBOX", span_str(text), &a), ST_OK);
	}
}

struct made {
	enum status	st;
	uint32_t	number;
	bool		done;
};

static void
on_made(void *arg, enum status st, uint32_t number)
{
	*(struct made *)arg = (struct made){ st, number, true };
}

static void
wait_made(struct made *m)
{
	uint64_t end = clock_mono_ms() + 60000;

	while (!m->done) {
		assert_true(clock_mono_ms() < end);
		loop_once(rig.loop, true);
	}
}

static uint32_t
make(void)
{
	struct made m = { .done = false };

	copies_make(rig.svc, on_made, &m);
	wait_made(&m);
	assert_int_equal(m.st, ST_OK);
	return m.number;
}

static size_t
count(struct copy_info *last)
{
	struct copy_info *list;
	size_t n;

	copies_list(rig.svc, &list, &n);
	if (n > 0 && last != NULL)
		*last = list[n - 1];
	mem_free(&list);
	return n;
}

static bool
is_there(uint32_t number, const char *tail)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/copies/%u%s", rig.dir, number, tail);
	return stat(path, &st) == 0;
}

static void
a_copy_holds_what_was_answered_and_is_there_after_a_restart(void **state)
{
	struct journal_pos before;
	struct copy_info is = { 0 };
	uint32_t number;

	append(30);
	state_position(service_state(rig.svc), &before);
	number = make();
	assert_int_equal(count(&is), 1);
	assert_int_equal(is.number, number);
	assert_true(is.pos.lsn >= before.lsn);
	assert_true(is.bytes > 0);
	assert_true(is_there(number, "/manifest"));
	rig_stop(&rig);
	rig_start(&rig);
	assert_int_equal(count(&is), 1);
	assert_int_equal(is.number, number);
}

static void
the_last_two_are_kept_and_what_is_pinned(void **state)
{
	struct copy_info is;
	uint32_t first, second, third, fourth;
	char *path;

	append(3);
	first = make();
	assert_int_equal(copies_pin(rig.svc, first), ST_OK);
	second = make();
	third = make();
	assert_int_equal(count(&is), 3);
	fourth = make();
	assert_int_equal(count(&is), 3);
	assert_int_equal(is.number, fourth);
	path = copies_path(rig.svc, second);
	assert_null(path);
	path = copies_path(rig.svc, first);
	assert_non_null(path);
	mem_free(&path);
	copies_unpin(rig.svc, first);
	assert_int_equal(count(&is), 2);
	assert_null(copies_path(rig.svc, first));
	assert_int_equal(copies_pin(rig.svc, first), ST_NOT_FOUND);
	path = copies_path(rig.svc, third);
	assert_non_null(path);
	mem_free(&path);
}

static void
a_copy_asked_for_while_one_is_made_begins_behind_it(void **state)
{
	struct made one = { .done = false }, two = one, three = one;

	append(3);
	copies_make(rig.svc, on_made, &one);
	copies_make(rig.svc, on_made, &two);
	copies_make(rig.svc, on_made, &three);
	wait_made(&one);
	assert_false(two.done);
	wait_made(&two);
	wait_made(&three);
	assert_int_equal(two.number, three.number);
	assert_true(two.number > one.number);
}

static void
what_a_copy_needs_are_the_segments_with_its_bodies_and_those_behind_it(void **state)
{
	uint32_t *list = NULL, number;
	size_t n;

	append(5);
	number = make();
	assert_int_equal(copies_segments(rig.svc, number, &list, &n), ST_OK);
	assert_int_equal(n, 1);
	assert_int_equal(list[0], 1);
	mem_free(&list);
	assert_int_equal(copies_segments(rig.svc, number + 1, &list, &n), ST_NOT_FOUND);
	assert_null(list);
}

static bool
go_on(void *arg)
{
	return true;
}

static void
damage(const char *path, long at)
{
	FILE *f = fopen(path, "r+b");
	int c;

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	c = fgetc(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	fputc(c ^ 1, f);
	assert_int_equal(fclose(f), 0);
}

static void
a_flipped_bit_in_a_copy_is_found_by_its_manifest(void **state)
{
	struct copy_manifest m = { 0 }, again = { 0 };
	char file[256], *dir;

	append(5);
	dir = copies_path(rig.svc, make());
	assert_int_equal(copy_files_manifest(dir, &m), ST_OK);
	assert_true(m.n_files > 10);
	assert_int_equal(copy_files_copy(dir, NULL, &m, go_on, NULL), ST_OK);
	snprintf(file, sizeof(file), "%s/account.db", dir);
	damage(file, 5000);
	assert_int_equal(copy_files_copy(dir, NULL, &m, go_on, NULL), ST_CORRUPT);
	snprintf(file, sizeof(file), "%s/manifest", dir);
	damage(file, 30);
	assert_int_equal(copy_files_manifest(dir, &again), ST_CORRUPT);
	copy_manifest_fini(&m);
	mem_free(&dir);
}

static void
a_manifest_comes_back_as_it_was_and_nothing_else_is_one(void **state)
{
	struct copy_manifest m = { .shard = 3, .incarnation = 2, .pos = { 9, 10, 4, 8192 },
		.stamp_ms = 5, .made_ms = 6 }, is = { 0 };
	const struct copy_file f = { "log.0000000001", 77, { 1, 2, 3 } };
	struct buf b = { 0 }, cut = { 0 };

	copy_manifest_segment(&m, &(struct copy_segment){ 1, 100, 2 });
	copy_manifest_segment(&m, &(struct copy_segment){ 4, 50, 1 });
	copy_manifest_file(&m, &f);
	copy_manifest_put(&b, &m);
	assert_int_equal(copy_manifest_get(buf_span(&b), &is), ST_OK);
	assert_int_equal(is.shard, 3);
	assert_int_equal(is.pos.offset, 8192);
	assert_int_equal(is.n_segments, 2);
	assert_int_equal(is.n_files, 1);
	assert_string_equal(is.files[0].name, "log.0000000001");
	assert_memory_equal(is.files[0].sha256, f.sha256, SHA256_LEN);
	assert_true(copy_manifest_uses(&is, 4));
	assert_false(copy_manifest_uses(&is, 2));
	assert_int_equal(copy_manifest_bytes(&is), 77);
	copy_manifest_fini(&is);
	for (size_t n = 0; n < b.len; n++) {
		buf_clear(&cut);
		buf_add(&cut, b.data, n);
		assert_int_equal(copy_manifest_get(buf_span(&cut), &is), ST_CORRUPT);
		buf_add(&cut, b.data + n, b.len - n);
		cut.data[n] ^= 4;
		assert_int_equal(copy_manifest_get(buf_span(&cut), &is), ST_CORRUPT);
	}
	copy_manifest_fini(&m);
	buf_fini(&b);
	buf_fini(&cut);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_copy_holds_what_was_answered_and_is_there_after_a_restart),
		TEST(the_last_two_are_kept_and_what_is_pinned),
		TEST(a_copy_asked_for_while_one_is_made_begins_behind_it),
		TEST(what_a_copy_needs_are_the_segments_with_its_bodies_and_those_behind_it),
		TEST(a_flipped_bit_in_a_copy_is_found_by_its_manifest),
		cmocka_unit_test(a_manifest_comes_back_as_it_was_and_nothing_else_is_one),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
