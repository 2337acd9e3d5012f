/* authd/authd.h
 * The auth helper as one object: its back ends, tables and peers.  main.c feeds it from
 * the control socket; the tests feed it by hand. */
#ifndef AUTHD_AUTHD_H
#define AUTHD_AUTHD_H

#include "authd/bearer.h"
#include "authd/directory.h"
#include "authd/login_cache.h"
#include "authd/passwd_file.h"
#include "authd/pool.h"
#include "authd/throttle.h"
#include "authd/tickets.h"
#include "common/auth/auth_proto.h"
#include "common/conf/settings.h"
#include "common/ipc/ipc.h"
#include "common/util/table.h"
#include "common/worker/control_proto.h"

struct authd_counters {
	uint64_t	granted, failed, unavailable, cached, hashed, renewed, recipients;
};

struct authd {
	struct loop		*loop;
	struct mansio_conf	*conf;
	bool			exec;		/* pools' children execute the program anew */
	struct spawner		*spawner;	/* of PAM's children; NULL: PAM is not configured */
	struct ticket_keys	keys;
	struct directory	*dir;
	struct pool		*hashers, *pam;	/* pam NULL: not configured */
	struct passwd_file	*passwd;	/* NULL: not configured */
	struct bearer		*bearer;	/* judges tokens */
	struct login_cache	*cache;
	struct throttle		*throttle;
	struct tickets		*tickets;
	struct list		peers;
	struct list		dovecot_doors, dovecot_clients;
	uint32_t		n_dovecot_clients;
	uint64_t		last_dovecot_client;
	struct table		peers_by_id;
	uint64_t		next_peer;
	struct buf		dummy;		/* a hash that nobody has */
	struct pool_job		*dummy_job;
	struct dir_job		*key_job;
	unsigned char		fake_key[32];	/* of the installation: salts of unknown users */
	int64_t			started_s;
	struct authd_counters	count;
	void			(*ready)(void *arg);	/* the directory answered */
	void			*ready_arg;
};

struct exchange_replies;

/* A connection over which exchanges run; see exchange.h. */
struct exchange_owner {
	struct authd			*a;
	struct table			exchanges;	/* by channel */
	const struct exchange_replies	*to;
	void				*arg;
};

struct peer {
	struct list		in;
	struct authd		*a;
	struct ipc		*ipc;
	uint64_t		id;
	uint32_t		kind;		/* AUTH_PEER_... */
	struct ticket_holder	holder;
	struct exchange_owner	owner;
	uint64_t		asked_until_ms;	/* WHO, see ask_paced() */
	bool			spares;		/* was given some since the last AUTH_CHANGED */
	char			name[32];
};

/* Takes conf and s over.  epoch: number of this authd, higher than of any before it.  s: needed
 * for PAM, else NULL. */
struct authd *authd_new(struct loop *l, struct mansio_conf *conf, uint64_t epoch, bool exec,
    struct spawner *s);
void authd_free(struct authd **a);
/* A new configuration; takes it over. */
void authd_configure(struct authd *a, struct mansio_conf *conf);
/* A socket whose other end is this; takes fd over. */
void authd_add_peer(struct authd *a, const struct control_peer *who, int fd);
/* NULL: it is gone. */
struct peer *authd_peer_by_id(struct authd *a, uint64_t id);
/* What was made with a login of the account and outlives it ends too: the stores are told. */
void authd_credentials_gone(struct authd *a, uint64_t account);
struct resolve_rules authd_rules(const struct authd *a);
struct hash_params authd_hash_params(const struct authd *a);
const char *auth_service_name(uint8_t service);

/* An account that was found, with memory of its own. */
struct found {
	uint64_t	id;
	uint32_t	shard;
	bool		disabled, referral_stays;
	struct buf	address, groups, referral;
};
void found_copy(struct found *to, const struct found *from);
void found_take(struct found *f, const struct dir_account *a);
void found_fini(struct found *f);

#endif
