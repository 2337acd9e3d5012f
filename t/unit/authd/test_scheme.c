#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "authd/passwd_file.h"
#include "authd/pool.h"
#include "authd/scheme.h"
#include "common/crypto/encode.h"
#include "common/util/log.h"
#include "common/util/mem.h"

/* Made by crypt(3), libargon2's argon2 and Python's hashlib, of the password "secret". */
static const char *const known[] = {
	"{PLAIN}secret",
	"{CLEARTEXT}secret",
	"$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.",
	"{CRYPT}$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.",
	"{SHA512-CRYPT}$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.",
	"{SHA256-CRYPT}$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.",
	"{MD5-CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//",
	"{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
	"{CRYPT}$y$j75$saltsalt$0gBD67sgmJgRX3RZ6wHHO7sHimQEWGCWN85o4Twogh2",
	"abNANd1rDfiNc",
	"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
	"{SHA.HEX}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
	"{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA==",
	"{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
	"{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
	"{SSHA256}oBmrdHcA6OZEkkCLeXh71YAerbvhXz1qqwjrPsXmEtNzYWx0c2FsdA==",
	"{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
	"{SHA512.HEX}bd2b1aaf7ef4f09be9f52ce2d8d599674d81aa9d6a4421696dc4d93dd0619d682ce56b4d64a9ef097761ced99e0f67265b5f76085e5b0ee7ca4696b2ad6fe2b2",
	"{SSHA512}aCu7JRc+kLsuEmFs1zTY+AiP7DSGnjjG+dH28Dp+E5usqoAixeTPihKqZmkWal4mUfp63tqvCAkFV1LKTDFH6XNhbHRzYWx0",
	"{sha1}5en6G6MezRroT3XKqkdPOmY/BfQ=",
	"{SSHA256.b64}oBmrdHcA6OZEkkCLeXh71YAerbvhXz1qqwjrPsXmEtNzYWx0c2FsdA==",
	"{PBKDF2}$1$saltsaltsalt$5000$b2add41eae3805767d20585f4bad76c92a333cd7",
	"{ARGON2ID}$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$FVyC9Idb/zXNhNsyjuyraWKeAc/n1whEQMvwuzK+mFo",
	"{ARGON2I}$argon2i$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$NT3HDqwlcYWoE8KsPuen7yL1bb4nJ7CI+YmVzQG20uU",
};

static void
known_hashes_are_verified(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct span h = span_str(known[i]);

		if (scheme_verify(h, SPAN_LIT("secret")) != ST_OK)
			fail_msg("%s", known[i]);
		if (scheme_verify(h, SPAN_LIT("Secret")) != ST_DENIED)
			fail_msg("%s takes a wrong password", known[i]);
		assert_int_equal(scheme_verify(h, SPAN_LIT("")), ST_DENIED);
	}
}

static void
what_is_no_hash_is_never_ok(void **state)
{
	static const char *const bad[] = {
		"", "{", "{}", "{NOPE}x", "{SSHA}", "{SSHA}!!", "{SHA256}abcd", "{PBKDF2}$1$x$0$00",
		"{PBKDF2}$2$x$1$00", "{PBKDF2}$1$", "{ARGON2ID}", "{ARGON2ID}$argon2id$", "{CRYPT}",
		"{CRYPT}$9$x$y", "*", "!", "{SHA.XXX}aaaa", "{SSHA.",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_not_equal(scheme_verify(span_str(bad[i]), SPAN_LIT("secret")), ST_OK);
}

static void
fresh_hashes_verify_and_differ(void **state)
{
	struct hash_params argon = { HASH_ARGON2ID, 64, 1, 0, 0 };
	struct hash_params yes = { HASH_YESCRYPT, 0, 0, 1, 0 };
	const struct hash_params *all[] = { &argon, &yes };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct buf a = { 0 }, b = { 0 };

		assert_true(scheme_make(all[i], SPAN_LIT("secret"), &a));
		assert_true(scheme_make(all[i], SPAN_LIT("secret"), &b));
		assert_false(span_eq(buf_span(&a), buf_span(&b)));
		assert_int_equal(scheme_verify(buf_span(&a), SPAN_LIT("secret")), ST_OK);
		assert_int_equal(scheme_verify(buf_span(&a), SPAN_LIT("secres")), ST_DENIED);
		buf_fini(&a);
		buf_fini(&b);
	}
}

static void
too_long_passwords_are_denied(void **state)
{
	char *p = mem_zalloc(PASSWORD_MAX + 1);

	memset(p, 'a', PASSWORD_MAX + 1);
	assert_int_equal(scheme_verify(SPAN_LIT("{PLAIN}a"), span(p, PASSWORD_MAX + 1)), ST_DENIED);
	mem_free(&p);
}

struct vector {
	enum digest_alg	alg;
	const char	*salt;
	const char	*auth, *proof, *signature;
};

static void
scram_agrees_with_the_rfcs(void **state)
{
	/* RFC 5802 section 5 and RFC 7677 section 3; the password is "pencil" */
	static const struct vector v[] = {
		{ DIGEST_SHA1, "QSXCR+Q6sek8bf92",
		    "n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
		    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
		    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
		    "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
		{ DIGEST_SHA256, "W22ZaJ0SNY7soEsUEjb6gQ==",
		    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
		    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
		    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
		    "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		    "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		unsigned char stored[DIGEST_MAX], server[DIGEST_MAX], sig[DIGEST_MAX];
		size_t n = digest_len(v[i].alg);
		struct buf salt = { 0 }, proof = { 0 }, text = { 0 };

		assert_true(base64_decode(span_str(v[i].salt), 64, &salt));
		assert_true(base64_decode(span_str(v[i].proof), 64, &proof));
		scram_keys(v[i].alg, SPAN_LIT("pencil"), buf_span(&salt), 4096, stored, server);
		assert_true(scram_check(v[i].alg, span(stored, n), span_str(v[i].auth), buf_span(&proof)));
		scram_server_signature(v[i].alg, span(server, n), span_str(v[i].auth), sig);
		base64_encode(span(sig, n), &text);
		assert_string_equal(buf_cstr(&text), v[i].signature);
		proof.data[3] ^= 1;
		assert_false(scram_check(v[i].alg, span(stored, n), span_str(v[i].auth), buf_span(&proof)));
		proof.data[3] ^= 1;
		assert_false(scram_check(v[i].alg, span(stored, n), SPAN_LIT("x"), buf_span(&proof)));
		assert_false(scram_check(v[i].alg, span(stored, n), span_str(v[i].auth),
		    span(proof.data, n - 1)));
		buf_fini(&salt);
		buf_fini(&proof);
		buf_fini(&text);
	}
}

static void
passwd_lines_are_cut_at_colons(void **state)
{
	struct passwd_line l;

	assert_int_equal(passwd_line_parse(SPAN_LIT("bob:{PLAIN}x:1000:1000::/home:/bin/sh\r"), &l),
	    PASSWD_LINE);
	assert_true(span_eq_str(l.user, "bob"));
	assert_true(span_eq_str(l.hash, "{PLAIN}x"));
	assert_int_equal(passwd_line_parse(SPAN_LIT("bob:$6$a$b"), &l), PASSWD_LINE);
	assert_int_equal(passwd_line_parse(SPAN_LIT("# bob:x"), &l), PASSWD_NOTHING);
	assert_int_equal(passwd_line_parse(SPAN_LIT("  "), &l), PASSWD_NOTHING);
	assert_int_equal(passwd_line_parse(SPAN_LIT("bob:"), &l), PASSWD_NOTHING);
	assert_int_equal(passwd_line_parse(SPAN_LIT("bob:!"), &l), PASSWD_NOTHING);
	assert_int_equal(passwd_line_parse(SPAN_LIT("bob"), &l), PASSWD_BAD);
	assert_int_equal(passwd_line_parse(SPAN_LIT(":{PLAIN}x"), &l), PASSWD_BAD);
	assert_int_equal(passwd_line_parse(SPAN_LIT("bob:{NOPE}x"), &l), PASSWD_BAD);
}

struct told { struct loop *loop; int n; enum status st; };

static void
on_told(void *arg, enum status st, struct span reply)
{
	struct told *t = arg;

	t->n++;
	t->st = st;
	loop_stop(t->loop);
}

static void
a_child_that_takes_too_long_is_replaced(void **state)
{
	struct told t = { .loop = loop_new() };
	struct pool_config cf = { t.loop, "test", 1, 2, 150, false };
	struct pool *p = pool_new(&cf);
	struct hash_params slow = { HASH_ARGON2ID, 64 << 10, 100, 0, 0 };
	struct pool_job *j;

	assert_non_null(pool_make(p, &slow, SPAN_LIT("x"), on_told, &t));
	loop_run(t.loop);
	assert_int_equal(t.st, ST_UNAVAILABLE);
	/* the next child works, and no more wait than may */
	assert_non_null(pool_verify(p, SPAN_LIT("{PLAIN}x"), SPAN_LIT("x"), on_told, &t));
	j = pool_verify(p, SPAN_LIT("{PLAIN}x"), SPAN_LIT("y"), on_told, &t);
	assert_non_null(j);
	assert_null(pool_verify(p, SPAN_LIT("{PLAIN}x"), SPAN_LIT("x"), on_told, &t));
	pool_cancel(&j);
	loop_run(t.loop);
	assert_int_equal(t.st, ST_OK);
	assert_int_equal(t.n, 2);
	assert_int_equal(pool_waiting(p), 0);
	assert_non_null(pool_verify(p, SPAN_LIT("{PLAIN}x"), SPAN_LIT("y"), on_told, &t));
	loop_run(t.loop);
	assert_int_equal(t.st, ST_DENIED);
	pool_free(&p);
	loop_free(&t.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_hashes_are_verified),
		cmocka_unit_test(what_is_no_hash_is_never_ok),
		cmocka_unit_test(fresh_hashes_verify_and_differ),
		cmocka_unit_test(too_long_passwords_are_denied),
		cmocka_unit_test(scram_agrees_with_the_rfcs),
		cmocka_unit_test(passwd_lines_are_cut_at_colons),
		cmocka_unit_test(a_child_that_takes_too_long_is_replaced),
	};

	log_set_level(LOG_LEVEL_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
