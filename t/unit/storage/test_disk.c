/* The whole service over a disk that is full, or fails. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "t/unit/storage/rig.h"

#define FREE_NEVER UINT64_MAX

static struct rig rig;
static struct answer a, b;
static struct store *s;
static struct jio io;
static uint64_t free_space;		/* what the disk says */
static int write_error, sync_error, allocate_error;	/* errno; 0: none */

static int
disk_free(void *ctx, const char *path, uint64_t *bytes)
{
	*bytes = free_space;
	return 0;
}

static ssize_t
disk_write(void *ctx, int fd, const struct iovec *iov, int n, uint64_t off)
{
	if (write_error != 0) {
		errno = write_error;
		return -1;
	}
	return jio_files.pwritev(ctx, fd, iov, n, off);
}

static int
disk_sync(void *ctx, int fd)
{
	if (sync_error != 0) {
		errno = sync_error;
		return -1;
	}
	return jio_files.fdatasync(ctx, fd);
}

static int
disk_allocate(void *ctx, int fd, uint64_t off, uint64_t len)
{
	if (allocate_error != 0) {
		errno = allocate_error;
		return -1;
	}
	return jio_files.fallocate(ctx, fd, off, len);
}

static int
setup(void **state)
{
	rig_init(&rig);
	io = jio_files;
	io.free_bytes = disk_free;
	io.pwritev = disk_write;
	io.fdatasync = disk_sync;
	io.fallocate = disk_allocate;
	free_space = FREE_NEVER;
	write_error = sync_error = allocate_error = 0;
	rig.cf.io = &io;
	rig.cf.segment_bytes = 1u << 20;
	rig.cf.min_free_bytes = 8u << 20;
	a = b = (struct answer){ 0 };
	rig_start(&rig);
	s = rig_channel(&rig, 17, NULL, NULL);
	return 0;
}

static int
teardown(void **state)
{
	store_close(&s);
	write_error = sync_error = allocate_error = 0;
	rig_run(&rig, 1);
	rig_fini(&rig);
	answer_fini(&a);
	answer_fini(&b);
	return 0;
}

static enum status
append(const char *text)
{
	return rig_append(&rig, s, "INBOX", span_str(text), &a);
}

static enum status
flag(uint8_t flags)
{
	struct store_flags rq = { .how = FLAGS_ADD, .system = flags,
		.unchanged_since = UINT64_MAX };
	struct uidset all = { 0 };
	struct buf uids = { 0 };

	uidset_clear(&b.uids);
	assert_int_equal(rig_open(&rig, s, "INBOX", &b), ST_OK);
	rq.mailbox = b.u.opened.mailbox;
	uidset_add_range(&all, 1, UINT32_MAX);
	uidset_encode(&all, &uids);
	rq.uids = buf_span(&uids);
	rig_expect(STORE_FLAGS_ARE);
	store_do_flags(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	uidset_fini(&all);
	buf_fini(&uids);
	return a.st;
}

static void
a_full_disk_refuses_new_mail_and_nothing_else_and_recovers_by_itself(void **state)
{
	struct store_expunge ex = { 0 };

	for (int i = 0; i < 5; i++)
		assert_int_equal(append("Subject: x\r\n\r\n"), ST_OK);
	free_space = 20u << 20;		/* above what was asked for, not above the reserve too */
	rig_run(&rig, 1100);		/* it is asked for once in a second */
	assert_int_equal(append("Subject: y\r\n\r\n"), ST_NO_SPACE);
	assert_int_equal(flag(FLAG_DELETED), ST_OK);
	assert_int_equal(uidset_count(&b.uids), 5);
	ex.mailbox = b.u.opened.mailbox;
	rig_expect(STORE_EXPUNGED);
	store_do_expunge(s, &ex, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
	assert_int_equal(append("Subject: y\r\n\r\n"), ST_NO_SPACE);
	free_space = (uint64_t)8 << 30;
	rig_run(&rig, 1100);
	assert_int_equal(append("Subject: z\r\n\r\n"), ST_OK);
	assert_false(rig.fatal);
}

static void
below_half_of_the_reserve_nothing_changes_and_what_is_there_is_read(void **state)
{
	assert_int_equal(append("Subject: x\r\n\r\n"), ST_OK);
	free_space = 1u << 20;
	rig_run(&rig, 1100);
	assert_int_equal(flag(FLAG_SEEN), ST_NO_SPACE);
	assert_int_equal(uidset_count(&b.uids), 1);
	free_space = (uint64_t)8 << 30;
	rig_run(&rig, 1100);
	assert_int_equal(flag(FLAG_SEEN), ST_OK);
	assert_false(rig.fatal);
}

static void
no_room_for_a_segment_refuses_the_tick_and_keeps_what_was_said(void **state)
{
	char noise[40000];
	unsigned there = 0, x = 1;
	enum status st = ST_OK;

	for (size_t i = 0; i < sizeof(noise) - 1; i++) {
		x = x * 1103515245 + 12345;
		noise[i] = (char)('!' + (x >> 16) % 90);
	}
	noise[sizeof(noise) - 1] = '\0';
	allocate_error = ENOSPC;
	while (there < 200 && (st = append(noise)) == ST_OK)
		there++;
	assert_int_equal(st, ST_NO_SPACE);
	assert_false(rig.fatal);
	uidset_clear(&b.uids);
	assert_int_equal(rig_open(&rig, s, "INBOX", &b), ST_OK);
	assert_int_equal(uidset_count(&b.uids), there);
	assert_int_equal(append(noise), ST_NO_SPACE);
	allocate_error = 0;
	rig_run(&rig, 1100);
	assert_int_equal(append(noise), ST_OK);
	assert_false(rig.fatal);
	rig_stop(&rig);
	rig_start(&rig);
	uidset_clear(&b.uids);
	assert_int_equal(rig_open(&rig, s, "INBOX", &b), ST_OK);
	assert_int_equal(uidset_count(&b.uids), there + 1);
}

static void
ends_without_a_word(int *error, int value, unsigned there)
{
	struct buf items = { 0 };
	struct store_append rq = { .path = SPAN_LIT("INBOX") };
	unsigned n;

	for (unsigned i = 0; i < there; i++)
		assert_int_equal(append("Subject: x\r\n\r\n"), ST_OK);
	*error = value;
	n = a.n;
	rig_item(&items, SPAN_LIT("Subject: y\r\n\r\n"), 0, flags_system(0));
	rq.items = buf_span(&items);
	store_do_append(s, &rq, rig_done, &a);
	while (!rig.fatal)
		loop_once(rig.loop, true);
	assert_int_equal(a.n, n);	/* no answer, neither good nor bad */
	rig_stop(&rig);
	*error = 0;
	rig.fatal = false;
	rig_start(&rig);
	rig_wait(&rig, &a, n + 1);	/* the client asked again */
	assert_int_equal(a.st, ST_OK);
	uidset_clear(&b.uids);
	assert_int_equal(rig_open(&rig, s, "INBOX", &b), ST_OK);
	assert_int_equal(uidset_count(&b.uids), there + 1);
	buf_fini(&items);
}

static void
a_sync_that_fails_ends_the_process_and_loses_nothing_acknowledged(void **state)
{
	ends_without_a_word(&sync_error, EIO, 4);
}

static void
a_write_that_fails_ends_the_process_and_loses_nothing_acknowledged(void **state)
{
	ends_without_a_word(&write_error, EIO, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_full_disk_refuses_new_mail_and_nothing_else_and_recovers_by_itself),
		TEST(below_half_of_the_reserve_nothing_changes_and_what_is_there_is_read),
		TEST(no_room_for_a_segment_refuses_the_tick_and_keeps_what_was_said),
		TEST(a_sync_that_fails_ends_the_process_and_loses_nothing_acknowledged),
		TEST(a_write_that_fails_ends_the_process_and_loses_nothing_acknowledged),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
