/* imapd/events.h
 * Scripts that are run because of what a command did to messages (imapsieve, RFC 6785): the command
 * tells what it did when the store's answer is there, and the scripts run before its tagged line. */
#ifndef IMAPD_EVENTS_H
#define IMAPD_EVENTS_H

#include "filter/event.h"
#include "imapd/session.h"

/* ---- the worker's ---- */

void imap_events_configured(struct imap_server *srv, const struct mansio_conf *conf);
void imap_events_rules(struct front *f, char *blob, size_t len);
void imap_events_fini(struct imap_server *srv);

/* ---- a command's ---- */

/* It happened in that mailbox of that store: nothing is to be done in another one's.  modseq: of the
 * change of flags, 0 of others. */
void imap_event(struct imap_cmd *cmd, const struct store *store, enum event_cause cause,
    uint64_t mailbox, uint64_t modseq, const struct uidset *uids);
/* The same of those rows of flags_are that the change with its modseq made. */
void imap_event_rows(struct imap_cmd *cmd, const struct store *store, uint64_t mailbox,
    const struct store_flags_are *are);
/* The command ends: runs what there is to run, then calls done.  false: nothing, at once. */
bool imap_events_run(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd));
void imap_events_free(struct imap_cmd *cmd);

#endif
