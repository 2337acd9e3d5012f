/* A message, cut by its first byte: the blobs must read, whatever it is. */
#include <stdint.h>
#include <stdlib.h>

#include "common/mime/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct mime_digest *d;
	struct mime_digest_result r;
	struct mime_structure s;
	struct mime_list l;
	size_t step;

	if (len == 0)
		return 0;
	step = (size_t)data[0] + 1;
	d = mime_digest_new(2000);
	for (size_t i = 1; i < len; i += step)
		mime_digest_feed(d, data + i, len - i < step ? len - i : step);
	mime_digest_finish(d, &r);
	if (r.size != len - 1 || mime_list_read(r.list, &l) != ST_OK ||
	    mime_structure_open(r.structure, &s) != ST_OK)
		abort();
	mime_structure_close(&s);
	mime_digest_free(&d);
	return 0;
}
