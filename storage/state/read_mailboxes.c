/* The list of mailboxes, and what SELECT needs of one. */
#include <stdlib.h>
#include <string.h>

#include "common/util/arena.h"
#include "common/util/mem.h"
#include "storage/state/state_priv.h"

struct line {
	struct store_mailbox	m;
	uint64_t		parent;
	uint32_t		recent_from;
	struct span		name;
	unsigned		depth;		/* guards against a ring of parents */
};

struct lines {
	struct arena	arena;
	struct line	*l;
	size_t		n, room;
	struct table	by_id;			/* index + 1 */
};

static void
lines_fini(struct lines *ls)
{
	arena_fini(&ls->arena);
	mem_free(&ls->l);
	table_fini(&ls->by_id, NULL, NULL);
}

static struct line *
add_line(struct lines *ls)
{
	if (ls->n == ls->room) {
		ls->room = ls->room == 0 ? 16 : ls->room * 2;
		ls->l = mem_realloc_array(ls->l, ls->room, sizeof(ls->l[0]));
	}
	ls->l[ls->n] = (struct line){ .m.rights = RIGHT_ALL };
	return &ls->l[ls->n++];
}

static void
fill(struct line *l, uint64_t id, const struct rec_mailbox *r)
{
	l->m.id = id;
	l->m.role = (enum mailbox_role)r->role;
	l->m.uidvalidity = r->uidvalidity;
	l->m.uidnext = r->uidnext;
	l->m.order = r->order;
	l->m.highestmodseq = r->highestmodseq;
	l->m.messages = r->messages;
	l->m.unseen = r->unseen;
	l->m.deleted = r->deleted;
	l->m.deleted_bytes = r->deleted_bytes;
	l->m.bytes = r->bytes;
	l->parent = r->parent;
	l->recent_from = r->recent_from;
}

static enum status
load_mailboxes(struct state *s, uint64_t account, struct lines *ls)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mailbox rec;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_MAILBOX, key_span(&k), &c));
	while ((st = st_next(s, TAB_MAILBOX, c, &key, &payload)) == ST_OK) {
		struct line *l;

		if (!rec_mailbox_get(payload, &rec)) {
			st = st_damaged(s, TAB_MAILBOX, key);
			break;
		}
		if (rec.deleted_ms != 0)
			continue;
		l = add_line(ls);
		fill(l, get_be64(key.p + 8), &rec);
		l->name = arena_span(&ls->arena, rec.name);
	}
	engine_cursor_close(&c);
	for (size_t i = 0; i < ls->n; i++)
		table_put_u64(&ls->by_id, ls->l[i].m.id, (void *)(uintptr_t)(i + 1));
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static struct line *
line_of(const struct lines *ls, uint64_t id)
{
	size_t i = (size_t)(uintptr_t)table_get_u64(&ls->by_id, id);

	return i > 0 ? &ls->l[i - 1] : NULL;
}

/* false: the parent links lead nowhere. */
static bool
build_path(struct lines *ls, struct line *l)
{
	struct line *up = l->parent != 0 ? line_of(ls, l->parent) : NULL;
	char *p;

	if (l->m.path.len > 0)
		return true;
	if (l->parent == 0) {
		l->m.path = l->name;
		l->depth = 1;
		return true;
	}
	if (up == NULL || l->depth != 0)
		return false;
	l->depth = STORE_DEPTH_MAX + 1;
	if (!build_path(ls, up) || up->depth >= STORE_DEPTH_MAX)
		return false;
	up->m.has_children = true;
	l->depth = up->depth + 1;
	p = arena_alloc(&ls->arena, up->m.path.len + 1 + l->name.len);
	memcpy(p, up->m.path.p, up->m.path.len);
	p[up->m.path.len] = '/';
	memcpy(p + up->m.path.len + 1, l->name.p, l->name.len);
	l->m.path = span(p, up->m.path.len + 1 + l->name.len);
	return true;
}

static int
by_path(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return span_cmp(x->m.path, y->m.path);
}

/* The lines are sorted; new ones are added behind. */
static enum status
load_subscriptions(struct state *s, uint64_t account, struct lines *ls)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	size_t n = ls->n;
	struct key k;
	enum status st;

	key_1(&k, account);
	TRY(engine_cursor_open(s->e, NULL, TAB_SUBSCR, key_span(&k), &c));
	while ((st = st_next(s, TAB_SUBSCR, c, &key, &payload)) == ST_OK) {
		struct line want = { .m.path = payload };
		struct line *l = n > 0 ? bsearch(&want, ls->l, n, sizeof(want), by_path) : NULL;

		if (l == NULL) {
			l = add_line(ls);
			l->m.path = arena_span(&ls->arena, payload);
		}
		l->m.subscribed = true;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static void
sort(struct lines *ls)
{
	if (ls->n > 1)
		qsort(ls->l, ls->n, sizeof(ls->l[0]), by_path);
}

static enum status
load(struct state *s, uint64_t account, struct lines *ls)
{
	struct rec_account a;
	struct key k;

	TRY(st_read_account(s, NULL, account, &a));
	if (a.deleted_ms != 0)
		return ST_NOT_FOUND;
	TRY(load_mailboxes(s, account, ls));
	for (size_t i = 0; i < ls->n; i++) {
		key_2(&k, account, ls->l[i].m.id);
		if (!build_path(ls, &ls->l[i]))
			return st_damaged(s, TAB_MAILBOX, key_span(&k));
	}
	sort(ls);
	TRY(load_subscriptions(s, account, ls));
	sort(ls);
	return ST_OK;
}

/* ---- recent messages ---- */

uint32_t
state_recent(struct state *s, uint64_t mailbox, uint32_t from)
{
	uint32_t *claimed;

	pthread_mutex_lock(&s->lock);
	claimed = table_get_u64(&s->recent, mailbox);
	if (claimed != NULL && *claimed > from)
		from = *claimed;
	pthread_mutex_unlock(&s->lock);
	return from;
}

void
state_recent_claim(struct state *s, uint64_t mailbox, uint32_t below)
{
	uint32_t *claimed;

	pthread_mutex_lock(&s->lock);
	claimed = table_get_u64(&s->recent, mailbox);
	if (claimed == NULL) {
		claimed = mem_alloc(sizeof(*claimed));
		table_put_u64(&s->recent, mailbox, claimed);
	}
	*claimed = below;
	pthread_mutex_unlock(&s->lock);
}

void
state_recent_kept(struct state *s, uint64_t mailbox, uint32_t below)
{
	uint32_t *claimed;

	pthread_mutex_lock(&s->lock);
	claimed = table_get_u64(&s->recent, mailbox);
	if (claimed != NULL && *claimed == below) {
		table_del_u64(&s->recent, mailbox);
		mem_free(&claimed);
	}
	pthread_mutex_unlock(&s->lock);
}

static enum status
count_recent(struct state *s, uint64_t account, struct line *l)
{
	const uint32_t from = state_recent(s, l->m.id, l->recent_from);
	const struct uidrange r = { from, UINT32_MAX };
	const struct uidset among = { (struct uidrange *)(uintptr_t)&r, 1, 1 };
	struct uidset found = { 0 };
	enum status st;

	if (l->m.id == 0 || from >= l->m.uidnext || l->m.messages == 0)
		return ST_OK;
	st = state_first_uids(s, account, l->m.id, STATE_ALL, &among, UINT32_MAX, &found);
	l->m.recent = (uint32_t)uidset_count(&found);
	uidset_fini(&found);
	return st;
}

static enum status
emit(struct state *s, uint64_t account, struct lines *ls, size_t budget, uint32_t *resume,
    struct buf *out)
{
	size_t start = out->len;

	for (size_t i = *resume; i < ls->n; i++) {
		if (out->len > start && out->len - start + STORE_PATH_MAX + 100 > budget) {
			*resume = (uint32_t)i;
			return ST_OK;
		}
		TRY(count_recent(s, account, &ls->l[i]));
		put_store_mailbox(out, &ls->l[i].m);
	}
	*resume = UINT32_MAX;
	return ST_OK;
}

/* One line, without loading the others: STATUS is asked of many mailboxes in turn. */
static enum status
emit_one(struct state *s, uint64_t account, struct span path, struct buf *out)
{
	struct line l = { .m.path = path, .m.rights = RIGHT_ALL };
	struct engine_cursor *c = NULL;
	struct rec_mailbox rec;
	struct path_at at;
	struct key k;
	enum status st;

	key_subscription(&k, account, path);
	st = engine_get(s->e, NULL, TAB_SUBSCR, key_span(&k), NULL);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	l.m.subscribed = st == ST_OK;
	TRY(path_find(s, NULL, account, path, &at));
	if (at.id != 0) {
		struct buf value = { 0 };

		st = st_read_mailbox(s, NULL, account, at.id, &rec, &value);
		if (st == ST_OK)
			fill(&l, at.id, &rec);
		buf_fini(&value);
		TRY(st);
		key_2(&k, account, at.id);
		TRY(engine_cursor_open(s->e, NULL, TAB_MBOXNAME, key_span(&k), &c));
		l.m.has_children = engine_cursor_next(c, NULL, NULL) == ST_OK;
		engine_cursor_close(&c);
		TRY(count_recent(s, account, &l));
	}
	if (at.id != 0 || l.m.subscribed)
		put_store_mailbox(out, &l.m);
	return ST_OK;
}

enum status
state_mailboxes(struct state *s, uint64_t account, struct span path, size_t budget,
    uint32_t *resume, struct buf *out)
{
	struct lines ls = { 0 };
	struct rec_account a;
	struct buf clean = { 0 };
	enum status st;

	if (path.len > 0) {
		*resume = UINT32_MAX;
		TRY(st_read_account(s, NULL, account, &a));
		if (a.deleted_ms != 0)
			return ST_NOT_FOUND;
		st = path_clean(path, &clean) ? emit_one(s, account, buf_span(&clean), out) : ST_OK;
		buf_fini(&clean);
		return st;
	}
	st = load(s, account, &ls);
	if (st == ST_OK)
		st = emit(s, account, &ls, budget, resume, out);
	lines_fini(&ls);
	return st;
}

enum status
state_find_mailbox(struct state *s, uint64_t account, struct span path, uint64_t *mailbox)
{
	struct rec_account a;
	struct buf clean = { 0 };
	struct path_at at = { 0 };
	enum status st;

	TRY(st_read_account(s, NULL, account, &a));
	if (a.deleted_ms != 0 || !path_clean(path, &clean))
		return ST_NOT_FOUND;
	st = path_find(s, NULL, account, buf_span(&clean), &at);
	buf_fini(&clean);
	*mailbox = at.id;
	return st == ST_OK && at.id == 0 ? ST_NOT_FOUND : st;
}
