/* storage/engine/compact.c
 * Which rows are worth putting together: those of a window, whose bytes are counted and whose
 * pages the engine counts. */
#include "storage/engine/recent.h"

#define WINDOW		(64u << 10)	/* bytes of rows */
#define PAGES_MOST	24u		/* free after one call */
#define FULL		75u		/* per cent: good enough */
#define FILL		90u
#define LOOK		1u		/* per cent: no page is as empty, so that all are counted alone */

/* What a row takes on its page. */
static size_t
row_bytes(struct span key, struct span value, size_t page)
{
	size_t v = value.len > page / 4 ? 12 : value.len + 3;	/* those have pages of their own */

	return ((key.len + 3 + 3) & ~(size_t)3) + ((v + 3) & ~(size_t)3) + 4;
}

/* Rows from *at on; stop: the last one's key. */
static enum status
window(struct engine *e, unsigned table, struct span prefix, struct span at, size_t page,
    struct buf *stop, size_t *bytes)
{
	size_t most = WINDOW > 4 * page ? WINDOW : 4 * page;
	struct engine_cursor *c;
	struct span key, value;
	enum status st = engine_cursor_open(e, NULL, table, prefix, &c);

	*bytes = 0;
	if (st != ST_OK)
		return st;
	engine_cursor_bulk(c, 2 * page);
	if (at.len > 0)
		engine_cursor_seek(c, at);
	while (*bytes < most && (st = engine_cursor_next(c, &key, &value)) == ST_OK) {
		*bytes += row_bytes(key, value, page);
		buf_clear(stop);
		buf_add_span(stop, key);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND && stop->len > 0 ? ST_OK : st;
}

static enum status
compact_still(struct engine *e, unsigned table, struct span prefix, struct buf *at,
    struct engine_compacted *did)
{
	struct engine_compacted d = { 0 };
	struct buf stop = { 0 };
	struct span from;
	size_t page, bytes;
	enum status st;

	page = e->ops->least_fetch(e, table);
	from = at->len > 0 ? buf_span(at) : prefix;
	st = window(e, table, prefix, from, page, &stop, &bytes);
	if (st == ST_OK)
		st = e->ops->compact(e, table, from, buf_span(&stop), LOOK, PAGES_MOST, &d);
	d.windows = 1;
	/* The first page and the last are its neighbours' as well. */
	if (st == ST_OK && d.pages > 1 && bytes * 100 < (d.pages - 1) * page * FULL) {
		d.closed = 1;
		st = e->ops->compact(e, table, from, buf_span(&stop), FILL, PAGES_MOST, &d);
	}
	if (st == ST_OK && d.freed < PAGES_MOST) {
		buf_clear(at);
		buf_add_span(at, buf_span(&stop));
		buf_add(at, "", 1);
	}
	buf_fini(&stop);
	did->windows += d.windows;
	did->closed += d.closed;
	did->pages += d.pages;
	did->freed += d.freed;
	return st;
}

enum status
engine_compact(struct engine *e, unsigned table, struct span prefix, struct buf *at,
    struct engine_compacted *did)
{
	enum status st;

	if (engine_failed(e))
		return ST_CORRUPT;
	if (e->ops->compact == NULL)
		return ST_NOT_FOUND;
	if (!recent_hold(e->recent))
		return ST_UNAVAILABLE;
	st = compact_still(e, table, prefix, at, did);
	recent_go_on(e->recent);
	return st;
}

enum status
engine_shrink(struct engine *e, unsigned table, uint64_t *pages)
{
	enum status st;

	*pages = 0;
	if (engine_failed(e))
		return ST_CORRUPT;
	if (e->ops->shrink == NULL)
		return ST_OK;
	if (pthread_mutex_trylock(&e->copy_lock) != 0)
		return ST_UNAVAILABLE;
	st = e->ops->shrink(e, table, pages);
	pthread_mutex_unlock(&e->copy_lock);
	return st;
}
