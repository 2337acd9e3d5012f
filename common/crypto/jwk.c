#include "common/crypto/jwk.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "common/crypto/pkey_priv.h"
#include "common/util/mem.h"

enum kind { KIND_RSA, KIND_P256, KIND_P384, KIND_P521, KIND_ED25519 };

struct jwk {
	enum kind	kind;
	EVP_PKEY	*key;
};

static const struct {
	const char	*name;
	enum kind	kind;
	bool		pss;
	const EVP_MD	*(*md)(void);
} algs[JWS_ALGS] = {
	[JWS_RS256] = { "RS256", KIND_RSA, false, EVP_sha256 },
	[JWS_RS384] = { "RS384", KIND_RSA, false, EVP_sha384 },
	[JWS_RS512] = { "RS512", KIND_RSA, false, EVP_sha512 },
	[JWS_PS256] = { "PS256", KIND_RSA, true, EVP_sha256 },
	[JWS_PS384] = { "PS384", KIND_RSA, true, EVP_sha384 },
	[JWS_PS512] = { "PS512", KIND_RSA, true, EVP_sha512 },
	[JWS_ES256] = { "ES256", KIND_P256, false, EVP_sha256 },
	[JWS_ES384] = { "ES384", KIND_P384, false, EVP_sha384 },
	[JWS_ES512] = { "ES512", KIND_P521, false, EVP_sha512 },
	[JWS_EDDSA] = { "EdDSA", KIND_ED25519, false, NULL },
};

bool
jws_alg_parse(struct span name, enum jws_alg *alg)
{
	for (unsigned i = 0; i < JWS_ALGS; i++) {
		if (span_eq_str(name, algs[i].name)) {
			*alg = (enum jws_alg)i;
			return true;
		}
	}
	return false;
}

static struct jwk *
take(EVP_PKEY *key, enum kind kind)
{
	struct jwk *k;

	ERR_clear_error();
	if (key == NULL)
		return NULL;
	k = mem_zalloc(sizeof(*k));
	k->kind = kind;
	k->key = key;
	return k;
}

struct jwk *
jwk_rsa(struct span n, struct span e)
{
	OSSL_PARAM_BLD *b;
	OSSL_PARAM *params;
	BIGNUM *bn, *be;
	EVP_PKEY *key = NULL;

	if (n.len < 256 || n.len > 1024 || e.len == 0 || e.len > 8)
		return NULL;
	b = OSSL_PARAM_BLD_new();
	bn = BN_bin2bn((const unsigned char *)n.p, (int)n.len, NULL);
	be = BN_bin2bn((const unsigned char *)e.p, (int)e.len, NULL);
	if (b != NULL && bn != NULL && be != NULL && BN_is_odd(be) && BN_num_bits(bn) >= 2048 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be) == 1) {
		params = OSSL_PARAM_BLD_to_param(b);
		key = pkey_from_params("RSA", params, EVP_PKEY_PUBLIC_KEY);
		OSSL_PARAM_free(params);
	}
	OSSL_PARAM_BLD_free(b);
	BN_free(bn);
	BN_free(be);
	return take(key, KIND_RSA);
}

struct jwk *
jwk_ec(struct span crv, struct span x, struct span y)
{
	static const struct { const char *jose, *openssl; size_t len; enum kind kind; } curves[] = {
		{ "P-256", "prime256v1", 32, KIND_P256 }, { "P-384", "secp384r1", 48, KIND_P384 },
		{ "P-521", "secp521r1", 66, KIND_P521 }
	};

	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		unsigned char point[1 + 2 * 66];
		OSSL_PARAM params[3];
		char group[16];

		if (!span_eq_str(crv, curves[i].jose))
			continue;
		if (x.len != curves[i].len || y.len != curves[i].len)
			return NULL;
		point[0] = POINT_CONVERSION_UNCOMPRESSED;
		memcpy(point + 1, x.p, x.len);
		memcpy(point + 1 + x.len, y.p, y.len);
		strcpy(group, curves[i].openssl);
		params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
		params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
		    1 + 2 * x.len);
		params[2] = OSSL_PARAM_construct_end();
		return take(pkey_from_params("EC", params, EVP_PKEY_PUBLIC_KEY), curves[i].kind);
	}
	return NULL;
}

struct jwk *
jwk_okp(struct span crv, struct span x)
{
	if (!span_eq_str(crv, "Ed25519") || x.len != 32)
		return NULL;
	return take(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
	    (const unsigned char *)x.p, x.len), KIND_ED25519);
}

void
jwk_free(struct jwk **k)
{
	if (*k != NULL)
		EVP_PKEY_free((*k)->key);
	mem_free(k);
}

/* r and s side by side (RFC 7518 §3.4) as OpenSSL wants them; NULL: not of that length. */
static unsigned char *
ec_signature(enum kind kind, struct span in, int *len)
{
	size_t half = kind == KIND_P256 ? 32 : kind == KIND_P384 ? 48 : 66;
	unsigned char *out = NULL;
	ECDSA_SIG *sig;
	BIGNUM *r, *s;

	if (in.len != 2 * half)
		return NULL;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn((const unsigned char *)in.p, (int)half, NULL);
	s = BN_bin2bn((const unsigned char *)in.p + half, (int)half, NULL);
	if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
	} else {
		*len = i2d_ECDSA_SIG(sig, &out);
	}
	ECDSA_SIG_free(sig);
	return out;
}

bool
jwk_verify(const struct jwk *k, enum jws_alg alg, struct span data, struct span signature)
{
	const EVP_MD *md = algs[alg].md != NULL ? algs[alg].md() : NULL;
	EVP_PKEY_CTX *pctx = NULL;
	EVP_MD_CTX *ctx;
	unsigned char *der = NULL;
	int der_len = 0;
	bool good;

	if (k->kind != algs[alg].kind)
		return false;
	if (k->kind >= KIND_P256 && k->kind <= KIND_P521) {
		der = ec_signature(k->kind, signature, &der_len);
		if (der == NULL)
			return false;
		signature = span(der, der_len > 0 ? (size_t)der_len : 0);
	}
	ctx = EVP_MD_CTX_new();
	good = ctx != NULL && EVP_DigestVerifyInit(ctx, &pctx, md, NULL, k->key) == 1;
	if (good && algs[alg].pss)
		good = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.len,
	    (const unsigned char *)data.p, data.len) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ERR_clear_error();
	return good;
}
