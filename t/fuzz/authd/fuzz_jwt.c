/* The first line is a key set, the rest a token.  Nothing that a fuzzer makes is signed. */
#include <stdint.h>
#include <stdlib.h>

#include "authd/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct conf_strings none;
	const struct jwt_rules rules = { "", &none, &none, "iss", 1300819380, 0 };
	struct span rest = span(data, len), keys = span_cut(&rest, '\n');
	struct jwk_set *set = NULL;
	struct buf user = { 0 };

	if (jwk_set_parse(keys, &set) != ST_OK)
		return 0;
	if (rest.p != NULL && jwt_check(set, rest, &rules, &user) == JWT_GOOD && user.len == 0)
		abort();
	jwk_set_free(&set);
	buf_fini(&user);
	return 0;
}
