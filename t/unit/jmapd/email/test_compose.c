#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/json/writer.h"
#include "common/util/mem.h"
#include "t/unit/jmapd/email/compose_text.h"
#include "t/unit/jmapd/email/email_text.h"

#define CREATE(body) "{\"messageId\":[\"a@b\"],\"sentAt\":\"2018-07-10T01:03:11Z\"," body "}"
#define HEAD "Date: Tue, 10 Jul 2018 01:03:11 +0000\r\n"
#define TAIL "Message-ID: <a@b>\r\nMIME-Version: 1.0\r\n"

static void
check(const char *email, const char *want)
{
	struct buf out = { 0 };

	assert_true(compose_text(span_str(email), SPAN_LIT("\x01 blob"), &out));
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

static void
a_message_is_written_as_it_was_given(void **state)
{
	check(CREATE("\"subject\":\"x\""),
	    HEAD "Subject: x\r\nMessage-ID: <a@b>\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n\r\n");
	check(CREATE("\"bodyStructure\":{\"type\":\"text/plain\",\"partId\":\"bd48\","
	    "\"header:Content-Language\":\" en\",\"header:X-Y:asText\":\"z\"},"
	    "\"bodyValues\":{\"bd48\":{\"value\":\"I have\\nthe plan.\",\"isTruncated\":false}}"),
	    HEAD "Message-ID: <a@b>\r\nX-Y: z\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\nContent-Language: en\r\n\r\n"
	    "I have\r\nthe plan.");
	check(CREATE("\"textBody\":[{\"partId\":\"1\"}],\"bodyValues\":{\"1\":{\"value\":"
	    "\"caf\xc3\xa9 = \\n\"}}"),
	    HEAD TAIL "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9 =3D=20\r\n");
	check(CREATE("\"bodyStructure\":{\"blobId\":\"B1\",\"name\":\"a b\"}"),
	    HEAD TAIL "Content-Type: application/octet-stream; name=\"a b\"\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nASBibG9i\r\n");
	check(CREATE("\"bodyStructure\":{\"header:Content-Type\":\" multipart/x; boundary=q\","
	    "\"subParts\":[{\"partId\":\"1\",\"header:Content-Type\":\" text/x; a=b\"}]},"
	    "\"bodyValues\":{\"1\":{\"value\":\"y\"}}"),
	    HEAD TAIL "Content-Type: multipart/x; boundary=q\r\n\r\n--q\r\n"
	    "Content-Type: text/x; a=b;\r\n charset=utf-8\r\n\r\ny\r\n--q--\r\n");
}

static void
what_is_missing_is_made(void **state)
{
	struct buf out = { 0 };

	assert_true(compose_text(SPAN_LIT("{}"), SPAN_NONE, &out));
	assert_true(span_has_prefix(buf_span(&out), HEAD "Message-ID: <"));
	assert_non_null(strstr(buf_cstr(&out), "@example.com>\r\nMIME-Version: 1.0\r\n"));
	buf_fini(&out);
}

static void
lines_are_short_and_words_whole(void **state)
{
	struct buf email = { 0 }, out = { 0 };
	struct span rest, line;

	buf_add_str(&email, "{\"subject\":\"");
	for (int i = 0; i < 300; i++)
		buf_add_str(&email, i % 7 == 0 ? " " : i % 50 == 3 ? "x" : "\xe6\xbc\xa2");
	buf_add_str(&email, "\",\"to\":[");
	for (int i = 0; i < 50; i++)
		buf_addf(&email, "%s{\"name\":\"J\xc3\xbcrgen Number %d of the List\",\"email\":"
		    "\"number%d@example.com\"}", i > 0 ? "," : "", i, i);
	buf_add_str(&email, "],\"textBody\":[{\"partId\":\"1\"}],\"bodyValues\":{\"1\":{\"value\":\"");
	for (int i = 0; i < 2000; i++)
		buf_add_str(&email, "long line ");
	buf_add_str(&email, "\"}}}");
	assert_true(compose_text(buf_span(&email), SPAN_NONE, &out));
	for (rest = buf_span(&out); rest.len > 0;) {
		line = span_cut(&rest, '\n');
		assert_true(line.len <= 79);
	}
	buf_fini(&email);
	buf_fini(&out);
}

static void
what_is_against_the_rules_is_named(void **state)
{
	static const char *const v[][2] = {
		{ "\"headers\":[]", "headers" },
		{ "\"from\":[{\"email\":\"a@b\"}],\"header:From:asRaw\":\" x\"", "header:From:asRaw from" },
		{ "\"header:From:asDate\":\"2018-07-10T01:03:11Z\"", "header:From:asDate" },
		{ "\"header:Content-Type\":\" text/plain\"", "header:Content-Type" },
		{ "\"id\":\"M1\"", "id" }, { "\"size\":3", "size" }, { "\"preview\":\"x\"", "preview" },
		{ "\"nonsense\":1", "nonsense" },
		{ "\"subject\":1", "subject" }, { "\"subject\":\"a\\nb\"", "subject" },
		{ "\"from\":\"a@b\"", "from" }, { "\"from\":[{\"name\":\"x\"}]", "from" },
		{ "\"to\":[{\"email\":\"a@b, c@d\"}]", "to" }, { "\"to\":[{\"email\":\"a@b>\"}]", "to" },
		{ "\"messageId\":[\"a b\"]", "messageId" }, { "\"references\":\"a@b\"", "references" },
		{ "\"sentAt\":\"yesterday\"", "sentAt" }, { "\"sentAt\":\"2018-02-30T00:00:00Z\"", "sentAt" },
		{ "\"header:X\":\" a\\r\\nb: c\"", "header:X" }, { "\"header:X:asURLs\":[\"a b\"]",
		"header:X:asURLs" },
		{ "\"bodyStructure\":{\"partId\":\"1\"},\"textBody\":[{\"partId\":\"1\"}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\"}}", "textBody" },
		{ "\"bodyStructure\":{\"partId\":\"1\",\"header:Subject:asText\":\"y\"},\"subject\":\"x\","
		"\"bodyValues\":{\"1\":{\"value\":\"\"}}", "bodyStructure subject" },
		{ "\"textBody\":[]", "textBody" },
		{ "\"textBody\":[{\"partId\":\"1\",\"type\":\"text/html\"}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\"}}", "textBody" },
		{ "\"htmlBody\":[{\"partId\":\"1\",\"type\":\"text/plain\"}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\"}}", "htmlBody" },
		{ "\"textBody\":[{\"partId\":\"1\"},{\"partId\":\"1\"}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\"}}", "textBody" },
		{ "\"textBody\":[{\"partId\":\"2\"}],\"bodyValues\":{\"1\":{\"value\":\"\"}}",
		"textBody bodyValues" },
		{ "\"textBody\":[{\"partId\":\"1\",\"blobId\":\"B1\"}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\"}}", "textBody" },
		{ "\"textBody\":[{}]", "textBody" },
		{ "\"textBody\":[{\"partId\":\"1\",\"charset\":\"utf-8\"}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\"}}", "textBody" },
		{ "\"textBody\":[{\"partId\":\"1\",\"size\":1}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\"}}", "textBody" },
		{ "\"textBody\":[{\"partId\":\"1\",\"headers\":[]}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\"}}", "textBody" },
		{ "\"textBody\":[{\"partId\":\"1\",\"header:Content-Transfer-Encoding\":\" 7bit\"}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\"}}", "textBody" },
		{ "\"textBody\":[{\"partId\":\"1\"}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\",\"isTruncated\":true}}", "bodyValues" },
		{ "\"textBody\":[{\"partId\":\"1\"}],"
		"\"bodyValues\":{\"1\":{\"value\":\"\",\"isEncodingProblem\":true}}", "bodyValues" },
		{ "\"bodyStructure\":{\"type\":\"multipart/mixed\"}", "bodyStructure" },
		{ "\"bodyStructure\":{\"type\":\"multipart/mixed\",\"subParts\":[]}", "bodyStructure" },
		{ "\"bodyStructure\":{\"type\":\"multipart/mixed\",\"blobId\":\"B1\",\"subParts\":"
		"[{\"blobId\":\"B1\"}]}", "bodyStructure" },
		{ "\"bodyStructure\":{\"type\":\"image/png\",\"blobId\":\"B1\",\"subParts\":"
		"[{\"blobId\":\"B1\"}]}", "bodyStructure" },
		{ "\"bodyStructure\":{\"type\":\"image\",\"blobId\":\"B1\"}", "bodyStructure" },
		{ "\"bodyStructure\":{\"type\":\"image/png\",\"blobId\":\"B1\",\"cid\":\"a b\"}",
		"bodyStructure" },
		{ "\"bodyStructure\":{\"type\":\"image/png\",\"blobId\":\"B1\",\"header:Content-Type\":"
		"\" image/png\"}", "bodyStructure" },
		{ "\"bodyStructure\":{\"header:Content-Type\":\" multipart/mixed\",\"subParts\":"
		"[{\"blobId\":\"B1\"}]}", "bodyStructure" },
		{ "\"attachments\":[{\"blobId\":\"B1\",\"name\":\"a\\u0000b\"}]", "attachments" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct buf email = { 0 }, out = { 0 }, want = { 0 };

		buf_addf(&email, "{%s}", v[i][0]);
		assert_false(compose_text(buf_span(&email), SPAN_NONE, &out));
		buf_addf(&want, "%s | ", v[i][1]);
		if (!span_has_prefix(buf_span(&out), buf_cstr(&want)))
			fail_msg("%s gave %s", v[i][0], buf_cstr(&out));
		buf_fini(&email);
		buf_fini(&out);
		buf_fini(&want);
	}
}

/* --- what was composed is read as what was given --- */

struct both {
	struct json_writer	given, want;
	struct buf		given_text, want_text;
	struct json_writer	values, want_values;
	struct buf		values_text, want_values_text;
	unsigned		parts;
};

static size_t
pick(size_t n)
{
	return (size_t)rand() % n;
}

static struct span
random_text(struct buf *b, size_t max, bool lines)
{
	static const char *const bits[] = {
		"a", "b", "Z", "9", " ", "  ", "=", "?", "=?", "?=", "=?utf-8?q?x?=", "\"", "\\", ",", ";",
		"<", ">", "(", ")", "@", ".", "_", "'", "%", "*", "\xc3\xa9", "\xe6\xbc\xa2",
		"\xf0\x9f\x98\x80", "\xe2\x80\x93", "word ", "longerword", "From ", ":"
	};
	size_t n = pick(max);

	buf_clear(b);
	for (size_t i = 0; i < n; i++) {
		if (lines && pick(8) == 0)
			buf_add_c(b, '\n');
		buf_add_str(b, bits[pick(ARRAY_LEN(bits))]);
	}
	return buf_span(b);
}

static void
put_both(struct both *o, const char *key, struct span s)
{
	if (s.p == NULL) {
		json_key(&o->want, key);
		json_null(&o->want);
		return;
	}
	json_kv_string(&o->given, key, s);
	json_kv_string(&o->want, key, s);
}

static void
random_addresses(struct json_writer *w, unsigned seed)
{
	static const char *const emails[] = {
		"a@b", "joe.bloggs@example.com", "\"a b\"@c.d", "\xc3\xa9@\xc3\xa9.example", "half", "x+y@[1.2.3.4]"
	};
	struct buf b = { 0 };

	srand(seed);
	json_begin_array(w);
	for (size_t n = 1 + pick(4); n > 0; n--) {
		struct span name = random_text(&b, 12, false);

		json_begin_object(w);
		json_key(w, "name");
		if (name.len > 0 && pick(4) > 0)
			json_string(w, name);
		else
			json_null(w);
		json_kv_str(w, "email", emails[pick(ARRAY_LEN(emails))]);
		json_end_object(w);
	}
	json_end_array(w);
	buf_fini(&b);
}

static void
random_header(struct both *o)
{
	static const char *const addresses[] = { "from", "to", "header:X-To:asAddresses" };
	struct buf b = { 0 };

	json_kv_str(&o->given, "sentAt", "2018-07-10T11:03:11+10:00");
	put_both(o, "subject", random_text(&b, 60, false));
	put_both(o, "header:X-Text:asText", random_text(&b, 20, false));
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		unsigned seed = (unsigned)rand();

		json_key(&o->given, addresses[i]);
		random_addresses(&o->given, seed);
		json_key(&o->want, addresses[i]);
		random_addresses(&o->want, seed);
	}
	buf_fini(&b);
}

static void
random_part(struct both *o, unsigned depth, const char *id)
{
	static const char *const multi[] = { "multipart/mixed", "multipart/alternative",
	    "multipart/related" };
	bool multipart = depth < 4 && pick(depth + 2) == 0;
	struct buf b = { 0 };
	struct span name = pick(2) > 0 ? random_text(&b, 30, false) : SPAN_NONE;

	if (name.len == 0)
		name = SPAN_NONE;
	json_begin_object(&o->given);
	json_begin_object(&o->want);
	put_both(o, "type", span_str(multipart ? multi[pick(3)] : pick(2) ? "text/plain" : "text/html"));
	put_both(o, "name", multipart ? SPAN_NONE : name);
	put_both(o, "disposition", pick(2) ? SPAN_LIT("attachment") : SPAN_NONE);
	put_both(o, "cid", pick(3) ? SPAN_NONE : SPAN_LIT("a.b@c"));
	put_both(o, "location", pick(3) ? SPAN_NONE : SPAN_LIT("http://example.com/x"));
	if (multipart) {
		json_key(&o->given, "subParts");
		json_begin_array(&o->given);
		json_key(&o->want, "subParts");
		json_begin_array(&o->want);
		for (unsigned n = 1 + (unsigned)pick(4), i = 1; i <= n; i++) {
			char below[60];

			snprintf(below, sizeof(below), "%s%s%u", depth == 0 ? "" : id,
			    depth == 0 ? "" : ".", i);
			random_part(o, depth + 1, below);
		}
		json_end_array(&o->given);
		json_end_array(&o->want);
	} else {
		char part[20];
		struct span value = random_text(&b, pick(10) ? 30 : 2000, true);

		snprintf(part, sizeof(part), "p%u", o->parts++);
		json_kv_str(&o->given, "partId", part);
		json_key(&o->values, part);
		json_begin_object(&o->values);
		json_kv_string(&o->values, "value", value);
		json_end_object(&o->values);
		json_key(&o->want_values, id);
		json_begin_object(&o->want_values);
		json_kv_string(&o->want_values, "value", value);
		json_kv_bool(&o->want_values, "isEncodingProblem", false);
		json_kv_bool(&o->want_values, "isTruncated", false);
		json_end_object(&o->want_values);
	}
	json_end_object(&o->given);
	json_end_object(&o->want);
	buf_fini(&b);
}

static void
random_email(struct both *o)
{
	memset(o, 0, sizeof(*o));
	json_writer_init(&o->given, &o->given_text);
	json_writer_init(&o->want, &o->want_text);
	json_writer_init(&o->values, &o->values_text);
	json_writer_init(&o->want_values, &o->want_values_text);
	json_begin_object(&o->given);
	json_begin_object(&o->want);
	json_begin_object(&o->values);
	json_begin_object(&o->want_values);
	random_header(o);
	json_key(&o->given, "bodyStructure");
	json_key(&o->want, "bodyStructure");
	random_part(o, 0, "1");
	json_end_object(&o->values);
	json_end_object(&o->want_values);
	json_key(&o->given, "bodyValues");
	json_raw(&o->given, buf_span(&o->values_text));
	json_key(&o->want, "bodyValues");
	json_raw(&o->want, buf_span(&o->want_values_text));
	json_end_object(&o->given);
	json_end_object(&o->want);
}

static void
what_is_composed_reads_as_what_was_given(void **state)
{
	const struct email_text t = { .all = true, .properties = "[\"subject\","
	    "\"header:X-Text:asText\",\"from\",\"to\",\"header:X-To:asAddresses\",\"bodyStructure\","
	    "\"bodyValues\"]", .body_properties = "[\"type\",\"name\",\"disposition\",\"cid\","
	    "\"location\"]" };

	const unsigned rounds = getenv("MANSIO_FULL") != NULL ? 20000 : 300;

	for (unsigned round = 0; round < rounds; round++) {
		struct buf message = { 0 }, got = { 0 };
		struct both o;
		struct span rest, line;

		srand(round);
		random_email(&o);
		if (!compose_text(buf_span(&o.given_text), SPAN_NONE, &message))
			fail_msg("%u: %s: %s", round, buf_cstr(&message), buf_cstr(&o.given_text));
		email_text(buf_span(&message), &t, &got);
		if (!span_eq(buf_span(&got), buf_span(&o.want_text))) {
			fprintf(stderr, "%s\n%s\n%s\n", buf_cstr(&o.want_text), buf_cstr(&got),
			    buf_cstr(&message));
			fail_msg("round %u", round);
		}
		for (rest = buf_span(&message); rest.len > 0;) {
			line = span_cut(&rest, '\n');
			assert_true(line.len <= 79);
			assert_true(rest.p == NULL || (line.len > 0 && line.p[line.len - 1] == '\r'));
		}
		buf_fini(&message);
		buf_fini(&got);
		buf_fini(&o.given_text);
		buf_fini(&o.want_text);
		buf_fini(&o.values_text);
		buf_fini(&o.want_values_text);
	}
}

static void
parts_given_in_lists_come_back_in_lists(void **state)
{
	const struct email_text t = { .properties = "[\"textBody\",\"htmlBody\",\"attachments\"]",
	    .body_properties = "[\"type\",\"cid\",\"disposition\",\"name\",\"size\"]" };
	struct buf message = { 0 }, got = { 0 };

	assert_true(compose_text(SPAN_LIT("{\"textBody\":[{\"partId\":\"t\"}],\"htmlBody\":[{\"partId\":"
	    "\"h\"}],\"attachments\":[{\"blobId\":\"B1\",\"type\":\"image/png\",\"cid\":\"x\","
	    "\"disposition\":\"inline\"},{\"blobId\":\"B1\",\"name\":\"b\"},{\"blobId\":\"B1\","
	    "\"type\":\"message/rfc822\"},{\"blobId\":\"B1\",\"type\":\"text/plain\",\"charset\":"
	    "\"koi8-r\"}],\"bodyValues\":{\"t\":{\"value\":\"x\"},\"h\":{\"value\":\"yz\"}}}"),
	    SPAN_LIT("Subject: x\r\n\r\n\xff"), &message));
	email_text(buf_span(&message), &t, &got);
	assert_string_equal(buf_cstr(&got), "{\"textBody\":[{\"type\":\"text/plain\",\"cid\":null,"
	    "\"disposition\":null,\"name\":null,\"size\":1}],\"htmlBody\":[{\"type\":\"text/html\","
	    "\"cid\":null,\"disposition\":null,\"name\":null,\"size\":2}],\"attachments\":["
	    "{\"type\":\"image/png\",\"cid\":\"x\",\"disposition\":\"inline\",\"name\":null,\"size\":15},"
	    "{\"type\":\"application/octet-stream\",\"cid\":null,\"disposition\":\"attachment\","
	    "\"name\":\"b\",\"size\":15},{\"type\":\"message/rfc822\",\"cid\":null,"
	    "\"disposition\":\"attachment\",\"name\":null,\"size\":15},{\"type\":\"text/plain\","
	    "\"cid\":null,\"disposition\":\"attachment\",\"name\":null,\"size\":15}]}");
	assert_non_null(strstr(buf_cstr(&message), "Content-Transfer-Encoding: 8bit"));
	buf_fini(&message);
	buf_fini(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_written_as_it_was_given),
		cmocka_unit_test(what_is_missing_is_made),
		cmocka_unit_test(lines_are_short_and_words_whole),
		cmocka_unit_test(what_is_against_the_rules_is_named),
		cmocka_unit_test(what_is_composed_reads_as_what_was_given),
		cmocka_unit_test(parts_given_in_lists_come_back_in_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
