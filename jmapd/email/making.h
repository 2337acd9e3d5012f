/* jmapd/email/making.h
 * One Email made: composed for Email/set create, or taken out of a blob for Email/import. */
#ifndef JMAPD_EMAIL_MAKING_H
#define JMAPD_EMAIL_MAKING_H

#include "jmapd/core/set.h"
#include "jmapd/email/adding.h"

struct making;
/* Once, later.  st: ST_OK: it is there, as `a` tells; else making_report() says why not. */
typedef void (*making_fn)(void *arg, enum status st, const struct added *a);

/* asked: an Email to create, or an EmailImport; borrowed.  if_email: the state that the account must
 * be in, 0: any; ST_CONFLICT when it is not. */
struct making *making_create(struct jmap_call *c, const struct json *asked, uint64_t if_email,
    making_fn done, void *arg);
struct making *making_import(struct jmap_call *c, const struct json *asked, uint64_t if_email,
    making_fn done, void *arg);
void making_free(struct making **m);

/* What became of it, into the lists of JMAP_CREATE. */
void making_report(const struct making *m, struct jmap_set *s, struct span creation_id);

#endif
