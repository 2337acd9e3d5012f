/* storage/api/store_email.h
 * The compound values of messages about JMAP's objects: Emails by id, whatever mailboxes they are
 * in, and Mailboxes by id.
 *
 * An Email is a message with at least one membership without \Deleted in a mailbox that is there:
 * such a membership is visible.  Its keywords are derived: \Seen when all visible memberships have
 * it, every other one when any has. */
#ifndef STORAGE_API_STORE_EMAIL_H
#define STORAGE_API_STORE_EMAIL_H

#include "storage/api/store_types.h"

/* One membership; the row is whole (ROW_ALL).  Also those with \Deleted are told. */
struct store_member {
	uint64_t		mailbox;
	struct store_row	row;
};
void put_store_member(struct buf *b, const struct store_member *m);
bool get_store_member(struct reader *r, struct store_member *m);

/* What became of an Email.  Neither was nor is: it is no Email, but may have memberships with
 * \Deleted.  what: of one that was and is: at least what changed of it, perhaps more;
 * EMAIL_AGAIN: at one of the changes it was not there. */
enum { EMAIL_KEYWORDS = 1, EMAIL_MAILBOXES = 2, EMAIL_AGAIN = 4 };
struct store_email_change {
	uint64_t	message, thread;
	bool		was;		/* it was there then */
	bool		is;		/* it is there now */
	uint8_t		what;
	struct span	members;	/* store_member...: all of them, as they are now */
};
void put_store_email_change(struct buf *b, const struct store_email_change *c);
bool get_store_email_change(struct reader *r, struct store_email_change *c);

/* What became of a Mailbox. */
enum {
	MAILBOX_CHANGED_NAME = 1, MAILBOX_CHANGED_PARENT = 2, MAILBOX_CHANGED_ROLE = 4,
	MAILBOX_CHANGED_ORDER = 8, MAILBOX_CHANGED_SUBSCRIBED = 16,
	MAILBOX_CHANGED_COUNTS = 32		/* messages came, went or were read */
};
struct store_mailbox_change {
	uint64_t	mailbox;
	bool		was, is;
	uint8_t		what;
};
void put_store_mailbox_change(struct buf *b, const struct store_mailbox_change *c);
bool get_store_mailbox_change(struct reader *r, struct store_mailbox_change *c);

/* A change asked for of one Email.  Keywords: \Seen, \Answered, \Flagged, \Draft and names of the
 * request's list (bit k is name k); \Deleted is none.  Replace: what is added is all there is. */
#define STORE_EMAIL_SET_MAX 10000u	/* of one request */
enum { EMAIL_UPDATE = 1, EMAIL_DESTROY = 2 };
enum { EMAIL_KEEP = 0, EMAIL_PATCH = 1, EMAIL_REPLACE = 2 };
struct store_email_item {
	uint64_t	message;
	uint8_t		how;
	uint8_t		keywords_how, mailboxes_how;
	struct flags	keywords_add, keywords_remove;
	struct span	mailboxes_add, mailboxes_remove;	/* u64 big-endian each */
};
void put_store_email_item(struct buf *b, const struct store_email_item *it);
bool get_store_email_item(struct reader *r, struct store_email_item *it);

/* An upload. */
struct store_blob {
	uint64_t	id, size;	/* raw octets */
	struct span	sha256;		/* 32 bytes, over the raw octets */
	int64_t		created_ms, expires_ms;
};
void put_store_blob(struct buf *b, const struct store_blob *x);
bool get_store_blob(struct reader *r, struct store_blob *x);

#endif
