/* What changed after a state, as /changes of Emails and Threads tell it. */
#include "jmapd/mirror/mirror_priv.h"

#include "common/util/mem.h"

/* A message told twice: what it was says the first, what it is the last. */
void
touched_take(struct touched_list *t, const struct store_email_change *c, bool later)
{
	uintptr_t at = (uintptr_t)table_get_u64(&t->by_id, c->message);
	struct mirror_touched *m = at > 0 ? &t->v[at - 1] : NULL;

	if (m != NULL) {
		if (later && !m->later)
			m->cut = c->was;
		m->later |= later;
		m->is = c->is;
		m->what |= c->what | (c->was ? 0 : MIRROR_AGAIN);
		return;
	}
	if (t->n == t->room) {
		t->room = t->room > 0 ? t->room * 2 : 16;
		t->v = mem_realloc_array(t->v, t->room, sizeof(*t->v));
	}
	t->v[t->n++] = (struct mirror_touched){ c->message, c->thread, c->what, c->was, c->is,
	    later, c->was };
	table_put_u64(&t->by_id, c->message, (void *)(uintptr_t)t->n);
}

void
touched_fini(struct touched_list *t)
{
	mem_free(&t->v);
	table_fini(&t->by_id, NULL, NULL);
	t->n = t->room = 0;
}

/* ---- all of it ---- */

struct siblings {
	bool		*seen;		/* by box */
	uint64_t	*v;
	size_t		n;
};

static void
add_siblings(const struct mirror *m, uint64_t thread, struct siblings *s)
{
	uint32_t head = rows_find_thread(&m->rows, thread), i = head;
	struct rows_seen place;

	if (head == ROWS_NONE)
		return;
	do {
		const struct row *row = rows_row(&m->rows, i);

		for (unsigned k = 0; rows_at(&m->rows, row, k, &place); k++) {
			if (s->seen[place.box])
				continue;
			s->seen[place.box] = true;
			s->v[s->n++] = rows_box_id(&m->rows, place.box);
		}
		i = row->next;
	} while (i != head);
}

void
history_tell(struct mirror_call *c)
{
	const struct mirror *m = c->m;
	struct mirror_history h = { .v = c->list.v, .n = c->list.n };
	struct siblings s = { .seen = mem_zalloc(m->rows.n_boxes + 1),
	    .v = mem_array(m->rows.n_boxes + 1, sizeof(*s.v)) };
	struct table threads = { 0 };

	for (size_t i = 0; i < h.n; i++) {
		if (table_put_u64(&threads, h.v[i].thread, &s) == NULL)
			add_siblings(m, h.v[i].thread, &s);
	}
	h.mailboxes = s.v;
	h.n_mailboxes = s.n;
	c->done.history(c->arg, ST_OK, &h);
	table_fini(&threads, NULL, NULL);
	mem_free(&s.seen);
	mem_free(&s.v);
}

/* ---- lists of ids ---- */

struct id_list {
	uint64_t	*v;
	size_t		n, room;
};

static void
add_id(struct id_list *l, uint64_t id)
{
	if (l->n == l->room) {
		l->room = l->room > 0 ? l->room * 2 : 16;
		l->v = mem_realloc_array(l->v, l->room, sizeof(*l->v));
	}
	l->v[l->n++] = id;
}

struct lists {
	struct id_list	created, updated, destroyed;
};

static void
add_change(struct lists *l, uint64_t id, bool was, bool is)
{
	if (was && is)
		add_id(&l->updated, id);
	else if (is)
		add_id(&l->created, id);
	else if (was)
		add_id(&l->destroyed, id);
}

static void
lists_fini(struct lists *l)
{
	mem_free(&l->created.v);
	mem_free(&l->updated.v);
	mem_free(&l->destroyed.v);
}

static void
tell_lists(struct mirror_call *c, struct lists *l, struct type_state state, bool more)
{
	const struct mirror_changes ch = {
		l->created.v, l->updated.v, l->destroyed.v, l->created.n, l->updated.n,
		l->destroyed.n, state, more
	};

	c->done.changes(c->arg, ST_OK, &ch);
	lists_fini(l);
}

/* ---- threads ---- */

/* Was there an email of it at `since` that is not among the changed ones? */
static bool
has_unchanged(const struct mirror_call *c, uint64_t thread)
{
	const struct mirror *m = c->m;
	uint32_t head = rows_find_thread(&m->rows, thread), i = head;

	while (i != ROWS_NONE) {
		const struct row *row = rows_row(&m->rows, i);

		if (table_get_u64(&c->list.by_id, row->id) == NULL)
			return true;
		i = row->next == head ? ROWS_NONE : row->next;
	}
	return false;
}

enum { THREAD_WAS = 1, THREAD_SEEN, THREAD_MOVED };

/* Was it there at the end of what is told: now, or at the point that comes before the rest? */
static bool
at_end(const struct mirror_call *c, const struct mirror_touched *t)
{
	return c->cut && t->later ? t->cut : t->is;
}

static void
mark(struct table *t, uint64_t thread, uintptr_t value)
{
	if ((uintptr_t)table_get_u64(t, thread) < value)
		table_put_u64(t, thread, (void *)value);
}

/* Threads of the batch's emails are told as they were at its end, and not as they are: the next
 * answer goes on from there. */
static void
list_threads(struct mirror_call *c, struct lists *l)
{
	struct table was = { 0 }, is = { 0 }, told = { 0 };

	for (size_t i = 0; i < c->list.n; i++) {
		if (c->list.v[i].was)
			mark(&was, c->list.v[i].thread, THREAD_WAS);
		if (at_end(c, &c->list.v[i]))
			mark(&is, c->list.v[i].thread, THREAD_WAS);
	}
	for (size_t i = 0; i < c->batch; i++)
		mark(&told, c->list.v[i].thread,
		    c->list.v[i].was != at_end(c, &c->list.v[i]) ? THREAD_MOVED : THREAD_SEEN);
	for (size_t i = 0; i < c->batch; i++) {
		uint64_t thread = c->list.v[i].thread;
		uintptr_t how = (uintptr_t)table_del_u64(&told, thread);
		bool then, now, rest;

		if (how == 0)
			continue;
		rest = has_unchanged(c, thread);
		then = rest || table_get_u64(&was, thread) != NULL;
		now = rest || table_get_u64(&is, thread) != NULL;
		if (then != now || how == THREAD_MOVED)
			add_change(l, thread, then, now);
	}
	table_fini(&was, NULL, NULL);
	table_fini(&is, NULL, NULL);
	table_fini(&told, NULL, NULL);
}

/* Emails that came and went are in a batch beside those that count for its size. */
bool
threads_too_many(struct mirror_call *c)
{
	struct lists l = { 0 };
	bool many;

	list_threads(c, &l);
	many = c->max > 0 && l.created.n + l.updated.n + l.destroyed.n > c->max;
	lists_fini(&l);
	return many;
}

void
threads_tell(struct mirror_call *c)
{
	const struct mirror *m = c->m;
	struct type_state state = { .modseq = m->states[MIRROR_THREAD],
	    .incarnation = m->incarnation };
	struct lists l = { 0 };

	list_threads(c, &l);
	if (c->cut)
		state = (struct type_state){ c->first.modseq, c->first.after, m->incarnation };
	tell_lists(c, &l, state, c->cut);
}

/* ---- emails ---- */

static void
emails_tell(struct mirror_call *c, enum status st, bool more)
{
	struct mirror_call own = *c;
	struct lists l = { 0 };
	bool anew = own.since.after != 0;

	list_remove(&c->in_list);
	mem_free(&c);
	for (size_t i = 0; st == ST_OK && i < own.list.n; i++) {
		const struct mirror_touched *t = &own.list.v[i];

		/* Since a point between answers: whether it was told is not known when it went and came. */
		if (!t->was || !t->is || t->what != 0)
			add_change(&l, t->id, t->was && !(anew && t->is && (t->what & MIRROR_AGAIN)), t->is);
	}
	if (st == ST_OK)
		tell_lists(&own, &l, own.upto, more);
	else
		own.done.changes(own.arg, st, NULL);
	loop_task_free(&own.task);
	touched_fini(&own.list);
}

static void
on_email_changes(void *arg, enum status st, bool more, const void *msg)
{
	struct mirror_call *c = arg;
	const struct store_email_changes_are *are = msg;
	struct store_email_change x;
	struct reader r;

	if (!more)
		c->ask = NULL;
	if (st == ST_OK && are != NULL) {
		reader_init(&r, are->changes.p, are->changes.len);
		while (are->changes.len > 0 && get_store_email_change(&r, &x))
			touched_take(&c->list, &x, false);
	}
	if (st == ST_OK && more)
		return;
	if (c->ask != NULL)
		c->m->source.cancel(c->m->source.arg, &c->ask);
	c->upto = (struct type_state){ .incarnation = c->since.incarnation };
	if (are != NULL && are->more) {
		/* a point between answers always names a message, if only behind all of a change */
		c->upto.modseq = are->upto - (are->upto_after == 0 && are->upto > 0);
		c->upto.after = are->upto_after == 0 && are->upto > 0 ? UINT64_MAX : are->upto_after;
	} else if (are != NULL) {
		c->upto.modseq = are->email;
	}
	emails_tell(c, st == ST_OK && are == NULL ? ST_BUG : st, are != NULL && are->more);
}

static void
on_no_store(void *arg)
{
	emails_tell(arg, ST_UNAVAILABLE, false);
}

/* Needs nothing of the mirror: a question of its own, in order at the store. */
void
emails_ask(struct mirror_call *c)
{
	const struct mirror_source *s = &c->m->source;
	const struct store_email_changes rq = {
		.since = c->since.modseq, .after = c->since.after,
		.incarnation = c->since.incarnation,
		.limit = c->max > UINT32_MAX ? UINT32_MAX : (uint32_t)c->max
	};

	c->ask = s->email_changes(s->arg, &rq, on_email_changes, c);
	if (c->ask != NULL)
		return;
	c->task = loop_task_new(c->m->pool->loop, on_no_store, c);
	loop_task_post(c->task);
}
