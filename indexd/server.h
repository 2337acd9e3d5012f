/* indexd/server.h
 * What stored may ask: jobs, one at a time. */
#ifndef INDEXD_SERVER_H
#define INDEXD_SERVER_H

#include "common/net/loop.h"
#include "common/util/buf.h"
#include "indexd/extract.h"

struct indexd;

struct indexd *indexd_new(struct loop *l);
void indexd_free(struct indexd **d);
/* stored's socket; takes fd over, and replaces an earlier one. */
void indexd_connect(struct indexd *d, int fd);
/* Who makes text of attachments; taken over, may be NULL. */
void indexd_extract(struct indexd *d, struct extract *x);
/* CPU seconds that one message of stored may cost; the kernel ends the process that takes more
 * (SIGXCPU).  0: no limit. */
void indexd_limit_cpu(struct indexd *d, unsigned seconds);
/* "name=value\n" text. */
void indexd_status(const struct indexd *d, struct buf *out);

#endif
