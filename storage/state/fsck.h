/* storage/state/fsck.h
 * Proves the applied state while it is used: every row's CRC and form, every reference both ways,
 * everything that is counted beside what it counts, and a root of hashes for each account.
 *
 * The walk goes in pieces of a given time; operations are applied between them.  Whatever is
 * looked at is judged against what it refers to at the same moment.  Sums are kept exact
 * meanwhile: every row that changes behind the walk is taken out of them as it was and put
 * in as it is.  So a busy account gives no false alarm and does not hold the walk up; only a
 * root is given up when blocks change faster than they are hashed.
 *
 * Memory: some bytes for each message and mailbox of the account being walked.
 *
 * Repair: what follows from other rows is mended by operations (OP_REPAIR) that hold the whole
 * right rows.  They are only right while nothing else is under way: FSCK_HOLD asks for
 * that.  What does not follow from other rows stays as it is; the journal has it, and a
 * database made anew from a copy and the journal is whole again. */
#ifndef STORAGE_STATE_FSCK_H
#define STORAGE_STATE_FSCK_H

#include "storage/state/state.h"

struct state_fsck;

enum fsck_cure {
	CURE_ROWS,		/* follows from other rows: repair writes it */
	CURE_QUARANTINE,	/* repair takes it away and keeps its bytes */
	CURE_REBUILD,		/* the database has to be made anew */
	CURE_NONE,		/* nothing helps: a body that is damaged */
	CURE_NOTE		/* not wrong: what is missing is made when it is asked for */
};

struct fsck_finding {
	uint64_t	account;	/* 0: of the shard */
	const char	*table;
	struct span	key;
	enum fsck_cure	cure;
	bool		mended;		/* the operation that does is on its way */
	const char	*text;
};

struct fsck_opts {
	uint64_t	account;	/* 0: all of them, and what belongs to none */
	bool		check, roots, repair;
	/* NULL: no pieces are looked at.  false: such a place cannot be. */
	bool		(*place)(void *arg, struct journal_loc loc);
	/* Wants the body of a message read and hashed; NULL: bodies are not looked at.  false: no
	 * room now, ask again.  locs: n of them, borrowed. */
	bool		(*body)(void *arg, uint64_t account, uint64_t message,
			    const unsigned char sha256[32], uint64_t size,
			    const struct journal_loc *locs, size_t n);
	void		(*found)(void *arg, const struct fsck_finding *f);
	/* hash NULL: the account did not hold still, or rows of it are damaged. */
	void		(*root)(void *arg, uint64_t account, const unsigned char *hash);
	void		*arg;
};

/* One at a time: NULL when another one is there. */
struct state_fsck *state_fsck_new(struct state *s, const struct fsck_opts *o);
void state_fsck_free(struct state_fsck **f);

enum fsck_step {
	FSCK_MORE,
	FSCK_WAIT,		/* for what is staged, or for room for bodies */
	FSCK_HOLD,		/* something to mend: call again with no operation under way */
	FSCK_MEND,		/* apply state_fsck_mend()'s operation before anything else */
	FSCK_DONE,
	FSCK_FAILED		/* the engine; ST_NOT_FOUND: no such account */
};
/* Works for about budget_us; 0: to the end.  quiet: nothing is under way and will be before the
 * operation asked for. */
enum fsck_step state_fsck_step(struct state_fsck *f, uint64_t budget_us, bool quiet);
enum status state_fsck_status(const struct state_fsck *f);
/* Rows to write, for op_repair; until the next step. */
struct span state_fsck_mend(const struct state_fsck *f);
/* Messages looked at, of so many, twice each. */
void state_fsck_progress(const struct state_fsck *f, uint64_t *done, uint64_t *total);
/* Is that message still there, with this body?  For who found its body damaged. */
bool state_fsck_still(struct state *s, uint64_t account, uint64_t message,
    const unsigned char sha256[32]);
/* The row that marks a message's body as damaged, for op_repair. */
void state_fsck_mark_body(uint64_t account, uint64_t message, int64_t time_ms,
    struct buf *rows);
/* Where its body lies: array of struct journal_loc, replaced.  ST_NOT_FOUND. */
enum status state_message_places(struct state *s, uint64_t account, uint64_t message,
    struct buf *locs);

#endif
