/* jmapd/account.h
 * A login's account in this worker: the channel to its store, the ticket kept fresh, the
 * mirror of its mail.  Shared by all requests and connections of that login, kept a little
 * beyond the last of them (JMAP_ACCOUNT_LINGER_MS), over at once when the login is taken back.
 *
 * Who finds it (the session cache) or uses it (a request, a connection, an upload) holds it;
 * who wants to know of changes watches it. */
#ifndef JMAPD_ACCOUNT_H
#define JMAPD_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/auth/login.h"
#include "common/net/loop.h"
#include "common/util/list.h"
#include "common/util/span.h"
#include "storage/client/store.h"

#define JMAP_ACCOUNT_LINGER_MS	60000u

struct mirror;

/* changed: something in the account changed, modseq is its newest, or 0: unknown, ask (what
 * was missed while the store was away, too); over: the login ended: cancel what is under way at the store, whose
 * channel goes right behind; the account stays readable until it is released. */
enum jmap_account_event { JMAP_ACCOUNT_CHANGED, JMAP_ACCOUNT_OVER };
struct jmap_watch {
	struct list	in_account;
	struct jmap_account *account;	/* while it is in */
	bool		changes;	/* wants to know of them, not only of the end */
	void		(*event)(void *arg, enum jmap_account_event ev, uint64_t modseq);
	void		*arg;
};

struct jmap_account {
	uint64_t	number;		/* of the account, never reused */
	uint32_t	shard;
	char		*user;		/* canonical address */
	struct span	id;		/* as clients see it: JMAP_ID_ACCOUNT and the number */
	struct store	*store;		/* NULL once it is over */
	struct loop	*loop;
	struct mirror	*mirror;	/* jmapd/mirror makes it when it is first asked for */
	void		(*mirror_free)(struct mirror **m);	/* set by who makes it */
	bool		over;		/* no new requests */
	uint32_t	stages;		/* numbers given to staged bodies: jmap_account_stage() */

	/* The rest is account.c's. */
	struct login	login;
	struct list	watches;
	struct loop_timer *linger;
	unsigned	held, listening;
	char		id_text[24];
	void		(*gone)(struct jmap_account *a, void *arg);
	void		*gone_arg;
};

/* Opens the channel and begins to renew; held once.  gone: nobody holds it any more, and it
 * has lingered, or it is over: forget it; it is freed when gone() returns. */
struct jmap_account *jmap_account_new(struct loop *loop, struct auth_client *auth,
    struct store_pool *stores, const struct auth_granted *g,
    void (*gone)(struct jmap_account *a, void *arg), void *arg);
/* For tests and fuzzing: an account without login, and with this channel or none. */
struct jmap_account *jmap_account_bare(struct loop *loop, struct store *store, uint64_t number,
    struct span user);
struct jmap_account *jmap_account_hold(struct jmap_account *a);
/* Clears *a; the last one out leaves it to linger. */
void jmap_account_release(struct jmap_account **a);
/* Revoked, expired, or the worker drains: watchers are told, the store's calls end without
 * callbacks, no new hold. */
void jmap_account_end(struct jmap_account *a);
/* A number for a body that is staged on the account's channel. */
static inline uint32_t
jmap_account_stage(struct jmap_account *a)
{
	return ++a->stages != 0 ? a->stages : ++a->stages;
}
/* n of them in a row; the first. */
static inline uint32_t
jmap_account_stages(struct jmap_account *a, uint32_t n)
{
	if (a->stages > UINT32_MAX - n)
		a->stages = 0;
	a->stages += n;
	return a->stages - n + 1;
}
/* authd is new: renew soon, as the nth. */
void jmap_account_renew(struct jmap_account *a, uint64_t nth);

/* A change was made through this channel, of which the store tells all others alone: watchers hear
 * of it. */
void jmap_account_changed(struct jmap_account *a);

/* w is the caller's, zeroed but for changes, event and arg; taken out by unwatch, which is harmless on
 * one that is not in.  A watcher may unwatch itself or any other in its callback. */
void jmap_account_watch(struct jmap_account *a, struct jmap_watch *w);
void jmap_account_unwatch(struct jmap_watch *w);

#endif
