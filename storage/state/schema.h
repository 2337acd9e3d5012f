/* storage/state/schema.h
 * Every record of a shard: its table, key and value.
 *
 * Keys are big-endian numbers, so that they sort as such.  A value is a version byte,
 * the payload, and a CRC-32C over key, version and payload: a value that stands under
 * another's key is damage too.
 *
 *	table     key                               value
 *	meta      "shard"                           struct rec_meta
 *	          "position"                        journal position applied
 *	          "schema"                          struct rec_schema; none: schema 1
 *	          "compact"                         see compact.c: when the last walk began, where
 *	                                            it is
 *	          "compacted", account              u64 modseq, horizon, messages as they were then
 *	account   account                           struct rec_account
 *	keyword   account, bit u8                   name
 *	mailbox   account, mailbox                  struct rec_mailbox; also of deleted ones
 *	mboxname  account, parent, name             mailbox
 *	mindex    account, mailbox, uid             struct rec_index, 64 bytes
 *	uidmap    account, mailbox, block           struct rec_block
 *	message   account, message                  struct rec_message; memberships none: kept
 *	                                            for undelete until its history goes
 *	fresh     account, home mailbox, home uid   columns, LIST and STRUCTURE blobs, see cold.h
 *	pack      account, home mailbox, kind,      the same of many messages together
 *	          block
 *	mthread, msort, mtext, menv, mhead, mheadmore, mbody, mlist, mstruct
 *	          account, home mailbox, home uid   the same one by one, as it was kept before
 *	extent    extent                            struct rec_extent
 *	threadkey account, key, subject hash        thread, count of messages that named it
 *	thread    account, thread, message          nothing
 *	change    account, mailbox, modseq, uid     struct rec_change
 *	mchange   account, modseq, mailbox          struct rec_mchange
 *	history   account, modseq                   struct rec_history: one row an operation
 *	subscr    account, SHA-256 of the path      path
 *	once      ticket                            outcomes not acknowledged yet
 *	dir       text                              version, value
 *	work      account, mailbox                  nothing: deleted mailbox that holds rows
 *	uidl      account, mailbox, uid             POP3 unique-id brought along from elsewhere
 *	metadata  account, mailbox or 0, reader     annotation of this name; reader 0: shared
 *	          or 0, name
 *	stage     account                           struct rec_stage: what is under way
 *	acl       account, mailbox                  put_store_acl() of its entries
 *	aclby     kind u8, id, account, mailbox     rights: what is shared with whom
 *	rseen     account, mailbox, reader, block   \Seen of another's reader, see reader.c
 *	reader    account, mailbox, reader          highest modseq in those
 *	urlkey    account, mailbox                  mailbox access key, see urlkey.c
 *	annotation account, mailbox, uid, reader    value of this entry of a message; reader 0: the
 *	          or 0, entry                       shared one
 *	annlog    account, mailbox, modseq, uid,    how it was before, see annotation.c; goes with
 *	          reader or 0, entry                the history row of this modseq
 *	uidhigh   account, mailbox                  u32: uids below it were given out, see uidhigh.c;
 *	                                            "uidhigh" in meta: every mailbox has its row
 *	quarantine account, SHA-256 of table, key   struct rec_quarantine: what fsck took away
 *	push      account, id                       put_store_push(): a subscription of push
 *	undel     account, mailbox, number          struct rec_undel: a message that is kept for
 *	                                            undelete alone, where it was last
 *	blob      account, blob                     struct rec_blob: an upload
 *	script    account, script                   put_store_script(): a Sieve script
 *	scripttext account, script                  its bytes
 *	sievekey  account, kind u8, key             time it was remembered, time it is over (ms, u64)
 *	queue     account, entry                    put_store_queue_entry()
 *	queuemsg  account, entry                    put_op_append_item(): its message, as an append has it
 *	queuedue  due (ms), account, entry          nothing: the order in which they are sent, see queue.h
 *
 * Home: the membership a message was appended with; its cold rows stay under that key
 * when it is copied, moved or expunged there, for mailbox ids and uids never return.
 * Ids: the shard in the top 16 bits, then a sequence shared by all kinds. */
#ifndef STORAGE_STATE_SCHEMA_H
#define STORAGE_STATE_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/mail/flags.h"
#include "common/util/buf.h"
#include "common/util/bytes.h"
#include "common/util/status.h"
#include "storage/journal/journal.h"

enum tab {
	TAB_META, TAB_ACCOUNT, TAB_KEYWORD, TAB_MAILBOX, TAB_MBOXNAME, TAB_MINDEX, TAB_UIDMAP,
	TAB_MESSAGE, TAB_MSORT, TAB_MTEXT, TAB_MENV, TAB_MHEAD, TAB_MHEADMORE,
	TAB_MBODY, TAB_MLIST,
	TAB_MSTRUCT, TAB_EXTENT, TAB_THREADKEY, TAB_THREAD,
	TAB_CHANGE, TAB_MCHANGE, TAB_HISTORY, TAB_SUBSCR, TAB_ONCE, TAB_DIR, TAB_WORK,
	TAB_UIDL, TAB_METADATA, TAB_STAGE,
	TAB_ACL, TAB_ACLBY, TAB_RSEEN, TAB_READER, TAB_MTHREAD,
	TAB_URLKEY,
	TAB_ANNOTATION, TAB_ANNLOG,
	TAB_PLACED,
	TAB_UIDHIGH, TAB_QUARANTINE,
	TAB_FRESH, TAB_PACK,
	TAB_UNDEL,
	TAB_PUSH,
	TAB_BLOB,
	TAB_SCRIPT, TAB_SCRIPTTEXT, TAB_SIEVEKEY,
	TAB_QUEUE, TAB_QUEUEMSG, TAB_QUEUEDUE,
	TAB_COUNT
};

/* ---- keys ---- */

#define KEY_MAX 544

struct key {
	size_t		len;
	unsigned char	b[KEY_MAX];
};

static inline struct span
key_span(const struct key *k)
{
	return span(k->b, k->len);
}

static inline void
key_add32(struct key *k, uint32_t v)
{
	put_be32(k->b + k->len, v);
	k->len += 4;
}

static inline void
key_add64(struct key *k, uint64_t v)
{
	put_be64(k->b + k->len, v);
	k->len += 8;
}

void key_add(struct key *k, struct span s);
void key_text(struct key *k, struct span s);
void key_1(struct key *k, uint64_t a);
void key_2(struct key *k, uint64_t a, uint64_t b);
void key_3(struct key *k, uint64_t a, uint64_t b, uint64_t c);
/* (account, mailbox, uid or block) */
void key_uid(struct key *k, uint64_t account, uint64_t mailbox, uint32_t uid);
void key_name(struct key *k, uint64_t account, uint64_t parent, struct span name);
void key_change(struct key *k, uint64_t account, uint64_t mailbox, uint64_t modseq,
    uint32_t uid);
void key_quarantine(struct key *k, uint64_t account, enum tab t, struct span key);
void key_subscription(struct key *k, uint64_t account, struct span path);

/* ---- values ---- */

/* The newest version of each table's payloads, which alone is written.  What a table holds is
 * changed as upgrade.h says. */
extern const uint8_t rec_versions[];

/* The bytes around a payload: start, put the payload, end. */
void rec_start(struct buf *b);
void rec_end(struct buf *b, enum tab t, struct span key);
/* The payload inside, of whatever version there was; false: damaged. */
bool rec_open(enum tab t, struct span key, struct span value, struct span *payload);
/* Of a payload as rec_open() gives it: its version byte stands before it. */
static inline unsigned
rec_version(struct span payload)
{
	return (unsigned char)payload.p[-1];
}

struct rec_meta {
	uint16_t	shard;
	uint64_t	incarnation, next_id, dir_modseq;
};
/* See upgrade.h.  Between the two: renewed are the tables of schema_changes[] before this one,
 * and of it the rows up to this key. */
struct rec_schema {
	uint16_t	written, complete;
	struct span	table, key;		/* its name; empty: not begun */
};
struct rec_account {
	uint64_t	modseq;
	uint64_t	horizon;		/* history up to it is gone */
	uint64_t	mail_modseq, mailbox_modseq, thread_modseq;	/* last change of each type */
	uint64_t	delivery_modseq;	/* an Email came that was not there */
	uint32_t	uidvalidity;		/* last one given out */
	uint8_t		keywords;		/* bits in use */
	bool		purged;
	uint64_t	bytes, messages, mailboxes, kept_bytes;
	uint64_t	bytes_limit, messages_limit, mailboxes_limit;
	int64_t		created_ms, deleted_ms;
	uint64_t	uidls;			/* rows of that table */
	uint64_t	metadata_bytes;		/* of that table: names and values */
	bool		stage;			/* has a record of that table */
	uint64_t	urls_reset;		/* modseq; access keys made before it are none */
	uint64_t	urls_told;		/* modseq of the last RESETKEY; 0: there was none */
	/* Names and values of messages' annotations; the private ones of others among them. */
	uint64_t	annotation_bytes, annotation_others;
	uint64_t	annlog_rows, annlog_bytes;	/* of that table; bytes: old values kept */
	uint64_t	script_modseq;		/* last change of a script */
	uint64_t	sieve_keys;		/* rows of that table */
};
struct rec_mailbox {
	uint64_t	parent;			/* 0: top */
	uint8_t		role;
	uint32_t	uidvalidity, uidnext, recent_from;
	uint32_t	messages, unseen, deleted;
	uint64_t	deleted_bytes;		/* of the \Deleted ones */
	uint64_t	bytes, highestmodseq;
	int64_t		created_ms, deleted_ms;	/* deleted_ms not 0: a tombstone */
	struct span	name;
	uint64_t	annotations;		/* rows of that table: without any nobody looks there */
	uint32_t	undel_next;		/* number of the next row of undel; 0: there was none */
	uint32_t	order;			/* JMAP's sortOrder */
};
struct rec_index {
	uint64_t	message, modseq, thread;
	struct flags	flags;
	uint32_t	size;
	int64_t		received_s, saved_s;
	int16_t		received_zone;
};

/* x: as the last membership was, but modseq: of what took it away, and saved_s: when. */
struct rec_undel {
	struct rec_index x;
	uint32_t	uid;
};

#define BLOCK_UIDS 256u
struct rec_block {			/* bit i of byte j: uid block * 1024 + 8j + i */
	uint16_t	present, unseen, deleted;	/* counts */
	unsigned char	bits[3][BLOCK_UIDS / 8];	/* present, unseen, deleted */
};

struct rec_member {
	uint64_t	mailbox;
	uint32_t	uid;
};
struct rec_message {
	uint64_t	extent, thread, size, subject_hash;
	unsigned char	sha256[32];
	int64_t		received_s, saved_s;	/* saved: when the first membership was made */
	int16_t		received_zone;
	uint64_t	home_mailbox;
	uint32_t	home_uid;
	uint64_t	gone_modseq;		/* last membership went with it; 0: has some */
	uint64_t	kept_mailbox;		/* row of undel, 0: none */
	uint32_t	kept_no;
	struct span	thread_keys;
	struct span	members;		/* MEMBER_BYTES each */
};
#define MEMBER_BYTES 12
struct rec_member rec_member(struct span members, size_t i);
void put_rec_member(struct buf *b, struct rec_member m);

struct rec_extent {
	uint32_t	refs;
	uint64_t	stored;
	struct span	locs;			/* LOC_BYTES each */
};
#define LOC_BYTES 12

/* A copy, a move or an append of more rows than one operation may make.  Until it is
 * committed its rows lie at uids from `base` on, the target's uidnext, where no reader looks;
 * their change rows have the modseq that comes next.  Nothing else changes the account
 * meanwhile. */
enum stage_phase { STAGE_OPEN = 1, STAGE_MOVED = 2 };
struct rec_stage {
	uint8_t		phase;
	bool		move;
	uint64_t	from, to;		/* from 0: an append */
	uint32_t	part;			/* the last one */
	uint32_t	base, count;
	uint32_t	unseen, deleted;	/* of count */
	uint64_t	deleted_bytes;
	uint64_t	bytes, modseq;
	struct span	uids;			/* in `from`; moved: those still to be taken away */
};

enum change_kind { CHANGE_CREATED = 1, CHANGE_UPDATED = 2, CHANGE_DESTROYED = 3 };
struct rec_change {			/* old values: not for created */
	uint8_t		kind;
	/* Before the operation the message was in sight (JMAP): a membership without \Deleted that
	 * the operation does not touch, or this one was.  Of all rows of the message that an
	 * operation makes, one that says so is enough. */
	bool		was;
	uint64_t	message, thread, old_modseq;
	struct flags	old_flags;
	/* Updated: what they are now.  Not kept. */
	struct flags	flags;
	bool		dated;			/* destroyed: INTERNALDATE was not the message's */
	int64_t		old_received_s;
	int16_t		old_received_zone;
};
struct rec_mchange {
	uint8_t		kind;
	uint64_t	old_parent;
	uint8_t		old_role;
	uint32_t	old_order;
	struct span	old_name;
};
struct rec_history {
	uint8_t		kind;			/* enum op_kind */
	int64_t		time_ms;
	uint64_t	who;
	struct span	mailboxes;		/* u64 each: those with change rows */
	/* OP_METADATA_NOTED: a mailbox or 0, and put_span() of the entries' names.
	 * OP_SUBSCRIBE: whether it was subscribed, and the path; OP_MAILBOX_SET: both of each path
	 * (u8, put_span()) in names.  OP_ACL_SET: the mailbox, and its
	 * entries before.  Rows of earlier versions lack both for the latter two: names.p NULL. */
	uint64_t	noted;
	struct span	names;
};

struct rec_blob {
	uint64_t	extent, size, stored;
	unsigned char	sha256[32];
	int64_t		created_ms, expires_ms;
};

/* A record that could not be mended, as it was; or, with table "message" and without bytes, a
 * message whose body is damaged: it stays where it is. */
struct rec_quarantine {
	int64_t		time_ms;
	struct span	table, key, bytes, why;
};

void rec_blob_put(struct buf *b, const struct rec_blob *r);
bool rec_blob_get(struct span p, struct rec_blob *r);
void rec_quarantine_put(struct buf *b, const struct rec_quarantine *r);
bool rec_quarantine_get(struct span p, struct rec_quarantine *r);
void rec_meta_put(struct buf *b, const struct rec_meta *r);
bool rec_meta_get(struct span p, struct rec_meta *r);
void rec_schema_put(struct buf *b, const struct rec_schema *r);
bool rec_schema_get(struct span p, struct rec_schema *r);
void rec_account_put(struct buf *b, const struct rec_account *r);
bool rec_account_get(struct span p, struct rec_account *r);
void rec_mailbox_put(struct buf *b, const struct rec_mailbox *r);
bool rec_mailbox_get(struct span p, struct rec_mailbox *r);
void rec_index_put(struct buf *b, const struct rec_index *r);
bool rec_index_get(struct span p, struct rec_index *r);
void rec_undel_put(struct buf *b, const struct rec_undel *r);
bool rec_undel_get(struct span p, struct rec_undel *r);
void rec_block_put(struct buf *b, const struct rec_block *r);
bool rec_block_get(struct span p, struct rec_block *r);
void rec_message_put(struct buf *b, const struct rec_message *r);
/* p: as rec_open() gives it. */
bool rec_message_get(struct span p, struct rec_message *r);
void rec_extent_put(struct buf *b, const struct rec_extent *r);
bool rec_extent_get(struct span p, struct rec_extent *r);
void rec_change_put(struct buf *b, const struct rec_change *r);
bool rec_change_get(struct span p, struct rec_change *r);
void rec_mchange_put(struct buf *b, const struct rec_mchange *r);
bool rec_mchange_get(struct span p, struct rec_mchange *r);
void rec_stage_put(struct buf *b, const struct rec_stage *r);
bool rec_stage_get(struct span p, struct rec_stage *r);
void rec_history_put(struct buf *b, const struct rec_history *r);
bool rec_history_get(struct span p, struct rec_history *r);

#endif
