#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/proto/sasl.h"
#include "common/util/mem.h"

static void
plain_has_three_parts(void **state)
{
	static const struct span bad[] = {
		{ "", 0 }, { "abc", 3 }, { "\0user", 5 }, { "\0\0pw", 4 }, { "\0user\0", 6 },
		{ "\0us\xff" "r\0pw", 8 }, { "\0u\0p\0x", 6 }, { "a\nb\0u\0p", 7 },
	};
	struct buf message = { 0 };
	struct sasl_plain p;

	assert_true(sasl_plain_parse(SPAN_LIT("\0user\0pass word"), &p));
	assert_int_equal(p.authzid.len, 0);
	assert_true(span_eq_str(p.authcid, "user"));
	assert_true(span_eq_str(p.password, "pass word"));
	assert_true(sasl_plain_parse(SPAN_LIT("other\0us\xc3\xa9r\0p\xff"), &p));
	assert_true(span_eq_str(p.authzid, "other"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(sasl_plain_parse(bad[i], &p));
	sasl_plain_put(&message, &(struct sasl_plain){ SPAN_LIT("a"), SPAN_LIT("u"), SPAN_LIT("p w") });
	assert_true(span_eq(buf_span(&message), SPAN_LIT("a\0u\0p w")));
	buf_fini(&message);
}

static void
client_first_follows_rfc_5802(void **state)
{
	static const char *const bad[] = {
		"", "n", "n,", "n,,", "n,,n=user", "n,,n=user,", "n,,n=,r=x", "n,,r=x,n=user", "x,,n=u,r=x",
		"p,,n=u,r=x", "p=,,n=u,r=x", "p=a b,,n=u,r=x", "n,b=x,n=u,r=x", "n,a=,n=u,r=x",
		"n,,m=ext,n=u,r=x", "n,,n=u,r=", "n,,n=u,r=a b", "n,,n=u,r=x,", "n,,n=u,r=x,1=y",
		"n,,n=u,r=x,a", "yy,,n=u,r=x", "n,,n=u\n,r=x",
	};
	struct scram_first f;

	assert_true(scram_first_parse(SPAN_LIT("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), &f));
	assert_int_equal(f.binding, 'n');
	assert_true(span_eq_str(f.gs2, "n,,"));
	assert_true(span_eq_str(f.bare, "n=user,r=fyko+d2lbbFgONRv9qkxdawL"));
	assert_true(span_eq_str(f.user, "user"));
	assert_true(span_eq_str(f.nonce, "fyko+d2lbbFgONRv9qkxdawL"));
	assert_true(scram_first_parse(SPAN_LIT("p=tls-exporter,a=o=2Cx,n=u,r=x,e=1,f=a=b"), &f));
	assert_int_equal(f.binding, 'p');
	assert_true(span_eq_str(f.binding_name, "tls-exporter"));
	assert_true(span_eq_str(f.authzid, "o=2Cx"));
	assert_true(span_eq_str(f.gs2, "p=tls-exporter,a=o=2Cx,"));
	assert_true(span_eq_str(f.nonce, "x"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (scram_first_parse(span_str(bad[i]), &f))
			fail_msg("%s", bad[i]);
}

static void
names_are_unescaped(void **state)
{
	struct buf b = { 0 };

	assert_true(scram_name_decode(SPAN_LIT("a=2Cb=3Dc"), &b));
	assert_true(span_eq_str(buf_span(&b), "a,b=c"));
	assert_false(scram_name_decode(SPAN_LIT("a=2cb"), &b));
	assert_false(scram_name_decode(SPAN_LIT("a="), &b));
	assert_false(scram_name_decode(SPAN_LIT("a=3"), &b));
	buf_fini(&b);
}

static void
client_final_ends_with_its_proof(void **state)
{
	static const char *const bad[] = {
		"", "c=biws", "c=biws,r=x", "c=biws,p=y", "r=x,c=biws,p=y", "c=,r=x,p=y", "c=biws,r=x,p=",
		"c=biws,r=x,p=y,e=1", "c=biws,r=x,p=y,", "c=biws,r=,p=y", "c=biws,r=x,1=2,p=y",
	};
	struct scram_final f;

	assert_true(scram_final_parse(SPAN_LIT("c=biws,r=abc,p=cHJvb2Y="), &f));
	assert_true(span_eq_str(f.binding, "biws"));
	assert_true(span_eq_str(f.nonce, "abc"));
	assert_true(span_eq_str(f.proof, "cHJvb2Y="));
	assert_true(span_eq_str(f.without_proof, "c=biws,r=abc"));
	assert_true(scram_final_parse(SPAN_LIT("c=biws,r=abc,x=1,p=y"), &f));
	assert_true(span_eq_str(f.without_proof, "c=biws,r=abc,x=1"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (scram_final_parse(span_str(bad[i]), &f))
			fail_msg("%s", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_has_three_parts),
		cmocka_unit_test(client_first_follows_rfc_5802),
		cmocka_unit_test(names_are_unescaped),
		cmocka_unit_test(client_final_ends_with_its_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
