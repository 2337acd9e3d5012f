/* Folders as they were then: each is brought back, moved or kept, superiors first. */
#include "storage/state/restore_plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/util/mem.h"

struct folder *
restore_folder(const struct plan *p, uint64_t id)
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

enum status
restore_load_folders(struct plan *p)
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
enum status
restore_folders_then(struct plan *p)
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
		struct folder *f = restore_folder(p, get_be64(key.p + 16));

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
		up = up->then_parent != 0 ? restore_folder(p, up->then_parent) : NULL;
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
struct span
restore_path_now(struct plan *p, const struct folder *f)
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
		f = f->parent != 0 ? restore_folder(p, f->parent) : NULL;
	}
	out = arena_span(&p->arena, buf_span(&path));
	buf_fini(&path);
	buf_fini(&below);
	return out;
}

/* Is it about this folder at all? */
bool
restore_has(const struct plan *p, const struct folder *f)
{
	return p->q->path.len == 0 || span_eq(f->then_path, p->q->path);
}

/* ---- where each belongs ---- */

static void
move_to(struct plan *p, struct folder *f, uint64_t parent, struct span name)
{
	struct op op = { .kind = OP_MAILBOX_RENAME };
	struct store_restore_line line = { .does = RESTORE_DOES_RENAME,
		.path = restore_path_now(p, f) };

	link_name(p, f, false);
	f->parent = parent;
	f->name = name;
	link_name(p, f, true);
	line.to = restore_path_now(p, f);
	op.u.mailbox_rename = (struct op_mailbox_rename){ line.path, line.to };
	restore_put_part(p, &op, &line);
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
	restore_put_part(p, &op, &line);
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

enum status
restore_place_folders(struct plan *p)
{
	bool any = false;

	for (size_t i = 0; i < p->n; i++)
		if (p->folders[i]->then)
			then_path(p, p->folders[i]);
	qsort(p->folders, p->n, sizeof(p->folders[0]), by_then_path);
	for (size_t i = 0; i < p->n; i++) {
		if (!p->folders[i]->then || !restore_has(p, p->folders[i]))
			continue;
		any = true;
		TRY(place(p, p->folders[i]));
	}
	return any || p->q->path.len == 0 ? ST_OK : ST_NOT_FOUND;
}

/* ---- exactly ---- */

static int
by_path_back(const void *a, const void *b)
{
	return -span_cmp(*(const struct span *)a, *(const struct span *)b);
}

/* Folders made since; the deepest first. */
void
restore_folders_away(struct plan *p)
{
	struct span *paths = mem_array(p->n + 1, sizeof(*paths));
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct folder *f = p->folders[i];
		bool used = f->then || !f->now;

		for (size_t j = 0; !used && j < p->n; j++)
			used = p->folders[j]->into == f;
		if (!used)
			paths[n++] = restore_path_now(p, f);
	}
	if (n > 1)
		qsort(paths, n, sizeof(*paths), by_path_back);
	for (size_t i = 0; i < n; i++) {
		struct op op = { .kind = OP_MAILBOX_DELETE };
		const struct store_restore_line line = { .does = RESTORE_DOES_DELETE,
			.path = paths[i] };

		op.u.mailbox_delete.path = paths[i];
		restore_put_part(p, &op, &line);
	}
	mem_free(&paths);
}
