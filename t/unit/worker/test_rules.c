/* The admin's scripts and lists, from the configuration's paths to one blob. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "common/worker/rules.h"

static char dir[] = "/tmp/rules-XXXXXX";

static void
make(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct mansio_conf *
conf_of(const char *text)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *c = NULL;
	struct buf b = { 0 };

	for (const char *p = text; *p != '\0'; p++)
		if (*p == '@')
			buf_add_str(&b, dir);
		else
			buf_add_c(&b, *p);
	if (!conf_parse(buf_span(&b), "test", &c, &err))
		fail_msg("%s", buf_cstr(&err.text));
	buf_fini(&b);
	conf_errors_fini(&err);
	return c;
}

static void
expect(struct reader *r, uint8_t kind, const char *domain, const char *name, const char *text)
{
	struct rule_file f;

	assert_true(rule_file_get(r, &f));
	assert_int_equal(f.kind, kind);
	assert_true(span_eq_str(f.domain, domain));
	assert_true(span_eq_str(f.name, name));
	assert_true(span_eq_str(f.text, text));
}

static void
files_come_in_the_order_in_which_they_run(void **state)
{
	struct mansio_conf *c = conf_of("sieve { before = [@/a, @/b]  after = @/c  "
	    "default-script = @/d  global-scripts = \"one @/a\"  lists = \"two @/b\" }\n"
	    "sieve-domain example.org { before = @/c  after = @/a  default-script = @/b }\n");
	struct conf_errors err = { .count = 0 };
	struct buf blob = { 0 };
	struct rule_file f;
	struct reader r;

	assert_true(rules_read(c, &blob, &err));
	reader_init(&r, blob.data, blob.len);
	expect(&r, RULE_BEFORE, "", "", "A");
	expect(&r, RULE_BEFORE, "", "", "B");
	expect(&r, RULE_BEFORE, "example.org", "", "C");
	expect(&r, RULE_DEFAULT, "example.org", "", "B");
	expect(&r, RULE_AFTER, "example.org", "", "A");
	expect(&r, RULE_DEFAULT, "", "", "D");
	expect(&r, RULE_AFTER, "", "", "C");
	expect(&r, RULE_GLOBAL, "", "one", "A");
	expect(&r, RULE_LIST, "", "two", "B");
	assert_false(rule_file_get(&r, &f));
	assert_false(r.bad);
	for (size_t n = 1; n < blob.len; n++) {
		reader_init(&r, blob.data, n);
		while (rule_file_get(&r, &f))
			;
	}
	buf_fini(&blob);
	conf_free(&c);
}

static void
a_file_that_is_missing_is_named(void **state)
{
	struct mansio_conf *c = conf_of("sieve { before = @/none  lists = \"x @/nothing\" }\n");
	struct conf_errors err = { .count = 0 };
	struct buf blob = { 0 };

	assert_false(rules_read(c, &blob, &err));
	assert_int_equal(err.count, 2);
	assert_non_null(strstr(buf_cstr(&err.text), "/none: cannot be read"));
	assert_non_null(strstr(buf_cstr(&err.text), "/nothing: cannot be read"));
	conf_errors_fini(&err);
	buf_fini(&blob);
	conf_free(&c);
}

static void
wrong(const char *text, const char *want)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *c = NULL;

	assert_false(conf_parse(span_str(text), "test", &c, &err));
	if (strstr(buf_cstr(&err.text), want) == NULL)
		fail_msg("%s, not %s", buf_cstr(&err.text), want);
	conf_errors_fini(&err);
}

static void
settings_that_make_no_sense_are_told(void **state)
{
	wrong("sieve { before = x.sieve }\n", "before: not an absolute path");
	wrong("sieve-domain d { after = x.sieve }\n", "after: not an absolute path");
	wrong("sieve { lists = \"/x\" }\n", "lists: not a name, a blank and an absolute path");
	wrong("sieve { global-scripts = [\"a /x\", \"a /y\"] }\n", "global-scripts: a name twice");
	wrong("sieve { vacation-max-time = 8d  vacation-min-time = 9d }\n",
	    "vacation-min-time: longer than vacation-max-time");
	wrong("sieve { max-script = 64K  max-scripts-total = 32K }\n",
	    "max-script: more than max-scripts-total");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_come_in_the_order_in_which_they_run),
		cmocka_unit_test(a_file_that_is_missing_is_named),
		cmocka_unit_test(settings_that_make_no_sense_are_told),
	};
	char cmd[64];
	int rc;

	if (mkdtemp(dir) == NULL)
		return 99;
	make("a", "A");
	make("b", "B");
	make("c", "C");
	make("d", "D");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd) != 0 || rc != 0;
}
