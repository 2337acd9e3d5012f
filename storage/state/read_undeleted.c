/* What was deleted, read as mailboxes: the rows of undel below a mailbox that is or was there.
 * Their ids are those of the mailboxes with STATE_UNDELETED; the readings of rows take them. */
#include <stdlib.h>
#include <string.h>

#include "common/util/arena.h"
#include "common/util/mem.h"
#include "storage/state/read_priv.h"
#include "storage/state/undelete.h"

/* ---- rows ---- */

enum status
undel_row(struct state *s, uint64_t account, uint64_t mailbox, uint32_t no, struct buf *value,
    struct rec_undel *row)
{
	struct span payload;
	struct key k;

	key_uid(&k, account, mailbox & ~STATE_UNDELETED, no);
	TRY(st_get(s, NULL, TAB_UNDEL, &k, value, &payload));
	return rec_undel_get(payload, row) ? ST_OK : st_damaged(s, TAB_UNDEL, key_span(&k));
}

static void
add_row(struct uidset sets[STATE_DELETED + 1], uint32_t no, struct flags flags)
{
	unsigned sys = flags_get_system(flags);

	uidset_add(&sets[STATE_ALL], no);
	if (!(sys & FLAG_SEEN))
		uidset_add(&sets[STATE_UNSEEN], no);
	if (sys & FLAG_DELETED)
		uidset_add(&sets[STATE_DELETED], no);
}

enum status
undel_marks(struct state *s, uint64_t account, uint64_t mailbox,
    struct uidset sets[STATE_DELETED + 1])
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_undel row;
	struct key k;
	enum status st;

	key_2(&k, account, mailbox & ~STATE_UNDELETED);
	TRY(engine_cursor_open(s->e, NULL, TAB_UNDEL, key_span(&k), &c));
	while ((st = st_next(s, TAB_UNDEL, c, &key, &payload)) == ST_OK) {
		if (!rec_undel_get(payload, &row)) {
			st = st_damaged(s, TAB_UNDEL, key);
			break;
		}
		add_row(sets, get_be32(key.p + 16), row.x.flags);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status
undel_uids(struct state *s, uint64_t account, uint64_t mailbox, enum state_which which,
    struct uidset *out)
{
	struct uidset sets[STATE_DELETED + 1] = { 0 };
	enum status st = undel_marks(s, account, mailbox, sets);

	uidset_add_set(out, &sets[which]);
	for (unsigned i = STATE_ALL; i <= STATE_DELETED; i++)
		uidset_fini(&sets[i]);
	return st;
}

/* ---- mailboxes ---- */

/* A mailbox that is or was there. */
struct node {
	uint64_t		id, parent;
	bool			gone;
	struct span		name;
	struct store_mailbox	m;	/* path empty: nothing was deleted from it */
};

struct nodes {
	struct arena	arena;
	struct node	*v;
	size_t		n, room;
	struct table	by_id, by_path;		/* index + 1 */
};

static void
nodes_fini(struct nodes *ns)
{
	arena_fini(&ns->arena);
	mem_free(&ns->v);
	table_fini(&ns->by_id, NULL, NULL);
	table_fini(&ns->by_path, NULL, NULL);
}

static struct node *
node_new(struct nodes *ns)
{
	if (ns->n == ns->room) {
		ns->room = ns->room == 0 ? 16 : ns->room * 2;
		ns->v = mem_realloc_array(ns->v, ns->room, sizeof(ns->v[0]));
	}
	ns->v[ns->n] = (struct node){ .id = 0 };
	return &ns->v[ns->n++];
}

static struct node *
node_of(const struct nodes *ns, uint64_t id)
{
	size_t i = (size_t)(uintptr_t)table_get_u64(&ns->by_id, id);

	return i > 0 ? &ns->v[i - 1] : NULL;
}

static enum status
load_nodes(struct state *s, uint64_t account, struct nodes *ns)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mailbox r;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_MAILBOX, key_span(&k), &c));
	while ((st = st_next(s, TAB_MAILBOX, c, &key, &payload)) == ST_OK) {
		struct node *n;

		if (!rec_mailbox_get(payload, &r)) {
			st = st_damaged(s, TAB_MAILBOX, key);
			break;
		}
		n = node_new(ns);
		n->id = get_be64(key.p + 8);
		n->parent = r.parent;
		n->gone = r.deleted_ms != 0;
		n->name = arena_span(&ns->arena, r.name);
		n->m = (struct store_mailbox){ .id = n->id | STATE_UNDELETED,
			.uidvalidity = r.uidvalidity, .rights = RIGHT_LOOKUP | RIGHT_READ,
			.uidnext = r.undel_next > 0 ? r.undel_next : 1 };
		table_put_u64(&ns->by_id, n->id, (void *)(uintptr_t)ns->n);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
count_rows(struct state *s, uint64_t account, struct nodes *ns)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_undel row;
	struct node *n = NULL;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_UNDEL, key_span(&k), &c));
	while ((st = st_next(s, TAB_UNDEL, c, &key, &payload)) == ST_OK) {
		if (!rec_undel_get(payload, &row)) {
			st = st_damaged(s, TAB_UNDEL, key);
			break;
		}
		if (n == NULL || n->id != get_be64(key.p + 8))
			n = node_of(ns, get_be64(key.p + 8));
		if (n == NULL)
			continue;		/* its tombstone went first */
		n->m.messages++;
		n->m.bytes += row.x.size;
		n->m.unseen += !(flags_get_system(row.x.flags) & FLAG_SEEN);
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Where it is, or was; false: nobody knows any more. */
static bool
make_path(const struct nodes *ns, const struct node *n, struct buf *path)
{
	struct buf below = { 0 };
	unsigned depth = 0;

	buf_clear(path);
	for (; n != NULL && depth <= STORE_DEPTH_MAX; depth++) {
		buf_clear(&below);
		buf_add_span(&below, buf_span(path));
		buf_clear(path);
		buf_add_span(path, n->name);
		if (below.len > 0)
			buf_add_c(path, '/');
		buf_add_span(path, buf_span(&below));
		if (n->parent == 0)
			break;
		n = node_of(ns, n->parent);
	}
	buf_fini(&below);
	return n != NULL && depth < STORE_DEPTH_MAX && path->len + 16 <= STORE_PATH_MAX;
}

/* Those that are there have their names to themselves; of a deleted one whose name another
 * has, the UIDVALIDITY tells which it is. */
static void
name_nodes(struct nodes *ns, bool gone)
{
	struct buf path = { 0 };

	for (size_t i = 0; i < ns->n; i++) {
		struct node *n = &ns->v[i];

		if (n->gone != gone || n->m.messages == 0 || !make_path(ns, n, &path))
			continue;
		if (table_get(&ns->by_path, buf_span(&path)) != NULL)
			buf_addf(&path, " (%u)", n->m.uidvalidity);
		n->m.path = arena_span(&ns->arena, buf_span(&path));
		table_put(&ns->by_path, n->m.path, (void *)(uintptr_t)(i + 1));
	}
	buf_fini(&path);
}

/* Superiors from which nothing was deleted: they can be listed, not opened. */
static void
add_superiors(struct nodes *ns)
{
	for (size_t i = 0, end = ns->n; i < end; i++) {
		struct span path = ns->v[i].m.path;

		for (size_t cut = 0; cut < path.len; cut++) {
			struct span up = span_sub(path, 0, cut);
			size_t at;

			if (path.p[cut] != '/')
				continue;
			at = (size_t)(uintptr_t)table_get(&ns->by_path, up);
			if (at == 0) {
				node_new(ns)->m = (struct store_mailbox){ .path = up,
					.rights = RIGHT_LOOKUP };
				at = ns->n;
				table_put(&ns->by_path, up, (void *)(uintptr_t)at);
			}
			ns->v[at - 1].m.has_children = true;
		}
	}
}

static int
by_path(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return span_cmp(x->m.path, y->m.path);
}

static enum status
load(struct state *s, uint64_t account, struct nodes *ns, uint64_t *modseq)
{
	struct rec_account a;

	TRY(st_read_account(s, NULL, account, &a));
	if (a.deleted_ms != 0 || a.purged)
		return ST_NOT_FOUND;
	*modseq = a.modseq;
	if (a.kept_bytes == 0)
		return ST_OK;
	TRY(load_nodes(s, account, ns));
	TRY(count_rows(s, account, ns));
	name_nodes(ns, false);
	name_nodes(ns, true);
	add_superiors(ns);
	return ST_OK;
}

enum status
state_undeleted_list(struct state *s, uint64_t account, struct span only, struct buf *out)
{
	struct nodes ns = { 0 };
	uint64_t modseq;
	enum status st = load(s, account, &ns, &modseq);

	if (st == ST_OK && ns.n > 1)
		qsort(ns.v, ns.n, sizeof(ns.v[0]), by_path);
	for (size_t i = 0; st == ST_OK && i < ns.n; i++) {
		if (ns.v[i].m.path.len == 0 || (only.len > 0 && !span_eq(only, ns.v[i].m.path)))
			continue;
		ns.v[i].m.highestmodseq = modseq;
		put_store_mailbox(out, &ns.v[i].m);
	}
	nodes_fini(&ns);
	return st;
}

enum status
state_undeleted_find(struct state *s, uint64_t account, struct span path, uint64_t *mailbox)
{
	struct buf line = { 0 };
	struct store_mailbox m;
	struct reader r;
	enum status st = state_undeleted_list(s, account, path, &line);

	reader_init(&r, line.data, line.len);
	if (st == ST_OK && (line.len == 0 || !get_store_mailbox(&r, &m) || m.id == 0))
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		*mailbox = m.id;
	buf_fini(&line);
	return st;
}

enum status
state_undeleted_open(struct state *s, uint64_t account, uint64_t mailbox,
    struct store_opened *o, struct buf *uids, struct buf *keywords)
{
	struct uidset sets[STATE_DELETED + 1] = { 0 };
	struct rec_mailbox rec;
	struct rec_account a;
	struct buf value = { 0 };
	enum status st = st_read_account(s, NULL, account, &a);

	if (st == ST_OK)
		st = st_read_mailbox(s, NULL, account, mailbox & ~STATE_UNDELETED, &rec, &value);
	if (st == ST_OK)
		st = undel_marks(s, account, mailbox, sets);
	if (st == ST_OK) {
		*o = (struct store_opened){ .mailbox = mailbox, .uidvalidity = rec.uidvalidity,
			.uidnext = rec.undel_next > 0 ? rec.undel_next : 1,
			.highestmodseq = a.modseq, .rights = RIGHT_LOOKUP | RIGHT_READ,
			.unseen_first = uidset_next(&sets[STATE_UNSEEN], 0) };
		o->recent_from = o->uidnext;
		uidset_encode(&sets[STATE_ALL], uids);
		st = state_keywords(s, account, 0, keywords);
		o->uids = buf_span(uids);
		o->keywords = buf_span(keywords);
	}
	for (unsigned i = STATE_ALL; i <= STATE_DELETED; i++)
		uidset_fini(&sets[i]);
	buf_fini(&value);
	return st;
}

enum status
undel_changes(struct state *s, uint64_t account, uint64_t mailbox, uint64_t since,
    struct state_changes *c)
{
	struct rec_mailbox rec;
	struct rec_account a;
	struct buf value = { 0 };
	enum status st;

	TRY(st_read_account(s, NULL, account, &a));
	st = st_read_mailbox(s, NULL, account, mailbox & ~STATE_UNDELETED, &rec, &value);
	buf_fini(&value);
	c->gone = st == ST_NOT_FOUND;
	if (c->gone)
		return ST_OK;
	TRY(st);
	c->highestmodseq = a.modseq;
	c->uidnext = c->recent_from = rec.undel_next > 0 ? rec.undel_next : 1;
	/* There is no log of what came back or went for good. */
	c->full = since < a.modseq;
	return c->full ? undel_uids(s, account, mailbox, STATE_ALL, &c->changed) : ST_OK;
}

enum status
state_undeleted_oldest(struct state *s, uint64_t account, int64_t *time_s)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_undel row;
	bool any = false;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_UNDEL, key_span(&k), &c));
	/* The first one of each mailbox. */
	while ((st = st_next(s, TAB_UNDEL, c, &key, &payload)) == ST_OK) {
		if (!rec_undel_get(payload, &row)) {
			st = st_damaged(s, TAB_UNDEL, key);
			break;
		}
		if (!any || row.x.saved_s < *time_s)
			*time_s = row.x.saved_s;
		any = true;
		key_uid(&k, account, get_be64(key.p + 8), UINT32_MAX);
		engine_cursor_seek(c, key_span(&k));
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND && any ? ST_OK : st;
}

enum status
state_undeleted_since(struct state *s, uint64_t account, uint64_t mailbox, uint64_t since,
    struct uidset *out)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_undel row;
	struct key k;
	enum status st;

	uidset_clear(out);
	key_2(&k, account, mailbox & ~STATE_UNDELETED);
	TRY(engine_cursor_open(s->e, NULL, TAB_UNDEL, key_span(&k), &c));
	while ((st = st_next(s, TAB_UNDEL, c, &key, &payload)) == ST_OK) {
		if (!rec_undel_get(payload, &row)) {
			st = st_damaged(s, TAB_UNDEL, key);
			break;
		}
		if (row.x.modseq > since)
			uidset_add(out, get_be32(key.p + 16));
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}
