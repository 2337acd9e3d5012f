/* Names from the wire: what is accepted is valid and comes back the same. */
#include <assert.h>

#include "common/mail/mailbox_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in = span(data, len);
	struct buf path = { 0 }, utf7 = { 0 }, again = { 0 };

	if (mailbox_name_from_utf7(in, &path)) {
		assert(mailbox_name_valid(buf_span(&path)));
		mailbox_name_to_utf7(buf_span(&path), &utf7);
		assert(mailbox_name_from_utf7(buf_span(&utf7), &again));
		assert(span_eq(buf_span(&path), buf_span(&again)));
		mailbox_pattern_match(in, buf_span(&path));
	}
	buf_clear(&path);
	if (mailbox_name_from_utf8(in, &path))
		assert(mailbox_name_valid(buf_span(&path)));
	mailbox_pattern_match(in, SPAN_LIT("INBOX/one/two"));
	buf_fini(&path);
	buf_fini(&utf7);
	buf_fini(&again);
	return 0;
}
