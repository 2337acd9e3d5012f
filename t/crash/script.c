/* Steps of every kind of change: each ends in one answer, however many operations it takes. */
#include "t/crash/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "storage/service/service_priv.h"
#include "storage/state/emails.h"
#include "storage/state/push.h"
#include "storage/state/queue.h"
#include "storage/state/sieve.h"
#include "storage/state/undelete.h"

struct rig script_rig;

static struct store *chan;
static struct buf shapes[SCRIPT_STEPS + 1];	/* after so many steps, without a fault */
static struct buf on_way[SCRIPT_STEPS];		/* within a step: put_span() each */
static bool in_reference;
static unsigned clients;

struct wait {
	unsigned	n;
	enum status	st;
};

static void
on_done(void *arg, enum status st, bool more, const void *msg)
{
	struct wait *w = arg;

	if (!more) {
		w->n++;
		w->st = st;
	}
}

static void note_shape(unsigned step);

static struct wait waiting;		/* lives over a crash: the call does too */
static bool under_way;

/* false: the service died first; called again later, it goes on waiting. */
static bool
await(unsigned step)
{
	uint64_t end = clock_mono_ms() + 20000;

	under_way = true;
	while (waiting.n == 0) {
		if (script_rig.fatal)
			return false;
		if (clock_mono_ms() > end)
			fail_msg("no answer");
		loop_once(script_rig.loop, true);
		if (in_reference)
			note_shape(step);
	}
	under_way = false;
	return true;
}

static void
ask_append(uint32_t stage, bool annotated)
{
	struct store_append rq = { .path = SPAN_LIT("INBOX") };
	struct buf items = { 0 }, notes = { 0 };

	/* three messages come in two parts: the annotation is of the second one */
	if (annotated)
		put_store_annotation(&notes, &(struct store_annotation){ .uid = 3, .given = true,
		    .entry = SPAN_LIT("/comment"), .value = SPAN_LIT("new") });
	rq.annotations = buf_span(&notes);
	rig_item(&items, SPAN_LIT("Subject: a\r\n\r\ntext\r\n"), stage, flags_system(0));
	for (int i = 0; i < 2 && stage == 0; i++)
		rig_item(&items, SPAN_LIT("Subject: b\r\n\r\n"), 0, flags_system(FLAG_SEEN));
	rq.items = buf_span(&items);
	store_do_append(chan, &rq, on_done, &waiting);
	buf_fini(&items);
	buf_fini(&notes);
}

static void
ask_staged(void)
{
	static char bytes[70000];
	const struct store_stage st = { .stage = 1, .data = { bytes, sizeof(bytes) } };

	store_stage_free(chan, 1);
	store_do_stage(chan, &st, NULL, NULL);
	store_do_stage(chan, &st, NULL, NULL);
	ask_append(1, false);
}

/* Messages that had uids elsewhere, with gaps. */
static void
ask_place(void)
{
	struct store_place rq = { .path = SPAN_LIT("INBOX"), .modseq = 5000 };
	struct buf items = { 0 }, uids = { 0 };
	struct uidset set = { 0 };

	uidset_add(&set, 200);
	uidset_add(&set, 9000);
	uidset_encode(&set, &uids);
	rig_item(&items, SPAN_LIT("Subject: a\r\n\r\ntext\r\n"), 0, flags_system(0));
	rig_item(&items, SPAN_LIT("Subject: b\r\n\r\n"), 0, flags_system(FLAG_SEEN));
	rq.items = buf_span(&items);
	rq.uids = buf_span(&uids);
	store_do_place(chan, &rq, on_done, &waiting);
	buf_fini(&items);
	buf_fini(&uids);
	uidset_fini(&set);
}

static uint64_t
inbox(void)
{
	uint64_t id = 0;
	enum status st = state_find_mailbox(service_state(script_rig.svc), SCRIPT_ACCOUNT,
	    SPAN_LIT("INBOX"), &id);

	/* The database failed, and the service is to find out by the request. */
	assert_true(st == ST_OK || st == ST_CORRUPT);
	return id;
}

static void
ask_flags(uint8_t how, uint8_t flags, uint32_t lo, uint32_t hi)
{
	struct store_flags rq = { .mailbox = inbox(), .how = how, .system = flags,
		.keywords = SPAN_NONE, .unchanged_since = UINT64_MAX };
	struct uidset set = { 0 };
	struct buf uids = { 0 };

	uidset_add_range(&set, lo, hi);
	uidset_encode(&set, &uids);
	rq.uids = buf_span(&uids);
	store_do_flags(chan, &rq, on_done, &waiting);
	uidset_fini(&set);
	buf_fini(&uids);
}

static void
ask_annotate(uint32_t lo, uint32_t hi)
{
	struct store_annotate rq = { .mailbox = inbox(), .unchanged_since = UINT64_MAX };
	struct uidset set = { 0 };
	struct buf uids = { 0 }, entries = { 0 };

	put_store_annotation(&entries, &(struct store_annotation){ .shared = true, .given = true,
	    .entry = SPAN_LIT("/comment"), .value = SPAN_LIT("ours") });
	uidset_add_range(&set, lo, hi);
	uidset_encode(&set, &uids);
	rq.uids = buf_span(&uids);
	rq.entries = buf_span(&entries);
	store_do_annotate(chan, &rq, on_done, &waiting);
	uidset_fini(&set);
	buf_fini(&uids);
	buf_fini(&entries);
}

static void
ask_copy(const char *to, bool move, uint32_t lo, uint32_t hi)
{
	struct store_copy rq = { .mailbox = inbox(), .to = span_str(to), .move = move };
	struct uidset set = { 0 };
	struct buf uids = { 0 };

	uidset_add_range(&set, lo, hi);
	uidset_encode(&set, &uids);
	rq.uids = buf_span(&uids);
	store_do_copy(chan, &rq, on_done, &waiting);
	uidset_fini(&set);
	buf_fini(&uids);
}

/* What went with Done/Old comes back, each message where it was last. */
static void
ask_undelete(void)
{
	struct state *s = service_state(script_rig.svc);
	struct uidset every = { 0 };
	struct buf list = { 0 }, rows = { 0 }, ids = { 0 };
	struct store_mailbox m;
	struct store_row row;
	struct reader r, at;

	uidset_add_range(&every, 1, UINT32_MAX);
	assert_int_equal(state_undeleted_list(s, SCRIPT_ACCOUNT, SPAN_NONE, &list), ST_OK);
	reader_init(&r, list.data, list.len);
	while (list.len > 0 && get_store_mailbox(&r, &m)) {
		uint32_t resume = 0;

		buf_clear(&rows);
		if (m.id != 0)
			assert_int_equal(state_rows(s, SCRIPT_ACCOUNT, m.id, &every, ROW_ALL,
			    SIZE_MAX, &resume, &rows), ST_OK);
		reader_init(&at, rows.data, rows.len);
		while (rows.len > 0 && get_store_row(&at, &row, ROW_ALL))
			put_u64(&ids, row.message);
	}
	assert_true(ids.len > 0);
	store_do_undelete(chan, &(struct store_undelete){ .ids = buf_span(&ids) }, on_done,
	    &waiting);
	uidset_fini(&every);
	buf_fini(&list);
	buf_fini(&rows);
	buf_fini(&ids);
}

static uint64_t
more(void)
{
	uint64_t id = 0;

	(void)state_find_mailbox(service_state(script_rig.svc), SCRIPT_ACCOUNT, SPAN_LIT("More"),
	    &id);
	return id;
}

/* A message in two mailboxes at once. */
static void
ask_append_into(void)
{
	struct store_append rq = { .seq = 0 };
	struct buf items = { 0 }, into = { 0 };

	put_u64(&into, inbox());
	put_u64(&into, more());
	rig_item(&items, SPAN_LIT("Subject: c\r\n\r\ntext\r\n"), 0, flags_system(0));
	rq.items = buf_span(&items);
	rq.into = buf_span(&into);
	store_do_append(chan, &rq, on_done, &waiting);
	buf_fini(&items);
	buf_fini(&into);
}

/* Three Emails, each in an operation: a keyword and a mailbox more, moved, gone. */
static void
ask_email_set(void)
{
	struct store_email_set rq = { .if_email = 0 };
	struct buf members = { 0 }, items = { 0 }, box = { 0 };
	struct store_email_item it = { .how = EMAIL_UPDATE, .keywords_how = EMAIL_PATCH,
		.keywords_add = flags_system(FLAG_FLAGGED), .mailboxes_how = EMAIL_PATCH };
	struct store_member m;
	uint64_t mailbox = inbox(), modseq;
	uint32_t uid = 0;
	struct reader r;

	put_u64(&box, more());
	(void)state_emails(service_state(script_rig.svc), SCRIPT_ACCOUNT, &mailbox, &uid, 65536,
	    &members, &modseq);
	reader_init(&r, members.data, members.len);
	for (unsigned i = 0; i < 3 && members.len > 0 && get_store_member(&r, &m); i++) {
		it.message = m.row.message;
		it.mailboxes_add = buf_span(&box);
		if (i == 1)
			it.mailboxes_how = EMAIL_REPLACE;
		if (i == 2)
			it = (struct store_email_item){ .message = m.row.message,
				.how = EMAIL_DESTROY };
		put_store_email_item(&items, &it);
	}
	rq.items = buf_span(&items);
	if (items.len == 0)		/* the database failed: see inbox() */
		rq.items = SPAN_LIT("-");
	store_do_email_set(chan, &rq, on_done, &waiting);
	buf_fini(&members);
	buf_fini(&items);
	buf_fini(&box);
}

static void
ask_push(void)
{
	const struct store_push p = { .device = SPAN_LIT("device"), .url = SPAN_LIT("https://a.test/") };
	struct store_push_set rq = { .how = PUSH_CREATE };
	struct buf b = { 0 };

	put_store_push(&b, &p);
	rq.push = buf_span(&b);
	store_do_push_set(chan, &rq, on_done, &waiting);
	buf_fini(&b);
}

static void
own_done(struct request *rq, const struct state_result *res)
{
	on_done(&waiting, res->status, false, NULL);
}

/* An operation of the service's own.  Nobody asks for it twice but we: see script_step(). */
static void
ask_retention(uint32_t lo, uint32_t hi)
{
	struct op op = { .kind = OP_RETENTION, .head.account = SCRIPT_ACCOUNT };
	static struct buf uids;
	struct uidset set = { 0 };

	buf_clear(&uids);
	uidset_add_range(&set, lo, hi);
	uidset_encode(&set, &uids);
	op.u.retention = (struct op_retention){ inbox(), clock_wall_s() + 1000,
	    MAILBOX_ROLE_INBOX, buf_span(&uids) };
	tick_own(script_rig.svc, &op, own_done);
	uidset_fini(&set);
}

static void
ask_script(void)
{
	const struct store_script_set rq = { .how = SCRIPT_PUT, .name = SPAN_LIT("rules"),
		.text = SPAN_LIT("keep;"), .activate = true };

	store_do_script_set(chan, &rq, on_done, &waiting);
}

/* What a delivery does beside its bodies and places: the first body goes on to somebody, a key is
 * remembered. */
static void
send_delivery(struct store_deliver *rq, struct buf *bodies, struct buf *places, const char *key)
{
	struct buf keys = { 0 }, queue = { 0 }, rcpts = { 0 };

	put_store_deliver_key(&keys, &(struct store_deliver_key){ SIEVE_KEY_DUPLICATE,
		span_str(key), false, 86400 });
	put_store_queue_rcpt(&rcpts, &(struct store_queue_rcpt){ .address = SPAN_LIT("a@b.test") });
	put_store_queue_new(&queue, &(struct store_queue_new){ .kind = QUEUE_REDIRECT,
		.env.rcpts = buf_span(&rcpts) });
	rq->bodies = buf_span(bodies);
	rq->places = buf_span(places);
	rq->keys = buf_span(&keys);
	rq->queue = buf_span(&queue);
	store_do_deliver(chan, rq, on_done, &waiting);
	buf_fini(bodies);
	buf_fini(places);
	buf_fini(&keys);
	buf_fini(&queue);
	buf_fini(&rcpts);
}

/* Into two mailboxes, one of which is made. */
static void
ask_deliver(void)
{
	struct buf bodies = { 0 }, places = { 0 };
	struct store_deliver rq = { .seq = 0 };

	rig_item(&bodies, SPAN_LIT("Subject: d\r\n\r\ntext\r\n"), 0, flags_system(0));
	put_store_deliver_place(&places, &(struct store_deliver_place){ .path = SPAN_LIT("INBOX") });
	put_store_deliver_place(&places, &(struct store_deliver_place){
		.path = SPAN_LIT("Rules/One"), .create = true, .subscribe = true });
	send_delivery(&rq, &bodies, &places, "0123456789abcdef0123456789abcdef");
}

/* What was done before the process ended is not there the second time. */
static void
queue_done(struct request *rq, const struct state_result *res)
{
	on_done(&waiting, res->status == ST_NOT_FOUND ? ST_OK : res->status, false, NULL);
}

static void
ask_queue(uint8_t how)
{
	struct op op = { .kind = OP_QUEUE, .head.account = SCRIPT_ACCOUNT };
	struct state_queue_at at = { 0 };

	(void)state_queue_next(service_state(script_rig.svc), &at);
	op.u.queue = (struct op_queue){ .how = how, .id = at.id, .next_ms = 1000,
		.answer = SPAN_LIT("451 later") };
	tick_own(script_rig.svc, &op, queue_done);
}

/* Of the first message there is: a copy, another body beside it, flags. */
static void
ask_event(void)
{
	struct buf bodies = { 0 }, places = { 0 };
	struct store_deliver rq = { .of_mailbox = inbox(), .of_uid = 1,
		.flags_add = flags_system(FLAG_FLAGGED | FLAG_DELETED) };
	struct uidset first = { 0 };

	(void)state_first_uids(service_state(script_rig.svc), SCRIPT_ACCOUNT, rq.of_mailbox,
	    STATE_ALL, NULL, 1, &first);
	if (!uidset_empty(&first))		/* else the database failed: see inbox() */
		rq.of_uid = uidset_next(&first, 0);
	rig_item(&bodies, SPAN_LIT("Subject: e\r\n\r\nedited\r\n"), 0, flags_system(0));
	put_store_deliver_place(&places, &(struct store_deliver_place){ .body = 1,
		.path = SPAN_LIT("Events"), .create = true });
	put_store_deliver_place(&places, &(struct store_deliver_place){ .path = SPAN_LIT("INBOX") });
	send_delivery(&rq, &bodies, &places, "fedcba9876543210fedcba9876543210");
	uidset_fini(&first);
}

static void
ask_uidvalidity(void)
{
	struct store_uidvalidity rq = { .mailbox = inbox(), .uidvalidity = 77, .uidnext = 9500 };
	struct store_opened o = { 0 };
	struct state_known known = { 0 };
	struct buf uids = { 0 }, keywords = { 0 };

	if (state_open_mailbox(service_state(script_rig.svc), SCRIPT_ACCOUNT, rq.mailbox, &known, &o,
	    &uids, &keywords) == ST_OK)
		rq.if_modseq = o.highestmodseq;
	store_do_uidvalidity(chan, &rq, on_done, &waiting);
	state_known_fini(&known);
	buf_fini(&uids);
	buf_fini(&keywords);
}

static bool
is_own(unsigned step)
{
	return step == 19 || step == 30 || step == 31;
}

static void
ask(unsigned step)
{
	const struct store_create create = { .path = SPAN_LIT("Work/Old") };
	const struct store_rename rename = { .from = SPAN_LIT("Work"), .to = SPAN_LIT("Done") };
	const struct store_delete delete = { .path = SPAN_LIT("Done/Old") };
	const struct store_subscribe subscribe = { .path = SPAN_LIT("Done"), .on = true };
	const struct store_url_key_make key = { .path = SPAN_LIT("INBOX"), .reset = true };
	const struct store_mailbox_set set = { .how = MAILBOX_SET_CREATE, .name = SPAN_LIT("More"),
		.subscribed = true, .order = 3 };
	const struct store_blob_put upload = { .size = 4, .body = SPAN_LIT("body"),
		.sha256 = SPAN_LIT("0123456789abcdef0123456789abcdef") };
	struct store_expunge expunge = { 0 };

	waiting = (struct wait){ 0 };
	switch (step) {
	case 0: store_do_quota(chan, on_done, &waiting); break;	/* the attach makes the account */
	case 1: store_do_create(chan, &create, on_done, &waiting); break;
	case 2: case 3: ask_append(0, false); break;
	case 4: ask_staged(); break;
	case 5: ask_flags(FLAGS_ADD, FLAG_SEEN | FLAG_FLAGGED, 1, 3); break;
	case 6: ask_copy("Work/Old", false, 1, 5); break;
	case 7: store_do_rename(chan, &rename, on_done, &waiting); break;
	case 8: ask_flags(FLAGS_ADD, FLAG_DELETED, 2, 5); break;
	case 9:
		expunge.mailbox = inbox();
		store_do_expunge(chan, &expunge, on_done, &waiting);
		break;
	case 10: ask_copy("Trash", true, 1, 7); break;
	case 11: store_do_subscribe(chan, &subscribe, on_done, &waiting); break;
	case 12: store_do_delete(chan, &delete, on_done, &waiting); break;
	case 13: ask_append(0, false); break;
	case 14: ask_staged(); break;
	case 15: ask_flags(FLAGS_REPLACE, FLAG_ANSWERED, 1, 99); break;
	case 16: store_do_url_key_make(chan, &key, on_done, &waiting); break;
	case 17: ask_annotate(1, 99); break;
	case 18: ask_append(0, true); break;
	case 19: ask_retention(1, 10); break;
	case 20: ask_place(); break;
	case 21: ask_uidvalidity(); break;
	case 22: ask_undelete(); break;
	case 23: store_do_mailbox_set(chan, &set, on_done, &waiting); break;
	case 24: ask_append_into(); break;
	case 25: ask_email_set(); break;
	case 26: ask_push(); break;
	case 27: store_do_blob_put(chan, &upload, on_done, &waiting); break;
	case 28: ask_script(); break;
	case 29: ask_deliver(); break;
	case 30: ask_queue(QUEUE_LATER); break;
	case 31: ask_queue(QUEUE_RETURN); break;
	case 32: ask_event(); break;
	default: ask_copy("Trash", true, 1, 9999); break;
	}
}

static bool
is_staged(unsigned step)
{
	return step == 4 || step == 14;
}

bool
script_step(unsigned step)
{
	if (!under_way || is_own(step))
		ask(step);
	for (;;) {
		if (!await(step))
			return false;
		if (waiting.st != ST_UNAVAILABLE || script_rig.fatal)
			break;
		/* What was staged with the process that ended is staged again; a read too. */
		assert_true(is_staged(step) || step == 0);
		ask(step);
	}
	if ((script_rig.fatal && waiting.st != ST_OK) || waiting.st == ST_NO_SPACE) {
		under_way = false;
		return false;
	}
	if (waiting.st != ST_OK)
		fail_msg("step %u: %s", step, status_name(waiting.st));
	return true;
}

static void
shape_notes(uint64_t mailbox, struct buf *out)
{
	struct uidrange every = { 1, UINT32_MAX };
	const struct uidset all = { &every, 1, 1 };
	struct buf names = { 0 }, resume = { 0 }, notes = { 0 };
	struct state_annotations q = { .mailbox = mailbox, .reader = SCRIPT_ACCOUNT, .uids = &all,
		.which = ANNOTATIONS_PRIVATE | ANNOTATIONS_SHARED, .max_size = 100,
		.part_bytes = 65536, .resume = &resume };
	struct store_annotation a;
	struct reader r;

	put_span(&names, SPAN_LIT("*"));
	q.patterns = buf_span(&names);
	assert_int_equal(state_annotations(service_state(script_rig.svc), SCRIPT_ACCOUNT, &q, &notes), ST_OK);
	reader_init(&r, notes.data, notes.len);
	while (notes.len > 0 && get_store_annotation(&r, &a))
		buf_addf(out, "  %u %d %.*s\n", a.uid, a.shared, (int)a.value.len, a.value.p);
	buf_fini(&names);
	buf_fini(&resume);
	buf_fini(&notes);
}

static void
shape_sieve(struct buf *out)
{
	struct state *s = service_state(script_rig.svc);
	uint64_t state, bytes, account = SCRIPT_ACCOUNT, id = 0;
	struct buf list = { 0 }, queue = { 0 };
	struct store_queue_entry e;
	struct store_script x;
	struct reader r;

	assert_int_equal(state_scripts(s, SCRIPT_ACCOUNT, &list, &state, &bytes), ST_OK);
	reader_init(&r, list.data, list.len);
	while (list.len > 0 && get_store_script(&r, &x))
		buf_addf(out, "script %.*s %d %u\n", (int)x.name.len, x.name.p, x.active, x.size);
	(void)state_queue_list(s, &account, &id, true, 65536, &queue);
	reader_init(&r, queue.data, queue.len);
	while (queue.len > 0 && get_store_queue_entry(&r, &e))
		buf_addf(out, "queued %d %.*s\n", e.kind, (int)e.answer.len, e.answer.p);
	buf_fini(&list);
	buf_fini(&queue);
}

void
script_shape(struct buf *out)
{
	struct state_account acc;
	struct buf lines = { 0 };
	struct store_mailbox m;
	struct store_push p;
	uint32_t resume = 0;
	struct reader r;

	buf_clear(out);
	if (state_account(service_state(script_rig.svc), SCRIPT_ACCOUNT, &acc) != ST_OK)
		return;
	buf_addf(out, "modseq %u bytes %u keys %u\n", (unsigned)acc.modseq, (unsigned)acc.bytes,
	    (unsigned)acc.sieve_keys);
	shape_sieve(out);
	while (resume != UINT32_MAX)
		assert_int_equal(state_mailboxes(service_state(script_rig.svc), SCRIPT_ACCOUNT, SPAN_NONE, 65536,
		    &resume, &lines), ST_OK);
	reader_init(&r, lines.data, lines.len);
	while (get_store_mailbox(&r, &m)) {
		buf_addf(out, "%.*s %u %u %u %u %u %u\n", (int)m.path.len, m.path.p, m.subscribed,
		    m.messages, m.unseen, m.deleted, m.uidnext, (unsigned)m.highestmodseq);
		if (m.id != 0)
			shape_notes(m.id, out);
	}
	buf_clear(&lines);
	assert_int_equal(state_pushes(service_state(script_rig.svc), SCRIPT_ACCOUNT, &lines), ST_OK);
	reader_init(&r, lines.data, lines.len);
	while (get_store_push(&r, &p))		/* its code is another one each time */
		buf_addf(out, "push %.*s %.*s\n", (int)p.device.len, p.device.p, (int)p.url.len, p.url.p);
	buf_fini(&lines);
}

static void
note_shape(unsigned step)
{
	struct buf is = { 0 };

	script_shape(&is);
	put_span(&on_way[step], buf_span(&is));
	buf_fini(&is);
}

void
script_settle(void)
{
	uint64_t account, end = clock_mono_ms() + 20000;

	while (!script_rig.fatal &&
	    state_stage_next(service_state(script_rig.svc), 0, &account) == ST_OK) {
		if (clock_mono_ms() > end)
			fail_msg("what was staged stays");
		loop_once(script_rig.loop, true);
	}
}

void
script_hash(unsigned char out[32])
{
	memset(out, 0, 32);
	(void)state_hash(service_state(script_rig.svc), SCRIPT_ACCOUNT, out);
}

unsigned
script_run(unsigned step, unsigned char last_hash[32])
{
	for (; step < SCRIPT_STEPS; step++) {
		if (!script_step(step))
			break;
		script_settle();
		if (last_hash != NULL)
			script_hash(last_hash);
	}
	return step;
}


void
script_forget_call(void)
{
	under_way = false;
}

void
script_begin(void)
{
	rig_init(&script_rig);
	script_rig.cf.inline_io = true;
	script_rig.more_roles = STORE_ROLE_ADMIN;
	script_rig.cf.segment_bytes = 256u << 10;
	script_rig.cf.op_rows = 2;
	/* Another client each time: what was answered to one of before is none of its business. */
	script_rig.last_ticket = (uint64_t)++clients << 32 | (uint64_t)getpid() << 8;
	under_way = false;
	chan = rig_channel(&script_rig, SCRIPT_ACCOUNT, NULL, NULL);
}

void
script_end(void)
{
	store_close(&chan);
	rig_run(&script_rig, 1);
	rig_fini(&script_rig);
}

void
script_consistent(void)
{
	struct buf report = { 0 };
	uint64_t wrong = 0;

	assert_int_equal(state_check(service_state(script_rig.svc), &report, &wrong), ST_OK);
	if (wrong > 0)
		fail_msg("%.*s", (int)report.len, report.data);
	buf_fini(&report);
}

/* The reference ------------------------------------------------------------------ */

void
script_reference(void)
{
	in_reference = true;
	for (unsigned i = 0; i < SCRIPT_STEPS; i++) {
		assert_true(script_step(i));
		script_settle();
		script_shape(&shapes[i + 1]);
	}
	in_reference = false;
}

void
script_reference_free(void)
{
	for (unsigned i = 0; i <= SCRIPT_STEPS; i++)
		buf_fini(&shapes[i]);
	for (unsigned i = 0; i < SCRIPT_STEPS; i++)
		buf_fini(&on_way[i]);
}

struct span
script_shape_after(unsigned steps)
{
	return buf_span(&shapes[steps]);
}

static bool
was_on_way(struct span is, unsigned step)
{
	struct reader r;

	reader_init(&r, on_way[step].data, on_way[step].len);
	while (r.p < r.end)
		if (span_eq(get_span(&r), is))
			return true;
	return false;
}

void
script_judge(struct span is, unsigned answered, const char *what)
{
	if (answered < SCRIPT_STEPS && was_on_way(is, answered))
		return;
	if (!span_eq(is, buf_span(&shapes[answered])) &&
	    (answered == SCRIPT_STEPS || !span_eq(is, buf_span(&shapes[answered + 1]))))
		fail_msg("%s, %u steps answered:\n%.*s\nis neither\n%.*s\nnor the step behind",
		    what, answered, (int)is.len, is.p, (int)shapes[answered].len,
		    shapes[answered].data);
}
