/* outd/relay.h
 * The configured relay: letters wait for one of at most `connections` sessions (session.h).  While it
 * cannot be reached they are ended at once, to be tried again when the store thinks it time. */
#ifndef OUTD_RELAY_H
#define OUTD_RELAY_H

#include "common/conf/settings.h"
#include "common/net/loop.h"
#include "outd/letter.h"

struct relay;

/* It is in the list `home` for as long as it lives.  Takes conf over.  ca: PEM, empty: the system's; both are
 * copied.  NULL: said in the log. */
struct relay *relay_new(struct loop *l, struct list *home, struct mansio_conf *conf, struct span ca,
    struct span password);
/* What waits is ended; what is under way ends as it would, and the relay with it. */
void relay_retire(struct relay **r);
/* All of them, at once; no letter is theirs any more. */
void relays_free(struct list *home);
/* It may end from inside. */
void relay_send(struct relay *r, struct letter *l);

#endif
