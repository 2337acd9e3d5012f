/* common/mail/uidset.h
 * A set of UIDs (or sequence numbers) as sorted, disjoint, non-adjacent ranges:
 * small for what mail makes of it, whatever the number of messages. */
#ifndef COMMON_MAIL_UIDSET_H
#define COMMON_MAIL_UIDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/bytes.h"

struct uidrange {
	uint32_t	lo, hi;		/* inclusive, 1 <= lo <= hi */
};

struct uidset {				/* zeroed: empty */
	struct uidrange	*r;
	size_t		n, room;
};

void uidset_fini(struct uidset *s);
void uidset_clear(struct uidset *s);
void uidset_add(struct uidset *s, uint32_t uid);
void uidset_add_range(struct uidset *s, uint32_t lo, uint32_t hi);
void uidset_add_set(struct uidset *s, const struct uidset *other);
void uidset_remove_range(struct uidset *s, uint32_t lo, uint32_t hi);
void uidset_remove_set(struct uidset *s, const struct uidset *other);
/* s becomes what is in both. */
void uidset_intersect(struct uidset *s, const struct uidset *other);
void uidset_copy(struct uidset *to, const struct uidset *from);
bool uidset_has(const struct uidset *s, uint32_t uid);
bool uidset_empty(const struct uidset *s);
bool uidset_eq(const struct uidset *a, const struct uidset *b);
uint64_t uidset_count(const struct uidset *s);
/* Lowest member above `after` (0: the first); 0 when there is none. */
uint32_t uidset_next(const struct uidset *s, uint32_t after);
/* The index-th member counted from 0 / the index of a member, or UINT64_MAX. */
uint32_t uidset_at(const struct uidset *s, uint64_t index);
uint64_t uidset_index(const struct uidset *s, uint32_t uid);

/* Flat: varint number of ranges, then varint gaps and lengths. */
void uidset_encode(const struct uidset *s, struct buf *out);
/* At most max_ranges ranges; false (and an empty set) when malformed. */
bool uidset_decode(struct uidset *s, struct reader *r, size_t max_ranges);
/* "1:3,7": IMAP's sequence-set / uid-set (RFC 3501 §9); nothing for the empty set. */
void uidset_print(const struct uidset *s, struct buf *out);
/* Parses such a text; '*' becomes star (0: '*' is refused).  false when malformed or
 * more than max_ranges. */
bool uidset_parse(struct uidset *s, struct span text, uint32_t star, size_t max_ranges);

#endif
