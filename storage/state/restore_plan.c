/* See restore.h.  "Then" is the modseq of the last operation stamped at or before the time: of
 * each membership and each mailbox the first change behind it has what it was. */
#include "storage/state/restore_plan.h"

#include "common/util/mem.h"

void
restore_plan_fini(struct restore_plan *p)
{
	buf_fini(&p->parts);
}

/* ---- the time ---- */

/* The first history row from this modseq on. */
static enum status
history_from(struct plan *p, uint64_t from, uint64_t *modseq, int64_t *time_ms)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_history h;
	struct key k;
	enum status st;

	key_1(&k, p->q->account);
	TRY(engine_cursor_open(p->s->e, NULL, TAB_HISTORY, key_span(&k), &c));
	key_2(&k, p->q->account, from);
	engine_cursor_seek(c, key_span(&k));
	st = st_next(p->s, TAB_HISTORY, c, &key, &payload);
	if (st == ST_OK && !rec_history_get(payload, &h))
		st = st_damaged(p->s, TAB_HISTORY, key);
	if (st == ST_OK) {
		*modseq = get_be64(key.p + 8);
		*time_ms = h.time_ms;
	}
	engine_cursor_close(&c);
	return st;
}

static enum status
find_time(struct plan *p)
{
	uint64_t low = p->acct.modseq, high = p->acct.modseq, at;
	int64_t first = p->acct.created_ms, time_ms;
	enum status st = history_from(p, p->acct.horizon + 1, &low, &first);

	p->then = p->acct.modseq;
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	if (p->acct.horizon == 0)
		first = p->acct.created_ms;
	p->out->earliest_ms = first > p->q->floor_ms ? first : p->q->floor_ms;
	if (st == ST_NOT_FOUND && p->acct.horizon != 0)
		p->out->earliest_ms = p->q->floor_ms;
	if (p->q->at_ms < p->out->earliest_ms)
		return ST_EXPIRED;
	if (st == ST_NOT_FOUND)
		return ST_OK;		/* nothing happened since */
	for (low--; low < high;) {
		uint64_t mid = low + (high - low + 1) / 2;

		st = history_from(p, mid, &at, &time_ms);
		if (st != ST_OK && st != ST_NOT_FOUND)
			return st;
		if (st == ST_OK && time_ms <= p->q->at_ms)
			low = at;
		else
			high = mid - 1;
	}
	p->then = low;
	return ST_OK;
}

/* ---- operations ---- */

void
restore_put_part(struct plan *p, struct op *op, const struct store_restore_line *line)
{
	struct buf b = { 0 };

	op->head.account = p->q->account;
	op_encode(op, &b);
	put_span(&p->out->parts, buf_span(&b));
	buf_clear(&b);
	put_store_restore_line(&b, line);
	put_span(&p->out->parts, buf_span(&b));
	buf_fini(&b);
	p->out->n++;
}

void
restore_end_steps(struct plan *p)
{
	struct op op = { .kind = OP_RESTORE };
	struct buf uids = { 0 };

	if (p->steps.len > 0) {
		op.u.restore = (struct op_restore){ buf_span(&p->steps), p->q->exact };
		uidset_encode(&p->uids, &uids);
		p->line.uids = buf_span(&uids);
		restore_put_part(p, &op, &p->line);
	}
	buf_fini(&uids);
	buf_clear(&p->steps);
	uidset_clear(&p->uids);
	p->line.messages = 0;
}

/* uid: as the line names it. */
void
restore_put_step(struct plan *p, uint8_t does, struct span path, struct span to,
    const struct op_restore_step *step, uint32_t uid)
{
	if (p->line.does != does || !span_eq(p->line.path, path) ||
	    !span_eq(p->line.to, to) || p->line.messages == OP_ROWS)
		restore_end_steps(p);
	p->line = (struct store_restore_line){ .does = does, .messages = p->line.messages + 1,
		.path = path, .to = to };
	put_op_restore_step(&p->steps, step);
	uidset_add(&p->uids, uid);
}

/* ---- all of it ---- */

static enum status
make(struct plan *p)
{
	TRY(st_read_account(p->s, NULL, p->q->account, &p->acct));
	if (p->acct.deleted_ms != 0 || p->acct.purged)
		return ST_NOT_FOUND;
	if (p->acct.stage)
		return ST_UNAVAILABLE;
	TRY(find_time(p));
	TRY(restore_load_folders(p));
	TRY(restore_folders_then(p));
	TRY(restore_place_folders(p));
	TRY(restore_rows(p));
	if (p->q->path.len > 0)
		return ST_OK;
	if (p->q->exact)
		restore_folders_away(p);
	return restore_rest(p);
}

enum status
state_restore_plan(struct state *s, const struct state_restore *q, struct restore_plan *out)
{
	struct plan p = { .s = s, .q = q, .out = out };
	enum status st = make(&p);

	for (size_t i = 0; i < p.n; i++) {
		mem_free(&p.folders[i]->rows);
		table_fini(&p.folders[i]->by_uid, NULL, NULL);
		table_fini(&p.folders[i]->made, NULL, NULL);
	}
	mem_free(&p.folders);
	table_fini(&p.by_id, NULL, NULL);
	table_fini(&p.by_name, NULL, NULL);
	table_fini(&p.there, NULL, NULL);
	buf_fini(&p.steps);
	uidset_fini(&p.uids);
	arena_fini(&p.arena);
	return st;
}
