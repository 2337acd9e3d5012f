/* sieve-testsuite [-Fv] FILE: runs a script of tests.  Exit 0: all of them succeeded; with -F: one
 * did not.  -v prints the errors of the scripts that are tested. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util/clock.h"
#include "common/util/mem.h"
#include "t/sieve/suite.h"

static const struct sieve_ext *const more[] = { &suite_ext, &suite_ext_debug,
    &suite_ext_environment, NULL };

static const struct sieve_item items[] = {
	{ "domain", { "example.com", 11 } },
	{ "host", { "mail.example.com", 16 } },
	{ "location", { "MS", 2 } },
	{ "phase", { "post", 4 } },
	{ "vnd.dovecot.default-mailbox", { "INBOX", 5 } },
	{ "vnd.dovecot.username", { "test@example.com", 16 } },
};

static void
init(const char *path)
{
	const char *slash = strrchr(path, '/');
	char cwd[4096];

	if (getcwd(cwd, sizeof(cwd)) == NULL)
		exit(2);
	if (path[0] == '/') {
		suite.dir = arena_strndup(&suite.arena, path, (size_t)(slash - path));
	} else {
		struct buf b = { 0 };

		buf_addf(&b, "%s/%.*s", cwd, slash != NULL ? (int)(slash - path) : 1,
		    slash != NULL ? path : ".");
		suite.dir = arena_strndup(&suite.arena, b.data, b.len);
		buf_fini(&b);
	}
	suite_settings_init();
	suite.options.limits = &suite.limits;
	suite.options.settings = &suite.settings;
	suite.options.offers = SIEVE_OFFER_DELIVERY;
	suite.options.more = more;
	suite.env.limits = &suite.limits;
	suite.env.settings = &suite.settings;
	suite.env.user = SPAN_LIT("test@example.com");
	suite.env.now = clock_wall_s();
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		suite_item(items[i].name, items[i].value);
	suite.env.ask = suite_ask;
	world_mailbox(&suite.world, SPAN_LIT("INBOX"), true);
	suite_reload(NULL);
}

static struct sieve_script *
compile(const char *path)
{
	struct sieve_options options = suite.options;
	struct sieve_problems problems = { 0 };
	struct sieve_script *s = NULL;
	struct buf text = { 0 }, out = { 0 };

	options.limits = &suite.outer_limits;
	if (!suite_read(path, &text)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(2);
	}
	s = sieve_compile(buf_span(&text), &options, &problems);
	if (s == NULL) {
		sieve_problems_print(&problems, path, &out);
		fprintf(stderr, "%.*s", (int)out.len, out.data);
	}
	sieve_problems_fini(&problems);
	buf_fini(&text);
	buf_fini(&out);
	return s;
}

static bool
run(const struct sieve_script *script)
{
	struct sieve_message *m = suite_message(SPAN_LIT("From: sender@example.com\r\n"
	    "To: recipient@example.org\r\nSubject: Frop!\r\n\r\nFriep!\r\n"));
	struct sieve_result result = { 0 };
	bool good;

	suite_envelope_of(m);
	good = sieve_run(&script, 1, m, &suite.outer, &result) == SIEVE_DONE;
	if (!good) {
		printf("line %u: %s\n", result.error_line,
		    result.error != NULL ? result.error : "");
		suite.n_failed++;
	}
	sieve_result_fini(&result);
	return good;
}

static void
fini(void)
{
	for (struct kept_result *k = suite.results; k != NULL; k = k->next)
		sieve_result_fini(&k->result);
	for (struct kept_view *v = suite.views; v != NULL; v = v->next)
		sieve_message_free(&v->message);
	for (struct compiled *c = suite.compiled; c != NULL; c = c->next)
		sieve_script_free(&c->script);
	arena_fini(&suite.world.arena);
	arena_fini(&suite.arena);
}

int
main(int argc, char **argv)
{
	bool failing = false, good;
	struct sieve_script *script;
	int c;

	while ((c = getopt(argc, argv, "Fv")) != -1) {
		if (c == 'F')
			failing = true;
		else if (c == 'v')
			suite.verbose = true;
		else
			goto usage;
	}
	if (optind + 1 != argc)
		goto usage;
	init(argv[optind]);
	script = compile(argv[optind]);
	if (script != NULL)
		run(script);
	else
		suite.n_failed++;
	sieve_script_free(&script);
	good = suite.n_failed == 0;
	if (good)
		printf("PASS: %u tests succeeded\n", suite.n_tests);
	else
		printf("FAIL: %u of %u tests failed\n", suite.n_failed, suite.n_tests);
	fini();
	return good != failing ? 0 : 1;
usage:
	fprintf(stderr, "usage: sieve-testsuite [-Fv] FILE\n");
	return 2;
}
