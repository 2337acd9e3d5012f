/* common/net/tls.h
 * TLS for servers, and for the one client that we are (outd), over OpenSSL, without I/O: ciphertext in, plaintext out and the
 * other way round; common/net/conn does the rest.  TLS 1.2 (ECDHE with an AEAD
 * cipher) and 1.3; no renegotiation, no compression, no session cache.
 *
 * Private keys may live in another process.  OpenSSL has no call-back for
 * signatures that may say "later", so a handshake that uses such a key runs as an
 * ASYNC_JOB (SSL_MODE_ASYNC: a stack of its own, 32 KiB, for the handshake only):
 * the signature is asked for by a small provider of ours that knows the public
 * half, the job is put aside, the event loop serves others, and tls_sign_done()
 * lets the job go on.  The asked process is given what is to be signed and under
 * which scheme, never a raw number, so that it can check what it signs. */
#ifndef COMMON_NET_TLS_H
#define COMMON_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

/* ---- contexts: what all connections of a listener share ---- */

struct tls_ctx;

enum tls_version { TLS_1_2, TLS_1_3 };

struct tls_conf {			/* zeroed: the defaults */
	enum tls_version	min_version;
	const char		*ciphers12;	/* OpenSSL's list for TLS 1.2; NULL: ours */
	const char		*alpn;		/* "imap" or "h2 http/1.1", preferred first; NULL: ALPN is ignored */
};

#define TLS_ERROR_MAX 160

/* err receives a sentence when the result is NULL.  A context starts with one
 * reference; each connection holds another.  On reload make a new one: new
 * connections use it, old ones keep theirs. */
struct tls_ctx *tls_ctx_new(const struct tls_conf *conf, char err[TLS_ERROR_MAX]);
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);
void tls_ctx_free(struct tls_ctx **ctx);
/* Adds a certificate chain (leaf first) and its key, both PEM.  The first one added
 * serves clients that name no server or an unknown one; others are chosen by the
 * names (subjectAltName; "*." covers one label) in the certificate.  ST_SYNTAX:
 * unreadable or key and certificate do not match; err tells. */
enum status tls_ctx_add(struct tls_ctx *ctx, struct span chain_pem, struct span key_pem,
    char err[TLS_ERROR_MAX]);

/* Asks clients for certificates of these authorities (PEM, with their revocation lists where
 * they have any); before the first certificate is added. */
enum status tls_ctx_client_ca(struct tls_ctx *ctx, struct span pem, char err[TLS_ERROR_MAX]);

/* For clients, of one server, `name`: a host or an address.  It must show a certificate for that name by
 * one of these authorities (PEM; empty: those the system trusts); verify false: any at all. */
struct tls_ctx *tls_ctx_new_client(const char *name, struct span ca_pem, bool verify,
    char err[TLS_ERROR_MAX]);

/* Session tickets: without keys none are given.  keys[0] makes new tickets, all are
 * accepted; give the same to all workers, and a new first one now and then. */
struct tls_ticket_key {
	unsigned char	name[16], aes[32], hmac[32];
};
#define TLS_TICKET_KEYS_MAX 3
void tls_ctx_set_ticket_keys(struct tls_ctx *ctx, const struct tls_ticket_key *keys, size_t n);

/* ---- keys in another process ---- */

struct tls_sign;			/* one signature that a handshake waits for */

/* Which signature: digest, and the padding for RSA. */
enum tls_scheme {
	TLS_SIGN_ECDSA = 1, TLS_SIGN_RSA_PKCS1 = 2, TLS_SIGN_RSA_PSS = 3, TLS_SIGN_ED25519 = 4
};
struct tls_sign_what {
	enum tls_scheme	scheme;
	const char	*digest;	/* "SHA256"; "" for Ed25519; borrowed */
	struct span	tbs;		/* what is to be signed, not hashed; borrowed for the call */
};
/* Called from inside a handshake, on the job's stack: it only sends the question
 * and notes s.  The answer is given by tls_sign_done(), later or at once. */
typedef void (*tls_sign_fn)(struct tls_sign *s, const struct tls_sign_what *what, void *arg);
/* The connection went away: tls_sign_done() must not be called any more. */
typedef void (*tls_sign_cancel_fn)(struct tls_sign *s, void *arg);
/* sig is copied; an empty one means that the signature was refused. */
void tls_sign_done(struct tls_sign *s, struct span sig);

/* As tls_ctx_add, for a key that only sign can use. */
enum status tls_ctx_add_remote(struct tls_ctx *ctx, struct span chain_pem, tls_sign_fn sign,
    tls_sign_cancel_fn cancel, void *arg, char err[TLS_ERROR_MAX]);

/* ---- one connection ---- */

struct tls;

enum tls_state {
	TLS_HANDSHAKE,		/* wants bytes */
	TLS_WAITING,		/* for a signature */
	TLS_OPEN,
	TLS_CLOSED,		/* the peer said that it sends no more */
	TLS_FAILED
};

/* resume: called when a signature arrived: call tls_read() then.  Never called
 * from inside a function of this header other than tls_sign_done(). */
struct tls *tls_new(struct tls_ctx *ctx, void (*resume)(void *arg), void *arg);
void tls_free(struct tls **t);
enum tls_state tls_state(const struct tls *t);
/* A client's: tls_read() it once before anything came. */
bool tls_speaks_first(const struct tls *t);
/* Takes ciphertext from raw, appends plaintext to plain until max bytes came (the last
 * record is not cut: up to 16 KiB more) and what the handshake has to say to out.
 * Returns the state; what raw still holds is for the next call (max was reached, or
 * a signature is awaited).  After the change to TLS_OPEN it returns once before it
 * decrypts, so that the caller learns of it first. */
enum tls_state tls_read(struct tls *t, struct buf *raw, struct buf *plain, size_t max,
    struct buf *out);
/* Encrypts all of s into out; only when open or after the peer's close. */
void tls_write(struct tls *t, struct span s, struct buf *out);
/* Appends our close_notify. */
void tls_shutdown(struct tls *t, struct buf *out);
/* Why TLS_FAILED, for the log; "" otherwise. */
const char *tls_error(const struct tls *t);

/* After the handshake; "" / false before. */
const char *tls_version_name(const struct tls *t);	/* "TLSv1.3" */
const char *tls_cipher_name(const struct tls *t);
const char *tls_alpn(const struct tls *t, size_t *len);	/* NULL: none agreed */
const char *tls_server_name(const struct tls *t);	/* SNI; NULL: none */
bool tls_resumed(const struct tls *t);
/* RFC 5705 keying material with a zero-length context (RFC 9266 2; with TLS 1.2 that
 * differs from none).  false also on TLS 1.2 without the extended master secret (RFC 7627), where it would bind nothing (RFC 9266 2). */
bool tls_exporter(const struct tls *t, const char *label, unsigned char *out, size_t len);
/* The client showed a certificate, and it is good.  t may be NULL. */
bool tls_has_peer(const struct tls *t);
/* Appends its names, a line each: "email alice@example.org" (subjectAltName), "subject-email",
 * "cn", "uid" (of the subject). */
#define TLS_PEER_NAME_MAX 320
#define TLS_PEER_NAMES_MAX 2048
void tls_peer_names(const struct tls *t, struct buf *out);
/* The channel binding "tls-exporter" (RFC 9266). */
#define TLS_CB_EXPORTER_LABEL "EXPORTER-Channel-Binding"
#define TLS_CB_EXPORTER_LEN 32

#endif
