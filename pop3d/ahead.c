#include "pop3d/ahead.h"

#include "common/util/mem.h"

#define WINDOW_FIRST	4u
#define WINDOW_MAX	256u
#define PACKED		2u		/* stored bodies are at most about this part of raw ones */

static uint64_t
weight(const struct ahead_batch *b)
{
	return b->data.room + b->data.gap + b->room * sizeof(*b->items);
}

static void
batch_clear(struct ahead *a, struct ahead_batch *b)
{
	*a->total -= weight(b);
	store_cancel(&b->call);
	buf_fini(&b->data);
	mem_free(&b->items);
	*b = (struct ahead_batch){ .of = a };
}

void
ahead_clear(struct ahead *a)
{
	if (a->total == NULL)
		return;
	batch_clear(a, &a->batch[0]);
	batch_clear(a, &a->batch[1]);
	a->next = a->window = 0;
	a->watching = false;
}

void
ahead_stale(struct ahead *a, bool waits, uint32_t index)
{
	for (size_t i = 0; i < 2; i++) {
		struct ahead_batch *b = &a->batch[i];

		if (!waits || !b->coming || index < b->from || index >= b->to) {
			batch_clear(a, b);
			continue;
		}
		b->to = index + 1;
		while (b->n > 0 && b->items[b->n - 1].index >= b->to)
			b->n--;
	}
	a->next = a->window = 0;
}

static uint32_t
index_of(const struct ahead *a, const struct ahead_batch *b, uint32_t uid)
{
	uint32_t lo = b->from, hi = b->to;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (a->drop->uid[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
take_piece(struct ahead *a, struct ahead_batch *b, const struct store_body_piece *p)
{
	uint32_t i = index_of(a, b, p->uid);
	struct ahead_item *it = b->n > 0 ? &b->items[b->n - 1] : NULL;

	if (i >= b->to || a->drop->uid[i] != p->uid)
		return;
	if (it == NULL || it->index != i) {
		if (b->n == b->room) {
			b->room = b->room > 0 ? b->room * 2 : 16;
			b->items = mem_realloc_array(b->items, b->room, sizeof(*b->items));
		}
		it = &b->items[b->n++];
		*it = (struct ahead_item){ i, p->stored_size, b->data.len, 0 };
	}
	if (p->offset != it->len)
		return;			/* not what was asked for: it stays a beginning */
	buf_add_span(&b->data, p->data);
	it->len += p->data.len;
}

/* What the answer did not reach is not spoken of; a beginning counts for the first alone. */
static void
settle(struct ahead *a, struct ahead_batch *b, uint32_t resume)
{
	uint32_t asked = b->to;

	if (resume != 0)
		b->to = index_of(a, b, resume);
	while (b->n > 1 && (b->items[b->n - 1].index >= b->to ||
	    b->items[b->n - 1].len < b->items[b->n - 1].stored_size)) {
		b->to = b->items[b->n - 1].index;
		b->n--;
	}
	if (b->n == 1 && b->items[0].index >= b->to)
		b->to = b->items[0].index + 1;
	if (b->to == b->from)
		b->to++;
	if (a->next == asked)
		a->next = b->to;
}

static void
on_bodies(void *arg, enum status st, bool more, const void *msg)
{
	struct ahead_batch *b = arg;
	struct ahead *a = b->of;
	const struct store_body_is *is = msg;
	uint64_t before = weight(b);
	struct store_body_piece p;
	struct reader r;

	if (is != NULL) {
		reader_init(&r, is->pieces.p, is->pieces.len);
		while (is->pieces.len > 0 && get_store_body_piece(&r, &p))
			take_piece(a, b, &p);
	}
	*a->total += weight(b) - before;
	if (more)
		return;
	b->call = NULL;
	b->coming = false;
	b->status = st;
	if (st == ST_OK)
		settle(a, b, is != NULL ? is->resume_uid : 0);
	a->came(a->arg);
}

static void
on_watching(void *arg, enum status st, bool more, const void *msg)
{
}

/* Asks for messages from `from` on: of one mailbox, not more than the window, and about
 * the bytes that are allowed. */
static void
ask(struct ahead *a, struct ahead_batch *b, const struct ahead_limits *lim, uint32_t from)
{
	const struct maildrop *d = a->drop;
	const struct drop_box *box = maildrop_box(d, from);
	uint64_t half = lim->session / 2, raw = 0;
	struct store_body rq = { .mailbox = box->mailbox, .budget = 64u << 10 };
	struct uidset uids = { 0 };
	struct buf set = { 0 };
	uint32_t i = from;

	batch_clear(a, b);
	if (!a->watching) {
		store_do_watch(a->store, &(struct store_watch){ true }, on_watching, NULL);
		a->watching = true;
	}
	if (*a->total >= lim->worker)
		a->window = 1;
	if (half > rq.budget && a->window > 1)
		rq.budget = (uint32_t)half;
	for (; i < box->first + box->n && i - from < a->window; i++) {
		if (i > from && raw + d->size[i] > half * PACKED)
			break;
		raw += d->size[i];
		uidset_add(&uids, d->uid[i]);
	}
	b->from = from;
	b->to = i;
	b->coming = true;
	a->next = i;
	uidset_encode(&uids, &set);
	rq.uids = buf_span(&set);
	b->call = store_do_body(a->store, &rq, on_bodies, b);
	buf_fini(&set);
	uidset_fini(&uids);
}

static struct ahead_batch *
batch_of(struct ahead *a, uint32_t index)
{
	for (size_t i = 0; i < 2; i++)
		if (index >= a->batch[i].from && index < a->batch[i].to)
			return &a->batch[i];
	return NULL;
}

/* A client that goes on where the last batch ended gets larger ones. */
static struct ahead_batch *
start(struct ahead *a, const struct ahead_limits *lim, uint32_t index)
{
	struct ahead_batch *b = &a->batch[a->batch[0].to > a->batch[1].to];

	if (lim->session == 0)
		a->window = 1;
	else if (a->window == 0)
		a->window = WINDOW_FIRST;
	else if (index != a->next)
		a->window = 1;
	else if (a->window < WINDOW_MAX)
		a->window *= 4;
	ask(a, b, lim, index);
	return b;
}

/* Half of the present batch is used: time for the next. */
static void
look_ahead(struct ahead *a, const struct ahead_limits *lim, const struct ahead_batch *b,
    uint32_t index)
{
	struct ahead_batch *other = &a->batch[b == &a->batch[0]];

	if (a->window < 2 || other->coming || index - b->from < (b->to - b->from) / 2 ||
	    b->to >= a->drop->n || batch_of(a, b->to) != NULL || b->to != a->next)
		return;
	if (a->window < WINDOW_MAX)
		a->window *= 4;
	ask(a, other, lim, b->to);
}

static const struct ahead_item *
item_of(const struct ahead_batch *b, uint32_t index)
{
	size_t lo = 0, hi = b->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->items[mid].index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < b->n && b->items[lo].index == index ? &b->items[lo] : NULL;
}

bool
ahead_has(struct ahead *a, uint32_t index)
{
	struct ahead_batch *b = batch_of(a, index);

	return b != NULL && !b->coming && b->status == ST_OK;
}

enum status
ahead_find(struct ahead *a, const struct ahead_limits *lim, uint32_t index, struct span *bytes,
    uint64_t *stored_size)
{
	struct ahead_batch *b = batch_of(a, index);
	const struct ahead_item *it;

	if (b == NULL)
		b = start(a, lim, index);
	if (b->coming)
		return ST_UNAVAILABLE;
	if (b->status != ST_OK) {
		enum status st = b->status;

		batch_clear(a, b);
		/* as if nobody had answered: the caller may try again */
		return st == ST_UNAVAILABLE ? ST_CONFLICT : st;
	}
	look_ahead(a, lim, b, index);
	it = item_of(b, index);
	if (it == NULL)
		return ST_NOT_FOUND;
	*bytes = span(b->data.data + it->at, it->len);
	*stored_size = it->stored_size;
	return ST_OK;
}
