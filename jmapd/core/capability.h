/* jmapd/core/capability.h
 * The capabilities there may be.  One is announced, and may be named in `using`, when a method
 * table has methods of it. */
#ifndef JMAPD_CORE_CAPABILITY_H
#define JMAPD_CORE_CAPABILITY_H

#include "jmapd/core/method.h"

struct jmap_capability {
	const char	*name;
	/* Members of its object in accountCapabilities; NULL: none. */
	void		(*put_account)(struct json_writer *w, const struct jmap_host *h);
};
extern const struct jmap_capability jmap_capability_table[];
/* collationAlgorithms (RFC 4790). */
extern const char *const jmap_collations[];

#endif
