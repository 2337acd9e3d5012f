/* imapd/limits.h
 * How many messages one command takes (MESSAGELIMIT and SAVELIMIT, RFC 9738).
 *
 * What is above it is done for the highest uids alone, and the ending says for which:
 * imap_limit_tell() puts that there, so that handlers need not know. */
#ifndef IMAPD_LIMITS_H
#define IMAPD_LIMITS_H

#include "imapd/session.h"

/* Of FETCH, SEARCH, STORE, MOVE and UID EXPUNGE; UINT64_MAX: none. */
uint64_t imap_message_limit(const struct imap_session *s);
/* Of COPY and APPEND, which are done whole or not at all. */
uint64_t imap_save_limit(const struct imap_session *s);
/* Keeps as many of the highest uids as the command may take. */
void imap_limit_uids(struct imap_cmd *cmd, struct uidset *uids);
/* Ends the command with NO when it would take n messages and may not; the response code names
 * the lowest uid that would fit, unless uids is NULL. */
bool imap_limit_refuse(struct imap_cmd *cmd, uint64_t n, uint64_t limit,
    const struct uidset *uids);
/* Before the tagged line: says what the limit left out. */
void imap_limit_tell(struct imap_cmd *cmd);

#endif
