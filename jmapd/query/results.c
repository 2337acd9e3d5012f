#include "jmapd/query/results.h"

#include <stdlib.h>

#include "common/util/list.h"
#include "common/util/mem.h"
#include "jmapd/mirror/mirror_priv.h"

#define CHANGES_MAX 256u	/* of emails, that are worked into a result; more: it is made anew */

struct result {
	struct list	in_results;
	struct buf	key;
	uint64_t	version;
	uint64_t	*ids;
	size_t		n, room;
};

struct results {
	struct list	all;		/* the most recently used first */
	unsigned	n;
};

uint64_t
results_version(const struct mirror *m)
{
	return m->version;
}

static void
result_free(struct mirror *m, struct result *r)
{
	m->results_bytes -= r->room * sizeof(*r->ids) + r->key.len + sizeof(*r);
	m->results->n--;
	list_remove(&r->in_results);
	buf_fini(&r->key);
	mem_free(&r->ids);
	mem_free(&r);
}

static void
results_free(struct results **rp)
{
	struct results *all = *rp;
	struct list *at, *tmp;

	list_each(at, tmp, &all->all) {
		struct result *r = list_entry(at, struct result, in_results);

		buf_fini(&r->key);
		mem_free(&r->ids);
		mem_free(&r);
	}
	mem_free(rp);
}

static struct result *
find(const struct mirror *m, const struct query *q)
{
	struct list *at, *tmp;

	if (m->results == NULL)
		return NULL;
	list_each(at, tmp, &m->results->all) {
		struct result *r = list_entry(at, struct result, in_results);

		if (span_eq(buf_span(&r->key), buf_span(&q->key)))
			return r;
	}
	return NULL;
}

/* ---- bringing one up to date ---- */

struct id_set {
	uint64_t	v[CHANGES_MAX];
	size_t		n;
	bool		full;
};

static bool
has(const struct id_set *s, uint64_t id)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[mid] < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && s->v[lo] == id;
}

static void
add(struct id_set *s, uint64_t id)
{
	size_t at = 0;

	while (at < s->n && s->v[at] < id)
		at++;
	if (at < s->n && s->v[at] == id)
		return;
	if (s->n == CHANGES_MAX) {
		s->full = true;
		return;
	}
	memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof(s->v[0]));
	s->v[at] = id;
	s->n++;
}

static void
add_thread(const struct rows *r, uint64_t thread, struct id_set *s)
{
	uint32_t head = rows_find_thread(r, thread), i = head;

	while (i != ROWS_NONE && !s->full) {
		add(s, rows_row(r, i)->id);
		i = rows_row(r, i)->next;
		if (i == head)
			break;
	}
}

static bool
matters(unsigned depends, const struct recent *x)
{
	return (x->what & (RECENT_CAME | RECENT_GONE)) != 0 ||
	    ((x->what & RECENT_KEYWORDS) && (depends & FILTER_ON_KEYWORDS)) ||
	    ((x->what & RECENT_MAILBOXES) && (depends & FILTER_ON_MAILBOXES));
}

/* Emails whose place may have changed.  false: that is not known, or they are too many. */
static bool
changed_since(const struct mirror *m, uint64_t version, unsigned depends, struct id_set *s)
{
	if (m->version - version > RECENT_MAX)
		return false;
	for (uint64_t v = version; v < m->version && !s->full; v++) {
		const struct recent *x = &m->recent[v % RECENT_MAX];

		if (!matters(depends, x))
			continue;
		add(s, x->id);
		if (depends & FILTER_ON_THREADS)
			add_thread(&m->rows, x->thread, s);
	}
	return !s->full;
}

struct fitting {
	struct query		*q;
	const struct rows	*rows;
	const struct row	*v[CHANGES_MAX];	/* that match */
	size_t			n;
};

static int
by_order(const void *a, const void *b, void *arg)
{
	const struct fitting *f = arg;

	return sort_compare(&f->q->sort, f->rows, *(const struct row *const *)a,
	    *(const struct row *const *)b);
}

/* Of a thread the first one counts; they are in order. */
static void
collapse(struct fitting *f)
{
	struct table seen = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (table_put_u64(&seen, f->v[i]->thread, f) == NULL)
			f->v[n++] = f->v[i];
	}
	f->n = n;
	table_fini(&seen, NULL, NULL);
}

static void
find_fitting(struct mirror *m, const struct id_set *s, struct fitting *f)
{
	for (size_t i = 0; i < s->n; i++) {
		uint32_t at = rows_find(&m->rows, s->v[i]);

		if (at != ROWS_NONE &&
		    filter_judge(&f->q->filter, m, rows_row(&m->rows, at)) == FILTER_YES)
			f->v[f->n++] = rows_row(&m->rows, at);
	}
	qsort_r(f->v, f->n, sizeof(f->v[0]), by_order, f);
	if (f->q->collapse)
		collapse(f);
}

/* The first id that comes behind row; all of ids are in the mirror. */
static size_t
place_of(const struct fitting *f, const uint64_t *ids, size_t n, const struct row *row)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct row *other = rows_row(f->rows, rows_find(f->rows, ids[mid]));

		if (sort_compare(&f->q->sort, f->rows, other, row) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
make_space(struct mirror *m, struct result *r, size_t n)
{
	if (n <= r->room)
		return;
	m->results_bytes -= r->room * sizeof(*r->ids);
	r->room = n + n / 8 + 64;
	r->ids = mem_realloc_array(r->ids, r->room, sizeof(*r->ids));
	m->results_bytes += r->room * sizeof(*r->ids);
}

static void
update(struct mirror *m, struct result *r, struct query *q, const struct id_set *s)
{
	struct fitting f = { .q = q, .rows = &m->rows };
	size_t n = 0, end;

	for (size_t i = 0; i < r->n; i++) {
		if (!has(s, r->ids[i]))
			r->ids[n++] = r->ids[i];
	}
	filter_bind(&q->filter, m);
	sort_bind(&q->sort, m);
	find_fitting(m, s, &f);
	make_space(m, r, n + f.n);
	r->n = n + f.n;
	/* from the last: what lies behind it moves once */
	end = n;
	for (size_t i = f.n; i-- > 0; ) {
		size_t at = place_of(&f, r->ids, end, f.v[i]);

		memmove(&r->ids[at + i + 1], &r->ids[at], (end - at) * sizeof(*r->ids));
		r->ids[at + i] = f.v[i]->id;
		end = at;
	}
	mirror_weigh(m);
}

/* ---- outside ---- */

bool
results_find(struct mirror *m, struct query *q, const uint64_t **ids, size_t *n)
{
	struct result *r = find(m, q);
	struct id_set s = { .n = 0 };

	if (r == NULL)
		return false;
	if (r->version != m->version) {
		if (!changed_since(m, r->version, query_depends(q), &s) ||
		    (s.n > 0 && (q->sort.reads || q->filter.n_lookups > 0))) {
			result_free(m, r);
			return false;
		}
		if (s.n > 0)
			update(m, r, q, &s);
		r->version = m->version;
	}
	list_remove(&r->in_results);
	list_push_front(&m->results->all, &r->in_results);
	*ids = r->ids;
	*n = r->n;
	return true;
}

void
results_keep(struct mirror *m, const struct query *q, uint64_t version, const uint64_t *ids, size_t n)
{
	struct result *r = find(m, q);

	if (r != NULL)
		result_free(m, r);
	if (version != m->version || !m->loaded || n > m->pool->limit / sizeof(*ids) / 4)
		return;
	if (m->results == NULL) {
		m->results = mem_zalloc(sizeof(*m->results));
		list_init(&m->results->all);
		m->results_free = results_free;
	}
	if (m->results->n == RESULTS_MAX)
		result_free(m, list_entry(m->results->all.prev, struct result, in_results));
	r = mem_zalloc(sizeof(*r));
	buf_add_span(&r->key, buf_span(&q->key));
	r->version = version;
	m->results_bytes += r->key.len + sizeof(*r);
	make_space(m, r, n > 0 ? n : 1);
	if (n > 0)
		memcpy(r->ids, ids, n * sizeof(*ids));
	r->n = n;
	list_push_front(&m->results->all, &r->in_results);
	m->results->n++;
	mirror_weigh(m);
}
