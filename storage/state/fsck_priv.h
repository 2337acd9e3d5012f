/* storage/state/fsck_priv.h
 * What the files of the check share. */
#ifndef STORAGE_STATE_FSCK_PRIV_H
#define STORAGE_STATE_FSCK_PRIV_H

#include "storage/state/fsck.h"
#include "storage/state/state_priv.h"

#define FSCK_BUCKETS 1024u

/* Sums over the rows of an account; each follows from single rows. */
enum fsck_count {
	N_MAILBOXES, N_NAMES, N_BYTES, N_MESSAGES, N_KEPT, N_KEYWORDS, N_UIDLS, N_METADATA,
	N_NOTES, N_NOTES_OTHERS, N_OLD_ROWS, N_OLD_BYTES, N_STAGES, N_EMAILS, N_LISTS, N_STRUCTS,
	N_SIEVE_KEYS,
	N_COUNTS
};

struct box_sum {
	uint64_t	id;
	uint64_t	messages, unseen, deleted, bytes, deleted_bytes, notes;
	bool		lost;		/* rows of it are missing: its counters may be right */
};

/* What a table of references was found to be, where its sum does not come out. */
struct tally {
	uint64_t	a, b;		/* thread key and subject; extent */
	uint64_t	need, have, thread;
	bool		told;
};

enum seen { ROW_NONE, ROW_BAD, ROW_GOOD };

struct fsck_box {		/* a mailbox's record, as of this piece */
	uint64_t		id;
	enum seen		seen;
	struct rec_mailbox	rec;
	struct buf		value;
};

struct fsck_tree;

struct state_fsck {
	struct state		*s;
	struct fsck_opts	 o;
	enum { AT_COUNT, AT_ACCOUNT, AT_ROWS, AT_KEYS, AT_ROOT, AT_SHARD, AT_EXTENTS, AT_END } at;
	enum status		 st;
	/* the account */
	uint64_t		 account;
	struct rec_account	 acct;		/* of this piece */
	enum seen		 acct_seen;
	bool			 plain;		/* rows are looked at alone: it is deleted, or damaged */
	bool			 lost, undone;
	uint64_t		 n[N_COUNTS];
	struct table		 boxes;		/* struct box_sum */
	struct table		 homes;		/* uint32_t: messages with this home */
	uint64_t		 keys[FSCK_BUCKETS], extents[FSCK_BUCKETS];
	struct table		 tallies;	/* struct tally, while something is to be named */
	struct tally		*named;
	/* where it stands */
	unsigned		 step;
	struct buf		 last;		/* key read last */
	bool			 begun;		/* of this step */
	struct engine_cursor	*c;
	uint64_t		 prev_modseq;	/* of the history row before */
	uint64_t		 told_missing;	/* the mailbox told last to be missing */
	unsigned		 waits;
	uint64_t		 done, total;
	/* kept for this piece */
	struct fsck_box		 box;
	uint64_t		 hist_account;	/* of the row looked at last */
	uint64_t		 hist_modseq;
	enum seen		 hist_seen;
	struct rec_history	 hist;
	struct buf		 hist_value, v1, v2, v3, block_value;
	/* of the row being judged */
	struct buf		 findings;	/* u8 cure, span table, span key, span text */
	struct buf		 rows;		/* of op_repair */
	unsigned		 n_rows;
	bool			 quiet, no_room;
	struct fsck_tree	*tree;
};

typedef void (*fsck_row_fn)(struct state_fsck *f, enum tab t, struct span key,
    struct span payload);
struct fsck_table {
	enum tab	t;
	fsck_row_fn	row;
	enum fsck_cure	bad;		/* of a row that cannot be read */
};
/* In the order in which an account is walked: a row that is taken away is seen before what puts it
 * back. */
extern const struct fsck_table fsck_account_tables[], fsck_shard_tables[];
extern const size_t fsck_n_account_tables, fsck_n_shard_tables;

/* ---- told by who applies (fsck.c) ---- */

/* A row is about to become value (empty: to go), in the open transaction. */
void fsck_row(struct state_fsck *f, enum tab t, struct span key, struct span value);
/* A transaction did not happen. */
void fsck_undone(struct state_fsck *f);

/* ---- for judges (fsck_look.c) ---- */

enum seen fsck_look(struct state_fsck *f, enum tab t, const struct key *k, struct buf *value,
    struct span *payload);
/* Is there a row below the prefix? */
bool fsck_any(struct state_fsck *f, enum tab t, const struct key *prefix);
struct fsck_box *fsck_box(struct state_fsck *f, uint64_t id);
/* The history row of a modseq: hist_seen, hist. */
enum seen fsck_history(struct state_fsck *f, uint64_t modseq);
void fsck_found(struct state_fsck *f, enum tab t, struct span key, enum fsck_cure cure,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The rows that mend what was found last. */
struct buf *fsck_put_start(struct state_fsck *f);
void fsck_put(struct state_fsck *f, enum tab t, const struct key *k);
void fsck_put_mailbox(struct state_fsck *f, uint64_t id, const struct rec_mailbox *m);
/* Takes a row away that is as it is now; keep: into quarantine. */
void fsck_del(struct state_fsck *f, enum tab t, struct span key, bool keep, const char *why);
/* Its form is wrong. */
void fsck_malformed(struct state_fsck *f, enum tab t, struct span key, enum fsck_cure cure);
/* A row without what it belongs to: away with it, its bytes are kept. */
void fsck_orphan(struct state_fsck *f, enum tab t, struct span key, const char *what);
bool fsck_lost_box(const struct state_fsck *f, uint64_t mailbox);
void fsck_lose_box(struct state_fsck *f, uint64_t mailbox);
/* A row of table t whose mailbox is not there, told once for each. */
void fsck_no_mailbox(struct state_fsck *f, enum tab t, struct span key, uint64_t mailbox);

/* ---- sums (fsck_sums.c) ---- */

void fsck_sums_clear(struct state_fsck *f);
/* sign 1 or -1. */
void fsck_sum(struct state_fsck *f, enum tab t, struct span key, struct span payload, int sign);
void fsck_sum_shard(struct state_fsck *f, enum tab t, struct span key, struct span payload,
    int sign);
bool fsck_has_home(const struct state_fsck *f, uint64_t mailbox, uint32_t uid);
/* Of a mailbox's record, and of the account's. */
void fsck_compare_mailbox(struct state_fsck *f, struct span key, struct span payload);
void fsck_compare_account(struct state_fsck *f);
bool fsck_keys_differ(const struct state_fsck *f);
bool fsck_extents_differ(const struct state_fsck *f);
/* Names one of what differs; false: none is left. */
bool fsck_name_key(struct state_fsck *f);
bool fsck_name_extent(struct state_fsck *f);

/* ---- the root (fsck_root.c) ---- */

void fsck_tree_free(struct fsck_tree **t);
void fsck_tree_row(struct fsck_tree *t, enum tab tab, struct span key);
/* *done: root told. */
enum status fsck_tree_step(struct state_fsck *f, bool *done);

#endif
