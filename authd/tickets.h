/* authd/tickets.h
 * The logins that live and the tickets that are void.  A login has a current ticket and,
 * after a renewal, older ones that are valid until they expire; a void ticket stays on the
 * list of void ones (common/auth/voids.h) until then.  What an authd before this one made void
 * comes from the storeds that lived on.  Tickets of deliveries are not kept: they live for minutes
 * and name one account that takes mail. */
#ifndef AUTHD_TICKETS_H
#define AUTHD_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/auth/ticket.h"
#include "common/auth/voids.h"
#include "common/util/buf.h"
#include "common/util/list.h"

#define TICKETS_KEPT 4			/* of one login: the current one and older ones */
#define LOGINS_MAX	1000000u
#define DELIVER_TICKET_S 600

/* A worker process. */
struct ticket_holder {
	uint8_t		program;
	uint32_t	slot;
	uint64_t	generation;
};

struct login {
	struct list		in;
	struct ticket_holder	holder;
	uint64_t		account;
	uint32_t		shard;
	uint8_t			service;	/* enum auth_service */
	char			*user, *peer, *conn;
	char			*app;		/* label of the app password that let him in; or NULL */
	bool			master;		/* a master user acts as this account */
	bool			submits;	/* may use URLs that are for submission */
	bool			inherited;	/* from the authd before: the label is not known */
	int64_t			since_s;
	uint8_t			n_groups;
	uint64_t		groups[TICKET_GROUPS_MAX];
	uint64_t		asked_until_ms;	/* see ask_paced() */
	struct { unsigned char id[TICKET_ID_LEN]; int64_t expires_s; } t[TICKETS_KEPT];
	size_t			n;		/* t[n - 1] is the current one */
};

/* A ticket became void (for every stored); a login must end (for its worker). */
typedef void (*tickets_void_fn)(void *arg, const unsigned char id[TICKET_ID_LEN], uint64_t account,
    int64_t expires_s);
/* Some void tickets were forgotten: all that expire no later are void. */
typedef void (*tickets_before_fn)(void *arg, int64_t before_s);
typedef void (*tickets_revoked_fn)(void *arg, const struct login *l);

struct tickets_config {
	const struct ticket_keys	*keys;		/* borrowed */
	uint32_t			life_s;
	tickets_void_fn			voided;
	tickets_before_fn		void_before;
	tickets_revoked_fn		revoked;
	void				*arg;
};

struct tickets;
struct tickets *tickets_new(const struct tickets_config *cf);
void tickets_free(struct tickets **t);
void tickets_set_life(struct tickets *t, uint32_t life_s);
/* The number of this authd; goes into its tickets. */
void tickets_set_epoch(struct tickets *t, uint64_t epoch);

struct ticket_made { unsigned char bytes[TICKET_LEN]; int64_t expires_s; };

/* ids: big-endian, rising; more than a ticket holds are left out. */
void login_set_groups(struct login *l, struct span ids);
/* The groups of an account are others now: tickets made from now on hold these. */
void tickets_regroup(struct tickets *t, uint64_t account, struct span ids);

/* Paces questions: at most `burst` at once and `rate` in a second.  *until_ms: 0 at first. */
bool ask_paced(uint64_t *until_ms, uint64_t now_ms, uint32_t n, uint32_t burst, uint32_t rate);
/* May the login of this ticket ask about n others?  ST_OK; ST_DENIED, ST_EXPIRED; ST_LIMIT. */
enum status tickets_ask(struct tickets *t, const struct ticket_holder *h, struct span ticket,
    int64_t now_s, uint64_t now_ms, uint32_t n);

/* A new login; of `like` account, shard, service, user, peer, conn, app, groups and inherited count.
 * false: there are LOGINS_MAX. */
bool tickets_login(struct tickets *t, const struct ticket_holder *h, const struct login *like,
    int64_t now_s, struct ticket_made *out);
/* For the delivery of one message. */
void tickets_deliver(struct tickets *t, const struct ticket_holder *h, uint64_t account,
    uint32_t shard, int64_t now_s, struct ticket_made *out);
/* A fresh ticket for the one shown.  ST_OK; ST_DENIED (forged, void, another worker's);
 * ST_EXPIRED; ST_NOT_FOUND: valid and not void, but of no login known here (authd was
 * restarted): *shown says whose; when the account is found to be well tickets_login() makes
 * one.  ST_CONFLICT: likewise, but whether it is void is not known. */
enum status tickets_renew(struct tickets *t, const struct ticket_holder *h, struct span ticket,
    int64_t now_s, struct ticket_made *out, struct ticket *shown);
void tickets_logout(struct tickets *t, const struct ticket_holder *h, struct span ticket,
    int64_t now_s);
/* Ends all logins that match; returns how many. */
typedef bool (*tickets_match_fn)(const struct login *l, void *arg);
size_t tickets_revoke(struct tickets *t, tickets_match_fn match, void *arg, int64_t now_s);
/* The worker is gone, and nobody will ever have its generation again. */
void tickets_holder_gone(struct tickets *t, const struct ticket_holder *h);
/* The void tickets, of epochs from *from on. */
struct voids *tickets_voids(struct tickets *t, int64_t now_s, uint64_t *from);
/* A stored told all it knows: its list is taken into ours, page by page; at the end of it the
 * epochs from `from` on are known here too (0: none). */
bool tickets_inherit(struct tickets *t, struct span page, int64_t before_s, int64_t now_s);
void tickets_inherited(struct tickets *t, uint64_t from);
/* Visits the logins, oldest first; NULL: start, and the end. */
const struct login *tickets_next(const struct tickets *t, const struct login *l);
size_t tickets_count(const struct tickets *t);
size_t tickets_void_count(const struct tickets *t);

#endif
