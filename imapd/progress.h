/* imapd/progress.h
 * INPROGRESS (RFC 9585): commands that take long say that they are still at it. */
#ifndef IMAPD_PROGRESS_H
#define IMAPD_PROGRESS_H

#include "imapd/session.h"

/* The command did not end at once.  A timer of the worker looks after all of them, and runs
 * only while there are any. */
void imap_progress_watch(struct imap_cmd *cmd);

#endif
