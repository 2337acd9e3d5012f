#include <assert.h>
#include <stdint.h>

#include "common/proto/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool
inside(struct span part, struct span whole)
{
	return part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

/* First byte: which grammar. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in = span(data + (len > 0), len > 0 ? len - 1 : 0);
	struct scram_first first;
	struct scram_final final;
	struct sasl_plain plain;
	struct sasl_bearer bearer;
	struct buf b = { 0 };

	switch (len > 0 ? data[0] : 0) {
	case 'p':
		if (sasl_plain_parse(in, &plain))
			assert(inside(plain.authzid, in) && inside(plain.authcid, in) &&
			    inside(plain.password, in) &&
			    plain.authzid.len + plain.authcid.len + plain.password.len + 2 == in.len);
		break;
	case 'f':
		if (scram_first_parse(in, &first)) {
			assert(inside(first.user, in) && inside(first.nonce, in) &&
			    inside(first.authzid, in) && first.gs2.len + first.bare.len == in.len);
			(void)scram_name_decode(first.user, &b);
			assert(b.len <= first.user.len);
		}
		break;
	case 'o':
		if (sasl_oauthbearer_parse(in, &bearer))
			assert(inside(bearer.authzid, in) && inside(bearer.token, in));
		break;
	case 'x':
		if (sasl_xoauth2_parse(in, &bearer))
			assert(inside(bearer.authzid, in) && inside(bearer.token, in));
		break;
	default:
		if (scram_final_parse(in, &final))
			assert(inside(final.binding, in) && inside(final.nonce, in) &&
			    final.without_proof.len + 3 + final.proof.len == in.len);
	}
	buf_fini(&b);
	return 0;
}
