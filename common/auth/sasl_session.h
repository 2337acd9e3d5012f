/* common/auth/sasl_session.h
 * A client that logs in, between its protocol and authd: the texts that it sends become steps
 * of an exchange, and what authd says becomes calls of the protocol, which finds its own words.
 * Decodes, bounds sizes, keeps a login until the client has taken the data that came with it.
 * One exchange at a time.  Never blocks. */
#ifndef COMMON_AUTH_SASL_SESSION_H
#define COMMON_AUTH_SASL_SESSION_H

#include "common/auth/login.h"

/* Why a login is refused, as far as a client is told. */
enum sasl_refusal {
	SASL_FAILED, SASL_AWAY, SASL_MALFORMED, SASL_NOT_OFFERED, SASL_TOO_MANY, SASL_EXPIRED,
	SASL_DISABLED, SASL_CLEARTEXT, SASL_REFERRED, SASL_NOT_ALLOWED,
	SASL_REFUSALS			/* how many there are */
};
/* In words: "The password has expired". */
const char *sasl_refusal_text(enum sasl_refusal why);

/* Each of them may end the session that it belongs to. */
struct sasl_ops {
	uint8_t		service;	/* AUTH_IMAP and the like */
	/* granted() tells the client of data that goes with success.  Else it is one more
	 * challenge, and granted() follows when that was answered. */
	bool		data_with_success;
	/* Makes another message of PLAIN's, which may name more than a user.  NULL: it goes as
	 * it came. */
	void (*plain)(void *arg, struct span message, struct buf *out);
	/* The client's answer to it is for sasl_answer(). */
	void (*challenge)(void *arg, struct span base64);
	void (*granted)(void *arg, const struct auth_granted *g);
	/* data: of the failure, may be empty. */
	void (*refused)(void *arg, enum sasl_refusal why, struct span data);
	/* It ended before authd had judged it. */
	void (*abandoned)(void *arg, const char *text);
};

/* The connection of one who logs in; all of it is borrowed. */
struct sasl_client {
	struct auth_client	*auth;
	const struct conn	*conn;
	const char		*id, *peer;
	bool			clear_ok;	/* passwords may travel in clear text */
};

struct sasl_session {		/* zeroed: none, may be ended */
	const struct sasl_ops	*ops;
	void			*arg;
	struct sasl_client	client;
	struct auth_exchange	*exchange;
	struct auth_granted	kept;		/* waits for the client's last answer */
	struct buf		kept_bytes;
	bool			waits;		/* `kept` is there */
	bool			plain;		/* its message is ours to read */
	bool			command;	/* a command with the password: has no further steps */
};

void sasl_session_init(struct sasl_session *x, const struct sasl_ops *ops, void *arg,
    const struct sasl_client *client);
/* Nothing of it calls back any more; a login that was kept is given up. */
void sasl_session_end(struct sasl_session *x);

/* A mechanism that shows the password is not for a connection in clear text. */
bool sasl_is_exposed(const struct sasl_session *x, struct span mechanism);
/* An initial response of "=" is an empty one (RFC 4959 §3, RFC 5034 §4); appended to out.
 * false: malformed. */
bool sasl_initial(struct span text, struct buf *out);
/* AUTHENTICATE; initial: decoded, NULL: none.  All calls come later, from the loop. */
void sasl_start(struct sasl_session *x, struct span mechanism, const struct buf *initial);
/* LOGIN, PASS: likewise, but false: it was refused at once. */
bool sasl_password(struct sasl_session *x, struct span user, struct span password);
/* What answers a challenge, in base64, or "*".  true: authd was asked, the next call comes
 * later; false: the next call was made. */
bool sasl_answer(struct sasl_session *x, struct span text);
void sasl_abandon(struct sasl_session *x, const char *text);

#endif
