/* common/crypto/pkey_priv.h
 * What the files of this folder share of OpenSSL's keys. */
#ifndef COMMON_CRYPTO_PKEY_PRIV_H
#define COMMON_CRYPTO_PKEY_PRIV_H

#include <stdbool.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/params.h>

/* For what fails for want of memory or of a libcrypto that is whole, and nothing else. */
static inline void
crypto_must(bool ok)
{
	if (!ok)
		abort();
}

/* type: "EC", "RSA"; selection: EVP_PKEY_PUBLIC_KEY or EVP_PKEY_KEYPAIR; params are the caller's.
 * NULL: they are no key; OpenSSL's list of errors is empty then. */
EVP_PKEY *pkey_from_params(const char *type, const OSSL_PARAM *params, int selection);

#endif
