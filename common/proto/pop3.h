/* common/proto/pop3.h
 * The grammar of POP3, without I/O: command lines (RFC 1939 §3, RFC 2449 §4), numbers,
 * multi-line answers with their dots, TOP, and headers for clients of the old kind. */
#ifndef COMMON_PROTO_POP3_H
#define COMMON_PROTO_POP3_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

/* A line without its end: keyword, and what stands behind one blank. */
struct pop3_line {
	struct span	word;
	struct span	rest;		/* p NULL: there is none */
};
/* false: no keyword of letters and digits, or bytes that no command has. */
bool pop3_line_parse(struct span line, struct pop3_line *out);
/* The next argument, up to the next blank; empty: none. */
struct span pop3_word(struct span *rest);
/* The next argument as a number of 1..10 digits; false: none, or no number, or too large. */
bool pop3_number(struct span *rest, uint32_t *n);
/* Nothing more but blanks. */
bool pop3_end(struct span rest);

/* Dot-stuffing: zeroed at the start of a multi-line answer.  A line begins behind LF: a
 * client that takes a bare LF for a line's end must not be shown an end by a message. */
struct pop3_stuffer {
	bool	in_line;	/* what comes next does not begin a line */
	bool	cr;		/* the last byte was CR */
};
/* Doubles the dots that begin lines in out[from...], raw bytes that follow what was given
 * before, however they were cut. */
void pop3_stuff(struct pop3_stuffer *s, struct buf *out, size_t from);
/* Ends the last line when it is open, then ".\r\n".  Returns the octets of CRLF added. */
size_t pop3_stuff_end(struct pop3_stuffer *s, struct buf *out);

/* TOP: header, blank line, and so many lines of the body (RFC 1939 §7). */
struct pop3_top {
	uint32_t	lines;		/* still wanted of the body */
	bool		in_body, done;
	bool		in_line;	/* the header's present line is not empty so far */
	bool		cr;
};
/* How many of these bytes belong to it. */
size_t pop3_top_take(struct pop3_top *t, struct span raw);

/* Bytes of the header above 0x7f. */
struct pop3_header {
	bool	over;			/* the body has begun */
	bool	in_line, cr;
};
/* How many of these bytes belong to the header, with the blank line. */
size_t pop3_header_take(struct pop3_header *h, struct span raw);
bool pop3_is_ascii(struct span s);
/* UTF-8 that is not ASCII alone, well-formed. */
bool pop3_is_utf8(struct span s);
/* Makes '?' of each byte above 0x7f. */
void pop3_make_ascii(char *p, size_t n);

#endif
