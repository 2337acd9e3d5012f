/* What looks into bodies: body (RFC 5173); mime, foreverypart, extracttext (RFC 5703). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/util/mem.h"
#include "t/unit/sieve/sieve_test.h"

/* The example of RFC 5173 5.2, with codings and parameters. */
static const char mail[] =
    "From: Whomever <who@example.org>\r\n"
    "To: someone@example.org\r\n"
    "Subject: whatever\r\n"
    "Content-Type: multipart/mixed; boundary=outer\r\n"
    "X-Part: top\r\n"
    "\r\n"
    "This is a multi-part message in MIME format.\r\n"
    "\r\n"
    "--outer\r\n"
    "Content-Type: multipart/alternative; boundary=inner\r\n"
    "X-Part: alternative\r\n"
    "\r\n"
    "This is a nested multi-part message in MIME format.\r\n"
    "--inner\r\n"
    "Content-Type: text/plain; charset=\"iso-8859-1\"\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "X-Part: plain\r\n"
    "\r\n"
    "Hello gr=FC=\r\n"
    "n\r\n"
    "--inner\r\n"
    "Content-Type: text/html; charset=us-ascii\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "Content-Disposition: inline; filename*=utf-8''%C3%BCber.html\r\n"
    "X-Part: html\r\n"
    "\r\n"
    "PGh0bWw+PGJvZHk+SGVsbG8gJmFtcDsgYnllPC9ib2R5PjwvaHRtbD4=\r\n"
    "--inner--\r\n"
    "This is the end of the inner MIME multipart.\r\n"
    "--outer\r\n"
    "Content-Type: application/octet-stream; name=\"a.exe\"\r\n"
    "Content-Disposition: attachment; filename=\"b.exe\"\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "X-Part: program\r\n"
    "Content-From: tim@example.com\r\n"
    "\r\n"
    "AEhlbGxv\r\n"
    "--outer\r\n"
    "Content-Type: message/rfc822\r\n"
    "X-Part: forwarded\r\n"
    "\r\n"
    "From: Someone Else\r\n"
    "Subject: hello request\r\n"
    "X-Part: inside\r\n"
    "\r\n"
    "Please say Hello\r\n"
    "--outer--\r\n"
    "This is the end of the outer MIME multipart.\r\n";

#define REQUIRE "require [\"body\", \"mime\", \"foreverypart\", \"extracttext\", \"variables\"," \
    "\"relational\", \"fileinto\", \"regex\", \"comparator-i;ascii-numeric\", \"copy\"];"
#define RUN(script, want) assert_string_equal(sieve_once(REQUIRE script, mail), want)
#define IF(test) RUN("if " test " { fileinto \"yes\"; }", "fileinto yes")
#define IF_NOT(test) RUN("if " test " { fileinto \"yes\"; }", "keep")
#define TOLD(script, want) do {							\
	const char *told_ = sieve_told(REQUIRE script);				\
	if (strstr(told_, want) == NULL)					\
		fail_msg("%s: %s", script, told_);				\
} while (0)
#define IN(message, test, want) assert_string_equal(sieve_once(REQUIRE			\
    "if " test " { discard; }", message), want ? "discard" : "keep")

static void
a_raw_body_is_all_of_it(void **state)
{
	IF("body :raw :contains \"--outer\"");
	IF("body :raw :contains \"gr=FC=\"");
	IF("body :raw :contains \"X-Part: forwarded\"");
	IF_NOT("body :raw :contains \"X-Part: top\"");
	IF("body :raw :matches \"This is*outer MIME multipart.\r\n\"");
	IF("body :raw :count \"eq\" \"1\"");
	IN("A: b\r\n\r\n", "body :raw \"\"", true);
	IN("A: b\r\n", "body :raw :contains \"\"", false);
	IN("A: b\r\n", "body :raw :count \"eq\" \"0\"", false);
}

static void
content_is_looked_at_by_type(void **state)
{
	IF("body :content \"text/plain\" :contains \"gr\xC3\xBCn\"");
	IF("body :content \"text/plain\" :is \"Please say Hello\"");
	IF("body :content \"text/html\" :is \"<html><body>Hello &amp; bye</body></html>\"");
	IF("body :content \"text\" :count \"eq\" \"3\"");
	IF("body :content \"TEXT\" :contains \"hello\"");
	IF("body :content \"application/octet-stream\" :contains \"Hello\"");
	IF_NOT("body :content \"text\" :contains \"MIME\"");
	IF_NOT("body :content \"audio/mp3\" :contains \"\"");
	IF_NOT("body :content [\"/plain\", \"text/\", \"text/plain/x\", \"/\"] :contains \"\"");
	IF("body :content \"\" :contains \"grün\"");
}

static void
around_parts_there_is_text_too(void **state)
{
	IF("body :content \"multipart\" :is \"This is a multi-part message in MIME format.\r\n\"");
	IF("body :content \"multipart/alternative\" :is "
	    "\"This is a nested multi-part message in MIME format.\"");
	IF("body :content \"multipart/alternative\" :is "
	    "\"This is the end of the inner MIME multipart.\"");
	IF("body :content \"multipart/mixed\" :is "
	    "\"This is the end of the outer MIME multipart.\r\n\"");
	IF("body :content \"multipart\" :count \"eq\" \"4\"");
	IF_NOT("body :content \"multipart\" :contains [\"--inner\", \"--outer\", \"Hello\"]");
	IF("body :content \"message/rfc822\" :is "
	    "\"From: Someone Else\r\nSubject: hello request\r\nX-Part: inside\r\n\"");
	IF("body :content \"message/rfc822\" :count \"eq\" \"1\"");
}

static void
text_is_without_markup(void **state)
{
	IF("body :contains \"Hello & bye\"");
	IF("body :text :contains \"gr\xC3\xBCn\"");
	IF("body :text :contains \"please say\"");
	IF_NOT("body :text :contains [\"<html>\", \"MIME\", \"hello request\"]");
	IF("body :text :count \"eq\" \"3\"");
	IF("body :regex \"^Hello gr.n$\"");
}

static void
types_and_codings_that_cannot_be_read_are_left_out(void **state)
{
#define MULTI(head) "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" head "\r\n\r\nHello\r\n--a--\r\n"
	IN(MULTI("X: y"), "body :contains \"Hello\"", true);
	IN(MULTI("Content-Type: text"), "body :contains \"Hello\"", true);
	IN(MULTI("Content-Type: text/plain/x"), "body :contains \"Hello\"", false);
	IN(MULTI("Content-Type: text/plain (words/a) ; x=y/z"), "body :contains \"Hello\"", true);
	IN(MULTI("Content-Transfer-Encoding: multipart/x"), "body :contains \"Hello\"", false);
	IN(MULTI("Content-Transfer-Encoding: multipart/x"), "body :content \"\" :is \"Hello\"", false);
	IN(MULTI("Content-Type: application/xhtml+xml"), "body :contains \"Hello\"", true);
	IN("Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: b\r\n\r\nHello\r\n"
	    "--a--\r\n", "body :content \"message\" :is \"Subject: b\r\n\"", true);
	IN("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	    "U3ViamVjdDogYg0KDQpIZWxsbw==\r\n", "body :content \"message\" :is \"Subject: b\r\n\"",
	    true);
}

static void
a_body_leaves_match_variables_as_they_were(void **state)
{
	RUN("if header :matches \"subject\" \"what*\" { }"
	    "if body :raw :matches \"This * a *\" { fileinto \"${1}\"; }", "fileinto ever");
	RUN("if header :matches \"subject\" \"what*\" { }"
	    "if body :regex \"(say) Hello\" { fileinto \"${1}\"; }", "fileinto ever");
}

static void
body_arguments_are_checked(void **state)
{
	TOLD("if body { }", "the body test requires 1");
	TOLD("if body :frop \"x\" { }", "unknown tagged argument ':frop'");
	TOLD("if body :content \"text\" :raw \"x\" { }", "cannot stand together");
	TOLD("if body :content 3 \"x\" { }", "behind ':content'");
}

/* --- parts ----------------------------------------------------------------------------------- */

static void
headers_of_all_parts_are_looked_at(void **state)
{
	IF("header :mime \"X-Part\" \"top\"");
	IF_NOT("header :mime \"X-Part\" \"html\"");
	IF("header :mime :anychild \"X-Part\" \"inside\"");
	IF("header :mime :anychild :count \"eq\" \"X-Part\" \"7\"");
	IF_NOT("header \"X-Part\" \"html\"");
	IF("exists :mime :anychild \"Content-Disposition\"");
	IF_NOT("exists :mime \"Content-Disposition\"");
	IF("address :mime :anychild \"Content-From\" \"tim@example.com\"");
	IF("address :anychild :mime :domain \"Content-From\" \"example.com\"");
	IF_NOT("address :mime \"content-from\" \"tim@example.com\"");
}

static void
types_and_parameters_are_taken_apart(void **state)
{
	IF("header :mime :type \"Content-Type\" \"multipart\"");
	IF("header :mime :subtype \"Content-Type\" \"mixed\"");
	IF("header :mime :contenttype \"Content-Type\" \"multipart/mixed\"");
	IF("header :mime :anychild :contenttype \"Content-Type\" \"text/html\"");
	IF("header :mime :anychild :type \"Content-Disposition\" \"attachment\"");
	IF("header :mime :anychild :contenttype \"Content-Disposition\" \"inline\"");
	IF("header :mime :anychild :subtype \"Content-Disposition\" \"\"");
	IF("header :mime :type \"Subject\" \"\"");
	IF("header :mime :anychild :type :count \"eq\" \"Content-Type\" \"6\"");
	IF("header :mime :anychild :param [\"filename\", \"name\"] :matches "
	    "[\"Content-Type\", \"Content-Disposition\"] \"a.exe\"");
	IF("header :mime :anychild :param \"filename\" \"Content-Disposition\" \"\xC3\xBC" "ber.html\"");
	IF("header :mime :anychild :param \"filename\" :count \"eq\" \"Content-Disposition\" \"2\"");
	IF_NOT("header :mime :anychild :param \"x\" :contains \"Content-Disposition\" \"\"");
	TOLD("if header :anychild \"a\" \"b\" { }", "cannot be specified without the :mime tag");
	TOLD("if header :type \"a\" \"b\" { }", "cannot be specified without the :mime tag");
	TOLD("if header :mime :type :subtype \"a\" \"b\" { }", "cannot stand together");
	TOLD("if exists :mime :type \"a\" { }", "unknown tagged argument ':type'");
}

#define EACH "foreverypart { if header :mime :matches \"X-Part\" \"*\" { set \"v\" \"${v}${1},\"; } "
static void
loops_go_through_all_parts_in_depth(void **state)
{
	RUN(EACH "} fileinto \"${v}\";",
	    "fileinto top,alternative,plain,html,program,forwarded,inside,");
	RUN("foreverypart { if header :mime :subtype \"content-type\" [\"alternative\", \"rfc822\"]"
	    "{" EACH "} } } fileinto \"${v}\";", "fileinto plain,html,inside,");
	RUN("foreverypart { if header :mime \"x-part\" \"html\" {" EACH "} } } fileinto \"x${v}\";",
	    "fileinto x");
	RUN(EACH "if header :mime \"x-part\" \"html\" { break; } } fileinto \"${v}\";",
	    "fileinto top,alternative,plain,html,");
	RUN("foreverypart :name \"a\" { foreverypart :name \"b\" { foreverypart :name \"c\" {"
	    "set \"v\" \"${v}x\"; break :name \"b\"; } } } fileinto \"${v}\";", "fileinto x");
	RUN("foreverypart { foreverypart :name \"a\" { foreverypart :name \"a\" {"
	    "set \"v\" \"${v}x\"; break :name \"a\"; } set \"v\" \"${v}y\"; break; } break; }"
	    "fileinto \"${v}\";", "fileinto xy");
	/* Only tests with :mime look at the part. */
	RUN("foreverypart { if header \"subject\" \"whatever\" { set \"v\" \"${v}s\"; } }"
	    "fileinto \"${v}\";", "fileinto sssssss");
	/* Behind the loop it is the message again. */
	RUN("foreverypart { } if header :mime \"x-part\" \"top\" { discard; }", "discard");
	RUN("foreverypart { stop; } discard;", "keep");
}

static void
breaks_need_their_loop(void **state)
{
	TOLD("break;", "'break' stands outside of any 'foreverypart'");
	TOLD("if true { break; }", "outside");
	TOLD("foreverypart :name \"a\" { break :name \"b\"; }", "has the name \"b\"");
	TOLD("foreverypart { foreverypart { foreverypart { foreverypart { foreverypart { break; "
	    "} } } } }", "loops are nested too deeply: at most 4 are allowed");
	TOLD("foreverypart;", "expected a block");
	TOLD("foreverypart :name a { break :name \"b\"; }", "expected a string behind ':name'");
	TOLD("foreverypart :name \"${a}\" { keep; }", "cannot have variables");
}

static void
texts_of_parts_become_variables(void **state)
{
#define EXTRACT(what, part) RUN("foreverypart { if header :mime \"X-Part\" \"" part "\" {" \
	    "extracttext " what " \"t\"; break; } } fileinto \"<${t}>\";",
	EXTRACT("", "plain") "fileinto <Hello gr\xC3\xBCn>");
	EXTRACT("", "html") "fileinto <Hello & bye>");
	EXTRACT(":first 8", "plain") "fileinto <Hello gr>");
	EXTRACT(":first 9", "plain") "fileinto <Hello gr\xC3\xBC>");
	EXTRACT(":upper :first 5", "plain") "fileinto <HELLO>");
	EXTRACT(":length", "plain") "fileinto <10>");
	EXTRACT(":first 0", "plain") "fileinto <>");
	EXTRACT("", "program") "fileinto <>");
	EXTRACT("", "top") "fileinto <>");
	EXTRACT("", "forwarded") "fileinto <>");
	EXTRACT("", "inside") "fileinto <Please say Hello>");
	TOLD("extracttext \"a\";", "outside of any 'foreverypart'");
	TOLD("foreverypart { extracttext \"0\"; }", "no name of a variable");
	assert_non_null(strstr(sieve_told("require [\"extracttext\", \"foreverypart\"];"
	    "foreverypart { extracttext \"a\"; }"), "needs require \"variables\""));
}

static void
text_that_is_not_what_it_says_is_empty(void **state)
{
#define TEXT(type, body, want) assert_string_equal(sieve_once(REQUIRE				\
	    "foreverypart { extracttext \"t\"; } fileinto \"<${t}>\";",				\
	    "Content-Type: text/plain" type "\r\n\r\n" body), "fileinto <" want ">")
	TEXT("; charset=utf-8", "gr\xC3\xBCn", "gr\xC3\xBCn");
	TEXT("; charset=utf-8", "gr\xFCn", "");
	TEXT("; charset=us-ascii", "gr\xFCn", "");
	TEXT("; charset=x-unknown", "gruen", "");
	TEXT("\r\nContent-Transfer-Encoding: x-unknown", "gruen", "");
	TEXT("", "gr\xC3\xBCn", "gr\xC3\xBCn");
}

/* --- limits ---------------------------------------------------------------------------------- */

static void
long_bodies_are_cut_and_bodies_that_are_not_there_fail(void **state)
{
	static const char head[] = "Subject: x\r\n\r\n";
	const size_t len = (5u << 20) + sizeof(head) - 1;
	char *big = mem_alloc(len + 1);
	struct sieve_case c;

	memset(big, 'a', len);
	memcpy(big, head, sizeof(head) - 1);
	memcpy(big + len - 3, "end", 4);
	IN(big, "body :raw :contains \"end\"", false);
	IN(big, "body :contains \"aaaa\"", true);
	memcpy(big + sizeof(head) - 1 + (4u << 20) - 3, "end", 3);
	IN(big, "body :raw :contains \"end\"", true);
	IN(big, "body :contains \"end\"", true);

	sieve_case_init(&c);
	assert_true(sieve_case_add(&c, REQUIRE "if body :contains \"x\" { discard; }"));
	c.limits.steps = 1000;
	assert_string_equal(sieve_case_run(&c, big),
	    "error 1: the script takes too many steps: at most 1000 are allowed: keep");
	sieve_case_fini(&c);
	mem_free(&big);

	sieve_case_init(&c);
	assert_true(sieve_case_add(&c, REQUIRE "if body :contains \"x\" { discard; }"));
	c.message = sieve_message_new(SPAN_LIT(head), 1000, NULL, NULL);
	assert_int_equal(sieve_run((const struct sieve_script *const *)c.scripts, 1, c.message,
	    &c.env, &c.result), SIEVE_FAILED);
	assert_string_equal(c.result.error,
	    "'body': the body of this message cannot be looked into");
	sieve_case_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_raw_body_is_all_of_it),
		cmocka_unit_test(content_is_looked_at_by_type),
		cmocka_unit_test(around_parts_there_is_text_too),
		cmocka_unit_test(text_is_without_markup),
		cmocka_unit_test(types_and_codings_that_cannot_be_read_are_left_out),
		cmocka_unit_test(a_body_leaves_match_variables_as_they_were),
		cmocka_unit_test(body_arguments_are_checked),
		cmocka_unit_test(headers_of_all_parts_are_looked_at),
		cmocka_unit_test(types_and_parameters_are_taken_apart),
		cmocka_unit_test(loops_go_through_all_parts_in_depth),
		cmocka_unit_test(breaks_need_their_loop),
		cmocka_unit_test(texts_of_parts_become_variables),
		cmocka_unit_test(text_that_is_not_what_it_says_is_empty),
		cmocka_unit_test(long_bodies_are_cut_and_bodies_that_are_not_there_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
