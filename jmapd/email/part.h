/* jmapd/email/part.h
 * EmailBodyPart (RFC 8621 §4.1.4): a part of a message's structure as JSON.  Messages inside are
 * parts like others, which are not looked into. */
#ifndef JMAPD_EMAIL_PART_H
#define JMAPD_EMAIL_PART_H

#include "jmapd/email/object.h"

/* The part behind i, depth first, without those of messages inside; MIME_NONE: no more. */
uint32_t part_next(const struct mime_structure *s, uint32_t i);
/* "1.2", as IMAP numbers it; appended. */
void part_id_put(const struct mime_structure *s, uint32_t i, struct buf *out);
/* Of its Content-Type; empty: none. */
struct span part_charset(const struct mime_part_view *v);
/* Does the structure know how long its content is? */
bool part_size_known(const struct mime_part_view *v);
/* deep: with its subParts. */
void part_put(const struct email_object *o, struct json_writer *w, struct arena *a, uint32_t i,
    bool deep);

#endif
