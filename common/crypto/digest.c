/* OpenSSL 3 looks an algorithm up by name at every use unless it was fetched
 * before; each is fetched once and kept as long as the process lives. */
#include "common/crypto/digest.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "common/crypto/pkey_priv.h"
#include "common/util/mem.h"

#define BLOCK_MAX 128

struct digest {
	EVP_MD_CTX	*ctx;
	enum digest_alg	 alg;
};

static EVP_MD *fetched[3];
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void
fetch(void)
{
	static const char *const names[] = { "SHA1", "SHA256", "SHA512" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		fetched[i] = EVP_MD_fetch(NULL, names[i], NULL);
		crypto_must(fetched[i] != NULL);
	}
}

static const EVP_MD *
md(enum digest_alg alg)
{
	assert((size_t)alg < ARRAY_LEN(fetched));
	pthread_once(&fetch_once, fetch);
	return fetched[alg];
}

size_t
digest_len(enum digest_alg alg)
{
	static const size_t len[] = { SHA1_LEN, SHA256_LEN, SHA512_LEN };

	assert((size_t)alg < ARRAY_LEN(len));
	return len[alg];
}

struct digest *
digest_new(enum digest_alg alg)
{
	struct digest *d = mem_zalloc(sizeof(*d));

	d->alg = alg;
	d->ctx = EVP_MD_CTX_new();
	crypto_must(d->ctx != NULL);
	crypto_must(EVP_DigestInit_ex2(d->ctx, md(alg), NULL) == 1);
	return d;
}

void
digest_add(struct digest *d, const void *p, size_t len)
{
	if (len > 0)
		crypto_must(EVP_DigestUpdate(d->ctx, p, len) == 1);
}

void
digest_done(struct digest *d, unsigned char *out)
{
	crypto_must(EVP_DigestFinal_ex(d->ctx, out, NULL) == 1);
	crypto_must(EVP_DigestInit_ex2(d->ctx, md(d->alg), NULL) == 1);
}

void
digest_free(struct digest **dp)
{
	if (*dp == NULL)
		return;
	EVP_MD_CTX_free((*dp)->ctx);
	mem_free(dp);
}

void
digest(enum digest_alg alg, struct span data, unsigned char *out)
{
	crypto_must(EVP_Digest(data.len > 0 ? data.p : "", data.len, out, NULL, md(alg), NULL) == 1);
}

void
sha256(struct span data, unsigned char out[SHA256_LEN])
{
	digest(DIGEST_SHA256, data, out);
}

void
sha1(struct span data, unsigned char out[SHA1_LEN])
{
	digest(DIGEST_SHA1, data, out);
}

static void
hmac_pass(EVP_MD_CTX *ctx, enum digest_alg alg, struct span pad, struct span data,
    unsigned char *out)
{
	crypto_must(EVP_DigestInit_ex2(ctx, md(alg), NULL) == 1 &&
	    EVP_DigestUpdate(ctx, pad.p, pad.len) == 1 &&
	    (data.len == 0 || EVP_DigestUpdate(ctx, data.p, data.len) == 1) &&
	    EVP_DigestFinal_ex(ctx, out, NULL) == 1);
}

/* RFC 2104.  OpenSSL's own looks its parts up by name each time, which costs four times the
 * hashing of a ticket. */
void
hmac(enum digest_alg alg, struct span key, struct span data, unsigned char *out)
{
	unsigned char pad[BLOCK_MAX] = { 0 }, inner[DIGEST_MAX];
	const size_t block = alg == DIGEST_SHA512 ? 128 : 64, n = digest_len(alg);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	crypto_must(ctx != NULL);
	if (key.len > block)
		digest(alg, key, pad);
	else if (key.len > 0)
		memcpy(pad, key.p, key.len);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36;
	hmac_pass(ctx, alg, span(pad, block), data, inner);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	hmac_pass(ctx, alg, span(pad, block), span(inner, n), out);
	EVP_MD_CTX_free(ctx);
	mem_wipe(pad, sizeof(pad));
	mem_wipe(inner, sizeof(inner));
}

void
hmac_sha256(struct span key, struct span data, unsigned char out[SHA256_LEN])
{
	hmac(DIGEST_SHA256, key, data, out);
}

void
hmac_sha1(struct span key, struct span data, unsigned char out[SHA1_LEN])
{
	hmac(DIGEST_SHA1, key, data, out);
}

void
pbkdf2(enum digest_alg alg, struct span password, struct span salt, uint32_t rounds,
    unsigned char *out, size_t len)
{
	const char *p = password.len > 0 ? password.p : "";

	assert(rounds > 0 && rounds <= INT32_MAX);
	assert(password.len <= INT32_MAX && salt.len <= INT32_MAX && len <= INT32_MAX);
	crypto_must(PKCS5_PBKDF2_HMAC(p, (int)password.len, (const unsigned char *)salt.p,
	    (int)salt.len, (int)rounds, md(alg), (int)len, out) == 1);
}

void
hkdf_extract(enum digest_alg alg, struct span salt, struct span ikm, unsigned char *prk)
{
	/* An absent salt is a string of zeros (RFC 5869 2.2), which is what HMAC pads
	 * an empty key to. */
	hmac(alg, salt, ikm, prk);
}

void
hkdf_expand(enum digest_alg alg, struct span prk, struct span info,
    unsigned char *out, size_t len)
{
	size_t dlen = digest_len(alg), taken = 0;
	unsigned char t[DIGEST_MAX];
	unsigned char *msg;
	unsigned char round = 0;

	assert(len <= 255 * dlen);
	msg = mem_alloc(dlen + info.len + 1);
	while (taken < len) {
		size_t n = round == 0 ? 0 : dlen, part;

		memcpy(msg, t, n);
		if (info.len > 0)
			memcpy(msg + n, info.p, info.len);
		msg[n + info.len] = ++round;
		hmac(alg, prk, span(msg, n + info.len + 1), t);
		part = len - taken < dlen ? len - taken : dlen;
		memcpy(out + taken, t, part);
		taken += part;
	}
	mem_wipe(t, sizeof(t));
	mem_wipe(msg, dlen + info.len + 1);
	mem_free(&msg);
}
