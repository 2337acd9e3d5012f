/* filter/loops.h
 * Redirected mail that comes back is not redirected again: it stays here, where somebody sees it. */
#ifndef FILTER_LOOPS_H
#define FILTER_LOOPS_H

#include "common/conf/settings.h"
#include "sieve/message.h"

/* The field that a redirected message gets. */
void loops_trace(const char *user, struct buf *out);
/* Why it must not be redirected; NULL: it may.  m: with what was put in front of it here; whole: the
 * trace can be put into it. */
const char *loops_redirect(const struct mansio_conf *conf, struct sieve_message *m, bool whole,
    struct span user, struct span to);

/* Why nothing can be sent from here; NULL: it can. */
const char *loops_send(const struct mansio_conf *conf);

#endif
