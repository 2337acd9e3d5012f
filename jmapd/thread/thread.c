/* Thread/get and /changes (RFC 8621 §3). */
#include "common/util/mem.h"
#include "jmapd/core/get.h"
#include "jmapd/core/ids.h"
#include "jmapd/methods.h"
#include "jmapd/mirror_changes.h"

struct threads {
	struct jmap_get		get;
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

static void
thread_changes(struct jmap_call *c)
{
	static const struct jmap_mirror_type threads = { OBJECT_THREAD, mirror_thread_changes,
	    "sinceState is too old, or none of this account", "finding what changed" };

	jmap_mirror_changes(c, &threads);
}

const struct jmap_method jmap_thread_methods[] = {
	{ "Thread/get", JMAP_MAIL, thread_get, 0 },
	{ "Thread/changes", JMAP_MAIL, thread_changes, 0 },
	{ 0 }
};
