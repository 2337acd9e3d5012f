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

/* The file that a table lies in. */
static void
table_file(char *out, size_t size, const char *dir, const char *table)
{
	if (rig.cf.engine == ENGINE_LMDB)
		snprintf(out, size, "%s/data.mdb", dir);
	else
		snprintf(out, size, "%s/%s.db", dir, table);
}

static void
a_flipped_bit_in_a_copy_is_found_by_its_manifest(void **state)
{
	struct copy_manifest m = { 0 }, again = { 0 };
	char file[256], *dir;

	append(5);
	dir = copies_path(rig.svc, make());
	assert_int_equal(copy_files_manifest(dir, &m), ST_OK);
	assert_true(m.n_files > (rig.cf.engine == ENGINE_BDB ? 10 : 0));
	assert_int_equal(copy_files_copy(dir, NULL, &m, go_on, NULL), ST_OK);
	table_file(file, sizeof(file), dir, "account");
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

	live_add(&m.live, 1, 60);
	live_add(&m.live, 4, 50);
	live_add(&m.live, 1, 40);
	live_sort(&m.live);
	copy_manifest_file(&m, &f);
	copy_manifest_put(&b, &m);
	assert_int_equal(copy_manifest_get(buf_span(&b), &is), ST_OK);
	assert_int_equal(is.shard, 3);
	assert_int_equal(is.pos.offset, 8192);
	assert_int_equal(is.live.n, 2);
	assert_int_equal(is.live.v[0].bytes, 100);
	assert_int_equal(is.live.v[0].pieces, 2);
	assert_int_equal(is.n_files, 1);
	assert_string_equal(is.files[0].name, "log.0000000001");
	assert_memory_equal(is.files[0].sha256, f.sha256, SHA256_LEN);
	assert_non_null(live_get(&is.live, 4));
	assert_null(live_get(&is.live, 2));
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

/* Made anew ------------------------------------------------------------------------- */

static void
hash(unsigned char out[32])
{
	assert_int_equal(state_hash(service_state(rig.svc), ACCOUNT, out), ST_OK);
}

static void
remove_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", rig.dir, name);
	assert_int_equal(unlink(path), 0);
}

/* The pages of some tables are not what was written; LMDB, whose pages have no checksums, is told
 * by its checkpoint. */
static void
damage_db(void)
{
	static const char *const tables[] = { "account", "mailbox", "mindex", "meta" };
	char path[256];

	if (rig.cf.engine == ENGINE_LMDB) {
		snprintf(path, sizeof(path), "%s/db/checkpoint", rig.dir);
		damage(path, 40);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		snprintf(path, sizeof(path), "%s/db/%s.db", rig.dir, tables[i]);
		damage(path, 4096 + 100);
		damage(path, 200);
	}
}

/* Until the journal's end stands in a later segment. */
static void
append_to_segment(uint32_t segment)
{
	static char text[60000];
	struct journal_pos end;
	unsigned x = 1;

	do {
		memcpy(text, "Subject: x\r\n\r\n", 14);
		for (size_t i = 14; i < sizeof(text) - 1; i++) {
			x = x * 1103515245 + 12345;
			text[i] = (char)('!' + (x >> 16) % 90);
		}
		assert_int_equal(rig_append(&rig, s, "INBOX", span_str(text), &a), ST_OK);
		journal_end(service_journal(rig.svc), &end);
	} while (end.segment < segment);
}

static enum status
open_again(void)
{
	struct service *svc;
	enum status st = service_open(rig.loop, &rig.cf, rig.dir, NULL, NULL, &svc);

	service_close(&svc);
	return st;
}

static void
a_damaged_database_is_made_anew_from_the_newest_copy_and_the_journal_behind_it(void **state)
{
	unsigned char before[32], after[32];

	append_to_segment(2);
	make();
	append(5);
	hash(before);
	rig_stop(&rig);
	damage_db();
	remove_file("journal/0000000001.seg");	/* so it was not the whole journal */
	rig_start(&rig);
	hash(after);
	assert_memory_equal(before, after, 32);
	append(1);
	rig_stop(&rig);
	rig_start(&rig);
	assert_int_equal(count(NULL), 1);
}

static void
a_database_that_is_gone_comes_back_the_same_way(void **state)
{
	unsigned char before[32], after[32];
	char cmd[256];

	append_to_segment(2);
	make();
	append(5);
	hash(before);
	rig_stop(&rig);
	snprintf(cmd, sizeof(cmd), "rm -r '%s/db'", rig.dir);
	assert_int_equal(system(cmd), 0);
	remove_file("journal/0000000001.seg");
	rig_start(&rig);
	hash(after);
	assert_memory_equal(before, after, 32);
}

static void
a_damaged_copy_is_passed_over_for_the_older_one(void **state)
{
	unsigned char before[32], after[32];
	char copy[200], path[256];

	append_to_segment(2);
	make();
	append(3);
	snprintf(copy, sizeof(copy), "%s/copies/%u", rig.dir, make());
	table_file(path, sizeof(path), copy, "mindex");
	append(3);
	hash(before);
	rig_stop(&rig);
	damage(path, 5000);
	damage_db();
	remove_file("journal/0000000001.seg");
	rig_start(&rig);
	hash(after);
	assert_memory_equal(before, after, 32);
}

static void
without_any_copy_the_whole_journal_does(void **state)
{
	unsigned char before[32], after[32];

	append(9);
	hash(before);
	rig_stop(&rig);
	damage_db();
	rig_start(&rig);
	hash(after);
	assert_memory_equal(before, after, 32);
}

static void
where_nothing_is_possible_the_shard_refuses_and_takes_up_what_is_brought_back(void **state)
{
	unsigned char before[32], after[32];
	char from[256], to[256];

	append_to_segment(2);
	hash(before);
	rig_stop(&rig);
	damage_db();
	snprintf(from, sizeof(from), "%s/journal/0000000001.seg", rig.dir);
	snprintf(to, sizeof(to), "%s/elsewhere", rig.dir);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(open_again(), ST_CORRUPT);
	assert_int_equal(open_again(), ST_CORRUPT);
	assert_int_equal(rename(to, from), 0);
	rig_start(&rig);
	hash(after);
	assert_memory_equal(before, after, 32);
}

static void
a_journal_that_is_gone_is_not_begun_anew(void **state)
{
	unsigned char before[32], after[32];
	char from[256], to[256];

	append(3);
	make();
	hash(before);
	rig_stop(&rig);
	damage_db();
	snprintf(from, sizeof(from), "%s/journal", rig.dir);
	snprintf(to, sizeof(to), "%s/elsewhere", rig.dir);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(open_again(), ST_CORRUPT);
	assert_int_equal(unlink(strcat(from, "/lock")) == 0 || access(from, F_OK) != 0, 1);
	from[strlen(from) - 5] = '\0';
	assert_int_equal(rmdir(from), 0);
	assert_int_equal(rename(to, from), 0);
	rig_start(&rig);
	hash(after);
	assert_memory_equal(before, after, 32);
}

/* Incarnations ----------------------------------------------------------------------- */

static void
touch(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", rig.dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static bool
file_there(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", rig.dir, name);
	return access(path, F_OK) == 0;
}

/* Channels of before end there, as their clients must. */
static void
come_again(void)
{
	store_close(&s);
	rig_start(&rig);
	s = rig_channel(&rig, ACCOUNT, NULL, NULL);
}

static void
a_damaged_journal_refuses_until_the_admin_accepts_the_loss(void **state)
{
	struct store_opened was, is;
	struct journal_pos at;
	char path[256];

	append(20);
	assert_int_equal(rig_open(&rig, s, "INBOX", &a), ST_OK);
	was = a.u.opened;
	journal_end(service_journal(rig.svc), &at);
	append(20);
	rig_stop(&rig);
	damage_db();
	snprintf(path, sizeof(path), "%s/journal/0000000001.seg", rig.dir);
	damage(path, (long)at.offset + 600);
	assert_int_equal(open_again(), ST_CORRUPT);
	assert_int_equal(open_again(), ST_CORRUPT);
	touch("accept-loss");
	come_again();
	assert_false(file_there("accept-loss"));
	assert_false(file_there("incarnate"));
	assert_int_equal(state_incarnation(service_state(rig.svc)), 1);
	uidset_clear(&a.uids);
	assert_int_equal(rig_open(&rig, s, "INBOX", &a), ST_OK);
	is = a.u.opened;
	assert_in_range(uidset_count(&a.uids), 20, 39);
	assert_true(is.uidvalidity > was.uidvalidity);
	assert_true(is.highestmodseq >= was.highestmodseq + ((uint64_t)1 << 32));
	append(3);
	rig_stop(&rig);
	come_again();
	assert_int_equal(state_incarnation(service_state(rig.svc)), 1);
	assert_int_equal(rig_open(&rig, s, "INBOX", &a), ST_OK);
	assert_int_equal(a.u.opened.uidvalidity, is.uidvalidity);
}

/* What a client keeps: the id of the last message, its uid, modseq. */
static uint64_t
last_id(uint64_t mailbox)
{
	struct buf rows = { 0 };
	struct store_row row = { 0 };
	struct uidset all = { 0 };
	uint32_t resume = 1;
	uint64_t id = 0;
	struct reader r;

	uidset_add_range(&all, 1, UINT32_MAX);
	assert_int_equal(state_rows(service_state(rig.svc), ACCOUNT, mailbox, &all, ROW_ALL,
	    1u << 20, &resume, &rows), ST_OK);
	reader_init(&r, rows.data, rows.len);
	while (get_store_row(&r, &row, ROW_ALL))
		id = row.message;
	uidset_fini(&all);
	buf_fini(&rows);
	return id;
}

static void
save_folder(bool back)
{
	char cmd[600];

	if (back)
		snprintf(cmd, sizeof(cmd), "cd '%s' && rm -rf db journal copies && "
		    "cp -a saved/db saved/journal .", rig.dir);
	else
		snprintf(cmd, sizeof(cmd), "cd '%s' && mkdir saved && cp -a db journal saved/",
		    rig.dir);
	assert_int_equal(system(cmd), 0);
}

static void
the_same_old_state_brought_back_twice_gives_out_nothing_twice(void **state)
{
	struct store_opened one, two;
	uint64_t id_one, id_two;
	struct state_changes c = { .full = false };

	append(3);
	rig_stop(&rig);
	save_folder(false);
	touch("incarnate");
	come_again();
	append(2);
	assert_int_equal(rig_open(&rig, s, "INBOX", &a), ST_OK);
	one = a.u.opened;
	id_one = last_id(one.mailbox);
	rig_stop(&rig);
	usleep(1100000);		/* the clock's step */
	save_folder(true);
	touch("incarnate");
	come_again();
	append(1);
	assert_int_equal(rig_open(&rig, s, "INBOX", &a), ST_OK);
	two = a.u.opened;
	id_two = last_id(two.mailbox);
	assert_int_not_equal(two.uidvalidity, one.uidvalidity);
	assert_true(two.highestmodseq > one.highestmodseq);
	assert_true(id_two > id_one);
	/* who asks with what he knows of before gets everything */
	assert_int_equal(state_changes(service_state(rig.svc), ACCOUNT, two.mailbox,
	    one.highestmodseq, 100, &c), ST_OK);
	assert_true(c.full);
	assert_int_equal(uidset_count(&c.changed), 4);
	state_changes_fini(&c);
}

static void
note_event(void *arg, enum store_event ev, uint64_t modseq)
{
	if (ev == STORE_EV_REVOKED)
		*(bool *)arg = true;
}

static void
who_is_there_when_a_shard_begins_anew_is_sent_away(void **state)
{
	uint64_t end = clock_mono_ms() + 30000;
	bool gone = false;
	struct store *c = rig_channel(&rig, ACCOUNT, note_event, &gone);

	assert_int_equal(rig_open(&rig, c, "INBOX", &a), ST_OK);
	rig_stop(&rig);
	touch("incarnate");
	rig_start(&rig);
	while (!gone) {
		assert_true(clock_mono_ms() < end);
		loop_once(rig.loop, true);
	}
	store_close(&c);
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
		TEST(a_damaged_database_is_made_anew_from_the_newest_copy_and_the_journal_behind_it),
		TEST(a_database_that_is_gone_comes_back_the_same_way),
		TEST(a_damaged_copy_is_passed_over_for_the_older_one),
		TEST(without_any_copy_the_whole_journal_does),
		TEST(where_nothing_is_possible_the_shard_refuses_and_takes_up_what_is_brought_back),
		TEST(a_journal_that_is_gone_is_not_begun_anew),
		TEST(a_damaged_journal_refuses_until_the_admin_accepts_the_loss),
		TEST(the_same_old_state_brought_back_twice_gives_out_nothing_twice),
		TEST(who_is_there_when_a_shard_begins_anew_is_sent_away),
		cmocka_unit_test(a_manifest_comes_back_as_it_was_and_nothing_else_is_one),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
