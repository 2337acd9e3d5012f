/* authd/jwt.h
 * JSON Web Tokens (RFC 7519) in their compact form, checked with the keys of a JWK set
 * (RFC 7517).  No I/O: texts in, a verdict out. */
#ifndef AUTHD_JWT_H
#define AUTHD_JWT_H

#include <stdint.h>

#include "common/conf/settings.h"
#include "common/util/buf.h"
#include "common/util/span.h"
#include "common/util/status.h"

#define JWKS_MAX	(256u << 10)	/* bytes of a key set */
#define JWKS_KEYS_MAX	64u
#define JWT_MAX		8192u		/* bytes of a token */

struct json;
struct jwk_set;

/* Keys that are not for signatures, symmetric ones and those of kinds that we do not know are
 * left out.  ST_SYNTAX: no key set; ST_NOT_FOUND: no usable key in it. */
enum status jwk_set_parse(struct span text, struct jwk_set **set);
void jwk_set_free(struct jwk_set **set);
size_t jwk_set_count(const struct jwk_set *set);

/* What the token must say (RFC 8725): "" or none: not looked at, but for the expiry, which
 * every token needs. */
struct jwt_rules {
	const char			*issuer;
	const struct conf_strings	*audience;	/* one of them */
	const struct conf_strings	*scopes;	/* all of them */
	const char			*claim;		/* holds the user's name */
	int64_t				now_s, leeway_s;
};
enum jwt_verdict {
	JWT_GOOD, JWT_MALFORMED, JWT_UNSIGNED, JWT_EXPIRED,
	JWT_NOT_YET, JWT_OTHERS /* another issuer or audience */, JWT_SCOPE, JWT_NO_USER,
	JWT_UNKNOWN_KEY /* newer keys might prove it */, JWT_INACTIVE /* says who was asked */
};
/* user: the claim's text. */
enum jwt_verdict jwt_check(const struct jwk_set *set, struct span token,
    const struct jwt_rules *rules, struct buf *user);
/* Has the form of one: three parts.  No word about what is in it. */
bool jwt_is_one(struct span token);
/* What is said of a token alone.  told: by a server that was asked about it, which may leave out
 * when it expires and who issued it (RFC 7662 §2.2). */
enum jwt_verdict jwt_judge(const struct json *claims, const struct jwt_rules *rules, bool told,
    struct buf *user);
const char *jwt_verdict_name(enum jwt_verdict v);

#endif
