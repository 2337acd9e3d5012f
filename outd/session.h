/* outd/session.h
 * One connection to the relay: a client of SMTP (RFC 5321) that hands over one letter after the other.
 *
 * It connects, secures itself and logs in as the settings say, and is ready then.  A letter goes as MAIL
 * and RCPTs, in one write where the relay knows PIPELINING (RFC 2920), DATA behind their answers, and its text as it comes.
 * What is known of an attempt that broke off: before the end of the text was written nobody got it; behind
 * it nobody knows.  So a text that cannot be ended well is never ended: the connection is dropped. */
#ifndef OUTD_SESSION_H
#define OUTD_SESSION_H

#include "common/conf/settings.h"
#include "common/net/loop.h"
#include "common/net/tls.h"
#include "outd/letter.h"

#define SESSION_WINDOW	(256u << 10)	/* bytes of a text that may wait here */

struct session;

struct session_conf {			/* all of it borrowed for the session's life */
	const struct conf_outgoing *c;
	const char	*hello;		/* our name */
	const char	*host;		/* the relay's */
	uint16_t	 port;
	struct tls_ctx	*tls;		/* NULL: none is wanted */
	struct span	 password;
};
struct session_ops {
	/* It can take a letter: session_send(), now or later. */
	void (*ready)(struct session *s, void *arg);
	/* It is over, and freed behind this.  Its letter, if it had one, was ended before, or is `back`: the relay
	 * had closed a connection that was used before; it goes by another one.  worked: it had been ready. */
	void (*closed)(struct session *s, bool worked, struct letter *back, const char *why, void *arg);
};

struct session *session_new(struct loop *l, const struct session_conf *conf,
    const struct session_ops *ops, void *arg);
/* No callback follows; a letter is left as it is. */
void session_free(struct session **s);
bool session_is_ready(const struct session *s);
void session_send(struct session *s, struct letter *l);
/* Only when it is ready: it says QUIT, and is over soon. */
void session_quit(struct session *s);

extern const struct carrier session_carrier;

#endif
