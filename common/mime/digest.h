/* common/mime/digest.h
 * All that is derived from a message, in one pass while it streams: begin, feed, finish.
 * Bounded memory: the part tree, one header, some KiB of text, and the canonical text when
 * it is asked for.
 *
 * What keeps the blobs under MIME_LIST_MAX and MIME_STRUCTURE_MAX: a field of the envelope is cut at
 * 8 KiB, a message's address lists together at 64 KiB encoded (8 KiB for a message inside), the ids of
 * References at 16 KiB; when the parts' descriptions pass 96 KiB, later parts keep their type, their
 * tree and their places, and nothing else.  Of a repeated field the first counts. */
#ifndef COMMON_MIME_DIGEST_H
#define COMMON_MIME_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mime/summary.h"
#include "common/mime/text.h"
#include "common/util/buf.h"
#include "common/util/span.h"

struct mime_digest;
/* text_max: bytes of canonical text to make at most; 0: none. */
struct mime_digest *mime_digest_new(size_t text_max);
void mime_digest_free(struct mime_digest **d);
void mime_digest_feed(struct mime_digest *d, const void *data, size_t len);
/* Parts that are no text, for who can read them: begin is asked with the type of each; of those
 * it wants, data gets the content, its transfer encoding undone, then end comes.  A part that
 * the message ends in has no end before mime_digest_finish().  ops is borrowed. */
struct mime_part_ops {
	bool	(*begin)(void *arg, struct span type, struct span subtype);
	void	(*data)(void *arg, struct span content);
	void	(*end)(void *arg);
	void	*arg;
};
void mime_digest_watch(struct mime_digest *d, const struct mime_part_ops *ops);

#define MIME_THREAD_KEYS 64
struct mime_digest_result {		/* borrowed from the digest */
	struct span		list, structure;	/* the blobs */
	struct span		header, header_more;	/* columns, see columns.h */
	uint64_t		subject_hash;	/* of the base subject; 0: it is empty */
	uint64_t		thread_keys[MIME_THREAD_KEYS];	/* own id first (0: none), then references */
	size_t			n_thread_keys;
	/* Canonical (common/mime/text.h), case-mapped: that of the message's own header, then the rest. */
	struct span		text;
	size_t			text_header;	/* how much of it is the header's */
	bool			text_cut;	/* text_max was reached */
	bool			other;		/* there are parts that are no text */
	uint64_t		size;
};
void mime_digest_finish(struct mime_digest *d, struct mime_digest_result *r);
/* The thread keys as the store takes them, appended: u64 big-endian each; without the own id's
 * when there is none. */
void mime_digest_keys(const struct mime_digest_result *r, struct buf *out);

#endif
