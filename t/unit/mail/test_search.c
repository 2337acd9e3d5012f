/* Search programs: judging with what is at hand, and looking through bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/mail/search_scan.h"
#include "common/proto/imap_search.h"
#include "common/util/mem.h"

struct parsed {
	struct arena		arena;
	struct imap_args	args;
	struct imap_search	q;
	struct search_program	p;
};

static bool
parse(struct parsed *x, const char *text, enum search_collation c)
{
	memset(x, 0, sizeof(*x));
	x->q.collation = c;
	imap_args_init(&x->args, span_str(text), &x->arena);
	imap_search_parse(&x->args, &x->q);
	if (!imap_args_end(&x->args))
		return false;
	x->p.root = x->q.root;
	x->p.collation = c;
	search_prepare(&x->p, 1000000, &x->arena);
	return true;
}

static void
done(struct parsed *x)
{
	if (x->p.root != NULL)
		search_fini(&x->p);
	arena_fini(&x->arena);
}

static const char message[] =
    "From: Alice <alice@example.org>\r\nTo: bob@example.org\r\n"
    "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?= from\r\n far away\r\n"
    "X-Tag: one\r\nX-Tag: =?utf-8?q?tw=6F?=\r\n"
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "preamble is no text\r\n"
    "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=F6ne W=\r\norte hier\r\n"
    "--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "PHA+Um90IDxiPnVuZDwvYj4gR3ImdXVtbDtuPC9wPg==\r\n"
    "--b\r\nContent-Type: application/octet-stream\r\n\r\nhidden bytes\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner words\r\n\r\ninner body\r\n"
    "--b--\r\n";

/* Judged by the bytes alone, cut into pieces of n. */
static bool
found(const char *text, enum search_collation c, size_t n)
{
	struct parsed x;
	struct search_message m = { .has = SEARCH_HAS_TEXT };
	struct mime_list list;
	struct search_scan *s;
	enum search_answer a;
	struct span all = span_str(message);

	assert_true(parse(&x, text, c));
	s = search_scan_new(&x.p, true);
	for (size_t at = 0; at < all.len; at += n) {
		search_scan_feed(s, span_sub(all, at, n));
		while (!search_scan_look(s))
			;
	}
	search_scan_finish(s);
	while (!search_scan_look(s))
		;
	m.hits = search_scan_hits(s);
	assert_true(search_scan_list(s, &list));
	m.has |= SEARCH_HAS_LIST;
	m.list = &list;
	a = search_judge(&x.p, &m);
	assert_int_not_equal(a, SEARCH_UNKNOWN);
	search_scan_free(&s);
	done(&x);
	return a == SEARCH_YES;
}

static void
text_is_found_however_the_message_is_cut(void **state)
{
	static const struct { const char *q; bool yes; } cases[] = {
		{ " BODY \"SCH\303\226NE worte\"", true }, { " BODY \"rot und gr\303\274n\"", true },
		{ " BODY \"inner words\"", true }, { " BODY \"inner body\"", true },
		{ " BODY \"from far\"", false }, { " TEXT \"FROM FAR AWAY\"", true },
		{ " TEXT \"gr\303\274\303\237e\"", true }, { " TEXT preamble", false },
		{ " TEXT hidden", false }, { " TEXT \"<b>\"", false }, { " TEXT \"\"", true },
		{ " HEADER X-TAG two", true }, { " HEADER X-Tag one", true },
		{ " HEADER X-Tag three", false }, { " HEADER X-Tag \"\"", true },
		{ " HEADER X-No \"\"", false }, { " HEADER Subject far", true },
		{ " SUBJECT away FROM alice", true }, { " TO alice", false }, { " CC \"\"", false },
		{ " OR BODY nothing NOT TEXT nothing", true }, { " FUZZY BODY worte", true }
	};
	static const size_t steps[] = { 1, 7, 64, SEARCH_SCAN_PIECE };

	for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
		for (size_t i = 0; i < ARRAY_LEN(cases); i++)
			assert_int_equal(found(cases[i].q, SEARCH_UNICODE_CASEMAP, steps[k]),
			    cases[i].yes);
	}
}

static void
the_collation_decides_what_is_alike(void **state)
{
	assert_true(found(" SUBJECT FAR", SEARCH_ASCII_CASEMAP, 100));
	assert_false(found(" SUBJECT FAR", SEARCH_OCTET, 100));
	assert_true(found(" BODY \"Sch\303\266ne\"", SEARCH_OCTET, 100));
	assert_false(found(" BODY \"SCH\303\226NE\"", SEARCH_ASCII_CASEMAP, 100));
	assert_true(found(" HEADER X-Tag TWO", SEARCH_ASCII_CASEMAP, 100));
	assert_false(found(" TEXT ALICE", SEARCH_OCTET, 100));
}

static enum search_answer
judge_row(const char *text, const struct search_message *m)
{
	struct parsed x;
	enum search_answer a;

	assert_true(parse(&x, text, SEARCH_UNICODE_CASEMAP));
	a = search_judge(&x.p, m);
	done(&x);
	return a;
}

static void
a_row_settles_what_it_can(void **state)
{
	struct flags flags = { { 0 } };
	struct search_message m = {
		.has = SEARCH_HAS_ROW | SEARCH_HAS_IDS, .uid = 7, .flags = FLAG_SEEN,
		.all_flags = &flags, .modseq = 12, .size = 100, .received_s = 999000,
		.received_day = 11, .saved_s = 86400 * 5
	};

	assert_int_equal(judge_row(" SEEN LARGER 99 SMALLER 101", &m), SEARCH_YES);
	assert_int_equal(judge_row(" UNSEEN BODY x", &m), SEARCH_NO);
	assert_int_equal(judge_row(" SEEN BODY x", &m), SEARCH_UNKNOWN);
	assert_int_equal(judge_row(" OR SEEN BODY x", &m), SEARCH_YES);
	assert_int_equal(judge_row(" OLDER 1000", &m), SEARCH_YES);
	assert_int_equal(judge_row(" OLDER 1001", &m), SEARCH_NO);
	assert_int_equal(judge_row(" YOUNGER 1000", &m), SEARCH_YES);
	assert_int_equal(judge_row(" YOUNGER 999", &m), SEARCH_NO);
	assert_int_equal(judge_row(" SAVEDON 6-Jan-1970 SAVEDBEFORE 7-Jan-1970 SAVEDSINCE 6-Jan-1970",
	    &m), SEARCH_YES);
	assert_int_equal(judge_row(" SAVEDBEFORE 6-Jan-1970", &m), SEARCH_NO);
	assert_int_equal(judge_row(" MODSEQ \"/flags/\\\\Seen\" all 12", &m), SEARCH_YES);
	assert_int_equal(judge_row(" MODSEQ 13", &m), SEARCH_NO);
	assert_int_equal(judge_row(" KEYWORD x", &m), SEARCH_NO);
}

static struct span
column(struct buf *b, bool cut, const char *text)
{
	buf_clear(b);
	buf_add_c(b, cut);
	buf_add_str(b, text);
	return buf_span(b);
}

static void
a_cut_column_settles_only_what_it_shows(void **state)
{
	struct span col[MIME_COLUMNS] = { 0 };
	struct search_message m = { .has = SEARCH_HAS_COLUMNS, .columns = col };
	struct buf b = { 0 };

	col[MIME_COL_SUBJECT] = column(&b, true, "HELLO WOR");
	assert_int_equal(judge_row(" SUBJECT hello", &m), SEARCH_YES);
	assert_int_equal(judge_row(" SUBJECT world", &m), SEARCH_UNKNOWN);
	assert_int_equal(judge_row(" NOT SUBJECT hello", &m), SEARCH_NO);
	col[MIME_COL_SUBJECT] = column(&b, false, "HELLO WOR");
	assert_int_equal(judge_row(" HEADER Subject world", &m), SEARCH_NO);
	assert_int_equal(judge_row(" FROM x", &m), SEARCH_NO);
	buf_fini(&b);
}

static void
a_program_says_what_it_needs(void **state)
{
	struct parsed x;

	assert_true(parse(&x, " FROM x SUBJECT y", SEARCH_UNICODE_CASEMAP));
	assert_int_equal(x.p.needs, SEARCH_HAS_LIST);
	assert_int_equal(x.p.columns, 1u << MIME_COL_FROM | 1u << MIME_COL_SUBJECT);
	done(&x);
	assert_true(parse(&x, " FROM x", SEARCH_OCTET));
	assert_int_equal(x.p.columns, 0);
	done(&x);
	assert_true(parse(&x, " HEADER X-Tag y SEEN", SEARCH_UNICODE_CASEMAP));
	assert_int_equal(x.p.needs, SEARCH_HAS_TEXT | SEARCH_HAS_ROW);
	assert_int_equal(x.p.n_slots, 1);
	done(&x);
	assert_true(parse(&x, " 1:* UID 5", SEARCH_UNICODE_CASEMAP));
	assert_int_equal(x.p.needs, 0);
	assert_true(x.p.sets);
	done(&x);
}

static void
what_no_search_is_is_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", " NOSUCH", " (ALL", " ALL)", " OR ALL", " NOT", " OLDER 0", " YOUNGER x",
		" FUZZY", " RETURN (ALL PARTIAL 1:2) ALL", " RETURN (PARTIAL 0:1) ALL",
		" RETURN (PARTIAL 1:-1) ALL", " RETURN (RELEVANCY) ALL", " RETURN (NOSUCH) ALL",
		" RETURN ALL", " CHARSET", " CHARSET UTF-8", " UID x", " $x"
	};
	struct parsed x;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(parse(&x, bad[i], SEARCH_UNICODE_CASEMAP));
		done(&x);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_found_however_the_message_is_cut),
		cmocka_unit_test(the_collation_decides_what_is_alike),
		cmocka_unit_test(a_row_settles_what_it_can),
		cmocka_unit_test(a_cut_column_settles_only_what_it_shows),
		cmocka_unit_test(a_program_says_what_it_needs),
		cmocka_unit_test(what_no_search_is_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
