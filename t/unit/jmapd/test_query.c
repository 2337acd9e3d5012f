/* Mirror, Email/query, /queryChanges and /changes against a naive model of the same mail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "common/mail/object_id.h"
#include "common/util/clock.h"
#include "common/util/mem.h"
#include "jmapd/core/request.h"
#include "jmapd/methods.h"
#include "jmapd/mirror/mirror_priv.h"
#include "t/unit/jmapd/fake_mail.h"

#define BOXES 5u		/* mailboxes 1..BOXES; TRASH is the last */
#define TRASH BOXES

/* ---- a world ---- */

static uint64_t seed;

static unsigned
rnd(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((seed >> 33) % n);
}

static const struct jmap_method *const tables[] = { jmap_core_methods, jmap_query_methods, NULL };

struct world {
	struct loop		*loop;
	struct jmap_limits	limits;
	struct jmap_host	host;
	struct jmap_account	*account;
	struct mirror_pool	*pool;
	struct fake_mail	*f;
	struct mirror		*m;
	struct buf		text;
	struct json_doc		*doc;
	bool			done;
	enum status		st;
};

static int
set_up(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));
	struct mirror_source s;

	seed = 1;
	w->loop = loop_new();
	w->limits = (struct jmap_limits)JMAP_LIMITS_DEFAULT;
	w->pool = mirror_pool_new(w->loop, 64u << 20);
	w->host = (struct jmap_host){ .loop = w->loop, .methods = tables, .limits = &w->limits,
	    .mirrors = w->pool };
	w->account = jmap_account_bare(w->loop, NULL, 7, SPAN_LIT("u@example.org"));
	w->f = fake_new(w->loop);
	s = fake_source(w->f);
	w->m = w->account->mirror = mirror_new_from(w->pool, &s);
	w->account->mirror_free = mirror_free;
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	json_free(&w->doc);
	jmap_account_end(w->account);
	jmap_account_release(&w->account);
	loop_once(w->loop, true);
	fake_free(&w->f);
	mirror_pool_free(&w->pool);
	loop_free(&w->loop);
	buf_fini(&w->text);
	mem_free(state);
	return 0;
}

static void
on_answer(void *arg, struct jmap_answer *a)
{
	struct world *w = arg;

	w->done = true;
	buf_clear(&w->text);
	buf_add_span(&w->text, buf_span(a->body));
	assert_int_equal(a->status, 200);
}

/* The arguments of the only response, which has this name. */
static const struct json *
ask_for(struct world *w, const char *method, const char *args, const char *name)
{
	struct buf b = { 0 };
	const struct json *r;
	struct span got;

	buf_addf(&b, "{\"using\":[\"urn:ietf:params:jmap:core\",\"urn:ietf:params:jmap:mail\"],"
	    "\"methodCalls\":[[\"%s\",{\"accountId\":\"u7\"%s%s},\"0\"]]}", method,
	    *args != '\0' ? "," : "", args);
	w->done = false;
	jmap_request_start(&w->host, w->account, buf_span(&b), SPAN_LIT("S"), 0, on_answer, w);
	while (!w->done)
		loop_once(w->loop, true);
	buf_fini(&b);
	json_free(&w->doc);
	assert_int_equal(json_parse(buf_span(&w->text), SIZE_MAX, &w->doc), ST_OK);
	r = json_item(json_member(json_root(w->doc), "methodResponses"), 0);
	assert_true(json_as_string(json_item(r, 0), &got));
	if (!span_eq_str(got, name))
		print_message("%s {%s}: %s\n", method, args, buf_cstr(&w->text));
	assert_true(span_eq_str(got, name));
	return json_item(r, 1);
}

static const struct json *
ask(struct world *w, const char *method, const char *args)
{
	return ask_for(w, method, args, method);
}

static void
refused(struct world *w, const char *method, const char *args, const char *type)
{
	struct span got;

	assert_true(json_get_string(ask_for(w, method, args, "error"), "type", &got));
	if (!span_eq_str(got, type))
		print_message("{%s}: %s\n", args, buf_cstr(&w->text));
	assert_true(span_eq_str(got, type));
}

static uint64_t
id_at(const struct json *list, size_t i, char kind)
{
	struct span text;
	uint64_t id;

	assert_true(json_as_string(json_item(list, i), &text));
	assert_true(object_id_parse(text, kind, &id));
	return id;
}

static void
on_fresh(void *arg, enum status st)
{
	struct world *w = arg;

	w->done = true;
	w->st = st;
}

static enum status
freshen(struct world *w, struct mirror *m)
{
	w->done = false;
	mirror_fresh(m, on_fresh, w);
	while (!w->done)
		loop_once(w->loop, true);
	return w->st;
}

/* ---- random mail ---- */

static struct flags
random_flags(void)
{
	struct flags f = flags_system(rnd(2) * FLAG_SEEN | (rnd(3) == 0) * FLAG_FLAGGED |
	    (rnd(6) == 0) * FLAG_DRAFT | (rnd(12) == 0) * FLAG_DELETED);

	if (rnd(3) == 0)
		flags_set_keyword(&f, rnd(3));
	return f;
}

static struct fake_message *
random_message(struct fake_mail *f)
{
	struct fake_message *m;

	for (unsigned i = 0; i < 20 && f->n > 0; i++) {
		m = &f->v[rnd((unsigned)f->n)];
		if (m->n > 0)
			return m;
	}
	return NULL;
}

static void
random_add(struct fake_mail *f)
{
	struct fake_message *m = random_message(f);
	uint64_t thread = m != NULL && rnd(2) ? m->thread : 0;

	fake_add(f, thread, 1 + rnd(BOXES), (int64_t)rnd(40) * 60, 100 + rnd(20), random_flags());
}

static void
random_change(struct fake_mail *f)
{
	struct fake_message *m = random_message(f);

	switch (m == NULL ? 0 : rnd(8)) {
	case 0: case 1:
		random_add(f);
		break;
	case 2: case 3: case 4:
		fake_flags(f, m->id, random_flags());
		break;
	case 5:
		fake_put(f, m->id, 1 + rnd(BOXES), random_flags());
		break;
	case 6:
		fake_take(f, m->id, m->place[rnd(m->n)].mailbox);
		break;
	default:
		fake_destroy(f, m->id);
		break;
	}
}

static void
random_changes(struct fake_mail *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		fake_begin(f);
		for (unsigned k = rnd(4) == 0 ? 5 : 1; k > 0; k--)
			random_change(f);
	}
}

/* ---- the naive model ---- */

static void
naive_counts(const struct fake_mail *f, uint64_t box, struct mirror_counts *c)
{
	*c = (struct mirror_counts){ 0 };
	for (size_t i = 0; i < f->n; i++) {
		const struct fake_message *m = &f->v[i];
		bool first = true, unread = false;

		if (!fake_in(m, box))
			continue;
		c->total_emails++;
		c->unread_emails += (fake_keywords(m).w[0] & (FLAG_SEEN | FLAG_DRAFT)) == 0;
		for (size_t k = 0; k < i && first; k++)
			first = f->v[k].thread != m->thread || !fake_in(&f->v[k], box);
		if (!first)
			continue;
		c->total_threads++;
		for (size_t k = 0; k < f->n && !unread; k++) {
			const struct fake_message *o = &f->v[k];
			bool elsewhere = false;

			if (o->thread != m->thread || !fake_visible(o))
				continue;
			for (uint64_t b = 1; b <= BOXES; b++)
				elsewhere |= b != TRASH && fake_in(o, b);
			if (box == TRASH ? !fake_in(o, TRASH) : !elsewhere)
				continue;
			unread = (fake_keywords(o).w[0] & (FLAG_SEEN | FLAG_DRAFT)) == 0;
		}
		c->unread_threads += unread;
	}
}

static void
same_as_model(struct world *w)
{
	struct fake_mail *f = w->f;
	size_t visible = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct fake_message *m = &f->v[i];
		struct mirror_email e;
		unsigned n = 0;

		assert_int_equal(mirror_get(w->m, m->id, &e), fake_visible(m));
		if (!fake_visible(m))
			continue;
		visible++;
		for (unsigned k = 0; k < m->n; k++)
			n += !(flags_get_system(m->place[k].flags) & FLAG_DELETED);
		assert_int_equal(e.memberships, n);
		assert_int_equal(e.thread, m->thread);
		assert_int_equal(e.size, m->size);
		assert_true(flags_eq(e.flags, fake_keywords(m)));
	}
	assert_int_equal(w->m->rows.count, visible);
	for (uint64_t box = 1; box <= BOXES; box++) {
		struct mirror_counts got, want;

		mirror_counts(w->m, box, TRASH, &got);
		naive_counts(f, box, &want);
		assert_memory_equal(&got, &want, sizeof(got));
	}
}

static void
some_changes(struct fake_mail *f)
{
	random_changes(f, 1 + rnd(3));
}

static void
a_mirror_shows_what_the_store_has_whatever_changes_while_it_is_read(void **state)
{
	struct world *w = *state;

	random_changes(w->f, 60);
	w->f->between = some_changes;
	w->f->twice = true;
	assert_int_equal(freshen(w, w->m), ST_OK);
	w->f->between = NULL;
	same_as_model(w);
	for (int i = 0; i < 300; i++) {
		random_changes(w->f, rnd(4));
		assert_int_equal(freshen(w, w->m), ST_OK);
		same_as_model(w);
	}
	/* what it knows is too old, or of another incarnation */
	random_changes(w->f, 5);
	w->f->horizon = w->f->modseq;
	assert_int_equal(freshen(w, w->m), ST_OK);
	same_as_model(w);
	w->f->incarnation = 3;
	assert_int_equal(freshen(w, w->m), ST_OK);
	same_as_model(w);
	assert_int_equal(mirror_state(w->m, MIRROR_EMAIL).incarnation, 3);
}

static void
unread_threads_keep_the_trash_apart(void **state)
{
	struct world *w = *state;
	struct mirror_counts c;
	uint64_t in, trash;

	/* the example of RFC 8621 §2 */
	fake_begin(w->f);
	in = fake_add(w->f, 0, 1, 100, 10, flags_system(FLAG_SEEN));
	trash = fake_add(w->f, in, TRASH, 101, 10, flags_system(0));
	assert_int_equal(freshen(w, w->m), ST_OK);
	mirror_counts(w->m, TRASH, TRASH, &c);
	assert_int_equal(c.unread_threads, 1);
	mirror_counts(w->m, 1, TRASH, &c);
	assert_int_equal(c.unread_threads, 0);
	assert_int_equal(c.total_threads, 1);
	/* without a Trash they are one thread */
	mirror_counts(w->m, 1, 0, &c);
	assert_int_equal(c.unread_threads, 1);
	/* an email in Trash and elsewhere counts on both sides */
	fake_begin(w->f);
	fake_put(w->f, trash, 2, flags_system(0));
	assert_int_equal(freshen(w, w->m), ST_OK);
	mirror_counts(w->m, 1, TRASH, &c);
	assert_int_equal(c.unread_threads, 1);
}

static void
on_both(void *arg, enum status st)
{
	unsigned *n = arg;

	assert_int_equal(st, ST_OK);
	++*n;
}

static void
several_callers_wait_for_one_answer(void **state)
{
	struct world *w = *state;
	struct mirror_call *c;
	unsigned n = 0;

	random_changes(w->f, 10);
	for (int i = 0; i < 5; i++)
		mirror_fresh(w->m, on_both, &n);
	c = mirror_fresh(w->m, on_both, &n);
	mirror_cancel(&c);
	while (n < 5)
		loop_once(w->loop, true);
	assert_int_equal(w->f->asked, 3);	/* states, emails, what changed meanwhile */
}

static void
mirrors_give_way_to_one_another_and_an_account_may_be_too_large(void **state)
{
	struct world *w = *state;
	struct mirror_source s = fake_source(w->f);
	struct mirror *other = mirror_new_from(w->pool, &s);

	fake_begin(w->f);
	for (int i = 0; i < 3000; i++)
		fake_add(w->f, 0, 1, i, 10, flags_system(0));
	w->f->part = 500;
	assert_int_equal(freshen(w, w->m), ST_OK);
	mirror_pool_set_limit(w->pool, mirror_pool_used(w->pool) * 3 / 2);
	assert_int_equal(freshen(w, other), ST_OK);
	assert_true(mirror_pool_used(w->pool) <= w->pool->limit);
	assert_false(w->m->loaded);
	assert_int_equal(freshen(w, w->m), ST_OK);
	assert_false(other->loaded);
	mirror_pool_set_limit(w->pool, 50000);
	assert_int_equal(freshen(w, w->m), ST_LIMIT);
	refused(w, "Email/query", "", "serverFail");
	assert_true(mirror_pool_used(w->pool) <= 50000);
	mirror_free(&other);
}

/* ---- /changes ---- */

struct known {
	bool	email[4000], thread[4000];
};

static bool
thread_visible(const struct fake_mail *f, uint64_t thread)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].thread == thread && fake_visible(&f->v[i]))
			return true;
	}
	return false;
}

/* One that came, went and came again may be told as created more than once: each answer says what
 * became of it since its own state. */
static void
take_list(const struct json *list, char kind, bool *known, bool value)
{
	for (size_t i = 0; i < json_count(list); i++) {
		uint64_t id = id_at(list, i, kind);

		assert_true(id < 4000);
		known[id] = value;
	}
}

struct asking {
	struct world		*w;
	bool			*known;
	struct type_state	state;
	bool			more;
	size_t			max;
	unsigned		calls;
};

static void
on_thread_changes(void *arg, enum status st, const struct mirror_changes *c)
{
	struct asking *a = arg;

	a->w->done = true;
	if (st == ST_EXPIRED && a->max < 4) {	/* more came and went in one step than may be told */
		for (uint64_t t = 1; t <= a->w->f->next_id; t++)
			a->known[t] = thread_visible(a->w->f, t);
		a->state.modseq = a->w->f->modseq;
		a->state.after = 0;
		a->more = false;
		return;
	}
	assert_int_equal(st, ST_OK);
	assert_true(a->max == 0 || c->n_created + c->n_updated + c->n_destroyed <= a->max);
	for (size_t i = 0; i < c->n_created; i++)
		a->known[c->created[i]] = true;
	for (size_t i = 0; i < c->n_updated; i++)
		assert_true(a->known[c->updated[i]]);
	for (size_t i = 0; i < c->n_destroyed; i++)
		a->known[c->destroyed[i]] = false;
	a->state = c->state;
	a->more = c->more;
}

static void
follow_threads(struct world *w, bool *known, struct type_state *since, size_t max)
{
	struct asking a = { .w = w, .known = known, .state = *since, .max = max, .more = true };

	while (a.more) {
		w->done = false;
		mirror_thread_changes(w->m, a.state, max, on_thread_changes, &a);
		while (!w->done)
			loop_once(w->loop, true);
		assert_true(++a.calls < 2000);
	}
	*since = a.state;
	for (uint64_t t = 1; t <= w->f->next_id; t++)
		assert_int_equal(known[t], thread_visible(w->f, t));
}

static void
follow_emails(struct world *w, bool *known, struct buf *since, size_t max)
{
	bool more = true;

	while (more) {
		const struct json *r;
		struct buf args = { 0 };
		struct span state;

		buf_addf(&args, "\"sinceState\":\"%s\"", buf_cstr(since));
		if (max > 0)
			buf_addf(&args, ",\"maxChanges\":%zu", max);
		r = ask(w, "Email/changes", buf_cstr(&args));
		buf_fini(&args);
		assert_true(max == 0 || json_count(json_member(r, "created")) +
		    json_count(json_member(r, "updated")) +
		    json_count(json_member(r, "destroyed")) <= max);
		take_list(json_member(r, "created"), OBJECT_EMAIL, known, true);
		take_list(json_member(r, "destroyed"), OBJECT_EMAIL, known, false);
		for (size_t i = 0; i < json_count(json_member(r, "updated")); i++)
			assert_true(known[id_at(json_member(r, "updated"), i, OBJECT_EMAIL)]);
		assert_true(json_get_string(r, "newState", &state));
		assert_true(json_get_bool(r, "hasMoreChanges", &more));
		buf_clear(since);
		buf_add_span(since, state);
	}
	for (size_t i = 0; i < w->f->n; i++)
		assert_int_equal(known[w->f->v[i].id], fake_visible(&w->f->v[i]));
}

static void
changes_lead_from_each_state_to_the_present(void **state)
{
	struct world *w = *state;
	struct known *k = mem_zalloc(4 * sizeof(*k));
	struct buf since[4] = { { 0 } };
	struct type_state threads[4] = { { 0 } };

	for (int i = 0; i < 4; i++) {
		buf_add_str(&since[i], "1");
		threads[i].modseq = 1;
	}
	for (int round = 0; round < 120; round++) {
		unsigned i = rnd(4);
		size_t max = rnd(3) == 0 ? 0 : 1 + rnd(6);

		random_changes(w->f, 1 + rnd(8));
		w->f->twice = rnd(2);
		follow_emails(w, k[i].email, &since[i], max);
		follow_threads(w, k[i].thread, &threads[i], max);
	}
	for (int i = 0; i < 4; i++)
		buf_fini(&since[i]);
	mem_free(&k);
}

static void
a_state_that_is_none_cannot_be_followed(void **state)
{
	struct world *w = *state;

	random_changes(w->f, 20);
	refused(w, "Email/changes", "\"sinceState\":\"ffff\"", "cannotCalculateChanges");
	refused(w, "Email/changes", "\"sinceState\":\"x\"", "cannotCalculateChanges");
	refused(w, "Email/changes", "\"sinceState\":\"5-2\"", "cannotCalculateChanges");
	refused(w, "Email/changes", "", "invalidArguments");
	refused(w, "Email/queryChanges", "\"sinceQueryState\":\"ffff\"", "cannotCalculateChanges");
	refused(w, "Email/queryChanges", "\"sinceQueryState\":\"5-2\"", "cannotCalculateChanges");
	w->f->horizon = 10;
	refused(w, "Email/queryChanges", "\"sinceQueryState\":\"5\"", "cannotCalculateChanges");
	ask(w, "Email/queryChanges", "\"sinceQueryState\":\"b\"");
}

/* A client that made a change has its state before the mirror knows of it. */
static void
a_state_newer_than_the_mirror_can_be_followed(void **state)
{
	static const char *const methods[] = { "Email/changes", "Email/queryChanges" };
	static const char *const names[] = { "sinceState", "sinceQueryState" };
	struct world *w = *state;
	struct buf args = { 0 };

	for (unsigned i = 0; i < 2; i++) {
		random_changes(w->f, 20);
		ask(w, "Email/query", "");
		random_changes(w->f, 20);
		buf_clear(&args);
		buf_addf(&args, "\"%s\":\"%" PRIx64 "\"", names[i], w->f->modseq);
		ask(w, methods[i], buf_cstr(&args));
	}
	buf_fini(&args);
}

/* ---- filters and sorts ---- */

struct term {
	int		op;		/* 0 AND, 1 OR, 2 NOT; conditions from 3 */
	unsigned	number;
	struct term	*part[3];
	unsigned	n;
};
static const char *const keywords[] = { "$seen", "$flagged", "$draft", "$forwarded", "work", "none" };

static struct flags
keyword_mask(unsigned i)
{
	struct flags f = { { 0 } };

	if (i < 3)
		return flags_system(i == 0 ? FLAG_SEEN : i == 1 ? FLAG_FLAGGED : FLAG_DRAFT);
	if (i < 5)
		flags_set_keyword(&f, i - 3);
	return f;
}

static bool
has(const struct fake_message *m, unsigned keyword)
{
	struct flags f = fake_keywords(m), mask = keyword_mask(keyword);

	return (f.w[0] & mask.w[0]) != 0;
}

static struct term *
random_term(unsigned depth)
{
	struct term *t = mem_zalloc(sizeof(*t));

	t->op = depth > 0 && rnd(2) ? (int)rnd(3) : 3 + (int)rnd(11);
	t->number = t->op == 3 ? 1 + rnd(BOXES + 1) : t->op < 10 ? rnd(6) : t->op < 12 ?
	    rnd(40) * 60 : 100 + rnd(20);
	for (unsigned n = t->op < 3 ? rnd(4) : 0; t->n < n; t->n++)
		t->part[t->n] = random_term(depth - 1);
	return t;
}

static void
free_term(struct term *t)
{
	for (unsigned i = 0; i < t->n; i++)
		free_term(t->part[i]);
	mem_free(&t);
}

static void
put_term(const struct term *t, struct buf *b)
{
	static const char *const ops[] = { "AND", "OR", "NOT" };
	static const char *const names[] = { "inMailbox", "inMailboxOtherThan", "hasKeyword",
	    "notKeyword", "allInThreadHaveKeyword", "someInThreadHaveKeyword",
	    "noneInThreadHaveKeyword", "before", "after", "minSize", "maxSize" };

	if (t->op < 3) {
		buf_addf(b, "{\"operator\":\"%s\",\"conditions\":[", ops[t->op]);
		for (unsigned i = 0; i < t->n; i++) {
			buf_add_str(b, i > 0 ? "," : "");
			put_term(t->part[i], b);
		}
		buf_add_str(b, "]}");
		return;
	}
	buf_addf(b, "{\"%s\":", names[t->op - 3]);
	if (t->op == 3)
		buf_addf(b, "\"F%u\"}", t->number);
	else if (t->op == 4)
		buf_addf(b, "[\"F%u\",\"F9\"]}", 1 + t->number % BOXES);
	else if (t->op < 10)
		buf_addf(b, "\"%s\"}", keywords[t->number]);
	else if (t->op < 12)
		buf_addf(b, "\"1970-01-01T00:%02u:00Z\"}", t->number / 60);
	else
		buf_addf(b, "%u}", t->number);
}

static bool
naive(const struct fake_mail *f, const struct term *t, const struct fake_message *m)
{
	unsigned yes = 0, all = 0, some = 0;

	for (unsigned i = 0; i < t->n; i++)
		yes += naive(f, t->part[i], m);
	for (size_t i = 0; t->op >= 7 && t->op <= 9 && i < f->n; i++) {
		if (f->v[i].thread != m->thread || !fake_visible(&f->v[i]))
			continue;
		all++;
		some += has(&f->v[i], t->number);
	}
	switch (t->op) {
	case 0:
		return yes == t->n;
	case 1:
		return yes > 0;
	case 2:
		return yes == 0;
	case 3:
		return fake_in(m, t->number);
	case 4:
		for (uint64_t b = 1; b <= BOXES; b++) {
			if (b != 1 + t->number % BOXES && fake_in(m, b))
				return true;
		}
		return false;
	case 5:
		return has(m, t->number);
	case 6:
		return !has(m, t->number);
	case 7:
		return some == all;
	case 8:
		return some > 0;
	case 9:
		return some == 0;
	case 10:
		return m->received_s < t->number;
	case 11:
		return m->received_s >= t->number;
	case 12:
		return m->size >= t->number;
	default:
		return m->size < t->number;
	}
}

struct by {
	unsigned	n, property[3], keyword[3];
	bool		descending[3];
};
static const struct fake_mail *sorted_mail;
static const struct by *sorted_by;

static uint64_t
naive_key(const struct fake_mail *f, const struct fake_message *m, unsigned property, unsigned keyword)
{
	unsigned all = 0, some = 0;

	for (size_t i = 0; property >= 3 && i < f->n; i++) {
		if (f->v[i].thread == m->thread && fake_visible(&f->v[i])) {
			all++;
			some += has(&f->v[i], keyword);
		}
	}
	return property == 0 ? (uint64_t)m->received_s : property == 1 ? m->size :
	    property == 2 ? has(m, keyword) : property == 3 ? some == all : some > 0;
}

static int
naive_compare(const void *a, const void *b)
{
	const struct fake_message *x = *(const struct fake_message *const *)a;
	const struct fake_message *y = *(const struct fake_message *const *)b;
	const struct by *by = sorted_by;

	for (unsigned i = 0; i < by->n; i++) {
		uint64_t p = naive_key(sorted_mail, x, by->property[i], by->keyword[i]);
		uint64_t q = naive_key(sorted_mail, y, by->property[i], by->keyword[i]);

		if (p != q)
			return (p < q) == by->descending[i] ? 1 : -1;
	}
	return (x->id < y->id) == by->descending[0] ? 1 : -1;
}

static void
put_sort(const struct by *by, struct buf *b)
{
	static const char *const names[] = { "receivedAt", "size", "hasKeyword",
	    "allInThreadHaveKeyword", "someInThreadHaveKeyword" };

	for (unsigned i = 0; i < by->n; i++) {
		buf_addf(b, "%s{\"property\":\"%s\",\"isAscending\":%s", i > 0 ? "," : "",
		    names[by->property[i]], by->descending[i] ? "false" : "true");
		if (by->property[i] >= 2)
			buf_addf(b, ",\"keyword\":\"%s\"", keywords[by->keyword[i]]);
		buf_add_str(b, "}");
	}
}

/* A client with its copy of a query's results. */
struct client {
	struct term	*filter;
	struct by	by;
	bool		collapse;
	struct buf	query;		/* the arguments that stay the same */
	struct buf	state;
	uint64_t	*ids;
	size_t		n;
};

static size_t
naive_results(const struct fake_mail *f, const struct client *c, uint64_t *ids)
{
	const struct fake_message **v = mem_array(f->n + 1, sizeof(*v));
	size_t n = 0, k = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (fake_visible(&f->v[i]) && naive(f, c->filter, &f->v[i]))
			v[n++] = &f->v[i];
	}
	sorted_mail = f;
	sorted_by = &c->by;
	qsort(v, n, sizeof(*v), naive_compare);
	for (size_t i = 0; i < n; i++) {
		bool first = true;

		for (size_t j = 0; c->collapse && j < i && first; j++)
			first = v[j]->thread != v[i]->thread;
		if (first)
			ids[k++] = v[i]->id;
	}
	mem_free(&v);
	return k;
}

static void
client_begin(struct client *c)
{
	*c = (struct client){ .filter = random_term(2), .collapse = rnd(2) };
	c->by.n = 1 + rnd(3);
	for (unsigned i = 0; i < c->by.n; i++) {
		c->by.property[i] = rnd(5);
		c->by.keyword[i] = rnd(6);
		c->by.descending[i] = rnd(2);
	}
	buf_add_str(&c->query, "\"filter\":");
	put_term(c->filter, &c->query);
	buf_add_str(&c->query, ",\"sort\":[");
	put_sort(&c->by, &c->query);
	buf_addf(&c->query, "],\"collapseThreads\":%s,\"calculateTotal\":true",
	    c->collapse ? "true" : "false");
	c->ids = mem_array(4000, sizeof(*c->ids));
}

static void
client_end(struct client *c)
{
	free_term(c->filter);
	buf_fini(&c->query);
	buf_fini(&c->state);
	mem_free(&c->ids);
}

static void
take_state(const struct json *r, const char *name, struct buf *state)
{
	struct span text;

	assert_true(json_get_string(r, name, &text));
	buf_clear(state);
	buf_add_span(state, text);
}

static void
client_is_right(struct world *w, const struct client *c)
{
	uint64_t *want = mem_array(w->f->n + 1, sizeof(*want));
	size_t n = naive_results(w->f, c, want);
	bool same = n == c->n && memcmp(want, c->ids, n * sizeof(*want)) == 0;

	if (!same) {
		print_message("%.*s\n", (int)c->query.len, c->query.data);
		for (size_t i = 0; i < n || i < c->n; i++)
			print_message("%zu: want %" PRIu64 " got %" PRIu64 "\n", i,
			    i < n ? want[i] : 0, i < c->n ? c->ids[i] : 0);
	}
	assert_true(same);
	mem_free(&want);
}

static void
client_query(struct world *w, struct client *c)
{
	const struct json *r = ask(w, "Email/query", buf_cstr(&c->query)), *ids;
	uint64_t total;

	ids = json_member(r, "ids");
	c->n = json_count(ids);
	for (size_t i = 0; i < c->n; i++)
		c->ids[i] = id_at(ids, i, OBJECT_EMAIL);
	assert_true(json_get_uint(r, "total", &total));
	assert_int_equal(total, c->n);
	take_state(r, "queryState", &c->state);
}

/* The algorithm of RFC 8620 §5.6. */
static void
client_follow(struct world *w, struct client *c)
{
	struct buf args = { 0 };
	const struct json *r, *list;
	uint64_t total;

	buf_addf(&args, "%s,\"sinceQueryState\":\"%s\"", buf_cstr(&c->query), buf_cstr(&c->state));
	r = ask(w, "Email/queryChanges", buf_cstr(&args));
	buf_fini(&args);
	list = json_member(r, "removed");
	for (size_t i = 0; i < json_count(list); i++) {
		uint64_t id = id_at(list, i, OBJECT_EMAIL);

		for (size_t k = 0; k < c->n; k++) {
			if (c->ids[k] != id)
				continue;
			memmove(&c->ids[k], &c->ids[k + 1], (c->n - k - 1) * sizeof(*c->ids));
			c->n--;
			break;
		}
	}
	list = json_member(r, "added");
	for (size_t i = 0; i < json_count(list); i++) {
		struct span text;
		uint64_t at, id;

		assert_true(json_get_string(json_item(list, i), "id", &text));
		assert_true(object_id_parse(text, OBJECT_EMAIL, &id));
		assert_true(json_get_uint(json_item(list, i), "index", &at));
		assert_true(at <= c->n);
		memmove(&c->ids[at + 1], &c->ids[at], (c->n - at) * sizeof(*c->ids));
		c->ids[at] = id;
		c->n++;
	}
	assert_true(json_get_uint(r, "total", &total));
	assert_int_equal(total, c->n);
	take_state(r, "newQueryState", &c->state);
}

#define CLIENTS 6u

static void
queries_and_their_changes_are_those_of_the_model(void **state)
{
	struct world *w = *state;
	struct client c[CLIENTS];
	unsigned rounds = getenv("MANSIO_FULL") != NULL ? 400 : 40;

	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < CLIENTS; i++)
			client_begin(&c[i]);
		random_changes(w->f, 30);
		for (unsigned i = 0; i < CLIENTS; i++) {
			client_query(w, &c[i]);
			client_is_right(w, &c[i]);
		}
		for (unsigned step = 0; step < 15; step++) {
			struct client *at = &c[rnd(CLIENTS)];

			random_changes(w->f, rnd(4));
			if (rnd(3) > 0)
				client_follow(w, at);
			else
				client_query(w, at);
			client_is_right(w, at);
		}
		for (unsigned i = 0; i < CLIENTS; i++) {
			client_follow(w, &c[i]);
			client_is_right(w, &c[i]);
			client_end(&c[i]);
		}
	}
}

/* ---- by hand ---- */

static void
ids_are(struct world *w, const char *args, const char *want)
{
	const struct json *list = json_member(ask(w, "Email/query", args), "ids");
	struct buf got = { 0 };

	for (size_t i = 0; i < json_count(list); i++)
		buf_addf(&got, "%s%" PRIu64, i > 0 ? " " : "", id_at(list, i, OBJECT_EMAIL));
	if (strcmp(buf_cstr(&got), want) != 0)
		print_message("{%s}\n", args);
	assert_string_equal(buf_cstr(&got), want);
	buf_fini(&got);
}

static void
windows_are_cut_by_position_and_anchor(void **state)
{
	struct world *w = *state;

	fake_begin(w->f);
	for (int i = 1; i <= 6; i++)
		fake_add(w->f, 0, 1, i * 60, 10, flags_system(0));
	ids_are(w, "", "6 5 4 3 2 1");
	ids_are(w, "\"sort\":[]", "6 5 4 3 2 1");
	ids_are(w, "\"sort\":[{\"property\":\"receivedAt\"}]", "1 2 3 4 5 6");
	ids_are(w, "\"position\":2,\"limit\":2", "4 3");
	ids_are(w, "\"position\":-2", "2 1");
	ids_are(w, "\"position\":-9,\"limit\":1", "6");
	ids_are(w, "\"position\":6", "");
	ids_are(w, "\"anchor\":\"M4\",\"anchorOffset\":-1,\"limit\":3", "5 4 3");
	ids_are(w, "\"anchor\":\"M6\",\"anchorOffset\":-3,\"limit\":1,\"position\":4", "6");
	ids_are(w, "\"limit\":0", "");
	refused(w, "Email/query", "\"anchor\":\"M9\"", "anchorNotFound");
	refused(w, "Email/query", "\"limit\":-1", "invalidArguments");
}

static void
what_is_no_filter_or_sort_is_refused(void **state)
{
	struct world *w = *state;

	fake_begin(w->f);
	fake_add(w->f, 0, 1, 60, 10, flags_system(0));
	ids_are(w, "\"filter\":null", "1");
	ids_are(w, "\"filter\":{}", "1");
	ids_are(w, "\"filter\":{\"operator\":\"OR\",\"conditions\":[]}", "");
	ids_are(w, "\"filter\":{\"operator\":\"NOT\",\"conditions\":[]}", "1");
	ids_are(w, "\"filter\":{\"inMailbox\":\"nothing-of-ours\"}", "");
	ids_are(w, "\"filter\":{\"text\":\"  \"}", "1");
	/* nothing is left that a text could decide about */
	ids_are(w, "\"filter\":{\"inMailbox\":\"F2\",\"text\":\"x\"}", "");
	refused(w, "Email/query", "\"filter\":{\"colour\":\"red\"}", "unsupportedFilter");
	refused(w, "Email/query", "\"filter\":{\"inMailbox\":7}", "invalidArguments");
	refused(w, "Email/query", "\"filter\":{\"inMailboxOtherThan\":\"F1\"}", "invalidArguments");
	refused(w, "Email/query", "\"filter\":{\"before\":\"yesterday\"}", "invalidArguments");
	refused(w, "Email/query", "\"filter\":{\"minSize\":-1}", "invalidArguments");
	refused(w, "Email/query", "\"filter\":{\"header\":[]}", "invalidArguments");
	refused(w, "Email/query", "\"filter\":{\"header\":[\"a b\"]}", "invalidArguments");
	refused(w, "Email/query", "\"filter\":{\"operator\":\"XOR\",\"conditions\":[]}",
	    "invalidArguments");
	refused(w, "Email/query", "\"sort\":[{\"property\":\"mood\"}]", "unsupportedSort");
	refused(w, "Email/query", "\"sort\":[{\"property\":\"hasKeyword\"}]", "invalidArguments");
	refused(w, "Email/query", "\"sort\":[{\"property\":\"subject\",\"collation\":\"x\"}]",
	    "unsupportedSort");
	refused(w, "Email/query", "\"sort\":[7]", "invalidArguments");
}

static void
changes_behind_up_to_id_are_left_out(void **state)
{
	struct world *w = *state;
	const struct json *r;
	struct buf since = { 0 }, args = { 0 };

	fake_begin(w->f);
	for (int i = 1; i <= 6; i++)
		fake_add(w->f, 0, 1, i * 600, 10, flags_system(0));
	take_state(ask(w, "Email/query", ""), "queryState", &since);
	fake_begin(w->f);
	fake_add(w->f, 0, 1, 9000, 10, flags_system(0));
	fake_add(w->f, 0, 1, 60, 10, flags_system(0));
	fake_flags(w->f, 3, flags_system(FLAG_SEEN));
	buf_addf(&args, "\"sinceQueryState\":\"%s\"", buf_cstr(&since));
	r = ask(w, "Email/queryChanges", buf_cstr(&args));
	assert_int_equal(json_count(json_member(r, "added")), 2);
	assert_int_equal(json_count(json_member(r, "removed")), 0);
	buf_add_str(&args, ",\"upToId\":\"M4\"");
	r = ask(w, "Email/queryChanges", buf_cstr(&args));
	assert_int_equal(json_count(json_member(r, "added")), 1);
	buf_clear(&args);
	buf_addf(&args, "\"sinceQueryState\":\"%s\",\"maxChanges\":1", buf_cstr(&since));
	refused(w, "Email/queryChanges", buf_cstr(&args), "tooManyChanges");
	/* the same list of unread ones is a mutable one: upToId is ignored */
	buf_clear(&args);
	buf_addf(&args, "\"sinceQueryState\":\"%s\",\"filter\":{\"notKeyword\":\"$SEEN\"},"
	    "\"upToId\":\"M4\"", buf_cstr(&since));
	r = ask(w, "Email/queryChanges", buf_cstr(&args));
	assert_int_equal(json_count(json_member(r, "added")), 2);
	assert_int_equal(json_count(json_member(r, "removed")), 1);
	buf_fini(&since);
	buf_fini(&args);
}

static void
a_message_costs_at_most_eighty_bytes(void **state)
{
	struct world *w = *state;
	struct rows *r = &w->m->rows;
	const size_t n = 50000;

	for (size_t i = 0; i < n; i++) {
		const struct rows_place p = { 1 + i % 40, (uint32_t)i + 1, random_flags() };
		const struct rows_message m = { i + 1, 1 + i * 3 / 4, (int64_t)i, 3000, &p, 1 };

		assert_true(rows_add(r, &m));
	}
	print_message("%zu bytes a message\n", rows_bytes(r) / n);
	assert_true(rows_bytes(r) <= n * 80);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_mirror_shows_what_the_store_has_whatever_changes_while_it_is_read),
		T(unread_threads_keep_the_trash_apart),
		T(several_callers_wait_for_one_answer),
		T(mirrors_give_way_to_one_another_and_an_account_may_be_too_large),
		T(changes_lead_from_each_state_to_the_present),
		T(a_state_that_is_none_cannot_be_followed),
		T(a_state_newer_than_the_mirror_can_be_followed),
		T(windows_are_cut_by_position_and_anchor),
		T(what_is_no_filter_or_sort_is_refused),
		T(changes_behind_up_to_id_are_left_out),
		T(queries_and_their_changes_are_those_of_the_model),
		T(a_message_costs_at_most_eighty_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
