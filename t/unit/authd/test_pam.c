/* PAM itself, with services of our own: pam_exec asks a script, pam_debug says what no other
 * module says on demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"
#include "world.h"

#define FLOOR_MS 300u

static struct world w;
static char dir[] = "/tmp/mansio-pam.XXXXXX";

/* Linked in the place of pam_start(): the services are those of our folder. */
int __wrap_pam_start(const char *service, const char *user, const struct pam_conv *conv,
    pam_handle_t **pam);
int
__wrap_pam_start(const char *service, const char *user, const struct pam_conv *conv,
    pam_handle_t **pam)
{
	return pam_start_confdir(service, user, conv, dir, pam);
}

static void
put_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int
make_services(void **state)
{
	char text[2048];

	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(text, sizeof(text), "#!/bin/sh\n"
	    "password=$(tr -d '\\000')\n"
	    "id -u >%s/uid\n"
	    "case $PAM_USER:$password in\n"
	    "alice:secret|old:secret|locked:secret) exit 0 ;;\n"
	    "slow:*) echo $$ >%s/slow; sleep 1000 ;;\n"
	    "esac\n"
	    "exit 1\n", dir, dir);
	put_file("ask", text, 0755);
	snprintf(text, sizeof(text),
	    "auth [success=1 default=ignore] pam_exec.so quiet expose_authtok %s/ask\n"
	    "auth requisite pam_deny.so\n"
	    "auth required pam_permit.so\n"
	    "account [success=ignore default=1] pam_succeed_if.so quiet user = old\n"
	    "account requisite pam_debug.so acct=acct_expired\n"
	    "account requisite pam_succeed_if.so quiet user != locked\n"
	    "account required pam_permit.so\n", dir);
	put_file("mansio", text, 0644);
	put_file("broken", "auth required pam_there_is_none.so\n", 0644);
	return 0;
}

static int
remove_services(void **state)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static void
start(const char *service)
{
	static const uint8_t pam[] = { CONF_BACKEND_PAM };
	struct mansio_conf *c = world_conf();
	glob_t g;

	if (glob("/lib*/security/pam_debug.so", 0, NULL, &g) != 0 &&
	    glob("/usr/lib*/*/security/pam_debug.so", 0, NULL, &g) != 0) {
		conf_free(&c);
		print_message("skipped: no pam_debug here\n");
		skip();
	}
	globfree(&g);
	c->auth.backends = (struct conf_enums){ pam, 1 };
	c->auth.default_domain = "here.example";
	c->pam.service = service;
	c->pam.workers = 1;
	c->pam.timeout_s = 1;
	c->pam.fail_time_ms = FLOOR_MS;
	world_start_with(&w, c, spawner_start(false));
}

static enum status
try(const char *user, const char *password, uint64_t *took_ms)
{
	uint64_t began = clock_mono_ms();
	enum status st = world_plain(&w, "", user, password);

	*took_ms = clock_mono_ms() - began;
	return st;
}

static void
pam_says_who_may_come_in(void **state)
{
	uint64_t ms;

	start("mansio");
	assert_int_equal(try("alice@here.example", "secret", &ms), ST_OK);
	assert_string_equal(w.user.data, "alice@here.example");
	assert_int_equal(try("alice", "secret", &ms), ST_OK);
	assert_int_equal(try("old", "secret", &ms), ST_DENIED);
	assert_int_equal(w.reason, AUTH_WHY_EXPIRED);
	world_stop(&w);
}

static void
refusals_are_alike_and_take_their_time(void **state)
{
	static const char *const tries[][2] = {
		{ "alice", "wrong" }, { "nobody", "secret" }, { "locked", "secret" },
		{ "alice@other.example", "secret" },
	};
	uint64_t ms;

	start("mansio");
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		assert_int_equal(try(tries[i][0], tries[i][1], &ms), ST_DENIED);
		assert_int_equal(w.reason, AUTH_WHY_CREDENTIALS);
		assert_in_range(ms, FLOOR_MS, FLOOR_MS + 2000);
	}
	world_stop(&w);
}

static void
a_module_that_hangs_is_ended_with_what_it_started(void **state)
{
	char path[128], pid[32] = "";
	uint64_t ms;
	FILE *f;

	start("mansio");
	assert_int_equal(try("slow", "secret", &ms), ST_UNAVAILABLE);
	assert_in_range(ms, 900, 8000);
	/* its place in the pool is taken by another */
	assert_int_equal(try("alice", "secret", &ms), ST_OK);
	snprintf(path, sizeof(path), "%s/slow", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(pid, sizeof(pid), f));
	fclose(f);
	for (int i = 0; i < 100 && kill((pid_t)atoi(pid), 0) == 0; i++)
		usleep(50000);
	assert_int_not_equal(kill((pid_t)atoi(pid), 0), 0);
	world_stop(&w);
}

static void
a_broken_service_keeps_out_and_says_so(void **state)
{
	uint64_t ms;

	start("broken");
	assert_int_equal(try("alice", "secret", &ms), ST_UNAVAILABLE);
	assert_int_equal(w.reason, AUTH_WHY_BACKEND);
	world_stop(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pam_says_who_may_come_in),
		cmocka_unit_test(refusals_are_alike_and_take_their_time),
		cmocka_unit_test(a_module_that_hangs_is_ended_with_what_it_started),
		cmocka_unit_test(a_broken_service_keeps_out_and_says_so),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, make_services, remove_services);
}
