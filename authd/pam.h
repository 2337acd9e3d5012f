/* authd/pam.h
 * One question to PAM: may this user log in with this password?  Blocks: for the children
 * of the pool. */
#ifndef AUTHD_PAM_H
#define AUTHD_PAM_H

#include "common/util/span.h"
#include "common/util/status.h"

/* Asks authentication and account.  ST_OK; ST_DENIED; ST_EXPIRED (password or account past
 * its time); ST_UNAVAILABLE (PAM itself is at fault). */
enum status pam_check(struct span service, struct span user, struct span password,
    struct span peer);

#endif
