/* One TLS connection: OpenSSL reads from and writes to our buffers through a BIO that
 * holds nothing itself, so an idle connection has neither BIO nor record buffers. */
#include "common/net/tls.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "common/net/tls_priv.h"
#include "common/util/mem.h"

#define RECORD_MAX 16384

static int
bio_read(BIO *bio, char *out, size_t size, size_t *n)
{
	struct tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (t->raw == NULL || t->raw->len == 0) {
		BIO_set_retry_read(bio);
		*n = 0;
		return 0;
	}
	*n = t->raw->len < size ? t->raw->len : size;
	memcpy(out, t->raw->data, *n);
	buf_drop(t->raw, *n);
	return 1;
}

static int
bio_write(BIO *bio, const char *p, size_t len, size_t *n)
{
	struct tls *t = BIO_get_data(bio);

	assert(t->out != NULL);
	buf_add(t->out, p, len);
	*n = len;
	return 1;
}

static long
bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	return cmd == BIO_CTRL_FLUSH;
}

static BIO *
bio_new(struct tls *t)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mansio");
		if (method == NULL)
			abort();
		BIO_meth_set_read_ex(method, bio_read);
		BIO_meth_set_write_ex(method, bio_write);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	bio = BIO_new(method);
	if (bio == NULL)
		abort();
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}

struct tls *
tls_new(struct tls_ctx *ctx, void (*resume)(void *arg), void *arg)
{
	struct tls *t = mem_zalloc(sizeof(*t));
	BIO *bio = bio_new(t);

	assert(ctx->n_certs > 0);
	t->ctx = tls_ctx_ref(ctx);
	t->resume = resume;
	t->arg = arg;
	t->error = "";
	t->ssl = SSL_new(ctx->certs[0]);
	if (t->ssl == NULL)
		abort();
	SSL_set_app_data(t->ssl, t);
	SSL_set_bio(t->ssl, bio, bio);
	if (ctx->server == NULL)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	if (ctx->server_named && SSL_set_tlsext_host_name(t->ssl, ctx->server) != 1)
		abort();
	if (ctx->n_keys > 0)
		SSL_set_mode(t->ssl, SSL_MODE_ASYNC);
	return t;
}

void
tls_free(struct tls **tp)
{
	struct tls *t = *tp;

	if (t == NULL)
		return;
	if (t->sign != NULL) {
		/* A job put aside would never be freed: let it run to its end. */
		struct buf in = { 0 }, out = { 0 };

		tls_sign_cancel(t);
		tls_read(t, &in, &in, 0, &out);
		buf_fini(&out);
	}
	SSL_free(t->ssl);
	tls_ctx_free(&t->ctx);
	mem_free(tp);
}

enum tls_state
tls_state(const struct tls *t)
{
	return t->state;
}

bool
tls_speaks_first(const struct tls *t)
{
	return t->ctx->server != NULL && t->state == TLS_HANDSHAKE;
}

static void
fail(struct tls *t)
{
	long why = t->ctx->server != NULL ? SSL_get_verify_result(t->ssl) : X509_V_OK;

	t->error = tls_last_error();
	if (why != X509_V_OK && t->state != TLS_OPEN)
		t->error = X509_verify_cert_error_string(why);
	t->state = TLS_FAILED;
}

static void
handshake(struct tls *t)
{
	int r;

	if (t->sign != NULL && !tls_sign_is_done(t->sign))
		return;
	ERR_clear_error();
	tls_sign_set_current(t);
	r = SSL_do_handshake(t->ssl);
	tls_sign_set_current(NULL);
	if (r == 1) {
		/* Nothing is signed any more: the rest needs no job. */
		SSL_clear_mode(t->ssl, SSL_MODE_ASYNC);
		t->state = TLS_OPEN;
		return;
	}
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		t->state = TLS_HANDSHAKE;
		break;
	case SSL_ERROR_WANT_ASYNC:
		t->state = TLS_WAITING;
		break;
	default:
		fail(t);
	}
}

static void
decrypt(struct tls *t, struct buf *plain, size_t max)
{
	char record[RECORD_MAX];
	size_t got = 0;

	while (got < max) {
		int r;

		ERR_clear_error();
		r = SSL_read(t->ssl, record, sizeof(record));
		if (r > 0) {
			buf_add(plain, record, (size_t)r);
			got += (size_t)r;
			continue;
		}
		r = SSL_get_error(t->ssl, r);
		if (r == SSL_ERROR_ZERO_RETURN)
			t->state = TLS_CLOSED;
		else if (r != SSL_ERROR_WANT_READ)
			fail(t);
		break;
	}
}

enum tls_state
tls_read(struct tls *t, struct buf *raw, struct buf *plain, size_t max, struct buf *out)
{
	t->raw = raw;
	t->out = out;
	if (t->state == TLS_OPEN)
		decrypt(t, plain, max);
	else if (t->state == TLS_HANDSHAKE || t->state == TLS_WAITING)
		handshake(t);
	t->raw = t->out = NULL;
	return t->state;
}

void
tls_write(struct tls *t, struct span s, struct buf *out)
{
	size_t n;

	if (s.len == 0 || (t->state != TLS_OPEN && t->state != TLS_CLOSED))
		return;
	t->out = out;
	ERR_clear_error();
	if (SSL_write_ex(t->ssl, s.p, s.len, &n) != 1 || n != s.len)
		fail(t);
	t->out = NULL;
}

void
tls_shutdown(struct tls *t, struct buf *out)
{
	if (t->state != TLS_OPEN && t->state != TLS_CLOSED)
		return;
	t->out = out;
	ERR_clear_error();
	SSL_shutdown(t->ssl);
	ERR_clear_error();
	t->out = NULL;
}

const char *
tls_error(const struct tls *t)
{
	return t->error;
}

static bool
is_done(const struct tls *t)
{
	return t->state == TLS_OPEN || t->state == TLS_CLOSED;
}

const char *
tls_version_name(const struct tls *t)
{
	return is_done(t) ? SSL_get_version(t->ssl) : "";
}

const char *
tls_cipher_name(const struct tls *t)
{
	return is_done(t) ? SSL_get_cipher_name(t->ssl) : "";
}

const char *
tls_alpn(const struct tls *t, size_t *len)
{
	const unsigned char *p = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(t->ssl, &p, &n);
	*len = n;
	return (const char *)p;
}

const char *
tls_server_name(const struct tls *t)
{
	return SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
}

bool
tls_resumed(const struct tls *t)
{
	return is_done(t) && SSL_session_reused(t->ssl) == 1;
}

bool
tls_exporter(const struct tls *t, const char *label, unsigned char *out, size_t len)
{
	bool unique = is_done(t) && (SSL_version(t->ssl) >= TLS1_3_VERSION ||
	    SSL_get_extms_support(t->ssl) == 1);

	return unique && SSL_export_keying_material(t->ssl, out, len, label, strlen(label),
	    (const unsigned char *)"", 0, 1) == 1;
}
