/* t/unit/authd/world.h
 * authd whole, in one loop with a fake directory, a worker, a delivering worker, a stored
 * and an admind. */
#ifndef T_UNIT_AUTHD_WORLD_H
#define T_UNIT_AUTHD_WORLD_H

#include "authd/authd.h"
#include "common/auth/auth_client.h"
#include "fake_store.h"

struct world {
	struct loop		*loop;
	struct fake_store	*store;
	struct authd		*a;
	struct auth_client	*imap, *lmtp;
	unsigned		lmtp_changed;	/* AUTH_CHANGED that lmtp heard */
	struct buf		spares;
	struct ipc		*stored, *admin;
	int			revoked, voided, gone;	/* gone: all credentials of an account */
	unsigned char		last_void[TICKET_ID_LEN];
	/* of the last answer */
	bool			answered;
	enum status		st;
	uint8_t			reason;
	struct buf		data, user, result, detail, ticket, names;
	uint64_t		account;
	struct auth_exchange	*x;
	struct span		identities;	/* given with each start; the caller's */
};

struct mansio_conf *world_conf(void);	/* cheap hashes, no delays */
/* Takes conf over; the directory is there when it returns. */
void world_start(struct world *w, struct mansio_conf *conf);
void world_start_with(struct world *w, struct mansio_conf *conf, struct spawner *s);
void world_stop(struct world *w);
void world_wait(struct world *w, bool *what);
void world_spin(struct world *w);

/* Returns the status; w->result is the JSON. */
enum status world_admin(struct world *w, const char *command, const char *args);
/* One whole try. */
enum status world_plain(struct world *w, const char *authzid, const char *user, const char *password);
enum status world_start_exchange(struct world *w, const char *mech, const char *initial,
    unsigned flags, struct span binding);
enum status world_step(struct world *w, struct span data);
enum status world_rcpt(struct world *w, const char *address, bool probe);
/* With n spares. */
enum status world_rcpt_spares(struct world *w, const char *address, uint8_t n);
enum status world_renew(struct world *w, struct span ticket);

#endif
