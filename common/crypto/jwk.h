/* common/crypto/jwk.h
 * Public keys from JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037) and the signatures of
 * JSON Web Signatures (RFC 7518 §3) checked with them.  Symmetric keys are none of these:
 * who could check with one could also sign. */
#ifndef COMMON_CRYPTO_JWK_H
#define COMMON_CRYPTO_JWK_H

#include <stdbool.h>

#include "common/util/span.h"

enum jws_alg {
	JWS_RS256, JWS_RS384, JWS_RS512, JWS_PS256, JWS_PS384, JWS_PS512,
	JWS_ES256, JWS_ES384, JWS_ES512, JWS_EDDSA, JWS_ALGS
};
bool jws_alg_parse(struct span name, enum jws_alg *alg);

struct jwk;

/* The members as decoded bytes. */
struct jwk *jwk_rsa(struct span n, struct span e);		/* 2,048 to 8,192 bits */
struct jwk *jwk_ec(struct span crv, struct span x, struct span y);	/* P-256, P-384, P-521 */
struct jwk *jwk_okp(struct span crv, struct span x);		/* Ed25519 */
void jwk_free(struct jwk **k);
/* false also when the key is not of the algorithm's kind. */
bool jwk_verify(const struct jwk *k, enum jws_alg alg, struct span data, struct span signature);

#endif
