/* What became of the Mailboxes of an account.  The history names those whose messages changed, and
 * what was subscribed; rows of mchange tell of the others.  Whether a mailbox was there before is
 * said by the first of these after the point asked for; without any it is as now. */
#include "storage/state/emails.h"

#include <stdlib.h>

#include "common/util/mem.h"
#include "storage/state/read_priv.h"

#define MCHANGES_MAX 50000u	/* since then: nobody keeps so many renamings apart */
#define ENTRY_BYTES 12u

struct touch {
	uint64_t	mailbox;
	uint8_t		what;
};

struct walk_mailboxes {
	struct state		*s;
	uint64_t		account;
	struct state_since	*q;
	struct rec_account	acct;
	struct table		first;		/* mailbox -> 1 + enum change_kind after the point */
	struct table		parents;	/* of those there: mailbox -> 1 + parent */
	struct buf		there;		/* their ids, u64 each */
	bool			parents_here;
	struct table		told;		/* mailbox -> 1 + offset in changes */
	struct store_mailbox_change *changes;
	size_t			n, room;
	struct touch		*touches;	/* of one operation */
	size_t			n_touches, touch_room;
	uint32_t		rows;
	struct buf		value;
};

static void
touch(struct walk_mailboxes *w, uint64_t mailbox, uint8_t what)
{
	if (w->n_touches == w->touch_room) {
		w->touch_room = w->touch_room == 0 ? 64 : 2 * w->touch_room;
		w->touches = mem_realloc_array(w->touches, w->touch_room, sizeof(w->touches[0]));
	}
	w->touches[w->n_touches++] = (struct touch){ mailbox, what };
}

static enum status
load_parents(struct walk_mailboxes *w)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mailbox r;
	struct key k;
	enum status st;

	w->parents_here = true;
	key_1(&k, w->account);
	TRY(engine_cursor_open(w->s->e, NULL, TAB_MAILBOX, key_span(&k), &c));
	while ((st = st_next(w->s, TAB_MAILBOX, c, &key, &payload)) == ST_OK) {
		if (!rec_mailbox_get(payload, &r)) {
			st = st_damaged(w->s, TAB_MAILBOX, key);
			break;
		}
		if (r.deleted_ms != 0)
			continue;
		put_u64(&w->there, get_be64(key.p + 8));
		table_put_u64(&w->parents, get_be64(key.p + 8),
		    (void *)(uintptr_t)(r.parent + 1));
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static uint64_t
parent_of(const struct walk_mailboxes *w, uint64_t mailbox)
{
	const void *v = table_get_u64(&w->parents, mailbox);

	return v != NULL ? (uintptr_t)v - 1 : 0;
}

/* Subscriptions are of names: what lies below one that is called otherwise has others. */
static enum status
touch_below(struct walk_mailboxes *w, uint64_t top)
{
	if (!w->parents_here)
		TRY(load_parents(w));
	for (size_t i = 0; i < w->there.len; i += 8) {
		uint64_t id = get_be64(w->there.data + i), up = parent_of(w, id);

		for (unsigned depth = 0; up != 0 && up != top && depth < STORE_DEPTH_MAX; depth++)
			up = parent_of(w, up);
		if (up == top)
			touch(w, id, MAILBOX_CHANGED_SUBSCRIBED);
	}
	return ST_OK;
}

/* How a mailbox differs now from what it was. */
static enum status
touch_changed(struct walk_mailboxes *w, uint64_t mailbox, const struct rec_mchange *c)
{
	struct rec_mailbox r;
	uint8_t what = 0;
	enum status st = ST_NOT_FOUND;

	if (c->kind != CHANGE_CREATED)	/* what went may have come back as another */
		st = st_read_mailbox(w->s, NULL, w->account, mailbox, &r, &w->value);
	if (st == ST_OK && !span_eq(r.name, c->old_name))
		what |= MAILBOX_CHANGED_NAME | MAILBOX_CHANGED_SUBSCRIBED;
	if (st == ST_OK && r.parent != c->old_parent)
		what |= MAILBOX_CHANGED_PARENT | MAILBOX_CHANGED_SUBSCRIBED;
	if (st == ST_OK && r.role != c->old_role)
		what |= MAILBOX_CHANGED_ROLE;
	if (st == ST_OK && r.order != c->old_order)
		what |= MAILBOX_CHANGED_ORDER;
	touch(w, mailbox, what);
	if (what & MAILBOX_CHANGED_SUBSCRIBED)
		return touch_below(w, mailbox);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
collect_mchanges(struct walk_mailboxes *w, uint64_t modseq)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mchange mc;
	struct key k;
	enum status st;

	key_2(&k, w->account, modseq);
	TRY(engine_cursor_open(w->s->e, NULL, TAB_MCHANGE, key_span(&k), &c));
	while ((st = st_next(w->s, TAB_MCHANGE, c, &key, &payload)) == ST_OK) {
		w->rows++;
		st = rec_mchange_get(payload, &mc) ?
		    touch_changed(w, get_be64(key.p + 16), &mc) :
		    st_damaged(w->s, TAB_MCHANGE, key);
		if (st != ST_OK)
			break;
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status
touch_path(struct walk_mailboxes *w, struct span path)
{
	struct path_at at;

	TRY(path_find(w->s, NULL, w->account, path, &at));
	if (at.id != 0)
		touch(w, at.id, MAILBOX_CHANGED_SUBSCRIBED);
	return ST_OK;
}

/* As the history of OP_MAILBOX_SET has them. */
static enum status
touch_paths(struct walk_mailboxes *w, struct span list)
{
	struct reader r;

	reader_init(&r, list.p, list.len);
	while (reader_left(&r) > 0) {
		get_u8(&r);
		TRY(touch_path(w, get_span(&r)));
	}
	return ST_OK;
}

static int
by_mailbox(const void *a, const void *b)
{
	const struct touch *x = a, *y = b;

	return x->mailbox < y->mailbox ? -1 : x->mailbox > y->mailbox;
}

static enum status
collect(void *arg, uint64_t modseq, const struct rec_history *h)
{
	struct walk_mailboxes *w = arg;

	w->n_touches = 0;
	for (size_t i = 0; i < h->mailboxes.len; i += 8)
		touch(w, get_be64(h->mailboxes.p + i), MAILBOX_CHANGED_COUNTS);
	w->rows += 1 + (uint32_t)(h->mailboxes.len / 8);
	if (h->kind == OP_SUBSCRIBE && h->names.len > 0)
		TRY(touch_path(w, h->names));
	if (h->kind == OP_MAILBOX_SET)
		TRY(touch_paths(w, h->names));
	TRY(collect_mchanges(w, modseq));
	if (w->n_touches > 1)
		qsort(w->touches, w->n_touches, sizeof(w->touches[0]), by_mailbox);
	return ST_OK;
}

static bool
full(const void *arg)
{
	const struct walk_mailboxes *w = arg;

	return w->n > 0 && w->n * ENTRY_BYTES >= w->q->budget;
}

static uint64_t
object(const void *arg, size_t i)
{
	const struct walk_mailboxes *w = arg;

	return i < w->n_touches ? w->touches[i].mailbox : 0;
}

static enum status
tell(void *arg, size_t from, size_t n, bool *fits)
{
	struct walk_mailboxes *w = arg;
	const uint64_t mailbox = w->touches[from].mailbox;
	size_t at = (uintptr_t)table_get_u64(&w->told, mailbox);
	uintptr_t first = (uintptr_t)table_get_u64(&w->first, mailbox);
	struct store_mailbox_change c = { .mailbox = mailbox };
	struct rec_mailbox r;
	enum status st;

	for (size_t i = from; i < from + n; i++)
		c.what |= w->touches[i].what;
	*fits = true;
	if (at > 0) {
		w->changes[at - 1].what |= c.what;
		return ST_OK;
	}
	st = st_read_mailbox(w->s, NULL, w->account, mailbox, &r, &w->value);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	c.is = st == ST_OK && r.deleted_ms == 0;
	c.was = first != 0 ? first - 1 != CHANGE_CREATED : c.is;
	*fits = !full(w) && (!(c.was || c.is) || w->q->limit == 0 || w->q->told < w->q->limit);
	if (!*fits)
		return ST_OK;
	w->q->told += c.was || c.is;
	if (w->n == w->room) {
		w->room = w->room == 0 ? 64 : 2 * w->room;
		w->changes = mem_realloc_array(w->changes, w->room, sizeof(w->changes[0]));
	}
	w->changes[w->n++] = c;
	table_put_u64(&w->told, mailbox, (void *)(uintptr_t)w->n);
	return ST_OK;
}

/* The operation that the point lies in; since: none follows. */
static enum status
point(struct walk_mailboxes *w, uint64_t *modseq)
{
	struct engine_cursor *c = NULL;
	struct span key;
	struct key k;
	enum status st;

	*modseq = w->q->since;
	if (w->q->after == 0)
		return ST_OK;
	key_1(&k, w->account);
	TRY(engine_cursor_open(w->s->e, NULL, TAB_HISTORY, key_span(&k), &c));
	key_2(&k, w->account, w->q->since + 1);
	engine_cursor_seek(c, key_span(&k));
	st = engine_cursor_next(c, &key, NULL);
	if (st == ST_OK)
		*modseq = get_be64(key.p + 8);
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* The first change of each mailbox behind the point. */
static enum status
load_first(struct walk_mailboxes *w)
{
	struct engine_cursor *c = NULL;
	struct span key, payload;
	struct rec_mchange mc;
	struct key k;
	uint64_t within;
	uint32_t n = 0;
	enum status st;

	TRY(point(w, &within));
	key_1(&k, w->account);
	TRY(engine_cursor_open(w->s->e, NULL, TAB_MCHANGE, key_span(&k), &c));
	key_2(&k, w->account, w->q->since + 1);
	engine_cursor_seek(c, key_span(&k));
	while ((st = st_next(w->s, TAB_MCHANGE, c, &key, &payload)) == ST_OK) {
		uint64_t mailbox = get_be64(key.p + 16);

		if (!rec_mchange_get(payload, &mc))
			st = st_damaged(w->s, TAB_MCHANGE, key);
		else if (n++ == MCHANGES_MAX)
			st = ST_EXPIRED;
		if (st != ST_OK)
			break;
		if (table_get_u64(&w->first, mailbox) == NULL &&
		    (get_be64(key.p + 8) > within || mailbox > w->q->after))
			table_put_u64(&w->first, mailbox, (void *)(uintptr_t)(mc.kind + 1u));
	}
	engine_cursor_close(&c);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static const struct since_reader reader = { full, collect, object, tell };

enum status
state_mailbox_changes(struct state *s, uint64_t account, struct state_since *q, struct buf *out)
{
	struct walk_mailboxes w = { .s = s, .account = account, .q = q };
	enum status st = since_judge(s, account, q, &w.acct);

	q->more = false;
	if (st == ST_OK)
		st = load_first(&w);
	if (st == ST_OK)
		st = since_walk(s, account, &w.acct, q, &w.rows, &reader, &w);
	for (size_t i = 0; st == ST_OK && i < w.n; i++)
		put_store_mailbox_change(out, &w.changes[i]);
	mem_free(&w.changes);
	mem_free(&w.touches);
	table_fini(&w.first, NULL, NULL);
	table_fini(&w.parents, NULL, NULL);
	table_fini(&w.told, NULL, NULL);
	buf_fini(&w.there);
	buf_fini(&w.value);
	return st;
}
