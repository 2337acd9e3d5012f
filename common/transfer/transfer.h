/* common/transfer/transfer.h
 * Mail on its way between the store and files: what goes with a message and a folder whatever
 * the format is, where bytes come from, and whom a reader of a format tells.  No I/O. */
#ifndef COMMON_TRANSFER_TRANSFER_H
#define COMMON_TRANSFER_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/crypto/digest.h"
#include "common/util/buf.h"
#include "common/util/bytes.h"
#include "common/util/span.h"

#define TRANSFER_NOT_KNOWN INT64_MIN

struct transfer_folder {		/* zeroed: empty */
	struct buf	path;		/* UTF-8, "/" between */
	struct buf	role;		/* "drafts"; empty: none */
	bool		exists;		/* false: a subscribed name without a mailbox */
	bool		subscribed;
	uint32_t	uidvalidity, uidnext;	/* 0: not known */
	uint64_t	modseq;			/* highest one; 0: not known */
	struct buf	acl;		/* put_span() of identifier and of rights, ... */
	struct buf	metadata;	/* put_span() of name and of value, ... */
	/* Of the account itself: Sieve scripts, put_span() of name and of text, ...; which one is
	 * active, empty: none. */
	struct buf	scripts, active;
};
void transfer_folder_clear(struct transfer_folder *f);
void transfer_folder_fini(struct transfer_folder *f);
void put_transfer_folder(struct buf *b, const struct transfer_folder *f);
bool get_transfer_folder(struct reader *r, struct transfer_folder *f);

struct transfer_message {		/* transfer_message_clear() before the first use */
	uint32_t	uid;		/* 0: not known */
	uint32_t	uidvalidity, uidnext;	/* of its folder, where the message tells; 0: not */
	unsigned	system;		/* FLAG_... */
	struct buf	keywords;	/* put_span()... */
	int64_t		received_s;	/* TRANSFER_NOT_KNOWN */
	int16_t		received_zone;	/* minutes east */
	uint64_t	message, thread;	/* EMAILID, THREADID; 0: not known */
	struct buf	uidl;		/* of POP3; empty: none */
	struct buf	annotations;	/* put_span() of entry, u8 shared, put_span() of value, ... */
	uint64_t	size;		/* raw octets; 0: not known */
	bool		summed;
	unsigned char	sha256[SHA256_LEN];	/* over them, when summed */
};
void transfer_message_clear(struct transfer_message *m);
void transfer_message_fini(struct transfer_message *m);
void put_transfer_message(struct buf *b, const struct transfer_message *m);
bool get_transfer_message(struct reader *r, struct transfer_message *m);

/* Bytes of a file: how many were put into p, 0 at the end, -1: it cannot be read. */
struct transfer_source {
	ssize_t	(*read)(void *arg, void *p, size_t n);
	void	*arg;
};
/* Goes on until n bytes came; less at the end. */
ssize_t transfer_read(const struct transfer_source *s, void *p, size_t n);

/* What a reader of a format found.  Every message is begun, then its raw octets come as IMAP
 * sends them, then end() or drop().  drop() without a message begun tells of what could not be
 * read at all. */
struct transfer_ops {
	void	(*folder)(void *arg, const struct transfer_folder *f);
	void	(*begin)(void *arg);
	void	(*data)(void *arg, struct span raw);
	void	(*end)(void *arg, const struct transfer_message *m);
	void	(*drop)(void *arg, const char *why);
};

/* Line ends on the way out: CRLF becomes LF, and lines that would be taken for the beginning of
 * an mbox message get a '>'.  Zeroed before, with raw and quote set as wanted. */
struct transfer_lines {
	bool	raw;		/* line ends stay as they are */
	bool	quote;		/* for mbox */
	bool	dirty;		/* not raw: there was a CR or LF that is no part of a CRLF */
	bool	open;		/* what came last is no line end */
	/* within a line */
	bool	cr, inside;
	uint64_t gts;
	unsigned matched;
};
void transfer_lines_feed(struct transfer_lines *l, struct span in, struct buf *out);
void transfer_lines_end(struct transfer_lines *l, struct buf *out);

/* Line ends on the way in: when the first one is a bare LF all bare ones become CRLF, else
 * nothing changes.  Zeroed before. */
struct transfer_crlf { bool known, raw, cr; };
void transfer_crlf_feed(struct transfer_crlf *c, struct span in, struct buf *out);

#endif
