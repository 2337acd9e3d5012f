/* A message and its rules, with a store and scripts that say what the test wants. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "lmtpd/judged.h"

static struct {
	unsigned		runs, known_runs, plans, inboxes, results, reports;
	bool			settled;
	enum filter_outcome	outcome;
	filter_done_fn		ran;
	void			*ran_arg;
	plan_done_fn		planned;
	void			*planned_arg;
} world;

/* What judged.c needs of others ------------------------------------------------- */

struct filter_run *
filter_run_new(struct filter *f, const struct filter_job *job, filter_done_fn done, void *arg)
{
	world.ran = done;
	world.ran_arg = arg;
	return mem_alloc(1);
}

void
filter_run_start(struct filter_run *r)
{
	world.runs++;
}

void
filter_run_start_known(struct filter_run *r)
{
	world.known_runs++;
}

void
filter_run_free(struct filter_run **r)
{
	mem_free(r);
}

enum filter_outcome
filter_run_outcome(const struct filter_run *r)
{
	return world.outcome;
}

const struct sieve_result *
filter_run_result(const struct filter_run *r)
{
	static const struct sieve_result result;

	return world.settled ? &result : NULL;
}

const struct sieve_env *
filter_run_env(const struct filter_run *r)
{
	return NULL;
}

const unsigned char *
filter_run_script(const struct filter_run *r)
{
	static const unsigned char none[32];

	return none;
}

struct filter_error
filter_run_error(const struct filter_run *r)
{
	return (struct filter_error){ "global", 1, "an error" };
}

struct plan *
plan_new(const struct plan_of *of)
{
	world.plans++;
	world.reports += of->dsn != NULL;
	return mem_alloc(1);
}

void
plan_free(struct plan **p)
{
	mem_free(p);
}

void
plan_inbox(struct plan *p)
{
	world.inboxes++;
}

void
plan_result(struct plan *p, const struct sieve_result *r, const struct sieve_env *env)
{
	world.results++;
}

void
plan_notice(struct plan *p, struct span raw, const unsigned char key[32], uint64_t remember_s)
{
}

void
plan_rests_on(struct plan *p, const unsigned char script[32])
{
}

void
plan_send(struct plan *p, plan_done_fn done, void *arg)
{
	world.planned = done;
	world.planned_arg = arg;
}

struct store *
copy_store(const struct copy *c)
{
	return NULL;
}

const char *
plan_refusal(const struct plan *p)
{
	return NULL;
}

const char *
plan_words(struct plan *p)
{
	return "";
}

/* The tests --------------------------------------------------------------------- */

static const struct mansio_conf *
conf_now(void *arg)
{
	return arg;
}

static unsigned n_done;
static enum status outcome;

static void
on_done(void *arg, enum status st)
{
	n_done++;
	outcome = st;
}

struct judging {
	struct mansio_conf	*conf;
	struct kept		*kept;
	uint64_t		used;
	struct dsn		dsn;
	struct judged		*judged;
};

static void
begin(struct judging *g, bool scripts)
{
	struct conf_errors err = { .count = 0 };
	struct kept_limits limits = { 1000000, 1000000, &g->used };
	struct judged_of of = { .filter = scripts ? (struct filter *)g : NULL, .conf = conf_now,
	    .user = "u@a.test", .address = "u@a.test", .from = "f@b.test", .account = 1 };

	memset(&world, 0, sizeof(world));
	n_done = 0;
	assert_true(conf_parse(SPAN_LIT(""), "test", &g->conf, &err));
	g->kept = kept_new(&limits);
	kept_feed(g->kept, SPAN_LIT("Subject: x\r\n\r\nx\r\n"));
	of.conf_arg = g->conf;
	of.kept = g->kept;
	of.dsn = &g->dsn;
	g->judged = judged_new(&of, on_done, NULL);
}

static void
end(struct judging *g)
{
	judged_free(&g->judged);
	kept_free(&g->kept);
	conf_free(&g->conf);
}

static void
after_three_conflicts_the_message_is_in_the_inbox(void **state)
{
	struct judging g = { 0 };

	begin(&g, true);
	world.outcome = FILTER_ACTS;
	world.settled = true;
	judged_held(g.judged, ST_OK);
	for (unsigned tries = 1; tries <= 3; tries++) {
		world.ran(world.ran_arg);
		assert_int_equal(world.results, tries);
		assert_int_equal(world.inboxes, 0);
		world.planned(world.planned_arg, ST_CONFLICT);
		assert_int_equal(world.known_runs, 1);
		assert_int_equal(world.runs, tries < 3 ? tries : 2);
		assert_int_equal(n_done, 0);
	}
	assert_int_equal(world.inboxes, 1);
	assert_int_equal(world.results, 3);
	world.planned(world.planned_arg, ST_OK);
	assert_int_equal(n_done, 1);
	assert_int_equal(outcome, ST_OK);
	end(&g);
}

static void
what_cannot_be_done_is_put_into_the_inbox_once(void **state)
{
	struct judging g = { 0 };

	begin(&g, true);
	world.outcome = FILTER_ACTS;
	world.settled = true;
	judged_held(g.judged, ST_OK);
	world.ran(world.ran_arg);
	world.planned(world.planned_arg, ST_SYNTAX);	/* the request is none: our mistake */
	assert_int_equal(world.inboxes, 1);
	world.planned(world.planned_arg, ST_LIMIT);
	assert_int_equal(n_done, 1);
	assert_int_equal(outcome, ST_LIMIT);
	end(&g);
}

static void
what_the_mta_is_to_try_again_is_not_put_elsewhere(void **state)
{
	static const enum status away[] = { ST_UNAVAILABLE, ST_OVER_QUOTA, ST_NO_SPACE, ST_CORRUPT };

	for (size_t i = 0; i < ARRAY_LEN(away); i++) {
		struct judging g = { 0 };

		begin(&g, true);
		world.outcome = FILTER_ACTS;
		world.settled = true;
		world.ran(world.ran_arg);
		assert_int_equal(world.plans, 0);	/* the copy is not held yet */
		judged_held(g.judged, ST_OK);
		world.planned(world.planned_arg, away[i]);
		assert_int_equal(n_done, 1);
		assert_int_equal(outcome, away[i]);
		assert_int_equal(world.inboxes, 0);
		end(&g);
	}
}

static void
scripts_that_fail_keep_what_others_wanted(void **state)
{
	struct judging g = { 0 };

	for (int settled = 0; settled <= 1; settled++) {
		begin(&g, true);
		world.outcome = FILTER_FAILED;
		world.settled = settled != 0;
		judged_held(g.judged, ST_OK);
		world.ran(world.ran_arg);
		assert_int_equal(world.results, settled);
		assert_int_equal(world.inboxes, !settled);
		world.planned(world.planned_arg, ST_OK);
		assert_int_equal(outcome, ST_OK);
		end(&g);
	}
}

static void
without_scripts_there_is_the_inbox_and_its_report(void **state)
{
	struct judging g = { .dsn.notify = QUEUE_NOTIFY_SUCCESS };

	begin(&g, false);
	assert_int_equal(world.runs + world.known_runs, 0);
	judged_held(g.judged, ST_OK);
	assert_int_equal(world.inboxes, 1);
	assert_int_equal(world.reports, 1);
	world.planned(world.planned_arg, ST_OK);
	assert_int_equal(n_done, 1);
	end(&g);
	begin(&g, false);
	judged_held(g.judged, ST_UNAVAILABLE);
	assert_int_equal(n_done, 1);
	assert_int_equal(outcome, ST_UNAVAILABLE);
	end(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_three_conflicts_the_message_is_in_the_inbox),
		cmocka_unit_test(what_cannot_be_done_is_put_into_the_inbox_once),
		cmocka_unit_test(what_the_mta_is_to_try_again_is_not_put_elsewhere),
		cmocka_unit_test(scripts_that_fail_keep_what_others_wanted),
		cmocka_unit_test(without_scripts_there_is_the_inbox_and_its_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
