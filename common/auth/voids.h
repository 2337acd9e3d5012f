/* common/auth/voids.h
 * The tickets that are void before their time: kept by authd, which makes them so, and by
 * each stored, which refuses them.  Each is forgotten when it has expired.  The list is
 * bounded: what has to leave early raises a line, and every ticket that expires no later
 * than that counts as void. */
#ifndef COMMON_AUTH_VOIDS_H
#define COMMON_AUTH_VOIDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/auth/ticket.h"
#include "common/util/buf.h"
#include "common/util/list.h"
#include "common/util/table.h"

#define VOIDS_MAX	1000000u
/* In messages: id, i64 expiry, big-endian; one after the other. */
#define VOID_LEN	(TICKET_ID_LEN + 8)
#define VOIDS_PAGE	32768u

struct voids {
	struct list	entries;	/* oldest first */
	struct table	by_id;
	size_t		max;
	uint64_t	last;		/* number of the newest; they are numbered as they come */
	int64_t		before_s;	/* the line */
};

void voids_init(struct voids *v, size_t max);
void voids_fini(struct voids *v);
/* true: it is new here, and has not expired. */
bool voids_add(struct voids *v, const unsigned char id[TICKET_ID_LEN], int64_t expires_s,
    int64_t now_s);
bool voids_has(const struct voids *v, const unsigned char id[TICKET_ID_LEN]);
void voids_purge(struct voids *v, int64_t now_s);
size_t voids_count(const struct voids *v);

/* Appends those that came after number `after`, oldest first, at most VOIDS_PAGE; *last is
 * what to go on from.  true: there are more. */
bool voids_page(struct voids *v, uint64_t after, struct buf *out, uint64_t *last);
/* Adds a page of another list; false: it is no page. */
bool voids_take_page(struct voids *v, struct span page, int64_t now_s);
/* Another's line. */
void voids_raise(struct voids *v, int64_t before_s);

#endif
