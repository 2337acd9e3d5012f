/* t/unit/conf/test_import.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/conf/settings.h"
#include "common/util/mem.h"
#include "ctl/import.h"

static void
the_eight_old_keys_become_settings(void **state)
{
	static const char old[] =
	    "# old\nbind-addr: \"::1\"\nbind-port: 1143\nbind-port-tls: 1993 # tls\n"
	    "cert-path: /usr/local/etc/imap.crt\nkey-path: '/usr/local/etc/imap key'\n"
	    "log-level: debug\nmax-request-size: 52428800\nworker-pool-size: 16\n";
	struct conf_errors err = { .count = 0 };
	struct buf out = { 0 };
	struct mansio_conf *c;

	assert_true(ctl_import_text(span_str(old), "old", &out, &err));
	assert_true(conf_parse(buf_span(&out), "new", &c, &err));
	assert_int_equal(conf_listener_find(c, "imap")->bind.v[0].port, 1143);
	assert_int_equal(conf_listener_find(c, "imaps")->bind.v[0].port, 1993);
	assert_int_equal(conf_listener_find(c, "imaps")->tls, CONF_TLS_IMPLICIT);
	assert_string_equal(c->certificates[0].key, "/usr/local/etc/imap key");
	assert_int_equal(conf_log_level(c), LOG_LEVEL_DEBUG);
	assert_int_equal(c->imap.max_append_bytes, 52428800);
	assert_int_equal(conf_pool_find(c, "imapd")->workers, 16);
	conf_free(&c);
	buf_fini(&out);
}

static void
old_defaults_stay_and_tls_needs_a_certificate(void **state)
{
	struct conf_errors err = { .count = 0 };
	struct buf out = { 0 };
	struct mansio_conf *c;

	assert_true(ctl_import_text(SPAN_LIT(""), "old", &out, &err));
	assert_true(conf_parse(buf_span(&out), "new", &c, &err));
	assert_int_equal(c->n_listeners, 1);
	assert_int_equal(c->listeners[0].bind.v[0].port, 143);
	assert_int_equal(c->imap.max_append_bytes, 52428800);
	conf_free(&c);
	buf_fini(&out);
}

static void
wrong_input_names_file_and_line(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "\nbind-port: 99999\n", "old:2: bind-port: \"99999\"" },
		{ "bind-addr: localhost\n", "old:1: bind-addr: \"localhost\"" },
		{ "what\n", "old:1: not \"key: value\"" },
		{ "foo: 1\n", "old:1: unknown key \"foo\"" },
		{ "log-level: info\nlog-level: info\n", "old:2: log-level is set twice, first in line 1" },
		{ "log-level: loud\n", "old:1: log-level: \"loud\"" },
		{ "\ncert-path: /a\n", "old:2: cert-path and key-path belong together" },
		{ "worker-pool-size: 0\n", "old:1: worker-pool-size: \"0\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf_errors err = { .count = 0 };
		struct buf out = { 0 };

		assert_false(ctl_import_text(span_str(cases[i].text), "old", &out, &err));
		assert_int_equal(err.count, 1);
		assert_non_null(strstr(buf_cstr(&err.text), cases[i].want));
		conf_errors_fini(&err);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_eight_old_keys_become_settings),
		cmocka_unit_test(old_defaults_stay_and_tls_needs_a_certificate),
		cmocka_unit_test(wrong_input_names_file_and_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
