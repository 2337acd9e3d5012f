/* jmapd/core/set.h
 * What all /set methods share (RFC 8620 §5.3): the arguments, patches, and an answer whose
 * parts may be told in any order. */
#ifndef JMAPD_CORE_SET_H
#define JMAPD_CORE_SET_H

#include "common/util/buf.h"
#include "jmapd/core/args.h"

enum jmap_set_part { JMAP_CREATE, JMAP_UPDATE, JMAP_DESTROY };

struct jmap_set_list {
	struct buf		done_text, failed_text;
	struct json_writer	done, failed;
};
struct jmap_set {
	struct span		if_in_state;		/* p NULL: no condition */
	const struct json	*create, *update;	/* objects, or NULL */
	struct span		*destroy;		/* resolved ids, each once */
	size_t			create_count, update_count, destroy_count;
	struct jmap_set_list	lists[3];		/* by part */
};

/* Reads ifInState, create, update, destroy (and no more: read your own arguments, then call
 * jmap_args_end()); false: the call is over (requestTooLarge).  s lives in the arena or in
 * c->state; jmap_set_fini() in c->ended. */
bool jmap_set_args(struct jmap_call *c, struct jmap_set *s);
/* For a method with arguments of its own that answers like /set: zeroed before. */
void jmap_set_begin(struct jmap_set *s);
void jmap_set_fini(struct jmap_set *s);

/* Outcomes, each named by creation id or id exactly as the client wrote it.  created and
 * updated return the writer for the one value: the object of server-set properties
 * (created: must hold "id", and jmap_call_created() is the caller's), or null for updated. */
struct json_writer *jmap_set_created(struct jmap_set *s, struct span creation_id);
struct json_writer *jmap_set_updated(struct jmap_set *s, struct span id);
void jmap_set_destroyed(struct jmap_set *s, struct span id);
/* A SetError.  properties: names between blanks, or NULL ("mailboxIds keywords"); fmt: the
 * description. */
void jmap_set_failed(struct jmap_set *s, enum jmap_set_part part, struct span id,
    const char *type, const char *properties, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
/* The same with further members: returns the writer inside of the object; end with
 * json_end_object(). */
struct json_writer *jmap_set_failed_more(struct jmap_set *s, enum jmap_set_part part,
    struct span id, const char *type, const char *description);
/* For a status of the store: overQuota, tooLarge, rateLimit, forbidden, notFound, ... */
void jmap_set_failed_status(struct jmap_set *s, enum jmap_set_part part, struct span id,
    enum status st);

/* A member of the answer: the object, or array, that w wrote, ended here; null when it is empty. */
void jmap_set_put_list(struct jmap_call *c, const char *name, struct json_writer *w, bool object);
/* Writes the answer and ends the call.  A state with p NULL is null; without an account there
 * are none. */
void jmap_set_end(struct jmap_call *c, struct jmap_set *s, struct span old, struct span now);

/* ---- patches (RFC 8620 §5.3) ---- */

/* Each key is a path from the object's top, without the leading "/".  Checks what can be
 * checked without the object: at least one step each, good escapes, no path that is the
 * beginning of another.  false: *why tells (invalidPatch). */
bool jmap_patch_check(const struct json *patch, struct arena *arena, const char **why);
/* Cuts off the first step, unescaped (in the arena when it has escapes); *rest is what stands
 * behind the "/", p NULL: nothing.  false: a bad escape. */
bool jmap_path_step(struct span path, struct arena *arena, struct span *step, struct span *rest);

#endif
