/* t/unit/conf/test_conf.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf/lex.h"
#include "common/conf/settings.h"
#include "common/conf/value.h"
#include "common/util/fd.h"
#include "common/util/mem.h"

/* The text is refused with exactly one line, which is want. */
static void
refused(const char *text, const char *want)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *c;

	assert_false(conf_parse(span_str(text), "f", &c, &err));
	assert_null(c);
	assert_non_null(strstr(buf_cstr(&err.text), want));
	if (err.count != 1)
		fail_msg("%s: %s", text, err.text.data);
	conf_errors_fini(&err);
}

static struct mansio_conf *
parsed(const char *text)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *c;

	if (!conf_parse(span_str(text), "f", &c, &err))
		fail_msg("%s", buf_cstr(&err.text));
	conf_errors_fini(&err);
	return c;
}

static void
every_mistake_names_file_and_line(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "\n\nimap { max-apend = 1 }", "f:3: unknown key \"max-apend\" in imap; did you mean \"max-append\"?" },
		{ "zzz = 1", "f:1: unknown key \"zzz\" outside of a section; allowed: hostname," },
		{ "lisener x { }", "f:1: unknown section \"lisener\"; did you mean \"listener\"?" },
		{ "qqqqqq { }", "f:1: unknown section \"qqqqqq\"; allowed" },
		{ "imap {\nmax-line = 1\n}", "f:2: max-line: 1 is out of range; allowed: a size" },
		{ "imap {\nmax-line = 12x\n}", "f:2: max-line: \"12x\" is not a value; allowed: a size" },
		{ "imap { max-line = 99999999999999999999T }", "f:1: max-line: \"99999999999999999999T\"" },
		{ "imap { idle-timeout = 40 }", "f:1: idle-timeout: \"40\" is not a value; allowed: a time" },
		{ "imap { literal-plus = maybe }", "f:1: literal-plus: \"maybe\" is not a value; allowed: yes or no" },
		{ "imap { literal-plus = [yes] }", "f:1: literal-plus: a list stands where" },
		{ "imap { default-folders = [a:b] }", "f:1: default-folders: \"b\" is not a role" },
		{ "imap { default-folders = [a:sent, b:sent] }", "f:1: default-folders: \"a:sent\" and" },
		{ "imap { max-line = 64K\nmax-line = 64K }", "f:2: max-line is set twice, first at f:1" },
		{ "imap { }\nimap { }", "f:2: section imap stands there twice, first at f:1" },
		{ "pool imapd { }\npool imapd { }", "f:2: section pool imapd stands there twice, first at f:1" },
		{ "pool popd { }", "f:1: pool \"popd\" is unknown; allowed: imapd or lmtpd" },
		{ "pool { }", "f:1: pool needs a name" },
		{ "imap x { }", "f:1: imap takes no name" },
		{ "listener \"a b\" { }", "f:1: listener: a name has" },
		{ "imap { max-line 3 }", "f:1: \"3\" stands where '=' is expected" },
		{ "imap { max-line = }", "f:1: '}' stands where a value is expected" },
		{ "imap {\n max-line = 64K", "f:2: the end of the file stands where a key or '}' is expected" },
		{ "imap { x { } }", "f:1: '{' stands where '=' is expected" },
		{ "auth { backends = [internal pam] }", "f:1: \"pam\" stands where ',' or ']' is expected" },
		{ "auth { backends = [internal, internal] }", "f:1: backends: \"internal\" stands there twice" },
		{ "auth { backends = [] }", "f:1: auth backends: none" },
		{ "auth { backends = passwd-file }", "f:1: auth backends: passwd-file needs its path" },
		{ "imap { literal-plus = \"a\\nb\" }", "f:1: literal-plus: \"a?b\" is not a value; allowed: yes or no\n" },
		{ "hostname = \"abc", "f:1: a string without its closing '\"'" },
		{ "hostname = \"a\\x\"", "f:1: an unknown escape" },
		{ "hostname = \\a", "f:1: '\\' is allowed inside quotes alone" },
		{ "hostname\x01 = a", "f:1: a control character" },
		{ "= 3", "f:1: '=' stands where a key or a section is expected" },
		{ "state-dir = var/x", "f:1: state-dir: \"var/x\" is not an absolute path" },
		{ "state-dir = \"\"", "f:1: state-dir: must not be empty" },
		{ "include \"x\"", "f:1: include is not allowed here" },
		{ "\nlistener a { bind = 127.0.0.1:1 }", "f:2: listener a protocol: must be set" },
		{ "listener a { protocol = imap bind = nowhere }", "f:1: bind: \"nowhere\" is not an address" },
		{ "listener a { protocol = imap bind = 127.0.0.1:1 tls = implicit }", "f:1: listener a tls: needs a certificate" },
		{ "listener a { protocol = imap bind = 127.0.0.1:1 }\n"
		    "listener b { protocol = imap bind = 127.0.0.1:1 }", "f:2: listener b bind: an address that is bound already" },
		{ "listener a { protocol = imap bind = 127.0.0.1:1 allow = 10.0.0.1/8 }", "f:1: allow: \"10.0.0.1/8\" is not a network" },
		{ "listener a { protocol = imap bind = 127.0.0.1:1 mode = 888 }", "f:1: mode: \"888\" is not a file mode" },
		{ "shard 1 { path = /x }", "f:1: shard 1 path: no such shard" },
		{ "lmtp { recipient-delimiter = ++ }", "f:1: lmtp recipient-delimiter: not a delimiter" },
		{ "imap { shared-prefix = \"a/b\" }", "f:1: imap shared-prefix: not a name" },
		{ "imap { other-users-prefix = inbox }", "f:1: imap other-users-prefix: not a name" },
		{ "imap { shared-prefix = \"other users\" }",
		    "f:1: imap shared-prefix: the same as other-users-prefix" },
		{ "imap { shared-prefix = Sent }",
		    "f:1: imap shared-prefix: the same as one of default-folders" },
		{ "lmtp { over-quota = 450 }", "f:1: over-quota: \"450\" is not a value; allowed: 452 or 552" },
		{ "log { target = file }", "f:1: log file: must be set" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refused(cases[i].text, cases[i].want);
}

static void
one_run_tells_all_wrong_values(void **state)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *c;

	assert_false(conf_parse(SPAN_LIT("imap { a = 1\n b = 2 }\nlmtp { c = [1, 2] }"), "f", &c,
	    &err));
	assert_int_equal(err.count, 3);
	assert_non_null(strstr(buf_cstr(&err.text), "f:3: "));
	conf_errors_fini(&err);
}

static void
units_make_bytes_and_seconds(void **state)
{
	struct mansio_conf *c = parsed("imap { max-append = 3M  idle-timeout = 2h }\n"
	    "throttle { delay = 250ms max-delay = 1min }\nstore { undelete-time = 14d }\n"
	    "quota { storage = 0 }\npool imapd { workers = 3 } pool lmtpd { workers = auto }");

	assert_int_equal(c->imap.max_append_bytes, 3 << 20);
	assert_int_equal(c->imap.idle_timeout_s, 7200);
	assert_int_equal(c->throttle.delay_ms, 250);
	assert_int_equal(c->throttle.max_delay_ms, 60000);
	assert_int_equal(c->store.undelete_time_s, 14 * 86400);
	assert_int_equal(c->quota.storage_bytes, 0);
	assert_int_equal(conf_pool_find(c, "imapd")->workers, 3);
	assert_int_equal(conf_pool_find(c, "lmtpd")->workers, 0);
	assert_true(conf_workers(0) >= 1);
	conf_free(&c);
}

static const char full[] =
    "# comment\nhostname = \"mail \\\"x\\\" \\\\ y\" # more\n"
    "listener imaps { protocol = imap  bind = \"[::]:993\"  tls = implicit }\n"
    "listener lmtp { protocol = lmtp  bind = [unix:/run/mansio/lmtp, 127.0.0.1:24]\n"
    "\tallow = [10.0.0.0/8, \"2001:db8::/32\", unix]  mode = 0666 }\n"
    "certificate main { chain = \"/a b\"  key = /k }\n"
    "store { shards = 3 }\nshard 2 { path = /srv/2 }\nshard system { path = /srv/sys }\n"
    "imap { default-folders = [\"Sent Mail:sent\", Plain, \"od:d:junk\", \"a:b:\"] }\n"
    "auth { backends = [pam, internal]  mechanisms = [PLAIN]  master-users = [\"\", root@x] }\n"
    "throttle { delay = 1500ms }\n";

static void
effective_text_gives_the_same_again(void **state)
{
	struct mansio_conf *c = parsed(full), *d;
	struct buf a = { 0 }, b = { 0 }, diff = { 0 };

	conf_effective_encode(c, &a);
	d = conf_effective_decode(buf_span(&a));
	assert_non_null(d);
	conf_effective_encode(d, &b);
	assert_true(span_eq(buf_span(&a), buf_span(&b)));
	assert_int_equal(conf_changed(c, d, 0, &diff), 0);
	assert_string_equal(d->global.hostname, "mail \"x\" \\ y");
	assert_int_equal(d->imap.default_folders.n, 4);
	assert_string_equal(d->imap.default_folders.v[2].name, "od:d");
	assert_string_equal(d->imap.default_folders.v[2].role, "junk");
	assert_string_equal(d->imap.default_folders.v[3].name, "a:b");
	assert_int_equal(d->auth.backends.v[0], CONF_BACKEND_PAM);
	assert_true(conf_has_backend(d, CONF_BACKEND_INTERNAL));
	assert_false(conf_has_mechanism(d, CONF_MECH_LOGIN));
	assert_int_equal(conf_listener_find(d, "lmtp")->mode, 0666);
	buf_clear(&b);
	conf_shard_path(d, 2, &b);
	assert_string_equal(buf_cstr(&b), "/srv/2");
	buf_clear(&b);
	conf_shard_path(d, UINT32_MAX, &b);
	assert_string_equal(buf_cstr(&b), "/srv/sys");
	buf_fini(&a);
	buf_fini(&b);
	conf_free(&c);
	conf_free(&d);
}

static void
defaults_are_within_their_own_limits(void **state)
{
	struct mansio_conf *c = conf_new_default(), *d;
	struct buf a = { 0 };

	conf_effective_encode(c, &a);
	d = conf_effective_decode(buf_span(&a));
	assert_non_null(d);
	assert_int_equal(c->imap.max_append_bytes, 64 << 20);
	assert_int_equal(c->n_pools, 5);
	assert_int_equal(conf_log_level(c), LOG_LEVEL_INFO);
	assert_int_equal(conf_tls_min_version(c), 12);
	buf_fini(&a);
	conf_free(&c);
	conf_free(&d);
}

static void
changes_are_told_with_what_they_need(void **state)
{
	struct mansio_conf *a = parsed("run-dir = /r\nhostname = h"), *b;
	struct buf out = { 0 };

	b = parsed("run-dir = /r\nhostname = h\nstore { shards = 2 }\nimap { max-logins = 7 }\n"
	    "listener x { protocol = imap bind = 127.0.0.1:1 }");
	assert_int_equal(conf_changed(a, b, 0, &out), 3);
	assert_non_null(strstr(buf_cstr(&out), "listener.x\n"));
	buf_clear(&out);
	assert_int_equal(conf_changed(a, b, CONF_RESTART, &out), 1);
	assert_string_equal(buf_cstr(&out), "store.shards\n");
	buf_fini(&out);
	conf_free(&a);
	conf_free(&b);
}

static void
every_entry_is_documented_and_named_once(void **state)
{
	char a[CONF_NAME_MAX], b[CONF_NAME_MAX];

	for (const struct conf_section *s = conf_sections; s->name != NULL; s++) {
		assert_non_null(s->doc);
		assert_true(s->max == 0 || s->example != NULL);
		for (const struct conf_field *f = s->fields; f->name != NULL; f++) {
			assert_true(strlen(f->doc) > 0 && f->doc[strlen(f->doc) - 1] == '.');
			for (const struct conf_field *g = s->fields; g < f; g++)
				assert_string_not_equal(conf_key(f, a), conf_key(g, b));
		}
	}
}

/* ---- files ---- */

static char dir[] = "/tmp/mansio-conf-XXXXXX";

static const char *
at(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
put_file(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
make_dir(void **state)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return mkdtemp(dir) != NULL && mkdir(at("conf.d"), 0700) == 0 ? 0 : -1;
}

static int
drop_dir(void **state)
{
	static const char *const names[] = {
		"mansio.conf", "a.inc", "b.inc", "conf.d/1.conf", "conf.d/2.conf", "conf.d"
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		remove(at(names[i]));
	return rmdir(dir);
}

static void
load_refused(const char *want)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *c;

	assert_false(conf_load(at("mansio.conf"), &c, &err));
	if (strstr(buf_cstr(&err.text), want) == NULL)
		fail_msg("%s", err.text.data);
	conf_errors_fini(&err);
}

static void
files_of_conf_d_are_read_in_order(void **state)
{
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *c;
	struct buf out = { 0 };

	put_file("mansio.conf", "include a.inc\nhostname = h");
	put_file("a.inc", "quota { messages = 5 }");
	put_file("conf.d/2.conf", "listener b { protocol = imap bind = 127.0.0.1:2 }");
	put_file("conf.d/1.conf", "\nlistener a { protocol = imap bind = 127.0.0.1:1 }");
	assert_true(conf_load(at("mansio.conf"), &c, &err));
	assert_int_equal(c->quota.messages, 5);
	assert_string_equal(c->listeners[0].head.name, "a");
	assert_string_equal(c->listeners[1].head.name, "b");
	conf_print(c, &out);
	assert_non_null(strstr(buf_cstr(&out), "conf.d/1.conf:2"));
	assert_non_null(strstr(buf_cstr(&out), "a.inc:1"));
	buf_clear(&out);
	assert_true(conf_print_key(c, "listener.a.bind", false, &out));
	assert_string_equal(buf_cstr(&out), "listener.a.bind = [127.0.0.1:1]\n");
	buf_clear(&out);
	assert_true(conf_print_key(c, "quota.messages", true, &out));
	assert_non_null(strstr(buf_cstr(&out), "\"value\":\"5\""));
	assert_false(conf_print_key(c, "listener.c", false, &out));
	buf_fini(&out);
	conf_free(&c);
}

static void
a_section_in_two_files_is_refused(void **state)
{
	put_file("mansio.conf", "imap { max-logins = 3 }");
	put_file("conf.d/1.conf", "\nimap { }");
	load_refused("conf.d/1.conf:2: section imap stands there twice, first at ");
}

static void
missing_files_and_cycles_are_named(void **state)
{
	load_refused("mansio.conf: \"");
	put_file("mansio.conf", "\ninclude nowhere.inc");
	load_refused("mansio.conf:2: \"");
	put_file("mansio.conf", "\ncertificate x { chain = /nonexistent/a\nkey = /dev/null }");
	load_refused("mansio.conf:2: chain: there is no file \"/nonexistent/a\"");
	put_file("mansio.conf", "include a.inc");
	put_file("a.inc", "\n\ninclude b.inc");
	put_file("b.inc", "include a.inc");
	load_refused("b.inc:1: \"");
	load_refused("includes itself");
	put_file("mansio.conf", "include conf.d");
	load_refused("mansio.conf:1: \"");
}

static void
includes_have_a_limit(void **state)
{
	char name[16], text[64];

	put_file("mansio.conf", "include d1.inc");
	for (unsigned i = 1; i < 10; i++) {
		snprintf(name, sizeof(name), "d%u.inc", i);
		snprintf(text, sizeof(text), "include d%u.inc", i + 1);
		put_file(name, text);
	}
	load_refused("d7.inc:1: \"");
	load_refused("more than 8 files include one another");
	for (unsigned i = 1; i < 10; i++) {
		snprintf(name, sizeof(name), "d%u.inc", i);
		remove(at(name));
	}
}

static void
a_file_has_a_limit(void **state)
{
	put_file("mansio.conf", "");
	assert_int_equal(truncate(at("mansio.conf"), CONF_FILE_MAX + 1), 0);
	load_refused("is larger than 1048576 bytes");
}

/* ---- what is committed and printed from the tables ---- */

static void
replace(struct buf *b, const char *from, const char *to)
{
	struct buf out = { 0 };
	const char *p = buf_cstr(b), *hit;

	while ((hit = strstr(p, from)) != NULL) {
		buf_add(&out, p, (size_t)(hit - p));
		buf_add_str(&out, to);
		p = hit + strlen(from);
	}
	buf_add_str(&out, p);
	buf_fini(b);
	*b = out;
}

/* As a build for /usr prints it. */
static void
fhs(struct buf *b)
{
	replace(b, MANSIO_STATEDIR, "/var/lib/mansio");
	replace(b, MANSIO_RUNDIR, "/run/mansio");
}

static char *
committed(const char *path)
{
	const char *src = getenv("srcdir");
	char full_path[512], *text;
	size_t len;

	snprintf(full_path, sizeof(full_path), "%s/%s", src != NULL ? src : ".", path);
	if (!fd_slurp_path(full_path, 1 << 20, &text, &len))
		fail_msg("%s cannot be read", full_path);
	return text;
}

static void
the_sample_in_etc_is_the_printed_one(void **state)
{
	char *text = committed("etc/mansio.conf.sample");
	struct buf b = { 0 };

	conf_print_sample(&b);
	fhs(&b);
	if (strcmp(text, buf_cstr(&b)) != 0)
		fail_msg("run: mansioctl config defaults sample > etc/mansio.conf.sample");
	mem_free(&text);
	buf_fini(&b);
}

static void
the_list_in_the_manual_is_the_printed_one(void **state)
{
	char *text = committed("doc/man/mansio.conf.5");
	struct buf b = { 0 };

	conf_print_man(&b);
	fhs(&b);
	if (strstr(text, buf_cstr(&b)) == NULL)
		fail_msg("run: mansioctl config defaults man, and put it into doc/man/mansio.conf.5");
	mem_free(&text);
	buf_fini(&b);
}

/* Without its first '#', every commented setting is read. */
static void
the_sample_is_valid_when_uncommented(void **state)
{
	struct buf b = { 0 }, plain = { 0 };
	struct conf_errors err = { .count = 0 };
	struct mansio_conf *c;
	struct span rest;

	conf_print_sample(&b);
	for (rest = buf_span(&b); rest.len > 0;) {
		struct span line = span_cut(&rest, '\n');

		if (line.len > 1 && line.p[0] == '#' && line.p[1] != ' ' && line.p[1] != '\t' &&
		    memmem(line.p, line.len, "...", 3) == NULL)
			buf_add_span(&plain, span_sub(line, 1, line.len));
		buf_add_c(&plain, '\n');
	}
	replace(&plain, "listener imap {", "listener NAME {");
	conf_parse(buf_span(&plain), "f", &c, &err);
	/* Examples and NAME sections lack what must be set and stand there twice: no other
	 * mistake. */
	assert_null(strstr(buf_cstr(&err.text), "stands where"));
	assert_null(strstr(buf_cstr(&err.text), "unknown key"));
	assert_null(strstr(buf_cstr(&err.text), "not a value"));
	conf_errors_fini(&err);
	conf_free(&c);
	buf_fini(&b);
	buf_fini(&plain);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_names_file_and_line),
		cmocka_unit_test(one_run_tells_all_wrong_values),
		cmocka_unit_test(units_make_bytes_and_seconds),
		cmocka_unit_test(effective_text_gives_the_same_again),
		cmocka_unit_test(defaults_are_within_their_own_limits),
		cmocka_unit_test(changes_are_told_with_what_they_need),
		cmocka_unit_test(every_entry_is_documented_and_named_once),
		cmocka_unit_test_setup_teardown(files_of_conf_d_are_read_in_order, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_section_in_two_files_is_refused, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(missing_files_and_cycles_are_named, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(includes_have_a_limit, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(a_file_has_a_limit, make_dir, drop_dir),
		cmocka_unit_test(the_sample_in_etc_is_the_printed_one),
		cmocka_unit_test(the_list_in_the_manual_is_the_printed_one),
		cmocka_unit_test(the_sample_is_valid_when_uncommented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
