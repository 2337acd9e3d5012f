/* jmapd/mailbox/mailbox.h
 * The methods of Mailbox (RFC 8621 §2), for their table in methods.c of this folder. */
#ifndef JMAPD_MAILBOX_MAILBOX_H
#define JMAPD_MAILBOX_MAILBOX_H

#include "jmapd/core/method.h"

void mailbox_get(struct jmap_call *c);
void mailbox_changes(struct jmap_call *c);
void mailbox_query(struct jmap_call *c);
void mailbox_query_changes(struct jmap_call *c);
void mailbox_set(struct jmap_call *c);

#endif
