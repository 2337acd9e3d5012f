/* Rows that fsck found wrong, written as they have to be.  The operation holds them whole: it was
 * made while nothing else was under way, so they are right wherever the journal is replayed
 * to this point; into a state that never was damaged it writes what is there.  A row is
 * taken away only if it is the one that was found: an undamaged state keeps its own. */
#include "storage/state/fsck_priv.h"

#include <string.h>

#include "common/util/bytes.h"
#include "common/util/mem.h"

static bool
table_of(struct span name, enum tab *t)
{
	for (unsigned i = 0; i < TAB_COUNT; i++)
		if (span_eq_str(name, state_tables[i])) {
			*t = (enum tab)i;
			return true;
		}
	return false;
}

static bool
row_good(const struct op_repair_row *row)
{
	struct span payload;
	enum tab t;

	return table_of(row->table, &t) && row->key.len > 0 && row->key.len <= KEY_MAX &&
	    (row->how != REPAIR_PUT || rec_open(t, row->key, row->value, &payload));
}

/* 0: the row belongs to none. */
static uint64_t
account_of(enum tab t, struct span key)
{
	for (size_t i = 0; i < fsck_n_account_tables; i++)
		if (fsck_account_tables[i].t == t && key.len >= 8)
			return get_be64(key.p);
	return 0;
}

static enum status
quarantine(struct apply *ap, const struct op_repair_row *row, enum tab t, struct span bytes)
{
	const struct rec_quarantine q = { .time_ms = ap->op->head.time_ms, .table = row->table,
		.key = row->key, .bytes = bytes, .why = row->why };
	struct key k;

	key_quarantine(&k, account_of(t, row->key), t, row->key);
	rec_quarantine_put(st_put_start(ap->s), &q);
	return st_put(ap->s, TAB_QUARANTINE, &k);
}

/* Bytes as they are to be: with their version and CRC. */
static enum status
put_row(struct state *s, const struct op_repair_row *row, enum tab t)
{
	struct key k;

	key_text(&k, row->key);
	buf_clear(&s->out);
	buf_add_span(&s->out, span_sub(row->value, 0, row->value.len - 4));
	return st_put(s, t, &k);
}

static enum status
take_row(struct apply *ap, const struct op_repair_row *row, enum tab t)
{
	struct buf was = { 0 };
	enum status st = engine_get(ap->s->e, ap->s->txn, (unsigned)t, row->key, &was);

	if (st == ST_OK && crc32c(0, was.data, was.len) == row->crc) {
		if (row->how == REPAIR_QUARANTINE)
			st = quarantine(ap, row, t, buf_span(&was));
		if (st == ST_OK)
			st = st_del_row(ap->s, t, row->key);
	}
	buf_fini(&was);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
apply_repair(struct apply *ap)
{
	struct span rows = ap->op->u.repair.rows;
	struct op_repair_row row;
	struct reader r;
	unsigned n = 0;
	bool good = true;
	enum status st;
	enum tab t;

	reader_init(&r, rows.p, rows.len);
	while (get_op_repair_row(&r, &row))
		good &= row_good(&row) && ++n <= OP_ROWS;
	if (!good || !reader_done(&r))
		return refuse(ap, ST_SYNTAX);
	TRY(st_forget(ap->s));
	reader_init(&r, rows.p, rows.len);
	for (st = ST_OK; st == ST_OK && get_op_repair_row(&r, &row);) {
		if (!table_of(row.table, &t))	/* never: the row is good */
			return ST_BUG;
		st = row.how == REPAIR_PUT ? put_row(ap->s, &row, t) : take_row(ap, &row, t);
	}
	return st;
}

/* ---- messages whose body is damaged ---- */

static void
key_body(struct key *k, uint64_t account, uint64_t message)
{
	struct key row;

	key_2(&row, account, message);
	key_quarantine(k, account, TAB_MESSAGE, key_span(&row));
}

void
state_fsck_mark_body(uint64_t account, uint64_t message, int64_t time_ms,
    struct buf *rows)
{
	struct rec_quarantine q = { .time_ms = time_ms, .table = SPAN_LIT("message"),
		.why = SPAN_LIT("its body is damaged") };
	struct op_repair_row row = { .how = REPAIR_PUT, .table = SPAN_LIT("quarantine") };
	struct buf value = { 0 };
	struct key k, message_key;

	key_2(&message_key, account, message);
	q.key = key_span(&message_key);
	key_body(&k, account, message);
	rec_start(&value);
	rec_quarantine_put(&value, &q);
	rec_end(&value, TAB_QUARANTINE, key_span(&k));
	row.key = key_span(&k);
	row.value = buf_span(&value);
	put_op_repair_row(rows, &row);
	buf_fini(&value);
}

bool
state_fsck_still(struct state *s, uint64_t account, uint64_t message,
    const unsigned char sha256[32])
{
	struct rec_message m;
	struct buf value = { 0 };
	struct span payload;
	struct key k;
	bool yes;

	key_2(&k, account, message);
	yes = st_get(s, NULL, TAB_MESSAGE, &k, &value, &payload) == ST_OK &&
	    rec_message_get(payload, &m) && memcmp(m.sha256, sha256, 32) == 0;
	buf_fini(&value);
	return yes;
}

enum status
state_message_places(struct state *s, uint64_t account, uint64_t message, struct buf *locs)
{
	struct rec_message m;
	struct rec_extent e;
	struct buf value = { 0 };
	struct span payload;
	struct key k;
	enum status st;

	buf_clear(locs);
	key_2(&k, account, message);
	st = st_get(s, NULL, TAB_MESSAGE, &k, &value, &payload);
	if (st == ST_OK && !rec_message_get(payload, &m))
		st = st_damaged(s, TAB_MESSAGE, key_span(&k));
	if (st == ST_OK) {
		key_1(&k, m.extent);
		st = st_get(s, NULL, TAB_EXTENT, &k, &value, &payload);
	}
	if (st == ST_OK && !rec_extent_get(payload, &e))
		st = st_damaged(s, TAB_EXTENT, key_span(&k));
	for (size_t i = 0; st == ST_OK && i < e.locs.len / LOC_BYTES; i++) {
		const char *p = e.locs.p + i * LOC_BYTES;
		struct journal_loc l = { get_be32(p), get_be32(p + 4), get_be32(p + 8) };

		buf_add(locs, &l, sizeof(l));
	}
	buf_fini(&value);
	return st;
}
