/* The store service stopped at every write and every sync of a script.  What is left
 * is opened again, by kill (all that was written is there) and by power loss (what was
 * not synced is gone, or in part), with the applied state as it lay and with none:
 *
 *	- what was acknowledged is there, and what was not is there whole or not at all:
 *	  the shape of the account is that after the last answer, or after one step more, or
 *	  one that the step had on its way: a STORE (of flags, of annotations) and an EXPUNGE go
 *	  in parts, of two rows
 *	  here; a COPY, a MOVE and an APPEND never show a part;
 *	- both applied states are equal (state_hash), and equal to what it was at the last
 *	  answer unless that step is there;
 *	- the client, which still waits, asks again and finishes the script: the shape at its
 *	  end is that of a run without a fault, so nothing happened twice.
 *
 * Without MANSIO_FULL=1 every third stop is tried. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/fd.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "t/crash/faultio.h"
#include "t/unit/storage/rig.h"

#define ACCOUNT 17
#define STEPS 20

static struct rig rig;
static struct store *chan;
static struct buf shapes[STEPS + 1];	/* after so many steps, without a fault */
static struct buf on_way[STEPS];	/* within a step: put_span() each */
static bool in_reference;

/* Files --------------------------------------------------------------------------- */

static void
copy_file(const char *from, const char *to)
{
	char *data;
	size_t len;
	int fd;

	assert_true(fd_slurp_path(from, 256u << 20, &data, &len));
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && fd_write_full(fd, data, len));
	close(fd);
	mem_free(&data);
}

static void
each_file(const char *dir, const char *to)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char a[512], b[512];

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(a, sizeof(a), "%s/%s", dir, e->d_name);
		if (to == NULL) {
			unlink(a);
			continue;
		}
		snprintf(b, sizeof(b), "%s/%s", to, e->d_name);
		copy_file(a, b);
	}
	if (d != NULL)
		closedir(d);
}

static void
path_of(char out[256], const char *name)
{
	snprintf(out, 256, "%s/%s", rig.dir, name);
}

/* Keeps, brings back, or empties the applied state. */
static void
db_save(void)
{
	char db[256], saved[256];

	path_of(db, "db");
	path_of(saved, "saved");
	mkdir(saved, 0700);
	each_file(saved, NULL);
	each_file(db, saved);
}

static void
db_restore(bool empty)
{
	char db[256], saved[256];

	path_of(db, "db");
	path_of(saved, "saved");
	each_file(db, NULL);
	if (!empty)
		each_file(saved, db);
}

/* The script ---------------------------------------------------------------------- */

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
		if (rig.fatal)
			return false;
		if (clock_mono_ms() > end)
			fail_msg("no answer");
		loop_once(rig.loop, true);
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

static uint64_t
inbox(void)
{
	uint64_t id = 0;

	assert_int_equal(state_find_mailbox(service_state(rig.svc), ACCOUNT, SPAN_LIT("INBOX"),
	    &id), ST_OK);
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

static void
ask(unsigned step)
{
	const struct store_create create = { .path = SPAN_LIT("Work/Old") };
	const struct store_rename rename = { .from = SPAN_LIT("Work"), .to = SPAN_LIT("Done") };
	const struct store_delete delete = { .path = SPAN_LIT("Done/Old") };
	const struct store_subscribe subscribe = { .path = SPAN_LIT("Done"), .on = true };
	const struct store_url_key_make key = { .path = SPAN_LIT("INBOX"), .reset = true };
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
	default: ask_copy("Trash", true, 1, 99); break;
	}
}

static bool
is_staged(unsigned step)
{
	return step == 4 || step == 14;
}

/* false: the service died. */
static bool
do_step(unsigned step)
{
	if (!under_way)
		ask(step);
	for (;;) {
		if (!await(step))
			return false;
		if (waiting.st != ST_UNAVAILABLE || rig.fatal)
			break;
		/* What was staged with the process that ended is staged again; a read too. */
		assert_true(is_staged(step) || step == 0);
		ask(step);
	}
	if (rig.fatal && waiting.st != ST_OK) {
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
	struct state_annotations q = { .mailbox = mailbox, .reader = ACCOUNT, .uids = &all,
		.which = ANNOTATIONS_PRIVATE | ANNOTATIONS_SHARED, .max_size = 100,
		.part_bytes = 65536, .resume = &resume };
	struct store_annotation a;
	struct reader r;

	put_span(&names, SPAN_LIT("*"));
	q.patterns = buf_span(&names);
	assert_int_equal(state_annotations(service_state(rig.svc), ACCOUNT, &q, &notes), ST_OK);
	reader_init(&r, notes.data, notes.len);
	while (notes.len > 0 && get_store_annotation(&r, &a))
		buf_addf(out, "  %u %d %.*s\n", a.uid, a.shared, (int)a.value.len, a.value.p);
	buf_fini(&names);
	buf_fini(&resume);
	buf_fini(&notes);
}

static void
shape(struct buf *out)
{
	struct state_account acc;
	struct buf lines = { 0 };
	struct store_mailbox m;
	uint32_t resume = 0;
	struct reader r;

	buf_clear(out);
	if (state_account(service_state(rig.svc), ACCOUNT, &acc) != ST_OK)
		return;
	buf_addf(out, "modseq %u bytes %u\n", (unsigned)acc.modseq, (unsigned)acc.bytes);
	while (resume != UINT32_MAX)
		assert_int_equal(state_mailboxes(service_state(rig.svc), ACCOUNT, SPAN_NONE, 65536,
		    &resume, &lines), ST_OK);
	reader_init(&r, lines.data, lines.len);
	while (get_store_mailbox(&r, &m)) {
		buf_addf(out, "%.*s %u %u %u %u %u %u\n", (int)m.path.len, m.path.p, m.subscribed,
		    m.messages, m.unseen, m.deleted, m.uidnext, (unsigned)m.highestmodseq);
		if (m.id != 0)
			shape_notes(m.id, out);
	}
	buf_fini(&lines);
}

static void
note_shape(unsigned step)
{
	struct buf is = { 0 };

	shape(&is);
	put_span(&on_way[step], buf_span(&is));
	buf_fini(&is);
}

/* What was staged is gone, or out of its old place. */
static void
settle(void)
{
	uint64_t account, end = clock_mono_ms() + 20000;

	while (!rig.fatal &&
	    state_stage_next(service_state(rig.svc), 0, &account) != ST_NOT_FOUND) {
		if (clock_mono_ms() > end)
			fail_msg("what was staged stays");
		loop_once(rig.loop, true);
	}
}

static void
hash(unsigned char out[32])
{
	memset(out, 0, 32);
	(void)state_hash(service_state(rig.svc), ACCOUNT, out);
}

/* Runs from a step to the end; returns how many were answered. */
static unsigned
run_from(unsigned step, unsigned char last_hash[32])
{
	for (; step < STEPS; step++) {
		if (!do_step(step))
			break;
		settle();
		if (last_hash != NULL)
			hash(last_hash);
	}
	return step;
}

/* One stop --------------------------------------------------------------------------- */

static bool
keep_none(unsigned i, unsigned n, unsigned block, void *arg)
{
	return false;
}

static bool
keep_some(unsigned i, unsigned n, unsigned block, void *arg)
{
	return ((i + *(unsigned *)arg) * 2654435761u >> 16 & 1) != 0;
}

static bool
was_on_way(const struct buf *is, unsigned step)
{
	struct reader r;

	reader_init(&r, on_way[step].data, on_way[step].len);
	while (r.p < r.end)
		if (span_eq(get_span(&r), buf_span(is)))
			return true;
	return false;
}

static void
check_shape(const struct buf *is, unsigned answered, unsigned at)
{
	if (answered < STEPS && was_on_way(is, answered))
		return;
	if (!span_eq(buf_span(is), buf_span(&shapes[answered])) &&
	    (answered == STEPS || !span_eq(buf_span(is), buf_span(&shapes[answered + 1]))))
		fail_msg("stop %u, %u steps answered:\n%.*s\nis neither\n%.*s\nnor the step behind",
		    at, answered, (int)is->len, is->data, (int)shapes[answered].len,
		    shapes[answered].data);
}

static void
check_consistent(void)
{
	struct buf report = { 0 };
	uint64_t wrong = 0;

	assert_int_equal(state_check(service_state(rig.svc), &report, &wrong), ST_OK);
	if (wrong > 0)
		fail_msg("%.*s", (int)report.len, report.data);
	buf_fini(&report);
}

/* Opens what is left, compares the states, finishes the script. */
static void
check_left(const struct faultio *stopped, struct faultio *left, unsigned answered, unsigned at,
    const unsigned char last[32], bool lost_power)
{
	unsigned char survived[32], rebuilt[32];
	struct buf is = { 0 };

	rig.cf.io = faultio_io(left);
	rig.fatal = false;
	db_restore(true);
	rig_start(&rig);
	settle();
	hash(rebuilt);
	shape(&is);
	check_shape(&is, answered, at);
	if (answered > 0 && span_eq(buf_span(&is), buf_span(&shapes[answered])))
		assert_memory_equal(rebuilt, last, 32);
	check_consistent();
	rig_stop(&rig);
	db_restore(lost_power);		/* unsynced pages cannot be taken from it here */
	rig.fatal = false;
	rig_start(&rig);
	settle();
	hash(survived);
	assert_memory_equal(survived, rebuilt, 32);
	assert_int_equal(run_from(answered, NULL), STEPS);
	shape(&is);
	if (!span_eq(buf_span(&is), buf_span(&shapes[STEPS])))
		fail_msg("stop %u: the end is\n%.*s\nand not\n%.*s", at, (int)is.len, is.data,
		    (int)shapes[STEPS].len, shapes[STEPS].data);
	check_consistent();
	rig_stop(&rig);
	buf_fini(&is);
}

static void
begin(struct faultio *f)
{
	rig_init(&rig);
	rig.cf.inline_io = true;
	rig.cf.segment_bytes = 256u << 10;
	rig.cf.op_rows = 2;
	rig.cf.io = faultio_io(f);
	under_way = false;
	chan = rig_channel(&rig, ACCOUNT, NULL, NULL);
}

/* What the journal holds open is made before the fault can strike: a service that cannot
 * even start is the journal's own test. */
static unsigned
first_stop(struct faultio *f)
{
	return faultio_ops(f) + 1;
}

static void
end(void)
{
	store_close(&chan);
	rig_run(&rig, 1);
	rig_fini(&rig);
}

/* how: 0 kill, 1 power loss, 2 power loss with some sectors kept.  false: the script ended
 * before the stop. */
static bool
stop_at(unsigned at, unsigned how)
{
	struct faultio *f = faultio_new(), *left;
	unsigned char last[32] = { 0 };
	unsigned answered;
	bool hit;

	begin(f);
	rig_start(&rig);
	faultio_stop_at(f, first_stop(f) + at);
	answered = run_from(0, last);
	hit = rig.fatal;
	if (hit) {
		db_save();
		rig_stop(&rig);
		left = how == 0 ? faultio_after_kill(f) :
		    faultio_after_power_loss(f, how == 1 ? keep_none : keep_some, &at, true);
		check_left(f, left, answered, at, last, how > 0);
		faultio_free(&left);
	}
	end();
	faultio_free(&f);
	return hit;
}

static void
stopped_at_every_write_and_sync_nothing_is_lost_and_nothing_happens_twice(void **state)
{
	unsigned step = getenv("MANSIO_FULL") != NULL ? 1 : 3, stops = 0;

	for (unsigned how = 0; how < 3; how++) {
		for (unsigned at = how; stop_at(at, how); at += step)
			stops++;
	}
	assert_true(stops > 20);
	printf("%u stops\n", stops);
}

static int
reference(void **state)
{
	struct faultio *f = faultio_new();

	begin(f);
	rig_start(&rig);
	in_reference = true;
	for (unsigned i = 0; i < STEPS; i++) {
		assert_true(do_step(i));
		settle();
		shape(&shapes[i + 1]);
	}
	in_reference = false;
	end();
	faultio_free(&f);
	return 0;
}

static int
forget(void **state)
{
	for (unsigned i = 0; i <= STEPS; i++)
		buf_fini(&shapes[i]);
	for (unsigned i = 0; i < STEPS; i++)
		buf_fini(&on_way[i]);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    stopped_at_every_write_and_sync_nothing_is_lost_and_nothing_happens_twice),
	};

	/* The journal is in memory; the database's own syncs would only take time. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	log_set_level(LOG_LEVEL_FATAL);
	if (getenv("MANSIO_FULL") == NULL)
		log_set_sink(LOG_SINK_FILE, open("/dev/null", O_WRONLY | O_CLOEXEC));
	return cmocka_run_group_tests(tests, reference, forget);
}
