/* imapd/filters.h
 * Named filters in searches (RFC 5466): the criteria kept in the server annotation
 * /private/filters/values/NAME stand in the place of FILTER NAME, before the command
 * is read for good. */
#ifndef IMAPD_FILTERS_H
#define IMAPD_FILTERS_H

#include "common/proto/imap_search.h"
#include "imapd/session.h"

#define FILTERS_PREFIX		"/private/filters/values/"
#define FILTERS_PASSES		4u		/* a filter in a filter in ...; a loop ends there */
#define FILTERS_TEXT_MAX	(256u << 10)	/* of the arguments with all put in */

/* Looks for filters in the rest of the command's arguments.  false: there are none (or what
 * is there is malformed): go on.  true: cmd->args are rewritten and again() runs later, or the
 * command was ended. */
bool imap_filters_expand(struct imap_cmd *cmd,
    void (*parse)(struct imap_args *a, struct imap_search *s),
    void (*again)(struct imap_cmd *cmd, void *arg), void *arg);

#endif
