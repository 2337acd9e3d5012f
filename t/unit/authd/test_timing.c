/* level: full, without sanitizers (their allocator takes turns of milliseconds with big
 * blocks).  Whether a user exists cannot be told from how long a refusal takes: 1,000 tries
 * of each kind, one after the other in changing order, with hashes as they are configured by
 * default.  The machine's own noise is no reason to fail: the medians have three rounds to
 * be alike, and a difference that is there is there in each. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "world.h"

#define TRIES	1000
#define ROUNDS	3
#define LIMIT	1.02

static struct world w;

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t
one_try(const char *user)
{
	uint64_t began = clock_mono_us();

	assert_int_equal(world_plain(&w, "", user, "wrong"), ST_DENIED);
	return clock_mono_us() - began;
}

/* The greater median by the smaller. */
static double
one_round(void)
{
	static uint64_t took[2][TRIES];
	static const char *const user[2] = { "alice@example.org", "nobod@example.org" };
	double a, b;

	for (size_t i = 0; i < TRIES; i++)
		for (size_t j = 0; j < 2; j++)
			took[(i + j) % 2][i] = one_try(user[(i + j) % 2]);
	for (size_t k = 0; k < 2; k++)
		qsort(took[k], TRIES, sizeof(took[k][0]), by_value);
	a = (double)took[0][TRIES / 2];
	b = (double)took[1][TRIES / 2];
	print_message("medians: wrong password %.0f us, unknown user %.0f us (%+.2f %%)\n", a, b,
	    (b / a - 1) * 100);
	return a > b ? a / b : b / a;
}

static void
an_unknown_user_takes_as_long_as_a_wrong_password(void **state)
{
	struct mansio_conf *c, *plain;
	double ratio = 0;

#ifdef MANSIO_SANITIZERS
	print_message("skipped: sanitizers\n");
	skip();
#endif
	if (getenv("MANSIO_FULL") == NULL) {
		print_message("skipped: 1,000 interleaved tries (set MANSIO_FULL=1)\n");
		skip();
	}
	c = world_conf();
	plain = conf_new_default();
	c->auth.hash_memory_bytes = plain->auth.hash_memory_bytes;
	c->auth.hash_passes = plain->auth.hash_passes;
	conf_free(&plain);
	c->throttle.enabled = false;
	world_start(&w, c);
	world_admin(&w, "account-add", "{\"address\":\"alice@example.org\",\"password\":\"secret\"}");
	for (int i = 0; i < 10; i++)
		(void)one_try("alice@example.org");
	for (int i = 0; i < ROUNDS && (i == 0 || ratio >= LIMIT); i++)
		ratio = one_round();
	assert_true(ratio < LIMIT);
	world_stop(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_user_takes_as_long_as_a_wrong_password),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
