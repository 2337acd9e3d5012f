/* authd/lookup.h
 * Requests of peers that need the directory: each is answered when that has what it asks. */
#ifndef AUTHD_LOOKUP_H
#define AUTHD_LOOKUP_H

#include "authd/authd.h"

void lookup_rcpt(struct peer *p, const struct ipc_head *head, const struct auth_rcpt *rq);
void lookup_who(struct peer *p, const struct ipc_head *head, const struct auth_who *rq);
void lookup_renew(struct peer *p, const struct ipc_head *head, const struct auth_renew *rq);

#endif
