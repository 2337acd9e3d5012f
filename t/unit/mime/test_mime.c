#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/mime/address.h"
#include "common/mime/charset.h"
#include "common/mime/coding.h"
#include "common/mime/columns.h"
#include "common/mime/date.h"
#include "common/mime/digest.h"
#include "common/mime/field.h"
#include "common/mime/html.h"
#include "common/mime/parser.h"
#include "common/mime/summary.h"
#include "common/mime/thread.h"
#include "common/mime/write.h"
#include "common/util/mem.h"

static void
check_span(struct span got, const char *want)
{
	if (!span_eq_str(got, want))
		fail_msg("got '%.*s', want '%s'", (int)got.len, got.p, want);
}

/* --- fields --- */

static void
encoded_words_become_utf8(void **state)
{
	static const char *const v[][2] = {
		{ "plain", "plain" },
		{ "=?ISO-8859-1?Q?a?=", "a" },
		{ "=?ISO-8859-1?Q?a?= b", "a b" },
		{ "=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab" },
		{ "=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab" },
		{ "=?ISO-8859-1?Q?a?=\r\n  =?ISO-8859-1?Q?b?=", "ab" },
		{ "=?ISO-8859-1?Q?a_b?=", "a b" },
		{ "=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b" },
		{ "=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore" },
		{ "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=", "If you can read this yo" },
		{ "=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=", "\xc3\xa9" },
		{ "=?koi8-r?B?8NLJ18XU?=", "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82" },
		{ "=?utf-8?Q?broken", "=?utf-8?Q?broken" },
		{ "=?utf-8?X?aa?=", "=?utf-8?X?aa?=" },
		{ "caf\xe9", "caf\xc3\xa9" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "=?nonsense?Q?=E9?=", "\xc3\xa9" },
		{ "=?utf-8?Q?a=00=0Ab?=", "a b" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct buf out = { 0 };

		mime_words_decode(span_str(v[i][0]), &out);
		check_span(buf_span(&out), v[i][1]);
		buf_fini(&out);
	}
}

static void
parameters_are_put_together_again(void **state)
{
	static const struct { const char *in, *name, *want; } v[] = {
		{ "text/plain; charset=us-ascii (comment)", "charset", "us-ascii" },
		{ "a/b; URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/x\"", "url", "ftp://cs.utk.edu/x" },
		{ "a/b; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "title",
		    "This is ***fun***" },
		{ "a/b; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20;"
		    " title*2=\"isn't it!\"", "title", "This is even more ***fun*** isn't it!" },
		{ "a/b; name=\"=?utf-8?Q?=C3=A9.txt?=\"", "name", "\xc3\xa9.txt" },
		{ "a/b; name=\"a\\\"b\"", "name", "a\"b" },
		{ "multipart/mixed\r\n\tboundary=\"b b\"", "boundary", "b b" },
		{ "a/b; name=x y; boundary=z", "boundary", "z" },
		{ "a/b;; ;x;name*=utf-8''%C3%A9", "name", "\xc3\xa9" },
		{ "a/b; name=plain; name*=utf-8''better", "name", "better" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct arena a = { 0 };
		struct buf out = { 0 };
		struct span type, sub;
		struct mime_params raw;

		assert_true(mime_content_type(&a, span_str(v[i].in), &type, &sub, &raw));
		assert_true(mime_param_get(&raw, v[i].name, &out));
		check_span(buf_span(&out), v[i].want);
		buf_fini(&out);
		arena_fini(&a);
	}
}

/* name|route|local|domain, NIL as ~, entries apart by a blank line sign. */
static void
addresses_are_read(void **state)
{
	static const char *const v[][2] = {
		{ "", "" },
		{ "a@b", "~|~|a|b;" },
		{ "John Doe <jdoe@machine.example>", "John Doe|~|jdoe|machine.example;" },
		{ "\"Joe Q. Public\" <john.q.public@example.com>, Mary <mary@x.test>",
		    "Joe Q. Public|~|john.q.public|example.com;Mary|~|mary|x.test;" },
		{ "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
		    "~|~|boss|nil.test;Giant; \"Big\" Box|~|sysservices|example.net;" },
		{ "A Group:Ed Jones <joe@where.test>,joe@where.test;", "{A Group}Ed Jones|~|joe|where.test;"
		    "~|~|joe|where.test;{/}" },
		{ "Undisclosed recipients:;", "{Undisclosed recipients}{/}" },
		{ "undisclosed:", "{undisclosed}{/}" },
		{ "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
		    "Mary Smith|@node.test|mary|example.net;~|~|jdoe|test.example;" },
		{ "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
		    "Pete|~|pete|silly.test;" },
		{ "jdoe@x.test (John (the) Doe)", "John (the) Doe|~|jdoe|x.test;" },
		{ "=?utf-8?q?J=C3=B6rg?= <j@x>", "=?utf-8?q?J=C3=B6rg?=|~|j|x;" },
		{ "\"quoted local\"@x.test", "~|~|quoted local|x.test;" },
		{ "a@[127.0.0.1]", "~|~|a|[127.0.0.1];" },
		{ "Moderator-Address <moderator>", "Moderator-Address|~|moderator|;" },
		{ "J\xc3\xb6rg <j\xc3\xb6rg@ex\xc3\xa4mple.test>",
		    "J\xc3\xb6rg|~|j\xc3\xb6rg|ex\xc3\xa4mple.test;" },
		{ "unclosed <a@b", "unclosed|~|a|b;" },
		{ "(only a comment)", "" },
		{ ">>,)", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct arena a = { 0 };
		struct buf out = { 0 };
		struct mime_addr *l;
		size_t n = mime_addresses(&a, span_str(v[i][0]), &l);

		for (size_t k = 0; k < n; k++) {
			if (l[k].kind == MIME_ADDR_GROUP_END)
				buf_add_str(&out, "{/}");
			else if (l[k].kind == MIME_ADDR_GROUP)
				buf_addf(&out, "{%.*s}", (int)l[k].local.len, l[k].local.p);
			else
				buf_addf(&out, "%.*s|%.*s|%.*s|%.*s;",
				    l[k].name.p ? (int)l[k].name.len : 1, l[k].name.p ? l[k].name.p : "~",
				    l[k].route.p ? (int)l[k].route.len : 1, l[k].route.p ? l[k].route.p : "~",
				    (int)l[k].local.len, l[k].local.p, (int)l[k].domain.len, l[k].domain.p);
		}
		check_span(buf_span(&out), v[i][1]);
		buf_fini(&out);
		arena_fini(&a);
	}
}

static void
dates_are_read(void **state)
{
	static const struct { const char *in; int64_t sec; int zone; } v[] = {
		{ "Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360 },
		{ "21 Nov 97 09:55:06 GMT", 880106106, 0 },
		{ "Thu, 13 Feb 1969 23:32:54 -0330", -27723426, -210 },
		{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706, -360 },
		{ "Thu,\r\n 13\r\n Feb 1997 23:32 EST", 855894720, -300 },
		{ "Sun Nov  6 08:49:37 1994", 784111777, 0 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777, 0 },
		{ "Mon, 1 Jan 2024 00:00:00 +05:30", 1704047400, 330 },
		{ "Mon, 1 Jan 2024 00:00:00", 1704067200, 0 },
		{ "29 Feb 2000 00:00:00 Z", 951782400, 0 },
	};
	static const char *const bad[] = { "", "yesterday", "32 Jan 2000 00:00:00 Z", "1 Foo 2000 1:1:1",
		"1 Jan 2000", "1 Jan 99999 00:00:00", "30 Feb 2000 00:00:00 Z", "Mon, 1 Jan 2024 25:00:00" };
	int64_t sec;
	int zone;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		if (!mime_date_parse(span_str(v[i].in), &sec, &zone))
			fail_msg("%s", v[i].in);
		assert_int_equal(sec, v[i].sec);
		assert_int_equal(zone, v[i].zone);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(mime_date_parse(span_str(bad[i]), &sec, &zone));
}

static void
base_subjects_follow_rfc_5256(void **state)
{
	static const struct { const char *in, *want; bool reply; } v[] = {
		{ "Hello", "Hello", false }, { "Re: Hello", "Hello", true },
		{ "RE: re: Fwd: Hello  World ", "Hello World", true },
		{ "[list] Re: [x] Hello", "Hello", true }, { "[only]", "[only]", false },
		{ "Re[2]: Hello", "Hello", true }, { "Hello (fwd) (fwd)", "Hello", true },
		{ "[Fwd: Re: Hello]", "Hello", true }, { "Re:", "", true }, { "", "", false },
		{ "[a] [b] c", "c", false }, { "=?utf-8?q?Re=3A?= Hello", "Hello", true },
		{ "Return", "Return", false }, { "fw: [Fwd: x] (fwd)", "x", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct buf out = { 0 };
		bool reply;

		mime_base_subject(span_str(v[i].in), &out, &reply);
		check_span(buf_span(&out), v[i].want);
		assert_int_equal(reply, v[i].reply);
		buf_fini(&out);
	}
	assert_int_equal(mime_subject_hash(span_str("HELLO")), mime_subject_hash(span_str("hello")));
	assert_int_equal(mime_subject_hash(SPAN_NONE), 0);
}

static void
message_ids_are_read(void **state)
{
	struct arena a = { 0 };
	struct span v[MIME_IDS_MAX];
	struct buf many = { 0 };

	assert_int_equal(mime_message_ids(&a, span_str("junk <a@b>\r\n\t<\"c\"@d> <> <e @f> <open"), v), 4);
	check_span(v[0], "a@b");
	check_span(v[1], "c@d");
	check_span(v[2], "e@f");
	check_span(v[3], "open");
	for (int i = 0; i < 150; i++)
		buf_addf(&many, "<%d@x> ", i);
	assert_int_equal(mime_message_ids(&a, buf_span(&many), v), MIME_IDS_MAX);
	check_span(v[0], "0@x");
	check_span(v[99], "149@x");
	check_span(v[1], "51@x");
	buf_fini(&many);
	arena_fini(&a);
}

/* --- codings, charsets, html --- */

static void
decode(enum mime_coding coding, const char *in, size_t step, struct buf *out)
{
	struct mime_decoder d;
	size_t n = strlen(in);

	mime_decoder_init(&d, coding);
	for (size_t i = 0; i < n; i += step)
		mime_decoder_feed(&d, span(in + i, n - i < step ? n - i : step), out);
	mime_decoder_done(&d, out);
	mime_decoder_fini(&d);
}

static void
transfer_encodings_are_decoded_however_split(void **state)
{
	static const struct { enum mime_coding coding; const char *in, *want; } v[] = {
		{ MIME_CODING_BASE64, "aGVs\r\nbG8=", "hello" }, { MIME_CODING_BASE64, "aGVsbG8", "hello" },
		{ MIME_CODING_BASE64, "aGVs!bG8=aGVs", "hellohel" }, { MIME_CODING_BASE64, "?", "" },
		{ MIME_CODING_QP, "a=20b=\r\nc =  \r\nd", "a bc d" }, { MIME_CODING_QP, "a  \r\nb", "a\r\nb" },
		{ MIME_CODING_QP, "=c3=A9=", "\xc3\xa9" }, { MIME_CODING_QP, "=XX=4", "=XX=4" },
		{ MIME_CODING_QP, "a=\nb", "ab" }, { MIME_CODING_8BIT, "a=20", "a=20" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		for (size_t step = 1; step < 8; step++) {
			struct buf out = { 0 };

			decode(v[i].coding, v[i].in, step, &out);
			check_span(buf_span(&out), v[i].want);
			buf_fini(&out);
		}
}

static void
encoders_are_undone_by_decoders(void **state)
{
	struct buf raw = { 0 }, b64 = { 0 }, qp = { 0 }, back = { 0 };

	for (int i = 0; i < 300; i++)
		buf_add_c(&raw, (char)(i * 7 % 255 + 1));
	mime_base64_lines(buf_span(&raw), &b64);
	decode(MIME_CODING_BASE64, buf_cstr(&b64), 5, &back);
	assert_true(span_eq(buf_span(&raw), buf_span(&back)));
	buf_clear(&raw);
	buf_clear(&back);
	for (int i = 0; i < 60; i++)
		buf_add_str(&raw, "text = \xc3\xa9 and blanks \t\r\n");
	mime_qp_lines(buf_span(&raw), &qp);
	decode(MIME_CODING_QP, buf_cstr(&qp), 5, &back);
	assert_true(span_eq(buf_span(&raw), buf_span(&back)));
	buf_fini(&raw);
	buf_fini(&b64);
	buf_fini(&qp);
	buf_fini(&back);
}

static void
charsets_become_utf8_however_split(void **state)
{
	static const struct { const char *name, *in, *want; } v[] = {
		{ "utf-8", "a\xe2\x82\xac z\xff", "a\xe2\x82\xac z\xc3\xbf" },
		{ "iso-8859-15", "\xa4", "\xe2\x82\xac" },
		{ "windows-1252", "\x80", "\xe2\x82\xac" },
		{ "EUC-JP", "\xa2\xae", "\xe3\x80\x93" },
		{ "no-such-thing", "caf\xe9", "caf\xc3\xa9" },
		{ "gb2312", "\xc4\xe3", "\xe4\xbd\xa0" },
		{ "utf-8", "cut\xe2\x82", "cut\xc3\xa2\xe2\x80\x9a" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		for (size_t step = 1; step < 5; step++) {
			struct mime_charset *c = mime_charset_new(span_str(v[i].name));
			struct buf out = { 0 };
			size_t n = strlen(v[i].in);

			for (size_t k = 0; k < n; k += step)
				mime_charset_feed(c, span(v[i].in + k, n - k < step ? n - k : step), &out);
			mime_charset_done(c, &out);
			check_span(buf_span(&out), v[i].want);
			buf_fini(&out);
			mime_charset_free(&c);
		}
}

static void
casemap_makes_equal_what_differs_in_case_and_form(void **state)
{
	static const char *const v[][2] = {
		{ "Straße", "straße" }, { "\xc3\xa9", "\x65\xcc\x81" }, { "\xef\xac\x81", "fi" },
		{ "ÄÖ", "äö" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct buf a = { 0 }, b = { 0 };

		mime_casemap(span_str(v[i][0]), &a);
		mime_casemap(span_str(v[i][1]), &b);
		if (i != 2)
			assert_true(span_eq(buf_span(&a), buf_span(&b)));
		buf_fini(&a);
		buf_fini(&b);
	}
}

static void
html_becomes_text_however_split(void **state)
{
	static const char in[] = "<!DOCTYPE html><html><head><title>T</title><style>p{}</style></head>"
	    "<body><!-- no > -- --><p class=\"a>b\">Hello&nbsp;<b>w&ouml;rld</b></p>\r\n<script>if (a<b) "
	    "'</scr'</script>1 &lt; 2 &#x20AC; &bogus; &amp<br/>a < b<td>c";
	static const char want[] = "Hello w\xc3\xb6rld\n1 < 2 \xe2\x82\xac &bogus &\na < b c";

	for (size_t step = 1; step < sizeof(in); step++) {
		struct mime_html *h = mime_html_new();
		struct buf out = { 0 };
		size_t n = sizeof(in) - 1;

		for (size_t k = 0; k < n; k += step)
			mime_html_feed(h, span(in + k, n - k < step ? n - k : step), &out);
		mime_html_done(h, &out);
		check_span(buf_span(&out), want);
		buf_fini(&out);
		mime_html_free(&h);
	}
}

/* --- structure --- */

struct dump {
	struct buf	bodies;
};

static bool
want_all(void *arg, uint32_t i, struct span block)
{
	struct dump *d = arg;

	buf_addf(&d->bodies, "[%u %zu]", i, block.len);
	return true;
}

static bool
take_body(void *arg, uint32_t i, struct span data)
{
	buf_add_span(&((struct dump *)arg)->bodies, data);
	return true;
}

static const struct mime_parser_ops dump_ops = { want_all, take_body, NULL };

/* The tree as text: (kind header body "first bytes" children). */
static void
print_part(const struct mime_part *parts, uint32_t i, struct span msg, struct buf *out)
{
	const struct mime_part *p = &parts[i];
	struct span body = span_sub(msg, p->body_start, p->body_len);

	buf_addf(out, "(%c %ju", "lmr"[p->kind], (uintmax_t)p->header_len);
	if (p->kind == MIME_LEAF)
		buf_addf(out, " '%.*s'", (int)body.len, body.p);
	for (uint32_t c = p->first; c != MIME_NONE; c = parts[c].next)
		print_part(parts, c, msg, out);
	buf_add_c(out, ')');
}

static void
parse_in_steps(struct span msg, size_t first, size_t step, struct buf *bodies, struct buf *raw)
{
	struct dump d = { { 0 } };
	struct mime_parser *p = mime_parser_new(&dump_ops, &d);
	const struct mime_part *parts;
	size_t n;

	if (first > msg.len)
		first = msg.len;
	mime_parser_feed(p, msg.p, first);
	for (size_t i = first; i < msg.len; i += step)
		mime_parser_feed(p, msg.p + i, msg.len - i < step ? msg.len - i : step);
	mime_parser_finish(p);
	parts = mime_parser_parts(p, &n);
	assert_int_equal(mime_parser_size(p), msg.len);
	for (size_t i = 0; i < n; i++) {
		buf_addf(raw, "%d %d %ju %ju %ju %ju %ju %ju %u;", (int)parts[i].kind, (int)parts[i].parent,
		    (uintmax_t)parts[i].header_start, (uintmax_t)parts[i].header_len,
		    (uintmax_t)parts[i].body_start, (uintmax_t)parts[i].body_len,
		    (uintmax_t)parts[i].header_lines, (uintmax_t)parts[i].body_lines, parts[i].depth);
		assert_true(parts[i].header_start + parts[i].header_len <= msg.len);
		assert_true(parts[i].body_start + parts[i].body_len <= msg.len);
	}
	buf_add_span(bodies, buf_span(&d.bodies));
	buf_fini(&d.bodies);
	mime_parser_free(&p);
}

static void
same_however_split(struct span msg)
{
	struct buf bodies = { 0 }, raw = { 0 };

	parse_in_steps(msg, msg.len, 1, &bodies, &raw);
	for (size_t k = 0; k <= msg.len + 16; k++) {
		struct buf b = { 0 }, r = { 0 };
		bool by_step = k > msg.len;

		if (!by_step && msg.len > 1500 && k % (msg.len / 300) != 0)
			continue;
		parse_in_steps(msg, by_step ? 0 : k, by_step ? k - msg.len : msg.len, &b, &r);
		if (!span_eq(buf_span(&r), buf_span(&raw)))
			fail_msg("split %zu: %s\nwhole: %s", k, buf_cstr(&r), buf_cstr(&raw));
		assert_true(span_eq(buf_span(&b), buf_span(&bodies)));
		buf_fini(&b);
		buf_fini(&r);
	}
	buf_fini(&bodies);
	buf_fini(&raw);
}

static void
digest_whole(struct span msg, size_t step, struct buf *all)
{
	struct mime_digest *d = mime_digest_new(100000);
	struct mime_digest_result r;
	struct mime_structure s;
	struct mime_list l;

	for (size_t i = 0; i < msg.len; i += step)
		mime_digest_feed(d, msg.p + i, msg.len - i < step ? msg.len - i : step);
	mime_digest_finish(d, &r);
	assert_int_equal(mime_list_read(r.list, &l), ST_OK);
	assert_int_equal(mime_structure_open(r.structure, &s), ST_OK);
	assert_true(r.list.len <= MIME_LIST_MAX && r.structure.len <= MIME_STRUCTURE_MAX);
	mime_structure_close(&s);
	buf_add_span(all, r.list);
	buf_add_span(all, r.structure);
	buf_add_span(all, r.header);
	buf_add_span(all, r.text);
	mime_digest_free(&d);
}

static void
check_message(struct span msg)
{
	struct buf one = { 0 }, other = { 0 };

	same_however_split(msg);
	digest_whole(msg, 7, &one);
	digest_whole(msg, 65536, &other);
	assert_true(span_eq(buf_span(&one), buf_span(&other)));
	buf_fini(&one);
	buf_fini(&other);
}

static void
malformed_messages_have_their_documented_reading(void **state)
{
	static const char *const v[][2] = {
		{ "", "(l 0 '')" },
		{ "\n", "(l 1 '')" },
		{ "a: b", "(l 4 '')" },
		{ "a: b\r\n\r\nc\r\n", "(l 8 'c\r\n')" },
		{ "no header\nat all\n", "(l 0 'no header\nat all\n')" },
		{ "From me Mon\na: b\n\nx", "(l 18 'x')" },
		{ "a: b\nnot a field\n", "(l 5 'not a field\n')" },
		{ "Content-Type: multipart/mixed; boundary=b\n\nbody\n", "(l 43 'body\n')" },
		{ "Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n", "(l 31 '--b\n\nx\n--b--\n')" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n", "(m 43(l 1 'x\n'))" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b \n\nx\n--bb\n--b--x\n--b--\t\nend",
		    "(m 43(l 1 'x\n--bb\n--b--x'))" },
		{ "Content-Type: multipart/mixed; boundary=b\n--b\nA: b\n--b\n\n\n--b--\n",
		    "(m 42(l 5 '')(l 1 ''))" },
		{ "Content-Type: multipart/mixed; boundary=ab\n\n--ab\nContent-Type: multipart/mixed; "
		    "boundary=a\n\n--a\n\n1\n--ab\n\n2", "(m 44(m 43(l 1 '1'))(l 1 '2'))" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; "
		    "boundary=b\n\n--b\n\n1\n--b--\n--b\n\n2", "(m 43(m 43(l 1 '1'))(l 1 '2'))" },
		{ "Content-Type: message/rfc822\n\nA: b\n\nx", "(r 30(l 6 'x'))" },
		{ "Content-Type: message/rfc822\n\nnot valid", "(r 30(l 0 'not valid'))" },
		{ "Content-Type: message/rfc822", "(r 28(l 0 ''))" },
		{ "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\neA==", "(l 64 'eA==')" },
		{ "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\nx\n--b--\n",
		    "(m 44(r 1(l 6 'x')))" },
		{ "Content-Type: multipart/mixed; boundary=\"a--\"\n\n--a--\n\nx\n--a----", "(m 47(l 1 'x'))" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nS: x\n--b--",
		    "(m 43(r 30(l 5 '')))" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct span msg = span_str(v[i][0]);
		struct mime_parser *p = mime_parser_new(NULL, NULL);
		struct buf out = { 0 };
		size_t n;

		mime_parser_feed(p, msg.p, msg.len);
		mime_parser_finish(p);
		print_part(mime_parser_parts(p, &n), 0, msg, &out);
		check_span(buf_span(&out), v[i][1]);
		buf_fini(&out);
		mime_parser_free(&p);
		check_message(msg);
	}
}

static const char nested[] =
    "Date: Sat, 24 Mar 2007 23:00:00 +0200\r\nSubject: Re: [x] =?utf-8?q?H=C3=A9?=\r\n"
    "From: A B <a@x.test>\r\nReply-To:\r\nTo: g:c@d;\r\nMessage-ID: <1@x>\r\nReferences: <0@x>\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n"
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello  there\r\n"
    "--b\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=a.eml\r\n\r\n"
    "Subject: inner\r\nFrom: <in@x>\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    "--c\r\n\r\none\r\n--c\r\nContent-Type: text/html\r\nContent-Language: de, en\r\n\r\n<p>two\r\n--c--\r\n"
    "--b--\r\nepilogue";

static void
section_is(const struct mime_structure *s, const uint32_t *path, size_t n, enum mime_section sec,
    const char *want)
{
	struct mime_range r;

	if (want == NULL) {
		assert_false(mime_structure_section(s, path, n, sec, &r));
		return;
	}
	assert_true(mime_structure_section(s, path, n, sec, &r));
	check_span(span(nested + r.start, r.len), want);
}

static void
check_column(const struct span *col, enum mime_column c, const char *want)
{
	struct span text;
	bool cut;

	assert_true(mime_column_text(col[c], &text, &cut));
	assert_false(cut);
	check_span(text, want);
}

static void
check_columns(const struct mime_list *l)
{
	struct mime_columns c = { .n = 0 };
	struct span col[MIME_COLUMNS];
	struct mime_column_thread t;
	struct buf blob = { 0 };
	int64_t sent;
	int zone;
	size_t at;

	mime_columns_add_list(&c, l);
	assert_int_equal(c.n, MIME_COL_ENVELOPE);
	mime_columns_finish(&c, &blob);
	assert_int_equal(blob.data[0], MIME_COLUMNS_VERSION);
	at = 2 + 2 * (size_t)blob.data[1];
	for (int i = 0; i < blob.data[1]; i++) {
		size_t n = get_be16(blob.data + 2 + 2 * i);

		col[i] = span(blob.data + at, n);
		at += n;
	}
	assert_int_equal(at, blob.len);
	assert_true(mime_column_sent(col[MIME_COL_SENT], &sent, &zone));
	assert_true(sent == l->sent_s && zone == 120);
	assert_true(mime_column_thread(col[MIME_COL_THREAD], &t));
	assert_true(t.reply && t.subject_hash == mime_subject_hash(l->base_subject));
	assert_true(t.id == mime_id_hash(span_str("1@x")) && t.ancestors.len == 8);
	assert_true(get_be64(t.ancestors.p) == mime_id_hash(span_str("0@x")));
	check_column(col, MIME_COL_SUBJECT_KEY, "HE\xcc\x81");
	check_column(col, MIME_COL_FROM_KEY, "A");
	check_column(col, MIME_COL_FROM_DISPLAY, "A B");
	check_column(col, MIME_COL_SUBJECT, "RE: [X] HE\xcc\x81");
	assert_int_equal(col[MIME_COL_CC].len, 0);
	buf_fini(&blob);
}

static void
blobs_tell_envelope_and_places(void **state)
{
	struct mime_digest *d = mime_digest_new(4096);
	struct mime_digest_result r;
	struct mime_structure s;
	struct mime_part_view v;
	struct mime_list l;
	struct mime_seq seq;
	struct mime_addr a;
	struct span name, value;

	mime_digest_feed(d, nested, sizeof(nested) - 1);
	mime_digest_finish(d, &r);
	assert_int_equal(mime_list_read(r.list, &l), ST_OK);
	check_span(l.env.subject, "Re: [x] =?utf-8?q?H=C3=A9?=");
	check_span(l.base_subject, "H\xc3\xa9");
	assert_true(l.is_reply && l.has_sent && l.has_attachment);
	assert_int_equal(l.sent_zone, 120);
	check_span(l.id, "1@x");
	check_span(l.preview, "Hello there");
	assert_null(l.env.in_reply_to.p);
	assert_int_equal(r.n_thread_keys, 2);
	assert_int_equal(r.thread_keys[1], mime_id_hash(span_str("0@x")));
	seq = mime_envelope_list(&l.env, MIME_REPLY_TO);
	assert_true(mime_seq_addr(&seq, &a));
	check_span(a.name, "A B");
	assert_false(mime_seq_addr(&seq, &a));
	assert_int_equal(l.env.lists[MIME_TO].n, 3);
	check_columns(&l);

	assert_int_equal(mime_structure_open(r.structure, &s), ST_OK);
	assert_int_equal(s.parts, 6);
	mime_structure_part(&s, 1, &v);
	assert_true(mime_seq_param(&v.params, &name, &value));
	check_span(name, "charset");
	check_span(v.encoding, "7BIT");
	mime_structure_part(&s, 2, &v);
	check_span(v.disposition, "attachment");
	mime_structure_part(&s, v.at.first, &v);
	assert_true(v.has_env);
	check_span(v.env.subject, "inner");
	mime_structure_part(&s, 5, &v);
	assert_int_equal(v.language.n, 2);

	section_is(&s, (uint32_t[]){ 1 }, 1, MIME_SECTION_ALL, "Hello  there");
	section_is(&s, (uint32_t[]){ 1 }, 1, MIME_SECTION_MIME,
	    "Content-Type: text/plain; charset=utf-8\r\n\r\n");
	section_is(&s, (uint32_t[]){ 1 }, 1, MIME_SECTION_TEXT, NULL);
	section_is(&s, (uint32_t[]){ 2 }, 1, MIME_SECTION_HEADER, "Subject: inner\r\nFrom: <in@x>\r\n"
	    "Content-Type: multipart/alternative; boundary=c\r\n\r\n");
	section_is(&s, (uint32_t[]){ 2, 1 }, 2, MIME_SECTION_ALL, "one");
	section_is(&s, (uint32_t[]){ 2, 2 }, 2, MIME_SECTION_ALL, "<p>two");
	section_is(&s, (uint32_t[]){ 2, 3 }, 2, MIME_SECTION_ALL, NULL);
	section_is(&s, (uint32_t[]){ 1, 1 }, 2, MIME_SECTION_ALL, NULL);
	section_is(&s, (uint32_t[]){ 0 }, 1, MIME_SECTION_ALL, NULL);
	section_is(&s, NULL, 0, MIME_SECTION_ALL, nested);
	mime_structure_close(&s);
	mime_digest_free(&d);
	check_message(SPAN_LIT(nested));
}

static void
a_multipart_without_boundary_reads_as_text(void **state)
{
	static const char msg[] = "Content-Type: multipart/mixed\n\nsome text\n";
	struct mime_digest *d = mime_digest_new(1000);
	struct mime_digest_result r;
	struct mime_structure s;
	struct mime_part_view v;
	struct mime_list l;

	mime_digest_feed(d, msg, sizeof(msg) - 1);
	mime_digest_finish(d, &r);
	assert_int_equal(mime_list_read(r.list, &l), ST_OK);
	check_span(l.preview, "some text");
	check_span(r.text, "CONTENT-TYPE: MULTIPART/MIXED\nSOME TEXT\n\n");
	assert_int_equal(mime_structure_open(r.structure, &s), ST_OK);
	mime_structure_part(&s, 0, &v);
	check_span(v.type, "text");
	check_span(v.subtype, "plain");
	assert_int_equal(v.at.body_lines, 1);
	mime_structure_close(&s);
	mime_digest_free(&d);
}

static void
limits_end_the_structure_and_not_the_message(void **state)
{
	struct buf deep = { 0 }, many = { 0 }, big = { 0 };

	for (int i = 0; i < 200; i++)
		buf_addf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
	buf_add_str(&many, "Content-Type: multipart/mixed; boundary=b\n\n");
	for (int i = 0; i < 1200; i++)
		buf_add_str(&many, "--b\nContent-Type: application/x-thing; name=\"aaaaaaaaaaaaaaaaaaaaaaaa\"\n"
		    "Content-Description: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n\nx\n");
	for (int i = 0; i < 20000; i++)
		buf_addf(&big, "To: %d@example.org, %d@example.net\n", i, i);
	buf_add_str(&big, "\nbody");
	for (size_t i = 0; i < 3; i++) {
		struct buf one = { 0 }, other = { 0 }, *m = i == 0 ? &deep : i == 1 ? &many : &big;

		digest_whole(buf_span(m), 1000, &one);
		digest_whole(buf_span(m), 1 << 20, &other);
		assert_true(span_eq(buf_span(&one), buf_span(&other)));
		buf_fini(&one);
		buf_fini(&other);
	}
	buf_fini(&deep);
	buf_fini(&many);
	buf_fini(&big);
}

static void
a_cut_or_changed_blob_is_refused_or_read_in_bounds(void **state)
{
	struct mime_digest *d = mime_digest_new(0);
	struct mime_digest_result r;
	struct mime_structure s;
	struct mime_list l;

	mime_digest_feed(d, nested, sizeof(nested) - 1);
	mime_digest_finish(d, &r);
	for (size_t i = 0; i < r.structure.len; i++)
		assert_int_not_equal(mime_structure_open(span(r.structure.p, i), &s), ST_OK);
	for (size_t i = 0; i < r.list.len; i++)
		assert_int_not_equal(mime_list_read(span(r.list.p, i), &l), ST_OK);
	mime_digest_free(&d);
}

static void
real_mail_is_the_same_however_split(void **state)
{
	static const char *const folders[] = { "mime", "real" };
	const char *root = getenv("MANSIO_CORPUS");

	if (root == NULL)
		skip();
	for (size_t f = 0; f < 2; f++) {
		char path[4096];
		struct dirent *e;
		size_t seen = 0;
		DIR *dir;

		snprintf(path, sizeof(path), "%s/%s", root, folders[f]);
		dir = opendir(path);
		while (dir != NULL && (e = readdir(dir)) != NULL) {
			struct buf m = { 0 }, out = { 0 };
			FILE *in;
			size_t n;

			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s/%s", root, folders[f], e->d_name);
			in = fopen(path, "rb");
			assert_non_null(in);
			while ((n = fread(buf_reserve(&m, 65536), 1, 65536, in)) > 0)
				buf_added(&m, n);
			fclose(in);
			if (f == 0 || seen++ % 20 == 0)
				check_message(buf_span(&m));
			else
				digest_whole(buf_span(&m), 4096, &out);
			buf_fini(&m);
			buf_fini(&out);
		}
		if (dir != NULL)
			closedir(dir);
	}
}

static void
a_column_of_the_header_answers_for_kept_names_and_for_absent_ones(void **state)
{
	const struct span block = SPAN_LIT("Received: by x\r\nSubject: a\r\n b\r\nX-Own: 1\r\n"
	    "Lines: 2\r\nTo: c@d\r\nsubject: again\r\n\r\n");
	struct mime_header_names kept = { 0 }, absent = { 0 }, there = { 0 };
	struct mime_header_walk w;
	struct buf column = { 0 }, more = { 0 }, out = { 0 };
	struct span field;

	mime_header_columns(block, &column, &more);
	assert_true(mime_header_names_add(&kept, SPAN_LIT("SUBJECT")));
	assert_true(mime_header_open(buf_span(&column), SPAN_NONE, &kept, &w));
	while (mime_header_next(&w, &kept, &field))
		buf_add_span(&out, field);
	check_span(buf_span(&out), "Subject: a\r\n b\r\nsubject: again\r\n");
	buf_clear(&out);
	mime_header_names_add(&kept, SPAN_LIT("Lines"));
	assert_true(mime_header_names_more(&kept));
	assert_false(mime_header_open(buf_span(&column), SPAN_NONE, &kept, &w));
	assert_true(mime_header_open(buf_span(&column), buf_span(&more), &kept, &w));
	while (mime_header_next(&w, &kept, &field))
		buf_add_span(&out, field);
	check_span(buf_span(&out), "Subject: a\r\n b\r\nLines: 2\r\nsubject: again\r\n");
	mime_header_names_add(&absent, SPAN_LIT("X-Nowhere"));
	assert_true(mime_header_open(buf_span(&column), SPAN_NONE, &absent, &w));
	assert_false(mime_header_next(&w, &absent, &field));
	mime_header_names_add(&there, SPAN_LIT("x-own"));
	assert_false(mime_header_open(buf_span(&column), SPAN_NONE, &there, &w));
	buf_clear(&column);
	buf_clear(&more);
	mime_header_columns(SPAN_LIT("Subject: no line end"), &column, &more);
	assert_false(mime_header_open(buf_span(&column), buf_span(&more), &kept, &w));
	buf_fini(&more);
	buf_fini(&column);
	buf_fini(&out);
}

static void
a_name_of_one_long_word_is_encoded_and_folded(void **state)
{
	struct buf name = { 0 }, out = { 0 }, back = { 0 };
	struct mime_line line;
	struct span rest;

	for (unsigned i = 0; i < 1100; i++)
		buf_add_c(&name, 'y');
	mime_line_begin(&line, &out, SPAN_LIT("From"));
	mime_line_phrase(&line, buf_span(&name));
	mime_line_word(&line, SPAN_LIT("<a@b>"));
	mime_line_end(&line);
	for (rest = buf_span(&out); rest.len > 0;)
		assert_true(span_cut(&rest, '\n').len <= 78);
	rest = span_sub(buf_span(&out), strlen("From: "), out.len - strlen("From:  <a@b>\r\n"));
	mime_words_decode(rest, &back);
	assert_true(span_eq(span_trim(buf_span(&back)), buf_span(&name)));
	buf_fini(&name);
	buf_fini(&out);
	buf_fini(&back);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_of_one_long_word_is_encoded_and_folded),
		cmocka_unit_test(a_column_of_the_header_answers_for_kept_names_and_for_absent_ones),
		cmocka_unit_test(encoded_words_become_utf8),
		cmocka_unit_test(parameters_are_put_together_again),
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(dates_are_read),
		cmocka_unit_test(base_subjects_follow_rfc_5256),
		cmocka_unit_test(message_ids_are_read),
		cmocka_unit_test(transfer_encodings_are_decoded_however_split),
		cmocka_unit_test(encoders_are_undone_by_decoders),
		cmocka_unit_test(charsets_become_utf8_however_split),
		cmocka_unit_test(casemap_makes_equal_what_differs_in_case_and_form),
		cmocka_unit_test(html_becomes_text_however_split),
		cmocka_unit_test(malformed_messages_have_their_documented_reading),
		cmocka_unit_test(blobs_tell_envelope_and_places),
		cmocka_unit_test(a_multipart_without_boundary_reads_as_text),
		cmocka_unit_test(limits_end_the_structure_and_not_the_message),
		cmocka_unit_test(a_cut_or_changed_blob_is_refused_or_read_in_bounds),
		cmocka_unit_test(real_mail_is_the_same_however_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
