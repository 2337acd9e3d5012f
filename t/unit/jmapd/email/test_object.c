#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/util/mem.h"
#include "jmapd/email/header.h"
#include "jmapd/email/pass.h"
#include "t/unit/jmapd/email/email_text.h"

static void
check_in(const char *message, struct email_text t, const char *want)
{
	for (size_t piece = 0; piece < 3; piece++) {
		struct buf out = { 0 };

		t.piece = piece;
		email_text(span_str(message), &t, &out);
		assert_string_equal(buf_cstr(&out), want);
		buf_fini(&out);
	}
}

static void
check(const char *message, const char *properties, const char *want)
{
	check_in(message, (struct email_text){ .properties = properties, .all = true }, want);
}

static const char rfc_header[] =
	"To:   \"  James Smythe\" <james@example.com>, Friends:\r\n"
	"  jane@example.com, =?UTF-8?Q?John_Sm=C3=AEth?=\r\n  <john@example.com>;\r\n\r\n";

static void
addresses_come_as_the_rfc_shows_them(void **state)
{
	static const char addresses[] =
	    "[{\"name\":\"James Smythe\",\"email\":\"james@example.com\"},"
	    "{\"name\":null,\"email\":\"jane@example.com\"},"
	    "{\"name\":\"John Sm\xc3\xaeth\",\"email\":\"john@example.com\"}]";
	char want[1000];

	snprintf(want, sizeof(want), "{\"to\":%s,\"header:to:asAddresses:all\":[%s],"
	    "\"header:To:asGroupedAddresses\":[{\"name\":null,\"addresses\":[{\"name\":"
	    "\"James Smythe\",\"email\":\"james@example.com\"}]},{\"name\":\"Friends\",\"addresses\":["
	    "{\"name\":null,\"email\":\"jane@example.com\"},{\"name\":\"John Sm\xc3\xaeth\",\"email\":"
	    "\"john@example.com\"}]}]}", addresses, addresses);
	check(rfc_header, "[\"to\",\"header:to:asAddresses:all\",\"header:To:asGroupedAddresses\"]",
	    want);
}

static void
the_list_and_the_header_tell_the_same(void **state)
{
	static const char *const both[][2] = {
		{ "messageId", "header:Message-ID:asMessageIds" },
		{ "inReplyTo", "header:In-Reply-To:asMessageIds" },
		{ "references", "header:References:asMessageIds" },
		{ "sender", "header:Sender:asAddresses" }, { "from", "header:From:asAddresses" },
		{ "to", "header:To:asAddresses" }, { "replyTo", "header:Reply-To:asAddresses" },
		{ "subject", "header:Subject:asText" }, { "sentAt", "header:Date:asDate" }
	};
	static const char *const messages[] = {
		"Message-ID: <a@b>\r\nIn-Reply-To: <c@d> (x) <e@f>\r\nReferences: <a@b>\r\n <c@d>\r\n"
		"From: =?utf-8?q?=C3=84?= <x@y>, z@w\r\nSender: \"a b\"@c\r\nTo: a:;\r\n"
		"Subject: =?utf-8?q?H=C3=A9?=\r\n there  \r\nDate: Tue, 10 Jul 2018 11:03:11 +1000\r\n\r\n",
		"Subject: one\r\nSubject: two\r\nFrom: \"=?utf-8?q?x?=\" <a@b>\r\nTo:\r\n"
		"References: nothing\r\nDate: never\r\nDate: 1 Jan 2020 00:00:00 GMT\r\n\r\n",
		"X: y\r\n\r\n"
	};

	for (size_t m = 0; m < ARRAY_LEN(messages); m++)
		for (size_t i = 0; i < ARRAY_LEN(both); i++) {
			struct buf a = { 0 }, b = { 0 };
			char props[200];
			size_t skip;

			snprintf(props, sizeof(props), "[\"%s\"]", both[i][0]);
			email_text(span_str(messages[m]), &(struct email_text){ .properties = props }, &a);
			/* all: out of the header, whatever the list has */
			snprintf(props, sizeof(props), "[\"%s:all\"]", both[i][1]);
			email_text(span_str(messages[m]), &(struct email_text){ .properties = props }, &b);
			skip = strlen(both[i][0]) + 4;
			if (strstr(buf_cstr(&b), ":[]}") != NULL)
				assert_string_equal(buf_cstr(&a) + skip, "null}");
			else {
				struct span value = span_sub(buf_span(&a), skip, a.len - skip - 1);
				struct span all = buf_span(&b);

				assert_true(all.len > value.len + 2 &&
				    memcmp(all.p + all.len - 2 - value.len, value.p, value.len) == 0);
			}
			buf_fini(&a);
			buf_fini(&b);
		}
}

static void
each_form_reads_its_field(void **state)
{
	static const char message[] =
	    "List-Unsubscribe: (comment) <mailto:a@b>,\r\n <http://x/ y> (z)\r\nList-Post: NO (no)\r\n"
	    "Subject: =?utf-8?q?a?=b\r\nSubject: =?iso-8859-1?q?caf=E9?=\r\n"
	    "X-Raw:  caf\xe9\r\n\tmore\r\nResent-Date: Sat, 1 Jan 2000 00:00:00 -0330\r\n"
	    "Date: Mon, 32 Jan 2000\r\nReferences: <a (c) @b> junk <\"q>q\"@d>\r\n\r\n";

	check(message, "[\"header:List-Unsubscribe:asURLs\",\"header:list-post:asURLs\","
	    "\"header:Subject:asText:all\",\"header:subject:asText\",\"header:X-Raw\","
	    "\"header:X-Raw:asText\",\"header:X-Raw:asRaw:all\",\"header:Resent-Date:asDate\",\"sentAt\","
	    "\"references\",\"header:Gone\",\"header:Gone:all\",\"header:Subject:all\"]",
	    "{\"header:List-Unsubscribe:asURLs\":[\"mailto:a@b\",\"http://x/y\"],"
	    "\"header:list-post:asURLs\":null,"
	    "\"header:Subject:asText:all\":[\"=?utf-8?q?a?=b\",\"caf\xc3\xa9\"],"
	    "\"header:subject:asText\":\"caf\xc3\xa9\",\"header:X-Raw\":\"  caf\xef\xbf\xbd\\r\\n\\tmore\","
	    "\"header:X-Raw:asText\":\"caf\xc3\xa9\\tmore\","
	    "\"header:X-Raw:asRaw:all\":[\"  caf\xef\xbf\xbd\\r\\n\\tmore\"],"
	    "\"header:Resent-Date:asDate\":\"2000-01-01T00:00:00-03:30\",\"sentAt\":null,"
	    "\"references\":[\"a@b\",\"\\\"q>q\\\"@d\"],\"header:Gone\":null,\"header:Gone:all\":[],"
	    "\"header:Subject:all\":[\" =?utf-8?q?a?=b\",\" =?iso-8859-1?q?caf=E9?=\"]}");
}

static void
forms_that_a_field_does_not_have_are_refused(void **state)
{
	static const char *const bad[] = {
		"header:From:asDate", "header:Subject:asAddresses", "header:Date:asText",
		"header:Received:asText", "header:List-Id:asURLs", "header:References:asText",
		"header:", "header:A B", "header:X:asNothing", "header:X:all:asText", "header:X:",
		"header:X:asText:", "header:X:all:all", "header:X:astext", "nothing", "Subject"
	};
	static const char *const good[] = {
		"header:X:asDate:all", "header:List-Id:asText", "header:from:asGroupedAddresses",
		"header:Received", "header:Comments:asText", "header:X-Y:asURLs"
	};
	struct buf out = { 0 };
	char props[100];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(props, sizeof(props), "[\"%s\"]", bad[i]);
		assert_false(email_text(span_str("\r\n"), &(struct email_text){ .properties = props },
		    &out));
		assert_true(span_has_prefix(buf_span(&out), "properties: "));
		buf_clear(&out);
		assert_false(email_text(span_str("\r\n"),
		    &(struct email_text){ .body_properties = props }, &out));
		assert_true(span_has_prefix(buf_span(&out), "bodyProperties: "));
		buf_clear(&out);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(props, sizeof(props), "[\"%s\"]", good[i]);
		assert_true(email_text(span_str("\r\n"), &(struct email_text){ .properties = props },
		    &out));
	}
	buf_fini(&out);
}

#define PART(head, text) head "\r\n\r\n" text "\r\n"
#define INLINE "Content-Type: text/plain\r\nContent-Disposition: inline"
static const char rfc_structure[] =
	"Content-Type: multipart/mixed; boundary=1\r\n\r\n"
	"--1\r\n" PART(INLINE, "A")
	"--1\r\nContent-Type: multipart/mixed; boundary=2\r\n\r\n"
	"--2\r\nContent-Type: multipart/alternative; boundary=3\r\n\r\n"
	"--3\r\nContent-Type: multipart/mixed; boundary=4\r\n\r\n"
	"--4\r\n" PART(INLINE, "B")
	"--4\r\n" PART("Content-Type: image/jpeg\r\nContent-Disposition: inline", "C")
	"--4\r\n" PART(INLINE, "D")
	"--4--\r\n"
	"--3\r\nContent-Type: multipart/related; boundary=5\r\n\r\n"
	"--5\r\n" PART("Content-Type: text/html", "E")
	"--5\r\n" PART("Content-Type: image/jpeg", "F")
	"--5--\r\n"
	"--3--\r\n"
	"--2\r\n" PART("Content-Type: image/jpeg\r\nContent-Disposition: attachment", "G")
	"--2\r\n" PART("Content-Type: application/x-excel", "H")
	"--2\r\n" PART("Content-Type: message/rfc822", "Subject: J\r\n\r\nx")
	"--2--\r\n"
	"--1\r\n" PART(INLINE, "K")
	"--1--\r\n";

static void
parts_are_flattened_as_the_rfc_says(void **state)
{
	check_in(rfc_structure, (struct email_text){ .properties =
	    "[\"textBody\",\"htmlBody\",\"attachments\",\"hasAttachment\"]",
	    .body_properties = "[\"partId\"]" },
	    "{\"textBody\":[{\"partId\":\"1\"},{\"partId\":\"2.1.1.1\"},{\"partId\":\"2.1.1.2\"},"
	    "{\"partId\":\"2.1.1.3\"},{\"partId\":\"3\"}],"
	    "\"htmlBody\":[{\"partId\":\"1\"},{\"partId\":\"2.1.2.1\"},{\"partId\":\"3\"}],"
	    "\"attachments\":[{\"partId\":\"2.1.1.2\"},{\"partId\":\"2.1.2.2\"},{\"partId\":\"2.2\"},"
	    "{\"partId\":\"2.3\"},{\"partId\":\"2.4\"}],\"hasAttachment\":true}");
}

static void
a_tree_of_parts_tells_all_of_them(void **state)
{
	check_in("Content-Type: MULTIPART/Mixed; boundary=1\r\n\r\n"
	    "--1\r\nContent-Type: Text/HTML; charset=\"ISO-8859-1\"; name=\"=?utf-8?q?=C3=A9?=\"\r\n"
	    "Content-Id: (c) <a@b>\r\nContent-Language: de, en\r\nContent-Location: http://x/\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>=E9</b>\r\n"
	    "--1\r\nContent-Type: application/x; name=a\r\nContent-Disposition: Attachment;\r\n"
	    " filename*0*=utf-8''%C3%A9;filename*1=x\r\nContent-Transfer-Encoding: base64\r\nX-Y: z\r\n\r\n"
	    "aGVsbG8=\r\n--1--\r\n",
	    (struct email_text){ .properties = "[\"bodyStructure\",\"bodyValues\"]",
	    .body_properties = "[\"partId\",\"blobId\",\"size\",\"name\",\"type\",\"charset\","
	    "\"disposition\",\"cid\",\"language\",\"location\",\"header:x-y:asText\"]", .all = true },
	    "{\"bodyStructure\":{\"partId\":null,\"blobId\":null,\"size\":395,\"name\":null,"
	    "\"type\":\"multipart/mixed\",\"charset\":null,\"disposition\":null,\"cid\":null,"
	    "\"language\":null,\"location\":null,\"header:x-y:asText\":null,\"subParts\":["
	    "{\"partId\":\"1\",\"blobId\":\"B1-f9-aQ\",\"size\":8,\"name\":\"\xc3\xa9\","
	    "\"type\":\"text/html\",\"charset\":\"ISO-8859-1\",\"disposition\":null,\"cid\":\"a@b\","
	    "\"language\":[\"de\",\"en\"],\"location\":\"http://x/\",\"header:x-y:asText\":null},"
	    "{\"partId\":\"2\",\"blobId\":\"B1-1a7-8B\",\"size\":5,\"name\":\"\xc3\xa9x\","
	    "\"type\":\"application/x\",\"charset\":null,\"disposition\":\"attachment\",\"cid\":null,"
	    "\"language\":null,\"location\":null,\"header:x-y:asText\":\"z\"}]},"
	    "\"bodyValues\":{\"1\":{\"value\":\"<b>\xc3\xa9</b>\",\"isEncodingProblem\":false,"
	    "\"isTruncated\":false}}}");
}

static void
values_have_lines_and_say_what_was_wrong(void **state)
{
	check("Content-Type: text/plain; charset=utf-8\r\n\r\na\r\nb\rc\r\r\n\r",
	    "[\"bodyValues\"]", "{\"bodyValues\":{\"1\":{\"value\":\"a\\nb\\rc\\r\\n\\r\","
	    "\"isEncodingProblem\":false,\"isTruncated\":false}}}");
	check("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: x-new\r\n\r\na",
	    "[\"bodyValues\"]", "{\"bodyValues\":{\"1\":{\"value\":\"a\","
	    "\"isEncodingProblem\":true,\"isTruncated\":false}}}");
	check("Content-Type: text/plain; charset=nonsense\r\n\r\na", "[\"bodyValues\"]",
	    "{\"bodyValues\":{\"1\":{\"value\":\"a\",\"isEncodingProblem\":true,"
	    "\"isTruncated\":false}}}");
}

static void
values_are_cut_between_characters_and_tags(void **state)
{
	static const struct { const char *text; size_t max; bool html; const char *want; } v[] = {
		{ "abc", 3, false, "abc" }, { "abc", 2, false, "ab" }, { "a\xc3\xa9", 2, false, "a" },
		{ "a\xf0\x9f\x98\x80z", 4, true, "a" }, { "<b>x</b>", 6, true, "<b>x" },
		{ "<b>x</b>", 8, true, "<b>x</b>" }, { "a < b and more", 6, true, "a < b " },
		{ "x<a title=\"a>b\" href=y>z", 16, true, "x" }, { "x<!-- > -->y", 8, true, "x" },
		{ "x<!-- > -->yz", 12, true, "x<!-- > -->y" }, { "x<", 1, true, "x" },
		{ "<b>x</b>", 6, false, "<b>x</" }, { "x</b>", 2, true, "x" }
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct span got = pass_cut_text(span_str(v[i].text), v[i].max, v[i].html);

		assert_int_equal(got.len, strlen(v[i].want));
	}
	check_in("Content-Type: text/html\r\n\r\nabc<br>def", (struct email_text){
	    .properties = "[\"bodyValues\"]", .html = true, .max = 5 },
	    "{\"bodyValues\":{\"1\":{\"value\":\"abc\",\"isEncodingProblem\":false,"
	    "\"isTruncated\":true}}}");
	check_in("Content-Type: text/html\r\n\r\nabc<br>", (struct email_text){
	    .properties = "[\"bodyValues\"]", .text = true, .max = 7 },
	    "{\"bodyValues\":{\"1\":{\"value\":\"abc<br>\",\"isEncodingProblem\":false,"
	    "\"isTruncated\":false}}}");
}

static void
any_message_gives_an_email_however_it_is_cut(void **state)
{
	static const char *const dirs[] = { "t/data/mime", NULL };
	const char *corpus = getenv("MANSIO_CORPUS");

	for (size_t d = 0; d < 2; d++) {
		const char *name = d == 0 ? dirs[0] : corpus;
		DIR *dir = name != NULL ? opendir(name) : NULL;
		struct dirent *e;

		while (dir != NULL && (e = readdir(dir)) != NULL) {
			struct email_text t = { .all = true, .text = true, .html = true, .properties =
			    "[\"messageId\",\"from\",\"subject\",\"headers\",\"bodyStructure\",\"textBody\","
			    "\"bodyValues\",\"header:X:all\"]", .body_properties =
			    "[\"partId\",\"size\",\"name\",\"headers\",\"subParts\",\"type\",\"header:Content-Type\"]" };
			struct buf message = { 0 }, a = { 0 }, b = { 0 };
			char path[1000];
			FILE *f;
			size_t n;

			snprintf(path, sizeof(path), "%s/%s", name, e->d_name);
			f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
			if (f == NULL)
				continue;
			while ((n = fread(buf_reserve(&message, 65536), 1, 65536, f)) > 0)
				buf_added(&message, n);
			fclose(f);
			email_text(buf_span(&message), &t, &a);
			t.piece = 7;
			email_text(buf_span(&message), &t, &b);
			assert_true(span_eq(buf_span(&a), buf_span(&b)));
			buf_fini(&message);
			buf_fini(&a);
			buf_fini(&b);
		}
		if (dir != NULL)
			closedir(dir);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_come_as_the_rfc_shows_them),
		cmocka_unit_test(the_list_and_the_header_tell_the_same),
		cmocka_unit_test(each_form_reads_its_field),
		cmocka_unit_test(forms_that_a_field_does_not_have_are_refused),
		cmocka_unit_test(parts_are_flattened_as_the_rfc_says),
		cmocka_unit_test(a_tree_of_parts_tells_all_of_them),
		cmocka_unit_test(values_have_lines_and_say_what_was_wrong),
		cmocka_unit_test(values_are_cut_between_characters_and_tags),
		cmocka_unit_test(any_message_gives_an_email_however_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
