/* storage/api/store_types.h
 * The compound values inside store messages: lists that travel as one blob.  Each
 * has put_ (append one) and get_ (take the next; false at the end or when the
 * reader turned bad: ask reader->bad).  Spans that come out are borrowed. */
#ifndef STORAGE_API_STORE_TYPES_H
#define STORAGE_API_STORE_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mail/flags.h"
#include "common/mail/uidset.h"
#include "common/util/buf.h"
#include "common/util/bytes.h"

/* Limits of the store, whatever a configuration says. */
#define STORE_PATH_MAX		1024		/* bytes of a whole mailbox path, UTF-8 NFC, "/" between */
#define STORE_NAME_MAX		255		/* bytes of one of its parts */
#define STORE_DEPTH_MAX		20		/* parts */
#define STORE_MAILBOX_MAX	10000		/* mailboxes of an account; configuration lowers it */
#define STORE_INLINE_MAX	(64u << 10)	/* a stored body above this is staged */
#define STORE_CHUNK_MAX		(256u << 10)	/* bytes of one staged chunk */
#define STORE_BODY_MAX		(1u << 30)	/* bytes of a stored body */
#define STORE_CACHE_MAX		(512u << 10)	/* bytes of each of the two cache blobs */
#define STORE_COLUMN_BYTES_MAX	(320u << 10)	/* bytes of the columns of a message */
#define STORE_THREAD_KEYS_MAX	64u		/* thread keys of a message */
#define STORE_SIZE_MAX		4294967295u	/* raw octets: RFC822.SIZE is a 32-bit number */
#define STORE_DIR_KEY_MAX	512u		/* bytes of a directory key */
#define STORE_DIR_VALUE_MAX	8192u
#define STORE_REMOVE_MAX	20000u		/* messages of one remove */
#define STORE_UIDL_MAX		70u
#define STORE_MESSAGES_MAX	4294967294u
#define STORE_RANGES_MAX	100000u		/* ranges of a uid set in a request */

/* Rights, RFC 4314; the owner has all. */
enum {
	RIGHT_LOOKUP = 1, RIGHT_READ = 2, RIGHT_SEEN = 4, RIGHT_WRITE = 8, RIGHT_INSERT = 16,
	RIGHT_POST = 32, RIGHT_CREATE = 64, RIGHT_DELETE_MAILBOX = 128, RIGHT_DELETE_MSG = 256,
	RIGHT_EXPUNGE = 512, RIGHT_ADMIN = 1024,
	/* Of a ticket, in no ACL: */
	RIGHT_QUOTA = 2048,	/* may set the account's limits */
	RIGHT_SUBMIT = 4096,	/* submits for others: may use their URLs with "submit+" */
	RIGHT_ANNOTATE = 8192,	/* shared annotations of messages, RFC 5257 */
	RIGHT_ALL = 2047 | RIGHT_ANNOTATE
};

#define STORE_URL_MAX		4096u		/* bytes of a URL */
#define STORE_URL_KEY		32u		/* bytes of a mailbox access key */
#define STORE_URL_TOKEN		66u		/* hex digits */

/* Whom an entry of an ACL is about.  Ids are never reused, so neither are rights. */
enum acl_kind { ACL_USER = 1, ACL_GROUP = 2, ACL_ANYONE = 3 };
#define STORE_ACL_MAX		128u		/* entries of a mailbox */
#define STORE_GROUPS_MAX	16u		/* groups that a login can be in */
struct store_acl {
	uint8_t		kind;
	uint64_t	id;		/* account or group; 0 for anyone */
	uint32_t	rights;
	uint32_t	minus;		/* taken away, whoever gives them (RFC 4314 §2) */
};
void put_store_acl(struct buf *b, const struct store_acl *a);
bool get_store_acl(struct reader *r, struct store_acl *a);

/* Roles of mailboxes, RFC 6154 8457 (Important) and 9979. */
enum mailbox_role {
	MAILBOX_ROLE_NONE, MAILBOX_ROLE_INBOX, MAILBOX_ROLE_DRAFTS, MAILBOX_ROLE_SENT,
	MAILBOX_ROLE_JUNK, MAILBOX_ROLE_TRASH, MAILBOX_ROLE_ARCHIVE, MAILBOX_ROLE_FLAGGED,
	MAILBOX_ROLE_ALL, MAILBOX_ROLE_IMPORTANT, MAILBOX_ROLE_MEMOS, MAILBOX_ROLE_SCHEDULED,
	MAILBOX_ROLE_SNOOZED, MAILBOX_ROLE_MAX = MAILBOX_ROLE_SNOOZED
};
/* "drafts"; the empty string for none.  Parse takes "\Drafts" and "drafts". */
const char *mailbox_role_name(enum mailbox_role role);
bool mailbox_role_parse(struct span name, enum mailbox_role *role);

/* A line of the mailbox list.  id 0: a subscribed name without a mailbox. */
struct store_mailbox {
	uint64_t		id;
	struct span		path;
	enum mailbox_role	role;
	bool			subscribed;
	bool			has_children;
	uint32_t		uidvalidity, uidnext;
	uint64_t		highestmodseq;
	uint32_t		messages, unseen, deleted, recent;
	uint64_t		deleted_bytes;	/* octets of the \Deleted ones */
	uint64_t		bytes;
	uint32_t		rights;
	uint32_t		order;		/* JMAP's sortOrder */
};
void put_store_mailbox(struct buf *b, const struct store_mailbox *m);
bool get_store_mailbox(struct reader *r, struct store_mailbox *m);

/* Inside of others; bits that are no flag make the reader bad. */
void put_store_flags(struct buf *b, struct flags f);
struct flags get_store_flags(struct reader *r);

/* One message in one mailbox.  Which groups are present is said by the `fields` of
 * the request; the others are zero. */
enum {
	ROW_FLAGS = 1,		/* modseq, flags */
	ROW_SIZE = 2,		/* size, received_s */
	ROW_IDS = 4,		/* message, thread, saved_s */
	ROW_ALL = 7
};
struct store_row {
	uint32_t	uid;
	uint64_t	modseq;
	struct flags	flags;
	uint64_t	size;		/* RFC822.SIZE: raw octets as IMAP sends them, prefix included */
	int64_t		received_s;	/* INTERNALDATE, seconds UTC */
	int16_t		received_zone;	/* its zone, minutes east */
	uint64_t	message;	/* EMAILID */
	uint64_t	thread;		/* THREADID */
	int64_t		saved_s;	/* SAVEDATE */
};
void put_store_row(struct buf *b, const struct store_row *row, unsigned fields);
bool get_store_row(struct reader *r, struct store_row *row, unsigned fields);

/* The two cache blobs of a message (common/mime: summary); opaque to the store. */
enum { CACHE_LIST = 1, CACHE_STRUCTURE = 2 };
struct store_cache {
	uint32_t	uid;
	struct span	list, structure;	/* empty: not asked for, or not there */
};
void put_store_cache(struct buf *b, const struct store_cache *c);
bool get_store_cache(struct reader *r, struct store_cache *c);

/* Columns of a message (common/mime/columns.h): a blob of u8 version, u8 n, n times u16 length,
 * the bytes.  Those that are read together lie together: group g is the columns from
 * store_column_groups[g] up to the next one's first. */
#define STORE_COLUMNS_MAX 24u
#define STORE_COLUMN_GROUPS 7u
extern const uint8_t store_column_groups[STORE_COLUMN_GROUPS + 1];
/* The columns of a blob or of a group of n; false: malformed.  col: room for n. */
bool store_columns_cut(struct span blob, unsigned n, struct span *col);

/* One message in columns_are: the row when `fields` were asked for, and the columns asked for,
 * in the order of their numbers (want: bits 1 << number). */
struct store_columns_row {
	uint32_t		uid;
	struct store_row	row;
	bool			known;		/* false: its columns are missing or of another version */
	struct span		col[STORE_COLUMNS_MAX];	/* the first for the lowest bit of want ... */
};
bool get_store_columns_row(struct reader *r, struct store_columns_row *row, unsigned fields,
    uint32_t want);

/* The canonical text of a message (common/mime/text.h, doc/search.md), mapped by i;unicode-casemap:
 * its header's, and the rest.  cut: there is more of it. */
#define STORE_TEXT_MAX	(512u << 10)	/* bytes of it that are kept of a message */
struct store_text {
	uint8_t		version;
	bool		cut;
	bool		other;		/* the message has parts that are no text */
	struct span	header, body;
};
void put_store_text(struct buf *b, const struct store_text *t);
bool get_store_text(struct reader *r, struct store_text *t);

/* What a search looks for in texts: a mapped needle, in the whole of them or in the body alone. */
#define STORE_NEEDLES_MAX	16u
#define STORE_NEEDLE_MAX	8192u
struct store_needle {
	bool		body_only;
	struct span	text;		/* not empty */
};
void put_store_needle(struct buf *b, const struct store_needle *n);
bool get_store_needle(struct reader *r, struct store_needle *n);

/* A message to add.  body: stored form (storage/client/body.h), at most
 * STORE_INLINE_MAX; or staged under `stage` and body empty. */
struct store_append_item {
	struct flags	flags;		/* keywords as bits of the list `keywords` of the request */
	int64_t		received_s;	/* INT64_MIN: the store's own time */
	int16_t		received_zone;
	uint64_t	size;		/* raw octets */
	struct span	sha256;		/* 32 bytes, over the raw octets */
	struct span	list, structure;
	struct span	columns;	/* common/mime/columns.h: the blob */
	struct span	thread_keys;	/* u64 big-endian each, at most 64: hashes of message-ids, own first */
	uint64_t	subject_hash;	/* of the base subject; 0: none */
	uint32_t	stage;		/* 0: inline */
	struct span	body;
	/* Ids that it has in another account (RFC 8474 §5.1), 0: new ones.  Kept when this account
	 * has no other message under them. */
	uint64_t	message, thread;
	/* put_store_text(), or empty: none comes along.  Kept apart from the message, for searches;
	 * not journaled. */
	struct span	text;
};
void put_store_append_item(struct buf *b, const struct store_append_item *it);
bool get_store_append_item(struct reader *r, struct store_append_item *it);

/* A piece of a stored body in a reply. */
struct store_body_piece {
	uint32_t	uid;
	uint64_t	stored_size;	/* of the whole stored body */
	uint64_t	offset;		/* of these bytes in it */
	struct span	data;
};
void put_store_body_piece(struct buf *b, const struct store_body_piece *p);
bool get_store_body_piece(struct reader *r, struct store_body_piece *p);

/* Keyword names: a list of spans. */
void put_store_keyword(struct buf *b, struct span name);
bool get_store_keyword(struct reader *r, struct span *name);

/* Messages of one mailbox. */
struct store_uids {
	uint64_t	mailbox;
	struct span	uids;		/* uidset_encode() */
};
void put_store_uids(struct buf *b, const struct store_uids *u);
bool get_store_uids(struct reader *r, struct store_uids *u);

/* A POP3 unique-id: 1..STORE_UIDL_MAX bytes of 0x21..0x7e (RFC 1939 §7), or none. */
struct store_uidl {
	uint32_t	uid;
	struct span	text;
};
void put_store_uidl(struct buf *b, const struct store_uidl *u);
bool get_store_uidl(struct reader *r, struct store_uidl *u);

/* What a message is known by: SHA-256 over its raw octets. */
struct store_sum {
	uint32_t	uid;
	struct span	sha256;
};
void put_store_sum(struct buf *b, const struct store_sum *s);
bool get_store_sum(struct reader *r, struct store_sum *s);

/* A hot copy of a shard's applied state. */
#define STORE_COPIES_MAX 1024u
struct store_copy_entry {
	uint32_t	number;
	int64_t		made_ms;
	uint64_t	lsn, incarnation, bytes;
	uint32_t	pins;
};
void put_store_copy_entry(struct buf *b, const struct store_copy_entry *c);
bool get_store_copy_entry(struct reader *r, struct store_copy_entry *c);

/* Annotations (RFC 5464). */
#define STORE_METADATA_NAME_MAX		255u
#define STORE_METADATA_VALUE_MAX	65536u
#define STORE_METADATA_MAX		100u	/* of a mailbox, shared ones and each reader's apart */
#define STORE_METADATA_ENTRIES_MAX	64u	/* set by one request */
#define STORE_METADATA_BYTES_MAX	(8u << 20)	/* of an account, names and values */
struct store_metadata {
	struct span	name;		/* "/shared/comment": lower case, see metadata_name_valid() */
	bool		given;		/* setting, false: the entry goes; reading: value is here */
	uint32_t	size;		/* reading: bytes of the value */
	struct span	value;
};
void put_store_metadata(struct buf *b, const struct store_metadata *m);
bool get_store_metadata(struct reader *r, struct store_metadata *m);

/* Annotations of messages (RFC 5257).  A side: what all see, or what one reader sees. */
#define STORE_ANNOTATION_NAME_MAX	255u
#define STORE_ANNOTATION_VALUE_MAX	65536u
#define STORE_ANNOTATIONS_MAX		20u		/* of a side of a message */
#define STORE_ANNOTATION_SIDE_BYTES	(256u << 10)	/* names and values of it */
#define STORE_ANNOTATION_SET_MAX	40u		/* set by one request, of each message */
#define STORE_ANNOTATION_BYTES_MAX	(32u << 20)	/* of an account, names and values */
#define STORE_ANNOTATION_OTHERS_MAX	(8u << 20)	/* of these, private ones of other readers */
#define STORE_ANNOTATION_OLD_MAX	(32u << 20)	/* of old values kept as history */
#define STORE_ANNOTATION_PATTERNS_MAX	64u
struct store_annotation {
	uint32_t	uid;		/* setting: 0, or which of an append's items */
	bool		shared;		/* else of who asks */
	bool		given;		/* setting, false: the entry goes; reading: value is here */
	struct span	entry;		/* "/comment", see annotation_entry_valid() */
	uint32_t	size;		/* reading: bytes of the value */
	struct span	value;
};
void put_store_annotation(struct buf *b, const struct store_annotation *a);
bool get_store_annotation(struct reader *r, struct store_annotation *a);
/* That an entry of a message changed. */
struct store_annotated {
	uint32_t	uid;
	uint64_t	modseq;
	struct span	entry;
};
void put_store_annotated(struct buf *b, const struct store_annotated *a);
bool get_store_annotated(struct reader *r, struct store_annotated *a);

/* Directory: one record read, or one step of a write. */
enum dir_check { DIR_ANY = 0, DIR_ABSENT = 1, DIR_VERSION = 2 };
struct store_dir_record {
	struct span	key;		/* "account/17", see storage/api/directory.h */
	uint64_t	version;	/* modseq of its last change; 0: not there */
	struct span	value;
};
void put_store_dir_record(struct buf *b, const struct store_dir_record *r);
bool get_store_dir_record(struct reader *r, struct store_dir_record *rec);
struct store_dir_step {
	uint8_t		check;		/* enum dir_check */
	uint64_t	version;	/* with DIR_VERSION */
	uint8_t		change;		/* 0 check only, 1 put, 2 delete */
	struct span	key, value;
};
void put_store_dir_step(struct buf *b, const struct store_dir_step *s);
bool get_store_dir_step(struct reader *r, struct store_dir_step *s);

/* What fsck found: cure is enum fsck_cure. */
struct store_fsck_found {
	uint64_t	account;
	uint8_t		cure;
	bool		mended;
	struct span	table, key, text;
};
void put_store_fsck_found(struct buf *b, const struct store_fsck_found *x);
bool get_store_fsck_found(struct reader *r, struct store_fsck_found *x);
/* Of an account; hash empty: it did not hold still, or is damaged. */
struct store_fsck_root { uint64_t account; struct span hash; };
void put_store_fsck_root(struct buf *b, const struct store_fsck_root *x);
bool get_store_fsck_root(struct reader *r, struct store_fsck_root *x);
/* What a restore does, or would do. */
enum restore_does {
	RESTORE_DOES_MAILBOX_BACK = 1,	/* a deleted mailbox is there again: path */
	RESTORE_DOES_RENAME = 2,	/* path to `to` */
	RESTORE_DOES_ADD = 3,		/* messages into path; uids: those they had in `to` */
	RESTORE_DOES_FLAGS = 4,		/* of messages in path: uids */
	RESTORE_DOES_REMOVE = 5,	/* messages from path: uids */
	RESTORE_DOES_DELETE = 6,	/* a mailbox goes: path */
	RESTORE_DOES_SUBSCRIBE = 7, RESTORE_DOES_UNSUBSCRIBE = 8,
	RESTORE_DOES_ACL = 9,		/* one entry of path's */
	RESTORE_DOES_MAX = RESTORE_DOES_ACL
};
const char *restore_does_name(uint8_t does);
struct store_restore_line {
	uint8_t		does;
	uint32_t	messages;
	struct span	path, to, uids;		/* uids: uidset_encode() */
};
void put_store_restore_line(struct buf *b, const struct store_restore_line *l);
bool get_store_restore_line(struct reader *r, struct store_restore_line *l);

#endif
