/* What a server says of a token. */
#include <stdint.h>
#include <stdlib.h>

#include "authd/introspect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const words[] = { "mail" };
	const struct conf_strings none = { 0 }, list = { words, 1 };
	struct jwt_rules r = { "", &none, &none, "username", 1300819380, 0 };
	struct introspection is;
	struct buf user = { 0 };

	if (introspection_read(span(data, len), &r, &is, &user) == ST_OK &&
	    (is.verdict == JWT_GOOD) != (user.len > 0))
		abort();
	buf_clear(&user);
	r.audience = r.scopes = &list;
	r.issuer = "us";
	(void)introspection_read(span(data, len), &r, &is, &user);
	buf_fini(&user);
	return 0;
}
