/* jmapd/core/limits.h
 * The limits that the session object tells, and that are enforced: from the section `jmap` of
 * the configuration. */
#ifndef JMAPD_CORE_LIMITS_H
#define JMAPD_CORE_LIMITS_H

#include <stdint.h>

struct jmap_limits {
	uint64_t	max_size_upload;
	uint64_t	max_concurrent_upload;
	uint64_t	max_size_request;
	uint64_t	max_concurrent_requests;
	uint64_t	max_calls_in_request;
	uint64_t	max_objects_in_get;
	uint64_t	max_objects_in_set;
	uint64_t	max_size_answer;	/* bytes of a request's answer */
};

#define JMAP_LIMITS_DEFAULT { 50000000, 4, 10000000, 8, 64, 1000, 1000, 50000000 }

/* What no setting changes. */
#define JMAP_REFERENCES_MAX	128u	/* result references of a request */
#define JMAP_CREATED_IDS_MAX	10000u	/* ids that createdIds brings, and that calls add */
#define JMAP_USING_MAX		64u
#define JMAP_CALL_ID_MAX	255u	/* bytes */
#define JMAP_ATTACHMENTS_MAX	50000000u	/* of an email, decoded: maxSizeAttachmentsPerEmail */
#define JMAP_MAILBOXES_MAX	1000u		/* maxMailboxesPerEmail */
#define JMAP_BLOB_SOURCES_MAX	64u	/* of a blob: maxDataSources */

#endif
