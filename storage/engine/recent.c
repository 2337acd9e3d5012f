#include "storage/engine/recent.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "common/util/clock.h"
#include "common/util/log.h"
#include "common/util/mem.h"

/* A layer is frozen when it has so much, or is so old. */
#define MOST_BYTES	(4u << 20)
#define MOST_ROWS	16384u
#define MOST_BYTES_SMALL (64u << 10)
#define MOST_ROWS_SMALL	256u
#define AGE_MS		1000u
/* Who commits waits when the open layer is so many times that while the frozen one is still
 * being written: a transaction of the tables locks a page for each row at worst. */
#define TIMES_MOST	2u
#define PAUSE_MS	200u		/* when it could not be written */
#define DEADLOCKS	50u		/* tried again at once, as they pass */

struct recent {
	struct engine	*e;
	size_t		most_bytes, most_rows;
	pthread_mutex_t	lock;
	pthread_cond_t	wake;		/* the thread's */
	pthread_cond_t	written;	/* or could not be */
	pthread_t	thread;
	bool		threaded, stop;
	struct layer	*open, *frozen, *spare;	/* spare: memory for the next one */
	bool		txn;		/* changes the open layer */
	bool		wanted;		/* freeze as soon as it can be */
	bool		writing, held;	/* held: nothing is written now */
	bool		waiting;	/* the thread, for ever: nothing to do */
	uint64_t	since_ms;	/* of the first commit in the open layer */
	uint64_t	n_frozen, n_written, n_failed;
	enum status	st;		/* of the last try to write */
};

struct recent *
recent_new(struct engine *e)
{
	struct recent *r = mem_zalloc(sizeof(*r));

	r->e = e;
	r->most_bytes = e->opts.small ? MOST_BYTES_SMALL : MOST_BYTES;
	r->most_rows = e->opts.small ? MOST_ROWS_SMALL : MOST_ROWS;
	r->open = layer_new(e->opts.n_tables);
	pthread_mutex_init(&r->lock, NULL);
	clock_cond_init(&r->wake);
	pthread_cond_init(&r->written, NULL);
	return r;
}

/* ---- writing ---- */

static enum status
write_row(struct engine_txn *t, unsigned table, const struct layer_row *row)
{
	struct span value;
	enum status st = ST_OK;

	switch (layer_value(row, false, &value)) {
	case LAYER_VALUE:
		return t->e->ops->put(t, table, layer_key(row), value);
	case LAYER_GONE:
		st = t->e->ops->del(t, table, layer_key(row));
		return st == ST_NOT_FOUND ? ST_OK : st;
	default:
		return ST_OK;
	}
}

static enum status
write_layer(struct engine *e, const struct layer *l)
{
	struct engine_txn t = { .e = e };
	enum status st;

	if (engine_failed(e))
		return ST_CORRUPT;
	st = e->ops->begin(e, &t.t);
	if (st != ST_OK)
		return st;
	for (unsigned table = 0; table < e->opts.n_tables; table++) {
		const struct layer_row *row = layer_at(l, table, SPAN_NONE);

		for (; st == ST_OK && row != NULL; row = layer_next(row))
			st = write_row(&t, table, row);
	}
	if (st != ST_OK) {
		(void)e->ops->abort(e, t.t);
		return st;
	}
	st = e->ops->commit(e, t.t);
	if (st == ST_OK)
		engine_written(e);
	return st;
}

/* The lock is held, and let go meanwhile: a frozen layer does not change. */
static void
write_locked(struct recent *r)
{
	struct layer *done = NULL;
	enum status st;

	while (r->held)
		pthread_cond_wait(&r->wake, &r->lock);
	r->writing = true;
	pthread_mutex_unlock(&r->lock);
	st = write_layer(r->e, r->frozen);
	pthread_mutex_lock(&r->lock);
	r->writing = false;
	if (st == ST_OK) {
		done = r->frozen;
		r->frozen = NULL;
		r->n_written++;
	} else {
		r->n_failed++;
	}
	r->st = st;
	pthread_cond_broadcast(&r->written);
	if (done == NULL)
		return;
	pthread_mutex_unlock(&r->lock);
	layer_empty(done, r->most_bytes);
	pthread_mutex_lock(&r->lock);
	if (r->spare == NULL)
		r->spare = done;
	else
		layer_free(&done);
}

static bool
can_freeze(const struct recent *r)
{
	return r->frozen == NULL && !r->txn && layer_used(r->open);
}

static void
freeze(struct recent *r)
{
	r->frozen = r->open;
	r->open = r->spare != NULL ? r->spare : layer_new(r->e->opts.n_tables);
	r->spare = NULL;
	r->n_frozen++;
	r->wanted = false;
	r->since_ms = 0;
	if (r->threaded)
		pthread_cond_signal(&r->wake);
}

static bool
has_more_than(const struct recent *r, size_t times)
{
	return layer_bytes(r->open) >= times * r->most_bytes ||
	    layer_rows(r->open) >= times * r->most_rows;
}

/* ---- the thread ---- */

static void
sleep_locked(struct recent *r, uint64_t ms)
{
	struct timespec ts = clock_mono_in(ms);

	pthread_cond_timedwait(&r->wake, &r->lock, &ts);
}

/* Since n failures there was one that does not pass by itself, or too many that do: compaction
 * beside this writer may win a deadlock. */
static bool
fails(const struct recent *r, uint64_t n)
{
	return r->n_failed >= n + DEADLOCKS ||
	    (r->n_failed > n && r->st != ST_OK && r->st != ST_UNAVAILABLE);
}

static void
write_or_wait(struct recent *r)
{
	uint64_t failed = r->n_failed;

	do
		write_locked(r);
	while (r->frozen != NULL && !fails(r, failed) && !r->stop);
	if (r->frozen == NULL || r->stop)
		return;
	if (!engine_failed(r->e))
		LOG(NULL, WARN, "engine.write", KV_STR("dir", r->e->dir), KV_STATUS(r->st));
	sleep_locked(r, PAUSE_MS);
}

static void
age_or_wait(struct recent *r)
{
	uint64_t age;

	if (!layer_used(r->open)) {
		layer_free(&r->spare);
		r->waiting = true;
		pthread_cond_wait(&r->wake, &r->lock);
		r->waiting = false;
		return;
	}
	age = clock_mono_ms() - r->since_ms;
	if (age < AGE_MS && !r->wanted)
		sleep_locked(r, AGE_MS - age);
	else if (can_freeze(r))
		freeze(r);
	else {
		r->wanted = true;	/* by the commit that ends the transaction */
		pthread_cond_wait(&r->wake, &r->lock);
	}
}

static void *
recent_thread(void *arg)
{
	struct recent *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		if (r->frozen != NULL)
			write_or_wait(r);
		else
			age_or_wait(r);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

enum status
recent_start(struct recent *r)
{
	r->threaded = pthread_create(&r->thread, NULL, recent_thread, r) == 0;
	return r->threaded ? ST_OK : ST_UNAVAILABLE;
}

/* The lock is held: what was committed, by this thread itself. */
static enum status
flush_self(struct recent *r)
{
	do {
		if (can_freeze(r))
			freeze(r);
		if (r->frozen == NULL)
			return ST_OK;
		write_locked(r);
	} while (r->st == ST_OK && can_freeze(r));
	return r->st;
}

static enum status
flush_threaded(struct recent *r)
{
	uint64_t until = r->n_frozen + layer_used(r->open), failed = r->n_failed;

	if (until > r->n_frozen)
		r->wanted = true;
	if (r->wanted && can_freeze(r))
		freeze(r);
	while (r->n_written < until) {
		pthread_cond_signal(&r->wake);
		pthread_cond_wait(&r->written, &r->lock);
		if (fails(r, failed))
			return r->st;
	}
	return ST_OK;
}

enum status
recent_flush(struct recent *r)
{
	enum status st;

	pthread_mutex_lock(&r->lock);
	st = r->threaded ? flush_threaded(r) : flush_self(r);
	pthread_mutex_unlock(&r->lock);
	return st;
}

bool
recent_hold(struct recent *r)
{
	pthread_mutex_lock(&r->lock);
	if (!r->threaded)
		(void)flush_self(r);
	r->held = !r->writing;
	pthread_mutex_unlock(&r->lock);
	return r->held;
}

void
recent_go_on(struct recent *r)
{
	pthread_mutex_lock(&r->lock);
	r->held = false;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

void
recent_free(struct recent **rp)
{
	struct recent *r = *rp;

	if (r == NULL)
		return;
	if (r->threaded) {
		pthread_mutex_lock(&r->lock);
		r->stop = true;
		pthread_cond_signal(&r->wake);
		pthread_mutex_unlock(&r->lock);
		pthread_join(r->thread, NULL);
	}
	layer_free(&r->open);
	layer_free(&r->frozen);
	layer_free(&r->spare);
	pthread_cond_destroy(&r->wake);
	pthread_cond_destroy(&r->written);
	pthread_mutex_destroy(&r->lock);
	mem_free(rp);
}

/* ---- transactions ---- */

enum status
recent_begin(struct recent *r)
{
	uint64_t failed;
	enum status st = ST_OK;

	pthread_mutex_lock(&r->lock);
	assert(!r->txn);
	failed = r->n_failed;
	while (has_more_than(r, TIMES_MOST) && r->frozen != NULL && st == ST_OK) {
		if (!r->threaded) {
			st = flush_self(r);
		} else {
			pthread_cond_wait(&r->written, &r->lock);
			st = fails(r, failed) ? r->st : ST_OK;
		}
	}
	r->txn = st == ST_OK;
	pthread_mutex_unlock(&r->lock);
	return st;
}

static void
ended(struct recent *r)
{
	r->txn = false;
	if (!layer_used(r->open))
		return;
	if (r->since_ms == 0) {
		r->since_ms = clock_mono_ms();
		if (r->waiting)
			pthread_cond_signal(&r->wake);
	}
	if (!can_freeze(r) || !(r->wanted || has_more_than(r, 1)))
		return;
	freeze(r);
	if (!r->threaded)
		write_locked(r);
}

void
recent_commit(struct recent *r)
{
	pthread_mutex_lock(&r->lock);
	layer_commit(r->open);
	ended(r);
	pthread_mutex_unlock(&r->lock);
}

void
recent_abort(struct recent *r)
{
	pthread_mutex_lock(&r->lock);
	layer_abort(r->open);
	ended(r);
	pthread_mutex_unlock(&r->lock);
}

/* ---- rows ---- */

void
recent_put(struct recent *r, unsigned table, struct span key, const struct span *value)
{
	pthread_mutex_lock(&r->lock);
	layer_put(r->open, table, key, value);
	pthread_mutex_unlock(&r->lock);
}

enum layer_has
recent_get(struct recent *r, unsigned table, struct span key, bool mine, struct buf *value)
{
	enum layer_has has;
	struct span v;

	pthread_mutex_lock(&r->lock);
	has = layer_get(r->open, table, key, mine, &v);
	if (has == LAYER_NONE && r->frozen != NULL)
		has = layer_get(r->frozen, table, key, false, &v);
	if (has == LAYER_VALUE && value != NULL)
		buf_add_span(value, v);
	pthread_mutex_unlock(&r->lock);
	return has;
}

static bool
begins_with(struct span key, struct span prefix)
{
	return key.len >= prefix.len &&
	    (prefix.len == 0 || memcmp(key.p, prefix.p, prefix.len) == 0);
}

static bool
ahead_any(const struct layer *l, unsigned table, struct span from, struct span prefix)
{
	const struct layer_row *row = l != NULL ? layer_at(l, table, from) : NULL;

	return row != NULL && begins_with(layer_key(row), prefix);
}

bool
recent_ahead_any(struct recent *r, unsigned table, struct span from, struct span prefix,
    uint64_t *moment)
{
	bool any;

	pthread_mutex_lock(&r->lock);
	any = ahead_any(r->open, table, from, prefix) ||
	    ahead_any(r->frozen, table, from, prefix);
	*moment = r->n_written;
	pthread_mutex_unlock(&r->lock);
	return any;
}

bool
recent_back_any(struct recent *r, unsigned table, const struct span *before, uint64_t *moment)
{
	bool any;

	pthread_mutex_lock(&r->lock);
	any = layer_before(r->open, table, before) != NULL ||
	    (r->frozen != NULL && layer_before(r->frozen, table, before) != NULL);
	*moment = r->n_written;
	pthread_mutex_unlock(&r->lock);
	return any;
}

/* ---- walking both layers ---- */

#define GONE 1u

static void
row_add(struct buf *out, struct span key, enum layer_has has, struct span value)
{
	put_u32(out, (uint32_t)key.len);
	put_u8(out, has == LAYER_GONE);
	put_u32(out, has == LAYER_GONE ? 0 : (uint32_t)value.len);
	buf_add_span(out, key);
	if (has != LAYER_GONE)
		buf_add_span(out, value);
}

bool
recent_row_next(struct reader *in, struct recent_row *row)
{
	size_t key, value;

	if (reader_left(in) == 0)
		return false;
	key = get_u32(in);
	row->gone = get_u8(in) == GONE;
	value = get_u32(in);
	row->key = get_raw(in, key);
	row->value = get_raw(in, value);
	return !in->bad;
}

/* The next of two rows; where both have the key the open layer's counts, unless it says nothing.
 * way: 1 ahead, -1 back. */
struct pair {
	const struct layer_row	*open, *frozen;
	int			way;
};

static enum layer_has
pair_row(const struct pair *p, bool mine, struct span *key, struct span *value, int *which)
{
	enum layer_has has = LAYER_NONE;
	int d = p->open == NULL ? 1 : p->frozen == NULL ? -1 :
	    p->way * span_cmp(layer_key(p->open), layer_key(p->frozen));

	*which = d;
	*key = layer_key(d <= 0 ? p->open : p->frozen);
	if (d <= 0)
		has = layer_value(p->open, mine, value);
	if (has == LAYER_NONE && d >= 0)
		has = layer_value(p->frozen, false, value);
	return has;
}

static const struct layer_row *
step(const struct layer *l, unsigned table, const struct layer_row *row, int way)
{
	struct span key;

	if (way > 0)
		return layer_next(row);
	key = layer_key(row);
	return layer_before(l, table, &key);
}

static void
walk(struct recent *r, const struct recent_want *w, struct pair *p, const struct span *last,
    struct buf *out, bool *more)
{
	size_t n = 0, start = out->len;

	*more = false;
	while (p->open != NULL || p->frozen != NULL) {
		struct span key, value;
		int which;
		enum layer_has has = pair_row(p, w->mine, &key, &value, &which);

		if (last != NULL && p->way * span_cmp(key, *last) > 0)
			return;
		if (p->way > 0 && !begins_with(key, w->prefix))
			return;
		if (has != LAYER_NONE) {
			if (n > 0 && (n >= w->rows || out->len - start >= w->bytes)) {
				*more = true;
				return;
			}
			row_add(out, key, has, value);
			n++;
		}
		if (which <= 0)
			p->open = step(r->open, w->table, p->open, p->way);
		if (which >= 0)
			p->frozen = step(r->frozen, w->table, p->frozen, p->way);
	}
}

bool
recent_ahead(struct recent *r, const struct recent_want *w, struct span from,
    const struct span *last, struct buf *out, bool *more)
{
	struct pair p = { .way = 1 };
	bool same;

	pthread_mutex_lock(&r->lock);
	same = r->n_written == w->moment;
	if (same) {
		p.open = layer_at(r->open, w->table, from);
		p.frozen = r->frozen != NULL ? layer_at(r->frozen, w->table, from) : NULL;
		walk(r, w, &p, last, out, more);
	}
	pthread_mutex_unlock(&r->lock);
	return same;
}

bool
recent_back(struct recent *r, const struct recent_want *w, const struct span *before,
    const struct span *last, struct buf *out, bool *more)
{
	struct pair p = { .way = -1 };
	bool same;

	pthread_mutex_lock(&r->lock);
	same = r->n_written == w->moment;
	if (same) {
		p.open = layer_before(r->open, w->table, before);
		p.frozen = r->frozen != NULL ? layer_before(r->frozen, w->table, before) : NULL;
		walk(r, w, &p, last, out, more);
	}
	pthread_mutex_unlock(&r->lock);
	return same;
}
