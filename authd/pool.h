/* authd/pool.h
 * A bounded pool of child processes for what takes long: hashing and PAM.  One request a
 * child at a time; others wait in a queue.  A child that takes too long is killed and
 * replaced.  The main process never blocks on one. */
#ifndef AUTHD_POOL_H
#define AUTHD_POOL_H

#include <stdint.h>

#include "authd/scheme.h"
#include "authd/spawner.h"
#include "common/net/loop.h"
#include "common/util/span.h"
#include "common/util/status.h"

struct pool;
struct pool_job;

struct pool_config {
	struct loop	*loop;
	const char	*name;		/* "hash", "pam": for the log */
	uint32_t	workers, queue;
	uint32_t	timeout_ms;
	/* true: children execute this program anew (/proc/self/exe POOL_CHILD_ARG), so that they
	 * hold none of its memory.  false: they only fork. */
	bool		exec;
	struct spawner	*spawner;	/* borrowed; starts the children instead; or NULL */
};
#define POOL_CHILD_ARG "--pool-child"

struct pool *pool_new(const struct pool_config *cf);
/* Kills the children; what was asked is told ST_CANCELLED. */
void pool_free(struct pool **p);

/* st: ST_OK; ST_DENIED; ST_UNSUPPORTED (hash not understood); ST_UNAVAILABLE (time-out,
 * the child died, PAM is broken).  reply: borrowed, secret. */
typedef void (*pool_done_fn)(void *arg, enum status st, struct span reply);

/* NULL: the queue is full.  The callback never runs inside these. */
struct pool_job *pool_verify(struct pool *p, struct span hash, struct span password,
    pool_done_fn fn, void *arg);
/* reply: see pool_made(). */
struct pool_job *pool_make(struct pool *p, const struct hash_params *hp, struct span password,
    pool_done_fn fn, void *arg);
struct pool_job *pool_pam(struct pool *p, const char *service, struct span user,
    struct span password, struct span peer, pool_done_fn fn, void *arg);
void pool_cancel(struct pool_job **j);
void pool_set_queue(struct pool *p, uint32_t queue);
uint32_t pool_waiting(const struct pool *p);

struct pool_scram { struct span salt, stored_key, server_key; };
struct pool_made { struct span hash; struct pool_scram sha1, sha256; };
bool pool_made_decode(struct span reply, struct pool_made *made);

/* What a child does: serves requests from fd until it closes. */
void pool_child(int fd);

#endif
