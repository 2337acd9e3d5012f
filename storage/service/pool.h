/* storage/service/pool.h
 * A few threads beside the loop.  A job runs in pieces; behind each it goes to the end of the
 * queue, so that a long one holds nobody up. */
#ifndef STORAGE_SERVICE_POOL_H
#define STORAGE_SERVICE_POOL_H

#include <stdbool.h>

#include "common/net/loop.h"

struct pool;

/* Made by the caller, his again when done runs. */
struct pool_job {
	struct pool_job	*next;
	/* A piece of it, in one of the threads; true: there is more. */
	bool		(*run)(struct pool_job *job);
	/* In the loop, once. */
	void		(*done)(struct pool_job *job);
};

struct pool *pool_new(struct loop *l, unsigned threads);
/* Does what was submitted to the end, and what is submitted by a done that it calls. */
void pool_free(struct pool **p);
void pool_submit(struct pool *p, struct pool_job *job);

#endif
