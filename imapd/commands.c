/* The families of commands. */
#include "imapd/session.h"

const struct imap_command *const imap_families[] = {
	imap_cmds_any, imap_cmds_auth, imap_cmds_mailbox, imap_cmds_list, imap_cmds_select, imap_cmds_append,
	imap_cmds_fetch, imap_cmds_store, imap_cmds_copy, imap_cmds_search, imap_cmds_expunge,
	imap_cmds_idle, imap_cmds_acl, imap_cmds_metadata, imap_cmds_quota, imap_cmds_notify, imap_cmds_batches,
	imap_cmds_context, imap_cmds_esearch, imap_cmds_comparator, imap_cmds_language, imap_cmds_urlauth, NULL
};

const struct imap_command *
imap_command_find(const struct imap_session *s, struct span name, bool uid)
{
	for (size_t f = 0; imap_families[f] != NULL; f++) {
		for (const struct imap_command *c = imap_families[f]; c->name != NULL; c++) {
			if (!span_caseeq_str(name, c->name) || !imap_cap_on(s, c->cap))
				continue;
			if (uid ? (c->flags & (IMAP_CMD_UID | IMAP_CMD_UID_ONLY)) != 0 :
			    (c->flags & IMAP_CMD_UID_ONLY) == 0)
				return c;
		}
	}
	return NULL;
}
