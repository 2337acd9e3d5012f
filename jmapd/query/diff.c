#include "jmapd/query/diff.h"

#include "common/util/mem.h"
#include "jmapd/query/filter.h"

static void
add_removed(struct diff *d, uint64_t id)
{
	if (d->n_removed == d->room) {
		d->room = d->room > 0 ? d->room * 2 : 16;
		d->removed = mem_realloc_array(d->removed, d->room, sizeof(*d->removed));
	}
	d->removed[d->n_removed++] = id;
}

/* Also one that is not any more: the ids may be older than its end, and have it. */
static void
put(struct diff *d, uint64_t id, bool was)
{
	if (was)
		add_removed(d, id);
	table_put_u64(&d->again, id, d);
}

static bool
matters(const struct mirror_touched *t, unsigned depends)
{
	if (!t->was || !t->is || (t->what & MIRROR_AGAIN))
		return true;
	return ((t->what & MIRROR_KEYWORDS) && (depends & FILTER_ON_KEYWORDS)) ||
	    ((t->what & MIRROR_MAILBOXES) && (depends & FILTER_ON_MAILBOXES));
}

/* Emails of the thread that were looked at are not again. */
static void
put_siblings(struct diff *d, const struct mirror *m, uint64_t thread, const struct table *touched)
{
	uint64_t *ids;
	size_t n = mirror_thread(m, thread, &ids);

	for (size_t i = 0; i < n; i++) {
		const struct mirror_touched *t = table_get_u64(touched, ids[i]);

		if (table_get_u64(&d->again, ids[i]) == NULL)
			put(d, ids[i], t == NULL || t->was);
	}
	mem_free(&ids);
}

void
diff_begin(struct diff *d, const struct mirror *m, const struct mirror_history *h, unsigned depends)
{
	struct table touched = { 0 }, threads = { 0 };

	for (size_t i = 0; i < h->n; i++) {
		table_put_u64(&touched, h->v[i].id, &h->v[i]);
		if (matters(&h->v[i], depends))
			put(d, h->v[i].id, h->v[i].was);
	}
	for (size_t i = 0; (depends & FILTER_ON_THREADS) && i < h->n; i++) {
		if (matters(&h->v[i], depends) &&
		    table_put_u64(&threads, h->v[i].thread, d) == NULL)
			put_siblings(d, m, h->v[i].thread, &touched);
	}
	table_fini(&touched, NULL, NULL);
	table_fini(&threads, NULL, NULL);
}

void
diff_end(struct diff *d, const uint64_t *ids, size_t n, size_t last)
{
	d->added = mem_array(d->again.count + 1, sizeof(*d->added));
	for (size_t i = 0; i < n && i <= last && d->n_added < d->again.count; i++) {
		if (table_get_u64(&d->again, ids[i]) != NULL)
			d->added[d->n_added++] = (struct diff_added){ ids[i], i };
	}
}

void
diff_fini(struct diff *d)
{
	mem_free(&d->removed);
	mem_free(&d->added);
	table_fini(&d->again, NULL, NULL);
}
