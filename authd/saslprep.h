/* authd/saslprep.h
 * SASLprep (RFC 4013): the form in which names and passwords are compared, so that what one
 * keyboard types is what another typed.  The home of libidn. */
#ifndef AUTHD_SASLPREP_H
#define AUTHD_SASLPREP_H

#include <stdbool.h>

#include "common/util/buf.h"
#include "common/util/span.h"

/* For what is kept ("stored string") characters that Unicode 3.2 does not know are refused,
 * for what is asked ("query") they stay.  Appends; false, and nothing appended: no UTF-8, a
 * character that is prohibited, directions mixed, or nothing is left. */
enum saslprep_for { SASLPREP_QUERY, SASLPREP_STORED };
bool saslprep(struct span in, enum saslprep_for purpose, struct buf *out);
/* Likewise; what cannot be prepared is appended as it is. */
void saslprep_or_raw(struct span in, struct buf *out);

#endif
