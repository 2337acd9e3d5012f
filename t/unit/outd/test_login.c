/* Our half of a login, against a server's half made of the same digests, and RFC 7677's example. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/crypto/digest.h"
#include "common/crypto/encode.h"
#include "common/proto/sasl.h"
#include "common/proto/smtp_client.h"
#include "outd/login.h"

#define ROUNDS 4096u
static const char salt[] = "W22ZaJ0SNY7soEsUEjb6gQ==";

/* What a server that knows the password makes of both messages: the proof it wants, and its own. */
static void
server_keys(const char *password, struct span auth, unsigned char proof[32], unsigned char signature[32])
{
	unsigned char salted[32], key[32], stored[32];
	struct buf raw = { 0 };

	assert_true(base64_decode(span_str(salt), 64, &raw));
	pbkdf2(DIGEST_SHA256, span_str(password), buf_span(&raw), ROUNDS, salted, 32);
	hmac_sha256(span(salted, 32), SPAN_LIT("Server Key"), key);
	hmac_sha256(span(key, 32), auth, signature);
	hmac_sha256(span(salted, 32), SPAN_LIT("Client Key"), key);
	sha256(span(key, 32), stored);
	hmac_sha256(span(stored, 32), auth, proof);
	for (int i = 0; i < 32; i++)
		proof[i] ^= key[i];
	buf_fini(&raw);
}

static void
the_example_of_the_rfc_comes_out(void **state)
{
	static const char auth[] = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
	unsigned char proof[32], signature[32];
	struct buf text = { 0 };

	server_keys("pencil", span_str(auth), proof, signature);
	base64_encode(span(proof, 32), &text);
	assert_string_equal(buf_cstr(&text), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
	buf_clear(&text);
	base64_encode(span(signature, 32), &text);
	assert_string_equal(buf_cstr(&text), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	buf_fini(&text);
}

/* password: the server's; ours is "pencil".  true: both are content. */
static bool
meet(const char *password, bool honest)
{
	struct login *l = login_new(SMTP_AUTH_SCRAM_SHA_256 | SMTP_AUTH_PLAIN, SPAN_LIT("a,b=c"),
	    SPAN_LIT("pencil"));
	struct buf first = { 0 }, challenge = { 0 }, answer = { 0 }, auth = { 0 }, last = { 0 };
	unsigned char proof[32], signature[32];
	struct scram_first sf;
	struct scram_final fin;
	struct buf want = { 0 };
	bool good;

	assert_string_equal(login_name(l), "SCRAM-SHA-256");
	assert_true(login_first(l, &first));
	assert_true(scram_first_parse(buf_span(&first), &sf));
	assert_true(span_eq_str(sf.user, "a=2Cb=3Dc"));
	buf_addf(&challenge, "r=%.*smore,s=%s,i=%u", (int)sf.nonce.len, sf.nonce.p, salt, ROUNDS);
	assert_true(login_step(l, buf_span(&challenge), &answer));
	assert_true(scram_final_parse(buf_span(&answer), &fin));
	buf_addf(&auth, "%.*s,%s,%.*s", (int)sf.bare.len, sf.bare.p, buf_cstr(&challenge),
	    (int)fin.without_proof.len, fin.without_proof.p);
	server_keys(password, buf_span(&auth), proof, signature);
	base64_encode(span(proof, 32), &want);
	good = span_eq(buf_span(&want), fin.proof);
	signature[0] ^= !honest;
	buf_add_str(&last, "v=");
	base64_encode(span(signature, 32), &last);
	buf_clear(&answer);
	good &= login_step(l, buf_span(&last), &answer) && answer.len == 0 && login_good(l);
	login_free(&l);
	buf_fini(&first);
	buf_fini(&challenge);
	buf_fini(&answer);
	buf_fini(&auth);
	buf_fini(&last);
	buf_fini(&want);
	return good;
}

static void
both_sides_prove_that_they_know_the_password(void **state)
{
	assert_true(meet("pencil", true));
	assert_false(meet("pen", true));
	assert_false(meet("pencil", false));
}

static void
what_a_server_may_not_ask_for_ends_it(void **state)
{
	static const char *const bad[] = { "r=%smore,s=AAAA,i=0", "r=%smore,s=AAAA,i=99999999",
	    "r=%s,s=AAAA,i=4096", "r=other%s,s=AAAA,i=4096", "r=%smore,s=!,i=4096", "r=%smore,i=4096",
	    "s=AAAA,r=%smore,i=4096", "" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct login *l = login_new(SMTP_AUTH_SCRAM_SHA_256, SPAN_LIT("u"), SPAN_LIT("p"));
		struct buf first = { 0 }, answer = { 0 };
		const char *at = strstr(bad[i], "%s");
		struct buf challenge = { 0 };
		struct scram_first sf;

		assert_true(login_first(l, &first) && scram_first_parse(buf_span(&first), &sf));
		if (at != NULL) {
			buf_add(&challenge, bad[i], (size_t)(at - bad[i]));
			buf_add_span(&challenge, sf.nonce);
			buf_add_str(&challenge, at + 2);
		}
		assert_false(login_step(l, buf_span(&challenge), &answer));
		assert_false(login_good(l));
		login_free(&l);
		buf_fini(&first);
		buf_fini(&answer);
		buf_fini(&challenge);
	}
}

static void
plain_and_login_are_what_is_left(void **state)
{
	struct login *l = login_new(SMTP_AUTH_LOGIN | SMTP_AUTH_PLAIN, SPAN_LIT("u"), SPAN_LIT("p"));
	struct buf b = { 0 };

	assert_string_equal(login_name(l), "PLAIN");
	assert_true(login_first(l, &b));
	assert_true(span_eq(buf_span(&b), SPAN_LIT("\0u\0p")));
	assert_false(login_step(l, SPAN_NONE, &b));
	login_free(&l);
	buf_clear(&b);
	l = login_new(SMTP_AUTH_LOGIN, SPAN_LIT("u"), SPAN_LIT("p"));
	assert_false(login_first(l, &b));
	assert_true(login_step(l, SPAN_LIT("Username:"), &b) && span_eq_str(buf_span(&b), "u"));
	assert_true(login_step(l, SPAN_LIT("Password:"), &b) && span_eq_str(buf_span(&b), "up"));
	assert_false(login_step(l, SPAN_NONE, &b));
	login_free(&l);
	buf_fini(&b);
	assert_null(login_new(0, SPAN_LIT("u"), SPAN_LIT("p")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_rfc_comes_out),
		cmocka_unit_test(both_sides_prove_that_they_know_the_password),
		cmocka_unit_test(what_a_server_may_not_ask_for_ends_it),
		cmocka_unit_test(plain_and_login_are_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
