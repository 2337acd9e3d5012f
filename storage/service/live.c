#include "storage/service/live.h"

#include <stdlib.h>

#include "common/util/mem.h"

void
live_fini(struct live *l)
{
	mem_free(&l->v);
	*l = (struct live){ 0 };
}

/* Pieces mostly come in the order of their segments. */
void
live_add(struct live *l, uint32_t segment, uint64_t bytes)
{
	size_t i = l->last;

	if (i >= l->n || l->v[i].segment != segment)
		for (i = l->n; i > 0 && l->v[i - 1].segment != segment; i--)
			;
	else
		i++;
	if (i == 0) {
		if (l->n == l->room) {
			l->room = l->room == 0 ? 16 : l->room * 2;
			l->v = mem_realloc_array(l->v, l->room, sizeof(*l->v));
		}
		l->v[l->n++] = (struct live_segment){ .segment = segment };
		i = l->n;
	}
	l->last = i - 1;
	l->v[i - 1].bytes += bytes;
	l->v[i - 1].pieces++;
}

static int
by_segment(const void *a, const void *b)
{
	const struct live_segment *x = a, *y = b;

	return x->segment < y->segment ? -1 : x->segment > y->segment;
}

void
live_sort(struct live *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_segment);
	l->last = 0;
}

const struct live_segment *
live_get(const struct live *l, uint32_t segment)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->v[mid].segment == segment)
			return &l->v[mid];
		if (l->v[mid].segment < segment)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

uint64_t
live_bytes(const struct live *l)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].bytes;
	return n;
}
