/* outd/taken.h
 * What each role does with a configuration and secrets that come: they may be those that it has. */
#ifndef OUTD_TAKEN_H
#define OUTD_TAKEN_H

#include "common/conf/settings.h"
#include "common/util/buf.h"

/* Does anything that begins with one of these names differ?  NULL-terminated. */
bool taken_differs(const struct mansio_conf *a, const struct mansio_conf *b,
    const char *const names[]);
/* *mine becomes fresh; false: it is that already.  What it was is wiped. */
bool taken_keep(struct buf *mine, struct span fresh);

#endif
