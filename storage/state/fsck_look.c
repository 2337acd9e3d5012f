/* What judges of rows look at, and how they tell what they found and what mends it. */
#include "storage/state/fsck_judges.h"

#include <inttypes.h>
#include <stdarg.h>

#include "common/util/mem.h"

enum seen
fsck_look(struct state_fsck *f, enum tab t, const struct key *k, struct buf *value,
    struct span *payload)
{
	enum status st = engine_get(f->s->e, NULL, (unsigned)t, key_span(k), value);

	*payload = SPAN_NONE;
	if (st == ST_NOT_FOUND)
		return ROW_NONE;
	if (st != ST_OK) {
		f->st = st;
		return ROW_BAD;
	}
	return rec_open(t, key_span(k), buf_span(value), payload) ? ROW_GOOD : ROW_BAD;
}

bool
fsck_any(struct state_fsck *f, enum tab t, const struct key *prefix)
{
	struct engine_cursor *c = NULL;
	enum status st = engine_cursor_open(f->s->e, NULL, (unsigned)t, key_span(prefix), &c);

	if (st == ST_OK) {
		engine_cursor_bulk(c, 4096);
		st = engine_cursor_next(c, NULL, NULL);
	}
	engine_cursor_close(&c);
	if (st != ST_OK && st != ST_NOT_FOUND)
		f->st = st;
	return st == ST_OK;
}

struct fsck_box *
fsck_box(struct state_fsck *f, uint64_t id)
{
	struct fsck_box *b = &f->box;
	struct span payload;
	struct key k;

	if (b->id == id && id != 0)
		return b;
	b->id = id;
	key_2(&k, f->account, id);
	b->seen = fsck_look(f, TAB_MAILBOX, &k, &b->value, &payload);
	if (b->seen == ROW_GOOD && !rec_mailbox_get(payload, &b->rec))
		b->seen = ROW_BAD;
	return b;
}

enum seen
fsck_history(struct state_fsck *f, uint64_t modseq)
{
	struct span payload;
	struct key k;

	if (f->hist_account == f->account && f->hist_modseq == modseq && modseq != 0)
		return f->hist_seen;
	f->hist_account = f->account;
	f->hist_modseq = modseq;
	key_2(&k, f->account, modseq);
	f->hist_seen = fsck_look(f, TAB_HISTORY, &k, &f->hist_value, &payload);
	if (f->hist_seen == ROW_GOOD && !rec_history_get(payload, &f->hist))
		f->hist_seen = ROW_BAD;
	return f->hist_seen;
}

/* ---- what was found, and what mends it ---- */

void
fsck_found(struct state_fsck *f, enum tab t, struct span key, enum fsck_cure cure,
    const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	put_u8(&f->findings, (uint8_t)cure);
	put_span(&f->findings, span_str(state_tables[t]));
	put_span(&f->findings, key);
	put_span(&f->findings, buf_span(&text));
	buf_fini(&text);
}

struct buf *
fsck_put_start(struct state_fsck *f)
{
	rec_start(&f->v3);
	return &f->v3;
}

void
fsck_put(struct state_fsck *f, enum tab t, const struct key *k)
{
	rec_end(&f->v3, t, key_span(k));
	put_op_repair_row(&f->rows, &(struct op_repair_row){ .how = REPAIR_PUT,
	    .table = span_str(state_tables[t]), .key = key_span(k), .value = buf_span(&f->v3) });
	f->n_rows++;
}

void
fsck_put_mailbox(struct state_fsck *f, uint64_t id, const struct rec_mailbox *m)
{
	struct key k;

	key_2(&k, f->account, id);
	rec_mailbox_put(fsck_put_start(f), m);
	fsck_put(f, TAB_MAILBOX, &k);
}

void
fsck_del(struct state_fsck *f, enum tab t, struct span key, bool keep, const char *why)
{
	struct op_repair_row row = { .how = keep ? REPAIR_QUARANTINE : REPAIR_DELETE,
		.table = span_str(state_tables[t]), .key = key, .why = span_str(why) };
	struct buf now = { 0 };

	if (engine_get(f->s->e, NULL, (unsigned)t, key, &now) == ST_OK) {
		row.crc = crc32c(0, now.data, now.len);
		put_op_repair_row(&f->rows, &row);
		f->n_rows++;
	}
	buf_fini(&now);
}

void
fsck_orphan(struct state_fsck *f, enum tab t, struct span key, const char *what)
{
	fsck_found(f, t, key, CURE_QUARANTINE, "%s", what);
	fsck_del(f, t, key, true, what);
}

bool
fsck_lost_box(const struct state_fsck *f, uint64_t mailbox)
{
	const struct box_sum *b = table_get_u64(&f->boxes, mailbox);

	return b != NULL && b->lost;
}

void
fsck_lose_box(struct state_fsck *f, uint64_t mailbox)
{
	struct box_sum *b = table_get_u64(&f->boxes, mailbox);

	if (b == NULL) {
		b = mem_zalloc(sizeof(*b));
		b->id = mailbox;
		table_put_u64(&f->boxes, mailbox, b);
	}
	b->lost = true;
	f->lost = true;
}

void
fsck_no_mailbox(struct state_fsck *f, enum tab t, struct span key, uint64_t mailbox)
{
	if (f->told_missing != mailbox && !fsck_lost_box(f, mailbox))
		fsck_found(f, t, key, CURE_REBUILD, "mailbox %" PRIx64 " is missing", mailbox);
	f->told_missing = mailbox;
	fsck_lose_box(f, mailbox);
}
