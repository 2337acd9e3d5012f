/* storage/state/read_priv.h
 * What the files of questions share: read.c, columns.c. */
#ifndef STORAGE_STATE_READ_PRIV_H
#define STORAGE_STATE_READ_PRIV_H

#include "storage/state/cold.h"
#include "storage/state/undelete.h"

#define SEEK_GAP 200u		/* rows skipped by stepping are cheaper than a seek below this */

/* A walk over the index rows of a set of uids. */
struct walk {
	struct state		*s;
	uint64_t		account, mailbox;
	const struct uidset	*uids;
	size_t			range;
	uint32_t		at;		/* uid of the row last seen; 0: none */
	uint32_t		last;		/* see read_live_mailbox() */
	struct engine_cursor	*c;
	struct cold		list, structure;	/* of entries() */
};
enum status walk_open(struct walk *w, uint32_t from);
/* The next row that is a member; ST_NOT_FOUND: no more. */
enum status walk_next(struct walk *w, uint32_t *uid, struct rec_index *x);

/* last: the highest uid given out; rows above it are staged, and nobody's yet. */
enum status read_live_mailbox(struct state *s, uint64_t account, uint64_t mailbox,
    uint32_t *last);

/* The account as it is, when it can be told what happened after q->since. */
struct state_since;
enum status since_judge(struct state *s, uint64_t account, const struct state_since *q,
    struct rec_account *a);

/* A walk over the history behind a point, an operation after the other; w is the reader's own. */
struct since_reader {
	bool		(*full)(const void *w);
	/* Takes what an operation did, in the order of the objects' ids; counts its rows. */
	enum status	(*collect)(void *w, uint64_t modseq, const struct rec_history *h);
	/* The object that entry i is about; 0: there are no more. */
	uint64_t	(*object)(const void *w, size_t i);
	/* Tells of the object that n entries from i on are about; *fits false: no more of them. */
	enum status	(*tell)(void *w, size_t i, size_t n, bool *fits);
};
/* rows: how many were read so far.  Moves q to how far it came: a's modseq, when that is all. */
enum status since_walk(struct state *s, uint64_t account, const struct rec_account *a,
    struct state_since *q, const uint32_t *rows, const struct since_reader *r, void *w);

/* Of what was deleted (read_undeleted.c): the mailbox has STATE_UNDELETED. */
enum status undel_row(struct state *s, uint64_t account, uint64_t mailbox, uint32_t no,
    struct buf *value, struct rec_undel *row);
enum status undel_marks(struct state *s, uint64_t account, uint64_t mailbox,
    struct uidset sets[STATE_DELETED + 1]);
enum status undel_uids(struct state *s, uint64_t account, uint64_t mailbox,
    enum state_which which, struct uidset *out);
enum status undel_changes(struct state *s, uint64_t account, uint64_t mailbox, uint64_t since,
    struct state_changes *c);

#endif
