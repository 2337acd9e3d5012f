/* filter/kept.h
 * What scripts may want to see of a message that passes through: its header, and its text up to a
 * limit.  No I/O; what it takes is counted for all messages of the process together. */
#ifndef FILTER_KEPT_H
#define FILTER_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/span.h"

struct kept;

struct kept_limits {
	uint64_t	message_bytes;	/* of one message */
	uint64_t	all_bytes;	/* of all of them; beyond it only KEPT_LEAST of each */
	uint64_t	*used;		/* by all of them */
};
#define KEPT_LEAST	(64u << 10)

struct kept *kept_new(const struct kept_limits *l);
void kept_feed(struct kept *k, struct span text);
/* It is as long as that: what follows is not fed. */
void kept_set_size(struct kept *k, uint64_t size);
void kept_free(struct kept **k);

/* From the first byte to the empty line behind the header, with it, as far as it was kept. */
struct span kept_header(const struct kept *k);
/* The first bytes of the message, all of them if kept_is_whole(). */
struct span kept_text(const struct kept *k);
bool kept_is_whole(const struct kept *k);
/* Of the message. */
uint64_t kept_size(const struct kept *k);
/* There are octets above 127 in what was kept of the header; of all that was kept. */
bool kept_has_8bit(const struct kept *k, bool header);

#endif
