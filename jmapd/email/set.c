/* Email/set (RFC 8621 §4.6).  Creations go one after the other; all updates and destructions are one
 * operation of the store, which judges each for itself. */
#include "common/mail/blob_id.h"
#include "common/mail/object_id.h"
#include "common/util/mem.h"
#include "common/util/table.h"
#include "jmapd/core/ids.h"
#include "jmapd/core/set.h"
#include "jmapd/email/asked.h"
#include "jmapd/email/making.h"
#include "jmapd/email/methods.h"
#include "jmapd/email/same.h"
#include "jmapd/email/scripts.h"
#include "jmapd/email/states.h"

/* An Email that is changed or destroyed by the operation, in its order. */
struct set_item {
	struct span		id;		/* as the client wrote it */
	uint64_t		number;
	enum jmap_set_part	part;
	bool			keywords, mailboxes;	/* are changed */
};

struct set {
	struct jmap_call	*c;
	struct jmap_set		set;
	struct email_states	states;
	struct mirror_call	*fresh;
	void			*pos;		/* in create */
	struct span		id;		/* of the creation at hand */
	struct making		*making;

	struct same		*same;
	void			*same_pos;	/* in update */
	struct span		same_id;
	struct table		differing;	/* id -> struct span: content that is repeated wrongly */

	struct asked_keywords	keywords;
	struct buf		items;		/* store_email_item... */
	struct set_item		*item;
	size_t			n_items;
	struct store_call	*call;
	struct email_scripts	scripts;
};

/* A patch while it is read. */
struct patch {
	struct store_email_item	it;
	struct buf		add, remove;	/* mailboxes */
	struct buf		bad;		/* properties, a blank behind each */
	const char		*invalid;	/* no patch at all: why */
	bool			too_many_keywords, too_many_mailboxes;
};

static void
ended(struct jmap_call *c)
{
	struct set *s = c->state;

	mirror_cancel(&s->fresh);
	email_scripts_fini(&s->scripts);
	making_free(&s->making);
	same_free(&s->same);
	table_fini(&s->differing, NULL, NULL);
	if (c->account->store != NULL)
		store_cancel(&s->call);
	asked_keywords_fini(&s->keywords);
	buf_fini(&s->items);
	jmap_set_fini(&s->set);
	mem_free(&c->state);
}

static void
answer(void *arg)
{
	struct set *s = arg;
	struct buf old = { 0 }, now = { 0 };

	email_state_put(&s->states, s->states.before, &old);
	email_state_put(&s->states, s->states.after, &now);
	jmap_set_end(s->c, &s->set, buf_span(&old), buf_span(&now));
	buf_fini(&old);
	buf_fini(&now);
}

/* What was done may run scripts first. */
static void
finish(struct set *s)
{
	if (!email_scripts_run(&s->scripts, s->c, answer, s))
		answer(s);
}

/* --- the operation --- */

static void
report(struct set *s, const struct set_item *item, enum status st)
{
	bool update = item->part == JMAP_UPDATE;

	if (st == ST_OK && update)
		json_null(jmap_set_updated(&s->set, item->id));
	else if (st == ST_OK)
		jmap_set_destroyed(&s->set, item->id);
	else if (update && st == ST_SYNTAX)
		jmap_set_failed(&s->set, item->part, item->id, "invalidProperties", "mailboxIds",
		    "an Email is in at least one mailbox, and in such as are there");
	else if (update && st == ST_LIMIT)
		jmap_set_failed(&s->set, item->part, item->id,
		    item->keywords ? "tooManyKeywords" : "tooManyMailboxes", NULL,
		    "more than an account or an Email may have");
	else if (st == ST_CONFLICT)
		jmap_set_failed(&s->set, item->part, item->id, "notFound", NULL,
		    "it was changed twice by this call");
	else
		jmap_set_failed_status(&s->set, item->part, item->id, st);
}

static void
on_set(void *arg, enum status st, bool more, const void *msg)
{
	struct set *s = arg;
	const struct store_email_set_is *is = msg;

	if (more)
		return;
	s->call = NULL;
	if (st == ST_CONFLICT && email_states_condition(&s->states) != 0) {
		email_state_mismatch(s->c);
		return;
	}
	if (st == ST_OK && (is == NULL || is->outcomes.len != s->n_items))
		st = ST_BUG;
	if (st != ST_OK && !s->states.changed) {
		jmap_call_status(s->c, st, "changing the messages");
		return;
	}
	if (st == ST_OK)
		email_states_add(&s->states, is->old_email, is->email);
	for (size_t i = 0; i < s->n_items; i++)
		report(s, &s->item[i], st == ST_OK ? (enum status)is->outcomes.p[i] : st);
	for (size_t i = 0; i < s->n_items && st == ST_OK; i++)
		if (s->item[i].part == JMAP_UPDATE && is->outcomes.p[i] == ST_OK)
			email_scripts_changed(&s->scripts, s->c, s->item[i].number, is->modseq);
	finish(s);
}

static void
run_items(struct set *s)
{
	struct store_email_set rq = { .keywords = buf_span(&s->keywords.text),
	    .items = buf_span(&s->items), .if_email = email_states_condition(&s->states) };

	if (s->n_items == 0)
		finish(s);
	else if (s->c->account->store == NULL)
		on_set(s, ST_UNAVAILABLE, false, NULL);
	else
		s->call = store_do_email_set(s->c->account->store, &rq, on_set, s);
}

/* --- patches --- */

static void
bad_property(struct patch *p, const char *name)
{
	buf_addf(&p->bad, "%s ", name);
}

static void
judge(struct patch *p, enum asked got, const char *name, bool *too_many)
{
	if (got == ASKED_BAD)
		bad_property(p, name);
	if (got == ASKED_TOO_MANY)
		*too_many = true;
}

/* "keywords/x", "mailboxIds/x": true adds, null takes away. */
static void
patch_member(struct set *s, struct patch *p, bool keyword, struct span name,
    const struct json *v)
{
	bool on = false;

	if (v != NULL && (!json_as_bool(v, &on) || !on)) {
		bad_property(p, keyword ? "keywords" : "mailboxIds");
		return;
	}
	if (keyword) {
		p->it.keywords_how = EMAIL_PATCH;
		judge(p, asked_keyword(&s->keywords, s->c->arena, name,
		    on ? &p->it.keywords_add : &p->it.keywords_remove), "keywords",
		    &p->too_many_keywords);
	} else {
		p->it.mailboxes_how = EMAIL_PATCH;
		judge(p, asked_mailbox(s->c, name, on ? &p->add : &p->remove), "mailboxIds",
		    &p->too_many_mailboxes);
	}
}

/* What cannot be set may be given as it is. */
static bool
is_same(struct set *s, uint64_t id, struct span name, const struct json *v)
{
	const struct mirror *m = jmap_call_mirror(s->c);
	struct mirror_email e;
	struct buf want = { 0 };
	struct span text;
	uint64_t size;
	int64_t ms;
	bool same;

	if (!mirror_get(m, id, &e))
		return true;			/* it is told as not found */
	if (span_eq_str(name, "size"))
		return jmap_json_uint(v, &size) && size == e.size;
	if (!json_as_string(v, &text))
		return false;
	if (span_eq_str(name, "receivedAt"))
		return jmap_date_parse(text, &ms) && ms / 1000 == e.received_s;
	if (span_eq_str(name, "id"))
		object_id_put(&want, OBJECT_EMAIL, e.id);
	else if (span_eq_str(name, "threadId"))
		object_id_put(&want, OBJECT_THREAD, e.thread);
	else if (span_eq_str(name, "blobId"))
		blob_id_put(&want, &(struct blob_id){ .kind = BLOB_EMAIL, .number = e.id });
	same = want.len > 0 && span_eq(text, buf_span(&want));
	buf_fini(&want);
	return same;
}

static void
patch_one(struct set *s, struct patch *p, uint64_t id, struct span path, const struct json *v)
{
	struct span step, member = SPAN_NONE, rest;
	bool keyword;

	if (!jmap_path_step(path, s->c->arena, &step, &rest))
		return;
	keyword = span_eq_str(step, "keywords");
	if (!keyword && !span_eq_str(step, "mailboxIds")) {
		if (rest.p != NULL)
			p->invalid = "a path leads into what cannot be changed";
		else if (!same_is_content(step) && !is_same(s, id, step, v)) {
			char *name = arena_strndup(s->c->arena, step.p, step.len < 100 ? step.len : 100);

			bad_property(p, span_find(step, ' ') == step.len ? name : "id");
		}
		return;
	}
	if (rest.p != NULL) {
		jmap_path_step(rest, s->c->arena, &member, &rest);
		if (rest.p != NULL)
			p->invalid = "a path is longer than the object is deep";
		else
			patch_member(s, p, keyword, member, v);
	} else if (keyword) {
		p->it.keywords_how = EMAIL_REPLACE;
		judge(p, asked_keywords(&s->keywords, s->c->arena, v, &p->it.keywords_add), "keywords",
		    &p->too_many_keywords);
	} else {
		p->it.mailboxes_how = EMAIL_REPLACE;
		judge(p, asked_mailboxes(s->c, v, &p->add), "mailboxIds", &p->too_many_mailboxes);
	}
}

static void
read_patch(struct set *s, struct patch *p, struct span name, uint64_t id, const struct json *patch)
{
	struct mirror_email e;
	const struct span *differing = mirror_get(jmap_call_mirror(s->c), id, &e) ?
	    table_get(&s->differing, name) : NULL;
	const struct json *v;
	struct span key;
	void *pos = NULL;

	if (!jmap_patch_check(patch, s->c->arena, &p->invalid))
		return;
	while (json_next(patch, &pos, &key, &v))
		patch_one(s, p, id, key, v);
	if (differing != NULL) {
		buf_add_span(&p->bad, *differing);
		buf_add_c(&p->bad, ' ');
	}
	p->it.mailboxes_add = buf_span(&p->add);
	p->it.mailboxes_remove = buf_span(&p->remove);
}

/* true: refused, and told so. */
static bool
is_refused(struct set *s, struct span id, struct patch *p)
{
	if (p->invalid != NULL) {
		jmap_set_failed(&s->set, JMAP_UPDATE, id, "invalidPatch", NULL, "%s", p->invalid);
	} else if (p->bad.len > 0) {
		buf_cut(&p->bad, p->bad.len - 1);
		jmap_set_failed(&s->set, JMAP_UPDATE, id, "invalidProperties", buf_cstr(&p->bad),
		    "these cannot be set so");
	} else if (p->too_many_keywords || p->too_many_mailboxes) {
		jmap_set_failed(&s->set, JMAP_UPDATE, id,
		    p->too_many_keywords ? "tooManyKeywords" : "tooManyMailboxes", NULL,
		    "more than an account or an Email may have");
	} else
		return false;
	return true;
}

static void
add_item(struct set *s, struct span id, enum jmap_set_part part, const struct store_email_item *it)
{
	put_store_email_item(&s->items, it);
	if (part == JMAP_UPDATE)
		email_scripts_before(&s->scripts, s->c, it->message);
	s->item[s->n_items++] = (struct set_item){ .id = id, .number = it->message, .part = part,
	    .keywords = it->keywords_how != EMAIL_KEEP, .mailboxes = it->mailboxes_how != EMAIL_KEEP };
}

static bool
find(struct set *s, enum jmap_set_part part, struct span id, uint64_t *number)
{
	struct span real = jmap_call_resolve(s->c, id);

	if (real.p != NULL && object_id_parse(real, OBJECT_EMAIL, number))
		return true;
	jmap_set_failed(&s->set, part, id, "notFound", NULL, "there is no such Email");
	return false;
}

static bool
is_destroyed(const struct set *s, uint64_t number)
{
	uint64_t other;

	for (size_t i = 0; i < s->set.destroy_count; i++)
		if (object_id_parse(s->set.destroy[i], OBJECT_EMAIL, &other) && other == number)
			return true;
	return false;
}

static void
add_update(struct set *s, struct span id, const struct json *patch)
{
	struct patch p = { .it = { .how = EMAIL_UPDATE } };

	if (!find(s, JMAP_UPDATE, id, &p.it.message))
		return;
	if (is_destroyed(s, p.it.message)) {
		jmap_set_failed(&s->set, JMAP_UPDATE, id, "willDestroy", NULL,
		    "the same call destroys it");
		return;
	}
	read_patch(s, &p, id, p.it.message, patch);
	if (!is_refused(s, id, &p))
		add_item(s, id, JMAP_UPDATE, &p.it);
	buf_fini(&p.add);
	buf_fini(&p.remove);
	buf_fini(&p.bad);
}

static void
add_items(struct set *s)
{
	const struct json *patch;
	struct span id;
	void *pos = NULL;

	s->item = arena_array(s->c->arena, s->set.update_count + s->set.destroy_count + 1,
	    sizeof(*s->item));
	while (json_next(s->set.update, &pos, &id, &patch))
		add_update(s, id, patch);
	for (size_t i = 0; i < s->set.destroy_count; i++) {
		struct store_email_item it = { .how = EMAIL_DESTROY };

		if (find(s, JMAP_DESTROY, s->set.destroy[i], &it.message))
			add_item(s, s->set.destroy[i], JMAP_DESTROY, &it);
	}
	run_items(s);
}

/* --- content that is repeated --- */

static void next_same(struct set *s);
static void on_fresh_again(void *arg, enum status st);

static void
on_same(void *arg, struct span differing)
{
	struct set *s = arg;
	struct span *kept;

	same_free(&s->same);
	if (differing.len > 0) {
		kept = arena_array(s->c->arena, 1, sizeof(*kept));
		*kept = differing;
		table_put(&s->differing, s->same_id, kept);
	}
	next_same(s);
}

/* The next update that repeats some; behind the last one the mirror is asked again. */
static void
next_same(struct set *s)
{
	const struct json *patch;
	struct span real;
	uint64_t number;

	while (json_next(s->set.update, &s->same_pos, &s->same_id, &patch)) {
		real = jmap_call_resolve(s->c, s->same_id);
		if (!same_asks(patch) || real.p == NULL ||
		    !object_id_parse(real, OBJECT_EMAIL, &number))
			continue;
		s->same = same_start(s->c, number, patch, on_same, s);
		return;
	}
	s->fresh = mirror_fresh(jmap_call_mirror(s->c), on_fresh_again, s);
}

static bool
repeats_content(const struct set *s)
{
	const struct json *patch;
	struct span id;
	void *pos = NULL;

	while (json_next(s->set.update, &pos, &id, &patch)) {
		if (same_asks(patch))
			return true;
	}
	return false;
}

static void
on_fresh_again(void *arg, enum status st)
{
	struct set *s = arg;

	s->fresh = NULL;
	if (st != ST_OK)
		jmap_call_status(s->c, st, "reading the account");
	else
		add_items(s);
}

/* --- creations --- */

static void next_create(struct set *s);

static void
on_made(void *arg, enum status st, const struct added *a)
{
	struct set *s = arg;

	if (st == ST_CONFLICT && email_states_condition(&s->states) != 0) {
		email_state_mismatch(s->c);
		return;
	}
	if (st == ST_OK) {
		email_states_add(&s->states, a->old_email, a->email);
		email_scripts_made(&s->scripts, s->c, a->message);
	}
	making_report(s->making, &s->set, s->id);
	making_free(&s->making);
	next_create(s);
}

static void
next_create(struct set *s)
{
	const struct json *asked;

	if (json_next(s->set.create, &s->pos, &s->id, &asked))
		s->making = making_create(s->c, asked, email_states_condition(&s->states), on_made, s);
	else if (repeats_content(s))
		next_same(s);
	else if (s->set.update_count + s->set.destroy_count > 0)
		s->fresh = mirror_fresh(jmap_call_mirror(s->c), on_fresh_again, s);
	else
		finish(s);
}

static void
on_fresh(void *arg, enum status st)
{
	struct set *s = arg;

	s->fresh = NULL;
	if (st != ST_OK)
		jmap_call_status(s->c, st, "reading the account");
	else if (!email_states_begin(&s->states, s->c, s->set.if_in_state))
		return;
	else if (s->set.create_count > 0 || repeats_content(s))
		next_create(s);
	else
		add_items(s);
}

void
email_set(struct jmap_call *c)
{
	struct set *s = mem_zalloc(sizeof(*s));

	s->c = c;
	c->state = s;
	c->ended = ended;
	if (jmap_set_args(c, &s->set) && jmap_args_end(c))
		s->fresh = mirror_fresh(jmap_call_mirror(c), on_fresh, s);
}
