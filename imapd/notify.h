/* imapd/notify.h
 * NOTIFY (RFC 5465): what a session wants to hear of, and telling it between commands.
 *
 * A dirty note of the store only says that something changed; what did is asked for when the
 * client takes output.  So nothing waits in memory but one bit, the names and numbers of the
 * mailboxes watched, and the uids of new messages whose data was asked for. */
#ifndef IMAPD_NOTIFY_H
#define IMAPD_NOTIFY_H

#include "imapd/session.h"

void imap_notify_free(struct imap_notify **n);
/* The store said that something changed. */
void imap_notify_note(struct imap_session *s);
/* What is not told yet is told, when no command is under way. */
void imap_notify_dirty(struct imap_session *s);
/* Tells it within a command that lets itself be interrupted (IDLE), then done. */
void imap_notify_run(struct imap_cmd *cmd, void (*done)(struct imap_cmd *cmd));
/* The client wants to hear nothing of the selected mailbox. */
bool imap_notify_silent(const struct imap_session *s);
/* Flag changes in the selected mailbox are told. */
bool imap_notify_flags(const struct imap_session *s);
/* Which annotations changed there is told: view->annotated is there. */
bool imap_notify_annotations(struct imap_session *s);
/* Expunges may be told although no command is under way. */
bool imap_notify_expunges(const struct imap_session *s);
/* Messages that this session itself made in its selected mailbox: EXISTS alone tells them. */
void imap_notify_own(struct imap_session *s, uint64_t mailbox, const struct uidset *uids);
/* ENABLE METADATA or METADATA-SERVER: changes of annotations by others are told, as long as
 * NOTIFY does not say otherwise (RFC 5464 §4.1).  Adds the word if it is one of them. */
void imap_notify_enable(struct imap_session *s, struct span name, struct buf *out);
/* The end of ENABLE: the command ends once it is known from where on changes count. */
void imap_notify_enabled(struct imap_cmd *cmd);
/* Annotations that this session itself set: put_store_metadata(); path empty: the account's. */
void imap_notify_own_metadata(struct imap_session *s, struct span path, struct span entries);
/* Settings are in force, or others: changed annotations of the server are told. */
void imap_notify_configured(struct imap_server *srv);
/* Messages above this uid were told with EXISTS. */
void imap_notify_new(struct imap_session *s, uint32_t above);

#endif
