/* jmapd/core/method.h
 * A method: a name, the capability that brings it, and a function that runs one call of it.
 *
 * run() looks at c->args, writes the answer's arguments, ONE JSON object, into c->out, and
 * ends the call with jmap_call_done() or jmap_call_error(), exactly once: now, or later from a
 * callback.  What was written is thrown away by jmap_call_error().  The calls of a request run
 * one after the other; a call that is under way is cancelled when its request is: then only
 * c->ended runs.
 *
 * Arguments are read with the functions of args.h, which say invalidArguments by themselves;
 * the standard methods' arguments and answers are in get.h, changes.h, set.h and query.h. */
#ifndef JMAPD_CORE_METHOD_H
#define JMAPD_CORE_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json/json.h"
#include "common/json/writer.h"
#include "common/util/arena.h"
#include "common/util/span.h"
#include "common/util/status.h"
#include "jmapd/account.h"
#include "jmapd/core/limits.h"

#define JMAP_CORE	"urn:ietf:params:jmap:core"
#define JMAP_MAIL	"urn:ietf:params:jmap:mail"
#define JMAP_BLOB	"urn:ietf:params:jmap:blob"
#define JMAP_QUOTA	"urn:ietf:params:jmap:quota"
#define JMAP_WEBSOCKET	"urn:ietf:params:jmap:websocket"
#define JMAP_VAPID	"urn:ietf:params:jmap:webpush-vapid"

struct jmap_call;
typedef void (*jmap_run_fn)(struct jmap_call *c);

enum {
	JMAP_NO_ACCOUNT = 1,	/* has no argument accountId */
	JMAP_WRITES = 2,	/* its answer is given however long it is: the change has happened */
	JMAP_FROM_ACCOUNT = 4	/* has fromAccountId too: c->from_account */
};
struct jmap_method {
	const char	*name;		/* "Email/get" */
	const char	*capability;
	jmap_run_fn	run;
	unsigned	flags;
};

/* tables: those of all folders, each ended by an entry without name; ended by NULL.  What stands
 * in none is not announced (jmapd/methods.c). */
const struct jmap_method *jmap_method_find(const struct jmap_method *const *tables,
    struct span name);
bool jmap_capability_there(const struct jmap_method *const *tables, const char *capability);

/* One of the worker; borrowed by every request. */
struct jmap_host {
	struct loop				*loop;
	const struct jmap_method *const		*methods;
	const struct jmap_limits		*limits;
	struct mirror_pool			*mirrors;
	struct filter				*filter;	/* of scripts for events; NULL: none are run */
	bool					websocket;	/* may be named in `using` */
	const char				*push_key;	/* RFC 9749's applicationServerKey; NULL or "": none */
};

/* Pushes are signed, and clients told by which key. */
static inline bool
jmap_host_signs(const struct jmap_host *h)
{
	return h->push_key != NULL && h->push_key[0] != '\0';
}

struct jmap_args_seen {			/* args.c's */
	const char	*asked[32];
	unsigned	count;
	bool		bad;
	char		name[64];
	char		why[200];
};

struct jmap_call {
	const struct jmap_method	*method;
	/* An object; references are resolved.  Lives as long as the call. */
	const struct json		*args;
	/* accountId's; NULL only for JMAP_NO_ACCOUNT.  Held by the request. */
	struct jmap_account		*account, *from_account;
	struct arena			*arena;		/* emptied when the call is over */
	struct json_writer		*out;
	const struct jmap_host		*host;
	/* The method's own.  ended, when set, runs once, when the call is over: done, refused
	 * or cancelled; there it cancels what is under way at the store and frees what is
	 * not in the arena. */
	void				*state;
	void				(*ended)(struct jmap_call *c);
	/* What follows is request.c's and args.c's. */
	struct jmap_args_seen		seen;
	struct jmap_request		*request;
};

/* Whose request it is, also where c->account is NULL. */
struct jmap_account *jmap_call_login(const struct jmap_call *c);
/* The call is over; c is gone when it returns (and args, arena, state's arena memory). */
void jmap_call_done(struct jmap_call *c);
/* type: of RFC 8620 §3.6.2 or of the method; fmt: a sentence for a developer to read. */
void jmap_call_error(struct jmap_call *c, const char *type, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* For a status of the store that is no outcome of the method's own: ST_UNAVAILABLE, ST_EXPIRED
 * and ST_CANCELLED are serverUnavailable, ST_DENIED accountReadOnly or forbidden when it writes,
 * the rest serverFail.  what: "reading the mailboxes". */
void jmap_call_status(struct jmap_call *c, enum status st, const char *what);
/* requestTooLarge, for an answer that outgrew its limit. */
void jmap_call_too_large(struct jmap_call *c);
/* true: what was written so far passed the limit of the answer: stop, jmap_call_too_large().
 * jmap_call_done() checks it too, so only who writes much must ask. */
bool jmap_call_full(const struct jmap_call *c);
/* After this call is done, runs another one under the same call id (RFC 8620 §5.4:
 * onSuccessDestroyOriginal).  args: JSON text, copied; its accountId is judged as a client's. */
void jmap_call_then(struct jmap_call *c, const char *method, struct span args);

/* `using` names the capability. */
bool jmap_call_uses(const struct jmap_call *c, const char *capability);
/* An account's mirror, made when it is first asked for; that of the call's account. */
struct mirror *jmap_host_mirror(const struct jmap_host *h, struct jmap_account *a);
struct mirror *jmap_call_mirror(struct jmap_call *c);

/* Creation ids (RFC 8620 §5.3), valid for all calls of the request.  jmap_call_created():
 * remembers that a creation id stands for id now. */
void jmap_call_created(struct jmap_call *c, struct span creation_id, struct span id);
/* text itself, or with "#" in front what was created under that name; p NULL: nothing was.
 * Borrowed from the request or from text. */
struct span jmap_call_resolve(struct jmap_call *c, struct span text);

#endif
