/* common/proto/smtp_client.h
 * The client's half of SMTP's grammar, without I/O: replies (RFC 5321 §4.2), what EHLO offers, the
 * commands MAIL and RCPT with the parameters of RFC 1870, 2852, 3461, 6152 and 6531, and the text of
 * DATA.  The server's half is common/proto/smtp.h. */
#ifndef COMMON_PROTO_SMTP_CLIENT_H
#define COMMON_PROTO_SMTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/proto/smtp_params.h"
#include "common/util/buf.h"
#include "common/util/span.h"

#define SMTP_REPLY_LINE_MAX	2048u	/* its end not counted; 510 by RFC 5321 §4.5.3.1.5 */
#define SMTP_REPLY_LINES_MAX	128u
#define SMTP_REPLY_TEXT_MAX	200u	/* bytes that are kept of its words */
#define SMTP_TEXT_LINE_MAX	998u	/* of a message, §4.5.3.1.6, its end not counted */

/* ---- replies ---- */

struct smtp_reply {			/* zeroed: none of its lines came */
	unsigned	code;		/* 200..599 */
	unsigned	lines;
	char		text[SMTP_REPLY_TEXT_MAX + 1];	/* of its first line with words; printable ASCII */
};
enum smtp_reply_is {
	SMTP_REPLY_MORE,		/* further lines of it follow */
	SMTP_REPLY_WHOLE,
	SMTP_REPLY_BAD			/* no reply, lines of different codes, or too many of them */
};
/* line: without its end; *words: what stands behind the code. */
enum smtp_reply_is smtp_reply_line(struct smtp_reply *r, struct span line, struct span *words);

/* ---- what the server offers ---- */

enum { SMTP_AUTH_PLAIN = 1, SMTP_AUTH_LOGIN = 2, SMTP_AUTH_SCRAM_SHA_256 = 4 };

struct smtp_offers {			/* zeroed: a server of HELO */
	bool		pipelining, eight_bit, utf8, dsn, starttls, size, deliver_by;
	uint64_t	size_max;	/* 0: not said */
	int64_t		by_least_s;	/* DELIVERBY: the shortest time it can keep; 0: not said */
	unsigned	auth;
};
/* A line of the answer to EHLO behind its first one. */
void smtp_offers_line(struct smtp_offers *o, struct span words);

/* ---- commands ---- */

struct smtp_mail {
	struct span	from;		/* "": <> */
	struct span	envid;		/* "": none */
	uint64_t	size;
	enum smtp_ret	ret;
	bool		by_return, by_notify, by_trace;	/* RFC 2852; neither return nor notify: no BY= */
	int64_t		by_s;
	bool		utf8;		/* only where it is offered */
};
struct smtp_rcpt {
	struct span	address;
	struct span	orcpt;		/* "": none */
	unsigned	notify;		/* 0: none */
};
/* Whole lines; what the server does not offer is left out. */
void smtp_put_mail(struct buf *out, const struct smtp_mail *m, const struct smtp_offers *o);
void smtp_put_rcpt(struct buf *out, const struct smtp_rcpt *r, const struct smtp_offers *o);

/* ---- text ---- */

/* The text of DATA as it leaves, in any pieces: dots are doubled at the start of lines, a bare CR
 * or LF becomes a line's end (RFC 5321 §2.3.8: neither may be sent, and a dot behind one would be
 * an end to some servers), and a line longer than SMTP_TEXT_LINE_MAX goes on in the next one behind
 * a blank, which in a header is how it is folded. */
struct smtp_send {			/* zeroed: at the start of a text */
	uint8_t		state;
	unsigned	column;
	bool		eight_bit;	/* a byte above 127 went by */
};
void smtp_send_feed(struct smtp_send *t, struct span in, struct buf *out);
/* The end of the last line, where it has none, and of the text. */
void smtp_send_end(struct smtp_send *t, struct buf *out);

#endif
