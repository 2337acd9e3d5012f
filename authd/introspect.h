/* authd/introspect.h
 * What a server says of a token when it is asked (RFC 7662 §2.2).  No I/O. */
#ifndef AUTHD_INTROSPECT_H
#define AUTHD_INTROSPECT_H

#include "authd/jwt.h"

#define INTROSPECTION_MAX (64u << 10)	/* bytes of an answer */

struct introspection {
	enum jwt_verdict	verdict;
	int64_t			exp_s;		/* INT64_MAX: not said */
};
/* ST_SYNTAX: no such answer; nothing is known of the token then.  user: with JWT_GOOD. */
enum status introspection_read(struct span body, const struct jwt_rules *rules,
    struct introspection *out, struct buf *user);

#endif
