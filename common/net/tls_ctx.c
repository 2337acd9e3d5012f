/* TLS contexts: one SSL_CTX a certificate, all set up alike, chosen by server name. */
#include "common/net/tls.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/crypto/random.h"
#include "common/net/tls_priv.h"
#include "common/util/mem.h"

#define NAME_MAX_LEN 253

const char *
tls_last_error(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *words = e != 0 ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return words != NULL ? words : "protocol error";
}

static enum status
failed(char err[TLS_ERROR_MAX], const char *what)
{
	snprintf(err, TLS_ERROR_MAX, "%s: %s", what, tls_last_error());
	return ST_SYNTAX;
}

/* "h2 http/1.1" to the wire's list of counted strings. */
static bool
alpn_wire(const char *words, struct buf *wire)
{
	struct span rest = span_str(words);

	while (rest.len > 0) {
		struct span word = span_cut(&rest, ' ');

		if (word.len > 255)
			return false;
		if (word.len == 0)
			continue;
		buf_add_c(wire, (char)word.len);
		buf_add_span(wire, word);
	}
	return wire->len > 0;
}

static SSL_CTX *make_ssl_ctx(struct tls_ctx *ctx);

struct tls_ctx *
tls_ctx_new(const struct tls_conf *conf, char err[TLS_ERROR_MAX])
{
	struct tls_ctx *ctx = mem_zalloc(sizeof(*ctx));
	SSL_CTX *trial;

	ctx->refs = 1;
	ctx->conf = *conf;
	ctx->ciphers12 = mem_strdup(conf->ciphers12 != NULL ? conf->ciphers12 : TLS_CIPHERS_12);
	if (conf->alpn != NULL && !alpn_wire(conf->alpn, &ctx->alpn)) {
		snprintf(err, TLS_ERROR_MAX, "bad list of ALPN protocols");
		tls_ctx_free(&ctx);
		return NULL;
	}
	ctx->conf.ciphers12 = ctx->conf.alpn = NULL;
	trial = make_ssl_ctx(ctx);
	if (trial == NULL) {
		failed(err, "cipher list");
		tls_ctx_free(&ctx);
	}
	SSL_CTX_free(trial);
	return ctx;
}

struct tls_ctx *
tls_ctx_ref(struct tls_ctx *ctx)
{
	ctx->refs++;
	return ctx;
}

void
tls_ctx_free(struct tls_ctx **ctxp)
{
	struct tls_ctx *ctx = *ctxp;

	*ctxp = NULL;
	if (ctx == NULL || --ctx->refs > 0)
		return;
	for (size_t i = 0; i < ctx->n_certs; i++)
		SSL_CTX_free(ctx->certs[i]);
	for (size_t i = 0; i < ctx->n_keys; i++)
		tls_remote_key_free(&ctx->keys[i]);
	mem_free(&ctx->certs);
	mem_free(&ctx->keys);
	mem_free(&ctx->ciphers12);
	mem_free(&ctx->server);
	tls_peer_fini(ctx);
	table_fini(&ctx->names, NULL, NULL);
	buf_fini(&ctx->alpn);
	mem_wipe(ctx->tickets, sizeof(ctx->tickets));
	mem_free(&ctx);
}

/* ---- choice by name ---- */

static SSL_CTX *
find_cert(const struct tls_ctx *ctx, const char *server_name)
{
	char name[NAME_MAX_LEN + 2];
	size_t len = strlen(server_name);
	const char *dot;
	SSL_CTX *found;

	if (len > 0 && server_name[len - 1] == '.')
		len--;
	if (len == 0 || len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < len; i++)
		name[i] = ascii_lower(server_name[i]);
	found = table_get(&ctx->names, span(name, len));
	dot = memchr(name, '.', len);
	if (found != NULL || dot == NULL || dot == name)
		return found;
	/* a.b.c: the wildcard *.b.c, overwriting the last letter of the label. */
	name[dot - name - 1] = '*';
	return table_get(&ctx->names, span(dot - 1, len - (size_t)(dot - 1 - name)));
}

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_ctx *ctx = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *found = name != NULL ? find_cert(ctx, name) : NULL;

	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (found != NULL && found != SSL_get_SSL_CTX(ssl))
		SSL_set_SSL_CTX(ssl, found);
	return SSL_TLSEXT_ERR_OK;
}

static void
add_name(struct tls_ctx *ctx, SSL_CTX *sc, const ASN1_STRING *s)
{
	const char *p = (const char *)ASN1_STRING_get0_data(s);
	int len = ASN1_STRING_length(s);
	char name[NAME_MAX_LEN];

	if (len <= 0 || len > NAME_MAX_LEN)
		return;
	for (int i = 0; i < len; i++)
		name[i] = ascii_lower(p[i]);
	if (table_get(&ctx->names, span(name, (size_t)len)) == NULL)
		table_put(&ctx->names, span(name, (size_t)len), sc);
}

static void
add_names(struct tls_ctx *ctx, SSL_CTX *sc)
{
	X509 *cert = SSL_CTX_get0_certificate(sc);
	GENERAL_NAMES *alt = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	int dns = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(alt); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(alt, i);

		if (g->type == GEN_DNS) {
			add_name(ctx, sc, g->d.dNSName);
			dns++;
		}
	}
	GENERAL_NAMES_free(alt);
	if (dns == 0 && at >= 0)
		add_name(ctx, sc, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

/* RFC 7301 3.2: no protocol in common ends the handshake, so that a client of
 * another protocol cannot be led here. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned inlen, void *arg)
{
	const struct tls_ctx *ctx = arg;
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, outlen, (const unsigned char *)ctx->alpn.data,
	    (unsigned)ctx->alpn.len, in, inlen) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- tickets ---- */

static bool
ticket_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *k)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
		    (void *)k->hmac, sizeof(k->hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end()
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 0: no such key; 1: used; 2: used, and the client gets a newer one; -1: failed. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int making)
{
	const struct tls *t = SSL_get_app_data(ssl);
	const struct tls_ctx *ctx = t->ctx;
	size_t i = 0;

	if (ctx->n_tickets == 0)
		return 0;
	if (making) {
		random_bytes(iv, 16);
		memcpy(name, ctx->tickets[0].name, 16);
	} else {
		while (i < ctx->n_tickets && memcmp(name, ctx->tickets[i].name, 16) != 0)
			i++;
		if (i == ctx->n_tickets)
			return 0;
	}
	if (EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), ctx->tickets[i].aes, iv, making,
	    NULL) != 1 || !ticket_mac(mac, &ctx->tickets[i]))
		return -1;
	return i > 0 ? 2 : 1;
}

static void
allow_tickets(const struct tls_ctx *ctx, SSL_CTX *sc)
{
	if (ctx->n_tickets > 0) {
		SSL_CTX_clear_options(sc, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(sc, 1);
	} else {
		SSL_CTX_set_options(sc, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(sc, 0);
	}
}

void
tls_ctx_set_ticket_keys(struct tls_ctx *ctx, const struct tls_ticket_key *keys, size_t n)
{
	assert(n <= TLS_TICKET_KEYS_MAX);
	mem_wipe(ctx->tickets, sizeof(ctx->tickets));
	if (n > 0)
		memcpy(ctx->tickets, keys, n * sizeof(*keys));
	ctx->n_tickets = n;
	for (size_t i = 0; i < ctx->n_certs; i++)
		allow_tickets(ctx, ctx->certs[i]);
}

/* ---- certificates ---- */

static SSL_CTX *
make_ssl_ctx(struct tls_ctx *ctx)
{
	SSL_CTX *sc = SSL_CTX_new(TLS_server_method());

	if (sc == NULL)
		abort();
	SSL_CTX_set_min_proto_version(sc,
	    ctx->conf.min_version == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_options(sc, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(sc, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(sc, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(sc, (const unsigned char *)"mansio", 6);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(sc, on_ticket);
	SSL_CTX_set_tlsext_servername_callback(sc, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(sc, ctx);
	if (ctx->alpn.len > 0)
		SSL_CTX_set_alpn_select_cb(sc, on_alpn, ctx);
	allow_tickets(ctx, sc);
	tls_peer_setup(ctx, sc);
	if (SSL_CTX_set_cipher_list(sc, ctx->ciphers12) != 1) {
		SSL_CTX_free(sc);
		return NULL;
	}
	return sc;
}

static BIO *
pem_bio(struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.len > 0 ? pem.p : "",
	    pem.len > INT32_MAX ? 0 : (int)pem.len);

	if (bio == NULL)
		abort();
	return bio;
}

/* A key with a passphrase is refused instead of asking on a terminal. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
	return -1;
}

static enum status
use_chain(SSL_CTX *sc, struct span pem, char err[TLS_ERROR_MAX])
{
	BIO *bio = pem_bio(pem);
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
	enum status st = ST_OK;

	if (cert == NULL || SSL_CTX_use_certificate(sc, cert) != 1)
		st = failed(err, "certificate");
	X509_free(cert);
	while (st == ST_OK && (cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		if (SSL_CTX_add0_chain_cert(sc, cert) != 1) {
			X509_free(cert);
			st = failed(err, "certificate chain");
		}
	}
	ERR_clear_error();
	BIO_free(bio);
	return st;
}

static void
keep_cert(struct tls_ctx *ctx, SSL_CTX *sc)
{
	ctx->certs = mem_realloc_array(ctx->certs, ctx->n_certs + 1, sizeof(SSL_CTX *));
	ctx->certs[ctx->n_certs++] = sc;
	add_names(ctx, sc);
}

enum status
tls_ctx_add(struct tls_ctx *ctx, struct span chain_pem, struct span key_pem,
    char err[TLS_ERROR_MAX])
{
	SSL_CTX *sc = make_ssl_ctx(ctx);
	enum status st = use_chain(sc, chain_pem, err);
	EVP_PKEY *key = NULL;
	BIO *bio;

	if (st == ST_OK) {
		bio = pem_bio(key_pem);
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
		BIO_free(bio);
		if (key == NULL)
			st = failed(err, "private key");
		else if (SSL_CTX_use_PrivateKey(sc, key) != 1 ||
		    SSL_CTX_check_private_key(sc) != 1)
			st = failed(err, "private key does not fit the certificate");
	}
	EVP_PKEY_free(key);
	if (st == ST_OK)
		keep_cert(ctx, sc);
	else
		SSL_CTX_free(sc);
	return st;
}

enum status
tls_ctx_add_remote(struct tls_ctx *ctx, struct span chain_pem, tls_sign_fn sign,
    tls_sign_cancel_fn cancel, void *arg, char err[TLS_ERROR_MAX])
{
	SSL_CTX *sc = make_ssl_ctx(ctx);
	enum status st = use_chain(sc, chain_pem, err);
	struct tls_remote_key *remote = NULL;
	EVP_PKEY *key = NULL;

	if (st == ST_OK) {
		remote = tls_remote_key_new(X509_get0_pubkey(SSL_CTX_get0_certificate(sc)),
		    sign, cancel, arg, &key);
		if (remote == NULL || SSL_CTX_use_PrivateKey(sc, key) != 1)
			st = failed(err, "key of the certificate");
	}
	EVP_PKEY_free(key);
	if (st != ST_OK) {
		SSL_CTX_free(sc);
		tls_remote_key_free(&remote);
		return st;
	}
	ctx->keys = mem_realloc_array(ctx->keys, ctx->n_keys + 1, sizeof(remote));
	ctx->keys[ctx->n_keys++] = remote;
	keep_cert(ctx, sc);
	return ST_OK;
}
