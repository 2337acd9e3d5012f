/* authd/bearer.h
 * Is this token good, and whose is it?  Judged by keys from a file or from a server, or by asking
 * a server.  outd fetches for us; what it fetched is kept:
 *
 * - Keys (oauth jwks-url) are fetched when outd comes, and again after the time that their server
 *   gave, within bounds; a login that finds them older is judged by them all the same and has them
 *   fetched behind its back.  While that fails they serve for oauth jwks-stale-time more.  A token
 *   by a key that is not among them waits for a fetch, if the last one is long enough ago.
 * - Answers about tokens (oauth introspection-url) are kept under a MAC of the token; logins with
 *   the same token at the same time wait for one answer.
 *
 * What cannot be found out now is ST_UNAVAILABLE, never a refusal. */
#ifndef AUTHD_BEARER_H
#define AUTHD_BEARER_H

#include "authd/jwt.h"
#include "common/conf/settings.h"
#include "common/json/writer.h"
#include "common/net/loop.h"

#define BEARER_KNOWN_MAX	16384u	/* answers that are kept */
#define BEARER_ASKED_MAX	256u	/* tokens that are asked about at a time */
#define BEARER_WAITING_MAX	16384u	/* logins that wait */

struct bearer;
struct bearer_ask;

/* conf is borrowed until the next bearer_configure(). */
struct bearer *bearer_new(struct loop *l, const struct mansio_conf *conf);
void bearer_free(struct bearer **b);
/* Forgets what was fetched for other settings. */
void bearer_configure(struct bearer *b, const struct mansio_conf *conf);
/* outd's socket; takes fd over, and replaces an earlier one. */
void bearer_connect(struct bearer *b, int fd);

struct bearer_result {
	enum status		st;		/* ST_OK, or ST_UNAVAILABLE */
	enum jwt_verdict	verdict;
	struct span		user;		/* with JWT_GOOD */
};
/* The ask is gone after it.  Never runs inside bearer_ask(). */
typedef void (*bearer_done_fn)(void *arg, const struct bearer_result *r);
/* NULL: known at once: *now has it, *user holds the name. */
struct bearer_ask *bearer_ask(struct bearer *b, struct span token, bearer_done_fn fn, void *arg,
    struct bearer_result *now, struct buf *user);
void bearer_cancel(struct bearer_ask **q);
/* bearer_ask() would make the server of oauth introspection-url hear of it. */
bool bearer_asks_server(struct bearer *b, struct span token);

/* Forgets answers about tokens; counts them. */
uint32_t bearer_flush(struct bearer *b);
/* An array for mansioctl status: what was fetched, see `outward` in authd/admin.h. */
void bearer_report(const struct bearer *b, struct json_writer *w);
/* How long keys are kept whose server said so; -1: it said nothing. */
uint32_t bearer_keep_s(const struct conf_oauth *c, int64_t max_age_s);

#endif
