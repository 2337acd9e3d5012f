#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/json/json.h"
#include "common/json/writer.h"
#include "common/util/mem.h"

static void
commas_and_colons_stand_where_they_belong(void **state)
{
	struct json_writer w;
	struct buf b = { 0 };

	json_writer_init(&w, &b);
	json_begin_object(&w);
	json_kv_str(&w, "a", "x");
	json_kv_str(&w, "none", NULL);
	json_key(&w, "list");
	json_begin_array(&w);
	json_begin_object(&w);
	json_end_object(&w);
	json_begin_array(&w);
	json_end_array(&w);
	json_int(&w, -5);
	json_uint(&w, UINT64_MAX);
	json_raw(&w, SPAN_LIT("[1]"));
	json_end_array(&w);
	json_kv_bool(&w, "t", true);
	json_kv_int(&w, "min", INT64_MIN);
	json_kv_uint(&w, "n", 7);
	json_end_object(&w);
	assert_string_equal(buf_cstr(&b), "{\"a\":\"x\",\"none\":null,\"list\":[{},[],-5,"
	    "18446744073709551615,[1]],\"t\":true,\"min\":-9223372036854775808,\"n\":7}");
	buf_fini(&b);
}

static void
strings_are_always_valid_utf8(void **state)
{
	static const struct {
		struct span	in;
		const char	*want;
	} cases[] = {
		{ SPAN_LIT("a\"b\\c/\b\f\n\r\t\x01\0\x7f"),
		    "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u0000\\u007f\"" },
		{ SPAN_LIT("gr\xc3\xbc\xc3\x9f \xf0\x9f\x93\xa7"),
		    "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x93\xa7\"" },
		{ SPAN_LIT("\xff"), "\"\xef\xbf\xbd\"" },
		{ SPAN_LIT("\xc3"), "\"\xef\xbf\xbd\"" },
		{ SPAN_LIT("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ SPAN_LIT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ SPAN_LIT(""), "\"\"" },
	};
	struct json_writer w;
	struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json_doc *doc;

		buf_clear(&b);
		json_writer_init(&w, &b);
		json_string(&w, cases[i].in);
		assert_string_equal(buf_cstr(&b), cases[i].want);
		assert_int_equal(json_parse(buf_span(&b), 1000, &doc), ST_OK);
		json_free(&doc);
	}
	buf_fini(&b);
}

static void
members_are_read_by_type(void **state)
{
	static const char text[] = " {\"s\":\"a\\u0000\xc3\xbc\",\"i\":-3,\"u\":18446744073709551614,"
	    "\"b\":true,\"n\":null,\"l\":[1,2],\"big\":99999999999999999999,\"f\":1.5} ";
	const struct json *root, *value;
	struct json_doc *doc;
	struct span s;
	void *pos = NULL;
	int64_t i;
	uint64_t u;
	int members = 0;
	bool b;

	assert_int_equal(json_parse(span_str(text), 1000, &doc), ST_OK);
	root = json_root(doc);
	assert_true(json_get_string(root, "s", &s));
	assert_int_equal(s.len, 4);
	assert_memory_equal(s.p, "a\0\xc3\xbc", 4);
	assert_true(json_get_int(root, "i", &i));
	assert_int_equal(i, -3);
	assert_false(json_get_uint(root, "i", &u));
	assert_true(json_get_uint(root, "u", &u));
	assert_true(u == UINT64_MAX - 1);
	assert_false(json_get_int(root, "u", &i));
	assert_false(json_get_uint(root, "big", &u));
	assert_false(json_get_int(root, "f", &i));
	assert_true(json_get_bool(root, "b", &b));
	assert_false(json_get_bool(root, "i", &b));
	assert_false(json_get_string(root, "n", &s));
	assert_false(json_get_string(root, "missing", &s));
	assert_int_equal(json_count(json_member(root, "l")), 2);
	assert_true(json_as_int(json_item(json_member(root, "l"), 1), &i));
	assert_int_equal(i, 2);
	assert_null(json_item(json_member(root, "l"), 2));
	assert_null(json_member(json_member(root, "l"), "x"));
	while (json_next(root, &pos, &s, &value))
		members++;
	assert_int_equal(members, 8);
	json_free(&doc);
}

static void
only_one_strict_text_is_taken(void **state)
{
	static const char *const bad[] = {
		"", " ", "{", "{}x", "{} {}", "[1,]", "{\"a\":1,}", "{'a':1}", "{a:1}", "nul",
		"NaN", "[Infinity]", "[-Infinity]", "[1 2]", "\"a", "\"\xff\"", "// x\n1", "01", "1e", "-",
		"TRUE", "\"a\nb\"", "\"\\x\"", "\"\\u12g4\"",
		"[", "[1", "{\"a\"", "{\"a\":", "[]]", "+1", ".5", "1.", "\"\\",
	};
	struct buf deep = { 0 };
	struct json_doc *doc;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		enum status st = json_parse(span_str(bad[i]), 1000, &doc);

		if (st != ST_SYNTAX)
			print_message("taken: %s\n", bad[i]);
		assert_int_equal(st, ST_SYNTAX);
		assert_null(doc);
	}
	assert_int_equal(json_parse(SPAN_LIT("{}\0"), 1000, &doc), ST_SYNTAX);
	assert_int_equal(json_parse(SPAN_LIT("[1,2]"), 4, &doc), ST_LIMIT);
	assert_int_equal(json_parse(SPAN_LIT("12"), 4, &doc), ST_OK);
	json_free(&doc);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_add_c(&deep, '[');
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_add_c(&deep, ']');
	assert_int_equal(json_parse(buf_span(&deep), 1000, &doc), ST_OK);
	json_free(&doc);
	buf_clear(&deep);
	for (int i = 0; i < JSON_DEPTH_MAX + 1; i++)
		buf_add_c(&deep, '[');
	for (int i = 0; i < JSON_DEPTH_MAX + 1; i++)
		buf_add_c(&deep, ']');
	assert_int_equal(json_parse(buf_span(&deep), 1000, &doc), ST_SYNTAX);
	buf_fini(&deep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_and_colons_stand_where_they_belong),
		cmocka_unit_test(strings_are_always_valid_utf8),
		cmocka_unit_test(members_are_read_by_type),
		cmocka_unit_test(only_one_strict_text_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
