#include "storage/service/convert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/util/log.h"
#include "common/util/mem.h"
#include "storage/service/copy_files.h"

#define TXN_BYTES	(4u << 20)
#define TXN_ROWS	5000u
#define FETCH_BYTES	(256u << 10)

/* ---- rows ---- */

struct copying {
	struct engine		*to;
	struct engine_txn	*txn;
	struct convert_count	*count;
	uint64_t		bytes;		/* of the open transaction */
	unsigned		rows;
};

static enum status
flush(struct copying *c)
{
	c->bytes = c->rows = 0;
	return c->txn != NULL ? engine_commit(&c->txn) : ST_OK;
}

static enum status
put_row(struct copying *c, unsigned table, struct span key, struct span value)
{
	enum status st = c->txn == NULL ? engine_begin(c->to, &c->txn) : ST_OK;

	if (st == ST_OK)
		st = engine_put(c->txn, table, key, value);
	if (st != ST_OK)
		return st;
	c->bytes += key.len + value.len;
	c->count->rows++;
	c->count->bytes += key.len + value.len;
	return ++c->rows >= TXN_ROWS || c->bytes >= TXN_BYTES ? flush(c) : ST_OK;
}

static enum status
copy_table(struct copying *c, struct engine *from, unsigned table)
{
	struct engine_cursor *cur;
	struct span key, value;
	enum status st = engine_cursor_open(from, NULL, table, SPAN_NONE, &cur);

	if (st != ST_OK)
		return st;
	engine_cursor_bulk(cur, FETCH_BYTES);
	while ((st = engine_cursor_next(cur, &key, &value)) == ST_OK) {
		st = put_row(c, table, key, value);
		if (st != ST_OK)
			break;
	}
	engine_cursor_close(&cur);
	return st == ST_NOT_FOUND ? flush(c) : st;
}

static enum status
copy_rows(struct engine *from, struct engine *to, size_t tables, struct convert_count *count)
{
	struct copying c = { .to = to, .count = count };
	enum status st = ST_OK;

	*count = (struct convert_count){ 0 };
	for (size_t i = 0; i < tables && st == ST_OK; i++)
		st = copy_table(&c, from, (unsigned)i);
	engine_abort(&c.txn);
	return st == ST_OK ? engine_checkpoint(to) : st;
}

static enum status
same_rows(struct engine_cursor *a, struct engine_cursor *b)
{
	struct span ka, kb, va, vb;
	enum status sa, sb;

	do {
		sa = engine_cursor_next(a, &ka, &va);
		sb = engine_cursor_next(b, &kb, &vb);
	} while (sa == ST_OK && sb == ST_OK && span_eq(ka, kb) && span_eq(va, vb));
	if (sa == ST_NOT_FOUND && sb == ST_NOT_FOUND)
		return ST_OK;
	return sa != ST_OK && sa != ST_NOT_FOUND ? sa :
	    sb != ST_OK && sb != ST_NOT_FOUND ? sb : ST_CORRUPT;
}

static enum status
same_table(struct engine *x, struct engine *y, unsigned table)
{
	struct engine_cursor *a = NULL, *b = NULL;
	enum status st = engine_cursor_open(x, NULL, table, SPAN_NONE, &a);

	if (st == ST_OK)
		st = engine_cursor_open(y, NULL, table, SPAN_NONE, &b);
	if (st == ST_OK) {
		engine_cursor_bulk(a, FETCH_BYTES);
		engine_cursor_bulk(b, FETCH_BYTES);
		st = same_rows(a, b);
	}
	engine_cursor_close(&a);
	engine_cursor_close(&b);
	return st;
}

/* As it lies on the disk. */
static enum status
compare(struct engine *from, const char *to, const struct engine_opts *opts)
{
	struct engine *e;
	enum status st = engine_open(to, opts, &e), closed;

	for (size_t i = 0; i < opts->n_tables && st == ST_OK; i++) {
		st = same_table(from, e, (unsigned)i);
		if (st == ST_CORRUPT)
			LOG(NULL, ERROR, "convert.differs", KV_STR("dir", to),
			    KV_STR("table", opts->tables[i]));
	}
	closed = engine_close(&e);
	return st == ST_OK ? closed : st;
}

enum status
convert_make(struct engine *from, const char *to, const struct engine_opts *opts,
    struct convert_count *count)
{
	struct engine *e = NULL;
	enum status st, closed;

	copy_files_remove(to);
	if (mkdir(to, 0700) != 0)
		return errno == ENOSPC ? ST_NO_SPACE : ST_UNAVAILABLE;
	st = engine_open(to, opts, &e);
	if (st == ST_OK)
		st = copy_rows(from, e, opts->n_tables, count);
	closed = engine_close(&e);
	st = st == ST_OK ? closed : st;
	if (st == ST_OK)
		st = compare(from, to, opts);
	if (st != ST_OK)
		copy_files_remove(to);
	return st;
}

/* ---- folders ---- */

static char *
parent_of(const char *path)
{
	struct buf b = { 0 };

	buf_addf(&b, "%s/..", path);
	buf_cstr(&b);
	return buf_take(&b);
}

enum status
convert_switch(const char *db, const char *fresh)
{
	char *parent = parent_of(db);
	enum status st = ST_OK;

	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, db, RENAME_EXCHANGE) == 0) {
		/* On the disk before what was there goes. */
		if (copy_files_sync(parent))
			copy_files_remove(fresh);
		else
			st = ST_UNAVAILABLE;
	} else {
		/* A crash in between: the database is made anew from a copy and the journal. */
		copy_files_remove(db);
		st = copy_files_rename(parent, fresh, db);
	}
	mem_free(&parent);
	return st;
}
