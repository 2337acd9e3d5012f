/* jmapd/mirror_changes.h
 * Foo/changes of a type whose changes the mirror knows (RFC 8620 §5.2). */
#ifndef JMAPD_MIRROR_CHANGES_H
#define JMAPD_MIRROR_CHANGES_H

#include "jmapd/core/method.h"
#include "jmapd/mirror/mirror.h"

struct jmap_mirror_type {
	char		kind;		/* OBJECT_EMAIL or OBJECT_THREAD */
	struct mirror_call *(*ask)(struct mirror *m, struct type_state since, size_t max,
	    mirror_changes_fn done, void *arg);
	const char	*cannot;	/* said of a state that nothing is known of */
	const char	*doing;		/* what failed, when it did */
};

/* The whole call. */
void jmap_mirror_changes(struct jmap_call *c, const struct jmap_mirror_type *type);

#endif
