/* imapd/names.h
 * Names of mailboxes that are not the session's own: "Other Users/ADDRESS/PATH" is PATH in
 * that account, "Shared/ADDRESS/PATH" in an account that belongs to nobody.  What the two
 * namespaces are called is configured.
 *
 * Who stands in a command's text is looked up before the command runs, so that commands
 * find the store of a path at once with imap_route().  A name that nobody has leads to a
 * channel that knows nothing, like the account of somebody who shares nothing: the answers
 * are the same. */
#ifndef IMAPD_NAMES_H
#define IMAPD_NAMES_H

#include "imapd/session.h"

/* Looks up what a command's text names.  true: `then` runs later, unless the command ended;
 * where one still reads its input it runs always, and s->naming_failed says how it went. */
bool imap_names_prepare(struct imap_cmd *cmd, void (*then)(struct imap_cmd *cmd));
/* The command is over. */
void imap_names_stop(struct imap_session *s);
/* The store of a path, which becomes the path there. */
struct store *imap_route(struct imap_session *s, struct span *path);
/* The names of the namespaces, without delimiter; "": there is none. */
static inline struct span
imap_namespace(const struct imap_session *s, bool shared)
{
	return span_str(shared ? s->srv->conf->shared_prefix : s->srv->conf->other_users_prefix);
}
/* "#undelete/PATH" is what was deleted from a mailbox of one's own: it can be read, and copied
 * out of.  Who has a mailbox "#undelete" of his own keeps it and gets no such namespace.  It is
 * listed where a command names it, and nowhere else. */
static inline struct span
imap_undelete_prefix(const struct imap_session *s)
{
	return span_str(s->srv->conf->undelete_prefix);
}
bool imap_is_undelete(const struct imap_session *s, struct span path);
/* Is this the store in which they are? */
bool imap_store_is_undelete(const struct imap_session *s, const struct store *store);
/* Whose account it lies in. */
uint64_t imap_route_owner(struct imap_session *s, struct span path);
/* The store of an account that a URL names, whatever it shares; id IMAP_NOBODY: of one that
 * knows nothing.  It may end with the next visit, and with imap_names_leave(). */
#define IMAP_NOBODY UINT64_MAX
struct store *imap_names_visit(struct imap_session *s, uint64_t id, uint32_t shard);
void imap_names_leave(struct imap_session *s);
/* As store_do_list(), over all namespaces, paths as the client knows them. */
void imap_list(struct imap_cmd *cmd, const struct store_list *rq, store_done_fn fn);
/* The mailbox of this store is selected now; NULL: none. */
void imap_names_select(struct imap_session *s, struct store *at);
/* cmd_append.c: COPY and MOVE of the selected mailbox's messages into another account. */
void imap_append_across(struct imap_cmd *cmd, const struct uidset *uids, struct span to,
    bool move);
/* The letters of rights, "lrs". */
void imap_put_rights(uint32_t rights, struct buf *out);
void imap_names_renew(struct imap_session *s, struct span ticket);
void imap_names_free(struct imap_session *s);
/* cmd_auth.c: what the store of the selected mailbox, or one's own, tells. */
void imap_store_event(struct imap_session *s, enum store_event ev, uint64_t modseq);

#endif
