/* Base64 and hex: what is taken encodes to the same text again (hex: lower case). */
#include <assert.h>
#include <string.h>

#include "common/crypto/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span(data, size);
	struct buf out = { 0 }, back = { 0 };

	if (base64_decode(in, 1000, &out)) {
		assert(out.len <= 1000);
		base64_encode(buf_span(&out), &back);
		assert(span_eq(buf_span(&back), in));
	}
	buf_clear(&out);
	buf_clear(&back);
	if (base64url_decode(in, 1000, &out)) {
		base64url_encode(buf_span(&out), &back);
		assert(span_eq(buf_span(&back), in));
	}
	buf_clear(&out);
	buf_clear(&back);
	if (hex_decode(in, 1000, &out)) {
		hex_encode(buf_span(&out), &back);
		assert(span_caseeq(buf_span(&back), in));
	}
	buf_fini(&out);
	buf_fini(&back);
	return 0;
}
