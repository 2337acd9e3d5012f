/* Thread/get and /changes (RFC 8621 §3). */
#include "common/util/mem.h"
#include "jmapd/core/changes.h"
#include "jmapd/core/get.h"
#include "jmapd/core/ids.h"
#include "jmapd/methods.h"
#include "jmapd/mirror/mirror.h"

struct threads {
	struct jmap_get		get;
	struct jmap_changes	changes;
	uint64_t		properties;
	struct mirror_call	*asking;
};
enum { THREAD_EMAILS = 2 };

static void
on_ended(struct jmap_call *c)
{
	struct threads *t = c->state;

	if (t->asking != NULL)
		mirror_cancel(&t->asking);
}

static struct threads *
begin(struct jmap_call *c)
{
	struct threads *t = arena_zalloc(c->arena, sizeof(*t));

	c->state = t;
	c->ended = on_ended;
	return t;
}

/* ---- Thread/get ---- */

static bool
put_thread(struct jmap_call *c, struct mirror *m, struct span text, uint64_t properties)
{
	uint64_t number, *ids = NULL;
	char id[JMAP_ID_MAX];
	size_t n;

	if (!object_id_parse(text, OBJECT_THREAD, &number))
		return false;
	n = mirror_thread(m, number, &ids);
	if (n > 0) {
		json_begin_object(c->out);
		json_kv_string(c->out, "id", text);
		if (properties & THREAD_EMAILS) {
			json_key(c->out, "emailIds");
			json_begin_array(c->out);
			for (size_t i = 0; i < n; i++)
				json_string(c->out, jmap_id(id, OBJECT_EMAIL, ids[i]));
			json_end_array(c->out);
		}
		json_end_object(c->out);
	}
	mem_free(&ids);
	return n > 0;
}

static void
on_fresh(void *arg, enum status st)
{
	struct jmap_call *c = arg;
	struct threads *t = c->state;
	struct mirror *m = jmap_call_mirror(c);
	struct buf state = { 0 };

	t->asking = NULL;
	if (st != ST_OK) {
		jmap_call_status(c, st, "reading the threads");
		return;
	}
	type_state_put(mirror_state(m, MIRROR_THREAD), &state);
	jmap_get_begin(c, &t->get, buf_span(&state));
	buf_fini(&state);
	for (size_t i = 0; i < t->get.count; i++)
		if (!put_thread(c, m, t->get.ids[i], t->properties))
			jmap_get_missing(&t->get, t->get.ids[i]);
	jmap_get_end(c, &t->get);
}

static void
thread_get(struct jmap_call *c)
{
	static const char *const names[] = { "id", "emailIds" };
	struct threads *t = begin(c);

	if (!jmap_get_ids(c, &t->get, false))
		return;
	t->properties = jmap_get_properties(c, names, ARRAY_LEN(names));
	if (jmap_args_end(c))
		t->asking = mirror_fresh(jmap_call_mirror(c), on_fresh, c);
}

/* ---- Thread/changes ---- */

static void
put_ids(struct jmap_call *c, const uint64_t *ids, size_t n)
{
	char id[JMAP_ID_MAX];

	for (size_t i = 0; i < n; i++)
		json_string(c->out, jmap_id(id, OBJECT_THREAD, ids[i]));
}

static void
on_changes(void *arg, enum status st, const struct mirror_changes *ch)
{
	struct jmap_call *c = arg;
	struct threads *t = c->state;
	struct buf state = { 0 };

	t->asking = NULL;
	if (st == ST_EXPIRED) {
		jmap_changes_cannot(c, "sinceState is too old, or none of this account");
		return;
	}
	if (st != ST_OK) {
		jmap_call_status(c, st, "finding what changed");
		return;
	}
	type_state_put(ch->state, &state);
	jmap_changes_begin(c, &t->changes, buf_span(&state), ch->more);
	buf_fini(&state);
	put_ids(c, ch->created, ch->n_created);
	jmap_changes_updated(c);
	put_ids(c, ch->updated, ch->n_updated);
	jmap_changes_destroyed(c);
	put_ids(c, ch->destroyed, ch->n_destroyed);
	jmap_changes_lists_end(c);
	json_end_object(c->out);
	jmap_call_done(c);
}

static void
thread_changes(struct jmap_call *c)
{
	struct threads *t = begin(c);

	if (!jmap_changes_args(c, &t->changes))
		return;
	t->asking = mirror_thread_changes(jmap_call_mirror(c), t->changes.since,
	    t->changes.max < SIZE_MAX ? (size_t)t->changes.max : 0, on_changes, c);
}

const struct jmap_method jmap_thread_methods[] = {
	{ "Thread/get", JMAP_MAIL, thread_get, 0 },
	{ "Thread/changes", JMAP_MAIL, thread_changes, 0 },
	{ 0 }
};
