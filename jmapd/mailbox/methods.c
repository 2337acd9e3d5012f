#include "jmapd/mailbox/mailbox.h"
#include "jmapd/methods.h"

const struct jmap_method jmap_mailbox_methods[] = {
	{ "Mailbox/get", JMAP_MAIL, mailbox_get, 0 },
	{ "Mailbox/changes", JMAP_MAIL, mailbox_changes, 0 },
	{ "Mailbox/query", JMAP_MAIL, mailbox_query, 0 },
	{ "Mailbox/queryChanges", JMAP_MAIL, mailbox_query_changes, 0 },
	{ "Mailbox/set", JMAP_MAIL, mailbox_set, JMAP_WRITES },
	{ 0 }
};
