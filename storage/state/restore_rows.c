/* Memberships as they were then. */
#include "storage/state/restore_plan.h"

#include <stdlib.h>

#include "common/util/mem.h"

#define ROWS_MAX 4000000u	/* memberships that changed since, in memory */

static enum status
read_row_now(struct plan *p, const struct folder *f, struct row *r, struct buf *value)
{
	struct rec_index x;
	struct span payload;
	struct key k;
	enum status st;

	key_uid(&k, p->q->account, f->id, r->uid);
	st = st_get(p->s, NULL, TAB_MINDEX, &k, value, &payload);
	if (st == ST_NOT_FOUND)
		return ST_OK;
	TRY(st);
	if (!rec_index_get(payload, &x))
		return st_damaged(p->s, TAB_MINDEX, key_span(&k));
	r->now = true;
	r->is = x.flags;
	r->modseq = x.modseq;
	return ST_OK;
}

static enum status
take_change(struct plan *p, struct folder *f, uint64_t modseq, uint32_t uid,
    const struct rec_change *c, struct buf *value)
{
	struct row *r;

	if (table_get_u64(&f->by_uid, uid) != NULL)
		return ST_OK;
	if (p->n_rows++ == ROWS_MAX)
		return ST_LIMIT;
	r = arena_zalloc(&p->arena, sizeof(*r));
	*r = (struct row){ .uid = uid, .then = c->kind != CHANGE_CREATED,
		.message = c->message, .log_modseq = modseq, .was = c->old_flags };
	TRY(read_row_now(p, f, r, value));
	table_put_u64(&f->by_uid, uid, r);
	if (f->n_rows == f->room) {
		f->room = f->room == 0 ? 16 : 2 * f->room;
		f->rows = mem_realloc_array(f->rows, f->room, sizeof(f->rows[0]));
	}
	f->rows[f->n_rows++] = r;
	if (r->then && f->then)
		table_put_u64(&p->there, r->message, r);
	if (!r->then && r->now)
		r->same = table_put_u64(&f->made, r->message, r);
	return ST_OK;
}

static int
by_uid(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static enum status
load_rows(struct plan *p, struct folder *f)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_change change;
	struct buf value = { 0 };
	struct key k;
	enum status st;

	key_2(&k, p->q->account, f->id);
	TRY(engine_cursor_open(p->s->e, NULL, TAB_CHANGE, key_span(&k), &c));
	key_change(&k, p->q->account, f->id, p->then + 1, 0);
	engine_cursor_seek(c, key_span(&k));
	while ((st = st_next(p->s, TAB_CHANGE, c, &key, &payload)) == ST_OK) {
		st = !rec_change_get(payload, &change) ? st_damaged(p->s, TAB_CHANGE, key) :
		    take_change(p, f, get_be64(key.p + 16), get_be32(key.p + 24), &change, &value);
		if (st != ST_OK)
			break;
	}
	engine_cursor_close(&c);
	buf_fini(&value);
	if (f->n_rows > 1)
		qsort(f->rows, f->n_rows, sizeof(f->rows[0]), by_uid);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Which rows matter: all of the account's, or those of one mailbox and where it goes. */
static enum status
load_all_rows(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct folder *f = p->folders[i];

		if (p->q->path.len > 0 && !(f->then && restore_has(p, f)))
			continue;
		if (f->n_rows == 0)
			TRY(load_rows(p, f));
		if (f->into != NULL && f->into != f && f->into->n_rows == 0)
			TRY(load_rows(p, f->into));
	}
	return ST_OK;
}

static enum status
message_row(struct plan *p, uint64_t id, struct buf *value, struct rec_message *m)
{
	struct span payload;
	struct key k;

	key_2(&k, p->q->account, id);
	TRY(st_get(p->s, NULL, TAB_MESSAGE, &k, value, &payload));
	return rec_message_get(payload, m) ? ST_OK : st_damaged(p->s, TAB_MESSAGE, key_span(&k));
}

/* One made since that can stand for it. */
static struct row *
stand_in(struct folder *into, const struct row *then, bool alike)
{
	struct row *r = table_get_u64(&into->made, then->message);

	while (r != NULL && (r->used || (alike && !flags_eq(r->is, then->was))))
		r = r->same;
	if (r != NULL)
		r->used = true;
	return r;
}

/* Which ones do: those that need no change first. */
static void
stand_ins(struct folder *f)
{
	for (unsigned alike = 2; alike-- > 0;) {
		for (size_t i = 0; i < f->n_rows; i++) {
			struct row *r = f->rows[i];

			if (r->then && r->same == NULL && (f->into != f || !r->now))
				r->same = stand_in(f->into, r, alike != 0);
		}
	}
}

/* What was in f then belongs into f->into.  Adding and flags apart, so that parts are long. */
static enum status
rows_back(struct plan *p, struct folder *f, uint8_t does)
{
	struct span path = restore_path_now(p, f->into);
	struct buf value = { 0 };
	struct rec_message m;
	enum status st = ST_OK;

	if (does == RESTORE_DOES_ADD)
		stand_ins(f);
	for (size_t i = 0; st == ST_OK && i < f->n_rows; i++) {
		struct row *r = f->rows[i], *now = r;
		struct op_restore_step step = { .mailbox = f->into->id, .log_mailbox = f->id,
			.log_modseq = r->log_modseq, .log_uid = r->uid };

		if (!r->then)
			continue;
		if (f->into != f || !r->now)
			now = r->same;
		if (does == RESTORE_DOES_FLAGS && now != NULL && !flags_eq(now->is, r->was)) {
			step.kind = RESTORE_FLAGS;
			step.uid = now->uid;
			step.modseq = now->modseq;
			restore_put_step(p, does, path, SPAN_NONE, &step, now->uid);
		}
		if (does != RESTORE_DOES_ADD || now != NULL)
			continue;
		st = message_row(p, r->message, &value, &m);
		if (st == ST_NOT_FOUND) {
			p->out->lost++;
			st = ST_OK;
		} else if (st == ST_OK) {
			step.kind = RESTORE_ADD;
			restore_put_step(p, does, path, f->then_path, &step, r->uid);
		}
	}
	restore_end_steps(p);
	buf_fini(&value);
	return st;
}

/* Was the message somewhere then? */
static enum status
was_there(struct plan *p, uint64_t id, struct buf *value, bool *yes)
{
	struct rec_message m;
	enum status st;

	*yes = table_get_u64(&p->there, id) != NULL;
	if (*yes)
		return ST_OK;
	st = message_row(p, id, value, &m);
	for (size_t i = 0; st == ST_OK && !*yes && i < m.members.len / MEMBER_BYTES; i++) {
		struct rec_member at = rec_member(m.members, i);
		const struct folder *f = restore_folder(p, at.mailbox);

		/* One that did not change since. */
		*yes = f != NULL && table_get_u64(&f->by_uid, at.uid) == NULL;
	}
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
rows_away(struct plan *p, struct folder *f)
{
	struct span path = f->n_rows > 0 ? restore_path_now(p, f) : SPAN_NONE;
	struct buf value = { 0 };
	enum status st = ST_OK;
	bool there;

	for (size_t i = 0; st == ST_OK && i < f->n_rows; i++) {
		const struct row *r = f->rows[i];
		const struct op_restore_step step = { .kind = RESTORE_REMOVE, .mailbox = f->id,
			.uid = r->uid, .modseq = r->modseq };

		if (r->then || !r->now || r->used)
			continue;
		there = p->q->exact;
		if (!there && p->q->path.len == 0)
			st = was_there(p, r->message, &value, &there);
		if (st == ST_OK && there)
			restore_put_step(p, RESTORE_DOES_REMOVE, path, SPAN_NONE, &step, r->uid);
	}
	restore_end_steps(p);
	buf_fini(&value);
	return st;
}

enum status
restore_rows(struct plan *p)
{
	static const uint8_t passes[] = { RESTORE_DOES_ADD, RESTORE_DOES_FLAGS };

	TRY(load_all_rows(p));
	for (size_t pass = 0; pass < ARRAY_LEN(passes); pass++)
		for (size_t i = 0; i < p->n; i++)
			if (p->folders[i]->into != NULL)
				TRY(rows_back(p, p->folders[i], passes[pass]));
	for (size_t i = 0; i < p->n; i++)
		TRY(rows_away(p, p->folders[i]));
	return ST_OK;
}
