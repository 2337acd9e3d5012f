#include "jmapd/blob/blob.h"
#include "jmapd/methods.h"

const struct jmap_method jmap_blob_methods[] = {
	{ "Blob/copy", JMAP_CORE, blob_copy, JMAP_FROM_ACCOUNT },
	{ "Blob/get", JMAP_BLOB, blob_get, 0 },
	{ "Blob/lookup", JMAP_BLOB, blob_lookup, 0 },
	{ "Blob/upload", JMAP_BLOB, blob_upload, JMAP_WRITES },
	{ 0 }
};
