/* storage/state/op.h
 * Operations: what the journal holds and state_apply() executes.  Flat bytes with a
 * version; an operation carries all that its outcome depends on beside the state:
 * the time, the limits in force, who asked.  Encodings and apply functions are frozen
 * per version: a change of meaning takes a new version.
 *
 * Bodies are not inside: an append names how many pieces each body has, and the caller
 * passes their places (journal_loc) beside the operation, the same ones when it is
 * applied and when it is replayed. */
#ifndef STORAGE_STATE_OP_H
#define STORAGE_STATE_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mail/flags.h"
#include "common/mail/uidset.h"
#include "common/util/buf.h"
#include "common/util/span.h"
#include "storage/api/store_types.h"

#define OP_VERSION	1
#define OP_TICKET_LEN	16
#define OP_ROWS		1000u		/* uids that a flags, expunge or purge operation names */
#define OP_ROWS_WHOLE	20000u		/* messages that one append, copy or move may make;
					 * the service stages more than OP_ROWS of them */
#define OP_PIECES_MAX	8192u		/* body pieces of a message */

/* Numbers in the journal: never reused. */
enum op_kind {
	OP_ACCOUNT_CREATE = 1, OP_ACCOUNT_LIMITS = 2, OP_ACCOUNT_DELETE = 3,
	OP_ACCOUNT_UNDELETE = 4, OP_ACCOUNT_PURGE = 5,
	OP_MAILBOX_CREATE = 10, OP_MAILBOX_DELETE = 11, OP_MAILBOX_RENAME = 12,
	OP_SUBSCRIBE = 13, OP_MAILBOX_PURGE = 14, OP_RECENT = 15,
	OP_APPEND = 20, OP_FLAGS = 21, OP_EXPUNGE = 22, OP_COPY = 23,
	OP_ANNOTATE = 24, OP_APPEND_ANNOTATED = 25,
	OP_HISTORY_PURGE = 30, OP_ONCE_PURGE = 31, OP_INCARNATION = 32,
	OP_DIR_WRITE = 40,
	OP_ACL_SET = 50,
	OP_METADATA = 60,		/* of journals before NOTED, which takes a modseq and tells */
	OP_METADATA_NOTED = 61,
	OP_STAGE_COPY = 80, OP_STAGE_APPEND = 81, OP_STAGE_COMMIT = 82, OP_STAGE_END = 83,
	OP_STAGE_APPEND_ANNOTATED = 84,
	OP_REMOVE = 90, OP_UIDL_PUT = 91,
	OP_URL_KEY = 100,
	OP_REPAIR = 110,
	OP_UNDELETE = 120, OP_RESTORE = 121, OP_MAILBOX_REVIVE = 122, OP_KEPT_PURGE = 123,
	OP_INCARNATE = 130, OP_RELOCATE = 131,
	OP_APPEND_PLACED = 140, OP_UIDVALIDITY = 141,
	OP_RETENTION = 160,
	OP_EMAIL_SET = 190, OP_APPEND_INTO = 191, OP_MAILBOX_SET = 192,
	OP_BLOB_PUT = 193, OP_BLOB_PURGE = 194,
	OP_PUSH = 200,
	OP_SCRIPT_SET = 210, OP_DELIVER = 211, OP_SIEVE_KEYS_PURGE = 212, OP_QUEUE = 213,
	OP_DELIVER_OF = 214
};

struct op_head {
	uint64_t	account;	/* the one acted on; 0: none (dir write, once purge, incarnation) */
	uint64_t	who;		/* account that asked; 0: the service */
	int64_t		time_ms;	/* wall clock of the stamp */
	unsigned char	ticket[OP_TICKET_LEN];
	uint64_t	seq, acked;	/* 0: not remembered */
	uint32_t	part;		/* of a chain, from 1; 0: whole in itself */
	bool		last;		/* of its chain */
	/* Configured defaults, for an account without limits of its own; 0: none. */
	uint64_t	bytes_max, messages_max, mailboxes_max;
	/* With another account's `who`: the groups he is in, u64 big-endian each. */
	struct span	groups;
};

/* account create: the default mailboxes, in order; INBOX is made in any case.  ST_EXISTS. */
struct op_default_mailbox {
	struct span	path;
	uint8_t		role;
	bool		subscribed;
};
void put_op_default_mailbox(struct buf *b, const struct op_default_mailbox *m);
bool get_op_default_mailbox(struct reader *r, struct op_default_mailbox *m);

struct op_account_create { struct span mailboxes; };
/* 0: the configured default. */
struct op_account_limits { uint64_t bytes, messages, mailboxes; };

struct op_mailbox_create { struct span path; uint8_t role; };
struct op_mailbox_delete { struct span path; };
struct op_mailbox_rename { struct span from, to; };
struct op_subscribe { struct span path; bool on; };
/* Empties a deleted mailbox by OP_ROWS rows; see state_work(). */
struct op_mailbox_purge { uint64_t mailbox; };
/* Messages below `below` are recent for nobody any more. */
struct op_recent { uint64_t mailbox; uint32_t below; };

struct op_append_item {
	struct flags	flags;		/* keyword k: k-th name of the operation */
	int64_t		received_s;	/* INT64_MIN: the operation's time */
	int16_t		received_zone;
	uint64_t	size;		/* raw octets */
	struct span	sha256;		/* 32 bytes */
	struct span	list, structure, columns, thread_keys;
	uint64_t	subject_hash;
	uint64_t	stage;		/* the caller's word for where the body was staged; 0: inline */
	uint32_t	pieces;		/* 1..OP_PIECES_MAX */
	uint64_t	message, thread;	/* brought along from another account; 0: new ones */
};
void put_op_append_item(struct buf *b, const struct op_append_item *it);
bool get_op_append_item(struct reader *r, struct op_append_item *it);

/* path empty: INBOX. */
struct op_append {
	struct span	path;
	bool		make;
	struct span	keywords, items;
	uint64_t	replace_mailbox;	/* expunged with it; uid 0: nothing */
	uint32_t	replace_uid;
	/* Of the annotated kinds alone: store_annotation..., uid: which item, from 1, rising.
	 * carried: from another account; what the rights here do not allow is left out. */
	struct span	annotations;
	bool		carried;
	/* Of append-placed alone, see store_place: uids (uidset_encode()) of the items, in order. */
	struct span	uids;
	uint64_t	modseq;
	/* Of append-into alone, see store_append. */
	struct span	into;
	uint64_t	if_email;
};
/* Those of store_email_set that a part is about; part 1, or the whole, is judged by if_email. */
struct op_email_set {
	uint64_t	if_email;
	struct span	keywords, items;
};
/* See store_mailbox_set. */
struct op_mailbox_set {
	uint64_t	if_mailbox, mailbox, parent;
	uint8_t		how, fields, role;
	struct span	name;
	uint32_t	order;
	bool		subscribed, remove_emails;
};
/* See store_uidvalidity. */
struct op_uidvalidity { uint64_t mailbox, if_modseq; uint32_t uidvalidity, uidnext; };
/* uids: uidset_encode(); at most OP_ROWS of them may exist. */
struct op_flags {
	uint64_t	mailbox;
	struct span	uids;
	uint8_t		how, system;
	struct span	keywords;	/* store_keyword... */
	uint64_t	unchanged_since;
};
/* The same entries for each message; at most OP_ROWS of uids may exist. */
struct op_annotate {
	uint64_t	mailbox;
	struct span	uids, entries;		/* store_annotation... with uid 0 */
	uint64_t	unchanged_since;
};
struct op_expunge { uint64_t mailbox; struct span uids; };
struct op_copy { uint64_t mailbox; struct span uids; struct span to; bool move; };
/* stage copy, stage append: the same fields; head.part counts the parts of one request. */
/* See store_proto.h; at most STORE_REMOVE_MAX messages may exist. */
struct op_remove {
	uint8_t		how, system;
	struct span	keywords;	/* store_keyword... */
	struct span	to;		/* of a move */
	struct span	what;		/* store_uids... */
};
struct op_uidl_put { uint64_t mailbox; struct span list; };	/* store_uidl... */
/* Annotations; mailbox 0: of the account.  who: whose private ones. */
struct op_metadata { uint64_t mailbox; struct span entries; };	/* store_metadata... */
/* Forgets history older than before_ms, and what only it kept; at most `rows` rows. */
struct op_history_purge { int64_t before_ms; uint32_t rows; };
/* Forgets outcomes last touched before before_ms, of tickets from `from` on. */
struct op_once_purge { int64_t before_ms; unsigned char from[OP_TICKET_LEN]; uint32_t rows; };
struct op_acl_set {
	struct span	path;
	uint8_t		kind;		/* enum acl_kind */
	uint64_t	id;
	bool		negative;
	uint8_t		how;		/* ACL_... */
	uint32_t	rights;
};
struct op_dir_write { struct span steps; };	/* store_dir_step... */
/* A mailbox access key (RFC 4467) for who has none; reset: in any case.  path empty: all keys of
 * the account are void.  key: random, from the service. */
struct op_url_key { struct span path; bool reset; struct span key; };
/* Rows of the applied state as they have to be; see fsck.h.  At most OP_ROWS. */
enum repair_how { REPAIR_PUT = 1, REPAIR_DELETE = 2, REPAIR_QUARANTINE = 3 };
struct op_repair_row {
	uint8_t		how;
	struct span	table, key;	/* its name */
	struct span	value;		/* of a put: version, payload, CRC */
	uint32_t	crc;		/* of the others: CRC-32C of the value; another one stays */
	struct span	why;
};
void put_op_repair_row(struct buf *b, const struct op_repair_row *r);
bool get_op_repair_row(struct reader *r, struct op_repair_row *row);
struct op_repair { struct span rows; };
/* Brings messages back that nobody has any more: those of numbers in what was deleted from a
 * mailbox (mailbox, and uids: their numbers in undel), or by id (ids: u64 each).  At most
 * OP_ROWS.  to: a path, made when it is missing and `make`; empty, of ids alone: each into the
 * mailbox it was in last, or one of that name. */
struct op_undelete {
	uint64_t	mailbox;
	struct span	uids, ids, to;
	bool		make;
};
/* What was then, step by step; at most OP_ROWS.  What is not as the step says any more is passed
 * over.  exact: a step may take a message's last membership away. */
enum restore_kind { RESTORE_ADD = 1, RESTORE_FLAGS = 2, RESTORE_REMOVE = 3 };
struct op_restore_step {
	uint8_t		kind;
	uint64_t	mailbox;	/* where */
	/* add, flags: the change row that has how it was. */
	uint64_t	log_mailbox, log_modseq;
	uint32_t	log_uid;
	/* flags, remove: of this uid, while it has this modseq. */
	uint32_t	uid;
	uint64_t	modseq;
};
void put_op_restore_step(struct buf *b, const struct op_restore_step *s);
bool get_op_restore_step(struct reader *r, struct op_restore_step *s);
struct op_restore { struct span steps; bool exact; };
/* A deleted mailbox is there again, empty, as `path`.  ST_EXISTS; ST_UNAVAILABLE: it is still
 * being emptied. */
struct op_mailbox_revive { uint64_t mailbox; struct span path; };
/* Gives up what is kept for undelete alone, the oldest first: what went before before_ms, and
 * more until at most `bytes` are left; at most `rows` messages. */
struct op_kept_purge { uint64_t bytes; int64_t before_ms; uint32_t rows; };
/* Ends what an account has under way: rows of a copy or an append that was not committed
 * go, and the old places of a committed move; at most `rows` of them. */
struct op_stage_end { uint32_t rows; };

/* The shard begins anew, in parts: accounts above `after`; the first part has 0. */
struct op_incarnate { uint64_t after; };
/* Pieces of bodies that were written again, in the order of the places that come beside the
 * operation; who does not lie where the list says any more stays as he is. */
#define OP_MOVES_MAX 1000u
struct op_move {
	uint64_t	extent;
	uint32_t	index;			/* of the piece */
	uint32_t	segment, offset, length;	/* the old place */
};
void put_op_move(struct buf *b, const struct op_move *m);
bool get_op_move(struct reader *r, struct op_move *m);
struct op_relocate { struct span moves; };	/* op_move... */
/* Takes away messages that came into the mailbox before before_s (SAVEDATE), of the uids named; at
 * most OP_ROWS of those may exist.  role: not 0: ST_CONFLICT unless the mailbox has it. */
struct op_retention { uint64_t mailbox; int64_t before_s; uint8_t role; struct span uids; };

/* A subscription of push; see store_push_set.  push: put_store_push(); of an update what is named by
 * `what`.  most: of the account. */
struct op_push { uint8_t how; uint64_t id; uint8_t what; uint32_t most; struct span push; };
/* An upload.  At most count_max and bytes_max (0: no limit) of the account; to make room the
 * oldest go, but those younger than hold_ms. */
struct op_blob_put {
	uint64_t	size;		/* raw octets */
	struct span	sha256;
	uint32_t	pieces;		/* 1..OP_PIECES_MAX */
	uint64_t	bytes_max;
	uint32_t	count_max;
	int64_t		life_ms, hold_ms;
};
/* Uploads whose time is over go; at most `rows`. */
struct op_blob_purge { uint32_t rows; };

/* See store_script_set.  The three limits: scripts of the account, bytes of one, of all; 0: no other
 * than the store's own. */
struct op_script_set {
	uint8_t		how;
	struct span	name, to, text;
	bool		activate;
	uint64_t	if_state;
	uint64_t	count_max, size_max, bytes_max;
};
/* See store_deliver.  bodies: op_append_item...; the others as they came.  keys_max: kept of the
 * account, the oldest go; queue_max, queue_bytes: entries that it may have, and octets in them.
 * Of deliver-of alone: the message that is body 0, and what becomes of its flags there. */
struct op_deliver {
	struct span	keywords, bodies, places, keys, queue;
	uint64_t	keys_max, queue_max, queue_bytes;
	uint64_t	of_mailbox;
	uint32_t	of_uid;
	struct flags	flags_add, flags_remove;
};
/* Keys whose time is over go; at most `rows`. */
struct op_sieve_keys_purge { uint32_t rows; };
/* See enum queue_how and queue.h. */
struct op_queue {
	uint8_t		how;
	uint64_t	id;
	uint32_t	attempt;	/* not of take */
	int64_t		next_ms;	/* of later */
	struct span	rcpts;		/* of later: store_queue_rcpt... who are left; empty: as it was */
	struct span	answer;		/* of later, and for the log of the others */
};

struct op {
	enum op_kind	kind;
	struct op_head	head;
	union {
		struct op_account_create	account_create;
		struct op_account_limits	account_limits;
		struct op_mailbox_create	mailbox_create;
		struct op_mailbox_delete	mailbox_delete;
		struct op_mailbox_rename	mailbox_rename;
		struct op_subscribe		subscribe;
		struct op_mailbox_purge		mailbox_purge;
		struct op_recent		recent;
		struct op_append		append;
		struct op_flags			flags;
		struct op_annotate		annotate;
		struct op_expunge		expunge;
		struct op_copy			copy;
		struct op_history_purge		history_purge;
		struct op_once_purge		once_purge;
		struct op_dir_write		dir_write;
		struct op_remove		remove;
		struct op_uidl_put		uidl_put;
		struct op_metadata	metadata;
		struct op_stage_end		stage_end;
		struct op_acl_set		acl_set;
		struct op_url_key		url_key;
		struct op_repair		repair;
		struct op_incarnate		incarnate;
		struct op_relocate		relocate;
		struct op_retention		retention;
		struct op_uidvalidity		uidvalidity;
		struct op_undelete		undelete;
		struct op_restore		restore;
		struct op_mailbox_revive	mailbox_revive;
		struct op_kept_purge		kept_purge;
		struct op_email_set		email_set;
		struct op_mailbox_set		mailbox_set;
		struct op_push			push;
		struct op_blob_put		blob_put;
		struct op_blob_purge		blob_purge;
		struct op_script_set		script_set;
		struct op_deliver		deliver;
		struct op_sieve_keys_purge	sieve_keys_purge;
		struct op_queue			queue;
	} u;
};

void op_encode(const struct op *op, struct buf *out);
/* false: malformed, or of a version or kind not known here.  Spans are borrowed.  Nested
 * lists are judged when they are read: a bad one makes state_apply() refuse with ST_SYNTAX. */
bool op_decode(struct op *op, struct span bytes);
/* Body pieces of an append in all its items, or those that are moved; 0 for every other operation; false: malformed. */
bool op_pieces(const struct op *op, uint64_t *pieces);
const char *op_kind_name(enum op_kind kind);

#endif
