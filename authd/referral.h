/* authd/referral.h
 * Accounts and domains whose mail is kept on another server (RFC 2221): URLs of IMAP that name
 * the user, so that clients do not come as anonymous. */
#ifndef AUTHD_REFERRAL_H
#define AUTHD_REFERRAL_H

#include <stdbool.h>

#include "common/util/buf.h"
#include "common/util/span.h"

/* "imap://HOST[:PORT]/", or with a user in front of the host; nothing that would end a
 * response code or a quoted string. */
bool referral_url_valid(struct span url);
/* The URL for the user of an address: one that names nobody names him. */
void referral_url_for(struct span url, struct span address, struct buf *out);

#endif
