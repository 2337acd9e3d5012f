/* t/unit/net/tlskit.h
 * Certificates made on the spot, and a TLS client over memory, for tests. */
#ifndef T_UNIT_NET_TLSKIT_H
#define T_UNIT_NET_TLSKIT_H

#include <openssl/ssl.h>

#include "common/net/tls.h"

struct kit_cert {
	char		*pem, *key_pem;
	EVP_PKEY	*key;
};

/* names: for subjectAltName, "DNS:a.example,DNS:*.b.example"; days: from now. */
void kit_cert_make(struct kit_cert *c, const char *type, const char *names, int days);
void kit_cert_free(struct kit_cert *c);
/* A context with this one certificate. */
struct tls_ctx *kit_ctx(const struct kit_cert *c, const struct tls_conf *conf);

struct kit_client {
	SSL_CTX	*ctx;
	SSL	*ssl;
};

/* sni, alpn (wire form) and session may be NULL; version 0: any. */
void kit_client_init(struct kit_client *c, const char *sni, int version);
void kit_client_fini(struct kit_client *c);
/* Ciphertext the client wants sent / got. */
size_t kit_client_out(struct kit_client *c, char *out, size_t size);
void kit_client_in(struct kit_client *c, const void *p, size_t len);

#endif
