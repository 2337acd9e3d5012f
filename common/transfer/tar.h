/* common/transfer/tar.h
 * The little of tar that an archive needs (POSIX.1-1988 "ustar"): plain files with short names,
 * one behind the other.  Reading goes on behind damage, at the next header that is whole. */
#ifndef COMMON_TRANSFER_TAR_H
#define COMMON_TRANSFER_TAR_H

#include "common/transfer/transfer.h"

#define TAR_BLOCK	512u
#define TAR_NAME_MAX	100u
#define TAR_SIZE_MAX	077777777777ull		/* 8 GiB - 1 */

/* Appends a header; the file's bytes and tar_put_pad() of its size follow. */
void tar_put_header(struct buf *out, const char *name, uint64_t size, int64_t mtime_s);
void tar_put_pad(struct buf *out, uint64_t size);
void tar_put_end(struct buf *out);

struct tar_entry {
	char		name[TAR_NAME_MAX + 1];
	uint64_t	size;
	uint64_t	at;		/* of its header, from the beginning */
};
struct tar_reader {			/* zeroed but for source */
	struct transfer_source	source;
	uint64_t		at;	/* bytes read */
	uint64_t		left, pad;	/* of the entry at hand */
	uint64_t		skipped;	/* bytes that were no header, since the last one */
	bool			end;
};
enum tar_result { TAR_ENTRY, TAR_END, TAR_CUT };	/* cut: the file ends before its end */
/* Goes on behind what is left of the entry before. */
enum tar_result tar_next(struct tar_reader *t, struct tar_entry *e);
/* Bytes of the entry at hand; 0: its end; -1: the file ends in it. */
ssize_t tar_read(struct tar_reader *t, void *p, size_t n);

#endif
