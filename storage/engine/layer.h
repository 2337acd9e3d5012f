/* storage/engine/layer.h
 * Rows in memory, table by table in the order of their keys: what was committed and is not
 * written to the tables yet.  A row of a layer counts instead of the one below it; one that
 * is gone hides it.
 *
 * One transaction changes a layer at a time: what it has is apart ("mine") until it is
 * committed.  Not locked: who changes a layer is alone in it. */
#ifndef STORAGE_ENGINE_LAYER_H
#define STORAGE_ENGINE_LAYER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/util/span.h"

struct layer;
struct layer_row;

/* NONE: the layer says nothing of it, look below. */
enum layer_has { LAYER_NONE, LAYER_GONE, LAYER_VALUE };

struct layer *layer_new(size_t tables);
void layer_free(struct layer **l);
/* As new; so many bytes of memory stay, to be used again. */
void layer_empty(struct layer *l, size_t keep);
/* Rows and bytes taken, also of rows that were never committed. */
size_t layer_rows(const struct layer *l);
size_t layer_bytes(const struct layer *l);
/* Anything committed? */
bool layer_used(const struct layer *l);

/* Of the open transaction.  value NULL: the row goes. */
void layer_put(struct layer *l, unsigned table, struct span key, const struct span *value);
void layer_commit(struct layer *l);
void layer_abort(struct layer *l);

/* mine: as the open transaction sees it.  *value is borrowed until the layer changes. */
enum layer_has layer_get(const struct layer *l, unsigned table, struct span key, bool mine,
    struct span *value);
/* The first row at or behind key; the next one.  NULL: none.  Rows of which the layer has NONE
 * are among them. */
const struct layer_row *layer_at(const struct layer *l, unsigned table, struct span key);
const struct layer_row *layer_next(const struct layer_row *row);
/* The last row before key; key NULL: the last one. */
const struct layer_row *layer_before(const struct layer *l, unsigned table,
    const struct span *key);
struct span layer_key(const struct layer_row *row);
enum layer_has layer_value(const struct layer_row *row, bool mine, struct span *value);

#endif
