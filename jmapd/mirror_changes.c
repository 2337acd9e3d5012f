#include "jmapd/mirror_changes.h"

#include "jmapd/core/changes.h"
#include "jmapd/core/ids.h"

struct changes_call {
	struct jmap_call	*c;
	const struct jmap_mirror_type *type;
	struct jmap_changes	ch;
	struct mirror_call	*wait;
};

static void
on_ended(struct jmap_call *c)
{
	struct changes_call *x = c->state;

	mirror_cancel(&x->wait);
}

static void
put_ids(const struct changes_call *x, const uint64_t *ids, size_t n)
{
	char text[JMAP_ID_MAX];

	for (size_t i = 0; i < n; i++)
		json_string(x->c->out, jmap_id(text, x->type->kind, ids[i]));
}

static void
on_changes(void *arg, enum status st, const struct mirror_changes *m)
{
	struct changes_call *x = arg;
	struct jmap_call *c = x->c;
	struct buf now = { 0 };

	x->wait = NULL;
	if (st == ST_EXPIRED) {
		jmap_changes_cannot(c, x->type->cannot);
		return;
	}
	if (st != ST_OK) {
		jmap_call_status(c, st, x->type->doing);
		return;
	}
	type_state_put(m->state, &now);
	jmap_changes_begin(c, &x->ch, buf_span(&now), m->more);
	put_ids(x, m->created, m->n_created);
	jmap_changes_updated(c);
	put_ids(x, m->updated, m->n_updated);
	jmap_changes_destroyed(c);
	put_ids(x, m->destroyed, m->n_destroyed);
	jmap_changes_lists_end(c);
	json_end_object(c->out);
	buf_fini(&now);
	jmap_call_done(c);
}

void
jmap_mirror_changes(struct jmap_call *c, const struct jmap_mirror_type *type)
{
	struct changes_call *x = arena_zalloc(c->arena, sizeof(*x));
	size_t max;

	x->c = c;
	x->type = type;
	c->state = x;
	c->ended = on_ended;
	if (!jmap_changes_args(c, &x->ch))
		return;
	max = x->ch.max == UINT64_MAX ? 0 : (size_t)x->ch.max;
	x->wait = type->ask(jmap_call_mirror(c), x->ch.since, max, on_changes, x);
}
