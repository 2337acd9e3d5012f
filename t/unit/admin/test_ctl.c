/* The parts of mansioctl that read what people type, and print what they see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/util/buf.h"
#include "ctl/args.h"
#include "ctl/batch.h"
#include "ctl/client.h"
#include "ctl/output.h"

static char said[256];

/* main.c has the real ones. */
int
ctl_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return CTL_FAILED;
}

int
ctl_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return CTL_USAGE;
}

int
ctl_print(const struct buf *b)
{
	return CTL_OK;
}

void
ctl_socket(const struct ctl *ctl, struct buf *out)
{
	buf_add_str(out, "/nonexistent/admin.sock");
}

struct parsed {
	bool			flag;
	const char		*text;
	struct ctl_number	size, count;
};

/* line: words with one blank between them. */
static int
parse(struct parsed *p, const char *line, int least, int most, int *argc, char **argv)
{
	static char copy[256];
	const struct ctl_option options[] = {
		{ "--flag", CTL_FLAG, &p->flag }, { "--text", CTL_TEXT, &p->text },
		{ "--size", CTL_SIZE, &p->size }, { "--count", CTL_COUNT, &p->count },
		{ NULL, CTL_FLAG, NULL }
	};
	char *save = NULL;

	*p = (struct parsed){ .text = NULL };
	*argc = 0;
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[(*argc)++] = w;
	argv[*argc] = NULL;
	return ctl_options(options, argc, argv, least, most);
}

static void
options_stand_anywhere(void **state)
{
	struct parsed p;
	char *argv[16];
	int argc;

	assert_int_equal(parse(&p, "a --flag b --text=x=y --size 2G - --count 7", 1, 3, &argc, argv),
	    CTL_OK);
	assert_int_equal(argc, 3);
	assert_string_equal(argv[0], "a");
	assert_string_equal(argv[1], "b");
	assert_string_equal(argv[2], "-");
	assert_null(argv[3]);
	assert_true(p.flag && p.size.given && p.count.given);
	assert_string_equal(p.text, "x=y");
	assert_int_equal(p.size.v, 2147483648);
	assert_int_equal(p.count.v, 7);
}

static void
wrong_options_are_named(void **state)
{
	static const struct { const char *line, *want; } cases[] = {
		{ "a --nope", "--nope" }, { "a --flag=1", "no value" }, { "a --text", "needs a value" },
		{ "a --size many", "\"many\"" }, { "a --count 1K", "\"1K\"" }, { "a b", "\"b\"" },
		{ "--flag", "missing" }, { "a --flagged", "--flagged" },
	};
	struct parsed p;
	char *argv[16];
	int argc;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		said[0] = '\0';
		assert_int_equal(parse(&p, cases[i].line, 1, 1, &argc, argv), CTL_USAGE);
		assert_non_null(strstr(said, cases[i].want));
	}
}

static void
sizes_have_units_and_limits(void **state)
{
	uint64_t n;

	assert_true(ctl_size("0", &n) && n == 0);
	assert_true(ctl_size("default", &n) && n == 0);
	assert_true(ctl_size("1500", &n) && n == 1500);
	assert_true(ctl_size("3k", &n) && n == 3072);
	assert_true(ctl_size("2T", &n) && n == 2ull << 40);
	assert_true(ctl_size("8388607T", &n));
	assert_false(ctl_size("8388608T", &n));
	assert_false(ctl_size("K", &n));
	assert_false(ctl_size("", &n));
	assert_false(ctl_size("-1", &n));
	assert_false(ctl_size("1.5G", &n));
	assert_false(ctl_size("99999999999999999999", &n));
}

static void
a_batch_is_read_line_by_line(void **state)
{
	struct span rest = SPAN_LIT("# demo\n\n a@x.org  secret \r\nb@x.org two words\nc@x.org\nd@x.org\tz"),
	    address, password;
	unsigned line = 0;

	assert_true(batch_next(&rest, &line, &address, &password));
	assert_int_equal(line, 3);
	assert_true(span_eq_str(address, "a@x.org") && span_eq_str(password, "secret"));
	assert_true(batch_next(&rest, &line, &address, &password));
	assert_true(span_eq_str(password, "two words"));
	assert_true(batch_next(&rest, &line, &address, &password));
	assert_int_equal(password.len, 0);
	assert_true(batch_next(&rest, &line, &address, &password));
	assert_int_equal(line, 6);
	assert_true(span_eq_str(password, "z"));
	assert_false(batch_next(&rest, &line, &address, &password));
}

static void
sizes_are_shown_short(void **state)
{
	static const struct { uint64_t n; const char *want; } cases[] = {
		{ 0, "0" }, { 1023, "1023" }, { 1024, "1.0K" }, { 1536, "1.5K" }, { 10240, "10K" },
		{ 1048575, "1023K" }, { 1048576, "1.0M" }, { 5ull << 40, "5.0T" },
	};
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&out);
		ctl_put_size(&out, cases[i].n);
		assert_string_equal(buf_cstr(&out), cases[i].want);
	}
	buf_fini(&out);
}

static void
a_table_lines_up_and_shows_no_control_characters(void **state)
{
	static const struct ctl_column columns[] = {
		{ "name", "NAME", CTL_CELL_TEXT }, { "n", "N", CTL_CELL_NUMBER },
		{ "on", "ON", CTL_CELL_YES }, { NULL, NULL, CTL_CELL_TEXT }
	};
	struct json_doc *doc = NULL;
	struct buf out = { 0 };

	assert_int_equal(json_parse(SPAN_LIT("[{\"name\":\"J\\u00fcrgen\\n\",\"n\":5,\"on\":true},"
	    "{\"name\":\"b\",\"n\":1000}]"), 1000, &doc), ST_OK);
	ctl_table(&out, columns, json_root(doc));
	assert_string_equal(buf_cstr(&out),
	    "NAME        N  ON\n"
	    "J\xc3\xbcrgen?     5  yes\n"
	    "b        1000  -\n");
	json_free(&doc);
	buf_fini(&out);
}

static void
json_is_written_as_it_was_read(void **state)
{
	static const char text[] = "{\"a\":[1,-2,\"x\\\"y\",true,null],\"b\":{\"c\":18446744073709551614}}";
	struct json_doc *doc = NULL;
	struct buf out = { 0 };
	struct json_writer w;

	assert_int_equal(json_parse(span_str(text), sizeof(text), &doc), ST_OK);
	json_writer_init(&w, &out);
	ctl_put_json(&w, json_root(doc));
	assert_string_equal(buf_cstr(&out), text);
	json_free(&doc);
	buf_fini(&out);
}

static void
arguments_leave_out_what_is_not_given(void **state)
{
	struct buf out = { 0 };

	ctl_args(&out, "a", "1\"", "b", NULL, "c", "", NULL);
	assert_string_equal(buf_cstr(&out), "{\"a\":\"1\\\"\",\"c\":\"\"}");
	buf_fini(&out);
}

static void
a_server_that_does_not_run_is_said_so(void **state)
{
	struct ctl ctl = { .json = false };
	struct buf out = { 0 };

	assert_int_equal(ctl_run(&ctl, "status", SPAN_LIT("{}"), &out), CTL_UNREACHABLE);
	assert_non_null(strstr(said, "does not run"));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_stand_anywhere),
		cmocka_unit_test(wrong_options_are_named),
		cmocka_unit_test(sizes_have_units_and_limits),
		cmocka_unit_test(a_batch_is_read_line_by_line),
		cmocka_unit_test(sizes_are_shown_short),
		cmocka_unit_test(a_table_lines_up_and_shows_no_control_characters),
		cmocka_unit_test(json_is_written_as_it_was_read),
		cmocka_unit_test(arguments_leave_out_what_is_not_given),
		cmocka_unit_test(a_server_that_does_not_run_is_said_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
