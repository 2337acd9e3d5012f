#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/crypto/random.h"
#include "common/crypto/x509.h"
#include "common/net/loop.h"
#include "common/net/tls.h"
#include "common/util/mem.h"
#include "t/unit/net/tlskit.h"

/* Client and server, and the bytes between them, handed over step by step. */
struct talk {
	struct kit_client	 client;
	struct tls		*server;
	struct buf		 raw, plain, out;
	size_t			 step;		/* bytes handed over at a time */
	int			 resumed;
};

static struct kit_cert ec, rsa, ed, other;

static int
make_certs(void **state)
{
	kit_cert_make(&ec, "EC", "DNS:Mail.Example.org", 10);
	kit_cert_make(&rsa, "RSA", NULL, 10);
	kit_cert_make(&ed, "ED25519", NULL, 10);
	kit_cert_make(&other, "EC", "DNS:imap.example.net,DNS:*.wild.example.net", 10);
	return 0;
}

static int
free_certs(void **state)
{
	kit_cert_free(&ec);
	kit_cert_free(&rsa);
	kit_cert_free(&ed);
	kit_cert_free(&other);
	return 0;
}

static void
note_resume(void *arg)
{
	((struct talk *)arg)->resumed++;
}

static void
talk_begin(struct talk *t, struct tls_ctx *ctx, const char *sni, int version, size_t step)
{
	memset(t, 0, sizeof(*t));
	t->step = step;
	t->server = tls_new(ctx, note_resume, t);
	kit_client_init(&t->client, sni, version);
}

static void
talk_end(struct talk *t)
{
	tls_free(&t->server);
	kit_client_fini(&t->client);
	buf_fini(&t->raw);
	buf_fini(&t->plain);
	buf_fini(&t->out);
}

/* Both sides take what the other has said; false when nothing moved. */
static bool
exchange(struct talk *t)
{
	char some[4096];
	size_t n, size = t->step < sizeof(some) ? t->step : sizeof(some);
	bool moved = false;

	while ((n = kit_client_out(&t->client, some, size)) > 0) {
		buf_add(&t->raw, some, n);
		tls_read(t->server, &t->raw, &t->plain, 1 << 20, &t->out);
		moved = true;
	}
	while (t->out.len > 0) {
		n = t->out.len < size ? t->out.len : size;
		kit_client_in(&t->client, t->out.data, n);
		buf_drop(&t->out, n);
		SSL_do_handshake(t->client.ssl);
		moved = true;
	}
	ERR_clear_error();
	return moved;
}

static void
shake(struct talk *t)
{
	SSL_do_handshake(t->client.ssl);
	while (exchange(t))
		;
}

static void
a_handshake_and_data_work_in_any_pieces(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	static const size_t steps[] = { 1, 7, 4096 };
	struct tls_ctx *ctx = kit_ctx(&ec, NULL);
	char big[40000], back[40000];

	memset(big, 'b', sizeof(big));
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
			struct talk t;
			size_t n, got = 0;

			talk_begin(&t, ctx, NULL, versions[v], steps[s]);
			shake(&t);
			assert_int_equal(tls_state(t.server), TLS_OPEN);
			assert_string_equal(tls_version_name(t.server),
			    v == 0 ? "TLSv1.2" : "TLSv1.3");
			assert_non_null(strstr(tls_cipher_name(t.server), "AES"));
			SSL_write(t.client.ssl, big, sizeof(big));
			exchange(&t);
			assert_int_equal(t.plain.len, sizeof(big));
			tls_write(t.server, span(big, sizeof(big)), &t.out);
			exchange(&t);
			while (SSL_read_ex(t.client.ssl, back, sizeof(back), &n) == 1)
				got += n;
			assert_int_equal(got, sizeof(big));
			SSL_shutdown(t.client.ssl);
			exchange(&t);
			assert_int_equal(tls_state(t.server), TLS_CLOSED);
			tls_shutdown(t.server, &t.out);
			exchange(&t);
			assert_int_equal(SSL_shutdown(t.client.ssl), 1);
			talk_end(&t);
		}
	}
	tls_ctx_free(&ctx);
}

static void
plaintext_is_handed_out_within_the_bound(void **state)
{
	struct tls_ctx *ctx = kit_ctx(&ec, NULL);
	char big[60000] = { 0 };
	struct talk t;
	char some[4096];
	size_t n;

	talk_begin(&t, ctx, NULL, 0, 4096);
	shake(&t);
	SSL_write(t.client.ssl, big, sizeof(big));
	while ((n = kit_client_out(&t.client, some, sizeof(some))) > 0)
		buf_add(&t.raw, some, n);
	tls_read(t.server, &t.raw, &t.plain, 100, &t.out);
	assert_true(t.plain.len >= 100 && t.plain.len <= 100 + 16384);
	assert_true(t.raw.len > 30000);
	tls_read(t.server, &t.raw, &t.plain, 1 << 20, &t.out);
	assert_int_equal(t.plain.len, sizeof(big));
	assert_int_equal(t.raw.len, 0);
	talk_end(&t);
	tls_ctx_free(&ctx);
}

static void
assert_chosen(struct tls_ctx *ctx, const char *sni, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *want = PEM_read_bio_X509(bio, NULL, NULL, NULL), *got;
	struct talk t;

	talk_begin(&t, ctx, sni, 0, 4096);
	shake(&t);
	assert_int_equal(tls_state(t.server), TLS_OPEN);
	got = SSL_get1_peer_certificate(t.client.ssl);
	assert_int_equal(X509_cmp(want, got), 0);
	if (sni != NULL)
		assert_string_equal(tls_server_name(t.server), sni);
	X509_free(got);
	X509_free(want);
	BIO_free(bio);
	talk_end(&t);
}

static void
the_server_name_chooses_the_certificate(void **state)
{
	struct tls_ctx *ctx = kit_ctx(&ec, NULL);
	char err[TLS_ERROR_MAX];

	assert_int_equal(tls_ctx_add(ctx, span_str(other.pem), span_str(other.key_pem), err), ST_OK);
	assert_int_equal(tls_ctx_add(ctx, span_str(rsa.pem), span_str(rsa.key_pem), err), ST_OK);
	assert_chosen(ctx, NULL, ec.pem);
	assert_chosen(ctx, "mail.example.org", ec.pem);
	assert_chosen(ctx, "nobody.example.org", ec.pem);
	assert_chosen(ctx, "IMAP.example.net", other.pem);
	assert_chosen(ctx, "a.wild.example.net", other.pem);
	assert_chosen(ctx, "longer.wild.example.net", other.pem);
	assert_chosen(ctx, "a.b.wild.example.net", ec.pem);
	assert_chosen(ctx, "wild.example.net", ec.pem);
	assert_chosen(ctx, "kit.example", rsa.pem);	/* common name: no alternative names */
	tls_ctx_free(&ctx);
}

static void
both_ends_export_the_same_secret(void **state)
{
	struct tls_ctx *ctx = kit_ctx(&rsa, NULL);

	for (int v = 0; v < 2; v++) {
		unsigned char mine[TLS_CB_EXPORTER_LEN], theirs[TLS_CB_EXPORTER_LEN];
		struct talk t;

		talk_begin(&t, ctx, NULL, v == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, 4096);
		assert_false(tls_exporter(t.server, TLS_CB_EXPORTER_LABEL, mine, sizeof(mine)));
		shake(&t);
		assert_true(tls_exporter(t.server, TLS_CB_EXPORTER_LABEL, mine, sizeof(mine)));
		assert_int_equal(SSL_export_keying_material(t.client.ssl, theirs, sizeof(theirs),
		    TLS_CB_EXPORTER_LABEL, strlen(TLS_CB_EXPORTER_LABEL),
		    (const unsigned char *)"", 0, 1), 1);
		assert_memory_equal(mine, theirs, sizeof(mine));
		talk_end(&t);
	}
	tls_ctx_free(&ctx);
}

static void
without_the_extended_master_secret_nothing_is_exported(void **state)
{
	struct tls_ctx *ctx = kit_ctx(&ec, NULL);
	unsigned char out[TLS_CB_EXPORTER_LEN];
	struct talk t;

	talk_begin(&t, ctx, NULL, TLS1_2_VERSION, 4096);
	SSL_set_options(t.client.ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	shake(&t);
	assert_int_equal(tls_state(t.server), TLS_OPEN);
	assert_false(tls_exporter(t.server, TLS_CB_EXPORTER_LABEL, out, sizeof(out)));
	talk_end(&t);
	tls_ctx_free(&ctx);
}

static void
the_minimum_version_is_kept(void **state)
{
	struct tls_conf conf = { .min_version = TLS_1_3 };
	struct tls_ctx *ctx = kit_ctx(&ec, &conf);
	struct talk t;

	talk_begin(&t, ctx, NULL, TLS1_2_VERSION, 4096);
	shake(&t);
	assert_int_equal(tls_state(t.server), TLS_FAILED);
	assert_non_null(strstr(tls_error(t.server), "protocol"));
	talk_end(&t);
	tls_ctx_free(&ctx);
}

static void
a_protocol_is_agreed_on_or_the_handshake_ends(void **state)
{
	struct tls_conf conf = { .alpn = "h2 http/1.1" };
	struct tls_ctx *ctx = kit_ctx(&ec, &conf);
	struct talk t;
	const char *p;
	size_t len;

	talk_begin(&t, ctx, NULL, 0, 4096);
	SSL_set_alpn_protos(t.client.ssl, (const unsigned char *)"\x08http/1.1\x02h2", 12);
	shake(&t);
	p = tls_alpn(t.server, &len);
	assert_int_equal(len, 2);
	assert_memory_equal(p, "h2", 2);
	talk_end(&t);
	talk_begin(&t, ctx, NULL, 0, 4096);
	SSL_set_alpn_protos(t.client.ssl, (const unsigned char *)"\x04imap", 5);
	shake(&t);
	assert_int_equal(tls_state(t.server), TLS_FAILED);
	talk_end(&t);
	talk_begin(&t, ctx, NULL, 0, 4096);
	shake(&t);
	assert_int_equal(tls_state(t.server), TLS_OPEN);
	assert_null(tls_alpn(t.server, &len));
	talk_end(&t);
	tls_ctx_free(&ctx);
}

static void
bad_input_is_an_error_with_words(void **state)
{
	static const struct tls_conf none;
	char err[TLS_ERROR_MAX] = "";
	struct tls_ctx *ctx = kit_ctx(&ec, NULL);
	struct tls_conf conf = { .ciphers12 = "NO-SUCH-CIPHER" };
	struct talk t;

	assert_int_equal(tls_ctx_add(ctx, SPAN_LIT("nonsense"), span_str(ec.key_pem), err),
	    ST_SYNTAX);
	assert_non_null(strstr(err, "certificate"));
	assert_int_equal(tls_ctx_add(ctx, span_str(ec.pem), SPAN_LIT("nonsense"), err), ST_SYNTAX);
	assert_int_equal(tls_ctx_add(ctx, span_str(ec.pem), span_str(other.key_pem), err),
	    ST_SYNTAX);
	assert_non_null(strstr(err, "key"));
	assert_null(tls_ctx_new(&conf, err));
	assert_non_null(strstr(err, "cipher"));
	(void)none;

	talk_begin(&t, ctx, NULL, 0, 4096);
	buf_add_str(&t.raw, "GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(tls_read(t.server, &t.raw, &t.plain, 100, &t.out), TLS_FAILED);
	assert_true(strlen(tls_error(t.server)) > 0);
	assert_int_equal(tls_read(t.server, &t.raw, &t.plain, 100, &t.out), TLS_FAILED);
	talk_end(&t);
	tls_ctx_free(&ctx);
}

static void
new_ticket_keys_keep_old_sessions(void **state)
{
	struct tls_ticket_key keys[2];
	struct tls_ctx *first = kit_ctx(&ec, NULL), *second = kit_ctx(&ec, NULL);
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	random_bytes(keys, sizeof(keys));
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		SSL_SESSION *session;
		struct talk t;
		char c;

		tls_ctx_set_ticket_keys(first, &keys[1], 1);
		tls_ctx_set_ticket_keys(second, keys, 2);	/* the next keys, another worker */
		talk_begin(&t, first, NULL, versions[v], 4096);
		shake(&t);
		assert_false(tls_resumed(t.server));
		SSL_read(t.client.ssl, &c, 1);		/* takes the ticket */
		session = SSL_get1_session(t.client.ssl);
		assert_true(SSL_SESSION_is_resumable(session));
		SSL_shutdown(t.client.ssl);
		talk_end(&t);

		talk_begin(&t, second, NULL, versions[v], 4096);
		SSL_set_session(t.client.ssl, session);
		shake(&t);
		assert_true(tls_resumed(t.server));
		SSL_shutdown(t.client.ssl);
		talk_end(&t);

		tls_ctx_set_ticket_keys(second, keys, 1);	/* the old key is forgotten */
		talk_begin(&t, second, NULL, versions[v], 4096);
		SSL_set_session(t.client.ssl, session);
		shake(&t);
		assert_int_equal(tls_state(t.server), TLS_OPEN);
		assert_false(tls_resumed(t.server));
		talk_end(&t);
		SSL_SESSION_free(session);
	}
	tls_ctx_free(&first);
	tls_ctx_free(&second);
}

static void
an_old_connection_keeps_its_context(void **state)
{
	struct tls_ctx *ctx = kit_ctx(&ec, NULL);
	struct talk t;

	talk_begin(&t, ctx, NULL, 0, 4096);
	tls_ctx_free(&ctx);
	assert_null(ctx);
	shake(&t);
	assert_int_equal(tls_state(t.server), TLS_OPEN);
	talk_end(&t);
}

/* ---- keys elsewhere ---- */

struct keyd {
	EVP_PKEY		*key;
	struct tls_sign		*asked;
	struct tls_sign_what	 what;
	struct buf		 tbs;
	char			 digest[32];
	int			 cancelled;
	bool			 at_once;
};

static void
keyd_answer(struct keyd *k)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char sig[512];
	EVP_PKEY_CTX *pctx;
	size_t len = sizeof(sig);

	assert_int_equal(EVP_DigestSignInit_ex(ctx, &pctx, k->digest[0] != '\0' ? k->digest : NULL,
	    NULL, NULL, k->key, NULL), 1);
	if (k->what.scheme == TLS_SIGN_RSA_PSS) {
		EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, (unsigned char *)k->tbs.data, k->tbs.len), 1);
	EVP_MD_CTX_free(ctx);
	tls_sign_done(k->asked, span(sig, len));
}

static void
keyd_ask(struct tls_sign *s, const struct tls_sign_what *what, void *arg)
{
	struct keyd *k = arg;

	k->asked = s;
	k->what = *what;
	snprintf(k->digest, sizeof(k->digest), "%s", what->digest);
	buf_clear(&k->tbs);
	buf_add_span(&k->tbs, what->tbs);
	if (k->at_once)
		keyd_answer(k);
}

static void
keyd_cancel(struct tls_sign *s, void *arg)
{
	((struct keyd *)arg)->cancelled++;
}

static struct tls_ctx *
remote_ctx(struct keyd *k, const struct kit_cert *cert)
{
	static const struct tls_conf none;
	char err[TLS_ERROR_MAX] = "";
	struct tls_ctx *ctx = tls_ctx_new(&none, err);

	memset(k, 0, sizeof(*k));
	k->key = cert->key;
	if (tls_ctx_add_remote(ctx, span_str(cert->pem), keyd_ask, keyd_cancel, k, err) != ST_OK)
		fail_msg("%s", err);
	return ctx;
}

static void
remote_handshake(const struct kit_cert *cert, int version, enum tls_scheme scheme)
{
	struct keyd keyd;
	struct tls_ctx *ctx = remote_ctx(&keyd, cert), *local = kit_ctx(&ec, NULL);
	struct talk waits, other_client;

	talk_begin(&waits, ctx, NULL, version, 100);
	shake(&waits);
	assert_int_equal(tls_state(waits.server), TLS_WAITING);
	assert_int_equal(keyd.what.scheme, scheme);

	/* Another connection is served in between. */
	talk_begin(&other_client, local, NULL, 0, 4096);
	shake(&other_client);
	assert_int_equal(tls_state(other_client.server), TLS_OPEN);
	talk_end(&other_client);
	tls_read(waits.server, &waits.raw, &waits.plain, 100, &waits.out);
	assert_int_equal(tls_state(waits.server), TLS_WAITING);

	keyd_answer(&keyd);
	assert_int_equal(waits.resumed, 1);
	tls_read(waits.server, &waits.raw, &waits.plain, 100, &waits.out);
	shake(&waits);
	assert_int_equal(tls_state(waits.server), TLS_OPEN);
	SSL_write(waits.client.ssl, "hello", 5);
	exchange(&waits);
	assert_int_equal(waits.plain.len, 5);
	assert_int_equal(keyd.cancelled, 0);
	talk_end(&waits);
	buf_fini(&keyd.tbs);
	tls_ctx_free(&ctx);
	tls_ctx_free(&local);
}

static void
a_signature_may_come_later(void **state)
{
	remote_handshake(&ec, TLS1_3_VERSION, TLS_SIGN_ECDSA);
	remote_handshake(&ec, TLS1_2_VERSION, TLS_SIGN_ECDSA);
	remote_handshake(&rsa, TLS1_3_VERSION, TLS_SIGN_RSA_PSS);
	remote_handshake(&rsa, TLS1_2_VERSION, TLS_SIGN_RSA_PSS);
	remote_handshake(&ed, TLS1_3_VERSION, TLS_SIGN_ED25519);
}

static void
many_signatures_may_be_awaited_and_come_in_any_order(void **state)
{
	struct keyd keyd;
	struct tls_ctx *ctx = remote_ctx(&keyd, &ec);
	struct tls_sign *asked[5];
	struct buf tbs[5] = { 0 };
	struct talk t[5];

	for (int i = 0; i < 5; i++) {
		talk_begin(&t[i], ctx, NULL, 0, 4096);
		shake(&t[i]);
		asked[i] = keyd.asked;
		buf_add_span(&tbs[i], buf_span(&keyd.tbs));
	}
	for (int i = 4; i >= 0; i--) {
		keyd.asked = asked[i];
		buf_clear(&keyd.tbs);
		buf_add_span(&keyd.tbs, buf_span(&tbs[i]));
		keyd_answer(&keyd);
		tls_read(t[i].server, &t[i].raw, &t[i].plain, 100, &t[i].out);
		shake(&t[i]);
		assert_int_equal(tls_state(t[i].server), TLS_OPEN);
		talk_end(&t[i]);
		buf_fini(&tbs[i]);
	}
	buf_fini(&keyd.tbs);
	tls_ctx_free(&ctx);
}

static void
a_signature_may_come_at_once_be_refused_or_be_given_up(void **state)
{
	struct keyd keyd;
	struct tls_ctx *ctx = remote_ctx(&keyd, &ec);
	struct talk t;

	keyd.at_once = true;
	talk_begin(&t, ctx, NULL, 0, 4096);
	shake(&t);
	assert_int_equal(tls_state(t.server), TLS_OPEN);
	assert_int_equal(t.resumed, 0);
	talk_end(&t);

	keyd.at_once = false;
	talk_begin(&t, ctx, NULL, 0, 4096);
	shake(&t);
	tls_sign_done(keyd.asked, SPAN_NONE);
	tls_read(t.server, &t.raw, &t.plain, 100, &t.out);
	assert_int_equal(tls_state(t.server), TLS_FAILED);
	talk_end(&t);
	assert_int_equal(keyd.cancelled, 0);

	talk_begin(&t, ctx, NULL, 0, 4096);
	shake(&t);
	assert_int_equal(tls_state(t.server), TLS_WAITING);
	talk_end(&t);
	assert_int_equal(keyd.cancelled, 1);

	/* Answered, but the connection went away before it looked. */
	talk_begin(&t, ctx, NULL, 0, 4096);
	shake(&t);
	keyd_answer(&keyd);
	talk_end(&t);
	assert_int_equal(keyd.cancelled, 1);
	buf_fini(&keyd.tbs);
	tls_ctx_free(&ctx);
}

static void
a_certificate_tells_its_names_and_end(void **state)
{
	struct x509_info info;

	assert_int_equal(x509_info_read(span_str(other.pem), &info), ST_OK);
	assert_int_equal(info.n_names, 2);
	assert_string_equal(info.names[1], "*.wild.example.net");
	assert_string_equal(info.subject, "CN=kit.example");
	assert_int_equal(info.not_after_s - info.not_before_s, 10 * 86400 + 3600);
	x509_info_fini(&info);
	assert_int_equal(x509_info_read(span_str(rsa.pem), &info), ST_OK);
	assert_string_equal(info.names[0], "kit.example");
	x509_info_fini(&info);
	assert_int_equal(x509_info_read(SPAN_LIT("nonsense"), &info), ST_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_and_data_work_in_any_pieces),
		cmocka_unit_test(plaintext_is_handed_out_within_the_bound),
		cmocka_unit_test(the_server_name_chooses_the_certificate),
		cmocka_unit_test(both_ends_export_the_same_secret),
		cmocka_unit_test(without_the_extended_master_secret_nothing_is_exported),
		cmocka_unit_test(the_minimum_version_is_kept),
		cmocka_unit_test(a_protocol_is_agreed_on_or_the_handshake_ends),
		cmocka_unit_test(bad_input_is_an_error_with_words),
		cmocka_unit_test(new_ticket_keys_keep_old_sessions),
		cmocka_unit_test(an_old_connection_keeps_its_context),
		cmocka_unit_test(a_signature_may_come_later),
		cmocka_unit_test(many_signatures_may_be_awaited_and_come_in_any_order),
		cmocka_unit_test(a_signature_may_come_at_once_be_refused_or_be_given_up),
		cmocka_unit_test(a_certificate_tells_its_names_and_end),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
