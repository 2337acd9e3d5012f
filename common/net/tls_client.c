/* The context of a client: one server, whose name its certificate must have. */
#include "common/net/tls.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/net/addr.h"
#include "common/net/tls_priv.h"
#include "common/util/mem.h"

/* How many certificates were found in it. */
static size_t
add_authorities(SSL_CTX *sc, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, pem.len > INT32_MAX ? 0 : (int)pem.len);
	X509 *cert;
	size_t n = 0;

	if (bio == NULL)
		abort();
	while ((cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(SSL_CTX_get_cert_store(sc), cert) == 1;
		X509_free(cert);
	}
	ERR_clear_error();
	BIO_free(bio);
	return n;
}

static bool
expect(SSL_CTX *sc, const char *name, bool named)
{
	X509_VERIFY_PARAM *p = SSL_CTX_get0_param(sc);

	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return (named ? X509_VERIFY_PARAM_set1_host(p, name, 0) :
	    X509_VERIFY_PARAM_set1_ip_asc(p, name)) == 1;
}

static SSL_CTX *
make(void)
{
	SSL_CTX *sc = SSL_CTX_new(TLS_client_method());

	if (sc == NULL)
		abort();
	SSL_CTX_set_min_proto_version(sc, TLS1_2_VERSION);
	SSL_CTX_set_options(sc, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(sc, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(sc, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_cipher_list(sc, TLS_CIPHERS_12) != 1)
		abort();
	return sc;
}

struct tls_ctx *
tls_ctx_new_client(const char *name, struct span ca_pem, bool verify, char err[TLS_ERROR_MAX])
{
	struct tls_ctx *ctx = mem_zalloc(sizeof(*ctx));
	struct net_ip ip;
	const char *why = NULL;
	SSL_CTX *sc = make();

	ctx->refs = 1;
	ctx->server = mem_strdup(name);
	ctx->server_named = !net_ip_parse(span_str(name), &ip);
	ctx->certs = mem_realloc_array(NULL, 1, sizeof(SSL_CTX *));
	ctx->certs[ctx->n_certs++] = sc;
	SSL_CTX_set_verify(sc, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (ca_pem.len > 0 ? add_authorities(sc, ca_pem) == 0 :
	    verify && SSL_CTX_set_default_verify_paths(sc) != 1)
		why = "no authorities can be read";
	else if (verify && !expect(sc, name, ctx->server_named))
		why = "not a name that a certificate can be for";
	ERR_clear_error();
	if (why != NULL) {
		snprintf(err, TLS_ERROR_MAX, "%s", why);
		tls_ctx_free(&ctx);
	}
	return ctx;
}
