#include "jmapd/methods.h"

#include <stddef.h>

const struct jmap_method *const jmap_all_methods[] = {
	jmap_core_methods,
	jmap_mailbox_methods,
	jmap_thread_methods,
	jmap_quota_methods,
	jmap_email_methods,
	jmap_blob_methods,
	jmap_query_methods,
	jmap_push_methods,
	NULL
};
