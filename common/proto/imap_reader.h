/* common/proto/imap_reader.h
 * Cuts a client's bytes into IMAP commands (RFC 3501 §2.2.1, §4.3; RFC 7888).  Does no
 * I/O.  A command is gathered as one text: its lines, each literal's bytes standing
 * behind its "{n}" CRLF, without the last CRLF.  A bare LF ends a line as well.
 *
 * No literal is gathered before its owner said so: at IMAP_READ_LITERAL the text so
 * far, which ends in the literal's CRLF, tells what it is for. */
#ifndef COMMON_PROTO_IMAP_READER_H
#define COMMON_PROTO_IMAP_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"

enum imap_read {
	IMAP_READ_MORE,		/* feed more */
	IMAP_READ_COMMAND,	/* text is whole; imap_reader_next() when done with it */
	IMAP_READ_LITERAL,	/* decide: keep, stream, skip, or imap_reader_next() to forget */
	IMAP_READ_BYTES,	/* of a streamed literal: see imap_reader_took() */
	IMAP_READ_STREAMED,	/* it is over; the text begins anew behind it */
	IMAP_READ_TOO_LONG	/* the stream is lost: close it */
};

enum imap_reader_mode { IMAP_READER_LINE, IMAP_READER_KEEP, IMAP_READER_STREAM, IMAP_READER_SKIP };

struct imap_literal {
	uint64_t	size;
	bool		sync;		/* the client waits for "+" */
	bool		binary;		/* literal8, "~{" */
};

struct imap_reader {			/* zeroed but for max_line: ready */
	struct buf		text;
	size_t			max_line;	/* bytes of all lines of a command */
	size_t			line_bytes, line_start, scanned;
	enum imap_reader_mode	mode;
	bool			skipped;	/* a literal of this command was skipped */
	struct imap_literal	literal;	/* at IMAP_READ_LITERAL */
	uint64_t		left;		/* bytes of the literal still to come */
};

void imap_reader_init(struct imap_reader *r, size_t max_line);
void imap_reader_fini(struct imap_reader *r);
/* Takes bytes from the front of in as far as it may. */
enum imap_read imap_reader_read(struct imap_reader *r, struct buf *in);
/* The next command; forgets the text and gives its memory back. */
void imap_reader_next(struct imap_reader *r);
/* The answers to IMAP_READ_LITERAL; the owner writes the "+" line. */
void imap_reader_keep(struct imap_reader *r);
void imap_reader_stream(struct imap_reader *r);
void imap_reader_skip(struct imap_reader *r);
/* At IMAP_READ_BYTES: how many of in's bytes belong to the literal, and n of them were
 * taken (they are dropped from in). */
size_t imap_reader_ready(const struct imap_reader *r, const struct buf *in);
void imap_reader_took(struct imap_reader *r, struct buf *in, size_t n);

#endif
