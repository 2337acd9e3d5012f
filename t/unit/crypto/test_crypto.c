#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/crypto/random.h"
#include "common/crypto/x509.h"
#include "common/util/mem.h"

static void
assert_hex(const void *p, size_t n, const char *want)
{
	struct buf b = { 0 };

	hex_encode(span(p, n), &b);
	assert_string_equal(buf_cstr(&b), want);
	buf_fini(&b);
}

static void
digests_match_the_published_ones(void **state)
{
	unsigned char out[DIGEST_MAX];
	struct digest *d;

	sha256(SPAN_LIT("abc"), out);
	assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256(SPAN_NONE, out);
	assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha1(SPAN_LIT("abc"), out);
	assert_hex(out, 20, "a9993e364706816aba3e25717850c26c9cd0d89d");
	d = digest_new(DIGEST_SHA256);
	for (int round = 0; round < 2; round++) {
		digest_add(d, "a", 1);
		digest_add(d, NULL, 0);
		digest_add(d, "bc", 2);
		digest_done(d, out);
		assert_hex(out, 32,
		    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	}
	digest_free(&d);
	assert_null(d);
	digest_free(&d);
}

static void
macs_and_key_derivation_match_the_rfcs(void **state)
{
	unsigned char out[DIGEST_MAX], prk[DIGEST_MAX];
	unsigned char ikm[22], salt[13], info[10];

	/* RFC 4231 test case 2, RFC 2202 test case 2. */
	hmac_sha256(SPAN_LIT("Jefe"), SPAN_LIT("what do ya want for nothing?"), out);
	assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	hmac_sha1(SPAN_LIT("Jefe"), SPAN_LIT("what do ya want for nothing?"), out);
	assert_hex(out, 20, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	hmac_sha256(SPAN_NONE, SPAN_NONE, out);
	assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
	/* RFC 6070, RFC 7914 11. */
	pbkdf2(DIGEST_SHA1, SPAN_LIT("password"), SPAN_LIT("salt"), 2, out, 20);
	assert_hex(out, 20, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
	pbkdf2(DIGEST_SHA256, SPAN_LIT("passwd"), SPAN_LIT("salt"), 1, out, 64);
	assert_hex(out, 64, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
	    "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
	/* RFC 5869 A.1. */
	memset(ikm, 0x0b, sizeof(ikm));
	for (size_t i = 0; i < sizeof(salt); i++)
		salt[i] = (unsigned char)i;
	for (size_t i = 0; i < sizeof(info); i++)
		info[i] = (unsigned char)(0xf0 + i);
	hkdf_extract(DIGEST_SHA256, span(salt, sizeof(salt)), span(ikm, sizeof(ikm)), prk);
	assert_hex(prk, 32, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
	hkdf_expand(DIGEST_SHA256, span(prk, 32), span(info, sizeof(info)), out, 42);
	assert_hex(out, 42, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
	    "34007208d5b887185865");
}

static void
base64_takes_one_spelling_only(void **state)
{
	static const char *const bad[] = {
		"Zg=", "Zg", "Z", "Zh==", "Zm9=", "Zg===", "====", "=", "Zm9v\n", "Zm 9v",
		"Zm9v=", "Zm=v", "Zg==Zg==", "Zm9-",
	};
	static const char *const pairs[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd", "//79" },
	};
	struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		buf_clear(&b);
		base64_encode(span_str(pairs[i][0]), &b);
		assert_string_equal(buf_cstr(&b), pairs[i][1]);
		buf_clear(&b);
		assert_true(base64_decode(span_str(pairs[i][1]), 6, &b));
		assert_string_equal(buf_cstr(&b), pairs[i][0]);
	}
	buf_clear(&b);
	buf_add_str(&b, "kept");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(base64_decode(span_str(bad[i]), 100, &b));
	assert_false(base64_decode(SPAN_LIT("Zm9vYmFy"), 5, &b));
	assert_string_equal(buf_cstr(&b), "kept");
	buf_clear(&b);
	base64url_encode(SPAN_LIT("\xff\xfe"), &b);
	assert_string_equal(buf_cstr(&b), "__4");
	buf_clear(&b);
	assert_true(base64url_decode(SPAN_LIT("__4"), 2, &b));
	assert_memory_equal(b.data, "\xff\xfe", 2);
	assert_false(base64url_decode(SPAN_LIT("__5"), 2, &b));
	buf_fini(&b);
}

static void
hex_is_decoded_strictly(void **state)
{
	struct buf b = { 0 };

	assert_true(hex_decode(SPAN_LIT("00fFa5"), 3, &b));
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "\x00\xff\xa5", 3);
	assert_false(hex_decode(SPAN_LIT("0"), 3, &b));
	assert_false(hex_decode(SPAN_LIT("11g0"), 3, &b));
	assert_false(hex_decode(SPAN_LIT("11223344"), 3, &b));
	assert_int_equal(b.len, 3);
	buf_fini(&b);
}

static void
random_ids_differ_and_use_safe_letters(void **state)
{
	char a[33], b[33];

	random_id(a, 32);
	random_id(b, 32);
	assert_int_equal(strlen(a), 32);
	assert_string_not_equal(a, b);
	assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz0123456789"), 32);
	assert_true(random_u64() != random_u64());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_match_the_published_ones),
		cmocka_unit_test(macs_and_key_derivation_match_the_rfcs),
		cmocka_unit_test(base64_takes_one_spelling_only),
		cmocka_unit_test(hex_is_decoded_strictly),
		cmocka_unit_test(random_ids_differ_and_use_safe_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
