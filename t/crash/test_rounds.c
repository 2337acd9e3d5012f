/* Crash and recover, round after round: clients change several accounts at random while the service
 * is killed at a random moment.  They hold on to what was not answered and ask again.  After each kill
 * the database that recovers and one made anew from the journal alone come to the same root for
 * every account, and every recount agrees; at the end every APPEND that was answered, each of
 * them once, is one message.
 *
 * MANSIO_ROUNDS: how many [12; with MANSIO_FULL=1 1,000].  MANSIO_SEED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "t/unit/storage/rig.h"

#define CLIENTS		6u
#define FIRST		101u		/* their accounts */
#define ANEW_EVERY	5u		/* rounds from one making anew to the next, */
#define ANEW_LATER	25u		/* and behind this many, for the journal grows */
#define LATER		100u

static struct rig rig;
static unsigned seed;

struct client {
	struct store	*chan;
	uint64_t	 account, inbox;
	bool		 busy, kept, made;	/* something is under way; it is an APPEND to
						 * Keep; which was made */
	unsigned	 n, appended, answered;
	unsigned	 unsure;	/* APPENDs that were given up after STORE_RETRY_MS: the
				 * comparison of a long journal took longer */
};
static struct client clients[CLIENTS];
static bool over;

static unsigned
dice(unsigned sides)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % sides;
}

/* Changes ------------------------------------------------------------------------- */

static void
on_done(void *arg, enum status st, bool more, const void *msg)
{
	struct client *c = arg;

	if (more)
		return;
	c->busy = false;
	c->answered++;
	if (c->kept) {
		if (st != ST_OK && st != ST_UNAVAILABLE)
			fail_msg("APPEND: %s", status_name(st));
		if (st == ST_OK)
			c->appended++;
		else
			c->unsure++;
	}
}

static void
do_append(struct client *c, const char *path)
{
	struct store_append rq = { .path = span_str(path) };
	struct buf text = { 0 }, items = { 0 };

	buf_addf(&text, "Subject: %u of %u\r\n\r\n", ++c->n, (unsigned)c->account);
	for (unsigned i = dice(4) == 0 ? dice(40000) : dice(300); i > 0; i--)
		buf_add_c(&text, (char)('a' + dice(26)));
	rig_item(&items, buf_span(&text), 0, flags_system((uint8_t)dice(32)));
	rq.items = buf_span(&items);
	store_do_append(c->chan, &rq, on_done, c);
	buf_fini(&text);
	buf_fini(&items);
}

static void
some_uids(struct buf *uids)
{
	struct uidset set = { 0 };
	uint32_t lo = 1 + dice(60);

	uidset_add_range(&set, lo, lo + dice(20));
	uidset_encode(&set, uids);
	uidset_fini(&set);
}

static void
do_flags(struct client *c)
{
	struct store_flags rq = { .mailbox = c->inbox, .how = (uint8_t)(1 + dice(3)),
		.system = (uint8_t)dice(32), .keywords = SPAN_NONE, .unchanged_since = UINT64_MAX };
	struct buf uids = { 0 };

	some_uids(&uids);
	rq.uids = buf_span(&uids);
	store_do_flags(c->chan, &rq, on_done, c);
	buf_fini(&uids);
}

static void
do_copy(struct client *c, bool move)
{
	struct store_copy rq = { .mailbox = c->inbox, .to = SPAN_LIT("Archive"), .move = move };
	struct buf uids = { 0 };

	some_uids(&uids);
	rq.uids = buf_span(&uids);
	store_do_copy(c->chan, &rq, on_done, c);
	buf_fini(&uids);
}

static void
do_folder(struct client *c)
{
	const struct store_create create = { .path = SPAN_LIT("Tmp/Sub") };
	const struct store_rename rename = { .from = SPAN_LIT("Tmp"), .to = SPAN_LIT("Other") };
	const struct store_delete delete = { .path = SPAN_LIT("Other/Sub") };
	const struct store_delete parent = { .path = SPAN_LIT("Other") };

	switch (dice(4)) {
	case 0: store_do_create(c->chan, &create, on_done, c); break;
	case 1: store_do_rename(c->chan, &rename, on_done, c); break;
	case 2: store_do_delete(c->chan, &delete, on_done, c); break;
	default: store_do_delete(c->chan, &parent, on_done, c); break;
	}
}

static void
next_change(struct client *c)
{
	const struct store_expunge expunge = { .mailbox = c->inbox };
	const struct store_create keep = { .path = SPAN_LIT("Keep") };
	unsigned what = c->inbox == 0 ? dice(4) : dice(12);

	c->busy = true;
	c->kept = what < 2 && c->made;
	if (!c->made) {
		c->made = true;
		store_do_create(c->chan, &keep, on_done, c);
		return;
	}
	switch (what) {
	case 0: case 1: do_append(c, "Keep"); break;
	case 2: case 3: case 4: do_append(c, "INBOX"); break;
	case 5: case 6: case 7: do_flags(c); break;
	case 8: do_copy(c, false); break;
	case 9: do_copy(c, true); break;
	case 10: store_do_expunge(c->chan, &expunge, on_done, c); break;
	default: do_folder(c); break;
	}
}

static unsigned
total(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CLIENTS; i++)
		n += clients[i].answered;
	return n;
}

/* From the first answer on, or (ms 0) until soon, while it recovers. */
static void
keep_busy(unsigned ms)
{
	uint64_t end = clock_mono_ms() + (ms > 0 ? 20000 : dice(100));
	unsigned was = total();

	do {
		if (ms > 0 && total() != was) {
			end = clock_mono_ms() + ms;
			ms = 0;
		}
		for (unsigned i = 0; i < CLIENTS && !over; i++)
			if (!clients[i].busy)
				next_change(&clients[i]);
		loop_once(rig.loop, false);
	} while (clock_mono_ms() < end);
}

/* Looking ------------------------------------------------------------------------- */

static void
on_fatal(void *arg)
{
	fail_msg("the service gave up");
}

/* Opens the folder, recounts, takes every account's root. */
static void
look(const char *dir, unsigned char roots[CLIENTS][32], uint64_t keep[CLIENTS])
{
	struct service *svc;
	struct buf report = { 0 };
	uint64_t wrong = 0, account;

	assert_int_equal(service_open(rig.loop, &rig.cf, dir, on_fatal, NULL, &svc), ST_OK);
	while (state_stage_next(service_state(svc), 0, &account) == ST_OK)
		loop_once(rig.loop, true);
	assert_int_equal(state_check(service_state(svc), &report, &wrong), ST_OK);
	if (wrong > 0)
		fail_msg("%.*s", (int)report.len, report.data);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct state *s = service_state(svc);
		struct uidset uids = { 0 };
		uint64_t id;

		memset(roots[i], 0, 32);
		(void)state_hash(s, clients[i].account, roots[i]);
		(void)state_find_mailbox(s, clients[i].account, SPAN_LIT("INBOX"),
		    &clients[i].inbox);
		keep[i] = 0;
		if (state_find_mailbox(s, clients[i].account, SPAN_LIT("Keep"), &id) == ST_OK &&
		    state_uids(s, clients[i].account, id, STATE_ALL, &uids) == ST_OK)
			keep[i] = uidset_count(&uids);
		uidset_fini(&uids);
	}
	service_close(&svc);
	buf_fini(&report);
}

static void
look_anew(unsigned char roots[CLIENTS][32])
{
	unsigned char anew[CLIENTS][32];
	uint64_t keep[CLIENTS];
	char cmd[800], dir[160];

	snprintf(dir, sizeof(dir), "%s-anew", rig.dir);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s' && mkdir '%s' && cp -r '%s/journal' '%s/'", dir, dir,
	    rig.dir, dir);
	assert_int_equal(system(cmd), 0);
	look(dir, anew, keep);
	assert_memory_equal(anew, roots, sizeof(anew));
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	assert_int_equal(system(cmd), 0);
}

static void
rounds_of_crashes_come_to_equal_roots_and_lose_nothing(void **state)
{
	const char *s = getenv("MANSIO_ROUNDS");
	unsigned rounds = s != NULL ? (unsigned)atoi(s) : getenv("MANSIO_FULL") != NULL ? 1000 : 12;
	unsigned char roots[CLIENTS][32];
	uint64_t keep[CLIENTS], end;

	for (unsigned r = 1; r <= rounds; r++) {
		rig_fork(&rig);
		keep_busy(dice(8) > 0 ? 1 + dice(60) : 0);
		rig_kill(&rig);
		look(rig.dir, roots, keep);
		if (r % (r > LATER ? ANEW_LATER : ANEW_EVERY) == 0)
			look_anew(roots);
		if (r % LATER == 0)
			printf("%u rounds\n", r);
	}
	over = true;
	rig_fork(&rig);
	end = clock_mono_ms() + 60000;
	for (unsigned i = 0; i < CLIENTS; i++)
		while (clients[i].busy) {
			assert_true(clock_mono_ms() < end);
			loop_once(rig.loop, true);
		}
	rig_kill(&rig);
	look(rig.dir, roots, keep);
	look_anew(roots);
	for (unsigned i = 0; i < CLIENTS; i++)
		assert_in_range(keep[i], clients[i].appended, clients[i].appended + clients[i].unsure);
	printf("%u rounds, %u answers\n", rounds, total());
}

static int
begin(void **state)
{
	const char *s = getenv("MANSIO_SEED");

	seed = s != NULL ? (unsigned)atoi(s) : 4711;
	rig_init(&rig);
	rig.cf.segment_bytes = 1u << 20;
	rig.cf.checkpoint_bytes = 256u << 10;
	rig.cf.op_rows = 7;
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i].account = FIRST + i;
		clients[i].chan = rig_channel(&rig, FIRST + i, NULL, NULL);
	}
	return 0;
}

static int
end(void **state)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		store_close(&clients[i].chan);
	rig_run(&rig, 1);
	rig_fini(&rig);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounds_of_crashes_come_to_equal_roots_and_lose_nothing),
	};

	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	log_set_level(LOG_LEVEL_FATAL);
	if (getenv("MANSIO_SHOW") == NULL)
		log_set_sink(LOG_SINK_FILE, open("/dev/null", O_WRONLY | O_CLOEXEC));
	return cmocka_run_group_tests(tests, begin, end);
}
