#include "storage/api/rights.h"

#include "common/util/mem.h"
#include "storage/api/store_types.h"

static const struct { char letter; uint32_t rights; } letters[] = {
	{ 'l', RIGHT_LOOKUP }, { 'r', RIGHT_READ }, { 's', RIGHT_SEEN }, { 'w', RIGHT_WRITE },
	{ 'i', RIGHT_INSERT }, { 'p', RIGHT_POST }, { 'k', RIGHT_CREATE },
	{ 'x', RIGHT_DELETE_MAILBOX }, { 't', RIGHT_DELETE_MSG }, { 'e', RIGHT_EXPUNGE },
	{ 'a', RIGHT_ADMIN }, { 'n', RIGHT_ANNOTATE },
	/* of RFC 2086 (§2.1.1) */
	{ 'c', RIGHT_CREATE | RIGHT_DELETE_MAILBOX }, { 'd', RIGHT_DELETE_MSG | RIGHT_EXPUNGE },
};

void
rights_print(uint32_t rights, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (rights & letters[i].rights)
			buf_add_c(out, letters[i].letter);
}

bool
rights_parse(struct span text, uint32_t *rights)
{
	*rights = 0;
	for (size_t i = 0; i < text.len; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(letters) && letters[k].letter != text.p[i])
			k++;
		if (k == ARRAY_LEN(letters))
			return false;
		*rights |= letters[k].rights;
	}
	return true;
}
