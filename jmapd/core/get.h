/* jmapd/core/get.h
 * What all /get methods share (RFC 8620 §5.1). */
#ifndef JMAPD_CORE_GET_H
#define JMAPD_CORE_GET_H

#include "jmapd/core/args.h"

struct jmap_get {
	bool		all;		/* ids was null: all there are */
	size_t		count;
	struct span	*ids;		/* each once; in the call's arena */
	struct span	*missing;
	size_t		missing_count;
};

/* Reads ids; false: the call is over (requestTooLarge).  all_allowed false: null is refused
 * as too much. */
bool jmap_get_ids(struct jmap_call *c, struct jmap_get *g, bool all_allowed);
/* Reads properties, where the type has a fixed list of at most 64, the first of them "id":
 * a bit each, "id" always set.  Missing: all. */
uint64_t jmap_get_properties(struct jmap_call *c, const char *const *names, size_t count);

/* The answer: begin, then an object in c->out for each found, jmap_get_missing() for what
 * is not, in any order; end ends the call.  Without an account there is no state. */
void jmap_get_begin(struct jmap_call *c, struct jmap_get *g, struct span state);
void jmap_get_missing(struct jmap_get *g, struct span id);
void jmap_get_end(struct jmap_call *c, struct jmap_get *g);

#endif
