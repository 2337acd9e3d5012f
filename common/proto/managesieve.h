/* common/proto/managesieve.h
 * The grammar of ManageSieve (RFC 5804 §4), without I/O.
 *
 * A client's lines and literals are gathered by common/proto/imap_reader: a command is one
 * text, each literal's bytes behind its "{n+}" CRLF.  "{n}" is read like "{n+}": no server
 * of this protocol tells a client to go ahead. */
#ifndef COMMON_PROTO_MANAGESIEVE_H
#define COMMON_PROTO_MANAGESIEVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define MANAGESIEVE_ARGS	3	/* no command has more */
#define MANAGESIEVE_QUOTED_MAX	1024	/* octets that we write between the quotes */

struct managesieve_arg {
	struct span	text;		/* of a string: what it means */
	bool		is_number;
	uint32_t	number;
};

struct managesieve_command {
	struct span		word;	/* as it was written; case does not matter */
	struct managesieve_arg	args[MANAGESIEVE_ARGS];
	size_t			n;
};

/* A whole command without its last line end.  Quoted strings are put right where they
 * stand, so text is changed; *c points into it.  Further blanks between arguments and behind
 * the last are no matter.  NULL, or why it is none, in words for its author; word is
 * set as soon as there is one. */
const char *managesieve_parse(char *text, size_t len, struct managesieve_command *c);
/* The word a text begins with, also when the rest is not there yet; empty: none. */
struct span managesieve_word(struct span text);
/* One string alone: a client's answer to a challenge.  false: it is none. */
bool managesieve_parse_string(char *text, size_t len, struct span *s);

/* Appends a string: quoted where that can be, else as literal "{n}".  s may hold any
 * bytes. */
void managesieve_put_string(struct buf *out, struct span s);
/* Always as literal: for scripts, which have lines. */
void managesieve_put_literal(struct buf *out, struct span s);

#endif
