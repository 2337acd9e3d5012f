/* Makes a small shard with some of everything: a fixture of t/data/shards, see t/data/shards/make.
 *
 *	make_shard DIR		DIR is new: gets journal/, db/ and dump
 *
 * Asks the store by the client's library alone and tells what came of it by state.h, so that the
 * source of today builds with a release of before. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/fd.h"
#include "common/util/log.h"
#include "storage/client/body.h"
#include "t/unit/storage/rig.h"
#include "t/unit/storage/shard_dump.h"

#define OWNER	17
#define READER	18

static struct rig rig;
static struct store *own, *other, *shared;
static struct answer a;
static const char *target;
static unsigned number;		/* of the next message */

static struct span
uids(uint32_t lo, uint32_t hi)
{
	static struct buf b;
	struct uidset set = { 0 };

	buf_clear(&b);
	uidset_add_range(&set, lo, hi);
	uidset_encode(&set, &b);
	uidset_fini(&set);
	return buf_span(&b);
}

static uint64_t
mailbox(const char *path)
{
	uint64_t id = 0;

	assert_int_equal(state_find_mailbox(service_state(rig.svc), OWNER, span_str(path), &id), ST_OK);
	return id;
}

#define DO(what, chan, ...) do { \
	const struct store_##what rq_ = { __VA_ARGS__ }; \
	unsigned n_ = a.n; \
	rig_expect(0); \
	store_do_##what(chan, &rq_, rig_done, &a); \
	rig_wait(&rig, &a, n_ + 1); \
	if (a.st != ST_OK) \
		fail_msg("%s: %s", #what, status_name(a.st)); \
} while (0)

/* As a worker gives them: all columns, each with a text of its own.  Every third message has none of
 * what is derived. */
static void
item(struct buf *items, struct span text, uint32_t stage, struct flags flags, unsigned i)
{
	const unsigned n = store_column_groups[STORE_COLUMN_GROUPS];
	struct body_writer *w = body_writer_new(SPAN_NONE, 0);
	struct buf stored = { 0 }, columns = { 0 }, cols = { 0 }, keys = { 0 };
	unsigned char sum[32];
	char list[32], structure[32];
	struct store_append_item it = { .flags = flags, .received_s = 1700000000 + i, .stage = stage,
		.received_zone = (int16_t)(60 * (i % 3)), .subject_hash = i % 4 };

	put_u64(&keys, 1000 + i);
	put_u64(&keys, 2000 + i / 4);
	it.thread_keys = buf_span(&keys);
	put_u8(&columns, SHARD_COLUMNS_VERSION);
	put_u8(&columns, (uint8_t)n);
	for (unsigned c = 0; c < n; c++) {
		size_t before = cols.len;

		buf_addf(&cols, "m%uc%u", i, c);
		put_u16(&columns, (uint16_t)(cols.len - before));
	}
	buf_add_span(&columns, buf_span(&cols));
	snprintf(list, sizeof(list), "list-%u", i);
	snprintf(structure, sizeof(structure), "structure-%u", i);
	if (i % 3 != 2) {
		it.list = span_str(list);
		it.structure = span_str(structure);
		it.columns = buf_span(&columns);
	}
	body_writer_feed(w, text.p, text.len, &stored);
	body_writer_finish(w, &stored);
	body_writer_sha256(w, sum);
	it.size = body_writer_size(w);
	it.sha256 = span(sum, sizeof(sum));
	if (stage == 0)
		it.body = buf_span(&stored);
	put_store_append_item(items, &it);
	body_writer_free(&w);
	buf_fini(&stored);
	buf_fini(&columns);
	buf_fini(&cols);
	buf_fini(&keys);
}

static void
append(const char *path, unsigned n, unsigned system, const char *keyword)
{
	struct buf items = { 0 }, keywords = { 0 };
	struct store_append rq = { .path = span_str(path) };
	unsigned before = a.n;
	struct flags f = flags_system((uint8_t)system);
	char text[200];

	if (keyword != NULL) {
		put_store_keyword(&keywords, span_str(keyword));
		f.w[0] |= 1u << 8;
	}
	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "From: a@example.org\r\nSubject: %s %u\r\n\r\nText %u.\r\n", path,
		    i, i * i);
		item(&items, span_str(text), 0, f, number++);
	}
	rq.items = buf_span(&items);
	rq.keywords = buf_span(&keywords);
	rig_expect(STORE_APPENDED);
	store_do_append(own, &rq, rig_done, &a);
	rig_wait(&rig, &a, before + 1);
	assert_int_equal(a.st, ST_OK);
	buf_fini(&items);
	buf_fini(&keywords);
}

static void
append_staged(void)
{
	static char bytes[70000];
	const struct store_stage st = { .stage = 1, .data = { bytes, sizeof(bytes) } };
	struct store_append rq = { .path = SPAN_LIT("INBOX") };
	struct buf items = { 0 };
	unsigned before = a.n;

	memset(bytes, 'x', sizeof(bytes));
	store_do_stage(own, &st, NULL, NULL);
	store_do_stage(own, &st, NULL, NULL);
	item(&items, SPAN_LIT("Subject: staged\r\n\r\n"), 1, flags_system(FLAG_SEEN), number++);
	rq.items = buf_span(&items);
	rig_expect(STORE_APPENDED);
	store_do_append(own, &rq, rig_done, &a);
	rig_wait(&rig, &a, before + 1);
	assert_int_equal(a.st, ST_OK);
	buf_fini(&items);
}

static void
annotate(void)
{
	struct buf b = { 0 };

	put_store_annotation(&b, &(struct store_annotation){ .shared = true, .given = true,
	    .entry = SPAN_LIT("/comment"), .value = SPAN_LIT("ours") });
	put_store_annotation(&b, &(struct store_annotation){ .given = true,
	    .entry = SPAN_LIT("/altsubject"), .value = SPAN_LIT("mine") });
	DO(annotate, own, .mailbox = mailbox("INBOX"), .uids = uids(2, 6), .entries = buf_span(&b),
	    .unchanged_since = UINT64_MAX);
	buf_clear(&b);
	put_store_metadata(&b, &(struct store_metadata){ .name = SPAN_LIT("/shared/comment"), .given = true,
	    .value = SPAN_LIT("for all") });
	put_store_metadata(&b, &(struct store_metadata){ .name = SPAN_LIT("/private/comment"), .given = true,
	    .value = SPAN_LIT("for one") });
	DO(metadata_set, own, .mailbox = mailbox("INBOX"), .entries = buf_span(&b));
	DO(metadata_set, own, .mailbox = 0, .entries = buf_span(&b));
	buf_clear(&b);
	put_store_uidl(&b, &(struct store_uidl){ 3, SPAN_LIT("old-server-3") });
	DO(uidl_put, own, .mailbox = mailbox("INBOX"), .list = buf_span(&b));
	buf_fini(&b);
}

static void
share(void)
{
	struct ticket t = rig_ticket(&rig, READER);
	unsigned char bytes[TICKET_LEN];

	DO(acl_set, own, .path = SPAN_LIT("Work"), .kind = ACL_USER, .id = READER, .how = ACL_REPLACE,
	    .rights = RIGHT_LOOKUP | RIGHT_READ | RIGHT_SEEN | RIGHT_WRITE);
	shared = store_open_shared(rig.pool, RIG_SHARD, rig_sign(&rig, &t, bytes), OWNER, NULL, NULL);
	DO(flags, shared, .mailbox = mailbox("Work"), .uids = uids(1, 4), .how = FLAGS_ADD,
	    .system = FLAG_SEEN, .unchanged_since = UINT64_MAX);
}

static void
script(void)
{
	DO(create, own, .path = SPAN_LIT("Work"));
	DO(create, own, .path = SPAN_LIT("Work/Old"));
	append("INBOX", 12, 0, NULL);
	append("Work", 8, FLAG_FLAGGED, "$Label1");
	append_staged();
	DO(flags, own, .mailbox = mailbox("INBOX"), .uids = uids(3, 5), .how = FLAGS_ADD,
	    .system = FLAG_SEEN | FLAG_ANSWERED, .unchanged_since = UINT64_MAX);
	DO(copy, own, .mailbox = mailbox("INBOX"), .uids = uids(1, 6), .to = SPAN_LIT("Work/Old"));
	DO(copy, own, .mailbox = mailbox("Work"), .uids = uids(7, 8), .to = SPAN_LIT("INBOX"),
	    .move = true);
	share();
	annotate();
	DO(flags, own, .mailbox = mailbox("INBOX"), .uids = uids(7, 9), .how = FLAGS_ADD,
	    .system = FLAG_DELETED, .unchanged_since = UINT64_MAX);
	DO(expunge, own, .mailbox = mailbox("INBOX"), .uids = uids(7, 8));
	DO(rename, own, .from = SPAN_LIT("Work/Old"), .to = SPAN_LIT("Kept/Older"));
	DO(create, own, .path = SPAN_LIT("Gone"));
	append("Gone", 5, 0, NULL);
	DO(delete, own, .path = SPAN_LIT("Gone"));
	DO(subscribe, own, .path = SPAN_LIT("Work"), .on = true);
	DO(subscribe, own, .path = SPAN_LIT("Nowhere"), .on = true);
	DO(url_key_make, own, .path = SPAN_LIT("INBOX"), .reset = true);
}

static void
write_dump(void)
{
	static const uint64_t ids[] = { OWNER, READER };
	struct buf out = { 0 }, path = { 0 };
	int fd;

	shard_dump(service_state(rig.svc), ids, 2, &out);
	buf_addf(&path, "%s/dump", target);
	fd = open(buf_cstr(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && fd_write_full(fd, out.data, out.len));
	close(fd);
	buf_fini(&out);
	buf_fini(&path);
}

static void
make(void **state)
{
	char cmd[600];

	rig_init(&rig);
	rig.cf.segment_bytes = 1u << 20;
	rig_start(&rig);
	own = rig_channel(&rig, OWNER, NULL, NULL);
	other = rig_channel(&rig, READER, NULL, NULL);
	DO(subscribe, other, .path = SPAN_LIT("INBOX"), .on = true);
	script();
	rig_run(&rig, 50);
	store_close(&shared);
	store_close(&other);
	store_close(&own);
	rig_run(&rig, 50);
	write_dump();
	rig_stop(&rig);
	snprintf(cmd, sizeof(cmd), "cp -r '%.200s/db' '%.200s/journal' '%.200s/'", rig.dir, rig.dir, target);
	assert_int_equal(system(cmd), 0);
	rig_fini(&rig);
	answer_fini(&a);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(make) };

	if (argc != 2) {
		fputs("usage: make_shard DIR\n", stderr);
		return 2;
	}
	target = argv[1];
	log_set_level(LOG_LEVEL_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
