/* Certificates of clients: asked for, verified against the configured authorities, and what
 * names they carry.  A client without one, or with one that does not verify, is served all
 * the same: it has no names. */
#include "common/net/tls.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/net/tls_priv.h"
#include "common/crypto/digest.h"
#include "common/util/mem.h"

#define CHAIN_MAX (32l << 10)

static int
on_verify(int good, X509_STORE_CTX *sctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(sctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = SSL_get_app_data(ssl);

	if (good != 1)
		t->peer_bad = true;
	return 1;
}

void
tls_peer_setup(const struct tls_ctx *ctx, SSL_CTX *sc)
{
	if (ctx->authorities == NULL)
		return;
	SSL_CTX_set1_cert_store(sc, ctx->authorities);
	SSL_CTX_set_client_CA_list(sc, SSL_dup_CA_list(ctx->authority_names));
	SSL_CTX_set_verify(sc, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_max_cert_list(sc, CHAIN_MAX);
	/* a session of other authorities is not gone on with */
	SSL_CTX_set_session_id_context(sc, ctx->authority_id, sizeof(ctx->authority_id));
}

static bool
take_info(struct tls_ctx *ctx, const X509_INFO *info)
{
	if (info->x509 != NULL) {
		X509_NAME *name = X509_NAME_dup(X509_get_subject_name(info->x509));

		if (name == NULL || sk_X509_NAME_push(ctx->authority_names, name) <= 0)
			abort();
		if (X509_STORE_add_cert(ctx->authorities, info->x509) != 1)
			return false;
	}
	if (info->crl != NULL) {
		if (X509_STORE_add_crl(ctx->authorities, info->crl) != 1)
			return false;
		X509_STORE_set_flags(ctx->authorities, X509_V_FLAG_CRL_CHECK);
	}
	return true;
}

enum status
tls_ctx_client_ca(struct tls_ctx *ctx, struct span pem, char err[TLS_ERROR_MAX])
{
	BIO *bio = BIO_new_mem_buf(pem.len > 0 ? pem.p : "", pem.len > INT32_MAX ? 0 : (int)pem.len);
	STACK_OF(X509_INFO) *infos;
	bool good = true;

	ctx->authorities = X509_STORE_new();
	ctx->authority_names = sk_X509_NAME_new_null();
	if (bio == NULL || ctx->authorities == NULL || ctx->authority_names == NULL)
		abort();
	infos = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
	for (int i = 0; i < sk_X509_INFO_num(infos) && good; i++)
		good = take_info(ctx, sk_X509_INFO_value(infos, i));
	good = good && sk_X509_NAME_num(ctx->authority_names) > 0;
	if (!good)
		snprintf(err, TLS_ERROR_MAX, "authorities of clients: %s", tls_last_error());
	ERR_clear_error();
	sha256(pem, ctx->authority_id);
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
	BIO_free(bio);
	if (!good)
		tls_peer_fini(ctx);
	return good ? ST_OK : ST_SYNTAX;
}

void
tls_peer_fini(struct tls_ctx *ctx)
{
	X509_STORE_free(ctx->authorities);
	sk_X509_NAME_pop_free(ctx->authority_names, X509_NAME_free);
	ctx->authorities = NULL;
	ctx->authority_names = NULL;
}

bool
tls_has_peer(const struct tls *t)
{
	return t != NULL && t->ctx->authorities != NULL && !t->peer_bad &&
	    (t->state == TLS_OPEN || t->state == TLS_CLOSED) &&
	    SSL_get0_peer_certificate(t->ssl) != NULL && SSL_get_verify_result(t->ssl) == X509_V_OK;
}

/* One line each; what would break a line is no name. */
static void
put_name(const char *kind, const ASN1_STRING *s, struct buf *out)
{
	unsigned char *text = NULL;
	int n = ASN1_STRING_to_UTF8(&text, s);
	bool good = n > 0 && n <= TLS_PEER_NAME_MAX &&
	    out->len + strlen(kind) + (size_t)n + 2 <= TLS_PEER_NAMES_MAX;

	for (int i = 0; i < n && good; i++)
		good = text[i] >= 0x20 && text[i] != 0x7f;
	if (good)
		buf_addf(out, "%s %.*s\n", kind, n, text);
	OPENSSL_free(text);
}

static void
put_subject(const X509 *cert, int nid, const char *kind, struct buf *out)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = -1;

	while ((at = X509_NAME_get_index_by_NID(subject, nid, at)) >= 0)
		put_name(kind, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), out);
}

void
tls_peer_names(const struct tls *t, struct buf *out)
{
	GENERAL_NAMES *alt;
	X509 *cert;

	if (!tls_has_peer(t))
		return;
	cert = SSL_get0_peer_certificate(t->ssl);
	alt = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(alt); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(alt, i);

		if (g->type == GEN_EMAIL)
			put_name("email", g->d.rfc822Name, out);
	}
	GENERAL_NAMES_free(alt);
	put_subject(cert, NID_pkcs9_emailAddress, "subject-email", out);
	put_subject(cert, NID_commonName, "cn", out);
	put_subject(cert, NID_userId, "uid", out);
	ERR_clear_error();
}
