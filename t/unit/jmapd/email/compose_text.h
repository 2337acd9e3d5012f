/* t/unit/jmapd/email/compose_text.h
 * An Email to create, as JSON, to its message, without a server.  The only blobs are "B1": the bytes
 * that are given. */
#ifndef T_UNIT_JMAPD_EMAIL_COMPOSE_TEXT_H
#define T_UNIT_JMAPD_EMAIL_COMPOSE_TEXT_H

#include "common/util/buf.h"
#include "common/util/span.h"

/* false: refused: out has the properties and why. */
bool compose_text(struct span email, struct span blob, struct buf *out);

#endif
