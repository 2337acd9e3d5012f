/* stored's side of indexd: the service, and indexd or something that pretends to be one, in one
 * loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/crypto/random.h"
#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "indexd/server.h"
#include "storage/client/copy.h"
#include "storage/service/index.h"
#include "t/unit/storage/rig.h"

static struct rig rig;
static struct answer a, open_a;
static struct indexd *indexd;
static struct ipc *fake;
static unsigned replaced, fake_jobs;
static const char *order;		/* of the accounts that were served */
static char order_buf[64];

struct got {
	unsigned			n;
	enum status			st;
	uint64_t			size;
	struct buf			text, list;
	char				name;
	struct index_job		*cancel;	/* when this one is done */
};

static void
on_hash(void *arg, const struct index_hash_result *r)
{
	struct got *g = arg;

	g->n++;
	g->st = r->st;
	g->size = r->size;
	if (g->name != '\0' && strlen(order_buf) + 1 < sizeof(order_buf))
		order_buf[strlen(order_buf)] = g->name;
	index_cancel(&g->cancel);
}

static void
on_digest(void *arg, const struct index_digest_result *r)
{
	struct got *g = arg;

	g->n++;
	g->st = r->st;
	g->size = r->is.size;
	buf_clear(&g->text);
	buf_add_span(&g->text, r->text);
	buf_add_span(&g->list, r->is.list);
}

static void
got_fini(struct got *g)
{
	buf_fini(&g->text);
	buf_fini(&g->list);
}

static void
wait_for(const struct got *g, unsigned n)
{
	uint64_t end = clock_mono_ms() + 20000;

	while (g->n < n) {
		if (clock_mono_ms() > end)
			fail_msg("no answer: %u of %u", g->n, n);
		loop_once(rig.loop, true);
	}
}

static void
on_replace(void *arg)
{
	replaced++;
}

static void
connect_indexd(void)
{
	int sv[2];

	assert_true(fd_socketpair(sv));
	if (indexd == NULL)
		indexd = indexd_new(rig.loop);
	indexd_connect(indexd, sv[0]);
	service_indexd(rig.svc, sv[1], on_replace, NULL);
}

/* Something that takes jobs as fake_request says. */
static void
connect_fake(ipc_request_fn fn)
{
	struct ipc_config cf = { .loop = rig.loop, .protocol = &index_protocol, .peer = "test",
	    .allowed = INDEX_PEER_STORED, .request = fn };
	int sv[2];

	assert_true(fd_socketpair(sv));
	ipc_free(&fake);
	fake = ipc_new(&cf, sv[0]);
	service_indexd(rig.svc, sv[1], on_replace, NULL);
}

static int
setup(void **state)
{
	rig_init(&rig);
	rig_start(&rig);
	memset(&a, 0, sizeof(a));
	memset(&open_a, 0, sizeof(open_a));
	memset(order_buf, 0, sizeof(order_buf));
	order = order_buf;
	replaced = fake_jobs = 0;
	return 0;
}

static int
teardown(void **state)
{
	rig_stop(&rig);
	indexd_free(&indexd);
	ipc_free(&fake);
	rig_fini(&rig);
	answer_fini(&a);
	answer_fini(&open_a);
	return 0;
}

/* A message in the INBOX of an account. */
static struct index_what
message(uint64_t account, struct span text)
{
	struct store *s = rig_channel(&rig, account, NULL, NULL);
	struct index_what w = { .account = account };

	assert_int_equal(rig_append(&rig, s, "INBOX", text, &a), ST_OK);
	w.mailbox = a.u.appended.mailbox;
	w.uid = uidset_next(&a.uids, 0);
	uidset_fini(&a.uids);
	store_close(&s);
	return w;
}

static void
count_done(void *arg, enum status st)
{
	((struct answer *)arg)->n++;
	((struct answer *)arg)->st = st;
}

static void
no_room(void *arg)
{
}

static struct index_what
large_message(uint64_t account, struct span text)
{
	struct ticket t = rig_ticket(&rig, account);
	unsigned char bytes[TICKET_LEN];
	struct copy_to to = { .pool = rig.pool, .loop = rig.loop, .shard = rig.cf.shard,
	    .ticket = rig_sign(&rig, &t, bytes), .done = count_done, .room = no_room, .arg = &a };
	struct copy *c = copy_new(&to);
	struct index_what w = message(account, SPAN_LIT("Subject: a\r\n\r\n"));
	unsigned n = a.n;

	copy_begin(c, SPAN_LIT("X-Prefix: yes\r\n"), 0);
	copy_feed(c, text);
	copy_finish(c);
	rig_wait(&rig, &a, n + 1);
	assert_int_equal(a.st, ST_OK);
	copy_free(&c);
	w.uid++;
	return w;
}

static void
a_message_is_hashed_and_read_anew(void **state)
{
	static const char text[] = "Subject: Hello\r\n\r\nsome words\r\n";
	struct index_what w;
	struct got h = { 0 }, d = { 0 };

	connect_indexd();
	w = message(17, SPAN_LIT(text));
	assert_non_null(index_hash(rig.svc, &w, on_hash, &h));
	assert_non_null(index_digest(rig.svc, &w, 1000, false, on_digest, &d));
	assert_int_equal(h.n, 0);	/* never from inside the call */
	wait_for(&h, 1);
	wait_for(&d, 1);
	assert_int_equal(h.st, ST_OK);
	assert_int_equal(d.st, ST_OK);
	assert_true(h.size == sizeof(text) - 1 && d.size == h.size);
	assert_true(span_eq_str(buf_span(&d.text), "SUBJECT: HELLO\nSOME WORDS\r\n\n"));
	assert_true(d.list.len > 0);
	got_fini(&d);
}

static void
a_body_of_many_pieces_comes_whole(void **state)
{
	const size_t size = 3u << 20;
	char *text = mem_alloc(size);
	struct index_what w;
	struct got h = { 0 }, d = { 0 };

	random_bytes(text, size);
	memcpy(text, "Subject: b\r\n\r\n", 14);
	connect_indexd();
	w = large_message(18, span(text, size));
	index_hash(rig.svc, &w, on_hash, &h);
	index_digest(rig.svc, &w, 0, false, on_digest, &d);
	wait_for(&d, 1);
	assert_int_equal(h.st, ST_OK);
	assert_true(h.size == size + 15);
	assert_int_equal(d.st, ST_OK);
	assert_int_equal(d.text.len, 0);
	got_fini(&d);
	mem_free(&text);
}

static void
damage_and_what_is_not_there_are_told(void **state)
{
	struct index_what w, other, bad;
	struct journal_loc locs[2] = { { 1, 5000, 100 }, { 1, 9000, 50 } };
	struct got h = { 0 };

	connect_indexd();
	w = message(19, SPAN_LIT("Subject: x\r\n\r\ny\r\n"));
	other = w;
	other.uid = 99;
	index_hash(rig.svc, &other, on_hash, &h);
	wait_for(&h, 1);
	assert_int_equal(h.st, ST_NOT_FOUND);
	bad = (struct index_what){ .account = 19, .locs = locs, .n_locs = 2 };
	index_hash(rig.svc, &bad, on_hash, &h);
	wait_for(&h, 2);
	assert_int_equal(h.st, ST_CORRUPT);
	locs[0].segment = 77;		/* no such file */
	index_hash(rig.svc, &bad, on_hash, &h);
	wait_for(&h, 3);
	assert_int_equal(h.st, ST_CORRUPT);
	bad.n_locs = 0;
	index_hash(rig.svc, &bad, on_hash, &h);
	wait_for(&h, 4);
	assert_int_equal(h.st, ST_CORRUPT);
	index_hash(rig.svc, &w, on_hash, &h);
	wait_for(&h, 5);
	assert_int_equal(h.st, ST_OK);
	assert_int_equal(replaced, 0);
}

/* Dies of every job. */
static void
die(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h, const void *msg,
    void *arg)
{
	if (m->no == INDEX_JOB) {
		fake_jobs++;
		ipc_free(&fake);
	}
}

static void
wait_for_jobs(unsigned n)
{
	uint64_t end = clock_mono_ms() + 20000;

	while (fake_jobs < n && clock_mono_ms() < end)
		loop_once(rig.loop, true);
	assert_int_equal(fake_jobs, n);
}

static void
what_indexd_dies_of_twice_is_given_up_and_the_next_one_goes_on(void **state)
{
	struct index_what w = message(20, SPAN_LIT("Subject: poison\r\n\r\n"));
	struct index_what good = message(21, SPAN_LIT("Subject: good\r\n\r\n"));
	struct got poison = { 0 }, g = { 0 };

	w.urgent = true;	/* it comes first */
	index_hash(rig.svc, &good, on_hash, &g);
	index_hash(rig.svc, &w, on_hash, &poison);
	connect_fake(die);
	wait_for_jobs(1);
	assert_int_equal(poison.n, 0);
	connect_fake(die);
	wait_for(&poison, 1);
	assert_int_equal(poison.st, ST_LIMIT);
	assert_int_equal(g.n, 0);
	connect_indexd();
	wait_for(&g, 1);
	assert_int_equal(g.st, ST_OK);
}

static void
stay_silent(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h,
    const void *msg, void *arg)
{
	fake_jobs += m->no == INDEX_JOB;
}

static void
an_indexd_that_does_not_answer_is_replaced(void **state)
{
	struct index_what w = message(22, SPAN_LIT("Subject: x\r\n\r\n"));
	struct got h = { 0 };
	uint64_t end = clock_mono_ms() + 20000;

	rig.cf.index_wait_s = 1;
	service_configure(rig.svc, &rig.cf);
	index_hash(rig.svc, &w, on_hash, &h);
	connect_fake(stay_silent);
	while (replaced == 0 && clock_mono_ms() < end)
		loop_once(rig.loop, true);
	assert_int_equal(replaced, 1);
	assert_int_equal(h.n, 0);
	connect_indexd();
	wait_for(&h, 1);
	assert_int_equal(h.st, ST_OK);
}

/* Answers of the wrong kind, and text without end. */
static void
lie(struct ipc *ipc, const struct ipc_message *m, const struct ipc_head *h, const void *msg,
    void *arg)
{
	static char much[INDEX_TEXT_BYTES];
	const struct index_text t = { INDEX_TEXT_CANONICAL, span(much, sizeof(much)) };
	const struct index_hash_is is = { 1, span(much, 32) };

	if (m->no != INDEX_JOB)
		return;
	memset(much, 'x', sizeof(much));
	if (fake_jobs++ == 0)
		ipc_reply(ipc, h, ST_OK, INDEX_HASH_IS, &is);
	else
		ipc_reply_more(ipc, h, INDEX_TEXT, &t);
}

static void
an_indexd_that_answers_wrongly_is_replaced(void **state)
{
	struct index_what w = message(23, SPAN_LIT("Subject: x\r\n\r\n"));
	struct got d = { 0 };

	index_digest(rig.svc, &w, 1000, false, on_digest, &d);
	connect_fake(lie);
	wait_for_jobs(1);
	rig_run(&rig, 50);
	assert_int_equal(replaced, 1);
	connect_fake(lie);
	wait_for(&d, 1);
	assert_int_equal(d.st, ST_LIMIT);
	assert_int_equal(replaced, 2);
	assert_int_equal(d.text.len, 0);
	got_fini(&d);
}

static void
accounts_take_turns_and_the_urgent_come_first(void **state)
{
	struct index_what many = message(24, SPAN_LIT("Subject: x\r\n\r\n"));
	struct index_what few = message(25, SPAN_LIT("Subject: x\r\n\r\n")), now = many;
	struct got m = { .name = 'm' }, f = { .name = 'f' }, u = { .name = 'u' };

	for (size_t i = 0; i < 5; i++)
		index_hash(rig.svc, &many, on_hash, &m);
	index_hash(rig.svc, &few, on_hash, &f);
	index_hash(rig.svc, &few, on_hash, &f);
	now.urgent = true;
	index_hash(rig.svc, &now, on_hash, &u);
	connect_indexd();
	wait_for(&m, 5);
	assert_string_equal(order, "umfmfmmm");
}

static void
the_queue_is_bounded_and_jobs_can_be_taken_back(void **state)
{
	struct index_what w = message(26, SPAN_LIT("Subject: x\r\n\r\n"));
	struct index_job *first, *j, *last = NULL;
	struct got h = { 0 }, one = { 0 };
	size_t n = 0;

	first = index_hash(rig.svc, &w, on_hash, &one);
	while ((j = index_hash(rig.svc, &w, on_hash, &h)) != NULL) {
		last = j;
		n++;
	}
	assert_int_equal(n, INDEX_QUEUE_MAX - 1);
	assert_int_equal(index_room(rig.svc), 0);
	index_cancel(&first);
	assert_int_equal(index_room(rig.svc), 1);
	one.cancel = last;
	w.urgent = true;
	assert_non_null(index_hash(rig.svc, &w, on_hash, &one));
	connect_indexd();
	wait_for(&h, (unsigned)n - 1);
	rig_run(&rig, 20);
	assert_int_equal(h.n, n - 1);
	assert_int_equal(one.n, 1);
}

static void
a_job_in_flight_can_be_taken_back(void **state)
{
	struct index_what w = message(27, SPAN_LIT("Subject: x\r\n\r\n"));
	struct got h = { 0 }, g = { 0 };
	struct index_job *j = index_hash(rig.svc, &w, on_hash, &h);

	connect_fake(stay_silent);
	wait_for_jobs(1);
	index_cancel(&j);
	assert_null(j);
	connect_indexd();
	index_hash(rig.svc, &w, on_hash, &g);
	wait_for(&g, 1);
	assert_int_equal(g.st, ST_OK);
	assert_int_equal(h.n, 0);
}

static void
what_waits_when_the_service_closes_is_told_so(void **state)
{
	struct index_what w = message(28, SPAN_LIT("Subject: x\r\n\r\n"));
	struct got h = { 0 };

	index_hash(rig.svc, &w, on_hash, &h);
	index_hash(rig.svc, &w, on_hash, &h);
	connect_fake(stay_silent);
	wait_for_jobs(1);
	rig_stop(&rig);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.st, ST_UNAVAILABLE);
}

static void
without_indexd_nobody_waits_for_ever(void **state)
{
	struct index_what w = message(29, SPAN_LIT("Subject: x\r\n\r\n"));
	struct got h = { 0 };

	rig.cf.index_wait_s = 1;
	service_configure(rig.svc, &rig.cf);
	index_hash(rig.svc, &w, on_hash, &h);
	wait_for(&h, 1);
	assert_int_equal(h.st, ST_UNAVAILABLE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_is_hashed_and_read_anew),
		TEST(a_body_of_many_pieces_comes_whole),
		TEST(damage_and_what_is_not_there_are_told),
		TEST(what_indexd_dies_of_twice_is_given_up_and_the_next_one_goes_on),
		TEST(an_indexd_that_does_not_answer_is_replaced),
		TEST(an_indexd_that_answers_wrongly_is_replaced),
		TEST(accounts_take_turns_and_the_urgent_come_first),
		TEST(the_queue_is_bounded_and_jobs_can_be_taken_back),
		TEST(a_job_in_flight_can_be_taken_back),
		TEST(what_waits_when_the_service_closes_is_told_so),
		TEST(without_indexd_nobody_waits_for_ever),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
