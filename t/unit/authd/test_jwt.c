/* Tokens of RFC 7515 A.2, A.3 and what must never be taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "authd/jwt.h"
#include "common/crypto/encode.h"
#include "common/crypto/jwk.h"
#include "common/proto/sasl.h"

#define PAYLOAD									\
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9l"	\
	"eGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RS256 "eyJhbGciOiJSUzI1NiJ9." PAYLOAD "."				\
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuH" \
	"Im4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdi" \
	"uB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN" \
	"9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2" \
	"w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77" \
	"Rw"
#define ES256 "eyJhbGciOiJFUzI1NiJ9." PAYLOAD "."				\
	"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQ" \
	"xfKTUJqPP3-Kg6NU1Q"
#define RSA_KEY "{\"kty\":\"RSA\",\"kid\":\"one\",\"e\":\"AQAB\",\"n\":\""		\
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw" \
	"-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b3269" \
	"0r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS" \
	"-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aG" \
	"hyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp" \
	"oQ""\"}"
#define EC_KEY "{\"kty\":\"EC\",\"crv\":\"P-256\","				\
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","			\
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"

static const struct conf_strings none;

static struct jwk_set *
keys(const char *text)
{
	struct jwk_set *set = NULL;

	assert_int_equal(jwk_set_parse(span_str(text), &set), ST_OK);
	return set;
}

static enum jwt_verdict
check(const struct jwk_set *set, const char *token, struct jwt_rules *r)
{
	struct jwt_rules usual = { "joe", &none, &none, "iss", 1300819370, 0 };
	struct buf user = { 0 };
	enum jwt_verdict v = jwt_check(set, span_str(token), r != NULL ? r : &usual, &user);

	assert_true((v == JWT_GOOD) == (user.len > 0));
	if (v == JWT_GOOD)
		assert_true(span_eq_str(buf_span(&user), "joe"));
	buf_fini(&user);
	return v;
}

static void
the_tokens_of_the_rfc_are_good(void **state)
{
	struct jwk_set *both = keys("{\"keys\":[" RSA_KEY "," EC_KEY "]}");

	assert_int_equal(jwk_set_count(both), 2);
	assert_int_equal(check(both, RS256, NULL), JWT_GOOD);
	assert_int_equal(check(both, ES256, NULL), JWT_GOOD);
	jwk_set_free(&both);
}

static void
a_key_serves_its_own_kind_alone(void **state)
{
	struct jwk_set *rsa = keys("{\"keys\":[" RSA_KEY "]}");
	struct jwk_set *ec = keys("{\"keys\":[" EC_KEY "]}");

	assert_int_equal(check(rsa, ES256, NULL), JWT_UNKNOWN_KEY);
	assert_int_equal(check(ec, RS256, NULL), JWT_UNKNOWN_KEY);
	jwk_set_free(&rsa);
	jwk_set_free(&ec);
}

static void
a_token_is_good_until_it_expires_and_for_whom_it_was_made(void **state)
{
	struct jwk_set *set = keys("{\"keys\":[" RSA_KEY "]}");
	static const char *const mine[] = { "mail" };
	const struct conf_strings list = { .v = mine, .n = 1 };
	struct jwt_rules r = { "", &none, &none, "iss", 1300819380, 0 };

	assert_int_equal(check(set, RS256, &r), JWT_GOOD);
	r.now_s++;
	assert_int_equal(check(set, RS256, &r), JWT_EXPIRED);
	r.leeway_s = 1;
	assert_int_equal(check(set, RS256, &r), JWT_GOOD);
	r.issuer = "jim";
	assert_int_equal(check(set, RS256, &r), JWT_OTHERS);
	r.issuer = "";
	r.audience = &list;
	assert_int_equal(check(set, RS256, &r), JWT_OTHERS);
	r.audience = &none;
	r.scopes = &list;
	assert_int_equal(check(set, RS256, &r), JWT_SCOPE);
	r.scopes = &none;
	r.claim = "email";
	assert_int_equal(check(set, RS256, &r), JWT_NO_USER);
	jwk_set_free(&set);
}

/* header and claims as JSON, and whatever signature. */
static enum jwt_verdict
made(const struct jwk_set *set, const char *header, const char *claims, const char *signature)
{
	struct buf t = { 0 };
	enum jwt_verdict v;

	base64url_encode(span_str(header), &t);
	buf_add_c(&t, '.');
	base64url_encode(span_str(claims), &t);
	buf_add_c(&t, '.');
	buf_add_str(&t, signature);
	v = check(set, buf_cstr(&t), NULL);
	buf_fini(&t);
	return v;
}

static void
nothing_unsigned_is_taken(void **state)
{
	struct jwk_set *set = keys("{\"keys\":[" RSA_KEY "," EC_KEY "]}");
	static const char claims[] = "{\"iss\":\"joe\",\"exp\":1300819380}";
	char token[] = RS256;

	for (size_t i = 0; i < sizeof(token) - 1; i += 7) {
		char c = token[i];

		token[i] = c == 'A' ? 'B' : 'A';
		assert_int_not_equal(check(set, token, NULL), JWT_GOOD);
		token[i] = c;
	}
	assert_int_equal(made(set, "{\"alg\":\"none\"}", claims, ""), JWT_UNSIGNED);
	assert_int_equal(made(set, "{\"alg\":\"HS256\"}", claims, "AAAA"), JWT_UNSIGNED);
	assert_int_equal(made(set, "{}", claims, "AAAA"), JWT_UNSIGNED);
	assert_int_equal(made(set, "{\"alg\":\"ES256\"}", claims, "AAAA"), JWT_UNKNOWN_KEY);
	assert_int_equal(made(set, "{\"alg\":\"RS256\",\"kid\":\"two\"}", claims, "AAAA"),
	    JWT_UNKNOWN_KEY);
	assert_int_equal(made(set, "no json", claims, "AAAA"), JWT_MALFORMED);
	assert_int_equal(check(set, "", NULL), JWT_MALFORMED);
	assert_int_equal(check(set, "a.b", NULL), JWT_MALFORMED);
	assert_int_equal(check(set, RS256 ".x", NULL), JWT_MALFORMED);
	jwk_set_free(&set);
}

static void
key_sets_hold_what_can_be_used(void **state)
{
	static const char *const bad[] = { "", "[]", "{}", "{\"keys\":1}", "{\"keys\":[" };
	static const char *const useless[] = {
		"{\"keys\":[]}", "{\"keys\":[1]}",
		"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
		"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
		"{\"keys\":[{\"use\":\"enc\",\"kty\":\"RSA\"}]}",
	};
	struct jwk_set *set;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(jwk_set_parse(span_str(bad[i]), &set), ST_SYNTAX);
	for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++)
		assert_int_equal(jwk_set_parse(span_str(useless[i]), &set), ST_NOT_FOUND);
}

static void
bearer_messages_are_read(void **state)
{
	struct sasl_bearer b;

	assert_true(sasl_oauthbearer_parse(SPAN_LIT("n,a=user@example.com,\1host=server\1port=143\1"
	    "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"), &b));
	assert_true(span_eq_str(b.authzid, "user@example.com"));
	assert_true(span_eq_str(b.token, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="));
	assert_true(sasl_oauthbearer_parse(SPAN_LIT("n,,\1auth=\1\1"), &b) && b.token.len == 0);
	assert_true(sasl_xoauth2_parse(SPAN_LIT("user=me@e.org\1auth=Bearer ya29.x\1\1"), &b));
	assert_true(span_eq_str(b.authzid, "me@e.org") && span_eq_str(b.token, "ya29.x"));
	assert_false(sasl_oauthbearer_parse(SPAN_LIT(""), &b));
	assert_false(sasl_oauthbearer_parse(SPAN_LIT("n,,\1\1"), &b));
	assert_false(sasl_oauthbearer_parse(SPAN_LIT("n,,\1auth=Bearer x\1"), &b));
	assert_false(sasl_oauthbearer_parse(SPAN_LIT("n,,\1auth=Bearer x\1\1\1"), &b));
	assert_false(sasl_oauthbearer_parse(SPAN_LIT("n,,\1auth=Basic x\1\1"), &b));
	assert_false(sasl_oauthbearer_parse(SPAN_LIT("n,,\1auth=Bearer x y\1\1"), &b));
	assert_false(sasl_oauthbearer_parse(SPAN_LIT("p=tls-exporter,,\1auth=Bearer x\1\1"), &b));
	assert_false(sasl_oauthbearer_parse(SPAN_LIT("n,b=x,\1auth=Bearer x\1\1"), &b));
	assert_false(sasl_oauthbearer_parse(SPAN_LIT("n,,\1auth=Bearer x\1auth=Bearer y\1\1"), &b));
	assert_false(sasl_xoauth2_parse(SPAN_LIT("user=me\nyou\1auth=Bearer x\1\1"), &b));
	assert_false(sasl_xoauth2_parse(SPAN_LIT("user=me\1auth=Bearer \1\1"), &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tokens_of_the_rfc_are_good),
		cmocka_unit_test(a_key_serves_its_own_kind_alone),
		cmocka_unit_test(a_token_is_good_until_it_expires_and_for_whom_it_was_made),
		cmocka_unit_test(nothing_unsigned_is_taken),
		cmocka_unit_test(key_sets_hold_what_can_be_used),
		cmocka_unit_test(bearer_messages_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
