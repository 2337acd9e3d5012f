#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/mime/charset.h"
#include "common/mime/coding.h"
#include "common/mime/digest.h"
#include "common/mime/field.h"
#include "common/mime/summary.h"
#include "common/util/mem.h"

static void
check(struct buf *got, const char *want)
{
	assert_string_equal(buf_cstr(got), want);
	buf_clear(got);
}

static void
words_by_the_letter_are_decoded_only_where_they_may_stand(void **state)
{
	static const char *const v[][2] = {
		{ " =?utf-8?Q?a?= =?utf-8?q?b?=\r\n c", "ab c" },
		{ "x=?utf-8?Q?a?=", "x=?utf-8?Q?a?=" },
		{ "=?utf-8?Q?a?=x", "=?utf-8?Q?a?=x" },
		{ "=?utf-8?Q?a b?=", "=?utf-8?Q?a b?=" },
		{ "=?utf-8?Q?a?==?utf-8?Q?b?=", "=?utf-8?Q?a?==?utf-8?Q?b?=" },
		{ "=?nonsense?Q?a?=", "=?nonsense?Q?a?=" },
		{ "=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=", "\xc3\xa9" },
		{ "=?utf-8?Q?=C3=A9?= =?iso-8859-1?Q?=E9?=", "\xc3\xa9\xc3\xa9" },
		{ "=?utf-8?Q?a=00=0D=0Ab?=", "ab" },
		{ "=?utf-8?Q?e=CC=81?= e\xcc\x81", "\xc3\xa9 \xc3\xa9" },
		{ "a\xe9z", "a\xc3\xa9z" },
	};
	struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		mime_words_decode_strict(span_str(v[i][0]), true, &out);
		check(&out, v[i][1]);
	}
	mime_words_decode_strict(SPAN_LIT("=?utf-8?Q?a?="), false, &out);
	check(&out, "=?utf-8?Q?a?=");
	buf_fini(&out);
}

static bool
problem(const char *charset, const char *text)
{
	struct mime_charset *c = mime_charset_new(span_str(charset));
	struct buf out = { 0 };
	bool is;

	mime_charset_feed(c, span_str(text), &out);
	mime_charset_done(c, &out);
	is = mime_charset_problem(c);
	mime_charset_free(&c);
	buf_fini(&out);
	return is;
}

static void
text_that_is_not_what_its_charset_says_is_a_problem(void **state)
{
	assert_false(problem("us-ascii", "plain"));
	assert_true(problem("us-ascii", "caf\xc3\xa9"));
	assert_false(problem("utf-8", "caf\xc3\xa9"));
	assert_true(problem("utf-8", "caf\xe9."));
	assert_true(problem("utf-8", "caf\xc3"));
	assert_false(problem("iso-8859-1", "caf\xe9"));
	assert_false(problem("", "caf\xc3\xa9"));
	assert_true(problem("", "caf\xe9."));
	assert_true(problem("nonsense", "plain"));
	assert_false(problem("iso-8859-15", "\xa4"));
	assert_true(problem("euc-jp", "\xff\xff\xff"));
}

static uint64_t
really(enum mime_coding coding, struct span text)
{
	struct mime_decoder d;
	struct buf out = { 0 };
	uint64_t n;

	mime_decoder_init(&d, coding);
	mime_decoder_feed(&d, text, &out);
	mime_decoder_done(&d, &out);
	mime_decoder_fini(&d);
	n = out.len;
	buf_fini(&out);
	return n;
}

static void
base64_is_counted_as_it_is_decoded(void **state)
{
	static const char alphabet[] = "AZaz09+/==\r\n-x@[`{";

	srand(7);
	for (int round = 0; round < 3000; round++) {
		struct mime_base64_count c = { 0 };
		char text[64];
		size_t n = (size_t)rand() % sizeof(text), cut = n > 0 ? (size_t)rand() % n : 0;

		for (size_t i = 0; i < n; i++)
			text[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		mime_base64_count(&c, span(text, cut));
		mime_base64_count(&c, span(text + cut, n - cut));
		assert_int_equal(mime_base64_counted(&c), really(MIME_CODING_BASE64, span(text, n)));
	}
}

static void
digest(const char *message, struct buf *list, struct buf *structure)
{
	struct mime_digest *d = mime_digest_new(0);
	struct mime_digest_result r;

	mime_digest_feed(d, message, strlen(message));
	mime_digest_finish(d, &r);
	buf_add_span(list, r.list);
	buf_add_span(structure, r.structure);
	mime_digest_free(&d);
}

static void
a_structure_tells_the_size_of_content(void **state)
{
	static const struct { bool known; uint64_t size; const char *message; } want[] = {
		{ false, 0, NULL }, { true, 6, NULL }, { true, 9, NULL }, { true, 2, NULL },
		{ true, 12, "rfc822" }, { false, 0, NULL }
	};
	struct buf list = { 0 }, structure = { 0 };
	struct mime_structure s;
	struct mime_part_view v;

	digest("Content-Type: multipart/mixed; boundary=x\r\n\r\n"
	    "--x\r\nContent-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8h\r\n"
	    "--x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "a=3Db =\r\nc\r\nde\r\n"
	    "--x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nYWI=\r\n"
	    "--x\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	    "U3ViamVjdDogeAoK\r\n"
	    "--x\r\nContent-Type: application/pdf\r\n\r\nhello\r\n--x--\r\n", &list, &structure);
	assert_int_equal(mime_structure_open(buf_span(&structure), &s), ST_OK);
	assert_int_equal(s.parts, ARRAY_LEN(want));
	for (uint32_t i = 0; i < s.parts; i++) {
		mime_structure_part(&s, i, &v);
		assert_int_equal(v.known, want[i].known);
		assert_int_equal(v.decoded, want[i].size);
		assert_true(span_eq(v.message, span_str(want[i].message)));
	}
	mime_structure_close(&s);
	buf_fini(&list);
	buf_fini(&structure);
}

static bool
partial(const char *message)
{
	struct buf list = { 0 }, structure = { 0 };
	struct mime_list l;

	digest(message, &list, &structure);
	assert_int_equal(mime_list_read(buf_span(&list), &l), ST_OK);
	buf_fini(&list);
	buf_fini(&structure);
	return l.partial;
}

static void
a_list_says_when_the_header_has_more_to_tell(void **state)
{
	assert_false(partial("From: \"B, A\" <a@b>\r\nSubject: x\r\nReferences: <a@b> <c@d>\r\n\r\n"));
	assert_false(partial("Received: x\r\nReceived: y\r\n\r\n"));
	assert_true(partial("Subject: a\r\nsubject: b\r\n\r\n"));
	assert_true(partial("From: \"A =?x?=\" <a@b>\r\n\r\n"));
	assert_true(partial("References: <\"a\"@b>\r\n\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_by_the_letter_are_decoded_only_where_they_may_stand),
		cmocka_unit_test(text_that_is_not_what_its_charset_says_is_a_problem),
		cmocka_unit_test(base64_is_counted_as_it_is_decoded),
		cmocka_unit_test(a_structure_tells_the_size_of_content),
		cmocka_unit_test(a_list_says_when_the_header_has_more_to_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
