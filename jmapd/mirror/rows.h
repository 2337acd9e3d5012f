/* jmapd/mirror/rows.h
 * The messages of a mirror: found by id, joined to threads, counted by mailbox.  Knows nothing of
 * the store.  A message's index stays the same while it is there; what it has of keywords is
 * a number of a set that all with the same flags share. */
#ifndef JMAPD_MIRROR_ROWS_H
#define JMAPD_MIRROR_ROWS_H

#include "common/util/table.h"
#include "jmapd/mirror/mirror.h"

#define ROWS_NONE UINT32_MAX

/* A membership without \Deleted. */
struct rows_place {
	uint64_t	mailbox;
	uint32_t	uid;
	struct flags	flags;
};
struct rows_message {
	uint64_t		id, thread;
	int64_t			received_s;
	uint64_t		size;
	const struct rows_place	*places;
	size_t			n;		/* 0: it is gone */
};

enum { ROW_ATTACHMENT_UNKNOWN, ROW_ATTACHMENT_NONE, ROW_ATTACHMENT_SOME };

struct row {
	uint64_t	id, thread;
	int64_t		received_s;
	uint32_t	size;
	uint32_t	next;		/* in its thread, a ring; of a free one, in that list */
	uint32_t	uid, set;	/* the first membership */
	uint16_t	mailbox;
	uint8_t		used, attachment;
	uint32_t	more;		/* of the others: see rows_at() */
};

struct rows_more;
struct rows_box;
struct rows {
	struct row	**chunk;
	uint32_t	n, free, count;		/* n: with the free ones */
	uint32_t	*by_id, *by_thread;
	uint32_t	id_size, thread_size, threads;
	struct rows_more *more;
	uint32_t	n_more, more_room, more_free;
	struct flags	*sets;
	uint32_t	*by_flags;
	uint32_t	n_sets, sets_size;
	struct rows_box	*boxes;
	uint32_t	n_boxes, box_room;
	struct table	by_mailbox;
	/* counts */
	bool		counted;
	uint64_t	trash;
	uint64_t	stamp;
};

#define ROWS_CHUNK 1024u

void rows_init(struct rows *r);
void rows_fini(struct rows *r);
size_t rows_bytes(const struct rows *r);
/* Adds, replaces or takes away.  false: it cannot be held (more mailboxes than there may be). */
bool rows_put(struct rows *r, const struct rows_message *m);
/* Adds a membership to what is there of the message. */
bool rows_add(struct rows *r, const struct rows_message *m);
/* Sets of flags that nobody has any more are not found: many more than messages. */
bool rows_stale(const struct rows *r);

/* ROWS_NONE: none. */
uint32_t rows_find(const struct rows *r, uint64_t id);
uint32_t rows_find_thread(const struct rows *r, uint64_t thread);
static inline struct row *
rows_row(const struct rows *r, uint32_t i)
{
	return &r->chunk[i / ROWS_CHUNK][i % ROWS_CHUNK];
}
/* The i-th membership of a row; false: it has not so many. */
struct rows_seen {
	uint32_t	box, uid;
	struct flags	flags;
};
bool rows_at(const struct rows *r, const struct row *row, unsigned i, struct rows_seen *s);
uint64_t rows_box_id(const struct rows *r, uint32_t box);
/* UINT32_MAX: nothing is in it. */
uint32_t rows_box_find(const struct rows *r, uint64_t mailbox);
bool rows_in(const struct rows *r, const struct row *row, uint32_t box);
/* Email.keywords. */
struct flags rows_flags(const struct rows *r, const struct row *row);
unsigned rows_memberships(const struct rows *r, const struct row *row);

void rows_counts(struct rows *r, uint64_t mailbox, uint64_t trash, struct mirror_counts *c);

#endif
