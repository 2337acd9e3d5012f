/* jmapd/mailbox/mailboxes.h
 * The mailboxes of a call's account, read for that call. */
#ifndef JMAPD_MAILBOX_MAILBOXES_H
#define JMAPD_MAILBOX_MAILBOXES_H

#include "common/mail/type_state.h"
#include "common/util/table.h"
#include "jmapd/core/method.h"
#include "jmapd/mirror/mirror.h"
#include "storage/api/store_email.h"

struct mailbox_row {
	uint64_t		id, parent;	/* parent 0: top level */
	struct span		path, name;	/* of INBOX: "Inbox" */
	enum mailbox_role	role;
	uint32_t		order, rights;
	bool			subscribed, inbox, has_children;
};

struct mailboxes {
	struct jmap_call	*call;
	void			(*ready)(struct jmap_call *c);
	bool			counts;		/* the mirror is wanted, too */
	unsigned		waiting;
	struct store_call	*states_call, *list_call;
	struct mirror_call	*mirror_call;

	struct type_state	state;
	struct mailbox_row	*rows;		/* by path */
	size_t			count, room;
	struct table		by_id, by_path;
	uint64_t		trash;		/* 0: none has this role */
};

/* Zeroed before.  ready() is called later, with all of it known and, if it was wanted, the mirror
 * fresh; when something fails the call is ended instead.  Memory is the call's arena's, but for
 * what mailboxes_fini() frees, to be called from c->ended. */
void mailboxes_load(struct mailboxes *m, struct jmap_call *c, bool counts,
    void (*ready)(struct jmap_call *c));
void mailboxes_fini(struct mailboxes *m);

/* By id, by the text of it; NULL: none. */
const struct mailbox_row *mailboxes_get(const struct mailboxes *m, uint64_t id);
const struct mailbox_row *mailboxes_find(const struct mailboxes *m, struct span id);

/* The properties, with "id" first, as jmap_get_properties() wants them; MAILBOX_... are bits. */
enum {
	MAILBOX_ID = 1, MAILBOX_NAME = 2, MAILBOX_PARENT = 4, MAILBOX_ROLE = 8, MAILBOX_ORDER = 16,
	MAILBOX_TOTAL_EMAILS = 32, MAILBOX_UNREAD_EMAILS = 64, MAILBOX_TOTAL_THREADS = 128,
	MAILBOX_UNREAD_THREADS = 256, MAILBOX_RIGHTS = 512, MAILBOX_SUBSCRIBED = 1024,
	MAILBOX_COUNTS = 480, MAILBOX_ALL = 2047
};
#define MAILBOX_PROPERTIES 11u
extern const char *const mailbox_properties[MAILBOX_PROPERTIES];

/* Writes members of the object; counts may be NULL when none is wanted. */
void mailbox_put(struct json_writer *w, const struct mailbox_row *r,
    const struct mirror_counts *counts, uint64_t properties);
void mailbox_put_rights(struct json_writer *w, const struct mailbox_row *r);

/* The JMAP role of a text; false: there is none of this name.  SPAN_NONE: none. */
bool mailbox_role_read(struct span text, enum mailbox_role *role);

#endif
