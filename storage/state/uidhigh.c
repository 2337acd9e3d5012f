/* How far the uids of each mailbox were ever given out, kept apart from the mailbox's record and
 * written in the same transaction: a record that lost its UIDNEXT would give uids out again. */
#include "storage/state/state_priv.h"

#define MAKE_ROWS 1000u		/* of one transaction */

static const char meta_uidhigh[] = "uidhigh";

enum status
uidhigh_write(struct state *s, uint64_t account, struct mbox *m)
{
	struct key k;

	if (m->rec.uidnext <= m->high)
		return ST_OK;
	m->high = m->rec.uidnext;
	key_2(&k, account, m->id);
	put_u32(st_put_start(s), m->high);
	return st_put(s, TAB_UIDHIGH, &k);
}

enum status
uidhigh_done(struct state *s)
{
	struct key k;

	key_text(&k, SPAN_LIT(meta_uidhigh));
	st_put_start(s);
	return st_put(s, TAB_META, &k);
}

/* Rows of the mailboxes from *from on; it is empty when there are no more. */
static enum status
make_some(struct state *s, struct buf *from)
{
	struct engine_cursor *c = NULL;
	struct buf rows = { 0 };
	struct span key, payload;
	struct rec_mailbox m;
	struct reader r;
	struct key k;
	unsigned n = 0;
	enum status st;

	TRY(engine_cursor_open(s->e, NULL, TAB_MAILBOX, SPAN_NONE, &c));
	engine_cursor_seek(c, buf_span(from));
	buf_clear(from);
	while ((st = engine_cursor_next(c, &key, &payload)) == ST_OK) {
		if (n++ == MAKE_ROWS) {
			buf_add_span(from, key);
			break;
		}
		/* a damaged one is no reason not to open */
		if (rec_open(TAB_MAILBOX, key, payload, &payload) && rec_mailbox_get(payload, &m)) {
			put_span(&rows, key);
			put_u32(&rows, m.uidnext);
		}
	}
	engine_cursor_close(&c);
	if (st == ST_NOT_FOUND)
		st = ST_OK;
	reader_init(&r, rows.data, rows.len);
	while (st == ST_OK && r.p < r.end) {
		key_text(&k, get_span(&r));
		put_u32(st_put_start(s), get_u32(&r));
		st = st_put(s, TAB_UIDHIGH, &k);
	}
	if (st == ST_OK && from->len == 0)
		st = uidhigh_done(s);
	buf_fini(&rows);
	return st;
}

enum status
uidhigh_load(struct state *s, bool fresh)
{
	struct buf from = { 0 };
	struct key k;
	enum status st = ST_NOT_FOUND;

	s->uidhigh_dirty = fresh;
	key_text(&k, SPAN_LIT(meta_uidhigh));
	if (!fresh)
		st = engine_get(s->e, NULL, TAB_META, key_span(&k), NULL);
	if (fresh || st != ST_NOT_FOUND)
		return fresh ? ST_OK : st;
	do {
		st = engine_begin(s->e, &s->txn);
		if (st != ST_OK)
			break;
		st = make_some(s, &from);
		if (st == ST_OK)
			st = engine_commit(&s->txn);
		else
			engine_abort(&s->txn);
	} while (st == ST_OK && from.len > 0);
	buf_fini(&from);
	return st;
}
