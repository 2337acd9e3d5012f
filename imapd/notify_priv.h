/* imapd/notify_priv.h
 * What the files of NOTIFY share: notify.c tells between commands, notify_known.c knows the other
 * mailboxes, notify_metadata.c the annotations, cmd_notify.c reads what a client asks for. */
#ifndef IMAPD_NOTIFY_PRIV_H
#define IMAPD_NOTIFY_PRIV_H

#include "common/util/table.h"
#include "imapd/notify.h"

enum {
	EV_NEW = 1, EV_EXPUNGE = 2, EV_FLAG = 4, EV_NAME = 8, EV_SUBSCRIPTION = 16,
	EV_METADATA = 32, EV_SERVER = 64, EV_ANNOTATION = 128,
	EV_CHANGE = EV_FLAG | EV_ANNOTATION,	/* which of both is not known of other mailboxes */
	EV_MESSAGE = EV_NEW | EV_EXPUNGE | EV_CHANGE
};

enum notify_filter { F_SELECTED, F_DELAYED, F_PERSONAL, F_SUBSCRIBED, F_SUBTREE, F_MAILBOXES };

struct notify_group {
	enum notify_filter	filter;
	struct span	*names;
	size_t		n_names;
	unsigned	events;
};

/* A mailbox as the client knows it; id 0: a subscribed name without one. */
struct notify_known {
	uint64_t	id, highestmodseq;
	struct buf	path, old;
	uint32_t	uidvalidity, uidnext, messages, unseen, epoch;
	uint8_t		role;
	bool		subscribed, has_children;
	bool		created, renamed, resubscribed;
	unsigned	changed;	/* EV_... of messages */
};

struct imap_notify {
	struct arena	arena;
	struct notify_group	*groups;
	size_t		n_groups;
	unsigned	selected;	/* events of the selected mailbox */
	bool		delayed, others;
	/* Not NOTIFY but ENABLE METADATA: `metadata` is all that is asked for. */
	bool		passive;
	unsigned	metadata;	/* EV_METADATA, EV_SERVER: of any group */
	unsigned	server_changed;	/* SERVER_... */
	struct buf	own_noted;	/* put_span() of path and name: set by the session */
	struct span	atts;		/* "(UID FLAGS)" of new messages; empty: none */
	uint64_t	mailbox;	/* `fresh` are uids of it */
	struct uidset	fresh;
	struct uidset	own;		/* not fetched: the client made them */
	bool		pending, running;
	void		(*done)(struct imap_cmd *cmd);
	/* other mailboxes */
	uint64_t	modseq;		/* of the account: told up to it */
	uint64_t	asked;
	uint32_t	epoch;
	struct table	by_id, by_path;
	struct notify_known	**all;
	size_t		n_all, room;
	bool		overflow;
};

/* ---- notify_known.c ---- */

void notify_known_free(struct notify_known *k);
/* What is asked of a mailbox other than the selected one: EV_... */
unsigned notify_events_of(const struct imap_notify *n, struct span path, bool subscribed);
bool notify_is_selected(const struct imap_session *s, const struct notify_known *k);
void notify_put_status(const struct imap_session *s, const struct notify_known *k, unsigned events,
    struct buf *out);
/* Lines of the store's list; full: of the whole list, which alone knows names. */
void notify_take_lines(struct imap_notify *n, struct span list, bool full);
/* What changed since; full: what the list did not name is gone. */
void notify_tell_all(struct imap_session *s, bool full);

/* ---- notify_metadata.c ---- */

void notify_tell_metadata(struct imap_session *s, const struct store_touched_are *are);

#endif
