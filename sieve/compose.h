/* sieve/compose.h
 * The messages that a script sends by itself: the answer of vacation (RFC 5230 5, RFC 3834), that of
 * reject (RFC 5429 2.2.1: a disposition notification, RFC 8098) and a notification (RFC 5436), out
 * of an action of a result.  All are made of 7-bit lines that end with CRLF (but for addresses that
 * are not ASCII), and none grows with the message: of that a few header fields are used, and of
 * reject the header. */
#ifndef SIEVE_COMPOSE_H
#define SIEVE_COMPOSE_H

#include "sieve/sieve.h"

struct sieve_sender {
	struct span	host;		/* behind the "@" of Message-ID and in reports; ASCII */
	struct span	unique;		/* in front of it: letters and digits, never the same twice */
};

/* For the one who hands it over: NOTIFY=NEVER for all of them. */
struct sieve_letter {
	struct span		from;	/* MAIL FROM; empty: <> */
	const struct span	*to;	/* RCPT TO, at least one */
	size_t			n_to;
	struct span		text;	/* the whole message */
};

/* a: of kind SIEVE_VACATION, SIEVE_REJECT or SIEVE_NOTIFY, out of a run with env.  All memory is
 * arena's.  A fcc stores text too.  false: there is nobody to send it to (the sender of a message that
 * is rejected is <>): it is to be left out. */
bool sieve_compose(const struct sieve_action *a, const struct sieve_env *env,
    const struct sieve_sender *s, struct arena *arena, struct sieve_letter *out);

#endif
