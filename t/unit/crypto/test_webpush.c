/* Web Push: the published example, what the receiver makes of a message, keys that are none, and
 * signatures that the checker of tokens accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/encode.h"
#include "common/crypto/jwk.h"
#include "common/crypto/webpush.h"
#include "common/util/mem.h"

/* RFC 8291 §5 and appendix A. */
#define TEXT	"When I grow up, I want to be a watermelon"
#define AUTH	"BTBZMqHH6r4Tts7J_aSIgg"
#define UA	"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
#define SCALAR	"yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
#define SALT	"DGv6ra1nlYgDCS1FRnbzlw"
#define BODY	"DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml" \
	"mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT" \
	"pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"

static struct buf auth, ua, scalar, salt;

static int
read_keys(void **state)
{
	assert_true(base64url_decode(span_str(AUTH), 100, &auth));
	assert_true(base64url_decode(span_str(UA), 100, &ua));
	assert_true(base64url_decode(span_str(SCALAR), 100, &scalar));
	assert_true(base64url_decode(span_str(SALT), 100, &salt));
	return 0;
}

static int
drop_keys(void **state)
{
	buf_fini(&auth);
	buf_fini(&ua);
	buf_fini(&scalar);
	buf_fini(&salt);
	return 0;
}

static void
the_published_message_comes_out(void **state)
{
	struct buf out = { 0 }, text = { 0 };

	assert_true(webpush_encrypt_with(buf_span(&scalar), buf_span(&salt), buf_span(&ua),
	    buf_span(&auth), span_str(TEXT), &out));
	base64url_encode(buf_span(&out), &text);
	assert_string_equal(buf_cstr(&text), BODY);
	buf_fini(&out);
	buf_fini(&text);
}

static void
each_message_has_a_key_and_a_salt_of_its_own(void **state)
{
	struct buf a = { 0 }, b = { 0 };

	assert_true(webpush_encrypt(buf_span(&ua), buf_span(&auth), span_str(TEXT), &a));
	assert_true(webpush_encrypt(buf_span(&ua), buf_span(&auth), span_str(TEXT), &b));
	assert_int_equal(a.len, b.len);
	assert_int_equal(a.len, 86 + strlen(TEXT) + 17);
	assert_memory_not_equal(a.data, b.data, 16);
	assert_memory_not_equal(a.data + 21, b.data + 21, 65);
	assert_memory_not_equal(a.data + 86, b.data + 86, strlen(TEXT));
	buf_fini(&a);
	buf_fini(&b);
}

static void
what_is_no_key_or_too_long_is_refused(void **state)
{
	static char large[WEBPUSH_TEXT_MAX + 1];
	struct buf out = { 0 }, bad = { 0 };

	assert_true(webpush_point_valid(buf_span(&ua)));
	assert_false(webpush_point_valid(SPAN_NONE));
	assert_false(webpush_point_valid(span_sub(buf_span(&ua), 0, 64)));
	buf_add_span(&bad, buf_span(&ua));
	bad.data[64] ^= 1;		/* beside the curve */
	assert_false(webpush_point_valid(buf_span(&bad)));
	assert_false(webpush_encrypt(buf_span(&bad), buf_span(&auth), span_str("x"), &out));
	bad.data[64] ^= 1;
	bad.data[0] = 2;		/* another form */
	assert_false(webpush_point_valid(buf_span(&bad)));
	assert_false(webpush_encrypt(buf_span(&ua), span_str("short"), span_str("x"), &out));
	assert_false(webpush_encrypt(buf_span(&ua), buf_span(&auth), span(large, sizeof(large)), &out));
	assert_int_equal(out.len, 0);
	assert_true(webpush_encrypt(buf_span(&ua), buf_span(&auth), span(large, sizeof(large) - 1), &out));
	assert_int_equal(out.len, 4096);
	buf_fini(&bad);
	buf_fini(&out);
}

static void
signatures_are_those_of_the_public_key(void **state)
{
	unsigned char signature[VAPID_SIGNATURE_LEN];
	struct buf pem = { 0 };
	struct vapid *v;
	struct span point;
	struct jwk *k;

	vapid_generate(&pem);
	v = vapid_read(buf_span(&pem));
	assert_non_null(v);
	point = vapid_public(v);
	assert_true(webpush_point_valid(point));
	k = jwk_ec(span_str("P-256"), span_sub(point, 1, 32), span_sub(point, 33, 32));
	assert_non_null(k);
	for (unsigned i = 0; i < 64; i++) {		/* numbers with leading zeros among them */
		vapid_sign(v, span(&i, sizeof(i)), signature);
		assert_true(jwk_verify(k, JWS_ES256, span(&i, sizeof(i)),
		    span(signature, sizeof(signature))));
	}
	assert_false(jwk_verify(k, JWS_ES256, span_str("other"), span(signature, sizeof(signature))));
	jwk_free(&k);
	vapid_free(&v);
	buf_fini_secret(&pem);
}

static void
what_is_no_signing_key_is_refused(void **state)
{
	/* of another curve */
	static const char p384[] = "-----BEGIN PRIVATE KEY-----\n"
	    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBEPZ7q8WXLZLiBHhQ4\n";

	assert_null(vapid_read(SPAN_NONE));
	assert_null(vapid_read(span_str("-----BEGIN PRIVATE KEY-----\n")));
	assert_null(vapid_read(span_str(p384)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_message_comes_out),
		cmocka_unit_test(each_message_has_a_key_and_a_salt_of_its_own),
		cmocka_unit_test(what_is_no_key_or_too_long_is_refused),
		cmocka_unit_test(signatures_are_those_of_the_public_key),
		cmocka_unit_test(what_is_no_signing_key_is_refused),
	};

	return cmocka_run_group_tests(tests, read_keys, drop_keys);
}
