/* imapd/appending.h
 * Messages on their way into a mailbox: what APPEND and REPLACE take from the client, and
 * COPY and MOVE from another account.  Each streams through a packer (storage/client/packer.h)
 * as it comes; what is more than a small body is staged with the store meanwhile.  Nothing is
 * added before appending_commit(), and then all of it in one operation.
 *
 * cmd->data points at a struct that begins with this one. */
#ifndef IMAPD_APPENDING_H
#define IMAPD_APPENDING_H

#include "imapd/annotations.h"
#include "imapd/session.h"

#define APPENDING_MAX	500		/* messages of a command */
#define APPENDING_AHEAD	4		/* chunks that the store has not taken yet */

struct appending {
	struct span		path;
	struct span		path_there;	/* as its store knows it */
	struct store		*store;		/* NULL: not looked up yet */
	uint64_t		replace_mailbox;	/* REPLACE: which message goes; uid 0: none */
	uint32_t		replace_uid;
	bool			limited;	/* SAVELIMIT counts them */
	bool			copies;		/* they are copies: a COPY of RFC 6785 */
	/* Of the message that comes. */
	struct imap_flags	flags;
	int64_t			received_s;
	int16_t			received_zone;
	uint64_t		message, thread;	/* the ids that it keeps; 0: new ones */
	struct imap_annotations	notes;
	struct packer		*packer;
	struct buf		stored;		/* not staged yet */
	uint32_t		stage;		/* 0: not begun */
	/* Of all. */
	struct buf		keywords;	/* put_store_keyword */
	struct span		names[KEYWORD_MAX];
	unsigned		n_keywords;
	struct buf		items;
	struct buf		annotations;	/* store_annotation... */
	bool			carried;	/* they come from another account */
	unsigned		n_items;
	size_t			inline_bytes;
	size_t			text_bytes;	/* of the messages' texts, in items */
	uint32_t		stages[APPENDING_MAX];
	unsigned		n_stages, pending;
	const char		*refused;	/* what the tagged line will say */
	enum status		failed;
	bool			whole;		/* the last message is here */
	/* The store took a chunk, and not all is here. */
	void			(*go_on)(struct imap_cmd *cmd);
	/* They are there, with these uids: ends the command. */
	void			(*done)(struct imap_cmd *cmd, const struct store_appended *a,
	    const struct uidset *uids);
};

/* It will be refused: nothing more is taken. */
static inline bool
appending_refused(const struct appending *q)
{
	return q->refused != NULL || q->failed != ST_OK;
}
/* No more bytes until go_on(). */
static inline bool
appending_full(const struct appending *q)
{
	return q->pending >= APPENDING_AHEAD;
}
/* The store of the mailbox that is named, once the names of the command are known. */
struct store *appending_target(struct imap_cmd *cmd);
void appending_message_begin(struct appending *q, uint64_t size_hint);
void appending_message_feed(struct imap_cmd *cmd, struct span bytes);
void appending_message_end(struct imap_cmd *cmd);
/* All is here (q->whole is set): asks the store as soon as it has taken every chunk, and ends
 * the command. */
void appending_commit(struct imap_cmd *cmd);
void appending_free(struct appending *q);

#endif
