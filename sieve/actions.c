/* The list of actions: what may stand beside what, and the implicit keep. */
#include <string.h>

#include "sieve/core.h"

static void
add(struct sieve_run *r, struct sieve_action *a)
{
	struct sieve_result *res = r->result;

	if (res->n_actions == r->room_actions) {
		size_t room = r->room_actions == 0 ? 8 : 2 * r->room_actions;
		struct sieve_action **v = arena_array(r->arena, room,
		    sizeof(struct sieve_action *));

		if (res->n_actions > 0)
			memcpy(v, res->actions, res->n_actions * sizeof(struct sieve_action *));
		r->room_actions = room;
		res->actions = v;
	}
	res->actions[res->n_actions++] = a;
}

struct sieve_action *
sieve_action_new(struct sieve_run *r, const struct sieve_node *n, enum sieve_action_kind kind)
{
	struct sieve_action *a = sieve_alloc(r, sizeof(*a));

	a->kind = kind;
	a->script = r->frame != NULL ? r->frame->script->name : "";
	a->line = n != NULL ? n->line : 0;
	a->message = kind == SIEVE_REDIRECT ? sieve_message_plain(r->message) : r->message;
	return a;
}

struct sieve_action **
sieve_actions(struct sieve_run *r, size_t *n)
{
	*n = r->result->n_actions;
	return r->result->actions;
}

void
sieve_set_flags_fn(struct sieve_run *r, sieve_flags_fn fn)
{
	r->flags = fn;
}

void
sieve_cancel_keep(struct sieve_run *r)
{
	r->keep = false;
}

/* --- one more -------------------------------------------------------------------------------- */

static bool
is_inbox(const struct sieve_store *s)
{
	return s->mailbox_id.p == NULL && s->special_use.p == NULL &&
	    (s->keep || span_caseeq_str(s->mailbox, "INBOX"));
}

static bool
same_or_none(struct span a, struct span b)
{
	return (a.p == NULL) == (b.p == NULL) && span_eq(a, b);
}

/* In an event a keep leaves the message where it is, which need not be INBOX. */
static bool
same_place(const struct sieve_run *r, const struct sieve_store *a, const struct sieve_store *b)
{
	if (a->fcc_of != NULL || b->fcc_of != NULL)
		return false;
	return (!r->env->event && is_inbox(a) && is_inbox(b)) || (same_or_none(a->mailbox, b->mailbox) &&
	    same_or_none(a->mailbox_id, b->mailbox_id) &&
	    same_or_none(a->special_use, b->special_use) && a->keep == b->keep);
}

/* RFC 5228 2.10.3 and 4.2: once is enough, also of a message that was edited between (RFC 5293 7). */
static bool
same(const struct sieve_run *r, const struct sieve_action *a, const struct sieve_action *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case SIEVE_STORE:
		return same_place(r, &a->store, &b->store);
	case SIEVE_REDIRECT:
		return span_eq(a->redirect.address, b->redirect.address);
	case SIEVE_REJECT:
	case SIEVE_VACATION:
	case SIEVE_NOTIFY:
		break;
	}
	return false;
}

static const char *
action_words(const struct sieve_action *a)
{
	switch (a->kind) {
	case SIEVE_STORE:
		return a->store.keep ? "keep" : "fileinto";
	case SIEVE_REDIRECT:
		return "redirect";
	case SIEVE_REJECT:
		return a->reject.ereject ? "ereject" : "reject";
	case SIEVE_VACATION:
		return "vacation";
	case SIEVE_NOTIFY:
		return "notify";
	}
	return "";
}

/* RFC 5429 2.4: what refuses the message excludes what accepts it; RFC 5230 4.7. */
static bool
excludes(const struct sieve_action *a, const struct sieve_action *b)
{
	if (a->kind != SIEVE_REJECT && b->kind != SIEVE_REJECT)
		return a->kind == SIEVE_VACATION && b->kind == SIEVE_VACATION;
	return a->kind != SIEVE_NOTIFY && b->kind != SIEVE_NOTIFY;
}

static enum sieve_step
check_others(struct sieve_run *r, const struct sieve_node *n, const struct sieve_action *a)
{
	for (size_t i = 0; i < r->result->n_actions; i++) {
		const struct sieve_action *b = r->result->actions[i];

		if (excludes(a, b))
			return sieve_fail(r, n, "'%s' is not possible after '%s' in line %u",
			    action_words(a), action_words(b), b->line);
	}
	return SIEVE_NEXT;
}

static enum sieve_step
check_limits(struct sieve_run *r, const struct sieve_node *n, const struct sieve_action *a)
{
	if (r->result->n_actions >= r->limits.actions)
		return sieve_fail(r, n, "total number of actions exceeds policy limit: "
		    "at most %u are allowed", r->limits.actions);
	if (a->kind == SIEVE_REDIRECT && r->redirects++ >= r->limits.redirects)
		return sieve_fail(r, n, "number of redirect actions exceeds policy limit: "
		    "at most %u are allowed", r->limits.redirects);
	if (a->kind != SIEVE_STORE && r->outgoing++ >= r->limits.outgoing)
		return sieve_fail(r, n, "number of messages that are sent exceeds policy limit: "
		    "at most %u are allowed", r->limits.outgoing);
	return SIEVE_NEXT;
}

static enum sieve_step
apply_tags(struct sieve_run *r, const struct sieve_node *n, struct sieve_action *a)
{
	enum sieve_step step = SIEVE_NEXT;

	for (unsigned i = 0; i < n->n_tags && step == SIEVE_NEXT; i++)
		if (n->tags[i].tag != NULL && n->tags[i].tag->act != NULL)
			step = n->tags[i].tag->act(r, n, &n->tags[i], a);
	return step;
}

static void
keeps(struct sieve_run *r, const struct sieve_action *a)
{
	if (!a->copy && (a->kind == SIEVE_STORE || a->kind == SIEVE_REDIRECT ||
	    a->kind == SIEVE_REJECT) && (a->kind != SIEVE_STORE || a->store.fcc_of == NULL))
		r->keep = false;
}

/* The later flags are those meant (RFC 5232 leaves it open). */
static void
merge(struct sieve_action *there, const struct sieve_action *a)
{
	there->copy = there->copy && a->copy;
	if (a->kind == SIEVE_STORE) {
		there->store.create = there->store.create || a->store.create;
		if (a->store.flags != NULL) {
			there->store.flags = a->store.flags;
			there->store.n_flags = a->store.n_flags;
		}
	}
}

enum sieve_step
sieve_act(struct sieve_run *r, const struct sieve_node *n, struct sieve_action **a)
{
	enum sieve_step step = apply_tags(r, n, *a);

	if (step != SIEVE_NEXT)
		return step;
	if ((*a)->kind == SIEVE_STORE && (*a)->store.flags == NULL && r->flags != NULL)
		r->flags(r, &(*a)->store);
	for (size_t i = 0; i < r->result->n_actions; i++) {
		if (same(r, r->result->actions[i], *a)) {
			merge(r->result->actions[i], *a);
			keeps(r, *a);
			*a = r->result->actions[i];
			return SIEVE_NEXT;
		}
	}
	step = check_others(r, n, *a);
	if (step == SIEVE_NEXT)
		step = check_limits(r, n, *a);
	if (step != SIEVE_NEXT)
		return step;
	keeps(r, *a);
	add(r, *a);
	return SIEVE_NEXT;
}

/* --- the end --------------------------------------------------------------------------------- */

void
sieve_actions_settle(struct sieve_run *r)
{
	struct sieve_action *a;

	if (!r->keep)
		return;
	r->keep = false;
	a = sieve_action_new(r, NULL, SIEVE_STORE);
	a->store.keep = a->store.implicit = true;
	a->store.mailbox = SPAN_LIT("INBOX");
	if (r->flags != NULL)
		r->flags(r, &a->store);
	for (size_t i = 0; i < r->result->n_actions; i++)
		if (same(r, r->result->actions[i], a))
			return;
	add(r, a);
}

void
sieve_actions_reset(struct sieve_run *r)
{
	r->result->n_actions = r->result->n_conditions = 0;
	r->redirects = r->outgoing = 0;
	r->keep = true;
	r->resets++;
}

uint32_t
sieve_actions_resets(const struct sieve_run *r)
{
	return r->resets;
}

bool
sieve_actions_rekeep(struct sieve_run *r)
{
	struct sieve_result *res = r->result;
	bool keep = r->keep;
	size_t n = 0;

	for (size_t i = 0; i < res->n_actions; i++) {
		if (res->actions[i]->kind == SIEVE_STORE && res->actions[i]->store.keep &&
		    res->actions[i]->store.fcc_of == NULL)
			keep = true;
		else
			res->actions[n++] = res->actions[i];
	}
	if (!keep)
		return false;
	res->n_actions = n;
	r->keep = true;
	return true;
}
