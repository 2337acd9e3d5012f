#include "jmapd/core/capability.h"

#include <stddef.h>

#include "common/mail/mailbox_name.h"

/* RFC 8621 §4.4.2 */
static const char *const email_sorts[] = {
	"receivedAt", "size", "from", "to", "subject", "sentAt", "hasKeyword",
	"allInThreadHaveKeyword", "someInThreadHaveKeyword", NULL
};

const char *const jmap_collations[] = { "i;unicode-casemap", NULL };

static void
put_strings(struct json_writer *w, const char *key, const char *const *list)
{
	json_key(w, key);
	json_begin_array(w);
	while (*list != NULL)
		json_str(w, *list++);
	json_end_array(w);
}

/* RFC 8621 §1.3.1 */
static void
put_mail(struct json_writer *w, const struct jmap_host *h)
{
	json_kv_uint(w, "maxMailboxesPerEmail", JMAP_MAILBOXES_MAX);
	json_kv_uint(w, "maxMailboxDepth", MAILBOX_DEPTH_MAX);
	json_kv_uint(w, "maxSizeMailboxName", MAILBOX_PART_MAX);
	json_kv_uint(w, "maxSizeAttachmentsPerEmail", JMAP_ATTACHMENTS_MAX);
	put_strings(w, "emailQuerySortOptions", email_sorts);
	json_kv_bool(w, "mayCreateTopLevelMailbox", true);
}

/* RFC 9404 §3 */
static void
put_blob(struct json_writer *w, const struct jmap_host *h)
{
	static const char *const types[] = { "Mailbox", "Thread", "Email", NULL };
	static const char *const digests[] = { "sha", "sha-256", "sha-512", NULL };

	json_kv_uint(w, "maxSizeBlobSet", h->limits->max_size_upload);
	json_kv_uint(w, "maxDataSources", JMAP_BLOB_SOURCES_MAX);
	put_strings(w, "supportedTypeNames", types);
	put_strings(w, "supportedDigestAlgorithms", digests);
}

const struct jmap_capability jmap_capability_table[] = {
	{ JMAP_CORE, NULL },
	{ JMAP_MAIL, put_mail },
	{ JMAP_BLOB, put_blob },
	{ JMAP_QUOTA, NULL },
	{ 0 }
};
