/* Mailbox/changes (RFC 8621 §2.2).  What the store tells is what became of each mailbox; that unread
 * threads of another one changed, because a thread lies in both, the mirror tells.
 *
 * When there are more than maxChanges, the store is asked again for fewer, up to a state in between;
 * what the mirror tells comes with the first part. */
#include "common/util/mem.h"
#include "jmapd/core/changes.h"
#include "jmapd/core/ids.h"
#include "jmapd/mailbox/mailbox.h"
#include "jmapd/mailbox/mailboxes.h"

struct changes {
	struct jmap_call	*call;
	struct jmap_changes	args;
	struct store_call	*asking;
	struct mirror_call	*history;
	struct store_mailbox_change *v;
	size_t			count, room;
	struct table		seen;		/* the mailboxes in v */
	struct type_state	now;
	bool			more;
	uint64_t		*touched;	/* the mirror's */
	size_t			n_touched;
};

static void
on_ended(struct jmap_call *c)
{
	struct changes *ch = c->state;

	if (ch->asking != NULL)
		store_cancel(&ch->asking);
	if (ch->history != NULL)
		mirror_cancel(&ch->history);
	table_fini(&ch->seen, NULL, NULL);
	mem_free(&ch->v);
}

static void
put_ids(struct changes *ch, bool was, bool is)
{
	char id[JMAP_ID_MAX];

	for (size_t i = 0; i < ch->count; i++)
		if (ch->v[i].was == was && ch->v[i].is == is)
			json_string(ch->call->out, jmap_id(id, OBJECT_MAILBOX, ch->v[i].mailbox));
}

static void
put_properties(struct changes *ch)
{
	struct json_writer *w = ch->call->out;
	uint8_t what = 0;
	bool any = false;

	for (size_t i = 0; i < ch->count; i++) {
		if (ch->v[i].was && ch->v[i].is) {
			what |= ch->v[i].what;
			any = true;
		}
	}
	json_key(w, "updatedProperties");
	if (!any || what != MAILBOX_CHANGED_COUNTS) {
		json_null(w);
		return;
	}
	json_begin_array(w);
	for (unsigned i = 0; i < MAILBOX_PROPERTIES; i++)
		if (MAILBOX_COUNTS >> i & 1)
			json_str(w, mailbox_properties[i]);
	json_end_array(w);
}

static void
answer(struct changes *ch)
{
	struct jmap_call *c = ch->call;
	struct buf now = { 0 };

	type_state_put(ch->now, &now);
	jmap_changes_begin(c, &ch->args, buf_span(&now), ch->more);
	buf_fini(&now);
	put_ids(ch, false, true);
	jmap_changes_updated(c);
	put_ids(ch, true, true);
	jmap_changes_destroyed(c);
	put_ids(ch, true, false);
	jmap_changes_lists_end(c);
	put_properties(ch);
	json_end_object(c->out);
	jmap_call_done(c);
}

static void
add(struct changes *ch, const struct store_mailbox_change *one)
{
	struct store_mailbox_change *old = ch->v;
	size_t at = (size_t)(uintptr_t)table_get_u64(&ch->seen, one->mailbox);

	if (at > 0) {
		old[at - 1].is = one->is;
		old[at - 1].what |= one->what;
		return;
	}
	if (!one->was && !one->is)
		return;
	if (ch->count == ch->room) {
		ch->room = ch->room * 2 + 16;
		ch->v = mem_realloc_array(ch->v, ch->room, sizeof(*ch->v));
	}
	ch->v[ch->count++] = *one;
	table_put_u64(&ch->seen, one->mailbox, (void *)(uintptr_t)ch->count);
}

static void
add_touched(struct changes *ch)
{
	for (size_t i = 0; i < ch->n_touched; i++) {
		if (table_get_u64(&ch->seen, ch->touched[i]) == NULL)
			add(ch, &(struct store_mailbox_change){ ch->touched[i], true, true,
			    MAILBOX_CHANGED_COUNTS });
	}
}

static void
ask(struct changes *ch, uint64_t limit);

/* All that changed is in v, and more than was asked for: how many of the mirror's come beside a
 * part of it. */
static void
ask_less(struct changes *ch)
{
	size_t others = 0, all = ch->n_touched;

	for (size_t i = 0; i < all; i++)
		if (table_get_u64(&ch->seen, ch->touched[i]) == NULL)
			ch->touched[others++] = ch->touched[i];
	ch->n_touched = others;
	if (others >= ch->args.max) {
		jmap_changes_cannot(ch->call, "more changed at once than maxChanges allows");
		return;
	}
	ch->count = 0;
	table_fini(&ch->seen, NULL, NULL);
	ask(ch, ch->args.max - others);
}

static void
on_history(void *arg, enum status st, const struct mirror_history *h)
{
	struct changes *ch = arg;
	size_t before;

	ch->history = NULL;
	if (st == ST_EXPIRED) {
		jmap_changes_cannot(ch->call, "sinceState is too old, or of another life of the account");
		return;
	}
	if (st != ST_OK) {
		jmap_call_status(ch->call, st, "finding what changed");
		return;
	}
	ch->touched = arena_array(ch->call->arena, h->n_mailboxes + 1, sizeof(*ch->touched));
	for (size_t i = 0; i < h->n_mailboxes; i++)
		ch->touched[ch->n_touched++] = h->mailboxes[i];
	before = ch->count;
	add_touched(ch);
	if (ch->count <= ch->args.max) {
		answer(ch);
		return;
	}
	while (ch->count > before)
		table_del_u64(&ch->seen, ch->v[--ch->count].mailbox);
	ask_less(ch);
}

static void
on_changes(void *arg, enum status st, bool more, const void *msg)
{
	struct changes *ch = arg;
	const struct store_mailbox_changes_are *is = msg;
	struct type_state since = ch->args.since;
	struct store_mailbox_change one;
	struct reader r;

	if (!more)
		ch->asking = NULL;
	if (st == ST_EXPIRED || st == ST_NOT_FOUND) {
		jmap_changes_cannot(ch->call, "sinceState is too old, or none of this account");
		return;
	}
	if (st != ST_OK || is == NULL) {
		jmap_call_status(ch->call, st, "finding what changed");
		return;
	}
	reader_init(&r, is->changes.p, is->changes.len);
	while (reader_left(&r) > 0 && get_store_mailbox_change(&r, &one))
		add(ch, &one);
	if (more)
		return;
	ch->more = is->more;
	ch->now = (struct type_state){ .modseq = is->more ? is->upto : is->mailbox,
		.after = is->more ? is->upto_after : 0, .incarnation = ch->args.since.incarnation };
	if (ch->touched != NULL) {
		add_touched(ch);
		answer(ch);
		return;
	}
	since.after = 0;		/* a mailbox here, a message there */
	ch->history = mirror_history(jmap_call_mirror(ch->call), since, on_history, ch);
}

static void
ask(struct changes *ch, uint64_t limit)
{
	const struct type_state *since = &ch->args.since;
	const struct store_mailbox_changes rq = { since->modseq, since->after, since->incarnation,
		limit < UINT32_MAX ? (uint32_t)limit : 0 };

	ch->asking = store_do_mailbox_changes(ch->call->account->store, &rq, on_changes, ch);
}

void
mailbox_changes(struct jmap_call *c)
{
	struct changes *ch = arena_zalloc(c->arena, sizeof(*ch));

	ch->call = c;
	if (!jmap_changes_args(c, &ch->args))
		return;
	c->state = ch;
	c->ended = on_ended;
	ask(ch, 0);
}
