#include "t/unit/net/tlskit.h"

#include <assert.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/util/mem.h"

static char *
bio_text(BIO *bio)
{
	char *p, *text;
	long n = BIO_get_mem_data(bio, &p);

	text = mem_strndup(p, (size_t)n);
	BIO_free(bio);
	return text;
}

static EVP_PKEY *
make_key(const char *type)
{
	if (strcmp(type, "EC") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	if (strcmp(type, "RSA") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	return EVP_PKEY_Q_keygen(NULL, NULL, type);
}

void
kit_cert_make(struct kit_cert *c, const char *type, const char *names, int days)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	X509_EXTENSION *san;
	BIO *bio;

	c->key = make_key(type);
	assert(c->key != NULL);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400L * days);
	X509_set_pubkey(x, c->key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"kit.example", -1, -1, 0);
	X509_set_issuer_name(x, name);
	if (names != NULL) {
		san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
		assert(san != NULL);
		X509_add_ext(x, san, -1);
		X509_EXTENSION_free(san);
	}
	X509_sign(x, c->key, strcmp(type, "ED25519") == 0 ? NULL : EVP_sha256());
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	c->pem = bio_text(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, c->key, NULL, NULL, 0, NULL, NULL);
	c->key_pem = bio_text(bio);
	X509_free(x);
}

void
kit_cert_free(struct kit_cert *c)
{
	mem_free(&c->pem);
	mem_free(&c->key_pem);
	EVP_PKEY_free(c->key);
	c->key = NULL;
}

struct tls_ctx *
kit_ctx(const struct kit_cert *c, const struct tls_conf *conf)
{
	static const struct tls_conf none;
	char err[TLS_ERROR_MAX];
	struct tls_ctx *ctx = tls_ctx_new(conf != NULL ? conf : &none, err);
	enum status st;

	assert(ctx != NULL);
	st = tls_ctx_add(ctx, span_str(c->pem), span_str(c->key_pem), err);
	assert(st == ST_OK);
	(void)st;
	return ctx;
}

void
kit_client_init(struct kit_client *c, const char *sni, int version)
{
	c->ctx = SSL_CTX_new(TLS_client_method());
	if (version != 0) {
		SSL_CTX_set_min_proto_version(c->ctx, version);
		SSL_CTX_set_max_proto_version(c->ctx, version);
	}
	c->ssl = SSL_new(c->ctx);
	SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(c->ssl), -1);
	if (sni != NULL)
		SSL_set_tlsext_host_name(c->ssl, sni);
	SSL_set_connect_state(c->ssl);
}

void
kit_client_fini(struct kit_client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
}

size_t
kit_client_out(struct kit_client *c, char *out, size_t size)
{
	int n = BIO_read(SSL_get_wbio(c->ssl), out, (int)size);

	return n > 0 ? (size_t)n : 0;
}

void
kit_client_in(struct kit_client *c, const void *p, size_t len)
{
	BIO_write(SSL_get_rbio(c->ssl), p, (int)len);
}
