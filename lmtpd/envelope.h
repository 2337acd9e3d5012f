/* lmtpd/envelope.h
 * The envelope of a delivery as scripts see it: parameters without their encodings. */
#ifndef LMTPD_ENVELOPE_H
#define LMTPD_ENVELOPE_H

#include "common/util/arena.h"
#include "filter/dsn.h"
#include "sieve/sieve.h"

struct envelope_said {
	const char		*from, *to;	/* MAIL, RCPT */
	const char		*auth;		/* AUTH= as it was written; NULL: none */
	const struct dsn	*dsn;		/* NULL: nothing */
};
/* Spans of *e are arena's or said's. */
void envelope_view(const struct envelope_said *said, struct arena *arena, struct sieve_envelope *e);

#endif
