/* filter/notice.h
 * The message that tells a user that the own mail rules failed. */
#ifndef FILTER_NOTICE_H
#define FILTER_NOTICE_H

#include "common/util/buf.h"
#include "filter/filter.h"

/* As long as a script is not changed its error is told once in this time. */
#define NOTICE_SECONDS	(365u * 86400)

/* The whole message, about the active script. */
void notice_make(const char *host, const char *user, const struct filter_error *e, int64_t now,
    struct buf *out);
/* About one that was run for an event in a mailbox (RFC 6785). */
void notice_make_event(const char *host, const char *user, struct span script, struct span mailbox,
    const struct filter_error *e, int64_t now, struct buf *out);
/* What is remembered: that the user was told of this version of the script (its SHA-256). */
void notice_key(const unsigned char script[32], unsigned char key[32]);

#endif
