/* The records on the helper's pipes: u8 kind, u32 length, the bytes. */
#ifndef CTL_HELPER_PRIV_H
#define CTL_HELPER_PRIV_H

#include "common/util/bytes.h"

#define HELPER_HEAD		5u
#define HELPER_PIECE		(64u << 10)
#define HELPER_RECORD_MAX	(32u << 20)	/* a description, with its annotations */
#define HELPER_IN_DATA		'd'
#define HELPER_IN_END		'e'

static inline void
helper_put(struct buf *b, char kind, struct span data)
{
	buf_add_c(b, kind);
	put_u32(b, (uint32_t)data.len);
	buf_add_span(b, data);
}

#endif
