/* common/proto/smtp_params.h
 * Values of the parameters of MAIL and RCPT that say what is to be reported about a message (RFC 3461,
 * with the addresses of RFC 6533) and until when it is to be delivered (RFC 2852). */
#ifndef COMMON_PROTO_SMTP_PARAMS_H
#define COMMON_PROTO_SMTP_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/util/buf.h"
#include "common/util/span.h"

#define SMTP_ENVID_MAX	100u		/* §4.4, as xtext */
#define SMTP_ORCPT_MAX	500u		/* §4.2, all of it */
#define SMTP_BY_MAX	999999999	/* seconds, RFC 2852 §4 */

enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };
enum { SMTP_NOTIFY_NEVER = 1, SMTP_NOTIFY_SUCCESS = 2, SMTP_NOTIFY_FAILURE = 4, SMTP_NOTIFY_DELAY = 8 };

struct smtp_by {			/* neither of both: there was no BY= */
	bool		by_return, by_notify, trace;
	int32_t		seconds;	/* may be negative with by_notify */
};

/* RFC 3461 §4: printable ASCII, "+" and "=" as "+2B" and "+3D". */
bool smtp_xtext_valid(struct span s);
/* §4.2: a type, ";", xtext. */
bool smtp_orcpt_valid(struct span s);
/* Appends what xtext stands for.  false, out as it was: it is none, or what it stands for is not
 * printable ASCII (§4.2, §4.4). */
bool smtp_xtext_decode(struct span s, struct buf *out);

/* An ORCPT as a server of SMTPUTF8 must take it: behind "utf-8;" there may be UTF-8, and any
 * character as "\x{E4}" (RFC 6533 §3). */
bool smtp_orcpt_good(struct span s);
/* Of one that is good: what it stands for, "rfc822;user@example.org", appended. */
void smtp_orcpt_decode(struct span s, struct buf *out);
/* Of one that is good: as it can be said to every server of DSN; false: it gets too long. */
bool smtp_orcpt_ascii(struct span s, struct buf *out);

bool smtp_ret_parse(struct span s, enum smtp_ret *ret);
/* NEVER, or some of the others with commas between them: bits. */
bool smtp_notify_parse(struct span s, unsigned *notify);
/* "SUCCESS,FAILURE", appended. */
void smtp_notify_put(struct buf *out, unsigned notify);
/* "120;RT"; a time that is over is none for R. */
bool smtp_by_parse(struct span s, struct smtp_by *by);

#endif
