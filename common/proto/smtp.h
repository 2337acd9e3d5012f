/* common/proto/smtp.h
 * The grammar of SMTP and LMTP, without I/O: command lines (RFC 5321 §4.1.1, RFC 2033,
 * 1870 SIZE, 6152 8BITMIME, 3030 CHUNKING and BINARYMIME, 6531 SMTPUTF8, 3461 DSN, 2852
 * DELIVERBY, AUTH= of 4954) and the transparency of DATA (RFC 5321 §4.5.2). */
#ifndef COMMON_PROTO_SMTP_H
#define COMMON_PROTO_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/proto/smtp_params.h"
#include "common/util/buf.h"
#include "common/util/span.h"

#define SMTP_LINE_MAX	4096		/* of a command, its end not counted */
#define SMTP_PATH_MAX	320		/* bytes of an address: 64 + 1 + 255 */

enum smtp_verb {
	SMTP_UNKNOWN, SMTP_LHLO, SMTP_HELO, SMTP_EHLO, SMTP_MAIL, SMTP_RCPT, SMTP_DATA, SMTP_BDAT,
	SMTP_RSET, SMTP_NOOP, SMTP_QUIT, SMTP_VRFY, SMTP_HELP, SMTP_STARTTLS
};

enum smtp_body { SMTP_7BIT, SMTP_8BITMIME, SMTP_BINARYMIME };

enum smtp_error {
	SMTP_OK = 0,
	SMTP_BAD_SYNTAX,	/* 501 5.5.4: arguments do not follow the grammar */
	SMTP_BAD_ADDRESS,	/* 553 5.1.3 (or 5.1.7 for the sender) */
	SMTP_BAD_PARAM,		/* 555 5.5.4: a parameter that is not known, or not offered */
	SMTP_NEEDS_UTF8		/* 553 5.6.7: 8-bit address without SMTPUTF8 */
};

/* Spans point into the line. */
struct smtp_command {
	enum smtp_verb	verb;
	enum smtp_error	error;		/* of MAIL, RCPT, BDAT, LHLO, DATA ... */
	const char	*why;		/* words for it; NULL: none */
	struct span	arg;		/* LHLO: the name; others: all behind the verb */
	struct span	path;		/* MAIL, RCPT: without <> and source route; "" for <> */
	uint64_t	size;		/* MAIL SIZE=, 0: not told; BDAT: bytes */
	bool		last;		/* BDAT LAST */
	enum smtp_body	body;
	bool		utf8;		/* MAIL SMTPUTF8 */
	/* As they were written (xtext); p NULL: not given. */
	struct span	auth, envid;	/* MAIL */
	struct span	orcpt;		/* RCPT */
	enum smtp_ret	ret;		/* MAIL */
	unsigned	notify;		/* RCPT: SMTP_NOTIFY_..., 0: not given */
	struct smtp_by	by;		/* MAIL */
	unsigned	seen;		/* the parser's: parameters so far */
};

enum smtp_may {
	SMTP_MAY_UTF8	= 1,		/* addresses of RCPT may be UTF-8 */
	SMTP_MAY_DSN	= 2,		/* this and the next were offered: RET, ENVID, NOTIFY, ORCPT */
	SMTP_MAY_BY	= 4		/* BY */
};
/* line: without its end.  Whatever it holds, *c is filled in.  may: enum smtp_may. */
void smtp_parse(struct span line, unsigned may, struct smtp_command *c);
const char *smtp_verb_name(enum smtp_verb v);
/* A mailbox or local part as in RFC 5321 §4.1.2 (atoms or quoted string, domain or address
 * literal); utf8: RFC 6531's wider letters. */
bool smtp_address_valid(struct span address, bool utf8);

/* The text of DATA as it arrives, in any pieces.
 *
 * The end is <CRLF>.<CRLF> and nothing else: a dot between bare LFs is text, so that no
 * second message can be smuggled behind one that another server saw as one.  A line
 * that starts with a dot loses it only after a true <CRLF>.  A bare LF becomes <CRLF>,
 * a bare CR stays, NUL becomes 0x80: a message in the store has no NUL and ends its
 * lines with <CRLF>, as IMAP must send them. */
struct smtp_text {		/* zeroed: at the start of a text */
	uint8_t	state;
	bool	done;
};
/* Appends what is text to out; returns the bytes of in used: all of them, or up to and with
 * the end, where t->done becomes true. */
size_t smtp_text_feed(struct smtp_text *t, struct span in, struct buf *out);

/* The same rules for the bytes of BDAT without BINARYMIME, where there is no end to find
 * and no dot to drop.  *cr: the last byte before was CR; false at the start. */
void smtp_chunk_feed(bool *cr, struct span in, struct buf *out);

#endif
