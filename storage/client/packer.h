/* storage/client/packer.h
 * A message's raw octets, as they come, into what an append of it carries: its stored form
 * (body.h) and all that is derived from its text.  No I/O; memory does not grow with the
 * message. */
#ifndef STORAGE_CLIENT_PACKER_H
#define STORAGE_CLIENT_PACKER_H

#include "storage/api/store_types.h"

struct packer;

/* size: raw octets that will come, a promise; 0: not known. */
struct packer *packer_new(uint64_t size);
/* Stored bytes are appended to *stored: take them away whenever it suits. */
void packer_feed(struct packer *p, struct span raw, struct buf *stored);
/* The rest of them, and the item but for its body or stage, which is the caller's: flags none,
 * received now, new ids.  Its spans lie in p. */
void packer_finish(struct packer *p, struct buf *stored, struct store_append_item *it);
/* Raw octets so far. */
uint64_t packer_size(const struct packer *p);
void packer_free(struct packer **p);

#endif
