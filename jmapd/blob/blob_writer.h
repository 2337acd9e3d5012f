/* jmapd/blob/blob_writer.h
 * Makes an upload of the store out of bytes that come: packed as bodies are, staged, and put when all
 * are there.  Holds a few frames, however long it becomes. */
#ifndef JMAPD_BLOB_BLOB_WRITER_H
#define JMAPD_BLOB_BLOB_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"
#include "common/util/status.h"

struct jmap_account;
struct blob_writer;

struct blob_writer_ops {
	/* blob_writer_full() is false again. */
	void	(*drained)(void *arg);
	/* Once; id: the number of the upload (common/mail/blob_id.h).  ST_OVER_QUOTA: no room. */
	void	(*done)(void *arg, enum status st, uint64_t id);
};
/* size: how many bytes are expected, 0: unknown; ops is borrowed. */
struct blob_writer *blob_writer_new(struct jmap_account *a, uint64_t size,
    const struct blob_writer_ops *ops, void *arg);
void blob_writer_feed(struct blob_writer *w, struct span raw);
/* Feed no more for now. */
bool blob_writer_full(const struct blob_writer *w);
uint64_t blob_writer_size(const struct blob_writer *w);
/* All was fed: done follows. */
void blob_writer_finish(struct blob_writer *w);
/* Also in a callback; what was not done is dropped. */
void blob_writer_free(struct blob_writer **w);

#endif
