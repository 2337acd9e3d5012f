/* See restore.h.  "Then" is the modseq of the last operation stamped at or before the time: of
 * each membership and each mailbox the first change behind it has what it was. */
#include "storage/state/restore.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/util/arena.h"
#include "common/util/mem.h"
#include "storage/state/state_priv.h"

#define ROWS_MAX 4000000u	/* memberships that changed since, in memory */

/* A membership that changed since. */
struct row {
	uint32_t	uid;
	bool		then, now, used;	/* used: stands for one of then */
	uint64_t	message, log_modseq, modseq;
	struct flags	was, is;
	struct row	*same;			/* of the same message */
};

struct folder {
	uint64_t	id;
	bool		then, now;
	uint64_t	parent, then_parent;	/* parent: as the operations planned so far leave it */
	struct span	name, then_name, then_path;
	struct folder	*into;			/* where what was in it then belongs */
	struct row	**rows;			/* by uid */
	size_t		n_rows, room;
	struct table	by_uid, made;		/* made: by message, what is new and there */
};

struct plan {
	struct state			*s;
	const struct state_restore	*q;
	struct restore_plan		*out;
	struct rec_account		acct;
	uint64_t			then;	/* modseq */
	struct arena			arena;
	struct folder			**folders;
	size_t				n, room;
	size_t				n_rows;
	struct table			by_id, by_name;	/* by_name: parent and name, of those there */
	struct table			there;	/* messages that were there then */
	/* The operation being put together. */
	struct buf			steps;
	struct uidset			uids;
	struct store_restore_line	line;
	uint8_t				kind;
};

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

/* ---- folders ---- */

static struct folder *
folder_of(const struct plan *p, uint64_t id)
{
	return table_get_u64(&p->by_id, id);
}

static void
name_key(uint64_t parent, struct span name, struct buf *out)
{
	buf_clear(out);
	put_u64(out, parent);
	buf_add_span(out, name);
}

static struct folder *
named(const struct plan *p, uint64_t parent, struct span name)
{
	struct buf key = { 0 };
	struct folder *f;

	name_key(parent, name, &key);
	f = table_get(&p->by_name, buf_span(&key));
	buf_fini(&key);
	return f;
}

static void
link_name(struct plan *p, struct folder *f, bool on)
{
	struct buf key = { 0 };

	name_key(f->parent, f->name, &key);
	if (on)
		table_put(&p->by_name, buf_span(&key), f);
	else
		table_del(&p->by_name, buf_span(&key));
	buf_fini(&key);
}

static struct folder *
folder_at(const struct plan *p, struct span path)
{
	struct folder *f = NULL;

	while (path.len > 0) {
		f = named(p, f != NULL ? f->id : 0, span_cut(&path, '/'));
		if (f == NULL)
			break;
	}
	return f;
}

static enum status
load_folders(struct plan *p)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mailbox r;
	struct key k;
	enum status st;

	key_1(&k, p->q->account);
	TRY(engine_cursor_open(p->s->e, NULL, TAB_MAILBOX, key_span(&k), &c));
	while ((st = st_next(p->s, TAB_MAILBOX, c, &key, &payload)) == ST_OK) {
		struct folder *f;

		if (!rec_mailbox_get(payload, &r)) {
			st = st_damaged(p->s, TAB_MAILBOX, key);
			break;
		}
		f = arena_zalloc(&p->arena, sizeof(*f));
		*f = (struct folder){ .id = get_be64(key.p + 8), .now = r.deleted_ms == 0,
			.then = r.deleted_ms == 0, .parent = r.parent, .then_parent = r.parent,
			.name = arena_span(&p->arena, r.name) };
		f->then_name = f->name;
		if (p->n == p->room) {
			p->room = p->room == 0 ? 64 : 2 * p->room;
			p->folders = mem_realloc_array(p->folders, p->room,
			    sizeof(p->folders[0]));
		}
		p->folders[p->n++] = f;
		table_put_u64(&p->by_id, f->id, f);
		if (f->now)
			link_name(p, f, true);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Backwards from the last change to the first one, which counts. */
static enum status
folders_then(struct plan *p)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct table seen = { 0 };
	struct rec_mchange m;
	struct key k;
	enum status st;

	key_1(&k, p->q->account);
	TRY(engine_cursor_open(p->s->e, NULL, TAB_MCHANGE, key_span(&k), &c));
	key_2(&k, p->q->account, p->then + 1);
	engine_cursor_seek(c, key_span(&k));
	while ((st = st_next(p->s, TAB_MCHANGE, c, &key, &payload)) == ST_OK) {
		struct folder *f = folder_of(p, get_be64(key.p + 16));

		if (!rec_mchange_get(payload, &m)) {
			st = st_damaged(p->s, TAB_MCHANGE, key);
			break;
		}
		if (f == NULL || table_get_u64(&seen, f->id) != NULL)
			continue;
		table_put_u64(&seen, f->id, f);
		f->then = m.kind != CHANGE_CREATED;
		if (f->then) {
			f->then_parent = m.old_parent;
			f->then_name = arena_span(&p->arena, m.old_name);
		}
	}
	engine_cursor_close(&c);
	table_fini(&seen, NULL, NULL);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static void
then_path(struct plan *p, struct folder *f)
{
	struct buf path = { 0 }, below = { 0 };
	const struct folder *up = f;
	unsigned depth = 0;

	for (; up != NULL && depth < STORE_DEPTH_MAX; depth++) {
		buf_clear(&below);
		buf_add_span(&below, buf_span(&path));
		buf_clear(&path);
		buf_add_span(&path, up->then_name);
		if (below.len > 0)
			buf_add_c(&path, '/');
		buf_add_span(&path, buf_span(&below));
		up = up->then_parent != 0 ? folder_of(p, up->then_parent) : NULL;
	}
	f->then_path = arena_span(&p->arena, buf_span(&path));
	buf_fini(&path);
	buf_fini(&below);
}

static int
by_then_path(const void *a, const void *b)
{
	const struct folder *x = *(struct folder *const *)a, *y = *(struct folder *const *)b;
	int c = span_cmp(x->then_path, y->then_path);

	return c != 0 ? c : x->id < y->id ? -1 : x->id > y->id;
}

/* As the operations planned so far leave it. */
static struct span
path_now(struct plan *p, const struct folder *f)
{
	struct buf path = { 0 }, below = { 0 };
	struct span out;

	for (unsigned depth = 0; f != NULL && depth < 2 * STORE_DEPTH_MAX; depth++) {
		buf_clear(&below);
		buf_add_span(&below, buf_span(&path));
		buf_clear(&path);
		buf_add_span(&path, f->name);
		if (below.len > 0)
			buf_add_c(&path, '/');
		buf_add_span(&path, buf_span(&below));
		f = f->parent != 0 ? folder_of(p, f->parent) : NULL;
	}
	out = arena_span(&p->arena, buf_span(&path));
	buf_fini(&path);
	buf_fini(&below);
	return out;
}

/* Is it about this folder at all? */
static bool
in_scope(const struct plan *p, const struct folder *f)
{
	return p->q->path.len == 0 || span_eq(f->then_path, p->q->path);
}

/* ---- operations ---- */

static void
put_part(struct plan *p, struct op *op, const struct store_restore_line *line)
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

static void
end_steps(struct plan *p)
{
	struct op op = { .kind = OP_RESTORE };
	struct buf uids = { 0 };

	if (p->steps.len > 0) {
		op.u.restore = (struct op_restore){ buf_span(&p->steps), p->q->exact };
		uidset_encode(&p->uids, &uids);
		p->line.uids = buf_span(&uids);
		put_part(p, &op, &p->line);
	}
	buf_fini(&uids);
	buf_clear(&p->steps);
	uidset_clear(&p->uids);
	p->line.messages = 0;
}

/* uid: as the line names it. */
static void
put_step(struct plan *p, uint8_t does, struct span path, struct span to,
    const struct op_restore_step *step, uint32_t uid)
{
	if (p->line.does != does || !span_eq(p->line.path, path) ||
	    !span_eq(p->line.to, to) || p->line.messages == OP_ROWS)
		end_steps(p);
	p->line = (struct store_restore_line){ .does = does, .messages = p->line.messages + 1,
		.path = path, .to = to };
	put_op_restore_step(&p->steps, step);
	uidset_add(&p->uids, uid);
}

static void
move_to(struct plan *p, struct folder *f, uint64_t parent, struct span name)
{
	struct op op = { .kind = OP_MAILBOX_RENAME };
	struct store_restore_line line = { .does = RESTORE_DOES_RENAME,
		.path = path_now(p, f) };

	link_name(p, f, false);
	f->parent = parent;
	f->name = name;
	link_name(p, f, true);
	line.to = path_now(p, f);
	op.u.mailbox_rename = (struct op_mailbox_rename){ line.path, line.to };
	put_part(p, &op, &line);
}

/* Out of the way of one that had the name then. */
static void
move_aside(struct plan *p, struct folder *f)
{
	struct buf name = { 0 };
	unsigned n = 2;

	do {
		char number[16];
		int len = snprintf(number, sizeof(number), " (%u)", n++);
		struct span base = f->name;

		while (base.len + (size_t)len > STORE_NAME_MAX ||
		    (base.len < f->name.len && (f->name.p[base.len] & 0xc0) == 0x80))
			base.len--;	/* not in the middle of a character */
		buf_clear(&name);
		buf_add_span(&name, base);
		buf_add_str(&name, number);
	} while (named(p, f->parent, buf_span(&name)) != NULL);
	move_to(p, f, f->parent, arena_span(&p->arena, buf_span(&name)));
	buf_fini(&name);
}

static enum status
still_emptied(struct plan *p, uint64_t mailbox, bool *yes)
{
	struct key k;
	enum status st;

	key_2(&k, p->q->account, mailbox);
	st = engine_get(p->s->e, NULL, TAB_WORK, key_span(&k), NULL);
	*yes = st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
bring_folder(struct plan *p, struct folder *f, const struct folder *up)
{
	struct op op = { .kind = OP_MAILBOX_REVIVE };
	const struct store_restore_line line = { .does = RESTORE_DOES_MAILBOX_BACK,
		.path = f->then_path };
	bool busy;

	TRY(still_emptied(p, f->id, &busy));
	if (busy)
		return ST_UNAVAILABLE;
	op.u.mailbox_revive = (struct op_mailbox_revive){ f->id, f->then_path };
	put_part(p, &op, &line);
	f->parent = up != NULL ? up->id : 0;
	/* Missing superiors are made with it. */
	f->name = up != NULL ? f->then_name : f->then_path;
	link_name(p, f, true);
	f->now = true;
	return ST_OK;
}

/* Puts one where it was; its superiors are there already. */
static enum status
place(struct plan *p, struct folder *f)
{
	struct span up_path = f->then_path;
	struct folder *up, *other;

	f->into = f;
	up_path.len -= f->then_name.len + (f->then_name.len < up_path.len);
	up = folder_at(p, up_path);
	if (f->now && f->parent == (up != NULL ? up->id : 0) && span_eq(f->name, f->then_name))
		return ST_OK;
	other = up != NULL || up_path.len == 0 ? named(p, up != NULL ? up->id : 0, f->then_name) :
	    NULL;
	if (other != NULL && !f->now && (!other->then || p->q->path.len > 0)) {
		f->into = other;
		return ST_OK;
	}
	if (other != NULL)
		move_aside(p, other);
	if (!f->now)
		return bring_folder(p, f, up);
	if (up != NULL || up_path.len == 0)
		move_to(p, f, up != NULL ? up->id : 0, f->then_name);
	return ST_OK;
}

static enum status
place_all(struct plan *p)
{
	bool any = false;

	for (size_t i = 0; i < p->n; i++)
		if (p->folders[i]->then)
			then_path(p, p->folders[i]);
	qsort(p->folders, p->n, sizeof(p->folders[0]), by_then_path);
	for (size_t i = 0; i < p->n; i++) {
		if (!p->folders[i]->then || !in_scope(p, p->folders[i]))
			continue;
		any = true;
		TRY(place(p, p->folders[i]));
	}
	return any || p->q->path.len == 0 ? ST_OK : ST_NOT_FOUND;
}

/* ---- memberships ---- */

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

		if (p->q->path.len > 0 && !(f->then && in_scope(p, f)))
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
	struct span path = path_now(p, f->into);
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
			put_step(p, does, path, SPAN_NONE, &step, now->uid);
		}
		if (does != RESTORE_DOES_ADD || now != NULL)
			continue;
		st = message_row(p, r->message, &value, &m);
		if (st == ST_NOT_FOUND) {
			p->out->lost++;
			st = ST_OK;
		} else if (st == ST_OK) {
			step.kind = RESTORE_ADD;
			put_step(p, does, path, f->then_path, &step, r->uid);
		}
	}
	end_steps(p);
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
		const struct folder *f = folder_of(p, at.mailbox);

		/* One that did not change since. */
		*yes = f != NULL && table_get_u64(&f->by_uid, at.uid) == NULL;
	}
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
rows_away(struct plan *p, struct folder *f)
{
	struct span path = f->n_rows > 0 ? path_now(p, f) : SPAN_NONE;
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
			put_step(p, RESTORE_DOES_REMOVE, path, SPAN_NONE, &step, r->uid);
	}
	end_steps(p);
	buf_fini(&value);
	return st;
}

static enum status
all_rows(struct plan *p)
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

/* ---- exactly ---- */

static int
by_path_back(const void *a, const void *b)
{
	return -span_cmp(*(const struct span *)a, *(const struct span *)b);
}

/* Folders made since; the deepest first. */
static void
folders_away(struct plan *p)
{
	struct span *paths = mem_array(p->n + 1, sizeof(*paths));
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct folder *f = p->folders[i];
		bool used = f->then || !f->now;

		for (size_t j = 0; !used && j < p->n; j++)
			used = p->folders[j]->into == f;
		if (!used)
			paths[n++] = path_now(p, f);
	}
	if (n > 1)
		qsort(paths, n, sizeof(*paths), by_path_back);
	for (size_t i = 0; i < n; i++) {
		struct op op = { .kind = OP_MAILBOX_DELETE };
		const struct store_restore_line line = { .does = RESTORE_DOES_DELETE,
			.path = paths[i] };

		op.u.mailbox_delete.path = paths[i];
		put_part(p, &op, &line);
	}
	mem_free(&paths);
}

/* ---- subscriptions and ACLs ---- */

static enum status
subscription_back(struct plan *p, struct span path, bool was)
{
	struct op op = { .kind = OP_SUBSCRIBE, .u.subscribe = { path, was } };
	const struct store_restore_line line = {
		.does = was ? RESTORE_DOES_SUBSCRIBE : RESTORE_DOES_UNSUBSCRIBE, .path = path };
	struct key k;
	enum status st;

	key_subscription(&k, p->q->account, path);
	st = engine_get(p->s->e, NULL, TAB_SUBSCR, key_span(&k), NULL);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	if ((st == ST_OK) != was)
		put_part(p, &op, &line);
	return ST_OK;
}

/* Those that one OP_MAILBOX_SET changed. */
static enum status
subscriptions_back(struct plan *p, struct span list, struct table *seen)
{
	struct buf what = { 0 };
	struct reader r;
	enum status st = ST_OK;

	reader_init(&r, list.p, list.len);
	while (st == ST_OK && reader_left(&r) > 0) {
		bool was = get_u8(&r) != 0;
		struct span path = get_span(&r);

		buf_clear(&what);
		put_u8(&what, OP_SUBSCRIBE);
		buf_add_span(&what, path);
		if (!r.bad && table_put(seen, buf_span(&what), p) == NULL)
			st = subscription_back(p, path, was);
	}
	buf_fini(&what);
	return st;
}

static void
put_acl(struct plan *p, struct span path, const struct store_acl *e, bool negative,
    uint32_t rights)
{
	struct op op = { .kind = OP_ACL_SET };
	const struct store_restore_line line = { .does = RESTORE_DOES_ACL, .path = path };

	op.u.acl_set = (struct op_acl_set){ path, e->kind, e->id, negative, ACL_REPLACE, rights };
	put_part(p, &op, &line);
}

static struct store_acl
acl_entry(struct span list, const struct store_acl *about)
{
	struct store_acl e;
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (get_store_acl(&r, &e))
		if (e.kind == about->kind && e.id == about->id)
			return e;
	return (struct store_acl){ .kind = about->kind, .id = about->id };
}

static void
acl_entries(struct plan *p, struct span path, struct span list, struct span was, struct span is)
{
	struct store_acl e, old, now;
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (get_store_acl(&r, &e)) {
		old = acl_entry(was, &e);
		now = acl_entry(is, &e);
		/* Those of then are seen to with the first list. */
		if (list.p != was.p && (old.rights | old.minus) != 0)
			continue;
		if (old.rights != now.rights)
			put_acl(p, path, &e, false, old.rights);
		if (old.minus != now.minus)
			put_acl(p, path, &e, true, old.minus);
	}
}

static enum status
acl_back(struct plan *p, uint64_t mailbox, struct span was)
{
	const struct folder *f = folder_of(p, mailbox);
	struct buf is = { 0 };
	struct span path;
	enum status st;

	if (f == NULL || f->into == NULL)
		return ST_OK;
	st = state_acl(p->s, p->q->account, f->into->id, &is);
	path = path_now(p, f->into);
	if (st == ST_OK) {
		acl_entries(p, path, was, was, buf_span(&is));
		acl_entries(p, path, buf_span(&is), was, buf_span(&is));
	}
	buf_fini(&is);
	return st;
}

/* Whose place another has taken, and nobody changed it since: it lies with the tombstone. */
static enum status
acls_handed_on(struct plan *p, const struct table *seen)
{
	struct buf what = { 0 }, was = { 0 };
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < p->n; i++) {
		const struct folder *f = p->folders[i];

		if (f->into == NULL || f->into == f)
			continue;
		buf_clear(&what);
		put_u8(&what, OP_ACL_SET);
		put_u64(&what, f->id);
		if (table_get(seen, buf_span(&what)) != NULL)
			continue;
		buf_clear(&was);
		st = state_acl(p->s, p->q->account, f->id, &was);
		if (st == ST_OK)
			st = acl_back(p, f->id, buf_span(&was));
	}
	buf_fini(&what);
	buf_fini(&was);
	return st;
}

/* The first change since of each path, and of each mailbox's ACL. */
static enum status
the_rest(struct plan *p)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct table seen = { 0 };
	struct buf what = { 0 };
	struct rec_history h;
	struct key k;
	enum status st;

	key_1(&k, p->q->account);
	TRY(engine_cursor_open(p->s->e, NULL, TAB_HISTORY, key_span(&k), &c));
	key_2(&k, p->q->account, p->then + 1);
	engine_cursor_seek(c, key_span(&k));
	while ((st = st_next(p->s, TAB_HISTORY, c, &key, &payload)) == ST_OK) {
		if (!rec_history_get(payload, &h)) {
			st = st_damaged(p->s, TAB_HISTORY, key);
			break;
		}
		if (h.kind == OP_MAILBOX_SET && h.names.p != NULL)
			st = subscriptions_back(p, h.names, &seen);
		if (st != ST_OK)
			break;
		if ((h.kind != OP_SUBSCRIBE && h.kind != OP_ACL_SET) || h.names.p == NULL)
			continue;
		buf_clear(&what);
		put_u8(&what, h.kind);
		if (h.kind == OP_SUBSCRIBE)
			buf_add_span(&what, h.names);
		else
			put_u64(&what, h.noted);
		if (table_put(&seen, buf_span(&what), p) != NULL)
			continue;
		st = h.kind == OP_SUBSCRIBE ? subscription_back(p, h.names, h.noted != 0) :
		    acl_back(p, h.noted, h.names);
		if (st != ST_OK)
			break;
	}
	engine_cursor_close(&c);
	if (st == ST_NOT_FOUND)
		st = acls_handed_on(p, &seen);
	table_fini(&seen, NULL, NULL);
	buf_fini(&what);
	return st;
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
	TRY(load_folders(p));
	TRY(folders_then(p));
	TRY(place_all(p));
	TRY(all_rows(p));
	if (p->q->path.len > 0)
		return ST_OK;
	if (p->q->exact)
		folders_away(p);
	return the_rest(p);
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
