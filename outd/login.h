/* outd/login.h
 * The client's half of SASL, as far as a relay needs it: SCRAM-SHA-256 (RFC 5802, 7677), PLAIN (RFC
 * 4616), LOGIN.  Bytes in and out, without base64. */
#ifndef OUTD_LOGIN_H
#define OUTD_LOGIN_H

#include "common/util/buf.h"
#include "common/util/span.h"

#define LOGIN_ROUNDS_MAX 200000u	/* of SCRAM that a server may ask for: some 100 ms of ours */

struct login;

/* offered: SMTP_AUTH_* or-ed.  NULL: none of them is known.  Both are borrowed until the end. */
struct login *login_new(unsigned offered, struct span user, struct span password);
void login_free(struct login **l);
const char *login_name(const struct login *l);	/* "SCRAM-SHA-256" */
/* What goes out with the command itself, appended; false: nothing. */
bool login_first(struct login *l, struct buf *out);
/* An answer to the server's challenge, appended.  false: it makes no sense: end it. */
bool login_step(struct login *l, struct span challenge, struct buf *out);
/* The server says that we are in: did it prove that it knows us? */
bool login_good(const struct login *l);

#endif
