/* Commands of ManageSieve: strings in both forms, numbers, what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/proto/imap_reader.h"
#include "common/proto/managesieve.h"
#include "common/util/mem.h"

static struct buf text;
static struct managesieve_command c;

static const char *
parse(const char *s, size_t n)
{
	buf_clear(&text);
	buf_add(&text, s, n);
	return managesieve_parse(text.data, text.len, &c);
}

#define PARSE(s) parse((s), sizeof(s) - 1)
#define IS(got, want) assert_true(span_eq((got), SPAN_LIT(want)))

static void
strings_are_quoted_or_literals(void **state)
{
	assert_null(PARSE("Putscript \"a \\\"b\\\\ \xc3\xbc\" {4+}\r\n#\r\nx"));
	IS(c.word, "Putscript");
	assert_int_equal(c.n, 2);
	IS(c.args[0].text, "a \"b\\ \xc3\xbc");
	IS(c.args[1].text, "#\r\nx");
	assert_null(PARSE("X {3}\r\na\0b \"\" {0+}\r\n"));
	IS(c.args[0].text, "a\0b");
	assert_int_equal(c.args[1].text.len, 0);
	assert_int_equal(c.args[2].text.len, 0);
	assert_int_equal(c.n, 3);
	assert_null(PARSE("NOOP"));
	assert_int_equal(c.n, 0);
	assert_null(PARSE("NOOP  \"x\"  "));
	assert_int_equal(c.n, 1);
}

static void
numbers_have_32_bits_and_no_leading_zeros(void **state)
{
	assert_null(PARSE("HAVESPACE \"x\" 4294967295"));
	assert_true(c.args[1].is_number && !c.args[0].is_number);
	assert_true(c.args[1].number == 4294967295u);
	assert_null(PARSE("HAVESPACE \"x\" 0"));
	assert_int_equal(c.args[1].number, 0);
	assert_non_null(PARSE("HAVESPACE \"x\" 4294967296"));
	assert_non_null(PARSE("HAVESPACE \"x\" 99999999999999999999999"));
	assert_non_null(PARSE("HAVESPACE \"x\" 01"));
	assert_non_null(PARSE("HAVESPACE \"x\" 1x"));
	assert_non_null(PARSE("HAVESPACE \"x\" -1"));
}

static void
what_is_no_command_is_told_in_words(void **state)
{
	static const char *const bad[] = {
		"", " NOOP", "\"NOOP\"", "NOOP(", "NOOP\"x\"", "NOOP x", "NOOP \"x", "NOOP \"x\\",
		"NOOP \"x\\n\"", "NOOP \"x\"\"y\"", "NOOP \"x\" \"x\" \"x\" \"x\"", "NOOP {x}\r\n",
		"NOOP {}\r\n", "NOOP {5+}\r\nabc", "NOOP {1+}", "NOOP {1+ }\r\na", "NOOP {99999999999}\r\na",
		"NOOP {3++}\r\nabc", "NOOP {1+}\na", "NOOP \"\xff\"", "NOOP \"a\rb\"", "NOOP (\"x\")",
		"NO\x01P", "NOOP ~{1+}\r\nx", "{3+}\r\nabc"
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(parse(bad[i], strlen(bad[i])));
	assert_non_null(PARSE("NOOP \"a\0b\""));
	assert_non_null(managesieve_parse(NULL, 0, &c));
}

static void
an_answer_to_a_challenge_is_one_string(void **state)
{
	char good[] = "{4+}\r\nAAAA", empty[] = "\"\"", two[] = "\"*\" \"*\"", bare[] = "AAAA";
	struct span s;

	assert_true(managesieve_parse_string(good, strlen(good), &s));
	IS(s, "AAAA");
	assert_true(managesieve_parse_string(empty, 2, &s));
	assert_int_equal(s.len, 0);
	assert_false(managesieve_parse_string(two, strlen(two), &s));
	assert_false(managesieve_parse_string(bare, strlen(bare), &s));
	assert_false(managesieve_parse_string(NULL, 0, &s));
}

static void
the_word_is_known_before_the_rest(void **state)
{
	IS(managesieve_word(SPAN_LIT("PUTSCRIPT \"x\" {9+}\r\n")), "PUTSCRIPT");
	IS(managesieve_word(SPAN_LIT("NOOP")), "NOOP");
	assert_int_equal(managesieve_word(SPAN_LIT("NOOP\"")).len, 0);
	assert_int_equal(managesieve_word(SPAN_LIT("{9+}\r\n")).len, 0);
}

static void
any_split_gives_the_same_commands(void **state)
{
	static const char in[] = "PUTSCRIPT \"n\" {9+}\r\nkeep;\r\n# \r\nNOOP {2}\r\nab\nLOGOUT\r\n";
	const size_t n = sizeof(in) - 1;

	for (size_t cut = 0; cut <= n; cut++) {
		struct imap_reader r;
		struct buf got = { 0 }, b = { 0 };
		size_t fed = 0;

		imap_reader_init(&r, 100);
		for (bool more = true; more;) {
			switch (imap_reader_read(&r, &b)) {
			case IMAP_READ_MORE:
				more = fed < n;
				buf_add(&b, in + fed, fed < cut ? cut - fed : n - fed);
				fed = fed < cut ? cut : n;
				break;
			case IMAP_READ_LITERAL:
				imap_reader_keep(&r);
				break;
			case IMAP_READ_COMMAND:
				assert_null(managesieve_parse(r.text.data, r.text.len, &c));
				buf_add_span(&got, c.word);
				for (size_t i = 0; i < c.n; i++)
					managesieve_put_string(&got, c.args[i].text);
				imap_reader_next(&r);
				break;
			default:
				fail();
			}
		}
		IS(buf_span(&got), "PUTSCRIPT\"n\"{9}\r\nkeep;\r\n# NOOP\"ab\"LOGOUT");
		imap_reader_fini(&r);
		buf_fini(&got);
		buf_fini(&b);
	}
}

static void
what_is_written_can_be_read(void **state)
{
	struct buf out = { 0 }, big = { 0 };
	struct span s;

	for (size_t n = 0; n < 1030; n++)
		buf_add_c(&big, n % 3 == 0 ? '"' : 'x');
	managesieve_put_string(&out, SPAN_LIT("clever\"script\\"));
	IS(buf_span(&out), "\"clever\\\"script\\\\\"");
	assert_true(managesieve_parse_string(out.data, out.len, &s));
	IS(s, "clever\"script\\");
	buf_clear(&out);
	managesieve_put_string(&out, buf_span(&big));
	assert_true(span_has_prefix(buf_span(&out), "{1030}\r\n"));
	assert_true(managesieve_parse_string(out.data, out.len, &s));
	assert_true(span_eq(s, buf_span(&big)));
	buf_clear(&out);
	managesieve_put_string(&out, SPAN_LIT("two\r\nlines"));
	IS(buf_span(&out), "{10}\r\ntwo\r\nlines");
	buf_clear(&out);
	managesieve_put_string(&out, SPAN_LIT("\xff"));
	IS(buf_span(&out), "{1}\r\n\xff");
	buf_fini(&out);
	buf_fini(&big);
}

static int
end(void **state)
{
	buf_fini(&text);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_quoted_or_literals),
		cmocka_unit_test(numbers_have_32_bits_and_no_leading_zeros),
		cmocka_unit_test(what_is_no_command_is_told_in_words),
		cmocka_unit_test(an_answer_to_a_challenge_is_one_string),
		cmocka_unit_test(the_word_is_known_before_the_rest),
		cmocka_unit_test(any_split_gives_the_same_commands),
		cmocka_unit_test(what_is_written_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
