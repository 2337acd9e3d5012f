/* Questions to the store, one after the other: all of the account once, then what changed since.
 * A history is the same question from an earlier point; its answer renews the mirror as well, so that
 * both show the same moment. */
#include "jmapd/mirror/mirror_priv.h"

#include "common/util/log.h"
#include "common/util/mem.h"

static void run(struct mirror *m);
static void ask_changes(struct mirror *m);

/* ---- the pool ---- */

struct mirror_pool *
mirror_pool_new(struct loop *l, size_t limit_bytes)
{
	struct mirror_pool *p = mem_zalloc(sizeof(*p));

	p->loop = l;
	p->limit = limit_bytes;
	list_init(&p->mirrors);
	return p;
}

void
mirror_pool_free(struct mirror_pool **pp)
{
	mem_free(pp);
}

size_t
mirror_pool_used(const struct mirror_pool *p)
{
	return p->used;
}

static void
empty(struct mirror *m)
{
	rows_fini(&m->rows);
	buf_clear(&m->keywords);
	if (m->results != NULL)
		m->results_free(&m->results);
	m->results_bytes = 0;
	mem_free(&m->recent);
	m->version += RECENT_MAX + 1;	/* nobody knows what it was */
	m->loaded = false;
	m->modseq = 0;
	m->pool->used -= m->bytes;
	m->bytes = 0;
}

static void
make_room(struct mirror_pool *p, const struct mirror *keep)
{
	struct list *at, *tmp;

	list_each(at, tmp, &p->mirrors) {
		struct mirror *m = list_entry(at, struct mirror, in_pool);

		if (p->used <= p->limit)
			return;
		if (m != keep && !m->busy && list_empty(&m->calls))
			empty(m);
	}
}

void
mirror_pool_set_limit(struct mirror_pool *p, size_t limit_bytes)
{
	p->limit = limit_bytes;
	make_room(p, NULL);
}

void
mirror_weigh(struct mirror *m)
{
	m->pool->used -= m->bytes;
	m->bytes = rows_bytes(&m->rows) + m->keywords.len + m->results_bytes +
	    (m->recent != NULL ? RECENT_MAX * sizeof(*m->recent) : 0);
	m->pool->used += m->bytes;
	if (m->pool->used > m->pool->limit)
		make_room(m->pool, m);
}

/* ---- telling who waits ---- */

/* Nothing will come of it. */
static void
orphan(struct mirror_call *c)
{
	struct mirror *m = c->m;

	if (m == NULL)
		return;
	list_remove(&c->in_list);
	if (m->asker == c)
		m->asker = NULL;
	if (c->ask != NULL)
		m->source.cancel(m->source.arg, &c->ask);
	loop_task_free(&c->task);
	touched_fini(&c->list);
	c->m = NULL;
}

void
mirror_cancel(struct mirror_call **cp)
{
	if (*cp != NULL)
		orphan(*cp);
	mem_free(cp);
}

static void
tell(struct mirror_call *c, enum status st)
{
	struct mirror_call own = *c;

	if (c->m->asker == c)
		c->m->asker = NULL;
	list_remove(&c->in_list);
	own.in_list = (struct list){ 0 };
	mem_free(&c);
	if (own.kind == MIRROR_CALL_FRESH)
		own.done.fresh(own.arg, st);
	else if (st != ST_OK && own.kind == MIRROR_CALL_HISTORY)
		own.done.history(own.arg, st, NULL);
	else if (st != ST_OK)
		own.done.changes(own.arg, st, NULL);
	else if (own.kind == MIRROR_CALL_HISTORY)
		history_tell(&own);
	else
		threads_tell(&own);
	loop_task_free(&own.task);
	touched_fini(&own.list);
}

/* The first of those that were served. */
static struct mirror_call *
next_told(struct mirror *m)
{
	struct list *at, *tmp;

	list_each(at, tmp, &m->calls) {
		struct mirror_call *c = list_entry(at, struct mirror_call, in_list);

		if (c->served)
			return c;
	}
	return NULL;
}

/* From the beginning, in smaller steps. */
static void
ask_for_fewer(struct mirror_call *c)
{
	if (c->single) {
		tell(c, ST_EXPIRED);
		return;
	}
	c->single = c->limit == 1;
	touched_fini(&c->list);
	c->limit = c->limit / 4 + 1;
	c->point = c->since;
	c->batch = 0;
	c->cut = c->served = false;
}

/* The answer is here, or there will be none.  A callback may do anything but free the mirror. */
static void
answered(struct mirror *m, enum status st, bool all)
{
	struct mirror_call *c;
	struct list *at, *tmp;

	list_each(at, tmp, &m->calls)
		list_entry(at, struct mirror_call, in_list)->served |= all;
	/* busy still: calls that are made now wait for a question of their own */
	while ((c = next_told(m)) != NULL) {
		if (st == ST_OK && c->kind == MIRROR_CALL_THREADS && threads_too_many(c))
			ask_for_fewer(c);
		else
			tell(c, st);
	}
	m->busy = false;
	if (rows_stale(&m->rows))
		empty(m);
	run(m);
}

static void
on_task(void *arg)
{
	struct mirror *m = arg;

	if (m->busy && m->ask == NULL && m->failed != ST_OK) {
		enum status st = m->failed;

		m->failed = ST_OK;
		answered(m, st, true);
	} else {
		run(m);
	}
}

/* Nobody is called while somebody calls. */
static void
fail_later(struct mirror *m, enum status st)
{
	m->failed = st;
	loop_task_post(m->task);
}

/* ---- what comes ---- */

static void
take_keywords(struct mirror *m, struct span list)
{
	if (list.len <= m->keywords.len)
		return;
	buf_clear(&m->keywords);
	buf_add_span(&m->keywords, list);
}

static void
add_place(struct mirror *m, size_t n, const struct store_member *s)
{
	if (n == m->place_room) {
		m->place_room = m->place_room > 0 ? m->place_room * 2 : 16;
		m->places = mem_realloc_array(m->places, m->place_room, sizeof(*m->places));
	}
	m->places[n] = (struct rows_place){ s->mailbox, s->row.uid, s->row.flags };
}

static bool
hidden(const struct store_member *s)
{
	return (flags_get_system(s->row.flags) & FLAG_DELETED) != 0;
}

static void
remember(struct mirror *m, const struct recent *r)
{
	if (m->recent == NULL)
		m->recent = mem_array(RECENT_MAX, sizeof(*m->recent));
	m->recent[m->version++ % RECENT_MAX] = *r;
}

/* Is it in the same mailboxes as before? */
static bool
same_boxes(const struct rows *r, const struct row *row, const struct rows_place *p, size_t n)
{
	struct rows_seen s;

	for (unsigned i = 0; rows_at(r, row, i, &s); i++) {
		bool there = false;

		for (size_t k = 0; k < n && !there; k++)
			there = p[k].mailbox == rows_box_id(r, s.box);
		if (!there)
			return false;
	}
	for (size_t k = 0; k < n; k++) {
		uint32_t box = rows_box_find(r, p[k].mailbox);

		if (box == UINT32_MAX || !rows_in(r, row, box))
			return false;
	}
	return true;
}

/* What of it is as it is now.  false: it cannot be held. */
static bool
apply(struct mirror *m, const struct store_email_change *c)
{
	struct rows_message msg = { .id = c->message, .thread = c->thread };
	struct recent was = { .id = c->message, .thread = c->thread };
	uint32_t i = rows_find(&m->rows, c->message);
	struct flags before = { { 0 } };
	struct store_member s;
	struct reader r;
	bool ok;

	reader_init(&r, c->members.p, c->members.len);
	while (c->members.len > 0 && get_store_member(&r, &s)) {
		if (hidden(&s))
			continue;
		if (msg.n == 0) {
			msg.received_s = s.row.received_s;
			msg.size = s.row.size;
		}
		add_place(m, msg.n++, &s);
	}
	msg.places = m->places;
	if (i == ROWS_NONE && msg.n == 0)
		return true;
	if (i == ROWS_NONE)
		was.what = RECENT_CAME;
	else if (msg.n == 0)
		was.what = RECENT_GONE;
	else if (!same_boxes(&m->rows, rows_row(&m->rows, i), msg.places, msg.n))
		was.what = RECENT_MAILBOXES;
	if (i != ROWS_NONE)
		before = rows_flags(&m->rows, rows_row(&m->rows, i));
	ok = rows_put(&m->rows, &msg);
	if (ok && i != ROWS_NONE && msg.n > 0 &&
	    !flags_eq(before, rows_flags(&m->rows, rows_row(&m->rows, i))))
		was.what |= RECENT_KEYWORDS;
	if (was.what != 0)
		remember(m, &was);
	return ok;
}

static bool
too_large(struct mirror *m, bool held)
{
	mirror_weigh(m);
	if (held && m->bytes <= m->pool->limit)
		return false;
	LOG(NULL, WARN, "jmap.mirror.limit", KV_UINT("bytes", m->bytes),
	    KV_UINT("messages", m->rows.count));
	return true;
}

static void
give_up(struct mirror *m, enum status st)
{
	if (m->ask != NULL)
		m->source.cancel(m->source.arg, &m->ask);
	if (!m->loaded || st == ST_LIMIT)
		empty(m);
	answered(m, st, true);
}

static void
changes_over(struct mirror *m, const struct store_email_changes_are *are)
{
	struct mirror_call *c = m->asker;

	if (c != NULL) {
		c->point.modseq = are->upto;
		c->point.after = are->upto_after;
		if (c->batch == 0) {
			for (size_t i = 0; i < c->list.n && c->batch == 0; i++) {
				if (c->single || c->list.v[i].was != c->list.v[i].is)
					c->batch = c->list.n;
			}
			c->first = c->point;
			c->cut = are->more;
		}
	}
	if (are->more) {
		ask_changes(m);
		return;
	}
	m->loaded = true;
	if (are->upto > m->modseq)
		m->modseq = are->upto;
	m->states[MIRROR_EMAIL] = are->email;
	m->states[MIRROR_THREAD] = are->thread;
	answered(m, ST_OK, false);
}

/* What a history asked for and cannot have is its own affair; when the mirror itself is too old it
 * is read anew. */
static void
changes_failed(struct mirror *m, enum status st)
{
	struct mirror_call *c = m->asker;

	if (st == ST_EXPIRED && c == NULL && m->loaded) {
		empty(m);
		m->busy = false;
		run(m);
	} else if (st == ST_EXPIRED && c != NULL) {
		m->busy = false;
		tell(c, st);
		run(m);
	} else {
		give_up(m, st == ST_EXPIRED ? ST_UNAVAILABLE : st);
	}
}

static void
on_changes(void *arg, enum status st, bool more, const void *msg)
{
	struct mirror *m = arg;
	const struct store_email_changes_are *are = msg;
	struct store_email_change c;
	struct reader r;
	bool held = true;

	if (!more)
		m->ask = NULL;
	if (st != ST_OK || are == NULL) {
		changes_failed(m, st != ST_OK ? st : ST_BUG);
		return;
	}
	take_keywords(m, are->keywords);
	reader_init(&r, are->changes.p, are->changes.len);
	while (held && are->changes.len > 0 && get_store_email_change(&r, &c)) {
		held = apply(m, &c);
		if (m->asker != NULL)
			touched_take(&m->asker->list, &c, m->asker->batch > 0);
	}
	if (too_large(m, held))
		give_up(m, ST_LIMIT);
	else if (!more)
		changes_over(m, are);
}

/* A history of threads wants a point early in it: small questions until something came or went. */
static void
ask_changes(struct mirror *m)
{
	struct mirror_call *c = m->asker;
	struct store_email_changes rq = { .since = m->modseq, .incarnation = m->incarnation };

	if (c != NULL) {
		rq.since = c->point.modseq;
		rq.after = c->point.after;
		if (c->batch == 0)
			rq.limit = c->limit > UINT32_MAX ? UINT32_MAX : (uint32_t)c->limit;
	}
	m->ask = m->source.email_changes(m->source.arg, &rq, on_changes, m);
	if (m->ask == NULL)
		fail_later(m, ST_UNAVAILABLE);
}

/* ---- all of it ---- */

static void
on_emails(void *arg, enum status st, bool more, const void *msg)
{
	struct mirror *m = arg;
	const struct store_emails_are *are = msg;
	struct store_member s;
	struct reader r;
	bool held = true;

	if (!more)
		m->ask = NULL;
	if (st != ST_OK || are == NULL) {
		give_up(m, st != ST_OK ? st : ST_BUG);
		return;
	}
	if (m->modseq == 0)
		m->modseq = are->modseq;
	take_keywords(m, are->keywords);
	reader_init(&r, are->members.p, are->members.len);
	while (held && are->members.len > 0 && get_store_member(&r, &s)) {
		const struct rows_place p = { s.mailbox, s.row.uid, s.row.flags };
		const struct rows_message one = { s.row.message, s.row.thread, s.row.received_s,
		    s.row.size, &p, 1 };

		held = hidden(&s) || rows_add(&m->rows, &one);
	}
	if (too_large(m, held))
		give_up(m, ST_LIMIT);
	else if (!more)
		ask_changes(m);		/* what changed while the parts were read */
}

static void
on_states(void *arg, enum status st, bool more, const void *msg)
{
	struct mirror *m = arg;
	const struct store_states_are *are = msg;
	const struct store_emails rq = { 0 };

	(void)more;
	m->ask = NULL;
	if (st != ST_OK || are == NULL) {
		give_up(m, st != ST_OK ? st : ST_BUG);
		return;
	}
	m->incarnation = are->incarnation;
	m->modseq = 0;
	m->ask = m->source.emails(m->source.arg, &rq, on_emails, m);
	if (m->ask == NULL)
		fail_later(m, ST_UNAVAILABLE);
}

/* ---- one question after the other ---- */

/* Is it a point that was, as far as the mirror knows? */
static bool
reached(const struct mirror *m, const struct type_state *s)
{
	return s->modseq + (s->after != 0) <= m->modseq;
}

static struct mirror_call *
first_call(struct mirror *m)
{
	return list_entry(m->calls.next, struct mirror_call, in_list);
}

/* Everybody who waits now is served by the next answer, and of histories the first one. */
static void
serve(struct mirror *m, struct mirror_call *asker)
{
	struct list *at, *tmp;

	m->asker = asker;
	list_each(at, tmp, &m->calls) {
		struct mirror_call *c = list_entry(at, struct mirror_call, in_list);

		c->served = c->kind == MIRROR_CALL_FRESH || c == asker;
	}
}

static void
ask_since(struct mirror *m)
{
	struct mirror_call *c = first_call(m);

	/* One that lies ahead of us: first we become as new as can be; then there is such a point, or
	 * there is none (run()). */
	bool ahead = c->kind != MIRROR_CALL_FRESH && !reached(m, &c->since);

	c->tried |= ahead;
	serve(m, c->kind == MIRROR_CALL_FRESH || ahead ? NULL : c);
	ask_changes(m);
}

static void
run(struct mirror *m)
{
	struct mirror_call *c;

	if (m->busy || list_empty(&m->calls))
		return;
	c = first_call(m);
	if (m->loaded && c->kind != MIRROR_CALL_FRESH &&
	    (c->since.incarnation != m->incarnation || (c->tried && !reached(m, &c->since)))) {
		tell(c, ST_EXPIRED);
		run(m);
		return;
	}
	list_remove(&m->in_pool);
	list_push_back(&m->pool->mirrors, &m->in_pool);
	m->busy = true;
	if (m->loaded) {
		ask_since(m);
		return;
	}
	serve(m, NULL);
	m->ask = m->source.states(m->source.arg, on_states, m);
	if (m->ask == NULL)
		fail_later(m, ST_UNAVAILABLE);
}

static struct mirror_call *
call_new(struct mirror *m, enum mirror_kind kind, void *arg)
{
	struct mirror_call *c = mem_zalloc(sizeof(*c));

	c->m = m;
	c->kind = kind;
	c->arg = arg;
	return c;
}

static struct mirror_call *
call_start(struct mirror *m, struct mirror_call *c)
{
	list_push_back(&m->calls, &c->in_list);
	loop_task_post(m->task);
	return c;
}

struct mirror_call *
mirror_fresh(struct mirror *m, mirror_done_fn done, void *arg)
{
	struct mirror_call *c = call_new(m, MIRROR_CALL_FRESH, arg);

	c->done.fresh = done;
	return call_start(m, c);
}

struct mirror_call *
mirror_history(struct mirror *m, struct type_state since, mirror_history_fn done, void *arg)
{
	struct mirror_call *c = call_new(m, MIRROR_CALL_HISTORY, arg);

	c->since = c->point = since;
	c->done.history = done;
	return call_start(m, c);
}

struct mirror_call *
mirror_thread_changes(struct mirror *m, struct type_state since, size_t max,
    mirror_changes_fn done, void *arg)
{
	struct mirror_call *c = call_new(m, MIRROR_CALL_THREADS, arg);

	c->since = c->point = since;
	c->max = c->limit = max;
	c->done.changes = done;
	return call_start(m, c);
}

struct mirror_call *
mirror_email_changes(struct mirror *m, struct type_state since, size_t max,
    mirror_changes_fn done, void *arg)
{
	struct mirror_call *c = call_new(m, MIRROR_CALL_EMAILS, arg);

	c->since = c->point = since;
	c->max = max;
	c->done.changes = done;
	list_push_back(&m->direct, &c->in_list);
	emails_ask(c);
	return c;
}

struct mirror *
mirror_new_from(struct mirror_pool *p, const struct mirror_source *s)
{
	struct mirror *m = mem_zalloc(sizeof(*m));

	m->pool = p;
	m->source = *s;
	rows_init(&m->rows);
	list_init(&m->calls);
	list_init(&m->direct);
	list_push_back(&p->mirrors, &m->in_pool);
	m->task = loop_task_new(p->loop, on_task, m);
	return m;
}

static void
orphan_all(struct list *calls)
{
	while (!list_empty(calls))
		orphan(list_entry(calls->next, struct mirror_call, in_list));
}

void
mirror_free(struct mirror **mp)
{
	struct mirror *m = *mp;

	if (m == NULL)
		return;
	*mp = NULL;
	orphan_all(&m->calls);
	orphan_all(&m->direct);
	if (m->ask != NULL)
		m->source.cancel(m->source.arg, &m->ask);
	empty(m);
	list_remove(&m->in_pool);
	loop_task_free(&m->task);
	buf_fini(&m->keywords);
	mem_free(&m->places);
	mem_free(&m);
}
