/* Mailbox/set (RFC 8621 §2.5).  Each change is one operation of the store, which judges it; those that
 * cannot be made yet, because another one of the same call is to make room for them, are tried
 * again when something was done since.  Two that want each other's name or role: one of them is put
 * aside under another name, or without a role, for the moment. */
#include <stdio.h>
#include <stdlib.h>

#include "common/mail/mailbox_name.h"
#include "common/util/mem.h"
#include "jmapd/core/ids.h"
#include "jmapd/mailbox/mailbox.h"
#include "jmapd/mailbox/set_priv.h"

#define ROUNDS_MAX (MAILBOX_DEPTH_MAX + 4)

struct set {
	struct jmap_call	*call;
	struct jmap_set		set;
	struct mailboxes	boxes;
	bool			remove_emails;
	struct mailbox_item	*items;
	size_t			count, at;
	unsigned		rounds;
	bool			progress, parking, restoring;
	struct store_call	*asking;
	bool			asked;		/* the store was, at least once */
	struct type_state	old, now;
};

static void run(struct set *s);

static void
on_ended(struct jmap_call *c)
{
	struct set *s = c->state;

	if (s->asking != NULL)
		store_cancel(&s->asking);
	mailboxes_fini(&s->boxes);
	jmap_set_fini(&s->set);
}

/* ---- outcomes ---- */

static void
tell_created(struct set *s, struct mailbox_item *it)
{
	struct mailbox_row row = { .id = it->id, .parent = it->parent, .name = it->name,
		.role = it->role, .order = it->order, .rights = RIGHT_ALL,
		.subscribed = it->subscribed };
	struct mirror_counts none = { 0 };
	struct json_writer *w = jmap_set_created(&s->set, it->key);
	char id[JMAP_ID_MAX];

	json_begin_object(w);
	mailbox_put(w, &row, &none, (MAILBOX_ALL & ~it->given) | MAILBOX_ID |
	    (it->renamed ? MAILBOX_NAME : 0));
	json_end_object(w);
	jmap_call_created(s->call, it->key, jmap_id(id, OBJECT_MAILBOX, it->id));
}

static void
tell_updated(struct set *s, struct mailbox_item *it)
{
	struct json_writer *w = jmap_set_updated(&s->set, it->key);

	if (!it->renamed) {
		json_null(w);
		return;
	}
	json_begin_object(w);
	json_kv_string(w, "name", it->name);
	json_end_object(w);
}

static void
tell_done(struct set *s, struct mailbox_item *it)
{
	it->pending = false;
	if (it->part == JMAP_CREATE)
		tell_created(s, it);
	else if (it->part == JMAP_UPDATE)
		tell_updated(s, it);
	else
		jmap_set_destroyed(&s->set, it->key);
}

/* The verdict MAILBOX_SET_LIMIT has three reasons; two of them can be seen from here. */
static void
tell_limit(struct set *s, struct mailbox_item *it)
{
	uint64_t parent = it->part == JMAP_CREATE || (it->fields & MAILBOX_CHANGED_PARENT) ||
	    it->row == NULL ? it->parent : it->row->parent;
	const struct mailbox_row *up = mailboxes_get(&s->boxes, parent);
	unsigned depth = 1;

	for (size_t i = 0; up != NULL && i < up->path.len; i++)
		depth += up->path.p[i] == MAILBOX_DELIMITER;
	if (it->part == JMAP_CREATE && depth < MAILBOX_DEPTH_MAX &&
	    (up == NULL || up->path.len + it->name.len < MAILBOX_NAME_MAX))
		jmap_set_failed(&s->set, it->part, it->key, "overQuota", NULL,
		    "the account has as many mailboxes as it may have");
	else
		jmap_set_failed(&s->set, it->part, it->key, "invalidProperties", "parentId name",
		    "mailboxes would lie more than %d deep, or a whole path be longer than %d bytes",
		    MAILBOX_DEPTH_MAX, MAILBOX_NAME_MAX);
}

static void
tell_failed(struct set *s, struct mailbox_item *it)
{
	static const struct {
		const char	*type, *properties, *why;
	} verdicts[] = {
		[MAILBOX_SET_NOT_FOUND] = { "notFound", NULL, "there is no such mailbox" },
		[MAILBOX_SET_PARENT] = { "invalidProperties", "parentId",
		    "parentId: there is no such mailbox, or it lies below this one" },
		[MAILBOX_SET_NAME] = { "invalidProperties", "name", "this cannot be a name" },
		[MAILBOX_SET_EXISTS] = { "alreadyExists", "name",
		    "the parent has another mailbox of this name" },
		[MAILBOX_SET_ROLE] = { "invalidProperties", "role",
		    "another mailbox has this role, and nothing takes or gives that of the inbox" },
		[MAILBOX_SET_CHILDREN] = { "mailboxHasChild", NULL, "it has mailboxes below it" },
		[MAILBOX_SET_EMAILS] = { "mailboxHasEmail", NULL,
		    "it has Emails, and onDestroyRemoveEmails is not true" },
		[MAILBOX_SET_DENIED] = { "forbidden", NULL, "the inbox stays where it is" },
	};

	it->pending = false;
	if (it->verdict == MAILBOX_SET_LIMIT)
		tell_limit(s, it);
	else
		jmap_set_failed(&s->set, it->part, it->key, verdicts[it->verdict].type,
		    verdicts[it->verdict].properties, "%s", verdicts[it->verdict].why);
}

static void
finish(struct set *s)
{
	struct buf old = { 0 }, now = { 0 };

	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].pending)
			tell_failed(s, &s->items[i]);
	type_state_put(s->old, &old);
	type_state_put(s->now, &now);
	/* The answer is written before the state goes, but the buffers must go before the call. */
	jmap_set_end(s->call, &s->set, arena_span(s->call->arena, buf_span(&old)),
	    arena_span(s->call->arena, buf_span(&now)));
	buf_fini(&old);
	buf_fini(&now);
}

/* ---- asking the store ---- */

static bool
may_be_later(uint8_t verdict)
{
	return verdict == MAILBOX_SET_EXISTS || verdict == MAILBOX_SET_ROLE ||
	    verdict == MAILBOX_SET_CHILDREN || verdict == MAILBOX_SET_PARENT;
}

/* newState is behind nobody else's change: what others did in between comes by /changes. */
static void
take_states(struct set *s, const struct store_mailbox_set_is *is)
{
	if (!s->asked)
		s->old.modseq = s->now.modseq = is->old_mailbox;
	if (s->now.modseq == is->old_mailbox)
		s->now.modseq = is->state;
	s->asked = true;
}

static void
on_parked(struct set *s, struct mailbox_item *it, uint8_t verdict)
{
	if (s->restoring) {
		it->parked = false;
	} else if (verdict == MAILBOX_SET_DONE) {
		it->parked = true;
		s->progress = true;
	} else {
		tell_failed(s, it);
	}
}

static void
on_set(void *arg, enum status st, bool more, const void *msg)
{
	struct set *s = arg;
	struct mailbox_item *it = &s->items[s->at];
	const struct store_mailbox_set_is *is = msg;

	s->asking = NULL;
	if (st != ST_OK || is == NULL || is->verdict > MAILBOX_SET_MAX) {
		it->pending = it->parked = false;
		jmap_set_failed_status(&s->set, it->part, it->key, st != ST_OK ? st : ST_BUG);
		s->at++;
		run(s);
		return;
	}
	if (is->verdict == MAILBOX_SET_STATE && !s->asked) {
		jmap_call_error(s->call, "stateMismatch", "ifInState is not the state any more");
		return;
	}
	take_states(s, is);
	if (s->parking || s->restoring) {
		on_parked(s, it, is->verdict);
	} else {
		it->verdict = is->verdict;
		if (it->part == JMAP_CREATE)
			it->id = is->mailbox;
		if (is->verdict == MAILBOX_SET_DONE) {
			s->progress = true;
			tell_done(s, it);
		} else if (!may_be_later(is->verdict)) {
			tell_failed(s, it);
		}
		s->at++;
	}
	s->parking = false;
	run(s);
}

static void
send(struct set *s, struct store_mailbox_set *rq)
{
	if (!s->asked && s->set.if_in_state.p != NULL)
		rq->if_mailbox = s->old.modseq;
	s->asking = store_do_mailbox_set(s->call->account->store, rq, on_set, s);
}

static void
send_item(struct set *s, struct mailbox_item *it)
{
	static const uint8_t how[] = {
		[JMAP_CREATE] = MAILBOX_SET_CREATE, [JMAP_UPDATE] = MAILBOX_SET_UPDATE,
		[JMAP_DESTROY] = MAILBOX_SET_DESTROY
	};
	struct store_mailbox_set rq = { .how = how[it->part], .mailbox = it->id,
		.fields = it->fields, .parent = it->parent, .name = it->name,
		.role = (uint8_t)it->role, .order = it->order, .subscribed = it->subscribed,
		.remove_emails = s->remove_emails };

	if (it->parked && !it->role_parked && !(rq.fields & MAILBOX_CHANGED_NAME)) {
		rq.fields |= MAILBOX_CHANGED_NAME;	/* out of where it was put */
		rq.name = it->row->name;
	}
	send(s, &rq);
}

/* true: the parent is known now. */
static bool
parent_is_known(struct set *s, struct mailbox_item *it)
{
	struct span id;

	if (it->parent_ref.p == NULL)
		return true;
	id = jmap_call_resolve(s->call, it->parent_ref);
	if (id.p == NULL || !object_id_parse(id, OBJECT_MAILBOX, &it->parent)) {
		it->verdict = MAILBOX_SET_PARENT;
		return false;
	}
	it->parent_ref = SPAN_NONE;
	return true;
}

/* ---- names and roles that change hands ---- */

/* The item that has what this one wants, when it is itself to give it away. */
static bool
wants_anothers(const struct set *s, const struct mailbox_item *it)
{
	uint64_t parent = it->fields & MAILBOX_CHANGED_PARENT ? it->parent : it->row->parent;
	struct span name = it->fields & MAILBOX_CHANGED_NAME ? it->name : it->row->name;

	for (size_t i = 0; i < s->count; i++) {
		const struct mailbox_item *o = &s->items[i];

		if (o == it || !o->pending || o->part != JMAP_UPDATE)
			continue;
		if (it->verdict == MAILBOX_SET_ROLE ? o->row->role == it->role &&
		    (o->fields & MAILBOX_CHANGED_ROLE) :
		    o->row->parent == parent && span_eq(o->row->name, name) &&
		    (o->fields & (MAILBOX_CHANGED_NAME | MAILBOX_CHANGED_PARENT)))
			return true;
	}
	return false;
}

static void
put_aside(struct set *s, struct mailbox_item *it)
{
	struct store_mailbox_set rq = { .how = MAILBOX_SET_UPDATE, .mailbox = it->id };
	char name[48];

	it->role_parked = it->verdict == MAILBOX_SET_ROLE;
	if (it->role_parked) {
		rq.fields = MAILBOX_CHANGED_ROLE;
	} else {
		rq.fields = MAILBOX_CHANGED_NAME;
		rq.name = span(name, (size_t)snprintf(name, sizeof(name), "%llx moving",
		    (unsigned long long)it->id));
	}
	s->parking = true;
	send(s, &rq);
}

/* Puts one aside; false: there is none for which it would help. */
static bool
park(struct set *s)
{
	for (s->at = 0; s->at < s->count; s->at++) {
		struct mailbox_item *it = &s->items[s->at];

		if (it->pending && !it->parked && it->part == JMAP_UPDATE &&
		    (it->verdict == MAILBOX_SET_EXISTS || it->verdict == MAILBOX_SET_ROLE) &&
		    wants_anothers(s, it)) {
			put_aside(s, it);
			return true;
		}
	}
	return false;
}

/* What was put aside in vain goes back; false: there is none. */
static bool
restore(struct set *s)
{
	for (s->at = 0; s->at < s->count; s->at++) {
		struct mailbox_item *it = &s->items[s->at];
		struct store_mailbox_set rq = { .how = MAILBOX_SET_UPDATE, .mailbox = it->id };

		if (!it->pending || !it->parked)
			continue;
		rq.fields = it->role_parked ? MAILBOX_CHANGED_ROLE : MAILBOX_CHANGED_NAME;
		rq.name = it->row->name;
		rq.role = (uint8_t)it->row->role;
		s->restoring = true;
		send(s, &rq);
		return true;
	}
	return false;
}

/* ---- the rounds ---- */

static void
run(struct set *s)
{
	for (;;) {
		for (; !s->restoring && s->at < s->count; s->at++) {
			struct mailbox_item *it = &s->items[s->at];

			if (it->pending && parent_is_known(s, it)) {
				send_item(s, it);
				return;
			}
		}
		if (s->progress && ++s->rounds < ROUNDS_MAX) {
			s->progress = false;
			s->at = 0;
			continue;
		}
		if (!s->restoring && s->rounds < ROUNDS_MAX && park(s))
			return;
		if (restore(s))
			return;
		finish(s);
		return;
	}
}

static int
deepest_first(const void *a, const void *b)
{
	const struct mailbox_item *x = a, *y = b;

	return (x->row->path.len < y->row->path.len) - (x->row->path.len > y->row->path.len);
}

static void
add_destroys(struct set *s)
{
	struct mailbox_item *from = &s->items[s->count], *it;

	for (size_t i = 0; i < s->set.destroy_count; i++) {
		const struct mailbox_row *row = mailboxes_find(&s->boxes, s->set.destroy[i]);

		it = &s->items[s->count];
		*it = (struct mailbox_item){ .part = JMAP_DESTROY, .key = s->set.destroy[i],
			.row = row, .verdict = MAILBOX_SET_NOT_FOUND, .pending = true };
		if (row == NULL) {
			tell_failed(s, it);
			continue;
		}
		it->id = row->id;
		s->count++;
	}
	qsort(from, (size_t)(&s->items[s->count] - from), sizeof(*from), deepest_first);
}

static void
add_map(struct set *s, enum jmap_set_part part, const struct json *map)
{
	const struct json *object;
	struct span key;
	void *pos = NULL;

	while (json_next(map, &pos, &key, &object)) {
		struct mailbox_item *it = &s->items[s->count];

		*it = (struct mailbox_item){ .part = part, .key = key,
			.verdict = MAILBOX_SET_NOT_FOUND };
		if (part == JMAP_UPDATE) {
			it->row = mailboxes_find(&s->boxes, jmap_call_resolve(s->call, key));
			if (it->row == NULL) {
				tell_failed(s, it);
				continue;
			}
			it->id = it->row->id;
		}
		if (!mailbox_item_read(s->call, &s->set, &s->boxes, it, object))
			continue;
		if (part == JMAP_UPDATE && it->fields == 0)
			tell_done(s, it);
		else
			s->count++;
	}
}

static void
on_ready(struct jmap_call *c)
{
	struct set *s = c->state;
	struct type_state wanted;

	s->old = s->now = s->boxes.state;
	if (s->set.if_in_state.p != NULL && (!type_state_parse(s->set.if_in_state, &wanted) ||
	    wanted.modseq != s->old.modseq || wanted.incarnation != s->old.incarnation)) {
		jmap_call_error(c, "stateMismatch", "ifInState is not the state any more");
		return;
	}
	add_map(s, JMAP_CREATE, s->set.create);
	add_map(s, JMAP_UPDATE, s->set.update);
	add_destroys(s);
	run(s);
}

/* The counts are wanted when a client sends a whole object back. */
static bool
has_counts(const struct json *update)
{
	const struct json *object;
	struct span key;
	void *pos = NULL;

	while (json_next(update, &pos, &key, &object))
		for (unsigned i = 0; i < MAILBOX_PROPERTIES; i++)
			if ((MAILBOX_COUNTS >> i & 1) &&
			    json_find(object, mailbox_properties[i], NULL))
				return true;
	return false;
}

void
mailbox_set(struct jmap_call *c)
{
	struct set *s = arena_zalloc(c->arena, sizeof(*s));

	s->call = c;
	c->state = s;
	c->ended = on_ended;
	if (!jmap_set_args(c, &s->set))
		return;
	s->remove_emails = jmap_arg_bool(c, "onDestroyRemoveEmails", false);
	if (!jmap_args_end(c))
		return;
	s->items = arena_array(c->arena, s->set.create_count + s->set.update_count +
	    s->set.destroy_count + 1, sizeof(*s->items));
	mailboxes_load(&s->boxes, c, has_counts(s->set.update), on_ready);
}
