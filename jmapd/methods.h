/* jmapd/methods.h
 * The one list of method tables.  A folder adds its table here when its methods are there. */
#ifndef JMAPD_METHODS_H
#define JMAPD_METHODS_H

#include "jmapd/core/method.h"

extern const struct jmap_method *const jmap_all_methods[];

extern const struct jmap_method jmap_core_methods[];	/* jmapd/core/echo.c */
extern const struct jmap_method jmap_mailbox_methods[];	/* jmapd/mailbox/methods.c */
extern const struct jmap_method jmap_thread_methods[];	/* jmapd/thread/thread.c */
extern const struct jmap_method jmap_email_methods[];	/* jmapd/email/methods.c */
extern const struct jmap_method jmap_query_methods[];	/* jmapd/query/email_query.c */
extern const struct jmap_method jmap_blob_methods[];	/* jmapd/blob/methods.c */
extern const struct jmap_method jmap_quota_methods[];	/* jmapd/quota/quota.c */
extern const struct jmap_method jmap_push_methods[];	/* jmapd/push */

#endif
