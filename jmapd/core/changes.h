/* jmapd/core/changes.h
 * What all /changes methods share (RFC 8620 §5.2). */
#ifndef JMAPD_CORE_CHANGES_H
#define JMAPD_CORE_CHANGES_H

#include "jmapd/core/args.h"
#include "common/mail/type_state.h"

struct jmap_changes {
	struct span	since_text;
	struct type_state since;
	uint64_t	max;		/* UINT64_MAX: as many as there are */
};

/* Reads sinceState and maxChanges, and ends the reading of arguments; false: the call is over
 * (invalidArguments; cannotCalculateChanges for what no state of ours looks like). */
bool jmap_changes_args(struct jmap_call *c, struct jmap_changes *ch);
void jmap_changes_cannot(struct jmap_call *c, const char *why);

/* The answer's head, with the three lists following in this order: ids as strings into c->out for
 * `created` after begin, for `updated` and `destroyed` after theirs. */
void jmap_changes_begin(struct jmap_call *c, const struct jmap_changes *ch, struct span now,
    bool more);
void jmap_changes_updated(struct jmap_call *c);
void jmap_changes_destroyed(struct jmap_call *c);
/* After the lists; further members may be written, then json_end_object(c->out) and done. */
void jmap_changes_lists_end(struct jmap_call *c);

#endif
