/* What a search found, as HTML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/mime/charset.h"
#include "common/util/mem.h"
#include "jmapd/query/snippet.h"

static void
marked(const char *text, const char *word, size_t max, const char *want)
{
	struct buf mapped = { 0 }, out = { 0 };
	struct span words[1];
	bool found;

	mime_casemap(span_str(word), &mapped);
	words[0] = buf_span(&mapped);
	found = snippet_mark(span_str(text), words, 1, max, &out);
	assert_int_equal(found, want != NULL);
	assert_string_equal(buf_cstr(&out), want != NULL ? want : "");
	buf_fini(&mapped);
	buf_fini(&out);
}

static void
matches_are_marked_and_everything_else_is_text(void **state)
{
	(void)state;
	marked("The Foosball cup", "foo", 0, "The <mark>Foo</mark>sball cup");
	marked("a <b> & c", "b", 0, "a &lt;<mark>b</mark>&gt; &amp; c");
	marked("<mark>x</mark>", "mark", 0,
	    "&lt;<mark>mark</mark>&gt;x&lt;/<mark>mark</mark>&gt;");
	marked("Grüße", "GRÜ", 0, "<mark>Grü</mark>ße");
	marked("aaa", "aa", 0, "<mark>aa</mark>a");
	marked("nothing", "else", 0, NULL);
	marked("", "x", 0, NULL);
	marked("two\r\nlines here", "lines", 0, "two <mark>lines</mark> here");
}

static void
a_preview_has_at_most_255_octets_and_closes_what_it_opens(void **state)
{
	struct buf text = { 0 }, out = { 0 };
	struct span word = SPAN_LIT("NEEDLE");

	(void)state;
	for (unsigned before = 0; before < 400; before += 7) {
		for (unsigned kind = 0; kind < 4; kind++) {
			static const char *const fill[] = { "& ", "word ", "\xc3\xa4", "<" };
			const char *p;

			buf_clear(&text);
			buf_clear(&out);
			for (unsigned i = 0; i < before; i++)
				buf_add_str(&text, fill[kind]);
			for (unsigned i = 0; i < 60; i++)
				buf_add_str(&text, "needle");
			assert_true(snippet_mark(buf_span(&text), &word, 1, SNIPPET_MAX, &out));
			assert_true(out.len <= SNIPPET_MAX);
			p = strstr(buf_cstr(&out), "<mark>needle");
			assert_non_null(p);
			assert_string_equal(out.data + out.len - 7, "</mark>");
			assert_true(span_eq(mime_utf8_cut(buf_span(&out), out.len), buf_span(&out)));
		}
	}
	buf_fini(&text);
	buf_fini(&out);
}

static void
message(const char *raw, size_t step, const char *subject, const char *preview)
{
	struct span words[] = { SPAN_LIT("NEEDLE") };
	const struct snippet_words w = { words, words, 1, 1 };
	struct snippet *s = snippet_new(&w);
	struct buf got = { 0 };
	size_t len = strlen(raw);

	for (size_t at = 0; at < len; at += step)
		snippet_feed(s, span_sub(span_str(raw), at, step));
	snippet_finish(s);
	assert_int_equal(snippet_subject(s, &got), subject != NULL);
	assert_string_equal(buf_cstr(&got), subject != NULL ? subject : "");
	buf_clear(&got);
	assert_int_equal(snippet_preview(s, &got), preview != NULL);
	assert_string_equal(buf_cstr(&got), preview != NULL ? preview : "");
	buf_fini(&got);
	snippet_free(&s);
}

static void
any_split_of_a_message_gives_the_same(void **state)
{
	static const char raw[] =
	    "Subject: =?utf-8?q?A_n=65edle_=26_more?=\r\n"
	    "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
	    "--b\r\nContent-Type: text/plain\r\n\r\nno such thing\r\n"
	    "--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "<html><head><title>needle</title></head><body class=3D\"needle\">"
	    "<p>sch=F6ne</p><p>a nee=\r\ndle &lt; b</p></body></html>\r\n--b--\r\n";

	(void)state;
	for (size_t step = 1; step < sizeof(raw); step++)
		message(raw, step, "A <mark>needle</mark> &amp; more",
		    "schöne a <mark>needle</mark> &lt; b");
	message("Subject: x\r\n\r\nbody\r\n", 3, NULL, NULL);
	message("Content-Type: image/png\r\n\r\nneedle\r\n", 3, NULL, NULL);
}

static void
a_match_deep_in_a_long_text_is_found(void **state)
{
	struct buf raw = { 0 };

	(void)state;
	for (size_t words = 1500; words < 9000; words += 613) {
		struct span needle[] = { SPAN_LIT("NEEDLE") };
		const struct snippet_words w = { needle, needle, 1, 1 };
		struct snippet *s = snippet_new(&w);
		struct buf got = { 0 };

		buf_clear(&raw);
		buf_add_str(&raw, "Subject: x\r\n\r\n");
		for (size_t i = 0; i < words; i++)
			buf_add_str(&raw, "straw ");
		buf_add_str(&raw, "needle ");
		for (size_t i = 0; i < 3000; i++)
			buf_add_str(&raw, "hay ");
		snippet_feed(s, buf_span(&raw));
		snippet_finish(s);
		assert_true(snippet_preview(s, &got));
		assert_non_null(strstr(buf_cstr(&got), "straw <mark>needle</mark> hay hay"));
		assert_true(got.len > 200 && got.len <= SNIPPET_MAX);
		buf_fini(&got);
		snippet_free(&s);
	}
	buf_fini(&raw);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_are_marked_and_everything_else_is_text),
		cmocka_unit_test(a_preview_has_at_most_255_octets_and_closes_what_it_opens),
		cmocka_unit_test(any_split_of_a_message_gives_the_same),
		cmocka_unit_test(a_match_deep_in_a_long_text_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
