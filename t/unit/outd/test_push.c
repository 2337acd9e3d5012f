/* The POST of a push: whom it is signed for, and what it carries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "common/crypto/encode.h"
#include "common/crypto/jwk.h"
#include "common/json/json.h"
#include "outd/push.h"

static struct vapid *vapid;

static int
make_key(void **state)
{
	struct buf pem = { 0 };

	vapid_generate(&pem);
	vapid = vapid_read(buf_span(&pem));
	buf_fini_secret(&pem);
	return vapid == NULL;
}

static int
drop_key(void **state)
{
	vapid_free(&vapid);
	return 0;
}

static const char *
origin(const char *url)
{
	static struct buf out;

	buf_fini(&out);
	return push_origin(span_str(url), &out) ? buf_cstr(&out) : NULL;
}

static void
the_origin_is_scheme_host_and_port(void **state)
{
	assert_string_equal(origin("https://Push.Example.net/p/x?y"), "https://push.example.net");
	assert_string_equal(origin("HTTPS://push.example.net:443/p"), "https://push.example.net");
	assert_string_equal(origin("https://push.example.net:8443"), "https://push.example.net:8443");
	assert_string_equal(origin("https://[2001:db8::1]:443#f"), "https://[2001:db8::1]");
	assert_string_equal(origin("http://a:80?q"), "http://a");
	assert_string_equal(origin("https://a?/b"), "https://a");
	assert_null(origin("https:///x"));
	assert_null(origin("https://user@host/"));
	assert_null(origin("ftp://host/"));
	assert_null(origin(""));
}

static struct jwk *
key_of(struct span text)
{
	struct buf point = { 0 };
	struct jwk *k = NULL;

	assert_true(base64url_decode(text, 65, &point));
	assert_int_equal(point.len, 65);
	k = jwk_ec(SPAN_LIT("P-256"), span_sub(buf_span(&point), 1, 32),
	    span_sub(buf_span(&point), 33, 32));
	assert_non_null(k);
	buf_fini(&point);
	return k;
}

static void
check_claims(struct span text)
{
	struct buf json = { 0 };
	struct json_doc *doc = NULL;
	struct span s;
	int64_t exp;

	assert_true(base64url_decode(text, 1000, &json));
	assert_int_equal(json_parse(buf_span(&json), 1000, &doc), ST_OK);
	assert_true(json_get_string(json_root(doc), "aud", &s));
	assert_true(span_eq_str(s, "https://push.example.net"));
	assert_true(json_get_string(json_root(doc), "sub", &s));
	assert_true(span_eq_str(s, "mailto:ops@example.org"));
	assert_true(json_get_int(json_root(doc), "exp", &exp));
	assert_in_range(exp, 1000001, 1000000 + 24 * 3600);
	json_free(&doc);
	buf_fini(&json);
}

static void
the_token_is_signed_for_that_service_alone(void **state)
{
	struct buf out = { 0 }, signature = { 0 };
	struct span rest, token, head, claims, given;
	struct jwk *k;

	assert_true(push_authorization(vapid, SPAN_LIT("https://push.example.net/p/x"),
	    "mailto:ops@example.org", 1000000, &out));
	rest = buf_span(&out);
	assert_true(span_has_prefix(rest, "vapid t="));
	rest = span_sub(rest, 8, rest.len);
	token = span_cut(&rest, ',');
	assert_true(span_has_prefix(rest, " k="));
	k = key_of(span_sub(rest, 3, rest.len));
	given = token;
	head = span_cut(&given, '.');
	claims = span_cut(&given, '.');
	check_claims(claims);
	assert_true(base64url_decode(given, 64, &signature));
	assert_true(jwk_verify(k, JWS_ES256, span(head.p, head.len + 1 + claims.len),
	    buf_span(&signature)));
	jwk_free(&k);
	buf_fini(&out);
	buf_fini(&signature);
}

static bool
has_field(const struct push_rq *rq, const char *field)
{
	for (size_t i = 0; i < rq->fetch.n_fields; i++)
		if (strcmp(rq->fetch.fields[i], field) == 0)
			return true;
	return false;
}

static void
keys_encrypt_and_without_them_it_is_plain(void **state)
{
	static const struct mansio_conf conf = { .push = { .contact = "" } };
	struct out_push m = { .url = SPAN_LIT("https://push.example.net/p"), .text = SPAN_LIT("{}"),
	    .ttl_s = 60 };
	struct push_rq rq = { 0 };

	assert_true(push_request(&m, NULL, &conf, &rq));
	assert_string_equal(rq.fetch.url, "https://push.example.net/p");
	assert_true(span_eq_str(rq.fetch.body, "{}"));
	assert_int_equal(rq.fetch.authorization.len, 0);
	assert_true(has_field(&rq, "TTL: 60"));
	assert_true(has_field(&rq, "Content-Type: application/json"));
	assert_false(has_field(&rq, "Content-Encoding: aes128gcm"));
	push_request_fini(&rq);
	rq = (struct push_rq){ 0 };
	m.p256dh = vapid_public(vapid);
	m.auth = SPAN_LIT("0123456789abcdef");
	assert_true(push_request(&m, vapid, &conf, &rq));
	assert_true(has_field(&rq, "Content-Encoding: aes128gcm"));
	assert_true(has_field(&rq, "Content-Type: application/json"));
	assert_int_equal(rq.fetch.body.len, 86 + 2 + 17);
	assert_true(span_has_prefix(rq.fetch.authorization, "vapid t="));
	push_request_fini(&rq);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_origin_is_scheme_host_and_port),
		cmocka_unit_test(the_token_is_signed_for_that_service_alone),
		cmocka_unit_test(keys_encrypt_and_without_them_it_is_plain),
	};

	return cmocka_run_group_tests(tests, make_key, drop_key);
}
