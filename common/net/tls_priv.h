/* common/net/tls_priv.h
 * What the parts of TLS share: contexts (tls_ctx.c, tls_client.c), connections (tls.c),
 * keys in another process (tls_sign.c). */
#ifndef COMMON_NET_TLS_PRIV_H
#define COMMON_NET_TLS_PRIV_H

#include <openssl/ssl.h>

#include "common/net/tls.h"
#include "common/util/table.h"

struct tls_remote_key;

struct tls_ctx {
	unsigned		 refs;
	struct tls_conf		 conf;
	char			*ciphers12;
	SSL_CTX			**certs;		/* [0] is the default */
	struct tls_remote_key	**keys;		/* of the remote certificates */
	size_t			 n_certs, n_keys;
	struct table		 names;		/* lower-case name, or "*.suffix", to SSL_CTX */
	struct buf		 alpn;		/* wire form */
	struct tls_ticket_key	 tickets[TLS_TICKET_KEYS_MAX];
	size_t			 n_tickets;
	X509_STORE		*authorities;	/* of clients; NULL: not asked */
	STACK_OF(X509_NAME)	*authority_names;
	unsigned char		 authority_id[32];
	char			*server;	/* of a client: whom it talks to; NULL: a server's */
	bool			 server_named;	/* by a name, not by an address */
};

struct tls {
	SSL			*ssl;
	struct tls_ctx		*ctx;
	struct buf		*raw, *out;	/* only while OpenSSL runs */
	struct tls_sign		*sign;		/* the signature waited for */
	void			(*resume)(void *arg);
	void			*arg;
	const char		*error;
	bool			 peer_bad;	/* the client's certificate does not verify */
	enum tls_state		 state;
};

/* What stands in OpenSSL's queue of errors, as words with a static life. */
const char *tls_last_error(void);

#define TLS_CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

/* tls_peer.c: certificates of clients. */
void tls_peer_setup(const struct tls_ctx *ctx, SSL_CTX *sc);
void tls_peer_fini(struct tls_ctx *ctx);

/* tls_sign.c: a key whose public half is pub and that only sign can use.  The
 * EVP_PKEY lives at most as long as the returned struct; NULL: key type unknown. */
struct tls_remote_key *tls_remote_key_new(EVP_PKEY *pub, tls_sign_fn sign,
    tls_sign_cancel_fn cancel, void *arg, EVP_PKEY **key);
void tls_remote_key_free(struct tls_remote_key **key);
/* The connection in whose handshake signatures are asked for from now on. */
void tls_sign_set_current(struct tls *t);
/* Gives up the signature t waits for: its job ends with the next call of OpenSSL. */
void tls_sign_cancel(struct tls *t);
bool tls_sign_is_done(const struct tls_sign *s);

#endif
