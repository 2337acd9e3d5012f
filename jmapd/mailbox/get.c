/* Mailbox/get (RFC 8621 §2.1). */
#include "jmapd/core/get.h"
#include "jmapd/mailbox/mailbox.h"
#include "jmapd/mailbox/mailboxes.h"

struct get {
	struct mailboxes	boxes;
	struct jmap_get		get;
	uint64_t		properties;
};

static void
on_ended(struct jmap_call *c)
{
	mailboxes_fini(&((struct get *)c->state)->boxes);
}

static void
put_one(struct jmap_call *c, struct get *g, const struct mailbox_row *r)
{
	struct mirror_counts counts = { 0 };

	if (g->properties & MAILBOX_COUNTS)
		mirror_counts(jmap_call_mirror(c), r->id, g->boxes.trash, &counts);
	json_begin_object(c->out);
	mailbox_put(c->out, r, &counts, g->properties);
	json_end_object(c->out);
}

static void
on_ready(struct jmap_call *c)
{
	struct get *g = c->state;
	struct buf state = { 0 };

	type_state_put(g->boxes.state, &state);
	jmap_get_begin(c, &g->get, buf_span(&state));
	buf_fini(&state);
	for (size_t i = 0; g->get.all && i < g->boxes.count; i++)
		put_one(c, g, &g->boxes.rows[i]);
	for (size_t i = 0; i < g->get.count; i++) {
		const struct mailbox_row *r = mailboxes_find(&g->boxes, g->get.ids[i]);

		if (r != NULL)
			put_one(c, g, r);
		else
			jmap_get_missing(&g->get, g->get.ids[i]);
	}
	jmap_get_end(c, &g->get);
}

void
mailbox_get(struct jmap_call *c)
{
	struct get *g = arena_zalloc(c->arena, sizeof(*g));

	if (!jmap_get_ids(c, &g->get, true))
		return;
	g->properties = jmap_get_properties(c, mailbox_properties, MAILBOX_PROPERTIES);
	if (!jmap_args_end(c))
		return;
	c->state = g;
	c->ended = on_ended;
	mailboxes_load(&g->boxes, c, (g->properties & MAILBOX_COUNTS) != 0, on_ready);
}
