/* jmapd/email/methods.h
 * The methods of Emails whose matter is their content: get, parse, set, import, copy. */
#ifndef JMAPD_EMAIL_METHODS_H
#define JMAPD_EMAIL_METHODS_H

#include "jmapd/core/args.h"
#include "jmapd/email/want.h"

void email_get(struct jmap_call *c);
void email_parse(struct jmap_call *c);
void email_set(struct jmap_call *c);
void email_import(struct jmap_call *c);
void email_copy(struct jmap_call *c);

/* get.c.  Reads the arguments that get and parse share. */
void email_want_args(struct jmap_call *c, struct email_want *w, bool parse);
/* What an answer may still keep, in bytes. */
size_t email_room(const struct jmap_call *c);

#endif
