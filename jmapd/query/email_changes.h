/* jmapd/query/email_changes.h
 * Methods of Emails whose functions stand in files of their own. */
#ifndef JMAPD_QUERY_EMAIL_CHANGES_H
#define JMAPD_QUERY_EMAIL_CHANGES_H

#include "jmapd/core/method.h"

void jmap_email_changes(struct jmap_call *c);

#endif
