/* storage/state/state.h
 * The applied state of a shard: operations in, records changed, questions answered.
 * No sockets, no journal I/O, no clock, no configuration: what an operation comes to
 * depends on its bytes and the records alone, so a replay comes to the same.
 *
 * One thread applies:
 *
 *	state_begin(s);
 *	state_apply(s, op, locs, n, &result);	... every operation of a tick
 *	state_commit(s, &pos);			pos: of the tick's last record
 *	(answer from the results, tell who watches)
 *
 * A refused operation (result.status) changes nothing but its once record: the verdict
 * falls before the first write.  The return value of state_apply() is another thing: not
 * ST_OK means that the engine or a record failed (ST_CORRUPT, ST_NO_SPACE, ST_UNAVAILABLE):
 * state_abort(), nothing of the transaction happened.
 *
 * Questions (state_...() below "Reading") see what is committed and may come from any
 * thread, but not from the applying one between state_begin() and its end.
 * They return ST_NOT_FOUND for an account or mailbox that is not there or is deleted.
 *
 * Quota counts each membership (a message copied into a second mailbox counts again), as
 * IMAP's users expect of RFC 9208; a mailbox that is being deleted counts no more. */
#ifndef STORAGE_STATE_STATE_H
#define STORAGE_STATE_STATE_H

#include "storage/api/store_proto.h"
#include "storage/engine/engine.h"
#include "storage/journal/journal.h"
#include "storage/state/op.h"

struct state;

/* For engine_opts.tables. */
extern const char *const state_tables[];
extern const size_t state_n_tables;
extern const uint32_t state_page_bytes[];

/* The engine stays the caller's.  An empty engine becomes shard `shard`; another one must
 * be it (ST_CONFLICT).  ST_UNSUPPORTED: a newer program wrote it.  *s is NULL unless ST_OK. */
enum status state_open(struct engine *e, uint16_t shard, struct state **s);
void state_close(struct state **s);
/* Which shard an engine's tables hold; ST_NOT_FOUND: none yet. */
enum status state_shard(struct engine *e, uint16_t *shard);
/* Where the applied state stands; zeroed when nothing was applied. */
void state_position(const struct state *s, struct journal_pos *pos);
/* The time of the last operation: the next is not stamped earlier, see service_stamp(). */
int64_t state_stamp(const struct state *s);
uint64_t state_incarnation(const struct state *s);
/* The last record found damaged, by table and key; empty: none.  out is appended to. */
void state_damage(struct state *s, struct buf *out);

/* ---- applying ---- */

#define STATE_TOUCHED_MAX 4

struct state_result {			/* zeroed before the first use; reused then */
	enum status	status;		/* the verdict */
	bool		repeated;	/* remembered from an earlier run of the same seq */
	bool		more;		/* of a purge: not finished, or rows left */
	uint16_t	reply_no;	/* STORE_...: message of `reply`; 0: status alone */
	struct buf	reply;		/* its body as ipc_encode() makes it */
	/* The facts that a journal's outcome record compares, and notes tell.  0: none. */
	uint64_t	modseq;		/* of the account (dir write: of the directory) after it */
	uint64_t	email_modseq, mailbox_modseq, thread_modseq;	/* the types' states */
	uint64_t	script_modseq;
	bool		changed;	/* something that watchers of the account care for */
	/* Of the account's tightest limit on mail, per cent used before and after it. */
	uint8_t		used_before, used_after;
	uint64_t	mailbox;	/* created, appended to, changed or copied into */
	uint32_t	uid;		/* first one given out; flags, expunge: the highest one named,
					 * so that a repeated chain goes on behind it */
	size_t		n_touched;	/* mailboxes whose messages changed */
	uint64_t	touched[STATE_TOUCHED_MAX];
	bool		own_only;	/* it changed for who asked alone: his \Seen */
	struct buf	keys;		/* dir write: keys changed, put_span each */
	/* append: u64 id of each item's message, in order; deliver: of each body's, 0: it has none */
	struct buf	messages;
	unsigned char	next[OP_TICKET_LEN];	/* once purge, with more: go on from here */
};
void state_result_fini(struct state_result *r);

enum status state_begin(struct state *s);
/* op: decoded.  locs: places of the body pieces of an append, in order (op_pieces() of
 * them); a piece that is shorter than its record is allowed.  result is cleared first. */
enum status state_apply(struct state *s, const struct op *op,
    const struct journal_loc *locs, size_t n_locs, struct state_result *result);
/* Both end the transaction, whatever they return. */
enum status state_commit(struct state *s, const struct journal_pos *pos);
void state_abort(struct state *s);

/* ---- Reading: accounts ---- */

struct state_account {
	uint64_t	id, modseq, incarnation;
	uint64_t	bytes, messages, mailboxes;			/* used */
	uint64_t	bytes_limit, messages_limit, mailboxes_limit;	/* own; 0: default */
	uint64_t	kept_bytes;	/* of messages kept for undelete alone */
	uint64_t	horizon;	/* changes up to this modseq are forgotten */
	uint64_t	sieve_keys;	/* that are remembered */
	int64_t		created_ms, deleted_ms;
	bool		purged;
};
/* Deleted ones are found too (deleted_ms). */
enum status state_account(struct state *s, uint64_t account, struct state_account *a);
/* The first account with an id above `after`; ST_NOT_FOUND: no more. */
enum status state_account_next(struct state *s, uint64_t after, struct state_account *a);
/* Everything that lies in the shard, counted row by row: any thread, for as long as that takes.
 * stop: asked now and then; true: ST_CANCELLED.  Tables in the order of state_tables. */
struct state_stock {
	uint64_t	messages, mail_bytes;		/* raw octets, once for each message */
	uint64_t	body_bytes;			/* of these, as they are stored */
	uint64_t	retained_messages, retained_mail_bytes;	/* for undelete alone */
	uint64_t	retained_body_bytes;
	size_t		n_tables;
	struct {
		uint64_t	rows, bytes;		/* of keys and values */
	} table[64];
};
enum status state_stock(struct state *s, bool (*stop)(void *arg), void *arg,
    struct state_stock *st);
/* Puts what is kept of messages in mailboxes that grew together (cold.h), in transactions of their own, until
 * about `bytes` of it are done.  By the thread that applies, outside of its transactions.
 * at: zeroed to begin.  *more false: all is done. */
struct state_packing { uint64_t account, mailbox, blocks; };
enum status state_pack(struct state *s, struct state_packing *at, size_t bytes, bool *more);
/* head: limits in force for accounts without their own. */
enum status state_quota(struct state *s, uint64_t account, const struct op_head *head,
    struct store_quota_is *q);
/* put_store_keyword() of the names from bit `from` on. */
enum status state_keywords(struct state *s, uint64_t account, unsigned from, struct buf *out);

/* ---- Reading: mailboxes ---- */

/* Appends put_store_mailbox() lines sorted by path, at most `budget` bytes but one line.
 * path not empty: that one alone (ST_OK and nothing when it is not there).  *resume: index
 * of the line to begin with; UINT32_MAX afterwards: no more. */
enum status state_mailboxes(struct state *s, uint64_t account, struct span path,
    size_t budget, uint32_t *resume, struct buf *out);
enum status state_find_mailbox(struct state *s, uint64_t account, struct span path,
    uint64_t *mailbox);
/* The uids of a mailbox as they were once; zeroed: not known.  What changed since is read, not
 * all of them. */
struct state_known {
	uint64_t	mailbox, modseq;
	uint32_t	uidvalidity, uidnext, unseen_first;
	struct uidset	uids;
};
void state_known_fini(struct state_known *k);
/* Fills o but for rights; o->uids and o->keywords point into the two buffers.  Brings k up to
 * date; on an error it is as if zeroed. */
enum status state_open_mailbox(struct state *s, uint64_t account, uint64_t mailbox,
    struct state_known *k, struct store_opened *o, struct buf *uids, struct buf *keywords);
/* Uids of a mailbox, those alone that have the flags asked for. */
enum state_which { STATE_ALL, STATE_UNSEEN, STATE_DELETED };
enum status state_uids(struct state *s, uint64_t account, uint64_t mailbox,
    enum state_which which, struct uidset *out);
/* All three at once, by enum state_which. */
enum status state_marks(struct state *s, uint64_t account, uint64_t mailbox,
    struct uidset sets[STATE_DELETED + 1]);
/* The lowest `max` members of `among` (NULL: any) that are there.  For cutting STORE and
 * EXPUNGE into operations: next time ask for those above the highest one. */
enum status state_first_uids(struct state *s, uint64_t account, uint64_t mailbox,
    enum state_which which, const struct uidset *among, uint32_t max, struct uidset *out);

/* ---- Reading: messages ---- */

/* Each appends entries for members of uids that are there, in rising order, at most `budget`
 * bytes but one entry.  *resume_uid: where to begin (0: at the start); 0 afterwards: done. */
enum status state_rows(struct state *s, uint64_t account, uint64_t mailbox,
    const struct uidset *uids, unsigned fields, size_t budget, uint32_t *resume_uid,
    struct buf *out);
enum status state_caches(struct state *s, uint64_t account, uint64_t mailbox,
    const struct uidset *uids, unsigned want, size_t budget, uint32_t *resume_uid,
    struct buf *out);
/* Rows with columns (store_proto.h: columns) of the members of uids that are there, in rising
 * order; uids stays the caller's and as it is until the walk is closed.  reader: 0, or who it
 * is that reads another's mail, see state_reader_rows(). */
struct state_columns;
enum status state_columns_open(struct state *s, uint64_t account, uint64_t mailbox,
    const struct uidset *uids, uint32_t want, uint8_t version, unsigned fields,
    uint64_t reader, struct state_columns **c);
/* Appends the next ones, at most `budget` bytes, but one row when `first`.  *resume_uid: the next
 * one to come; 0: none. */
enum status state_columns_next(struct state_columns *c, size_t budget, bool first,
    struct buf *out, uint32_t *resume_uid);
void state_columns_close(struct state_columns **c);
/* Where the bodies of the members of uids lie that are there, in rising order from `from` on.
 * uids stays the caller's and as it is until the walk is closed. */
struct state_body {
	uint32_t	uid;
	uint64_t	stored_size;
	size_t		n_locs;
};
struct state_bodies;
enum status state_bodies_open(struct state *s, uint64_t account, uint64_t mailbox,
    const struct uidset *uids, uint32_t from, struct state_bodies **b);
/* locs: array of struct journal_loc in the buffer, replaced.  ST_NOT_FOUND: none left. */
enum status state_bodies_next(struct state_bodies *b, struct state_body *body,
    struct buf *locs);
void state_bodies_close(struct state_bodies **b);

/* ST_OK: the account has this message, be it kept for undelete alone; ST_NOT_FOUND. */
enum status state_message_there(struct state *s, uint64_t account, uint64_t message);

/* What happened in a mailbox after `since`.  At most about `rows` change rows are read, but
 * always whole operations: everything up to highestmodseq is told; more: ask again with
 * since = highestmodseq.  changed: new or changed messages that are there now; vanished: gone
 * ones.  full: since lies before the horizon: changed is every message, vanished is empty
 * (what is not in changed is gone), one answer tells all. */
struct state_changes {			/* zeroed before the first use */
	uint64_t	highestmodseq;
	uint32_t	uidnext, recent_from;
	uint64_t	urls_told;	/* 0: state_url_reset() has nothing to say */
	bool		full, gone, more;
	struct uidset	changed, vanished;
};
void state_changes_fini(struct state_changes *c);
/* Recent messages are those from recent_from on.  Who claims them makes them recent for nobody
 * else: at once, for all that is read here, and in the record when OP_RECENT was applied.
 * state_recent: the first that is recent, of what the record says. */
uint32_t state_recent(struct state *s, uint64_t mailbox, uint32_t from);
void state_recent_claim(struct state *s, uint64_t mailbox, uint32_t below);
void state_recent_kept(struct state *s, uint64_t mailbox, uint32_t below);
enum status state_changes(struct state *s, uint64_t account, uint64_t mailbox, uint64_t since,
    uint32_t rows, struct state_changes *c);

/* put_store_metadata() of the entries that rq asks for and `reader` may see, at most `budget`
 * bytes but one entry.  *resume: rq->from of the rest; 0: no more. */
enum status state_metadata(struct state *s, uint64_t account, uint64_t reader,
    const struct store_metadata_get *rq, size_t budget, uint32_t *resume, struct buf *out);

/* A part of the annotations of messages: put_store_annotation() of those that the patterns name,
 * by uid, the shared ones first.  resume: where to go on; empty: at the start, and when all
 * was told.  last_uid: of the last one told; next_uid: of the one that comes next, 0: none. */
struct state_annotations {
	uint64_t		mailbox, reader;
	const struct uidset	*uids;
	struct span		patterns;	/* put_span... */
	unsigned		which;		/* ANNOTATIONS_... */
	uint32_t		max_size;	/* longer values are not given */
	size_t			part_bytes;
	struct buf		*resume;
	uint32_t		last_uid, next_uid;
};
enum status state_annotations(struct state *s, uint64_t account, struct state_annotations *q,
    struct buf *out);
/* put_store_annotated() of what changed of uids since rq->since, in the order it did, in parts as
 * above. */
enum status state_annotated(struct state *s, uint64_t account, uint64_t reader,
    const struct store_annotated_get *rq, const struct uidset *uids, size_t budget,
    struct buf *resume, struct buf *out);

/* What changed in an account after `since`: *list has put_store_mailbox(), with the name for the path, of the mailboxes
 * whose messages did.  all: mailboxes came, went or were renamed or subscribed, or too much
 * happened to tell it so (at most about `rows` rows are read): ask for the list.
 * noted: put_span() of the path of each mailbox whose annotations changed (empty: the account's
 * own), then put_span() of put_span() of their names, without private ones of others; not_noted:
 * there may be more that nobody knows any more. */
struct state_touched {
	uint64_t	modseq;
	bool		all, not_noted;
	struct buf	list, noted;
};
void state_touched_fini(struct state_touched *t);
enum status state_touched(struct state *s, uint64_t account, uint64_t since, uint32_t rows,
    struct state_touched *t);

/* put_store_uidl() of a mailbox's messages that have one, by uid; as state_rows(), and at
 * most `limit`. */
enum status state_uidls(struct state *s, uint64_t account, uint64_t mailbox, uint32_t limit,
    size_t budget, uint32_t *resume_uid, struct buf *out);

/* put_store_sum() of a mailbox's messages, by uid; as state_rows(). */
enum status state_sums(struct state *s, uint64_t account, uint64_t mailbox,
    const struct uidset *uids, size_t budget, uint32_t *resume_uid, struct buf *out);

/* ---- Reading: URLs that authorize (RFC 4467) ---- */

/* Appends the token of a rump URL of this account's.  who: the account that "user+NAME" in it
 * means.  ST_SYNTAX: it is none; ST_NOT_FOUND: no such mailbox; ST_EXPIRED: that has no key,
 * OP_URL_KEY makes one. */
enum status state_url_sign(struct state *s, uint64_t account, struct span rump, uint64_t who,
    struct buf *token);
/* Who comes with a URL, and when. */
struct state_url_asker {
	uint64_t	account;
	bool		submits;	/* a message submission entity */
	int64_t		now_s;
};
struct state_url { uint64_t mailbox; uint32_t uid; };
/* The one message that a URL with its token lets be read; whether it is there is another
 * thing.  ST_NOT_FOUND: whatever may be wrong. */
enum status state_url_judge(struct state *s, uint64_t account, struct span url,
    const struct state_url_asker *by, struct state_url *out);
/* The modseq of the RESETKEY that made earlier URLs of the mailbox void last; 0: none did. */
enum status state_url_reset(struct state *s, uint64_t account, uint64_t mailbox,
    uint64_t *modseq);

/* ---- Reading: what is shared ---- */

/* Who asks: an account, and the groups it is in (u64 big-endian each). */
struct state_asker {
	uint64_t	account;
	struct span	groups;
};
/* The asker's rights in a mailbox of the owner; none in one that is not there. */
enum status state_rights(struct state *s, uint64_t owner, uint64_t mailbox,
    const struct state_asker *by, uint32_t *rights);
/* ST_OK; ST_DENIED; ST_NOT_FOUND: he may not even know that it is there. */
enum status state_verdict(uint32_t rights, uint32_t need);
/* put_store_acl() of a mailbox. */
enum status state_acl(struct state *s, uint64_t owner, uint64_t mailbox, struct buf *out);
/* *yes: the asker has one of the rights `any` in some mailbox of the owner. */
enum status state_shares(struct state *s, uint64_t owner, const struct state_asker *by,
    uint32_t any, bool *yes);
/* Appends u64 of owners above *after with a mailbox that the asker may look up, after looking
 * at no more than `max` of them; *after: go on from there, 0: no more. */
enum status state_shared(struct state *s, const struct state_asker *by, uint64_t *after,
    size_t max, struct buf *out);
/* What the readings above say of the owner's mail, as a reader sees it: his \Seen for the
 * shared one, the higher of both modseqs.  rows: of state_rows(), with ROW_FLAGS among the
 * fields, put anew into out.  changes: since as it was asked for. */
enum status state_reader_rows(struct state *s, uint64_t account, uint64_t mailbox,
    uint64_t reader, unsigned fields, struct span rows, struct buf *out);
enum status state_reader_changes(struct state *s, uint64_t account, uint64_t mailbox,
    uint64_t reader, uint64_t since, struct state_changes *c);
enum status state_reader_open(struct state *s, uint64_t account, uint64_t reader,
    struct store_opened *o);
/* put_store_mailbox() of those he may look up, with his rights; hidden superiors of them have
 * id 0.  Whole, in one answer; only: not empty: that one. */
enum status state_reader_list(struct state *s, uint64_t account, const struct state_asker *by,
    struct span only, struct buf *out);

/* ---- Reading: the rest ---- */

/* store_dir_records: put_store_dir_record() of keys from..to (see store_proto.h); *modseq: of
 * the directory. */
enum status state_dir_read(struct state *s, struct span from, struct span to, uint32_t limit,
    struct buf *out, uint64_t *modseq);

/* Unfinished work that the service goes on with by operations of its own (at start, and when a
 * result said more): deleted mailboxes that hold rows.  ST_NOT_FOUND: none above. */
struct state_work { uint64_t account, mailbox; };
enum status state_work_next(struct state *s, const struct state_work *after,
    struct state_work *w);
/* The first account above `after` that has rows staged; OP_STAGE_END ends it.  ST_NOT_FOUND. */
enum status state_stage_next(struct state *s, uint64_t after, uint64_t *account);
/* What is remembered of (ticket, seq); *part: of a chain, the last one that was applied, with
 * r->more when others follow.  ST_NOT_FOUND: nothing. */
enum status state_remembered(struct state *s, const unsigned char ticket[OP_TICKET_LEN],
    uint64_t seq, struct state_result *r, uint32_t *part);
/* The oldest history of an account; ST_NOT_FOUND: it has none. */
enum status state_history_oldest(struct state *s, uint64_t account, int64_t *time_ms);

/* Called now and then by what takes long: true ends it with ST_CANCELLED. */
typedef bool (*state_stop_fn)(void *arg);
/* Reads every row there is and checks it against its CRC; *rows (may be NULL): how many. */
enum status state_read_all(struct state *s, state_stop_fn stop, void *arg, uint64_t *rows);
/* Every piece of a body that an extent refers to, those kept for undelete among them.  Any other
 * value than ST_OK ends the walk and is returned by it.  What goes or comes meanwhile may be
 * told or not; what is there all the time is told. */
typedef enum status (*state_piece_fn)(void *arg, uint64_t extent, uint32_t index,
    const struct journal_loc *loc);
enum status state_pieces(struct state *s, state_piece_fn fn, void *arg);

/* SHA-256 over the listed logical fields of an account (doc: hash.c): equal when the mail is
 * equal, wherever it lies. */
enum status state_hash(struct state *s, uint64_t account, unsigned char out[32]);
/* Walks everything, recounts; appends a line for each thing wrong.  *wrong: how many. */
enum status state_check(struct state *s, struct buf *report, uint64_t *wrong);

#endif
