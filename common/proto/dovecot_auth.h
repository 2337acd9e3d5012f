/* common/proto/dovecot_auth.h
 * Lines of Dovecot's authentication protocol, version 1 (the client's side of it: Postfix,
 * Exim).  A line is words between tabs; \001 escapes what cannot stand in one.  Bytes in,
 * spans out, borrowed from the line. */
#ifndef COMMON_PROTO_DOVECOT_AUTH_H
#define COMMON_PROTO_DOVECOT_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

enum dovecot_word {
	DOVECOT_VERSION,	/* number: the major one */
	DOVECOT_CPID, DOVECOT_AUTH, DOVECOT_CONT, DOVECOT_CANCEL,
	DOVECOT_OTHER		/* of a later version: to be passed over */
};

struct dovecot_line {
	enum dovecot_word	word;
	uint32_t		number;		/* of the request, but for VERSION */
	/* AUTH: */
	struct span		mechanism, service, rip, session;
	bool			secured;	/* the client's connection is encrypted */
	bool			final_ok;	/* it takes data with OK */
	bool			initial;	/* resp= is there, perhaps empty */
	struct span		data;		/* base64: of resp=, or of CONT */
};

/* line: without its end.  false: it breaks the protocol. */
bool dovecot_line_parse(struct span line, struct dovecot_line *out);
/* Appends a value with what must be escaped escaped. */
void dovecot_put(struct buf *out, struct span value);

#endif
