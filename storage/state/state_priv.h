/* storage/state/state_priv.h
 * What the files of storage/state share.
 *
 * Applying keeps accounts and mailboxes decoded, from one transaction to the next, and writes
 * those that a transaction changed once, at its end.  Functions that take a txn serve both sides: the
 * applying one passes s->txn, a reader NULL.
 *
 * A function of an operation judges first (refuse() sets the verdict and returns ST_OK),
 * then writes.  What it returns is the engine's or a record's failure. */
#ifndef STORAGE_STATE_STATE_PRIV_H
#define STORAGE_STATE_STATE_PRIV_H

#include <pthread.h>

#include "common/util/list.h"
#include "common/util/table.h"
#include "storage/state/schema.h"
#include "storage/state/state.h"

#define TRY(expr) \
	do { \
		enum status try_ = (expr); \
		if (try_ != ST_OK) \
			return try_; \
	} while (0)

#define MEMBERS_MAX 1000u	/* mailboxes and repetitions that a message can be in */
#define ONCE_MAX 1024u		/* outcomes remembered of a ticket */
#define ONCE_BYTES (1u << 20)	/* of their answers */
#define KEPT_MAX 2048u		/* accounts and mailboxes kept decoded behind a transaction */

struct mbox {
	uint64_t		id;
	struct rec_mailbox	rec;		/* name: points into `name` */
	struct buf		name;
	bool			dirty;
	struct rec_block	block;
	uint32_t		block_no;
	bool			block_here, block_dirty;
	uint32_t		high;		/* of its row of uidhigh */
	struct list		in_acct;	/* those used last are at the end */
	uint64_t		used;		/* number of the transaction that did */
};

struct acct {
	uint64_t		id;
	struct rec_account	rec;
	bool			dirty;
	struct table		mboxes;
	struct list		list;		/* struct mbox */
	bool			keywords_here;
	struct buf		keywords;	/* put_store_keyword() of all */
	struct list		in_state;	/* as in_acct */
	uint64_t		used;
};

/* A message taken apart to be changed. */
struct message {
	uint64_t		id;
	struct rec_message	rec;		/* thread_keys, members: point into the buffers */
	struct buf		keys, members;
};

/* How far the records are, see upgrade.c. */
struct upgrade {
	struct rec_schema	rec;		/* spans point into the two buffers */
	struct buf		table, key;
	bool			dirty;		/* not in the database yet */
	uint64_t		renewed;
};

struct state {
	struct engine		*e;
	struct engine_txn	*txn;
	struct rec_meta		meta, meta_before;
	bool			meta_dirty;
	struct upgrade		upgrade;
	bool			uidhigh_dirty;	/* that table is complete, and nothing says so yet */
	struct state_fsck	*fsck;		/* is told of every row that changes; NULL: none runs */
	struct journal_pos	pos;
	int64_t			stamp_ms;	/* time of the operation at pos */
	int64_t			stamp_now_ms;	/* with the open transaction */
	struct table		accts;
	struct list		list;		/* struct acct */
	uint64_t		txn_no;
	size_t			kept;		/* accounts and mailboxes decoded */
	struct buf		value;		/* of reads while applying */
	struct buf		out;		/* of the record being written */
	struct message		msg;
	bool			singles;	/* cold rows of before are there, see cold.h */
	pthread_mutex_t		lock;		/* guards what follows */
	char			damage[200];
	struct rec_meta		committed;	/* what readers see of meta */
	struct table		recent;		/* mailbox -> first uid that nobody claimed */
};

/* See reader.c: modseq 0: never changed. */
struct reader_block {
	unsigned char	seen[BLOCK_UIDS / 8];
	uint64_t	modseq[BLOCK_UIDS];
};

/* What one reader is shown, row after row. */
struct reader_view {
	uint64_t		account, mailbox, reader;
	uint32_t		no;		/* of the block; UINT32_MAX: none loaded */
	struct reader_block	block;
};

/* One operation being applied. */
struct apply {
	struct state		*s;
	const struct op		*op;
	struct acct		*a;		/* NULL for operations without account */
	struct state_result	*r;
	const struct journal_loc *locs;
	size_t			n_locs;
	uint64_t		modseq;		/* 0: nothing changed so far */
	struct buf		touched;	/* mailboxes with change rows, u64 each */
	uint64_t		seen_message;	/* the last that changed and was in sight before; 0: none */
	bool			forgettable;	/* refused for too many remembered outcomes */
	uint32_t		uid_before;	/* highest one named by the chain's last part */
	uint32_t		part_before;	/* of the chain, as remembered; 0: none */
	struct buf		once;		/* what is remembered of the ticket; empty: nothing */
	struct buf		memo_before;	/* the answer to it, so far */
	struct buf		memo;		/* with this part; remembered instead of the reply */
	uint64_t		noted;		/* for the history row: see struct rec_history */
	struct buf		old;
	/* Of a reader of another's mailbox. */
	struct reader_block	*rb;		/* NULL: none loaded */
	uint64_t		rb_mailbox;
	uint32_t		rb_no;
	bool			rb_dirty, reader_changed, shared_changed;
};

/* ---- records (state.c) ---- */

/* Names the record; returns ST_CORRUPT. */
enum status st_damaged(struct state *s, enum tab t, struct span key);
/* *payload lies in value.  ST_NOT_FOUND. */
enum status st_get(struct state *s, struct engine_txn *txn, enum tab t, const struct key *k,
    struct buf *value, struct span *payload);
/* st_put_start() empties a shared buffer; the payload is put into it, then st_put(). */
struct buf *st_put_start(struct state *s);
enum status st_put(struct state *s, enum tab t, const struct key *k);
enum status st_del(struct state *s, enum tab t, const struct key *k);
/* By a whole key, as a cursor gave it. */
enum status st_del_row(struct state *s, enum tab t, struct span key);
/* Absent is fine. */
enum status st_del_any(struct state *s, enum tab t, const struct key *k);
enum status st_next(struct state *s, enum tab t, struct engine_cursor *c, struct span *key,
    struct span *payload);

enum status st_acct(struct state *s, uint64_t id, struct acct **a);
struct acct *st_acct_new(struct state *s, uint64_t id);
/* Tombstones are found too. */
enum status st_mbox(struct state *s, struct acct *a, uint64_t id, struct mbox **m);
struct mbox *st_mbox_new(struct state *s, struct acct *a, uint64_t id);
void st_mbox_name(struct mbox *m, struct span name);
/* Writes what is kept decoded, before rows are walked or removed in bulk. */
enum status st_flush(struct state *s);
/* The same, and all is read again. */
enum status st_forget(struct state *s);
/* Forgets the mailboxes and keywords kept of an account, after st_flush(). */
void st_drop_mailboxes(struct acct *a);
uint64_t st_new_id(struct state *s);
/* The committed meta record, for any thread. */
struct rec_meta st_meta(const struct state *s);
/* Reads outside of the cache. */
enum status st_read_account(struct state *s, struct engine_txn *txn, uint64_t id,
    struct rec_account *rec);
/* rec->name lies in value. */
enum status st_read_mailbox(struct state *s, struct engine_txn *txn, uint64_t account,
    uint64_t id, struct rec_mailbox *rec, struct buf *value);

enum status refuse(struct apply *ap, enum status verdict);
/* The modseq of this operation: the account's next. */
uint64_t ap_modseq(struct apply *ap);
/* The reply message, by its number in the store protocol. */
void ap_reply(struct apply *ap, uint16_t no, const void *msg);
/* A mailbox that is there and not deleted: *m NULL and refused otherwise. */
enum status ap_mbox(struct apply *ap, uint64_t id, struct mbox **m);

/* ---- how far the records are (upgrade.c) ---- */

/* fresh: the database is empty.  ST_UNSUPPORTED: it is newer than this program. */
enum status upgrade_load(struct state *s, bool fresh);
/* In an open transaction, when it is dirty. */
enum status upgrade_write(struct state *s);
void upgrade_fini(struct state *s);

/* ---- how far uids were given out (uidhigh.c) ---- */

/* When a mailbox's record is written. */
enum status uidhigh_write(struct state *s, uint64_t account, struct mbox *m);
/* fresh: the database is empty.  Makes the rows of one that is older than they are. */
enum status uidhigh_load(struct state *s, bool fresh);
enum status uidhigh_done(struct state *s);

/* ---- uid map (uidmap.c) ---- */

enum status uidmap_load(struct state *s, struct acct *a, struct mbox *m, uint32_t block);
enum status uidmap_flush(struct state *s, struct acct *a, struct mbox *m);
/* Sets the three bits of a uid, whose row must be there; flags NULL: it goes.  Keeps the
 * mailbox's counters. */
enum status uidmap_set(struct state *s, struct acct *a, struct mbox *m, uint32_t uid,
    const struct flags *flags);
/* Members of among that are there; stops when out has more than max. */
enum status uidmap_among(struct state *s, struct acct *a, struct mbox *m, enum state_which which,
    const struct uidset *among, uint64_t max, struct uidset *out);
/* Bit runs of a block into out, within lo..hi. */
void uidmap_bits(const unsigned char *bits, uint32_t block, uint32_t lo, uint32_t hi,
    struct uidset *out);

/* ---- changes (changes.c) ---- */

enum status change_add(struct apply *ap, struct mbox *m, uint32_t uid,
    const struct rec_change *c);
/* Its message has no other membership that is of an earlier operation; c->was is said. */
enum status change_add_alone(struct apply *ap, struct mbox *m, uint32_t uid,
    const struct rec_change *c);
/* History has rows of this mailbox; change_add() says so itself. */
void history_touch(struct apply *ap, uint64_t mailbox);
enum status mchange_add(struct apply *ap, uint64_t mailbox, const struct rec_mchange *c);
/* Writes the history row of an operation that changed something. */
enum status history_add(struct apply *ap);

/* ---- messages (message.c) ---- */

void message_fini(struct message *m);
enum status message_load(struct state *s, struct acct *a, uint64_t id, struct message *m);
enum status message_save(struct state *s, struct acct *a, struct message *m);
enum status index_load(struct state *s, struct acct *a, struct mbox *m, uint32_t uid,
    struct rec_index *x);
enum status index_save(struct state *s, struct acct *a, struct mbox *m, uint32_t uid,
    const struct rec_index *x);
/* New membership: gives the uid, writes all but the message.  x: modseq is set. */
enum status member_add(struct apply *ap, struct mbox *m, struct message *msg,
    struct rec_index *x, uint32_t *uid);
/* Other flags for one that is there: its row x, and what tells of it.  The same ones: nothing. */
enum status member_flags(struct apply *ap, struct mbox *m, uint32_t uid, struct rec_index *x,
    struct flags flags);
/* Takes the membership away from everything but the message's record. */
enum status member_remove(struct apply *ap, struct mbox *m, uint32_t uid,
    const struct rec_index *x, struct message *msg);
/* A body's pieces and how many use them; one user less. */
enum status extent_put(struct apply *ap, uint64_t id, const struct journal_loc *locs, uint32_t n,
    uint32_t refs);
enum status extent_unref(struct state *s, uint64_t extent);
/* So many more; *pieces: how many it has. */
enum status extent_ref(struct state *s, uint64_t extent, uint32_t more, uint32_t *pieces);
/* blob.c: where it lies, as state_bodies_next() tells it, with uid 1. */
enum status extent_body(struct state *s, uint64_t extent, struct state_body *body,
    struct buf *locs);
/* An upload goes. */
enum status blob_drop(struct apply *ap, struct span key, const struct rec_blob *x);
/* Takes a membership that is there away, whatever its flags. */
enum status expunge_one(struct apply *ap, struct mbox *m, uint32_t uid);
/* Removes a message without memberships for good. */
enum status message_purge(struct apply *ap, struct message *msg);
/* Up to OP_ROWS memberships of a mailbox, the lowest first.  *empty: none is left. */
enum status mbox_purge_rows(struct apply *ap, struct mbox *m, bool *empty);

bool message_drop_member(struct message *m, uint64_t mailbox, uint32_t uid);
/* The items of an append; bits: of its keywords. */
struct append_totals {
	uint64_t	items, bytes, pieces;
	bool		good;
};
struct append_totals append_totals(struct span items);
/* at: the uids they get; NULL: the next ones. */
/* A message that was not here, whose body is there; id 0: a new one. */
enum status message_make(struct apply *ap, struct mbox *m, const struct op_append_item *it,
    uint64_t extent, uint64_t id, struct flags flags, uint32_t *uid);
/* The request's keyword bits as the account's; those that have none (UINT32_MAX) are left out. */
struct flags append_flags(struct flags f, const unsigned *bits, size_t n);
enum status append_rows(struct apply *ap, struct mbox *m, const unsigned *bits, size_t n_bits,
    const struct uidset *at, struct uidset *uids);

/* ---- what no operation looks at (cold.c); k: the home membership's ---- */

enum status cold_put(struct state *s, const struct key *k, struct span columns, struct span list,
    struct span structure);
enum status cold_del(struct state *s, const struct key *k);
/* When the state is opened. */
enum status cold_load(struct state *s);

/* ---- with uids from elsewhere (place.c) ---- */

/* *at: of the items of a placed append, else empty.  m NULL: it is not made yet. */
enum status place_judge(struct apply *ap, const struct mbox *m, uint64_t items,
    struct uidset *at);
/* Before its first row. */
void place_begin(struct apply *ap);

/* ---- threads (thread.c) ---- */

/* *thread not 0: it is that one, whatever the keys say. */
enum status thread_join(struct apply *ap, struct span keys, uint64_t subject, uint64_t message,
    uint64_t *thread);
enum status thread_leave(struct apply *ap, const struct message *msg);

/* ---- keywords (keyword.c) ---- */

/* Bits of the names, in order; bits has KEYWORD_MAX + 1 members, *n: how many.  add: unknown
 * names get bits (written at once, so the verdict on all else has fallen), else UINT32_MAX.
 * A verdict other than ST_OK: nothing was changed. */
enum status keywords_bits(struct apply *ap, struct span names, bool add, unsigned *bits,
    size_t *n, enum status *verdict);
enum status keywords_load(struct state *s, struct acct *a);

/* ---- mailboxes (mailbox.c, path.c) ---- */

/* A path as it may be stored: limits, UTF-8, no empty part; INBOX in this spelling.  false:
 * none. */
bool path_clean(struct span path, struct buf *out);
struct path_at {
	uint64_t	id;		/* the mailbox, or 0 */
	uint64_t	above;		/* its parent, or the deepest superior that is there */
	struct span	rest;		/* of the path, below `above`; parts missing when id is 0 */
};
/* path is clean. */
enum status path_find(struct state *s, struct engine_txn *txn, uint64_t account,
    struct span path, struct path_at *at);
/* The same, of an operation that has not changed a thing so far: a mailbox used just before is not
 * looked for. */
enum status path_find_kept(struct apply *ap, struct span path, struct path_at *at);
unsigned path_parts(struct span path);
/* Room for `more` mailboxes? */
bool mailboxes_fit(const struct apply *ap, uint64_t more);
bool quota_fits(const struct apply *ap, uint64_t bytes, uint64_t messages);
/* Per cent of the tighter limit on mail that is used, at most 255; 0: no limit. */
uint8_t quota_used(const struct apply *ap);
/* Makes what path_find() found missing; at->id is 0. */
enum status mailbox_make(struct apply *ap, const struct path_at *at, uint8_t role,
    struct mbox **m);
enum status subscription_set(struct apply *ap, struct span clean_path, bool on);
/* Copies or moves members that are there into another mailbox; made: the new uids. */
enum status copy_rows(struct apply *ap, struct mbox *from, struct mbox *to,
    const struct uidset *uids, bool move, struct uidset *made);

/* ---- Sieve (script.c, sieve_key.c, queue.c) ---- */

/* Is it the active script whose text has this SHA-256?  All 0: is none active? */
enum status script_is_active(struct apply *ap, struct span sha256, bool *yes);
/* store_deliver_key...: ST_CONFLICT in the result when one is not as it says. */
enum status sieve_keys_judge(struct apply *ap, struct span keys);
/* Those that are to be remembered; at most `max` of the account (0: any number). */
enum status sieve_keys_remember(struct apply *ap, struct span keys, uint64_t max);
/* What the account has in the queue. */
enum status queue_count(struct apply *ap, uint64_t *n, uint64_t *bytes);
/* A new entry; the reference to its extent is the caller's to make. */
enum status queue_add(struct apply *ap, const struct store_queue_new *q,
    const struct op_append_item *it, uint64_t extent, uint64_t *id);
/* An entry goes, and its reference to the body. */
enum status queue_drop(struct apply *ap, uint64_t account, uint64_t id);
/* All of an account's that go out at most once. */
enum status queue_forget_once(struct apply *ap, uint64_t account);

/* ---- removing, and POP3 unique-ids (remove.c, uidl.c) ---- */

/* Takes the memberships of uids that are there away. */
enum status expunge_rows(struct apply *ap, struct mbox *m, const struct uidset *uids);
/* A membership goes: so does its unique-id; to: it came from there as `new_uid`. */
enum status uidl_drop(struct apply *ap, struct mbox *m, uint32_t uid);
enum status uidl_move(struct apply *ap, struct mbox *from, uint32_t uid, struct mbox *to,
    uint32_t new_uid);

/* ---- parts of a chain: STORE and EXPUNGE (flags_op.c) ---- */

/* It is the next one; which that is was judged when it was recalled. */
bool chain_part_fits(const struct apply *ap);
/* Room for the answer to all parts in what is remembered?  uids: of this part. */
bool chain_memo_fits(const struct apply *ap, const struct uidset *uids);
/* The uids named: decoded, and the highest one told. */
bool chain_named(struct apply *ap, struct span in, struct uidset *asked);
/* The answer of STORE: rows, and those that were refused, which are remembered for the parts to
 * come; the rows can be read again. */
void chain_answer(struct apply *ap, const struct buf *rows, const struct uidset *refused,
    struct span keywords);

/* ---- annotations of messages (annotation.c) ---- */

/* Of an append of `items` into a mailbox (0: one to be made): refuses. */
enum status annotations_judge(struct apply *ap, uint64_t mailbox, uint64_t items);
/* Takes those of the item from r, and gives them to its uid. */
enum status annotations_append(struct apply *ap, struct mbox *m, struct reader *r, uint32_t item,
    uint32_t uid);
/* To a new membership, with the rights of who asks in its mailbox. */
enum status annotations_copy(struct apply *ap, struct mbox *from, uint32_t uid, struct mbox *to,
    uint32_t made, uint32_t rights);
/* Refuses what would be too much, of so many copies of each. */
enum status annotations_judge_copy(struct apply *ap, struct mbox *from,
    const struct uidset *uids, uint32_t copies, uint32_t rights);
/* A membership goes, with this modseq; 0: nobody saw it, nothing is logged. */
enum status annotations_drop(struct apply *ap, struct mbox *m, uint32_t uid, uint64_t modseq);
/* History of them, as forget_changes() in changes.c. */
enum status annotations_forget(struct apply *ap, uint64_t mailbox, uint64_t modseq,
    uint32_t *left);
/* A row of annlog; *bytes: of the old value in it. */
bool annotation_old_good(struct span payload, uint64_t *bytes);

/* ---- annotations of mailboxes (metadata.c) ---- */

/* All of a mailbox: they go with it; or INBOX's are copied when it is renamed. */
enum status metadata_drop(struct apply *ap, uint64_t mailbox);
enum status metadata_copy(struct apply *ap, uint64_t from, uint64_t to);
bool metadata_name_valid(struct span name);
bool metadata_private(struct span name);
/* put_span() of the names of its entries. */
void metadata_names(const struct op_metadata *p, struct buf *out);

/* ---- what is kept for undelete (undelete.c) ---- */

/* A message's last membership went; it has one again, or goes for good. */
enum status undel_add(struct apply *ap, struct mbox *m, uint32_t uid, const struct rec_index *x,
    struct message *msg);
enum status undel_drop(struct apply *ap, struct message *msg);
/* A membership is there again, as its row (of a change, or of undel) has it, with the annotations
 * that went with it.  *made 0: its message is gone for good, or is in too many places. */
struct was {
	uint64_t	message, mailbox, modseq;	/* modseq: of the change that took it away */
	uint32_t	uid;
	struct flags	flags;
	bool		dated;
	int64_t		received_s;
	int16_t		received_zone;
};
enum status bring_back(struct apply *ap, struct mbox *to, const struct was *w, uint32_t *made);
/* Of a membership that went with this modseq: its annotations to another one. */
enum status annotations_back(struct apply *ap, uint64_t mailbox, uint64_t modseq, uint32_t uid,
    struct mbox *to, uint32_t made);
/* acl.c: a mailbox is there again. */
enum status acl_reindex(struct state *s, uint64_t account, uint64_t mailbox);
/* Where a mailbox is, or was; ST_NOT_FOUND: one of its superiors is forgotten. */
enum status path_of(struct apply *ap, uint64_t id, struct buf *path);
/* mailbox.c */
enum status has_children(struct apply *ap, uint64_t mailbox, bool *yes);
/* How many parts and bytes the longest path below a mailbox has. */
enum status mailbox_measure(struct apply *ap, uint64_t mailbox, unsigned above, unsigned *parts,
    size_t *bytes);
/* It goes, with what is in it; every verdict has fallen. */
enum status mailbox_end(struct apply *ap, struct mbox *m);
/* One subscription more: is there room? */
enum status subscription_fits(struct apply *ap, bool *fits);
/* *mailbox 0: none has it. */
enum status role_holder(struct apply *ap, uint8_t role, uint64_t *mailbox);
enum status role_taken(struct apply *ap, uint8_t role, bool *taken);
enum status make_superiors(struct apply *ap, const struct path_at *at, uint64_t *parent,
    struct span *name);

/* ---- access keys of mailboxes (urlkey.c) ---- */

/* Goes with the mailbox. */
enum status urlkey_drop(struct apply *ap, uint64_t mailbox);
/* What tells two keys apart without telling them.  ST_EXPIRED: there is none. */
enum status state_url_key_sum(struct state *s, uint64_t account, uint64_t mailbox,
    unsigned char out[32]);

/* ---- what is shared (acl.c, reader.c) ---- */

/* Asked by another than the owner. */
bool ap_foreign(const struct apply *ap);
/* The asker's rights in a mailbox; all for the owner. */
enum status ap_rights(struct apply *ap, uint64_t mailbox, uint32_t *rights);
/* Refuses who has not all rights of `need`: ST_NOT_FOUND where he may not look. */
enum status ap_need(struct apply *ap, uint64_t mailbox, uint32_t need);
/* Refuses who may not make what path_find() found missing. */
enum status ap_need_above(struct apply *ap, const struct path_at *at);
/* The flags that these rights let change; \Seen is apart, a reader's own. */
unsigned rights_flags(uint32_t rights);
enum status acl_inherit(struct apply *ap, uint64_t parent, uint64_t child);
/* A deleted mailbox is shared with nobody; its ACL goes with the tombstone. */
enum status acl_unindex(struct state *s, uint64_t account, uint64_t mailbox);
enum status acl_drop(struct state *s, uint64_t account, uint64_t mailbox);
/* The asker's mark of a message, and its modseq (0: none). */
enum status reader_get(struct apply *ap, uint64_t mailbox, uint32_t uid, bool *seen,
    uint64_t *modseq);
enum status reader_set(struct apply *ap, uint64_t mailbox, uint32_t uid, bool seen);
/* Something else of the message changed for him alone. */
enum status reader_touch(struct apply *ap, uint64_t mailbox, uint32_t uid);
enum status reader_flush(struct apply *ap);
/* The highest modseq of a row of rseen; false: it is damaged. */
bool reader_marks_highest(struct span payload, uint64_t *modseq);
/* His \Seen for the shared one, the higher of both modseqs. */
enum status reader_row(struct state *s, struct reader_view *v, struct store_row *row);
/* Up to OP_ROWS marks of a mailbox go.  *empty: none is left. */
enum status reader_purge(struct apply *ap, uint64_t mailbox, bool *empty);

/* ---- the tree of hashes of an account (hash.c) ---- */

/* Whose block is hashed, and which tables have anything to say about it. */
struct hash_what {
	uint64_t	account, mailbox;
	bool		uidls, annotations, staged;
};
struct digest;
/* Starts the root; *root is NULL unless ST_OK.  Fills w but for the mailbox. */
enum status hash_account_begin(struct state *s, uint64_t account, struct hash_what *w,
    struct digest **root);
/* What is not in the blocks of a mailbox; fills w.  ST_NOT_FOUND: it is deleted. */
enum status hash_head(struct state *s, uint64_t account, uint64_t id, struct hash_what *w,
    unsigned char out[32]);
/* The first block at or behind `from` that has members.  ST_NOT_FOUND: none. */
enum status hash_block(struct state *s, const struct hash_what *w, uint32_t from,
    uint32_t *block, unsigned char out[32]);
/* From the head to the mailbox, and from the mailboxes to the root; in order. */
struct digest *hash_mailbox_begin(const unsigned char head[32]);
void hash_mailbox_block(struct digest *d, uint32_t block, const unsigned char hash[32]);
void hash_account_mailbox(struct digest *root, uint64_t id, const unsigned char hash[32]);

/* ---- operations ---- */

enum status apply_account_create(struct apply *ap);
enum status apply_account_limits(struct apply *ap);
enum status apply_account_delete(struct apply *ap);
enum status apply_account_undelete(struct apply *ap);
enum status apply_account_purge(struct apply *ap);
enum status apply_incarnation(struct apply *ap);
enum status apply_incarnate(struct apply *ap);
enum status apply_relocate(struct apply *ap);
enum status apply_mailbox_create(struct apply *ap);
enum status apply_mailbox_delete(struct apply *ap);
enum status apply_mailbox_rename(struct apply *ap);
enum status apply_mailbox_purge(struct apply *ap);
enum status apply_subscribe(struct apply *ap);
enum status apply_recent(struct apply *ap);
enum status apply_append(struct apply *ap);
enum status apply_flags(struct apply *ap);
enum status apply_annotate(struct apply *ap);
enum status apply_expunge(struct apply *ap);
enum status apply_copy(struct apply *ap);
enum status apply_history_purge(struct apply *ap);
enum status apply_retention(struct apply *ap);
enum status apply_stage_copy(struct apply *ap);
enum status apply_stage_append(struct apply *ap);
enum status apply_stage_commit(struct apply *ap);
enum status apply_stage_end(struct apply *ap);
enum status apply_dir_write(struct apply *ap);
enum status apply_remove(struct apply *ap);
enum status apply_uidl_put(struct apply *ap);
enum status apply_push(struct apply *ap);
enum status apply_uidvalidity(struct apply *ap);
enum status apply_metadata(struct apply *ap);
enum status apply_metadata_noted(struct apply *ap);
enum status apply_acl_set(struct apply *ap);
enum status apply_url_key(struct apply *ap);
enum status apply_repair(struct apply *ap);
enum status apply_undelete(struct apply *ap);
enum status apply_restore(struct apply *ap);
enum status apply_mailbox_revive(struct apply *ap);
enum status apply_kept_purge(struct apply *ap);
enum status apply_email_set(struct apply *ap);
enum status apply_append_into(struct apply *ap);
enum status apply_mailbox_set(struct apply *ap);
enum status apply_blob_put(struct apply *ap);
enum status apply_blob_purge(struct apply *ap);
enum status apply_script_set(struct apply *ap);
enum status apply_deliver(struct apply *ap);
enum status apply_sieve_keys_purge(struct apply *ap);
enum status apply_queue(struct apply *ap);
/* once.c: has its own way to the records. */
enum status apply_once_purge(struct apply *ap);
/* *known: result was filled from memory. */
enum status once_recall(struct apply *ap, bool *known);
enum status once_remember(struct apply *ap);

#endif
