#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/net/linebuf.h"

static const char *const want[] = { "a1 NOOP", "", "a2 LOGOUT" };

/* Compares each line with want[], from number at on; returns the number reached. */
static size_t
drain(struct linebuf *lb, size_t at)
{
	const char *line;
	size_t len;

	while (linebuf_next(lb, &line, &len) == LINEBUF_LINE) {
		assert_int_equal(len, strlen(want[at]));
		assert_memory_equal(line, want[at], len);
		at++;
	}
	return at;
}

static void
any_split_gives_the_same_lines(void **state)
{
	static const char in[] = "a1 NOOP\r\n\r\na2 LOGOUT\n";
	const size_t n = sizeof(in) - 1;

	for (size_t cut = 0; cut <= n; cut++) {
		struct linebuf *lb = linebuf_new(16);
		size_t got;

		linebuf_feed(lb, in, cut);
		got = drain(lb, 0);
		linebuf_feed(lb, in + cut, n - cut);
		assert_int_equal(drain(lb, got), 3);
		linebuf_free(&lb);
	}
}

static enum linebuf_result
verdict(const char *in)
{
	struct linebuf *lb = linebuf_new(4);
	enum linebuf_result r;
	const char *line;
	size_t len;

	linebuf_feed(lb, in, strlen(in));
	r = linebuf_next(lb, &line, &len);
	linebuf_free(&lb);
	return r;
}

static void
the_longest_line_is_max_without_its_end(void **state)
{
	assert_int_equal(verdict("1234\n"), LINEBUF_LINE);
	assert_int_equal(verdict("1234\r\n"), LINEBUF_LINE);
	assert_int_equal(verdict("1234\r"), LINEBUF_MORE);
	assert_int_equal(verdict("12345\n"), LINEBUF_TOO_LONG);
	assert_int_equal(verdict("12345\r\n"), LINEBUF_TOO_LONG);
	assert_int_equal(verdict("123456"), LINEBUF_TOO_LONG);
	assert_int_equal(verdict(""), LINEBUF_MORE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_split_gives_the_same_lines),
		cmocka_unit_test(the_longest_line_is_max_without_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
