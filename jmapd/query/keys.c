/* Rows of keys (storage/client/order.h), the id as the last of them.  Texts come from columns and
 * may be cut there: where that could matter the LIST blobs give the whole ones. */
#include "jmapd/query/keys.h"

#include <stdlib.h>

#include "common/net/loop.h"
#include "common/util/clock.h"
#include "common/util/mem.h"
#include "storage/client/columns.h"
#include "storage/client/searcher.h"
#include "storage/client/sort_texts.h"

struct keys {
	struct loop		*loop;
	struct store		*store;
	const struct sort	*sort;
	struct keys_item	*items;
	size_t			n, nc;
	struct sort_texts	t;
	bool			is_text[JMAP_SORT_MAX + 1], reverse[JMAP_SORT_MAX + 1];
	void			(*done)(void *arg, enum status st);
	void			*arg;
	struct loop_task	*task;
	void			(*step)(struct keys *k);
	struct columns_reader	*columns;
	size_t			at, end;	/* items of the mailbox that is read */
	size_t			next;		/* that the next message most likely is */
	bool			*found;		/* items that were there */
	bool			*cut;		/* items whose LIST blobs are wanted; NULL: columns */
	bool			lists;		/* for all of them */
	struct order		*order;
	struct table		threads[JMAP_SORT_MAX];	/* keys of threads, and 1 */
};

static void read_next(struct keys *k);

static void
on_task(void *arg)
{
	struct keys *k = arg;

	k->step(k);
}

static void
later(struct keys *k, void (*step)(struct keys *k))
{
	k->step = step;
	loop_task_post(k->task);
}

/* ---- in order ---- */

static void
put_in_order(struct keys *k)
{
	if (order_run(k->order, clock_mono_us() + SEARCH_SLICE_US))
		k->done(k->arg, ST_OK);
	else
		later(k, put_in_order);
}

static struct order_keys
keys_of(const struct keys *k)
{
	return (struct order_keys){ k->n, k->nc, k->t.prefix, k->t.text, k->t.texts.data,
	    k->is_text, k->reverse };
}

static void
start_order(struct keys *k)
{
	const struct order_keys ok = keys_of(k);

	k->order = order_new(&ok);
	later(k, put_in_order);
}

uint64_t *
keys_take(struct keys *k, bool collapse, size_t *n)
{
	uint64_t *ids = mem_array(k->n + 1, sizeof(*ids));
	struct table seen = { 0 };

	*n = 0;
	for (size_t i = 0; i < k->n; i++) {
		const struct keys_item *it = &k->items[order_at(k->order, i)];

		if (!collapse || table_put_u64(&seen, it->thread, k) == NULL)
			ids[(*n)++] = it->id;
	}
	table_fini(&seen, NULL, NULL);
	return ids;
}

/* ---- what is read ---- */

static enum mime_column
column_of(const struct sort_key *key)
{
	return key->by == SORT_SENT ? MIME_COL_SENT : key->by == SORT_FROM ? MIME_COL_FROM_DISPLAY :
	    key->by == SORT_TO ? MIME_COL_TO_DISPLAY : MIME_COL_SUBJECT_KEY;
}

static size_t
item_of(struct keys *k, uint32_t uid)
{
	size_t lo = k->at, hi = k->end;

	if (k->next < k->end && k->items[k->next].uid == uid)
		return k->next++;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (k->items[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	k->next = lo + 1;
	return lo < k->end && k->items[lo].uid == uid ? lo : k->n;
}

static void
take_list(struct keys *k, size_t i, const struct mime_list *l)
{
	for (unsigned c = 0; c < k->sort->n; c++) {
		const struct sort_key *key = &k->sort->key[c];
		struct buf text = { 0 };

		if (key->by == SORT_SENT && l->has_sent)
			k->t.prefix[i * k->nc + c] = sort_date(l->sent_s);
		if (!sort_is_text(key))
			continue;
		sort_list_text(column_of(key), key->collation, l, &text);
		sort_texts_set(&k->t, i * k->nc + c, buf_span(&text), false);
		buf_fini(&text);
	}
}

static void
take_columns(struct keys *k, size_t i, const struct span *col)
{
	for (unsigned c = 0; c < k->sort->n; c++) {
		const struct sort_key *key = &k->sort->key[c];
		struct span text;
		int64_t sent_s;
		bool cut;
		int zone;

		if (key->by == SORT_SENT) {
			if (mime_column_sent(col[MIME_COL_SENT], &sent_s, &zone))
				k->t.prefix[i * k->nc + c] = sort_date(sent_s);
		} else if (sort_is_text(key)) {
			mime_column_text(col[column_of(key)], &text, &cut);
			sort_texts_set(&k->t, i * k->nc + c, text, cut);
		}
	}
}

static void
on_message(void *arg, uint32_t uid, const struct store_row *row, const struct span *col,
    const struct mime_list *list)
{
	struct keys *k = arg;
	size_t i = item_of(k, uid);

	(void)row;
	if (i == k->n)
		return;
	k->found[i] = true;
	if (col != NULL)
		take_columns(k, i, col);
	if (list != NULL)
		take_list(k, i, list);
}

static void
on_cut(void *arg, size_t row)
{
	bool *cut = arg;

	cut[row] = true;
}

/* Everything was read once; what was cut is read again. */
static void
all_read(struct keys *k)
{
	if (!k->lists && k->cut == NULL) {
		k->cut = mem_array(k->n + 1, sizeof(*k->cut));
		for (unsigned c = 0; c < k->sort->n; c++) {
			if (sort_is_text(&k->sort->key[c]))
				sort_texts_alike(&k->t, c, on_cut, k->cut);
		}
		k->at = k->end = 0;
		later(k, read_next);
		return;
	}
	start_order(k);
}

/* A mailbox that is gone by now has nothing to tell. */
static void
on_read(void *arg, enum status st)
{
	struct keys *k = arg;

	columns_reader_free(&k->columns);
	if (k->t.over)
		st = ST_LIMIT;
	if (st != ST_OK && st != ST_NOT_FOUND)
		k->done(k->arg, st);
	else
		later(k, read_next);
}

static void
read_next(struct keys *k)
{
	struct columns_job job = { .loop = k->loop, .store = k->store,
	    .lists = k->lists || k->cut != NULL };
	struct uidset uids = { 0 };

	while (uidset_empty(&uids) && k->end < k->n) {
		k->at = k->end;
		while (k->end < k->n && k->items[k->end].mailbox == k->items[k->at].mailbox) {
			if (k->cut == NULL || k->cut[k->end])
				uidset_add(&uids, k->items[k->end].uid);
			k->end++;
		}
	}
	if (uidset_empty(&uids)) {
		all_read(k);
		return;
	}
	for (unsigned c = 0; c < k->sort->n; c++) {
		if (k->sort->key[c].by >= SORT_SENT)
			job.want |= 1u << column_of(&k->sort->key[c]);
	}
	job.mailbox = k->items[k->at].mailbox;
	k->next = k->at;
	k->columns = columns_read(&job, &uids, on_message, on_read, k);
	uidset_fini(&uids);
}

/* ---- outside ---- */

static int
by_place(const void *a, const void *b)
{
	const struct keys_item *x = a, *y = b;

	if (x->mailbox != y->mailbox)
		return x->mailbox < y->mailbox ? -1 : 1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void
begin(struct keys *k, const struct sort *sort, struct keys_item *items, size_t n)
{
	k->sort = sort;
	k->items = items;
	k->n = n;
	k->nc = sort->n + 1;
	sort_texts_init(&k->t, n, k->nc);
	for (unsigned c = 0; c < sort->n; c++) {
		k->is_text[c] = sort_is_text(&sort->key[c]);
		k->reverse[c] = sort->key[c].descending;
		k->lists |= k->is_text[c] && sort->key[c].collation != SEARCH_UNICODE_CASEMAP;
	}
	k->reverse[sort->n] = sort->key[0].descending;
}

/* All emails of a thread have the same answer: threads of thousands are looked at once. */
static uint64_t
number(struct keys *k, unsigned c, const struct rows *r, const struct row *row)
{
	const struct sort_key *key = &k->sort->key[c];
	uintptr_t known;

	if ((key->by != SORT_THREAD_ALL && key->by != SORT_THREAD_SOME) ||
	    row == rows_row(r, row->next))
		return sort_number(key, r, row);
	known = (uintptr_t)table_get_u64(&k->threads[c], row->thread);
	if (known == 0) {
		known = 1 + (uintptr_t)sort_number(key, r, row);
		table_put_u64(&k->threads[c], row->thread, (void *)known);
	}
	return known - 1;
}

/* Keys that the mirror has; the others are filled in later. */
static void
take_row(struct keys *k, size_t i, const struct rows *r, const struct row *row)
{
	for (unsigned c = 0; c < k->sort->n; c++)
		k->t.prefix[i * k->nc + c] = k->is_text[c] ? 0 : number(k, c, r, row);
	k->t.prefix[i * k->nc + k->sort->n] = row->id;
}

/* The items stand in k, in any order. */
static void
start(struct keys *k, const struct rows *r)
{
	qsort(k->items, k->n, sizeof(*k->items), by_place);
	k->found = mem_zalloc(k->n + 1);
	for (size_t i = 0; i < k->n; i++) {
		uint32_t at = rows_find(r, k->items[i].id);

		if (at != ROWS_NONE)
			take_row(k, i, r, rows_row(r, at));
	}
	later(k, read_next);
}

static void
refuse(struct keys *k)
{
	k->done(k->arg, ST_LIMIT);
}

struct keys *
keys_start(struct loop *l, struct store *s, const struct sort *sort, const struct rows *r,
    struct keys_item *items, size_t n, void (*done)(void *arg, enum status st), void *arg)
{
	struct keys *k = mem_zalloc(sizeof(*k));

	k->loop = l;
	k->store = s;
	k->done = done;
	k->arg = arg;
	k->task = loop_task_new(l, on_task, k);
	if (n > SORT_BYTES_MAX / ((sort->n + 1) * 20 + sizeof(*items) + ORDER_ROW_BYTES)) {
		mem_free(&items);
		later(k, refuse);
		return k;
	}
	begin(k, sort, items, n);
	start(k, r);
	return k;
}

static void
fini(struct keys *k)
{
	columns_reader_free(&k->columns);
	loop_task_free(&k->task);
	sort_texts_fini(&k->t);
	order_free(&k->order);
	for (unsigned c = 0; c < JMAP_SORT_MAX; c++)
		table_fini(&k->threads[c], NULL, NULL);
	mem_free(&k->items);
	mem_free(&k->found);
	mem_free(&k->cut);
}

bool
keys_missed(const struct keys *k)
{
	for (size_t i = 0; i < k->n; i++) {
		if (!k->found[i])
			return true;
	}
	return false;
}

void
keys_again(struct keys *k, const struct rows *r)
{
	struct keys was = *k;
	size_t n = 0;

	for (size_t i = 0; i < was.n; i++) {
		struct keys_item *it = &was.items[i];
		uint32_t at = rows_find(r, it->id);

		if (at == ROWS_NONE)
			continue;
		was.items[n++] = (struct keys_item){ it->id, it->thread,
		    rows_box_id(r, rows_row(r, at)->mailbox), rows_row(r, at)->uid };
	}
	*k = (struct keys){ .loop = was.loop, .store = was.store, .done = was.done, .arg = was.arg,
	    .task = was.task };
	begin(k, was.sort, was.items, n);
	was.items = NULL;
	was.task = NULL;
	fini(&was);
	start(k, r);
}

void
keys_free(struct keys **kp)
{
	if (*kp == NULL)
		return;
	fini(*kp);
	mem_free(kp);
}

uint64_t *
keys_sort_now(const struct sort *sort, const struct rows *r, const uint32_t *rows, size_t n,
    bool collapse, size_t *n_ids)
{
	struct keys_item *items = mem_array(n + 1, sizeof(*items));
	struct keys k = { 0 };
	struct order_keys ok;
	uint64_t *ids;

	begin(&k, sort, items, n);
	for (size_t i = 0; i < n; i++) {
		const struct row *row = rows_row(r, rows[i]);

		items[i].id = row->id;
		items[i].thread = row->thread;
		take_row(&k, i, r, row);
	}
	ok = keys_of(&k);
	k.order = order_new(&ok);
	while (!order_run(k.order, UINT64_MAX))
		;
	ids = keys_take(&k, collapse, n_ids);
	fini(&k);
	return ids;
}
