/* jmapd/mailbox/set_priv.h
 * A change asked for by Mailbox/set: read by set_read.c, made by set.c. */
#ifndef JMAPD_MAILBOX_SET_PRIV_H
#define JMAPD_MAILBOX_SET_PRIV_H

#include "jmapd/core/set.h"
#include "jmapd/mailbox/mailboxes.h"

struct mailbox_item {
	enum jmap_set_part	part;
	struct span		key;		/* creation id or id, as the client wrote it */
	uint64_t		id;		/* not of create */
	const struct mailbox_row *row;		/* not of create */
	uint64_t		given;		/* MAILBOX_...: which properties the client named */
	uint8_t			fields;		/* MAILBOX_CHANGED_... */
	uint64_t		parent;
	struct span		parent_ref;	/* "#x" that nothing was created under yet */
	struct span		name;
	bool			renamed;	/* the name is not byte for byte what was given */
	enum mailbox_role	role;
	uint32_t		order;
	bool			subscribed;

	bool			pending;
	bool			parked, role_parked;	/* it has lent its name, or its role */
	uint8_t			verdict;
};

/* Reads the object or patch; false: the item was refused (set's lists tell it). */
bool mailbox_item_read(struct jmap_call *c, struct jmap_set *set, const struct mailboxes *boxes,
    struct mailbox_item *it, const struct json *object);

#endif
