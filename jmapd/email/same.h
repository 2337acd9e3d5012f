/* jmapd/email/same.h
 * What an update repeats of an Email that nobody can change: a whole object is a valid patch, as long
 * as its values are those that are there (RFC 8620 §5.3).  Those that the mirror has are judged at once, the
 * content is read. */
#ifndef JMAPD_EMAIL_SAME_H
#define JMAPD_EMAIL_SAME_H

#include "jmapd/core/method.h"

/* "subject", "header:X", what no Email has: all but those of the store and deeper paths. */
bool same_is_content(struct span key);
/* Does the patch name any? */
bool same_asks(const struct json *patch);

struct same;
/* differing: those of them that are others than the Email's, blanks between; the arena's. */
typedef void (*same_fn)(void *arg, struct span differing);
/* patch is borrowed.  done runs later, once. */
struct same *same_start(struct jmap_call *c, uint64_t email, const struct json *patch, same_fn done,
    void *arg);
void same_free(struct same **s);

#endif
