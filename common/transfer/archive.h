/* common/transfer/archive.h
 * The archive of an account: a tar of JSON texts and raw messages that describes itself, see
 * "Archives" in doc/storage.md.  The writer makes the pieces around a message's bytes, whoever
 * has them writes those. */
#ifndef COMMON_TRANSFER_ARCHIVE_H
#define COMMON_TRANSFER_ARCHIVE_H

#include "common/transfer/transfer.h"

#define ARCHIVE_VERSION 1
#define ARCHIVE_JSON_MAX (16u << 20)	/* one description */
#define ARCHIVE_ANNOTATION_MAX (1u << 20)

struct archive_writer {			/* zeroed */
	struct digest	*digest;	/* over the descriptions */
	uint32_t	folder;		/* its number, from 1 */
	uint64_t	folders, messages, bytes;
	int64_t		made_s;
};
/* address: of the account. */
void archive_begin(struct archive_writer *w, struct span address, int64_t made_s,
    struct buf *out);
void archive_folder(struct archive_writer *w, const struct transfer_folder *f, struct buf *out);
/* Before a message's bytes, of which there are m->size. */
void archive_message(struct archive_writer *w, const struct transfer_message *m,
    struct buf *out);
/* Behind them.  damaged: they are not what they were; m->sha256 is of what they should be. */
void archive_message_end(struct archive_writer *w, const struct transfer_message *m,
    bool damaged, struct buf *out);
void archive_end(struct archive_writer *w, struct buf *out);
void archive_fini(struct archive_writer *w);

/* Reads all of it.  false: it is no archive, or of a later version, or its end is missing;
 * ops->drop() said so. */
bool archive_read(const struct transfer_source *source, const struct transfer_ops *ops,
    void *arg);

#endif
