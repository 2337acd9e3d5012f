/* storage/engine/recent.h
 * What was committed last is in memory, for both engines: a commit costs no search in the
 * tables, and a row that changes again within a second is written to them once.  A thread
 * writes it to them, in the order of the keys, in one transaction: what is in the tables is
 * always all that was committed up to a moment, and a crash takes back what came behind it,
 * as engine.h says.
 *
 * Two layers: the open one, which commits go to, and the frozen one, which is being
 * written and stays readable until that is committed.  A row is looked for in the open layer,
 * the frozen one, the tables, in this order, and so is always found as it was committed
 * last, also by a reader who looks into the tables meanwhile.
 *
 * Without a thread (engine_opts.manual) commits write themselves when there is much. */
#ifndef STORAGE_ENGINE_RECENT_H
#define STORAGE_ENGINE_RECENT_H

#include "common/util/bytes.h"
#include "storage/engine/engine_priv.h"

struct recent *recent_new(struct engine *e);
/* Starts the thread. */
enum status recent_start(struct recent *r);
/* Writes out all that was committed before the call. */
enum status recent_flush(struct recent *r);
/* Nothing is written until recent_go_on(), by the same thread; it does not wait.  false: something is
 * being written. */
bool recent_hold(struct recent *r);
void recent_go_on(struct recent *r);
/* What is not written yet is lost. */
void recent_free(struct recent **r);

/* May wait while more is committed than can be written. */
enum status recent_begin(struct recent *r);
void recent_commit(struct recent *r);
void recent_abort(struct recent *r);

/* Of the open transaction; value NULL: the row goes. */
void recent_put(struct recent *r, unsigned table, struct span key, const struct span *value);
/* What memory says of a row; mine: as the open transaction sees it.  value NULL: only asks. */
enum layer_has recent_get(struct recent *r, unsigned table, struct span key, bool mine,
    struct buf *value);

/* Has memory a row at or behind `from` that begins with prefix?  *moment: for the calls below. */
bool recent_ahead_any(struct recent *r, unsigned table, struct span from, struct span prefix,
    uint64_t *moment);
bool recent_back_any(struct recent *r, unsigned table, const struct span *before,
    uint64_t *moment);

/* Rows of memory, one after the other in a buffer. */
struct recent_row {
	struct span	key, value;
	bool		gone;
};
bool recent_row_next(struct reader *in, struct recent_row *row);

struct recent_want {
	unsigned	table;
	bool		mine;
	uint64_t	moment;
	struct span	prefix;		/* none behind it, when walking ahead */
	size_t		bytes, rows;	/* enough; at least one row comes */
};
/* Puts rows into out: from `from` on up to and with `last`, or those before `before` (NULL: from
 * the last one on) down to and with `last`, falling.  last NULL: as far as they go.  *more:
 * there was not room for all.  false: rows were written to the tables since `moment`, so that
 * what was read there before this call may be old: begin again. */
bool recent_ahead(struct recent *r, const struct recent_want *w, struct span from,
    const struct span *last, struct buf *out, bool *more);
bool recent_back(struct recent *r, const struct recent_want *w, const struct span *before,
    const struct span *last, struct buf *out, bool *more);

#endif
