/* common/crypto/digest.h
 * Digests, MACs and key derivation. */
#ifndef COMMON_CRYPTO_DIGEST_H
#define COMMON_CRYPTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/span.h"

#define SHA1_LEN 20
#define SHA256_LEN 32
#define SHA512_LEN 64
#define DIGEST_MAX 64

enum digest_alg { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };

size_t digest_len(enum digest_alg alg);

/* Piece by piece. */
struct digest;
struct digest *digest_new(enum digest_alg alg);
void digest_add(struct digest *d, const void *p, size_t len);
/* Writes digest_len() bytes; d begins anew then. */
void digest_done(struct digest *d, unsigned char *out);
void digest_free(struct digest **d);

/* In one call. */
void digest(enum digest_alg alg, struct span data, unsigned char *out);
void sha256(struct span data, unsigned char out[SHA256_LEN]);
void sha1(struct span data, unsigned char out[SHA1_LEN]);

void hmac(enum digest_alg alg, struct span key, struct span data, unsigned char *out);
void hmac_sha256(struct span key, struct span data, unsigned char out[SHA256_LEN]);
void hmac_sha1(struct span key, struct span data, unsigned char out[SHA1_LEN]);

/* RFC 8018 PBKDF2 with HMAC; rounds > 0. */
void pbkdf2(enum digest_alg alg, struct span password, struct span salt, uint32_t rounds,
    unsigned char *out, size_t len);
/* RFC 5869; len at most 255 digests. */
void hkdf_extract(enum digest_alg alg, struct span salt, struct span ikm, unsigned char *prk);
void hkdf_expand(enum digest_alg alg, struct span prk, struct span info,
    unsigned char *out, size_t len);

#endif
