#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "common/crypto/random.h"
#include "storage/client/copy.h"
#include "storage/client/body.h"
#include "t/unit/storage/engines.h"
#include "t/unit/storage/rig.h"

/* libdb forgets its buffers when it panics, which one test makes it do. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:__os_malloc\n";
}

static struct rig rig;
static struct answer a, b;

static int
setup(void **state)
{
	rig_init(&rig);
	rig_start(&rig);
	a = b = (struct answer){ 0 };
	return 0;
}

static int
teardown(void **state)
{
	rig_run(&rig, 1);
	rig_fini(&rig);
	answer_fini(&a);
	answer_fini(&b);
	return 0;
}

static unsigned
count_rows(const struct answer *is, unsigned fields, unsigned with_flag)
{
	struct reader r;
	struct store_row row;
	unsigned n = 0;

	reader_init(&r, is->parts.data, is->parts.len);
	while (get_store_row(&r, &row, fields))
		n += with_flag == 0 || (flags_get_system(row.flags) & with_flag) != 0;
	assert_false(r.bad);
	return n;
}

static void
the_first_attach_makes_the_account_with_its_mailboxes(void **state)
{
	const struct store_list all = { SPAN_NONE };
	struct store *s = rig_channel(&rig, 17, NULL, NULL);
	struct store_mailbox m;
	struct reader r;
	unsigned n = 0;

	rig_expect(STORE_MAILBOXES);
	store_do_list(s, &all, rig_done, &a);
	rig_wait(&rig, &a, 1);
	assert_int_equal(a.st, ST_OK);
	reader_init(&r, a.parts.data, a.parts.len);
	while (get_store_mailbox(&r, &m))
		n++;
	assert_int_equal(n, 6);
	store_close(&s);
}

static void
a_message_comes_back_as_it_was_given(void **state)
{
	struct store *s = rig_channel(&rig, 17, NULL, NULL);
	struct store_body rq = { .budget = 1u << 20 };
	struct body_reader *br = body_reader_new(0, 0);
	struct store_body_piece p;
	struct buf uids = { 0 }, raw = { 0 };
	struct reader r;

	assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("Subject: x\r\n\r\nhello\r\n"), &a), ST_OK);
	assert_int_equal(uidset_count(&a.uids), 1);
	assert_int_equal(rig_open(&rig, s, "INBOX", &b), ST_OK);
	assert_int_equal(b.u.opened.uidnext, 2);
	assert_int_equal(b.u.opened.rights, RIGHT_ALL);
	uidset_encode(&b.uids, &uids);
	rq.mailbox = b.u.opened.mailbox;
	rq.uids = buf_span(&uids);
	rig_expect(STORE_BODY_IS);
	store_do_body(s, &rq, rig_done, &b);
	rig_wait(&rig, &b, 2);
	assert_int_equal(b.st, ST_OK);
	assert_int_equal(b.u.body_is.resume_uid, 0);
	reader_init(&r, b.parts.data, b.parts.len);
	assert_true(get_store_body_piece(&r, &p));
	assert_int_equal(body_reader_feed(br, p.data, &raw), ST_OK);
	assert_true(body_reader_done(br));
	assert_true(span_eq_str(buf_span(&raw), "Subject: x\r\n\r\nhello\r\n"));
	assert_int_equal(rig_append(&rig, s, "Nowhere", SPAN_LIT("x"), &a), ST_NOT_FOUND);
	body_reader_free(&br);
	buf_fini(&uids);
	buf_fini(&raw);
	store_close(&s);
}

/* Texts that stay as long when they are packed, so that some bodies lie near the next one
 * in the journal and some do not. */
static void
text_of(unsigned i, struct buf *text)
{
	uint32_t x = i * 2654435761u + 1;

	buf_clear(text);
	buf_addf(text, "Subject: %u\r\n\r\n", i);
	for (size_t size = i % 7 == 0 ? 30000 : 100 + i * 37; text->len < size; x = x * 1664525u + 1013904223u)
		buf_addf(text, "%08x", (unsigned)x);
}

static void
expect_bodies(struct store *s, const char *path, unsigned n, unsigned (*which)(unsigned uid))
{
	struct store_body rq = { .budget = 4u << 20 };
	struct uidset all = { 0 };
	struct buf uids = { 0 }, raw = { 0 }, want = { 0 };
	struct store_body_piece p;
	struct reader r;
	unsigned got = 0;

	assert_int_equal(rig_open(&rig, s, path, &b), ST_OK);
	uidset_add_range(&all, 1, n);
	uidset_encode(&all, &uids);
	rq.mailbox = b.u.opened.mailbox;
	rq.uids = buf_span(&uids);
	buf_clear(&b.parts);
	rig_expect(STORE_BODY_IS);
	store_do_body(s, &rq, rig_done, &b);
	rig_wait(&rig, &b, b.n + 1);
	assert_int_equal(b.st, ST_OK);
	assert_int_equal(b.u.body_is.resume_uid, 0);
	reader_init(&r, b.parts.data, b.parts.len);
	while (get_store_body_piece(&r, &p)) {
		assert_true(p.uid == ++got && p.offset == 0 && p.data.len == p.stored_size);
		text_of(which(p.uid), &want);
		buf_clear(&raw);
		assert_int_equal(body_unpack(p.data, want.len, &raw), ST_OK);
		assert_true(span_eq(buf_span(&raw), buf_span(&want)));
	}
	assert_true(got == n && !r.bad);
	uidset_fini(&all);
	buf_fini(&uids);
	buf_fini(&raw);
	buf_fini(&want);
}

static unsigned
same(unsigned uid)
{
	return uid;
}

static unsigned
turned(unsigned uid)
{
	return 61 - uid;
}

static void
bodies_of_a_set_come_back_however_they_lie(void **state)
{
	struct store *s = rig_channel(&rig, 17, NULL, NULL), *o = rig_channel(&rig, 18, NULL, NULL);
	struct buf text = { 0 };

	for (unsigned i = 1; i <= 60; i++) {
		text_of(i, &text);
		assert_int_equal(rig_append(&rig, s, "INBOX", buf_span(&text), &a), ST_OK);
		for (unsigned k = i > 30 ? i % 12 : 0; k > 0; k--)
			assert_int_equal(rig_append(&rig, o, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	}
	assert_int_equal(rig_open(&rig, s, "INBOX", &b), ST_OK);
	for (unsigned i = 60; i >= 1; i--) {
		struct uidset one = { 0 };
		struct buf uids = { 0 };
		struct store_copy rq = { .mailbox = b.u.opened.mailbox, .to = SPAN_LIT("Trash") };

		uidset_add(&one, i);
		uidset_encode(&one, &uids);
		rq.uids = buf_span(&uids);
		rig_expect(STORE_COPIED);
		store_do_copy(s, &rq, rig_done, &a);
		rig_wait(&rig, &a, a.n + 1);
		assert_int_equal(a.st, ST_OK);
		uidset_fini(&one);
		buf_fini(&uids);
	}
	expect_bodies(s, "INBOX", 60, same);
	expect_bodies(s, "Trash", 60, turned);
	buf_fini(&text);
	store_close(&s);
	store_close(&o);
}

static void
add_many(struct store *s, unsigned n)
{
	struct buf items = { 0 };
	struct store_append rq = { .path = SPAN_LIT("INBOX") };

	for (unsigned i = 0; i < n; i++)
		rig_item(&items, SPAN_LIT("A: b\r\n\r\n"), 0, flags_system(0));
	rq.items = buf_span(&items);
	rig_expect(STORE_APPENDED);
	store_do_append(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
	assert_int_equal(uidset_count(&a.uids), n);
	buf_fini(&items);
}

static void
a_large_set_is_changed_in_parts_and_seen_whole_by_the_read_behind(void **state)
{
	struct store *s = rig_channel(&rig, 17, NULL, NULL);
	struct store_flags fl = { .how = FLAGS_ADD, .system = FLAG_DELETED,
		.unchanged_since = UINT64_MAX };
	struct store_rows rows = { .fields = ROW_FLAGS };
	struct store_expunge ex = { 0 };
	struct uidset all = { 0 };
	struct buf uids = { 0 };

	add_many(s, 2500);
	assert_int_equal(rig_open(&rig, s, "INBOX", &b), ST_OK);
	fl.mailbox = rows.mailbox = ex.mailbox = b.u.opened.mailbox;
	uidset_add_range(&all, 1, UINT32_MAX);
	uidset_encode(&all, &uids);
	fl.uids = rows.uids = buf_span(&uids);
	rig_expect(STORE_FLAGS_ARE);
	store_do_flags(s, &fl, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
	assert_int_equal(count_rows(&a, ROW_FLAGS, FLAG_DELETED), 2500);
	rig_expect(STORE_EXPUNGED);
	store_do_expunge(s, &ex, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
	assert_int_equal(uidset_count(&a.uids), 2500);
	assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	fl.system = FLAG_SEEN;
	rig_expect(STORE_FLAGS_ARE);
	store_do_flags(s, &fl, NULL, NULL);
	buf_clear(&b.parts);
	rig_expect(STORE_ROWS_ARE);
	store_do_rows(s, &rows, rig_done, &b);
	rig_wait(&rig, &b, b.n + 1);
	assert_int_equal(count_rows(&b, ROW_FLAGS, FLAG_SEEN), 1);
	uidset_fini(&all);
	buf_fini(&uids);
	store_close(&s);
}

/* Log lines ------------------------------------------------------------------------- */

static int log_fd = -1;

static void
log_begin(void)
{
	log_fd = memfd_create("log", MFD_CLOEXEC);
	log_set_sink(LOG_SINK_FILE, log_fd);
}

static void
log_end(const char *event, unsigned lines)
{
	char text[8192];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);
	unsigned all = 0, named = 0;

	log_set_sink(LOG_SINK_STDERR, 2);
	close(log_fd);
	assert_true(n >= 0);
	text[n] = '\0';
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		all++;
		named += strstr(line, event) != NULL;
	}
	if (all != lines || named != lines)
		fail_msg("%s: %u lines, %u of them with the name, not %u", event, all, named, lines);
}

static void
on_event(void *arg, enum store_event ev, uint64_t modseq)
{
	unsigned *events = arg;

	events[ev]++;
}

static enum status
try_ticket(struct span bytes)
{
	unsigned events[3] = { 0 };
	struct store *s = store_open_channel(rig.pool, RIG_SHARD, bytes, on_event, events);
	struct answer is = { 0 };
	enum status st;

	store_do_quota(s, rig_done, &is);
	rig_wait(&rig, &is, 1);
	st = is.st;
	answer_fini(&is);
	store_close(&s);
	return st;
}

static void
every_refused_ticket_leaves_one_line(void **state)
{
	unsigned char bytes[TICKET_LEN];
	struct ticket t;

	rig_expect(0);
	for (size_t i = 0; i < TICKET_LEN; i += 13) {
		t = rig_ticket(&rig, 17);
		rig_sign(&rig, &t, bytes);
		bytes[i] ^= 4;
		log_begin();
		assert_int_equal(try_ticket(span(bytes, TICKET_LEN)), ST_DENIED);
		log_end("ticket.forged", 1);
	}
#define REFUSED(change, status, event) do {					\
	t = rig_ticket(&rig, 17);						\
	change;									\
	log_begin();								\
	assert_int_equal(try_ticket(rig_sign(&rig, &t, bytes)), status);	\
	log_end(event, 1);							\
} while (0)
	REFUSED(t.slot = 2, ST_DENIED, "ticket.foreign");
	REFUSED(t.generation = 2, ST_DENIED, "ticket.foreign");
	REFUSED(t.role = STORE_ROLE_ADMIN, ST_DENIED, "ticket.role");
	REFUSED(t.role = STORE_ROLE_ACCESS | STORE_ROLE_DELIVER, ST_DENIED, "ticket.role");
	REFUSED(t.shard = 4, ST_DENIED, "ticket.shard");
	REFUSED(t.expires_s = clock_wall_s(), ST_EXPIRED, "ticket.expired");
	REFUSED(service_ticket_void(rig.svc, span(t.id, sizeof(t.id)), t.expires_s, 0), ST_DENIED,
	    "ticket.revoked");
	/* of an authd whose list nobody has any more */
	REFUSED(t.epoch = 0, ST_EXPIRED, "ticket.uncertain");
	t = rig_ticket(&rig, 17);
	assert_int_equal(try_ticket(rig_sign(&rig, &t, bytes)), ST_OK);
	service_revocations(rig.svc, 7);	/* the next authd: what is known stays known */
	assert_int_equal(try_ticket(rig_sign(&rig, &t, bytes)), ST_OK);
}

static void
a_delivery_may_append_and_not_read(void **state)
{
	unsigned char bytes[TICKET_LEN];
	unsigned events[3] = { 0 };
	struct ticket t = rig_ticket(&rig, 17);
	const struct store_open open = { .path = SPAN_LIT("INBOX") };
	struct store *s;

	t.role = STORE_ROLE_DELIVER;
	s = store_open_channel(rig.pool, RIG_SHARD, rig_sign(&rig, &t, bytes), on_event, events);
	assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	log_begin();
	rig_expect(STORE_OPENED);
	store_do_open(s, &open, rig_done, &a);
	rig_wait(&rig, &a, 2);
	assert_int_equal(a.st, ST_DENIED);
	log_end("ticket.role", 1);
	store_close(&s);
}

static void
a_ticket_taken_back_ends_its_channel(void **state)
{
	unsigned char bytes[TICKET_LEN];
	unsigned events[3] = { 0 };
	struct ticket t = rig_ticket(&rig, 17);
	const struct store_watch watch = { true };
	struct store *s = store_open_channel(rig.pool, RIG_SHARD, rig_sign(&rig, &t, bytes),
	    on_event, events);
	struct store *other = rig_channel(&rig, 17, NULL, NULL);

	rig_expect(0);
	store_do_watch(s, &watch, rig_done, &a);
	rig_wait(&rig, &a, 1);
	service_ticket_void(rig.svc, span(t.id, sizeof(t.id)), t.expires_s, 0);
	assert_int_equal(rig_append(&rig, other, "INBOX", SPAN_LIT("x"), &b), ST_OK);
	rig_run(&rig, 5);
	assert_int_equal(events[STORE_EV_REVOKED], 1);
	assert_int_equal(events[STORE_EV_DIRTY], 0);
	store_do_quota(s, rig_done, &a);
	rig_wait(&rig, &a, 2);
	assert_int_equal(a.st, ST_DENIED);
	store_close(&s);
	store_close(&other);
}

static enum status
lease(struct store *s, bool on, uint64_t what, uint32_t apart_s)
{
	const struct store_lease rq = { on, what, apart_s };
	unsigned n = a.n;

	rig_expect(0);
	store_do_lease(s, &rq, rig_done, &a);
	rig_wait(&rig, &a, n + 1);
	return a.st;
}

static void
a_lease_is_one_channels_until_it_ends(void **state)
{
	struct store *s = rig_channel(&rig, 17, NULL, NULL), *t = rig_channel(&rig, 17, NULL, NULL),
	    *other = rig_channel(&rig, 18, NULL, NULL);

	assert_int_equal(lease(s, true, 0, 0), ST_OK);
	assert_int_equal(lease(s, true, 0, 0), ST_OK);
	assert_int_equal(lease(t, true, 0, 0), ST_EXISTS);
	assert_int_equal(lease(t, true, 5, 0), ST_OK);
	assert_int_equal(lease(other, true, 0, 0), ST_OK);
	assert_int_equal(rig_append(&rig, t, "INBOX", SPAN_LIT("x"), &b), ST_OK);
	store_close(&s);
	rig_run(&rig, 5);
	assert_int_equal(lease(t, true, 0, 0), ST_OK);
	assert_int_equal(lease(t, false, 0, 0), ST_OK);
	assert_int_equal(lease(t, true, 0, 600), ST_OK);
	assert_int_equal(lease(t, false, 0, 0), ST_OK);
	assert_int_equal(lease(t, true, 0, 600), ST_LIMIT);
	assert_int_equal(lease(t, true, 1, 600), ST_OK);
	store_close(&t);
	store_close(&other);
}

static void
watchers_hear_once_until_they_ask(void **state)
{
	unsigned events[3] = { 0 };
	struct store *s = rig_channel(&rig, 17, on_event, events);
	struct store *other = rig_channel(&rig, 17, NULL, NULL);
	struct store *stranger = rig_channel(&rig, 18, NULL, NULL);
	const struct store_watch watch = { true };
	struct store_changes ch = { 0 };

	assert_int_equal(rig_open(&rig, s, "INBOX", &b), ST_OK);
	ch.mailbox = b.u.opened.mailbox;
	ch.since = b.u.opened.highestmodseq;
	rig_expect(0);
	store_do_watch(s, &watch, rig_done, &a);
	rig_wait(&rig, &a, 1);
	assert_int_equal(rig_append(&rig, stranger, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	rig_run(&rig, 3);
	assert_int_equal(events[STORE_EV_DIRTY], 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rig_append(&rig, other, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	rig_run(&rig, 3);
	assert_int_equal(events[STORE_EV_DIRTY], 1);
	buf_clear(&b.parts);
	rig_expect(STORE_CHANGES_ARE);
	store_do_changes(s, &ch, rig_done, &b);
	rig_wait(&rig, &b, 2);
	assert_int_equal(b.st, ST_OK);
	assert_int_equal(b.u.changes.uidnext, 4);
	assert_int_equal(count_rows(&b, ROW_FLAGS, 0), 3);
	assert_int_equal(rig_append(&rig, other, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	rig_run(&rig, 3);
	assert_int_equal(events[STORE_EV_DIRTY], 2);
	/* one's own change is told by its answer */
	assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	rig_run(&rig, 3);
	assert_int_equal(events[STORE_EV_DIRTY], 2);
	store_close(&s);
	store_close(&other);
	store_close(&stranger);
}

static void
recent_is_claimed_by_one_session_alone(void **state)
{
	const struct store_open claim = { .path = SPAN_LIT("INBOX"), .claim_recent = true };
	struct store *s = rig_channel(&rig, 17, NULL, NULL);

	assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	for (int i = 0; i < 3; i++) {
		rig_expect(STORE_OPENED);
		store_do_open(s, &claim, rig_done, &b);
		rig_wait(&rig, &b, b.n + 1);
		assert_int_equal(b.u.opened.recent_from, i == 0 ? 1 : 2);
		if (i == 1)
			rig_run(&rig, 20);
	}
	store_close(&s);
}

/* The directory --------------------------------------------------------------------- */

struct dir_peer {
	struct ipc	*ipc;
	unsigned	 notes, n;
	enum status	 st;
	struct buf	 records;
};

static void
on_dir_note(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	struct dir_peer *p = arg;

	assert_int_equal(m->no, STORE_DIR_DIRTY);
	p->notes++;
}

static void
on_dir_reply(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	struct dir_peer *p = arg;

	if (m != NULL && m->no == STORE_DIR_RECORDS)
		buf_add_span(&p->records, ((const struct store_dir_records *)msg)->records);
	if (h->more)
		return;
	p->st = h->status;
	p->n++;
}

static enum status
dir_ask(struct dir_peer *p, uint16_t no, const void *msg)
{
	unsigned n = p->n;

	ipc_request(p->ipc, 0, no, msg, on_dir_reply, p);
	while (p->n == n)
		loop_once(rig.loop, true);
	return p->st;
}

static enum status
dir_put(struct dir_peer *p, const char *key, uint8_t check, uint64_t version)
{
	struct store_dir_step step = { check, version, 1, span_str(key), SPAN_LIT("v") };
	struct store_dir_write rq = { 0 };
	struct buf steps = { 0 };
	enum status st;

	put_store_dir_step(&steps, &step);
	rq.steps = buf_span(&steps);
	st = dir_ask(p, STORE_DIR_WRITE, &rq);
	buf_fini(&steps);
	return st;
}

static void
the_directory_compares_and_sets_and_tells(void **state)
{
	struct dir_peer p = { 0 };
	const struct ipc_config cf = { .loop = rig.loop, .protocol = &store_protocol,
		.peer = "stored", .request = on_dir_note, .arg = &p };
	const struct store_dir_read all = { SPAN_LIT("k"), SPAN_LIT("l"), 1000 };
	struct store_dir_record rec;
	struct reader r;
	char key[16];
	unsigned n = 0;

	p.ipc = ipc_new(&cf, rig_socket(&rig, STORE_ROLE_DIRECTORY, 0, 5));
	assert_int_equal(dir_ask(&p, STORE_DIR_WATCH, NULL), ST_OK);
	assert_int_equal(dir_put(&p, "k000", DIR_ABSENT, 0), ST_OK);
	assert_int_equal(dir_put(&p, "k000", DIR_ABSENT, 0), ST_CONFLICT);
	assert_int_equal(dir_put(&p, "k000", DIR_VERSION, 999), ST_CONFLICT);
	for (int i = 1; i < 150; i++) {
		snprintf(key, sizeof(key), "k%03d", i);
		assert_int_equal(dir_put(&p, key, DIR_ANY, 0), ST_OK);
	}
	rig_run(&rig, 3);
	assert_int_equal(p.notes, 150);
	assert_int_equal(dir_ask(&p, STORE_DIR_READ, &all), ST_OK);
	reader_init(&r, p.records.data, p.records.len);
	for (; get_store_dir_record(&r, &rec); n++) {
		snprintf(key, sizeof(key), "k%03u", n);
		assert_true(span_eq_str(rec.key, key));
	}
	assert_int_equal(n, 150);
	ipc_free(&p.ipc);
	buf_fini(&p.records);
}

/* Staging ----------------------------------------------------------------------------- */

static size_t
resident_kb(void)
{
	char line[128];
	size_t kb = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmRSS: %zu", &kb) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kb;
}

static void
a_body_of_50_megabytes_is_staged_and_read_in_bounded_memory(void **state)
{
	const uint64_t total = 50u << 20;
	struct store *s = rig_channel(&rig, 17, NULL, NULL);
	char *chunk = mem_alloc(STORE_CHUNK_MAX);
	struct store_stage st = { .stage = 1, .total = total, .data = { chunk, STORE_CHUNK_MAX } };
	struct store_append ap = { .path = SPAN_LIT("INBOX") };
	struct store_body body = { .budget = 4u << 20 };
	struct buf items = { 0 }, uids = { 0 };
	uint64_t sent = 0, got = 0, offset = 0;
	unsigned asked = 1;
	size_t before;

	rig_expect(0);
	store_do_quota(s, rig_done, &a);
	rig_wait(&rig, &a, 1);
	before = resident_kb();
	while (sent < total) {
		memset(chunk, (int)(sent >> 18), STORE_CHUNK_MAX);
		store_do_stage(s, &st, rig_done, &a);
		sent += STORE_CHUNK_MAX;
		if (++asked > 4)
			rig_wait(&rig, &a, asked - 3);
		assert_int_equal(a.st, ST_OK);
	}
	rig_item(&items, SPAN_LIT("x"), 1, flags_system(0));
	ap.items = buf_span(&items);
	rig_wait(&rig, &a, asked);
	rig_expect(STORE_APPENDED);
	store_do_append(s, &ap, rig_done, &a);
	rig_wait(&rig, &a, a.n + 1);
	assert_int_equal(a.st, ST_OK);
	store_stage_free(s, 1);
	assert_int_equal(rig_open(&rig, s, "INBOX", &b), ST_OK);
	uidset_encode(&b.uids, &uids);
	body.mailbox = b.u.opened.mailbox;
	body.uids = buf_span(&uids);
	do {
		struct store_body_piece p;
		struct reader r;

		body.offset = offset;
		buf_clear(&b.parts);
		rig_expect(STORE_BODY_IS);
		store_do_body(s, &body, rig_done, &b);
		rig_wait(&rig, &b, b.n + 1);
		assert_int_equal(b.st, ST_OK);
		reader_init(&r, b.parts.data, b.parts.len);
		while (get_store_body_piece(&r, &p)) {
			assert_int_equal(p.stored_size, total);
			assert_int_equal(p.offset, got);
			assert_int_equal((unsigned char)p.data.p[0], (got >> 18) & 0xff);
			got += p.data.len;
		}
		assert_false(r.bad);
		offset = b.u.body_is.resume_offset;
	} while (b.u.body_is.resume_uid != 0);
	assert_int_equal(got, total);
	/* Sanitizers keep freed memory for a while: the bound is theirs as well. */
	assert_true(resident_kb() < before + (300u << 10));
	mem_free(&chunk);
	buf_fini(&items);
	buf_fini(&uids);
	store_close(&s);
}

static void
a_staged_body_over_quota_is_refused_at_its_first_chunk(void **state)
{
	struct store *s = rig_channel(&rig, 17, NULL, NULL);
	const struct store_stage st = { .stage = 1, .total = 20000, .data = SPAN_LIT("x") };
	const struct store_stage fits = { .stage = 2, .total = 2, .data = SPAN_LIT("x") };
	struct store_stage up = { .stage = 3, .total = 20000, .data = SPAN_LIT("x"), .upload = true };
	struct store_append ap = { .path = SPAN_LIT("INBOX") };
	struct buf items = { 0 };

	rig.cf.quota_bytes = 10000;
	service_configure(rig.svc, &rig.cf);
	rig_expect(0);
	store_do_stage(s, &st, rig_done, &a);
	rig_wait(&rig, &a, 1);
	assert_int_equal(a.st, ST_OVER_QUOTA);
	store_do_stage(s, &fits, rig_done, &a);
	rig_wait(&rig, &a, 2);
	assert_int_equal(a.st, ST_OK);
	/* half of what was announced is no message */
	rig_item(&items, SPAN_LIT("x"), 2, flags_system(0));
	ap.items = buf_span(&items);
	store_do_append(s, &ap, rig_done, &a);
	rig_wait(&rig, &a, 3);
	assert_int_equal(a.st, ST_SYNTAX);
	buf_fini(&items);
	/* uploads have a limit of their own */
	store_do_stage(s, &up, rig_done, &a);
	rig_wait(&rig, &a, 4);
	assert_int_equal(a.st, ST_OK);
	rig.cf.upload_bytes = 10000;
	service_configure(rig.svc, &rig.cf);
	up.stage = 4;
	store_do_stage(s, &up, rig_done, &a);
	rig_wait(&rig, &a, 5);
	assert_int_equal(a.st, ST_OVER_QUOTA);
	store_close(&s);
}

static void
bodies_staged_side_by_side_count_together(void **state)
{
	struct store *s = rig_channel(&rig, 18, NULL, NULL);
	char body[6000];
	struct store_stage st = { .data = { body, sizeof(body) } };

	memset(body, 'x', sizeof(body));
	rig.cf.quota_bytes = 10000;
	service_configure(rig.svc, &rig.cf);
	rig_expect(0);
	for (st.stage = 1; st.stage <= 3; st.stage++) {
		store_do_stage(s, &st, rig_done, &a);
		rig_wait(&rig, &a, (int)st.stage);
		assert_int_equal(a.st, st.stage < 3 ? ST_OK : ST_OVER_QUOTA);
	}
	store_stage_free(s, 1);
	st.stage = 4;
	store_do_stage(s, &st, rig_done, &a);
	rig_wait(&rig, &a, 4);
	assert_int_equal(a.st, ST_OK);
	store_close(&s);
}

static void
count_done(void *arg, enum status st)
{
	struct answer *q = arg;

	q->n++;
	q->st = st;
}

static void
no_room(void *arg)
{
}

static void
a_copy_refused_in_the_middle_is_told_once(void **state)
{
	struct ticket t = rig_ticket(&rig, 19);
	unsigned char bytes[TICKET_LEN];
	struct copy_to to = { .pool = rig.pool, .loop = rig.loop, .shard = rig.cf.shard,
	    .ticket = rig_sign(&rig, &t, bytes), .done = count_done, .room = no_room, .arg = &a };
	const size_t size = 3 * STORE_CHUNK_MAX;
	char *text = mem_alloc(size);
	struct copy *c = copy_new(&to);

	random_bytes(text, size);
	rig.cf.quota_bytes = 2 * STORE_CHUNK_MAX - 10000;
	service_configure(rig.svc, &rig.cf);
	copy_begin(c, SPAN_NONE, 0);
	copy_feed(c, span(text, size));
	copy_finish(c);
	rig_wait(&rig, &a, 1);
	rig_run(&rig, 100);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.st, ST_OVER_QUOTA);
	copy_free(&c);
	mem_free(&text);
}

/* Restarts ------------------------------------------------------------------------------ */

static unsigned attached_ok, attached_not;

static void
on_attach_answer(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
	if (h->status == ST_OK)
		attached_ok++;
	else
		attached_not++;
}

static void
on_ignored(void *arg, const struct ipc_head *h, const struct ipc_message *m, const void *msg)
{
}

static size_t
held(void)
{
	struct buf text = { 0 };
	const char *at;
	size_t n;

	service_stats(rig.svc, &text);
	at = strstr(buf_cstr(&text), "requests_held_bytes=");
	assert_non_null(at);
	n = strtoull(at + 20, NULL, 10);
	buf_fini(&text);
	return n;
}

/* A disk that takes its time: all that comes meanwhile waits for the next tick. */
static int
slow_sync(void *ctx, int fd)
{
	usleep(300000);
	return jio_files.fdatasync(ctx, fd);
}

static void
who_attaches_stages_and_detaches_without_end_holds_no_more_than_who_waits(void **state)
{
	static char bytes[STORE_CHUNK_MAX];
	const struct store_stage chunk = { .stage = 1, .data = { bytes, sizeof(bytes) } };
	struct ticket t = rig_ticket(&rig, 17);
	unsigned char signed_bytes[TICKET_LEN];
	const struct store_attach rq = { .ticket = rig_sign(&rig, &t, signed_bytes) };
	const struct ipc_config cf = { .loop = rig.loop, .protocol = &store_protocol,
		.peer = "stored", .allowed = 0 };
	struct store *s = rig_channel(&rig, 17, NULL, NULL);
	struct jio slow = jio_files;
	struct ipc *ipc;
	size_t most = 0;

	rig_stop(&rig);
	slow.fdatasync = slow_sync;
	rig.cf.io = &slow;
	rig_start(&rig);
	ipc = ipc_new(&cf, rig_socket(&rig, STORE_ROLE_ACCESS, 1, 1));
	assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	attached_ok = attached_not = 0;
	for (uint32_t i = 1; i <= 400; i++) {
		ipc_request(ipc, i, STORE_ATTACH, &rq, on_ignored, NULL);
		ipc_request(ipc, i, STORE_STAGE, &chunk, on_ignored, NULL);
		ipc_request(ipc, i, STORE_DETACH, NULL, on_attach_answer, NULL);
	}
	while (attached_ok + attached_not < 400) {
		loop_once(rig.loop, true);
		most = held() > most ? held() : most;
	}
	assert_int_equal(attached_ok, 400);
	printf("at most %zu bytes of requests\n", most);
	assert_true(most < (24u << 20));
	assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	assert_int_equal(held(), 0);
	ipc_free(&ipc);
	store_close(&s);
	rig_stop(&rig);
}

static void
a_socket_has_so_many_channels_and_no_more(void **state)
{
	struct ticket t = rig_ticket(&rig, 17);
	unsigned char bytes[TICKET_LEN];
	const struct store_attach rq = { .ticket = rig_sign(&rig, &t, bytes) };
	const struct ipc_config cf = { .loop = rig.loop, .protocol = &store_protocol,
		.peer = "stored", .allowed = 0 };
	struct ipc *ipc = ipc_new(&cf, rig_socket(&rig, STORE_ROLE_ACCESS, 1, 1));

	log_begin();
	attached_ok = attached_not = 0;
	for (uint32_t i = 1; i <= 65536 + 10; i++) {
		ipc_request(ipc, i, STORE_ATTACH, &rq, on_attach_answer, NULL);
		if (i % 1000 == 0)
			loop_once(rig.loop, false);
	}
	while (attached_ok + attached_not < 65536 + 10)
		loop_once(rig.loop, true);
	assert_int_equal(attached_ok, 65536);
	log_end("peer.limit", 1);
	ipc_free(&ipc);
}

static void
the_state_is_the_same_after_a_restart_and_after_a_rebuild(void **state)
{
	unsigned char before[32], after[32];
	struct store *s = rig_channel(&rig, 17, NULL, NULL);
	char cmd[256];

	for (int i = 0; i < 10; i++)
		assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	assert_int_equal(state_hash(service_state(rig.svc), 17, before), ST_OK);
	rig_stop(&rig);
	rig_start(&rig);
	assert_int_equal(state_hash(service_state(rig.svc), 17, after), ST_OK);
	assert_memory_equal(before, after, 32);
	rig_stop(&rig);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s/db'", rig.dir);
	assert_int_equal(system(cmd), 0);
	rig_start(&rig);
	assert_int_equal(state_hash(service_state(rig.svc), 17, after), ST_OK);
	assert_memory_equal(before, after, 32);
	assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	assert_int_equal(uidset_next(&a.uids, 0), 11);
	store_close(&s);
}

static void
a_damaged_state_is_set_aside_and_rebuilt(void **state)
{
	unsigned char before[32], after[32];
	struct store *s = rig_channel(&rig, 17, NULL, NULL);
	char cmd[512];

	for (int i = 0; i < 10; i++)
		assert_int_equal(rig_append(&rig, s, "INBOX", SPAN_LIT("x"), &a), ST_OK);
	assert_int_equal(state_hash(service_state(rig.svc), 17, before), ST_OK);
	rig_stop(&rig);
	snprintf(cmd, sizeof(cmd), "for f in '%s'/db/*; do dd if=/dev/urandom of=$f bs=4096 "
	    "count=2 seek=0 conv=notrunc 2>/dev/null; done", rig.dir);
	assert_int_equal(system(cmd), 0);
	rig_start(&rig);
	assert_int_equal(state_hash(service_state(rig.svc), 17, after), ST_OK);
	assert_memory_equal(before, after, 32);
	store_close(&s);
}

enum { KILLS = 6, CHANGES = 300 };

static void
acknowledged_changes_happen_once_over_kill_9(void **state)
{
	const struct store_list all = { SPAN_NONE };
	struct store *s;
	struct store_mailbox m;
	struct reader r;
	unsigned made = 0, kills = 0, boxes = 0, messages = 0;
	uint64_t next_kill;

	rig_stop(&rig);
	rig_fork(&rig);
	s = rig_channel(&rig, 17, NULL, NULL);
	next_kill = clock_mono_ms() + 30;
	while (a.n < CHANGES || kills < KILLS) {
		/* pipelined: up to 20 under way; each name and message once */
		while (made < a.n + 20 && made < CHANGES) {
			char path[16];
			struct store_create rq = { 0 };
			struct store_append ap = { .path = SPAN_LIT("INBOX") };
			struct buf items = { 0 };

			snprintf(path, sizeof(path), "m%u", made);
			rq.path = span_str(path);
			if (made++ % 2 == 0) {
				rig_expect(0);
				store_do_create(s, &rq, rig_done, &a);
				continue;
			}
			rig_item(&items, SPAN_LIT("x"), 0, flags_system(0));
			ap.items = buf_span(&items);
			store_do_append(s, &ap, rig_done, &a);
			buf_fini(&items);
		}
		loop_once(rig.loop, false);
		usleep(300);
		assert_int_equal(a.bad, ST_OK);	/* a second run of a create is ST_EXISTS */
		if (clock_mono_ms() >= next_kill && kills < KILLS) {
			rig_kill(&rig);
			rig_fork(&rig);
			kills++;
			next_kill = clock_mono_ms() + 60 + kills * 17;
		}
	}
	assert_int_equal(a.n, CHANGES);
	rig_expect(STORE_MAILBOXES);
	store_do_list(s, &all, rig_done, &b);
	rig_wait(&rig, &b, 1);
	reader_init(&r, b.parts.data, b.parts.len);
	while (get_store_mailbox(&r, &m)) {
		boxes += m.path.p[0] == 'm';
		messages += m.messages;
	}
	assert_int_equal(boxes, CHANGES / 2);
	assert_int_equal(messages, CHANGES / 2);
	store_close(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_attach_makes_the_account_with_its_mailboxes),
		TEST(a_message_comes_back_as_it_was_given),
		TEST(bodies_of_a_set_come_back_however_they_lie),
		TEST(a_large_set_is_changed_in_parts_and_seen_whole_by_the_read_behind),
		TEST(every_refused_ticket_leaves_one_line),
		TEST(a_delivery_may_append_and_not_read),
		TEST(a_ticket_taken_back_ends_its_channel),
		TEST(a_lease_is_one_channels_until_it_ends),
		TEST(watchers_hear_once_until_they_ask),
		TEST(recent_is_claimed_by_one_session_alone),
		TEST(the_directory_compares_and_sets_and_tells),
		TEST(a_body_of_50_megabytes_is_staged_and_read_in_bounded_memory),
		TEST(a_staged_body_over_quota_is_refused_at_its_first_chunk),
		TEST(bodies_staged_side_by_side_count_together),
		TEST(a_copy_refused_in_the_middle_is_told_once),
		TEST(who_attaches_stages_and_detaches_without_end_holds_no_more_than_who_waits),
		TEST(a_socket_has_so_many_channels_and_no_more),
		TEST(the_state_is_the_same_after_a_restart_and_after_a_rebuild),
		TEST(a_damaged_state_is_set_aside_and_rebuilt),
		TEST(acknowledged_changes_happen_once_over_kill_9),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	log_set_level(LOG_LEVEL_WARN);
	return engines_each(run);
}
