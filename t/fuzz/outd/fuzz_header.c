/* The lines of an answer's header. */
#include <stdint.h>
#include <stdlib.h>

#include "outd/freshness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span rest = span(data, len);
	struct freshness f = { 0 };

	while (rest.p != NULL)
		freshness_line(&f, span_cut(&rest, '\n'));
	if (freshness_s(&f) < -1 || freshness_s(&f) > UINT32_MAX)
		abort();
	return 0;
}
