/* sieve/mailto.h
 * "mailto:" URIs (RFC 6068) as notifications use them (RFC 5436). */
#ifndef SIEVE_MAILTO_H
#define SIEVE_MAILTO_H

#include "common/mime/address.h"
#include "common/util/arena.h"
#include "common/util/span.h"

#define SIEVE_MAILTO_MAX	4096	/* bytes of a URI */
#define SIEVE_MAILTO_RCPTS	16	/* To and Cc */
#define SIEVE_MAILTO_FIELDS	16	/* other header fields */

struct sieve_mailto_field {
	struct span	name, value;	/* as written, escapes decoded; UTF-8 without controls */
};
struct sieve_mailto {
	const struct mime_addr		*rcpts[SIEVE_MAILTO_RCPTS];	/* none twice */
	bool				cc[SIEVE_MAILTO_RCPTS];		/* it belongs to Cc */
	size_t				n_rcpts;
	struct span			subject, body;	/* p NULL: not given */
	struct sieve_mailto_field	fields[SIEVE_MAILTO_FIELDS];
	size_t				n_fields;	/* those that may be written */
};
/* NULL: *m is what it says, of the arena's memory.  Otherwise what is wrong with it. */
const char *sieve_mailto_parse(struct arena *a, struct span uri, struct sieve_mailto *m);

/* One address, "local@domain", that mail can be sent to. */
bool sieve_address_ok(const struct mime_addr *a);

#endif
