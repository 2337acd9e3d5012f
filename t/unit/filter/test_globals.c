/* The admin's scripts and lists, and users' scripts that stay compiled. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "filter/cache.h"
#include "filter/globals.h"

static struct buf blob;

static void
put(uint8_t kind, const char *domain, const char *name, const char *path, const char *text)
{
	const struct rule_file f = { kind, span_str(domain), span_str(name), span_str(path),
	    span_str(text) };

	rule_file_put(&blob, &f);
}

static struct filter_globals *
made(struct mansio_conf **conf, struct conf_errors *err)
{
	*conf = conf_new_default();
	return filter_globals_new(buf_span(&blob), *conf, err);
}

static void
expect_chain(const struct filter_globals *g, enum rule_kind kind, const char *domain,
    const char *want)
{
	const struct sieve_script *v[FILTER_CHAIN_MAX];
	size_t n = filter_globals_chain(g, kind, span_str(domain), v);
	struct buf got = { 0 };

	for (size_t i = 0; i < n; i++)
		buf_addf(&got, "%s ", sieve_script_name(v[i]));
	assert_string_equal(buf_cstr(&got), want);
	buf_fini(&got);
}

static void
the_whole_servers_scripts_run_around_those_of_a_domain(void **state)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *conf;
	struct filter_globals *g;

	buf_clear(&blob);
	put(RULE_BEFORE, "", "", "b1", "keep;");
	put(RULE_BEFORE, "", "", "b2", "keep;");
	put(RULE_BEFORE, "example.org", "", "db", "keep;");
	put(RULE_AFTER, "example.org", "", "da", "keep;");
	put(RULE_DEFAULT, "example.org", "", "dd", "keep;");
	put(RULE_AFTER, "", "", "a", "keep;");
	g = made(&conf, &err);
	assert_non_null(g);
	expect_chain(g, RULE_BEFORE, "Example.ORG", "b1 b2 db ");
	expect_chain(g, RULE_AFTER, "example.org", "da a ");
	expect_chain(g, RULE_BEFORE, "example.net", "b1 b2 ");
	assert_string_equal(sieve_script_name(filter_globals_default(g, SPAN_LIT("example.org"))), "dd");
	assert_null(filter_globals_default(g, SPAN_LIT("example.net")));
	assert_false(filter_globals_idle(g, SPAN_LIT("example.net")));
	filter_globals_free(&g);
	conf_free(&conf);
}

static void
scripts_and_lists_are_found_by_their_names(void **state)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *conf;
	struct filter_globals *g;

	buf_clear(&blob);
	put(RULE_GLOBAL, "", "spam", "s", "discard;");
	put(RULE_LIST, "", "friends", "l",
	    "# friends\r\nAnna@Example.org  \r\n\r\n  bert@example.org # the other\nodd#name");
	g = made(&conf, &err);
	assert_non_null(g);
	assert_non_null(filter_globals_script(g, SPAN_LIT("spam")));
	assert_null(filter_globals_script(g, SPAN_LIT("friends")));
	assert_true(filter_globals_has_list(g, SPAN_LIT("friends")));
	assert_false(filter_globals_has_list(g, SPAN_LIT("spam")));
	assert_true(filter_globals_member(g, SPAN_LIT("friends"), SPAN_LIT("anna@example.ORG")));
	assert_true(filter_globals_member(g, SPAN_LIT("friends"), SPAN_LIT("bert@example.org")));
	assert_true(filter_globals_member(g, SPAN_LIT("friends"), SPAN_LIT("odd#name")));
	assert_false(filter_globals_member(g, SPAN_LIT("friends"), SPAN_LIT("")));
	assert_false(filter_globals_member(g, SPAN_LIT("others"), SPAN_LIT("anna@example.org")));
	assert_true(filter_globals_idle(g, SPAN_LIT("example.org")));
	filter_globals_free(&g);
	conf_free(&conf);
}

static void
an_error_is_told_with_file_and_line(void **state)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *conf;

	buf_clear(&blob);
	put(RULE_BEFORE, "", "", "/etc/x.sieve", "keep;\nif true { nonsense; }\n");
	assert_null(made(&conf, &err));
	assert_int_equal(strncmp(buf_cstr(&err.text), "/etc/x.sieve:2: column ", 23), 0);
	conf_errors_fini(&err);
	conf_free(&conf);
}

static struct cached_script *
cached(struct filter_cache *c, const char *text, unsigned char id)
{
	unsigned char hash[32] = { id };
	struct cached_script *s = filter_cache_get(c, hash);

	return s != NULL ? s : filter_cache_add(c, hash, span_str(text), &(struct sieve_options){ 0 });
}

static void
scripts_that_were_not_used_for_long_go(void **state)
{
	struct filter_cache *c = filter_cache_new(200);	/* with what each costs: two of them */
	unsigned char one[32] = { 1 }, two[32] = { 2 };
	struct cached_script *s, *held;

	held = cached(c, "keep;", 1);
	s = cached(c, "discard;", 2);
	filter_cache_give_back(&s);
	s = filter_cache_get(c, one);
	assert_ptr_equal(s, held);
	filter_cache_give_back(&s);
	s = cached(c, "stop;", 3);
	filter_cache_give_back(&s);
	assert_null(filter_cache_get(c, two));
	filter_cache_clear(c);
	assert_non_null(cached_script(held));	/* who has it keeps it */
	filter_cache_give_back(&held);
	filter_cache_free(&c);
}

static void
a_script_with_an_error_is_remembered_with_it(void **state)
{
	struct filter_cache *c = filter_cache_new(1000);
	struct cached_script *s = cached(c, "keep;\nnonsense;\n", 1);
	uint32_t line;

	assert_null(cached_script(s));
	assert_true(strlen(cached_script_error(s, &line)) > 0);
	assert_int_equal(line, 2);
	filter_cache_give_back(&s);
	filter_cache_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_servers_scripts_run_around_those_of_a_domain),
		cmocka_unit_test(scripts_and_lists_are_found_by_their_names),
		cmocka_unit_test(an_error_is_told_with_file_and_line),
		cmocka_unit_test(scripts_that_were_not_used_for_long_go),
		cmocka_unit_test(a_script_with_an_error_is_remembered_with_it),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	buf_fini(&blob);
	return rc;
}
