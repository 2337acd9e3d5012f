/* storage/client/stager.h
 * The stored form of one body on its way into a request: what is short goes in it, what is long is
 * staged in chunks before, as it comes, so that memory does not grow with it. */
#ifndef STORAGE_CLIENT_STAGER_H
#define STORAGE_CLIENT_STAGER_H

#include "storage/client/store.h"

struct stager;

struct stager_ops {
	/* Room again after stager_busy(). */
	void (*room)(void *arg);
	/* All of it is on its way, and a request may name it (ST_OK), or why not; after
	 * stager_finish() said false.  What is refused from then on, the request tells. */
	void (*done)(void *arg, enum status st);
};

/* stage: the number it is staged under, of this channel's. */
struct stager *stager_new(struct store *s, uint32_t stage, const struct stager_ops *ops, void *arg);
/* A body that was staged and is not adopted is dropped. */
void stager_free(struct stager **s);
/* Append stored bytes to it, then stager_push(). */
struct buf *stager_out(struct stager *s);
void stager_push(struct stager *s);
/* The store has not taken enough yet. */
bool stager_busy(const struct stager *s);
/* No more bytes come.  true: stager_status() is how it stands; else `done` follows. */
bool stager_finish(struct stager *s);
enum status stager_status(const struct stager *s);
/* Its body or stage for a request; borrowed. */
void stager_item(const struct stager *s, struct store_append_item *it);

#endif
