/* storage/client/copy.h
 * One recipient's copy of a message on its way into a mailbox: its private prefix (trace
 * header lines), the digest of what it looks like, its stored form.  The bytes pass
 * through; memory does not grow with the message. */
#ifndef STORAGE_CLIENT_COPY_H
#define STORAGE_CLIENT_COPY_H

#include "common/auth/auth_proto.h"
#include "storage/client/store.h"

struct copy;

/* The copy is in the store (ST_OK), or why not.  Runs once, never from inside a function
 * of this header. */
typedef void (*copy_done_fn)(void *arg, enum status st);
/* Room again after copy_busy(). */
typedef void (*copy_room_fn)(void *arg);

struct copy_to {
	struct store_pool	*pool;
	struct loop		*loop;
	struct span		ticket;
	uint32_t		shard;
	copy_done_fn		done;
	copy_room_fn		room;
	void			*arg;
};

/* Spans are copied. */
struct copy *copy_new(const struct copy_to *to);
/* Quota as it stands: done is called with ST_OK or ST_OVER_QUOTA or what went wrong.  May be left
 * out: the verdict falls when the text is appended. */
void copy_check(struct copy *c, uint64_t size);
/* The account's use before this copy, once the store told it; else NULL. */
const struct store_quota_is *copy_use(const struct copy *c);
/* A new message starts (size: what the client told, 0: nothing). */
void copy_begin(struct copy *c, struct span prefix, uint64_t size);
void copy_feed(struct copy *c, struct span text);
/* The store has not taken enough yet: feed no more until `room`. */
bool copy_busy(const struct copy *c);
/* The text is complete: append it; `done` follows. */
void copy_finish(struct copy *c);
/* The text is complete, and another request of copy_store() will carry it: `done` says ST_OK when
 * copy_item() can stand in it (borrowed until the copy is freed or begun again). */
void copy_hold(struct copy *c);
struct store_append_item copy_item(const struct copy *c);
struct store *copy_store(const struct copy *c);
/* Raw octets of this copy, prefix included. */
uint64_t copy_size(const struct copy *c);
void copy_free(struct copy **c);

#endif
