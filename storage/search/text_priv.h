/* storage/search/text_priv.h
 * What the files of this folder share: blocks as they lie in a file, and in memory. */
#ifndef STORAGE_SEARCH_TEXT_PRIV_H
#define STORAGE_SEARCH_TEXT_PRIV_H

#include <stdatomic.h>

#include "storage/search/text.h"

#define TEXT_FILE_VERSION	1u
#define TEXT_FILE_HEADER	64u
#define TEXT_BLOCK_MAGIC	"TxB1"
#define TEXT_HEAD_BYTES		72u	/* of a block's head */
#define TEXT_META_MAX		(1u << 20)	/* of its list of messages */
#define TEXT_FILTER_MAX		(16u << 10)	/* bytes; a power of two */
#define TEXT_LEVEL		2	/* of compression */

struct text_head {
	uint32_t	length;		/* of the block, this head among it */
	uint32_t	docs, meta_len, filter_len;
	uint32_t	header_len, header_raw, body_len, body_raw;
	uint32_t	meta_crc, header_crc, body_crc;	/* meta: and the filter */
	uint64_t	at;		/* where in its file it stands */
	uint64_t	from;		/* it takes the place of what stands from here on up to it */
};

/* text_format.c */
void text_file_header(struct buf *out, uint16_t shard, uint64_t account);
bool text_file_header_good(struct span bytes, uint16_t shard, uint64_t account);
void text_head_put(struct buf *out, const struct text_head *h);
/* false: no head of a block at this place. */
bool text_head_get(struct span bytes, uint64_t at, struct text_head *h);
/* The list of a block's messages; v has room for h->docs.  false: damaged. */
bool text_meta_get(const struct text_head *h, struct span meta, struct text_doc *v);
/* A whole block of docs[from..to), and its parsed head. */
void text_block_put(struct buf *out, const struct text_docs *d, size_t from, size_t to,
    uint64_t at, uint64_t replaces, struct text_head *h);
/* One of its two texts out of its bytes; false: damaged.  out is replaced. */
bool text_unpack(struct span stored, uint32_t crc, uint32_t raw, struct buf *out);

/* text_filter.c: which runs of three and of five bytes occur in a text, by hash. */
void text_filter_make(struct span header, struct span body, struct buf *out);
/* May the needle be in the text?  An empty filter says nothing. */
bool text_filter_may(struct span filter, struct span needle);

struct text_block {
	atomic_uint	 refs;
	atomic_bool	 bad;		/* its text cannot be read */
	struct text_head head;
	struct text_doc	*docs;
	char		*filter;
};
struct text_file {
	atomic_uint	refs;
	int		fd;		/* -1: there is none yet */
};
struct text_view {
	atomic_uint	   refs;
	int		   dir;
	uint16_t	   shard;
	uint64_t	   account;
	struct text_file  *file;
	uint64_t	   end;		/* of what is good in the file; 0: it has no header yet */
	uint64_t	   dead;	/* bytes of blocks that others took the place of */
	struct text_block **blocks;
	size_t		   n, room;
};
void text_block_unref(struct text_block **b);
/* Its texts; either may be NULL.  false: damaged; the block is marked. */
bool text_block_read(const struct text_view *v, struct text_block *b, struct buf *header,
    struct buf *body);

#endif
