/* outd/dial.h
 * A connection to a host by name, without waiting: the name is resolved in a thread, its addresses are tried
 * one after the other. */
#ifndef OUTD_DIAL_H
#define OUTD_DIAL_H

#include <stdint.h>

#include "common/net/loop.h"

struct dial;

/* fd: connected, non-blocking, the callee's; or -1 and why.  The dial is gone after it. */
typedef void (*dial_done_fn)(void *arg, int fd, const char *why);
/* Never calls fn from inside.  host is copied. */
struct dial *dial_start(struct loop *l, const char *host, uint16_t port, uint64_t within_ms,
    dial_done_fn fn, void *arg);
void dial_cancel(struct dial **d);

#endif
