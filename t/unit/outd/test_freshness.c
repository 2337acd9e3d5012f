/* How long an answer may be kept, and how a request is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/util/mem.h"
#include "outd/freshness.h"
#include "outd/server.h"

static int64_t
after(const char *header)
{
	struct freshness f = { 0 };
	struct span rest = span_str(header);

	while (rest.p != NULL && rest.len > 0)
		freshness_line(&f, span_cut(&rest, '\n'));
	return freshness_s(&f);
}

static void
the_server_says_how_long(void **state)
{
	assert_int_equal(after(""), -1);
	assert_int_equal(after("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"), -1);
	assert_int_equal(after("Cache-Control: max-age=600\r\n"), 600);
	assert_int_equal(after("cache-control:public,MAX-AGE=600\n"), 600);
	assert_int_equal(after("Cache-Control: public, max-age = \"600\"\r\n"), 600);
	assert_int_equal(after("Cache-Control: max-age=600\r\nAge: 100\r\n"), 500);
	assert_int_equal(after("Cache-Control: max-age=600\r\nAge: 700\r\n"), 0);
	assert_int_equal(after("Cache-Control: max-age=600, max-age=60\r\n"), 60);
	assert_int_equal(after("Cache-Control: no-store, max-age=600\r\n"), 0);
	assert_int_equal(after("Cache-Control: private\r\nCache-Control: max-age=5\r\n"), 5);
}

static void
nonsense_says_nothing(void **state)
{
	assert_int_equal(after("Cache-Control: max-age=-1\r\n"), -1);
	assert_int_equal(after("Cache-Control: max-age=\r\n"), -1);
	assert_int_equal(after("Cache-Control: max-age\r\n"), -1);
	assert_int_equal(after("Cache-Control: max-age=1e9\r\n"), -1);
	assert_int_equal(after("Cache-Control: s-maxage=10\r\n"), -1);
	assert_int_equal(after("Cache-Control\r\n,,,=,\r\n:\r\n"), -1);
	assert_int_equal(after("Cache-Control: max-age=99999999999999999999\r\n"), UINT32_MAX);
	assert_int_equal(after("Cache-Control: max-age=60\r\nAge: x\r\n"), 60);
	/* an interim answer's header is not the answer's */
	assert_int_equal(after("HTTP/1.1 103 Early\r\nCache-Control: max-age=9\r\n"
	    "HTTP/1.1 200 OK\r\n"), -1);
}

static void
no_byte_of_a_secret_or_token_ends_its_field(void **state)
{
	struct conf_oauth c = { .client_id = "a:b", .introspection_auth = CONF_INTROSPECT_BASIC };
	struct buf b = { 0 };

	outd_form_encode(SPAN_LIT("aZ0*-._ &=%+\r\n\0\xff"), &b);
	assert_true(span_eq_str(buf_span(&b), "aZ0*-._%20%26%3D%25%2B%0D%0A%00%FF"));
	buf_clear(&b);
	outd_authorization(&c, SPAN_LIT("c d"), &b);	/* a%3Ab:c%20d */
	assert_true(span_eq_str(buf_span(&b), "Basic YSUzQWI6YyUyMGQ="));
	buf_clear(&b);
	c.introspection_auth = CONF_INTROSPECT_BEARER;
	outd_authorization(&c, SPAN_LIT("token"), &b);
	assert_true(span_eq_str(buf_span(&b), "Bearer token"));
	buf_clear(&b);
	c.introspection_auth = CONF_INTROSPECT_NONE;
	outd_authorization(&c, SPAN_LIT("token"), &b);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_says_how_long),
		cmocka_unit_test(nonsense_says_nothing),
		cmocka_unit_test(no_byte_of_a_secret_or_token_ends_its_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
