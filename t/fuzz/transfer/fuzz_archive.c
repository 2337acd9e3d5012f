/* A file of an import. */
#include "common/transfer/archive.h"
#include "t/fuzz/transfer/read_twice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_twice(archive_read, data, size);
	return 0;
}
