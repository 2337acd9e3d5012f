/* imapd/metadata.h
 * Annotations of mailboxes in other commands than GETMETADATA. */
#ifndef IMAPD_METADATA_H
#define IMAPD_METADATA_H

#include "imapd/session.h"

struct imap_metadata;

/* The server's own annotations, which come from the configuration; those that are empty are not there. */
struct imap_server_entry {
	const char	*name;
	struct span	value;
};
#define IMAP_SERVER_ENTRIES	3u
void imap_server_entries(const struct imap_server *srv,
    struct imap_server_entry v[IMAP_SERVER_ENTRIES]);

/* Reads "(" entry *(SP entry) ")", as METADATA of LIST has it (RFC 9590 §5); more: becomes
 * cmd->drained where the client is slow, and calls imap_metadata_more(). */
struct imap_metadata *imap_args_metadata(struct imap_cmd *cmd, void (*more)(struct imap_cmd *cmd));
void imap_metadata_free(struct imap_metadata **q);
/* Tells these entries of a mailbox as GETMETADATA would, or nothing where they may not be
 * read, then done(). */
void imap_metadata_tell(struct imap_metadata *q, struct span path, uint64_t mailbox,
    void (*done)(struct imap_cmd *cmd));
void imap_metadata_more(struct imap_metadata *q);

#endif
