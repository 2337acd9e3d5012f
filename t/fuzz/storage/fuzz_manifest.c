/* The manifest of a hot copy: what is read is written as it was.  The input is taken with a last
 * line that fits, for else nothing would pass. */
#include <assert.h>
#include <inttypes.h>

#include "storage/service/copy_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct copy_manifest m = { 0 }, again = { 0 };
	struct buf in = { 0 }, out = { 0 };

	(void)copy_manifest_get(span(data, size), &m);
	copy_manifest_fini(&m);
	buf_add(&in, data, size);
	buf_addf(&in, "end %08" PRIx32 "\n", crc32c(0, data, size));
	if (copy_manifest_get(buf_span(&in), &m) == ST_OK) {
		copy_manifest_put(&out, &m);
		assert(copy_manifest_get(buf_span(&out), &again) == ST_OK);
		assert(again.n_files == m.n_files && again.live.n == m.live.n);
		assert(copy_manifest_bytes(&again) == copy_manifest_bytes(&m));
		copy_manifest_fini(&again);
	}
	copy_manifest_fini(&m);
	buf_fini(&in);
	buf_fini(&out);
	return 0;
}
