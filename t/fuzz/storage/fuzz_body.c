/* The first two bytes choose range and step, the rest is a stored body.  Nothing that
 * comes out may reach beyond the range. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "storage/client/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct body_reader *r;
	struct buf out = { 0 };
	size_t step;

	if (len < 2)
		return 0;
	r = body_reader_new(data[0] >> 4, data[0] & 15);
	step = (size_t)data[1] + 1;
	for (size_t at = 2; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;

		if (body_reader_feed(r, span(data + at, n), &out) != ST_OK)
			break;
	}
	if ((data[0] & 15) != 0 && out.len > (data[0] & 15u))
		abort();
	body_reader_free(&r);
	buf_clear(&out);
	if (body_unpack(span(data + 2, len - 2), 1u << 20, &out) == ST_OK && out.len > 1u << 20)
		abort();
	buf_fini(&out);
	return 0;
}
