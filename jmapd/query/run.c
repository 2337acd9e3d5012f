/* First every row is judged by what the mirror says; of those that stay open, one search program
 * after the other is looked up.  Rounds of the loop pass meanwhile, so the mirror is asked
 * to be fresh again before each judgement, and emails are kept by id: those that came since do
 * not belong to the state that the query began with. */
#include "jmapd/query/run.h"

#include <stdlib.h>

#include "common/net/loop.h"
#include "common/util/mem.h"
#include "jmapd/mirror/mirror_priv.h"
#include "jmapd/query/keys.h"
#include "storage/client/searcher.h"

#define ROUNDS_MAX 3u	/* of looking up what moved meanwhile */
#define KEY_ROUNDS_MAX 8u

struct candidate {
	uint64_t	id, mailbox;
	uint32_t	uid;
	bool		searched;	/* in this round */
};

struct query_run {
	struct query_job	job;
	query_done_fn		done;
	void			*arg;
	struct candidate	*v;		/* that matched, or may */
	size_t			n;
	struct table		*found;		/* of each lookup: email -> FILTER_FOUND ... */
	struct filter_node	*node;		/* that is looked up */
	struct table		hits;		/* of it: emails */
	unsigned		rounds;
	size_t			at, end;	/* candidates of the mailbox that is searched */
	struct searcher		*searcher;
	struct mirror_call	*fresh;
	struct keys		*keys;
	unsigned		key_rounds;
};

static void search_next(struct query_run *r);
static void on_fresh(void *arg, enum status st);

void
query_end(struct query *q)
{
	buf_clear(&q->key);
	buf_add_span(&q->key, buf_span(&q->filter.key));
	sort_end(&q->sort, &q->key);
	put_u8(&q->key, q->collapse);
}

void
query_fini(struct query *q)
{
	filter_fini(&q->filter);
	buf_fini(&q->key);
}

unsigned
query_depends(const struct query *q)
{
	return q->filter.depends | q->sort.depends | (q->collapse ? FILTER_ON_THREADS : 0);
}

static void
let_go(struct query_run *r)
{
	const struct filter *f = &r->job.query->filter;

	if (r->found == NULL)
		return;
	for (unsigned k = 0; k < f->n_lookups; k++) {
		f->lookups[k]->found = NULL;
		table_fini(&r->found[k], NULL, NULL);
	}
	mem_free(&r->found);
}

/* The query may go with its caller: nothing of it is looked at behind this. */
static void
finish(struct query_run *r, enum status st, const uint64_t *ids, size_t n)
{
	let_go(r);
	r->done(r->arg, st, ids, n);
}

/* ---- the order ---- */

static void
on_fresh_keys(void *arg, enum status st)
{
	struct query_run *r = arg;

	r->fresh = NULL;
	if (st == ST_OK)
		keys_again(r->keys, &r->job.mirror->rows);
	else
		finish(r, st, NULL, 0);
}

/* What moved while it was read stands in no order: it is looked for where it is now. */
static void
on_keys(void *arg, enum status st)
{
	struct query_run *r = arg;
	uint64_t *ids = NULL;
	size_t n = 0;

	if (st == ST_OK && keys_missed(r->keys) && r->key_rounds++ < KEY_ROUNDS_MAX) {
		r->fresh = mirror_fresh(r->job.mirror, on_fresh_keys, r);
		return;
	}
	if (st == ST_OK)
		ids = keys_take(r->keys, r->job.query->collapse, &n);
	finish(r, st, ids, n);
	mem_free(&ids);
}

static void
read_keys(struct query_run *r, const uint32_t *rows, size_t n)
{
	const struct rows *all = &r->job.mirror->rows;
	struct keys_item *items = mem_array(n + 1, sizeof(*items));

	for (size_t i = 0; i < n; i++) {
		const struct row *row = rows_row(all, rows[i]);

		items[i] = (struct keys_item){ row->id, row->thread,
		    rows_box_id(all, row->mailbox), row->uid };
	}
	r->keys = keys_start(r->job.loop, r->job.store, &r->job.query->sort, all, items, n, on_keys, r);
}

/* rows match.  true: it is over already. */
static bool
put_in_order(struct query_run *r, const uint32_t *rows, size_t n)
{
	const struct query *q = r->job.query;
	uint64_t *ids;
	size_t n_ids;

	if (q->sort.reads) {
		read_keys(r, rows, n);
		return false;
	}
	ids = keys_sort_now(&q->sort, &r->job.mirror->rows, rows, n, q->collapse, &n_ids);
	finish(r, ST_OK, ids, n_ids);
	mem_free(&ids);
	return true;
}

/* ---- looking up ---- */

/* Found means found; not found only where the place that was looked at is still its place. */
static void
take_hits(struct query_run *r)
{
	const struct rows *rows = &r->job.mirror->rows;
	struct table *t = &r->found[r->node->lookup];

	for (size_t i = 0; i < r->n; i++) {
		struct candidate *c = &r->v[i];
		uint32_t at = c->searched ? rows_find(rows, c->id) : ROWS_NONE;
		bool hit, there;
		struct row *row;

		c->searched = false;
		if (at == ROWS_NONE)
			continue;
		row = rows_row(rows, at);
		there = row->uid == c->uid && rows_box_id(rows, row->mailbox) == c->mailbox;
		hit = table_get_u64(&r->hits, c->id) != NULL;
		if (!hit && !there && r->rounds < ROUNDS_MAX)
			continue;
		table_put_u64(t, c->id, (void *)(uintptr_t)(hit ? FILTER_FOUND : FILTER_NOT_FOUND));
		if (r->node->op == FILTER_ATTACHMENT && (hit || there))
			row->attachment = hit ? ROW_ATTACHMENT_SOME : ROW_ATTACHMENT_NONE;
	}
	table_fini(&r->hits, NULL, NULL);
	r->node = NULL;
}

static void
on_searched(void *arg, enum status st)
{
	struct query_run *r = arg;
	struct search_found f = { 0 };

	if (st == ST_OK)
		searcher_take(r->searcher, &f);
	searcher_free(&r->searcher);
	if (st != ST_OK && st != ST_NOT_FOUND) {
		finish(r, st, NULL, 0);
		return;
	}
	for (size_t i = r->at; i < r->end; i++) {
		if (r->v[i].searched && uidset_has(&f.uids, r->v[i].uid))
			table_put_u64(&r->hits, r->v[i].id, r);
	}
	search_found_fini(&f);
	search_next(r);
}

/* The next mailbox that has candidates. */
static void
search_next(struct query_run *r)
{
	struct uidset uids = { 0 };
	struct search_job job = { .loop = r->job.loop, .store = r->job.store,
	    .program = &r->node->program };

	while (uidset_empty(&uids) && r->end < r->n) {
		r->at = r->end;
		while (r->end < r->n && r->v[r->end].mailbox == r->v[r->at].mailbox) {
			if (r->v[r->end].searched)
				uidset_add(&uids, r->v[r->end].uid);
			r->end++;
		}
	}
	if (uidset_empty(&uids)) {
		r->fresh = mirror_fresh(r->job.mirror, on_fresh, r);
		return;
	}
	job.mailbox = r->v[r->at].mailbox;
	r->searcher = searcher_start(&job, &uids, on_searched, r);
	uidset_fini(&uids);
}

static int
by_place(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->mailbox != y->mailbox)
		return x->mailbox < y->mailbox ? -1 : 1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* The first lookup of which something is not known, and who is searched for it.  false: what is
 * still open moves faster than we look. */
static bool
choose_lookup(struct query_run *r, const bool *open)
{
	const struct rows *rows = &r->job.mirror->rows;
	const struct filter *f = &r->job.query->filter;
	size_t n = 0;

	for (unsigned k = 0; k < f->n_lookups && n == 0; k++) {
		for (size_t i = 0; i < r->n; i++) {
			struct candidate *c = &r->v[i];
			uint32_t at = open[i] ? rows_find(rows, c->id) : ROWS_NONE;

			c->searched = at != ROWS_NONE && table_get_u64(&r->found[k], c->id) == NULL;
			if (!c->searched)
				continue;
			c->mailbox = rows_box_id(rows, rows_row(rows, at)->mailbox);
			c->uid = rows_row(rows, at)->uid;
			r->node = f->lookups[k];
			n++;
		}
	}
	return n > 0;
}

/* Judges all candidates.  true: the run is over already. */
static bool
judge(struct query_run *r)
{
	struct mirror *m = r->job.mirror;
	struct filter *f = &r->job.query->filter;
	uint32_t *rows = mem_array(r->n + 1, sizeof(*rows));
	bool *open = mem_array(r->n + 1, sizeof(*open)), over = false;
	size_t n = 0, n_open = 0;

	filter_bind(f, m);
	sort_bind(&r->job.query->sort, m);
	for (size_t i = 0; i < r->n; i++) {
		uint32_t at = rows_find(&m->rows, r->v[i].id);
		enum filter_answer a;

		if (at == ROWS_NONE)
			continue;
		a = filter_judge(f, m, rows_row(&m->rows, at));
		if (a == FILTER_YES)
			rows[n++] = at;
		open[i] = a == FILTER_UNKNOWN;
		n_open += open[i];
	}
	if (n_open > 0 && r->rounds < ROUNDS_MAX * (f->n_lookups + 1) && choose_lookup(r, open)) {
		r->rounds++;
		qsort(r->v, r->n, sizeof(*r->v), by_place);
		r->at = r->end = 0;
		search_next(r);
	} else {
		over = put_in_order(r, rows, n);
	}
	mem_free(&rows);
	mem_free(&open);
	return over;
}

static void
on_fresh(void *arg, enum status st)
{
	struct query_run *r = arg;

	r->fresh = NULL;
	if (st != ST_OK) {
		finish(r, st, NULL, 0);
		return;
	}
	take_hits(r);
	judge(r);	/* over: r is gone, or the caller's to free */
}

/* ---- all that there is ---- */

/* Nothing has to be looked up.  true: it is over. */
static bool
judge_now(struct query_run *r)
{
	struct mirror *m = r->job.mirror;
	uint32_t *rows = mem_array(m->rows.count + 1, sizeof(*rows));
	size_t n = 0;
	bool over;

	for (uint32_t i = 0; i < m->rows.n; i++) {
		const struct row *row = rows_row(&m->rows, i);

		if (row->used && filter_judge(&r->job.query->filter, m, row) == FILTER_YES)
			rows[n++] = i;
	}
	over = put_in_order(r, rows, n);
	mem_free(&rows);
	return over;
}

static void
find_candidates(struct query_run *r)
{
	struct mirror *m = r->job.mirror;
	struct filter *f = &r->job.query->filter;

	r->v = mem_array(m->rows.count + 1, sizeof(*r->v));
	for (uint32_t i = 0; i < m->rows.n; i++) {
		const struct row *row = rows_row(&m->rows, i);

		if (row->used && filter_judge(f, m, row) != FILTER_NO)
			r->v[r->n++].id = row->id;
	}
	r->found = mem_array(f->n_lookups + 1, sizeof(*r->found));
	for (unsigned k = 0; k < f->n_lookups; k++)
		f->lookups[k]->found = &r->found[k];
}

struct query_run *
query_run_start(const struct query_job *job, query_done_fn done, void *arg)
{
	struct query_run *r = mem_zalloc(sizeof(*r));
	bool over;

	r->job = *job;
	r->done = done;
	r->arg = arg;
	filter_bind(&job->query->filter, job->mirror);
	sort_bind(&job->query->sort, job->mirror);
	if (job->query->filter.n_lookups == 0) {
		over = judge_now(r);
	} else {
		find_candidates(r);
		over = judge(r);
	}
	if (over)
		query_run_free(&r);
	return r;
}

void
query_run_free(struct query_run **rp)
{
	struct query_run *r = *rp;

	if (r == NULL)
		return;
	mirror_cancel(&r->fresh);
	searcher_free(&r->searcher);
	keys_free(&r->keys);
	let_go(r);
	table_fini(&r->hits, NULL, NULL);
	mem_free(&r->v);
	mem_free(rp);
}
