/* A file of an import. */
#include "common/transfer/mbox.h"
#include "t/fuzz/transfer/read_twice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_twice(mbox_read, data, size);
	return 0;
}
