/* IMAP's reader of commands and the grammar of arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/mail/flags.h"
#include "common/proto/imap_args.h"
#include "common/proto/imap_print.h"
#include "common/proto/imap_reader.h"
#include "common/proto/imap_search.h"
#include "common/proto/imap_url.h"

/* Everything a reader says about the input, as text. */
static void
drain(struct imap_reader *r, struct buf *in, struct buf *seen)
{
	for (;;) {
		switch (imap_reader_read(r, in)) {
		case IMAP_READ_MORE:
			return;
		case IMAP_READ_COMMAND:
			buf_add_c(seen, '<');
			buf_add_span(seen, buf_span(&r->text));
			buf_add_str(seen, r->skipped ? "!>" : ">");
			imap_reader_next(r);
			break;
		case IMAP_READ_LITERAL:
			if (r->literal.binary)
				imap_reader_stream(r);
			else if (r->literal.size > 10)
				imap_reader_skip(r);
			else
				imap_reader_keep(r);
			break;
		case IMAP_READ_BYTES: {
			size_t n = imap_reader_ready(r, in);

			buf_add(seen, in->data, n);
			imap_reader_took(r, in, n);
			break;
		}
		case IMAP_READ_STREAMED:
			buf_add_c(seen, '|');
			break;
		case IMAP_READ_TOO_LONG:
			buf_add_str(seen, "TOO LONG");
			return;
		}
	}
}

static void
any_split_gives_the_same_commands(void **state)
{
	static const char in[] = "a1 NOOP\r\na2 LOGIN {5}\r\nalice {3+}\r\nfoo\r\n"
	    "a3 APPEND x ~{4+}\r\nab\r\n (y) ~{1}\r\nz\na4 X {20+}\r\n01234567890123456789 y\r\n";
	static const char want[] = "<a1 NOOP><a2 LOGIN {5}\r\nalice {3+}\r\nfoo>ab\r\n|z|<><"
	    "a4 X {20+}\r\n y!>";

	for (size_t cut = 0; cut < sizeof(in); cut++) {
		struct imap_reader r;
		struct buf bytes = { 0 }, seen = { 0 };

		imap_reader_init(&r, 100);
		buf_add(&bytes, in, cut);
		drain(&r, &bytes, &seen);
		buf_add(&bytes, in + cut, sizeof(in) - 1 - cut);
		drain(&r, &bytes, &seen);
		assert_string_equal(buf_cstr(&seen), want);
		imap_reader_fini(&r);
		buf_fini(&bytes);
		buf_fini(&seen);
	}
}

static void
long_lines_are_refused_before_they_end(void **state)
{
	struct imap_reader r;
	struct buf in = { 0 };

	imap_reader_init(&r, 10);
	buf_add_str(&in, "0123456789\r\n");
	assert_int_equal(imap_reader_read(&r, &in), IMAP_READ_COMMAND);
	imap_reader_next(&r);
	buf_add_str(&in, "0123456789abc");
	assert_int_equal(imap_reader_read(&r, &in), IMAP_READ_TOO_LONG);
	imap_reader_fini(&r);
	buf_fini(&in);
}

static struct arena arena;

static struct imap_args
args(const char *text)
{
	struct imap_args a;

	imap_args_init(&a, span_str(text), &arena);
	return a;
}

static void
the_first_error_is_remembered(void **state)
{
	struct imap_args a = args("x y");

	assert_int_equal(imap_args_number(&a), 0);
	assert_false(imap_args_good(&a));
	assert_int_equal(imap_args_atom(&a).len, 0);
	assert_false(imap_args_end(&a));
}

static void
strings_of_each_kind_are_read(void **state)
{
	struct imap_args a = args("atom] \"quo\\\"ted\" {3}\r\na b");

	assert_true(span_eq_str(imap_args_astring(&a), "atom]"));
	imap_args_sp(&a);
	assert_true(span_eq_str(imap_args_string(&a), "quo\"ted"));
	imap_args_sp(&a);
	assert_true(span_eq_str(imap_args_string(&a), "a b"));
	assert_true(imap_args_end(&a));
	a = args("\"open");
	imap_args_string(&a);
	assert_false(imap_args_good(&a));
	a = args("{9}\r\nshort");
	imap_args_string(&a);
	assert_false(imap_args_good(&a));
}

static void
sequence_sets_follow_the_grammar(void **state)
{
	static const char *const good[] = { "1", "*", "1:*", "*:4,7,9:12" };
	static const char *const bad[] = { "0", "1,", "1:", ":", "01", "4294967296", "a", "1-2" };

	for (size_t i = 0; i < 4; i++) {
		struct imap_args a = args(good[i]);

		assert_true(span_eq_str(imap_args_sequence_set(&a), good[i]));
		assert_true(imap_args_end(&a));
	}
	for (size_t i = 0; i < 8; i++) {
		struct imap_args a = args(bad[i]);

		imap_args_sequence_set(&a);
		assert_false(imap_args_end(&a));
	}
}

static void
dates_are_days_and_seconds(void **state)
{
	struct imap_args a = args("1-Feb-1994");
	struct buf out = { 0 };
	int64_t s;
	int16_t zone;

	assert_int_equal(imap_args_date(&a), 8797);
	a = args("\"29-feb-2000\"");
	assert_int_equal(imap_args_date(&a), 11016);
	assert_true(imap_args_end(&a));
	a = args("29-Feb-1900");
	imap_args_date(&a);
	assert_false(imap_args_good(&a));
	a = args("\" 7-Feb-1994 21:52:25 -0800\"");
	imap_args_date_time(&a, &s, &zone);
	assert_true(imap_args_end(&a));
	assert_int_equal(s, 760686745);
	assert_int_equal(zone, -480);
	imap_put_date_time(&out, s, zone);
	assert_string_equal(buf_cstr(&out), "\"07-Feb-1994 21:52:25 -0800\"");
	buf_fini(&out);
}

static void
sections_are_read_and_printed_alike(void **state)
{
	static const char *const texts[] = { "[]", "[TEXT]", "[1.2.HEADER]", "[3.MIME]",
	    "[HEADER.FIELDS (To \"X Y\")]", "[4.1.HEADER.FIELDS.NOT (a b)]", "[1.2]" };
	static const char *const bad[] = { "[", "[MIME]", "[0]", "[1.]", "[HEADER.FIELDS ()]", "[x]" };

	for (size_t i = 0; i < 7; i++) {
		struct imap_args a = args(texts[i]);
		struct imap_section sec;
		struct buf out = { 0 };

		imap_args_section(&a, false, &sec);
		assert_true(imap_args_end(&a));
		imap_put_section(&out, &sec);
		assert_string_equal(buf_cstr(&out), texts[i]);
		buf_fini(&out);
	}
	for (size_t i = 0; i < 6; i++) {
		struct imap_args a = args(bad[i]);
		struct imap_section sec;

		imap_args_section(&a, false, &sec);
		assert_false(imap_args_end(&a));
	}
}

static void
flags_are_bits_and_keywords(void **state)
{
	struct imap_args a = args("(\\Seen \\answered $Fwd kw $fwd)");
	struct imap_flags f;

	imap_args_flags(&a, false, &f);
	assert_true(imap_args_end(&a));
	assert_int_equal(f.system, FLAG_SEEN | FLAG_ANSWERED);
	assert_int_equal(f.n_keywords, 2);
	a = args("(\\Recent)");
	imap_args_flags(&a, false, &f);
	assert_false(imap_args_good(&a));
}

static void
strings_are_printed_so_that_they_can_be_read(void **state)
{
	struct buf out = { 0 };

	imap_put_nstring(&out, SPAN_NONE);
	buf_add_c(&out, ' ');
	imap_put_string(&out, SPAN_LIT("a\"b\\c"));
	buf_add_c(&out, ' ');
	imap_put_string(&out, SPAN_LIT("\xc3\xa4"));
	assert_string_equal(buf_cstr(&out), "NIL \"a\\\"b\\\\c\" {2}\r\n\xc3\xa4");
	buf_clear(&out);
	imap_put_string(&out, SPAN_LIT("a\0b\0"));	/* no NUL in a literal */
	assert_string_equal(buf_cstr(&out), "{4}\r\na\x80" "b\x80");
	buf_fini(&out);
}

static bool
url_is(const char *text, struct imap_url *u)
{
	return imap_url_parse(span_str(text), &arena, u);
}

static void
urls_name_messages_and_parts(void **state)
{
	struct imap_url u;

	assert_true(url_is("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME", &u));
	assert_true(span_eq_str(u.mailbox, "Drafts") && u.uidvalidity == 385759045 && u.uid == 20);
	assert_true(u.section.n_parts == 1 && u.section.what == IMAP_SECTION_MIME && !u.relative);
	assert_true(url_is("imap://f%20red;AUTH=*@[::1]:1143/inbox/%C3%A9/;UID=1/;PARTIAL=5", &u));
	assert_true(span_eq_str(u.user, "f red") && span_eq_str(u.host, "[::1]") && u.port == 1143);
	assert_true(span_eq_str(u.mailbox, "INBOX/\u00e9") && u.partial && u.from == 5 &&
	    u.length == 0);
	assert_true(url_is(";UID=7", &u) && u.mailbox.p == NULL && !u.relative);
	assert_true(url_is("Sub/;UID=7", &u) && u.relative);
	assert_true(url_is("imap://j@e.org/INBOX/;uid=20/;section=1.2;expire=2026-11-21T10:00:00.5+01:00;"
	    "urlauth=submit+fred:internal:91354a473744909de610943775f92038", &u));
	assert_int_equal(u.expires_s, 1795251600);
	assert_true(u.access == URL_ACCESS_SUBMIT && span_eq_str(u.access_user, "fred") &&
	    span_eq_str(u.mechanism, "internal"));
	assert_int_equal(u.token.len, 32);
	assert_true(span_has_prefix(u.rump, "imap://j@e.org/") && u.rump.p[u.rump.len - 1] == 'd');
	assert_true(url_is("/a/;UID=1;URLAUTH=anonymous", &u) && u.mechanism.len == 0);
	assert_true(u.expires_s == INT64_MAX && u.access == URL_ACCESS_ANONYMOUS);
	assert_true(url_is("imap://j@h/a/;UID=1;URLAUTH=User+j%40e.org", &u));
	assert_true(u.access == URL_ACCESS_USER && span_eq_str(u.access_user, "j@e.org"));
	assert_true(span_eq_str(u.rump, "imap://j@h/a/;UID=1;URLAUTH=User+j%40e.org"));
	assert_true(url_is("/a/;UID=1;URLAUTH=authuser", &u) && u.access == URL_ACCESS_AUTHUSER);
}

static void
what_is_no_url_of_a_message_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "/", "/a", "/a/;UID=0", "/a/;UID=x", "/a/;UID=4294967296", "/a/;UID=1x",
		"imap://h/;UID=1", "imap:///a/;UID=1", "imap://h:0/a/;UID=1", "imap://h:99999/a/;UID=1",
		"http://h/a/;UID=1", "/a%/;UID=1", "/a%0/;UID=1", "/a%00/;UID=1", "/a%0D/;UID=1",
		"/a%2a/;UID=1", "/%ff/;UID=1", "/a;UIDVALIDITY=0/;UID=1", "/a/;UID=1/;SECTION=",
		"/a/;UID=1/;SECTION=x", "/a/;UID=1/;SECTION=1]", "/a/;UID=1/;PARTIAL=", "/a/;UID=1/;PARTIAL=1.0",
		"/a/;UID=1;EXPIRE=2026-11-21T10:00:00Z", "/a/;UID=1;EXPIRE=yesterday;URLAUTH=anonymous",
		"/a/;UID=1;EXPIRE=2026-13-21T10:00:00Z;URLAUTH=anonymous", "/a/;UID=1;URLAUTH=",
		"/a/;UID=1;URLAUTH=anonymous:internal", "/a/;UID=1;URLAUTH=anonymous:internal:1234",
		"/a/;UID=1;URLAUTH=fred", "/a/;UID=1;URLAUTH=user+", "/a/;UID=1;URLAUTH=anonymous+x",
		"/a/;UID=1;URLAUTH=submit+%0d", "/a/;UID=1;URLAUTH=userx", "/a/?SUBJECT%20x"
	};
	struct imap_url u;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (url_is(bad[i], &u))
			fail_msg("taken: %s", bad[i]);
	}
}

static void
searches_nest_only_so_deep(void **state)
{
	struct imap_search s = { 0 };
	struct imap_args a = args(" RETURN (MIN) OR (SEEN FROM x) NOT 1:3");
	char deep[400] = " ";

	imap_search_parse(&a, &s);
	assert_true(imap_args_end(&a));
	assert_true(s.extended);
	assert_int_equal(s.wants, IMAP_RETURN_MIN);
	assert_int_equal(s.root->first->op, SEARCH_OR);
	memset(deep + 1, '(', 200);
	a = args(deep);
	s = (struct imap_search){ 0 };
	imap_search_parse(&a, &s);
	assert_false(imap_args_good(&a));
}

static int
free_arena(void **state)
{
	arena_fini(&arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_split_gives_the_same_commands),
		cmocka_unit_test(long_lines_are_refused_before_they_end),
		cmocka_unit_test(the_first_error_is_remembered),
		cmocka_unit_test(strings_of_each_kind_are_read),
		cmocka_unit_test(sequence_sets_follow_the_grammar),
		cmocka_unit_test(dates_are_days_and_seconds),
		cmocka_unit_test(sections_are_read_and_printed_alike),
		cmocka_unit_test(flags_are_bits_and_keywords),
		cmocka_unit_test(strings_are_printed_so_that_they_can_be_read),
		cmocka_unit_test(urls_name_messages_and_parts),
		cmocka_unit_test(what_is_no_url_of_a_message_is_refused),
		cmocka_unit_test(searches_nest_only_so_deep),
	};

	return cmocka_run_group_tests(tests, NULL, free_arena);
}
