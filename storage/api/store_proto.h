/* storage/api/store_proto.h
 * What a worker can ask the store service (storage/service), over common/ipc.
 *
 * A socket has roles, told to stored by the master.  A worker opens a channel per
 * login with `attach`, showing the login's ticket (common/auth/ticket.h); every
 * other request rides on an attached channel.  The account acted on belongs to the
 * channel and is never a field of another request: the ticket's own, or, for role
 * access, the `owner` that attach names: then the ACLs of his mailboxes judge every
 * single request by who holds the ticket, and what he may not look up answers as
 * what is not there.  A channel number is chosen by the worker, not 0, and free
 * again after `detach` was answered.
 *
 * Order: replies on one channel show all earlier changes of the same channel.
 * A change is answered when it is on disk and applied.  Reads see applied state.
 *
 * Changes carry `seq`: rising per ticket, 0 for none.  stored remembers the outcome
 * of (ticket id, seq) in the transaction that applied it; the same seq again, also
 * after a restart, gets the remembered answer and changes nothing.  `acked`: all
 * seq up to it were answered and may be forgotten.
 *
 * Long answers come in parts (ipc_head.more).  Requests are cut to bounded work by
 * the store: where an answer says `resume`, ask again from there.
 *
 * Status of refusals: ST_DENIED role, right, or ticket; ST_NOT_FOUND; ST_EXISTS;
 * ST_OVER_QUOTA; ST_LIMIT; ST_CONFLICT; ST_NO_SPACE; ST_EXPIRED (attach again with a
 * renewed ticket); ST_UNAVAILABLE. */
#ifndef STORAGE_API_STORE_PROTO_H
#define STORAGE_API_STORE_PROTO_H

#include "common/ipc/message.h"
#include "storage/api/store_email.h"
#include "storage/api/store_push.h"
#include "storage/api/store_sieve.h"
#include "storage/api/store_types.h"

#define STORE_PROTO_MAJOR 1	/* differs: the peers part */
#define STORE_PROTO_MINOR 2	/* +1 for a new message, or a field added last */

/* Roles of a socket, as bits. */
enum {
	STORE_ROLE_ACCESS = 1, STORE_ROLE_DELIVER = 2, STORE_ROLE_DIRECTORY = 4,
	STORE_ROLE_ADMIN = 8
};

enum store_no {
	STORE_ATTACH = 1, STORE_ATTACHED = 2, STORE_DETACH = 3, STORE_REVOKED = 4,
	STORE_RENEW = 5,
	STORE_LIST = 10, STORE_MAILBOXES = 11,
	STORE_CREATE = 12, STORE_CREATED = 13, STORE_DELETE = 14, STORE_RENAME = 15,
	STORE_SUBSCRIBE = 16,
	STORE_OPEN = 20, STORE_OPENED = 21,
	STORE_ROWS = 22, STORE_ROWS_ARE = 23,
	STORE_CACHE = 24, STORE_CACHE_IS = 25,
	STORE_BODY = 26, STORE_BODY_IS = 27,
	STORE_CHANGES = 28, STORE_CHANGES_ARE = 29,
	STORE_WATCH = 30, STORE_DIRTY = 31,
	STORE_STAGE = 40, STORE_STAGE_DROP = 41,
	STORE_APPEND = 42, STORE_APPENDED = 43,
	STORE_FLAGS = 44, STORE_FLAGS_ARE = 45,
	STORE_EXPUNGE = 46, STORE_EXPUNGED = 47,
	STORE_COPY = 48, STORE_COPIED = 49,
	STORE_QUOTA = 50, STORE_QUOTA_IS = 51,
	STORE_DIR_READ = 60, STORE_DIR_RECORDS = 61, STORE_DIR_WRITE = 62,
	STORE_DIR_WRITTEN = 63, STORE_DIR_WATCH = 64, STORE_DIR_DIRTY = 65,
	STORE_STATS = 70, STORE_STATS_ARE = 71,
	STORE_ACCOUNT_DELETE = 72, STORE_ACCOUNT_UNDELETE = 73, STORE_ACCOUNT_LIMITS = 74,
	STORE_ACL = 80, STORE_ACL_IS = 81, STORE_ACL_SET = 82,
	STORE_SHARED = 83, STORE_SHARED_ARE = 84,
	STORE_COLUMNS = 120, STORE_COLUMNS_ARE = 121,
	STORE_MARKS = 122, STORE_MARKS_ARE = 123,
	STORE_TOUCHED = 130, STORE_TOUCHED_ARE = 131,
	STORE_LEASE = 160, STORE_REMOVE = 161, STORE_REMOVED = 162,
	STORE_UIDLS = 163, STORE_UIDLS_ARE = 164, STORE_UIDL_PUT = 165,
	STORE_URL_KEY_MAKE = 170, STORE_URL_KEYED = 171, STORE_URL_SIGN = 172, STORE_URL_SIGNED = 173,
	STORE_URL_FIND = 174, STORE_URL_FOUND = 175, STORE_URL_BODY = 176,
	STORE_METADATA_GET = 100, STORE_METADATA_IS = 101, STORE_METADATA_SET = 102,
	STORE_QUOTA_SET = 103, STORE_QUOTA_NEAR = 104,
	STORE_ANNOTATIONS = 180, STORE_ANNOTATIONS_ARE = 181, STORE_ANNOTATE = 182,
	STORE_ANNOTATED = 183, STORE_ANNOTATED_ARE = 184,
	STORE_FSCK = 200, STORE_FSCK_IS = 201,
	STORE_COPY_MAKE = 240, STORE_COPY_MADE = 241, STORE_COPIES = 242, STORE_COPIES_ARE = 243,
	STORE_PLACE = 260, STORE_UIDVALIDITY = 261, STORE_SUMS = 262, STORE_SUMS_ARE = 263,
	STORE_RESTORE = 220, STORE_RESTORING = 221, STORE_UNDELETE = 222, STORE_RESTORED = 223,
	STORE_BACKUP_BEGIN = 264, STORE_BACKUP_IS = 265, STORE_BACKUP_READ = 266,
	STORE_BACKUP_DATA = 267, STORE_BACKUP_END = 268,
	STORE_TEXT_FIND = 290, STORE_TEXT_FOUND = 291,
	STORE_STATES = 370, STORE_STATES_ARE = 371,
	STORE_EMAILS = 372, STORE_EMAILS_ARE = 373,
	STORE_EMAIL_CHANGES = 374, STORE_EMAIL_CHANGES_ARE = 375,
	STORE_MAILBOX_CHANGES = 376, STORE_MAILBOX_CHANGES_ARE = 377,
	STORE_EMAIL_SET = 378, STORE_EMAIL_SET_IS = 379,
	STORE_MAILBOX_SET = 380, STORE_MAILBOX_SET_IS = 381,
	STORE_BLOB_PUT = 382, STORE_BLOB_IS = 383, STORE_BLOB_READ = 384,
	STORE_BLOBS = 385, STORE_BLOBS_ARE = 386,
	STORE_PUSHES = 400, STORE_PUSHES_ARE = 401, STORE_PUSH_SET = 402, STORE_PUSH_IS = 403,
	STORE_SCRIPTS = 410, STORE_SCRIPTS_ARE = 411, STORE_SCRIPT = 412, STORE_SCRIPT_IS = 413,
	STORE_SCRIPT_SET = 414, STORE_SCRIPT_SET_IS = 415, STORE_SCRIPT_ROOM = 416,
	STORE_SIEVE_KEYS = 418, STORE_SIEVE_KEYS_ARE = 419,
	STORE_DELIVER = 420, STORE_DELIVERED = 421,
	STORE_QUEUE = 460, STORE_QUEUE_ARE = 461, STORE_QUEUE_SET = 462,
	STORE_EVENTS = 480, STORE_EVENT = 481, STORE_EVENT_ARE = 482
};

/* fsck -> fsck-is..., in parts: see storage/state/fsck.h.  account 0: the whole shard.  rebuild: the
 * database is made anew from a copy and the journal afterwards, by the next process.  share: per
 * cent of the process' time, 0: as configured; body_rate: bytes a second read for bodies.
 * ST_CONFLICT: one runs already. */
enum {
	FSCK_CHECK = 1, FSCK_ROOTS = 2, FSCK_REPAIR = 4, FSCK_BODIES = 8, FSCK_REBUILD = 16
};
struct store_fsck {
	uint64_t	account;
	uint8_t		flags, share;
	uint64_t	body_rate;
};
struct store_fsck_is {
	uint64_t	done, total;	/* of a measure of its own */
	uint64_t	wrong, mended, notes, bodies;	/* so far */
	struct span	found;		/* store_fsck_found... */
	struct span	roots;		/* store_fsck_root... */
};

/* attach -> attached.  owner 0: the ticket's own account, made with its default mailboxes
 * when this shard has none of that id.  owner: another account, which this shard has or has
 * not: that cannot be told from the answer, nor is it made.  The same ticket may be attached
 * on any shard in this way, once for each owner. */
/* idly: a request stands right behind it, whose answer its own may wait for. */
struct store_attach { struct span ticket; uint64_t owner; bool idly; };
struct store_attached {
	uint64_t	account;
	uint64_t	incarnation;
	uint64_t	modseq;		/* of the account */
	int64_t		expires_s;	/* of the ticket; renew before */
	/* As STORE_QUOTA would tell at that moment; quota_told false: ask. */
	bool		quota_told;
	uint64_t	bytes, bytes_limit, messages, messages_limit, mailboxes, mailboxes_limit;
	bool		events;		/* as the note `events` says, see there */
};
/* renew: a fresh ticket of the same login for this channel. */
/* revoked (note to the worker): this channel's ticket is void; requests get ST_DENIED. */

/* list -> mailboxes, in parts; sorted by path, subscribed names without a mailbox in
 * their place.  path empty: all; else that one (0 or 1 line). */
struct store_list { struct span path; };
struct store_mailboxes { struct span list; };		/* store_mailbox... */

/* Paths: UTF-8 NFC, "/" between, INBOX in this spelling.  Missing superiors are made. */
struct store_create { uint64_t seq, acked; struct span path; uint8_t role; };
struct store_created { uint64_t mailbox; uint32_t uidvalidity; uint64_t modseq; };
/* delete: ST_CONFLICT when it has children, ST_DENIED for INBOX.  -> status */
struct store_delete { uint64_t seq, acked; struct span path; };
/* rename: children move along; of INBOX: its messages move to the new mailbox (RFC 3501
 * §6.3.5).  -> status */
struct store_rename { uint64_t seq, acked; struct span from, to; };
struct store_subscribe { uint64_t seq, acked; struct span path; bool on; };

/* open -> opened: what SELECT needs; the session's view starts from `uids`.
 * claim_recent: messages from `recent_from` on are recent for this session alone. */
struct store_open { struct span path; bool claim_recent; };
struct store_opened {
	uint64_t	mailbox;
	uint32_t	uidvalidity, uidnext;
	uint64_t	highestmodseq;
	uint32_t	unseen_first;		/* uid of the first unseen message; 0: none */
	uint32_t	recent_from;		/* uid; == uidnext: none */
	uint32_t	rights;
	uint8_t		role;
	struct span	uids;			/* uidset_encode() */
	struct span	keywords;		/* the account's table: store_keyword... by bit */
	uint64_t	url_reset;		/* modseq: URLs made before it are void; 0: none */
};

/* rows -> rows_are in parts.  Absent uids are skipped. */
struct store_rows { uint64_t mailbox; struct span uids; uint8_t fields; };
/* keywords: as in opened, when ROW_FLAGS was asked for. */
struct store_rows_are { struct span rows; struct span keywords; };	/* store_row... */

struct store_cache_get { uint64_t mailbox; struct span uids; uint8_t want; };
struct store_cache_is { struct span entries; };		/* store_cache... */

/* columns -> columns_are in parts, in rising uids: what lists, SORT, THREAD and SEARCH by header
 * read (common/mime/columns.h: want is bits 1 << enum mime_column, version its version), and
 * row fields (ROW_...) with them.  Absent uids are skipped.  A message that is not `known`
 * has no such columns: its LIST blob or its bytes must be read.  50,000 messages come in some
 * milliseconds for each few columns of SORT and SEARCH: ask for those alone that are needed, and
 * for all messages in one request.  budget: bytes of the answer at most (but one row); the last
 * part says where to go on: resume_uid 0: done. */
struct store_columns {
	uint64_t	mailbox;
	struct span	uids;
	uint32_t	want;
	uint8_t		version, fields;
	uint32_t	budget;		/* 0: no limit */
};
/* rows: get_store_columns_row().  keywords: as in opened, when ROW_FLAGS was asked for. */
struct store_columns_are { struct span rows, keywords; uint32_t resume_uid; };

/* marks -> marks_are: the uids of a mailbox, those without \Seen and those with \Deleted, without
 * reading a row; each encoded.  ST_LIMIT: they do not fit, or the account is another's, where
 * \Seen is the reader's own; the rows tell then. */
struct store_marks { uint64_t mailbox; };
struct store_marks_are { struct span here, unseen, deleted; };

/* body -> body_is in parts, at most `budget` bytes of stored bodies in all (but at least
 * one piece); starts in the first uid at `offset`, gives at most `length` bytes of
 * each body (0: to its end).  The last part says where to go on: resume_uid 0: done. */
struct store_body { uint64_t mailbox; struct span uids; uint64_t offset, length; uint32_t budget; };
struct store_body_is { struct span pieces; uint32_t resume_uid; uint64_t resume_offset; };

/* changes -> changes_are in parts: what happened in a mailbox after `since` (a modseq seen
 * in opened, changes_are or a reply).  rows: new and changed messages with ROW_FLAGS, by uid;
 * vanished: uids expunged since.  `full`: since lies before the horizon, vanished is then
 * every uid below uidnext that is not there, out of `known` (encoded; may be empty = all). */
struct store_changes {
	uint64_t	mailbox, since;
	struct span	known;
	bool		claim_recent;
	bool		uids_only;		/* `changed` is wanted, not the rows */
};
struct store_changes_are {
	uint64_t	highestmodseq;
	uint32_t	uidnext, recent_from;
	bool		full;
	bool		gone;			/* the mailbox was deleted */
	struct span	vanished;		/* uidset_encode() */
	struct span	rows;
	struct span	keywords;		/* the account's table */
	struct span	changed;		/* uidset_encode(): the rows' uids, with uids_only */
	uint64_t	url_reset;		/* as in opened */
};

/* touched -> touched_are: the mailboxes whose messages changed after `since` (a modseq of the
 * account: attached, dirty, touched_are; 0: none, only the modseq is wanted), as store_mailbox
 * lines whose path is the last part of it alone.  all: ask for the list instead.  noted: whose
 * annotations changed: put_span() of a path (empty: the account's own), then put_span() of
 * put_span() of the names; not_noted: there may be more of them that are not known any more. */
struct store_touched { uint64_t since; };
struct store_touched_are {
	uint64_t	modseq;
	bool		all;
	struct span	list, noted;
	bool		not_noted;
};

/* watch: from now on `dirty` notes for this channel's account: at most one until the next
 * request of the channel. */
struct store_watch { bool on; };
struct store_dirty {
	uint64_t	modseq;
	uint64_t	email, mailbox, thread;	/* as in store_states_are */
	uint64_t	script;
};

/* stage: appends bytes to the staged body `stage` (worker's number, not 0, per channel);
 * answered when the store has taken the chunk; keep at most four unanswered.  total: size
 * of the stored body if known, 0 else; checked against quota and limits at once.  upload: it will be a
 * blob; said with the first chunk; those of uploads are the limits then. */
struct store_stage { uint32_t stage; uint64_t total; struct span data; bool upload; };
struct store_stage_drop { uint32_t stage; };

/* append -> appended; all items or none.  role deliver: one item, and no `path` creates
 * INBOX only.  raw_size of items is what quota counts. */
struct store_append {
	uint64_t	seq, acked;
	struct span	path;
	bool		make;		/* create the mailbox when it is missing (deliver) */
	struct span	keywords;	/* store_keyword...: bit k of the items' flags is name k */
	struct span	items;		/* store_append_item... */
	/* A message that goes in the same moment (RFC 8508), whatever its flags; uid 0: none.
	 * Quota is judged without it.  ST_CONFLICT: it is not there any more. */
	uint64_t	replace_mailbox;
	uint32_t	replace_uid;
	/* store_annotation...: uid is which of the items, from 1, rising.  carried: they come from
	 * another account, and what the rights here do not allow is left out. */
	struct span	annotations;
	bool		carried;
	/* u64 big-endian each: the mailboxes by id, and no path: every item becomes one message that
	 * is in all of them, the first of which is told in the answer.  At most 1000 items times
	 * mailboxes; no `make`, no replace, no annotations. */
	struct span	into;
	uint64_t	if_email;	/* with `into`: ST_CONFLICT unless it is the state; 0: any */
};
/* place -> appended: an append of messages that had these uids elsewhere, at most 1000 in a
 * mailbox that is there; on a socket of role admin alone.  ST_CONFLICT: not all of them lie above
 * those that the mailbox gave out.  modseq: the account's is raised to it before, so that who knew
 * the messages elsewhere, up to that modseq, sees all of them as changed. */
struct store_place {
	uint64_t	seq, acked;
	struct span	path, keywords, items;	/* as of append */
	struct span	annotations;
	struct span	uids;			/* uidset_encode(): of the items, in order */
	uint64_t	modseq;
};
/* uidvalidity -> status: the mailbox takes the UIDVALIDITY, and at least the UIDNEXT, that it had
 * elsewhere; role admin alone.  Who asks has made sure that it holds exactly the messages it had
 * there, each under its uid, and names the modseq at which that was so: ST_CONFLICT: it changed
 * since.  ST_EXISTS: the account may have used that UIDVALIDITY for other messages: what it takes
 * must rise. */
struct store_uidvalidity {
	uint64_t	seq, acked;
	uint64_t	mailbox, if_modseq;
	uint32_t	uidvalidity, uidnext;
};
/* sums -> sums_are in parts, by uid: absent ones are skipped. */
struct store_sums { uint64_t mailbox; struct span uids; };
struct store_sums_are { struct span sums; };	/* store_sum... */

struct store_appended {
	uint64_t	mailbox;
	uint32_t	uidvalidity;
	struct span	uids;
	uint64_t	modseq;
	/* With `into`: u64 message, u64 thread of each item, in order; the state before it. */
	struct span	ids;
	uint64_t	old_email;
};

/* flags -> flags_are in parts: the rows (ROW_FLAGS) of all uids that exist and were not
 * refused; `modified`: those whose modseq is above unchanged_since (RFC 7162 §3.1.3). */
enum { FLAGS_ADD = 1, FLAGS_REMOVE = 2, FLAGS_REPLACE = 3 };
struct store_flags {
	uint64_t	seq, acked;
	uint64_t	mailbox;
	struct span	uids;
	uint8_t		how;
	uint8_t		system;			/* FLAG_... */
	struct span	keywords;		/* store_keyword... */
	uint64_t	unchanged_since;	/* UINT64_MAX: no condition */
};
struct store_flags_are { uint64_t modseq; struct span rows; struct span modified; struct span keywords; };

/* expunge -> expunged: those of `uids` (empty: all) that have \Deleted. */
struct store_expunge { uint64_t seq, acked; uint64_t mailbox; struct span uids; };
struct store_expunged { uint64_t modseq; struct span uids; };

/* copy / move -> copied: all or none; ST_NOT_FOUND when the target is missing.  from and to
 * have the same count and the same order (ascending in both). */
struct store_copy { uint64_t seq, acked; uint64_t mailbox; struct span uids; struct span to; bool move; };
struct store_copied { uint64_t target; uint32_t uidvalidity; struct span from, to; uint64_t modseq; };

/* lease -> status: on: this channel has the account's lease `what` to itself until it gives
 * it back or ends, so that whoever crashes leaves nothing locked.  ST_EXISTS: another
 * channel has it; ST_LIMIT: it was taken less than apart_s ago (0: no matter).  Whoever asks
 * for no lease is kept from nothing. */
struct store_lease { bool on; uint64_t what; uint32_t apart_s; };

/* remove -> removed: exactly the messages named, in as many mailboxes as wanted, all or
 * none; uids that are not there (any more) are passed over, and so are mailboxes. */
enum { REMOVE_EXPUNGE = 1, REMOVE_FLAG = 2, REMOVE_MOVE = 3 };
struct store_remove {
	uint64_t	seq, acked;
	uint8_t		how;
	uint8_t		system;			/* FLAG_...: added to them */
	struct span	keywords;		/* store_keyword...: added to them */
	struct span	to;			/* path to move to, made when it is missing */
	struct span	what;			/* store_uids...; at most STORE_REMOVE_MAX messages */
};
struct store_removed { uint64_t modseq; uint32_t messages; };

/* uidls -> uidls_are: the POP3 unique-ids that a mailbox's messages brought along from
 * another server, from a uid on, at most `limit` or as many as a part holds; resume: where
 * to go on, 0: no more.  uidl_put -> status: gives uids that are there such ids, at most
 * 1000; an empty one takes it away. */
struct store_uidls { uint64_t mailbox; uint32_t from, limit; };
struct store_uidls_are { struct span list; uint32_t resume; };	/* store_uidl... */
struct store_uidl_put { uint64_t seq, acked; uint64_t mailbox; struct span list; };

/* acl -> acl_is: who has which rights in a mailbox; needs RIGHT_ADMIN (the owner always has
 * all rights and stands in no entry).  rights: the asker's own.  acl_set -> status: changes
 * one entry; one without rights and negative rights goes. */
struct store_acl_get { struct span path; };
struct store_acl_is { uint64_t mailbox; uint32_t rights; struct span entries; };	/* store_acl... */
enum { ACL_REPLACE = 1, ACL_ADD = 2, ACL_REMOVE = 3, ACL_DELETE = 4 };
struct store_acl_set {
	uint64_t	seq, acked;
	struct span	path;
	uint8_t		kind;		/* enum acl_kind */
	uint64_t	id;
	bool		negative;	/* the rights taken away */
	uint8_t		how;
	uint32_t	rights;
};

/* shared -> shared_are: the accounts of this shard that have a mailbox which the ticket's
 * holder may look up, u64 big-endian each, rising; from `after` on.  Asked on any channel. */
struct store_shared { uint64_t after; };
struct store_shared_are { struct span owners; bool more; };

struct store_quota_is {
	uint64_t	bytes, bytes_limit;		/* limit 0: none */
	uint64_t	messages, messages_limit;
	uint64_t	mailboxes, mailboxes_limit;
};

/* quota_near (note to every channel of the account): its mail went over one of the configured
 * marks; per cent of the tighter limit. */
struct store_quota_near { uint8_t percent; };

/* quota_set -> status: the account's own limits, 0: the configured default.  Needs a ticket with
 * RIGHT_QUOTA. */
struct store_quota_set { uint64_t seq, acked; uint64_t bytes, messages, mailboxes; };

/* Directory (system shard only). dir_read: keys from `from` up to `to` (exclusive; empty: only
 * the key `from`), at most `limit`. */
struct store_dir_read { struct span from, to; uint32_t limit; };
struct store_dir_records { struct span records; uint64_t modseq; };
/* All steps or none: ST_CONFLICT when a check fails. */
struct store_dir_write { uint64_t seq, acked; struct span steps; };
struct store_dir_written { uint64_t modseq; };
/* dir_watch: from now on `dir_dirty` notes after each write, naming the keys changed
 * (spans; empty when too many: drop every cached record). */
struct store_dir_dirty { uint64_t modseq; struct span keys; };

/* Role admin, no channel needed (chan 0). stats: "name=value\n" text. */
struct store_stats_are { struct span text; };
struct store_account_delete { uint64_t seq, acked; uint64_t account; };
struct store_account_limits { uint64_t seq, acked; uint64_t account, bytes, messages, mailboxes; };

/* Annotations of a mailbox, or of the account (mailbox 0).  metadata_get -> metadata_is in
 * parts: entries named, and those up to `depth` steps below them (255: all), shared ones and
 * the reader's own; values above max_size are not given.  metadata_set: all or none; ST_LIMIT
 * too many of a mailbox, ST_OVER_QUOTA too many bytes of the account. */
struct store_metadata_get {
	uint64_t	mailbox;
	struct span	names;		/* put_span... */
	uint8_t		depth;
	uint32_t	max_size;
	uint32_t	from;		/* 0, or a part's resume */
};
struct store_metadata_is { struct span entries; uint32_t resume; };	/* store_metadata... */
struct store_metadata_set { uint64_t seq, acked; uint64_t mailbox; struct span entries; };

/* URLs that authorize (RFC 4467).  The keys never leave stored, which makes and judges the
 * tokens.
 * url_key_make -> url_keyed: a new access key for a mailbox that has none; reset: in any case, and URLs
 * made before are void; path empty: those of all mailboxes are.
 * url_sign -> url_signed: the token of a rump URL of the channel's own account, which names a
 * mailbox of it.  who: the account that "user+NAME" in it means.  ST_SYNTAX; ST_NOT_FOUND;
 * ST_EXPIRED: the mailbox has no key yet. */
struct store_url_key_make { uint64_t seq, acked; struct span path; bool reset; };
struct store_url_keyed { uint64_t modseq; };
struct store_url_sign { struct span rump; uint64_t who; };
struct store_url_signed { struct span token; };
/* A URL with its token lets who holds it read one message of the channel's account, on the
 * strength of nothing else: on a channel attached to that owner.  It is judged for each part of
 * an answer.  Of whatever is wrong, or not there, the answer is ST_NOT_FOUND.
 * url_find -> url_found.  url_body -> body_is, as body. */
struct store_url_find { struct span url; };
struct store_url_found { uint64_t size; struct span structure; };	/* CACHE_STRUCTURE's blob */
struct store_url_body { struct span url; uint64_t offset; uint32_t budget; };
/* annotations -> annotations_are in parts: what is annotated to messages (RFC 5257), by uid, shared
 * entries before the asker's own; costs next to nothing in a mailbox without any.  names: patterns
 * as LIST has them.  budget: bytes of the answer at most, but one message; the last part says
 * where to go on: resume_uid 0: done. */
enum { ANNOTATIONS_PRIVATE = 1, ANNOTATIONS_SHARED = 2 };
struct store_annotations {
	uint64_t	mailbox;
	struct span	uids;
	struct span	names;		/* put_span... */
	uint8_t		which;
	uint32_t	max_size;	/* values above it are not given */
	uint32_t	budget;		/* 0: no limit */
};
struct store_annotations_are { struct span entries; uint32_t resume_uid; };
/* annotate -> flags_are in parts, as flags: sets the same entries of all uids; all of an
 * operation's messages or none.  ST_LIMIT: too many of a message; ST_OVER_QUOTA: of the account. */
struct store_annotate {
	uint64_t	seq, acked;
	uint64_t	mailbox;
	struct span	uids;
	struct span	entries;		/* store_annotation..., uid 0 */
	uint64_t	unchanged_since;	/* UINT64_MAX: no condition */
};
/* annotated -> annotated_are in parts: entries of uids that changed after `since`, those that the
 * asker sees, in the order in which they changed. */
struct store_annotated_get { uint64_t mailbox, since; struct span uids; };
struct store_annotated_are { struct span entries; };	/* store_annotated... */

/* copy-make -> copy-made, when a hot copy (storage/service/copies.h) was made and verified; it
 * holds all that was answered before.  ST_NO_SPACE, ST_CORRUPT.
 * copies -> copies-are: the verified ones, the oldest first. */
struct store_copy_made { uint32_t number; };
struct store_copies_are { struct span list; };		/* store_copy_entry... */

/* text_find -> text_found in parts: one for each needle, in order, then one with `missing`.
 * Which of the uids hold a needle, by the texts that stored keeps (doc/search.md).  missing: there
 * is no text of this version for them, or it was cut and does not hold all of the needles: their bytes
 * tell, and what other parts say of them is no answer.  Uids that are not there are nowhere. */
struct store_text_find {
	uint64_t	mailbox;
	struct span	uids;
	uint8_t		version;	/* of the canonical text */
	struct span	needles;	/* store_needle..., at most STORE_NEEDLES_MAX */
};
struct store_text_found {
	uint8_t		needle;		/* from 0 */
	struct span	header, body;	/* uidset_encode(): where it was found; body: not in the header */
	struct span	missing;
};

/* A backup of the shard; role admin.  backup_begin -> backup_is: a hot copy, made now when `fresh`
 * or there is none, else the newest; it is kept until backup_end or the end of the socket.  files:
 * of the copy, put_span() of the name and u64 of its bytes each (0: to its end).  segments: of the journal, as far as
 * they are needed and durable: u32 number, u32 bytes of the file, u32 bytes of it that count.  lsn: up
 * to which they go.  backup_read -> backup_data: at most `length` bytes of a file of the copy, or with
 * an empty name of a segment; fewer at its end.  backup_end -> status. */
#define STORE_BACKUP_PIECE (256u << 10)
struct store_backup_begin { bool fresh; };
struct store_backup_is {
	uint32_t	copy;
	uint64_t	incarnation, lsn;
	struct span	files, segments;
};
struct store_backup_read {
	uint32_t	copy;
	struct span	name;
	uint32_t	segment;
	uint64_t	offset;
	uint32_t	length;
};
struct store_backup_data { struct span data; };
struct store_backup_end { uint32_t copy; };

/* What was deleted: a channel attached to `owner` = the ticket's own account | STORE_UNDELETED
 * reads it as mailboxes, each with the path that it has or had; they hold the messages that
 * were in them last and are kept for undelete alone.  Their uids are numbers of their own that
 * rise as messages go; saved_s of a row is when that was.  On it list, open, rows, cache,
 * columns, marks, body, changes and watch work, and copy, whose target is a mailbox of the
 * account, that is not on it, and which brings messages back; at most 1000 at once.  All else is
 * ST_DENIED. */
#define STORE_UNDELETED ((uint64_t)1 << 63)

/* undelete -> restored: messages that nobody has any more, by id (u64 big-endian each, at most 1000)
 * are in the mailbox `to` again, which is made; empty: each where it was last. */
struct store_undelete { uint64_t seq, acked; struct span ids, to; };
struct store_restored { uint32_t done, skipped; };

/* restore -> restoring, in parts: the account, or the mailbox of a path, as it was at at_ms, by
 * ordinary changes.  Messages that came since stay, but exact.  dry: what would be done.
 * ST_EXPIRED: history does not go back so far: earliest_ms.  done: parts that were done (dry:
 * would be); stopped: not ST_OK: the next one could not be, which is why the rest was not
 * tried. */
enum { RESTORE_DRY = 1, RESTORE_EXACT = 2 };
struct store_restore { int64_t at_ms; struct span path; uint8_t how; };
struct store_restoring {
	struct span	lines;		/* store_restore_line... */
	int64_t		earliest_ms;
	uint64_t	lost;		/* messages that were there and are gone for good */
	uint8_t		status;		/* of the whole */
};

/* ---- JMAP (RFC 8620, 8621): the channel's own account alone; see store_email.h ----
 *
 * The state of a type is the modseq of its last change; together with the shard's incarnation it
 * is good for a `since` as long as history goes back to it.  So is every other modseq of the
 * account.  Email: messages came, went, or changed their keywords or mailboxes (also when they
 * are hidden by \Deleted).  Thread: Emails came or went; delivery: they came.  Mailbox: a mailbox came, went or was
 * changed, or what it counts was: messages came, went, were read or hidden.
 *
 * states -> states_are. */
struct store_states_are {
	uint64_t	modseq;		/* of the account; none of the others is above it */
	uint64_t	email, mailbox, thread;
	uint64_t	incarnation;
	uint64_t	horizon;	/* changes since earlier modseqs are not known any more */
	uint64_t	script;		/* the state of SieveScript (RFC 9661) */
	uint64_t	delivery;	/* RFC 8621 §1.5 */
};

/* emails -> emails_are in parts: every membership of the account, by mailbox and uid, from
 * (mailbox, uid) on; both 0: all.  Parts are read at different times: what changed while they were
 * is told by email_changes since `modseq` of the first part.  keywords: as in opened. */
struct store_emails { uint64_t mailbox; uint32_t uid; };
struct store_emails_are {
	uint64_t	modseq;
	struct span	members;	/* store_member... */
	struct span	keywords;
};

/* email_changes -> email_changes_are in parts: what became of the Emails that changed after the
 * point (since, after).  Points are in the order of changes: `since` a modseq, `after` 0 or, within
 * the next change, the message up to which it was told.  limit: at most so many Emails that were
 * there or are (0: all): `more` in the last part, which says with upto, upto_after from where to ask
 * for the rest; 1 counts also those that only came and went.  The part before that has the point up
 * to which it tells.
 * A message can be told in two parts, and again by the next request: then `was` is as the earlier
 * one has it, and the rest as the later one.
 * ST_EXPIRED: of another incarnation, or history does not go back to it: nobody knows. */
struct store_email_changes {
	uint64_t	since, after;
	uint64_t	incarnation;
	uint32_t	limit;
};
struct store_email_changes_are {
	uint64_t	upto, upto_after;
	bool		more;
	uint64_t	email, thread;	/* the states, as this part found them */
	struct span	changes;	/* store_email_change... */
	struct span	keywords;	/* as in opened */
};
/* mailbox_changes -> mailbox_changes_are: likewise, in one part; after: a mailbox. */
struct store_mailbox_changes {
	uint64_t	since, after;
	uint64_t	incarnation;
	uint32_t	limit;
};
struct store_mailbox_changes_are {
	uint64_t	upto, upto_after;
	bool		more;
	uint64_t	mailbox;	/* the state */
	struct span	changes;	/* store_mailbox_change... */
};

/* email_set -> email_set_is: each item for itself, done or not, in order.  outcomes: a byte (enum
 * status) for each:
 * ST_NOT_FOUND: there is no such Email; ST_SYNTAX: it would be in no mailbox, or one of those that
 * are added is not there; ST_LIMIT: too many keywords or mailboxes; ST_OVER_QUOTA; ST_CONFLICT: an
 * earlier item named the same Email.
 * All visible memberships get the keywords.  A new membership is a copy of one that is there, or
 * that one moved when it goes: INTERNALDATE, annotations, unique-id of POP3.  Destroy: memberships
 * with \Deleted go as well.
 * ST_CONFLICT (of all of it): if_email is not the state. */
struct store_email_set {
	uint64_t	seq, acked;
	uint64_t	if_email;	/* 0: whatever it is */
	struct span	keywords;	/* store_keyword... */
	struct span	items;		/* store_email_item..., 1 .. STORE_EMAIL_SET_MAX */
};
struct store_email_set_is {
	uint64_t	old_email, email;	/* the state before it, and after */
	uint64_t	modseq;
	struct span	outcomes;
};

/* mailbox_set -> mailbox_set_is: one Mailbox.  verdict other than MAILBOX_SET_DONE: nothing was
 * changed. */
enum { MAILBOX_SET_CREATE = 1, MAILBOX_SET_UPDATE = 2, MAILBOX_SET_DESTROY = 3 };
enum mailbox_set_verdict {
	MAILBOX_SET_DONE,
	MAILBOX_SET_STATE,	/* if_mailbox is not the state */
	MAILBOX_SET_NOT_FOUND,	/* `mailbox` is not there */
	MAILBOX_SET_PARENT,	/* `parent` is not there, or below the mailbox itself */
	MAILBOX_SET_NAME,	/* cannot be a name */
	MAILBOX_SET_EXISTS,	/* the parent has another one of this name */
	MAILBOX_SET_ROLE,	/* another one has this role, or INBOX's is given or taken */
	MAILBOX_SET_CHILDREN,	/* destroy: it has */
	MAILBOX_SET_EMAILS,	/* destroy: it has Emails, and remove_emails is not set */
	MAILBOX_SET_DENIED,	/* INBOX stays where it is */
	MAILBOX_SET_LIMIT,	/* too many, too deep, or a path too long */
	MAILBOX_SET_MAX = MAILBOX_SET_LIMIT
};
struct store_mailbox_set {
	uint64_t	seq, acked;
	uint64_t	if_mailbox;	/* 0: whatever it is */
	uint8_t		how;
	uint64_t	mailbox;	/* not of create */
	uint8_t		fields;		/* of update: MAILBOX_CHANGED_NAME .. SUBSCRIBED */
	uint64_t	parent;		/* 0: none */
	struct span	name;		/* one part of a path */
	uint8_t		role;
	uint32_t	order;
	bool		subscribed;	/* it moves along when the mailbox is renamed */
	bool		remove_emails;
};
struct store_mailbox_set_is {
	uint8_t		verdict;
	uint64_t	mailbox;	/* created, or which it was */
	uint64_t	old_mailbox, state;	/* the state of the type before it, and after */
	uint64_t	modseq;
};

/* Uploads (RFC 8620 §6.1): kept for a time, within limits of the account by configuration; when
 * there is no room the oldest ones go, but those of the last hour.  ST_OVER_QUOTA: none can go.
 * blob_put -> blob_is: body as of an append's item: stored form, inline or staged.
 * blob_read -> body_is: as body, of one blob: the pieces have uid 1.  ST_NOT_FOUND: it is not there
 * any more.
 * blobs -> blobs_are: those of `ids` (u64 big-endian each) that are there; empty: all. */
struct store_blob_put {
	uint64_t	seq, acked;
	uint64_t	size;		/* raw octets */
	struct span	sha256;		/* 32 bytes, over the raw octets */
	uint32_t	stage;		/* 0: inline */
	struct span	body;
};
struct store_blob_is { uint64_t id; int64_t expires_ms; };
struct store_blob_read { uint64_t id, offset, length; uint32_t budget; };
struct store_blobs { struct span ids; };
struct store_blobs_are { struct span blobs; };		/* store_blob... */

/* Subscriptions of push (RFC 8620 §7.2), the channel's own account alone.
 * pushes -> pushes_are: url, keys and code are left out, but the code of one that is verified.
 * push_set -> push_is: create: one without id and code, whose code goes to its url at once; ST_LIMIT:
 * there are too many.  update: of what `what` names; ST_DENIED: another code.  destroy.  ST_NOT_FOUND.
 * expires_s: 0: as late as may be; it is told what came of it. */
enum { PUSH_CREATE = 1, PUSH_UPDATE = 2, PUSH_DESTROY = 3 };
enum { PUSH_CODE = 1, PUSH_EXPIRES = 2, PUSH_TYPES = 4 };
struct store_pushes_are { struct span list; };		/* store_push... */
struct store_push_set {
	uint64_t	seq, acked;
	uint8_t		how;
	uint64_t	id;
	uint8_t		what;
	struct span	push;		/* put_store_push(); empty: destroy */
};
struct store_push_is { uint64_t id; int64_t expires_s; };

/* ---- Sieve: the channel's own account alone; see store_sieve.h, store_queue.h ----
 *
 * scripts -> scripts_are: all of them, by name.  (role access) */
struct store_scripts_are {
	struct span	scripts;	/* store_script... */
	uint64_t	state;		/* as in states_are */
	uint64_t	bytes, bytes_limit;	/* of all texts; limits 0: none */
	uint64_t	count_limit, size_limit;
};
/* script -> script_is: one with its text; name empty: the active one.  ST_NOT_FOUND.  Whoever knows
 * it already is not told its text again: same.  (roles access and deliver) */
struct store_script_get {
	struct span	name;
	struct span	known;		/* SHA-256 of the text that is known, or empty */
};
struct store_script_is {
	struct span	script;		/* one store_script */
	bool		same;		/* `known` is what it is; no text */
	struct span	text;
};
/* script_set -> script_set_is: put makes it or takes the place of its text, delete, rename to `to`,
 * activate (name empty: none is active from now on).  (role access)
 * ST_NOT_FOUND; ST_EXISTS: `to` is taken; ST_DENIED: the active one cannot be deleted; ST_SYNTAX: no
 * name; ST_LIMIT: too many scripts; ST_OVER_QUOTA: too many bytes, of this one or of all;
 * ST_CONFLICT: if_state is not the state. */
enum { SCRIPT_PUT = 1, SCRIPT_DELETE = 2, SCRIPT_RENAME = 3, SCRIPT_ACTIVATE = 4 };
struct store_script_set {
	uint64_t	seq, acked;
	uint8_t		how;
	struct span	name, to;
	struct span	text;		/* of put */
	bool		activate;	/* put: it is the active one from now on */
	uint64_t	if_state;	/* 0: whatever it is */
};
struct store_script_set_is {
	uint64_t	id;
	bool		made;		/* put: there was none of this name */
	uint64_t	old_state, state;
};
/* script_room -> status: would a put be taken?  ST_LIMIT, ST_OVER_QUOTA as above.  (role access) */
struct store_script_room { struct span name; uint64_t size; };

/* sieve_keys -> sieve_keys_are: a byte for each, in order: 1: it is known.  (access, deliver) */
struct store_sieve_keys { struct span keys; };		/* store_sieve_key... */
struct store_sieve_keys_are { struct span known; };

/* deliver -> delivered: all that becomes of a message for one recipient, or nothing of it.
 * Bodies are as of an append; their flags count for nothing (places have their own), and each of them
 * is in a place or in the queue.  Without places and queue it is discarded, and acknowledged.
 * ST_CONFLICT: one of `keys` is not as it says any more: run the script again.  ST_OVER_QUOTA.
 * Where the queue of the account is full, a redirect's message goes into INBOX and an entry of
 * another kind is left out: its id is 0.  (access, deliver)
 *
 * of_uid not 0 (access alone): it is about a message that is there.  Body 0 is that one, and the
 * items of `bodies`, which may be empty, are numbered from 1.  A place of body 0 gets it as COPY
 * does, also in the mailbox that it is in: a uid of its own, and its INTERNALDATE and annotations.
 * An entry of body 0 sends it.  Its flags where it is are changed as STORE does it: those of
 * flags_remove go, then those of flags_add are added; all in the same operation.  Where a redirect
 * is left out the message stays: nothing goes into INBOX, and it is not made \Deleted.  Keywords
 * for which there is no room are left out.
 * ST_NOT_FOUND: it is gone; ST_LIMIT: it is in too many places.  Nothing was done then. */
struct store_deliver {
	uint64_t	seq, acked;
	struct span	keywords;	/* store_keyword... */
	struct span	bodies;		/* store_append_item..., at most STORE_DELIVER_BODIES */
	struct span	places;		/* store_deliver_place..., at most STORE_DELIVER_PLACES */
	struct span	keys;		/* store_deliver_key..., at most STORE_SIEVE_KEYS_ASKED */
	struct span	queue;		/* store_queue_new..., at most STORE_DELIVER_QUEUE */
	uint64_t	of_mailbox;
	uint32_t	of_uid;
	struct flags	flags_add, flags_remove;	/* keyword k: the k-th name of `keywords` */
};
struct store_delivered {
	uint64_t	modseq;
	struct span	places;		/* store_delivered_place..., in order; then the redirects' INBOX */
	struct span	queued;		/* u64 big-endian id of each entry, in order; 0: left out */
};

/* Events of IMAP (RFC 6785).  events (note to the channels of an account whose ticket it is, role
 * access): a mailbox of it may have the annotation STORE_EVENT_ENTRY.  It is a hint, that is never
 * taken back: told in attached, or, in the moment in which the first one is set, before any change
 * that is made after it is answered.
 *
 * event -> event_are in parts, by uid: what is to be known of messages that an event was about;
 * absent uids are skipped.  modseq: of the change (as the rows of flags_are have it), 0: there was
 * none that is asked for.  (role access, the own account alone)  ST_NOT_FOUND: no such mailbox. */
struct store_event_get {
	uint64_t	mailbox, modseq;
	struct span	uids;		/* uidset_encode() */
};
struct store_event_are {
	bool		entry;		/* the mailbox has that annotation */
	struct span	script;		/* its value; one that is no script's name is empty */
	struct span	rows;		/* store_event_row... */
	struct span	keywords;	/* as in opened */
};

/* queue -> queue_are: entries of the outgoing queue behind (account, id), by these; only: of this account
 * alone.  ST_NOT_FOUND: there are no more.  (role admin) */
struct store_queue { uint64_t account, id; bool only; };
struct store_queue_are {
	struct span	entries;	/* store_queue_entry... */
	uint64_t	account, id;	/* of the last one */
};
/* queue_set -> status: how: QUEUE_LATER: it is due now; QUEUE_DONE: it goes; QUEUE_RETURN: its message goes into
 * the INBOX.  ST_CONFLICT: it is being sent; ST_NOT_FOUND.  (role admin) */
struct store_queue_set { uint64_t account, id; uint8_t how; };

extern const struct ipc_protocol store_protocol;

#endif
