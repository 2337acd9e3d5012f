/* The first byte says how much of the rest is what a pack was made behind.  Rows that come out lie
 * within their bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "storage/state/cold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pack p = { .all = SPAN_NONE };
	struct span payload, before, row;
	size_t n;

	if (len < 1)
		return 0;
	n = data[0] < len - 1 ? data[0] : len - 1;
	before = span(data + 1, n);
	payload = span(data + 1 + n, len - 1 - n);
	if (pack_open(&p, payload, pack_needs_before(payload) ? before : SPAN_NONE)) {
		size_t sum = 0;

		for (unsigned i = 0; i < PACK_UIDS; i++)
			sum += p.rows[i].len;
		if (sum != p.all.len)
			abort();
	}
	pack_fini(&p);
	for (unsigned kind = 0; kind < COLD_KINDS; kind++)
		if (cold_in_fresh(payload, kind, &row) && row.len > payload.len)
			abort();
	return 0;
}
