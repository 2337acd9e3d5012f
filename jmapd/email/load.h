/* jmapd/email/load.h
 * An Email object out of the bytes of a blob, of which nothing else is known: digested, planned,
 * and read once more where something of it is wanted that was not kept. */
#ifndef JMAPD_EMAIL_LOAD_H
#define JMAPD_EMAIL_LOAD_H

#include "jmapd/blob/blob_reader.h"
#include "jmapd/core/method.h"
#include "jmapd/email/object.h"

struct email_load;
/* ST_OK: o is ready for email_put(), until email_load_free(), which may be called here.  ST_SYNTAX:
 * it is no message; ST_LIMIT: more than keep_max is wanted of it. */
typedef void (*email_load_fn)(void *arg, enum status st, const struct email_object *o);

/* Of the call's account.  want, put_own and own are borrowed.  done runs later, once. */
struct email_load *email_load_start(struct jmap_call *c, const struct blob_id *id,
    const struct email_want *want, size_t keep_max,
    void (*put_own)(void *own, struct json_writer *w, enum email_property p), void *own,
    email_load_fn done, void *arg);
void email_load_free(struct email_load **l);

#endif
