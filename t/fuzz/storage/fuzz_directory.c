/* Decoders of directory values, and the folding of addresses: a folded address is its
 * own folding, or two spellings could have two keys. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "storage/api/directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
fold_twice(struct span in)
{
	struct buf once = { 0 }, twice = { 0 };

	if (dir_fold_address(in, &once) && dir_fold_address(buf_span(&once), &twice) &&
	    !span_eq(buf_span(&once), buf_span(&twice)))
		abort();
	buf_fini(&once);
	buf_fini(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in;
	union {
		struct dir_account account;
		struct dir_name name;
		struct dir_domain domain;
		struct dir_verifier verifier;
		struct dir_app app;
		struct dir_referral referral;
	} u;

	if (len == 0)
		return 0;
	in = span(data + 1, len - 1);
	switch (data[0] % 7) {
	case 0: dir_account_decode(&u.account, in); break;
	case 1: dir_name_decode(&u.name, in); break;
	case 2: dir_domain_decode(&u.domain, in); break;
	case 3: dir_verifier_decode(&u.verifier, in); break;
	case 4: dir_app_decode(&u.app, in); break;
	case 6: dir_referral_decode(&u.referral, in); break;
	default: fold_twice(in); break;
	}
	return 0;
}
