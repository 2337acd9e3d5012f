/* authd/exchange_priv.h
 * What the mechanisms and the exchange share. */
#ifndef AUTHD_EXCHANGE_PRIV_H
#define AUTHD_EXCHANGE_PRIV_H

#include "authd/exchange.h"
#include "authd/verify.h"
#include "common/crypto/digest.h"

struct mechanism {
	const char		*name;
	uint8_t			conf;		/* enum conf_mechanism */
	bool			shows_password;
	bool			server_first;	/* the first challenge has words in it */
	bool			plus;		/* binds to the TLS channel */
	bool			certificate;	/* wants that of the client */
	enum digest_alg		alg;
	/* What the client said. */
	void			(*take)(struct exchange *x, struct span data);
	/* The delay that take() set is over. */
	void			(*later)(struct exchange *x);
};

struct scram {
	struct buf	gs2, bare, server_first, nonce, salt, stored_key, server_key;
	uint32_t	iterations;
	bool		fake, challenged;
};

struct exchange {
	struct exchange_owner	*o;
	const struct mechanism	*mech;
	uint32_t		chan;
	struct ipc_head		head;		/* of the request to be answered */
	bool			asked;		/* there is one */
	uint8_t			flags, service;
	struct buf		conn, peer, binding, identities;
	struct buf		user;		/* as the client named himself, prepared; for the log */
	struct buf		key;		/* the same, folded: what is throttled */
	struct buf		authzid;
	struct buf		data;		/* that goes with success */
	struct found		found;		/* who he is, later: who he acts as */
	struct buf		app;		/* label of the app password; or empty */
	struct buf		acts_as;	/* the address of the master user who does; or empty */
	bool			not_master, throttled;
	bool			bearer_refused;	/* the client has been told why */
	bool			bearer_paced;	/* its address is counted as one that waits */
	struct bearer_ask	*bearer;
	struct buf		token;
	struct verify		*verify;
	struct dir_job		*dir;
	struct loop_timer	*timer;		/* the client's patience, or ours */
	bool			waits;		/* timer is a delay */
	struct scram		scram;
};

/* Sets user and key; a name too long is cut. */
void exchange_name(struct exchange *x, struct span name);
/* By the settings: no word about the connection. */
bool exchange_has_mechanism(const struct authd *a, uint8_t conf);
void exchange_challenge(struct exchange *x, struct span data);
/* Logs, answers, frees. */
void exchange_fail(struct exchange *x, enum status st, uint8_t reason, struct span data);
/* The user is proven to be x->found: looks at authorisation and grants. */
void exchange_proven(struct exchange *x);
void exchange_verify(struct exchange *x, struct span user, struct span password);

void mech_plain(struct exchange *x, struct span data);
void mech_login(struct exchange *x, struct span data);
void mech_external(struct exchange *x, struct span data);
void mech_scram(struct exchange *x, struct span data);
void mech_bearer(struct exchange *x, struct span data);
void bearer_ask_now(struct exchange *x);
void bearer_fini(struct exchange *x);
void scram_delay_over(struct exchange *x);
void scram_fini(struct scram *s);

#endif
