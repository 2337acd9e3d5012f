/* storage/client/packer.h
 * A message's raw octets, as they come, into what an append of it carries: its stored form
 * (body.h) and all that is derived from its text.  No I/O; memory does not grow with the
 * message. */
#ifndef STORAGE_CLIENT_PACKER_H
#define STORAGE_CLIENT_PACKER_H

#include "common/mime/digest.h"
#include "storage/api/store_types.h"

struct packer;

/* prefix: see body_writer_new(). */
struct packer *packer_new(struct span prefix);
/* Stored bytes are appended to *stored: take them away whenever it suits. */
void packer_feed(struct packer *p, struct span raw, struct buf *stored);
/* The rest of them, and the item but for its body or stage, which is the caller's: flags none,
 * received now, new ids.  Its spans lie in p. */
void packer_finish(struct packer *p, struct buf *stored, struct store_append_item *it);
void packer_free(struct packer **p);

/* Appends the canonical text of a digest made with STORE_TEXT_MAX as an item carries it. */
void packer_put_text(const struct mime_digest_result *d, struct buf *out);

#endif
